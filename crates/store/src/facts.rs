//! What is known of executables and containers besides their traffic.

use std::sync::Arc;

use femtosnitch_model::ContainerFacts;
use femtosnitch_model::Digest;
use femtosnitch_model::Executable;
use femtosnitch_model::Facts;
use femtosnitch_model::program_path;
use rusqlite::Transaction;
use rusqlite::params;

use crate::classify::Sql;
use crate::intern::Interner;

/// What was found out about one content at one path.
#[derive(Debug, Clone)]
pub struct Described {
    /// The path, and the digest; without a known digest nothing is kept.
    pub exe: Executable,
    /// Whose path that is ([`femtosnitch_model::Place::realm`]).
    pub realm: Arc<str>,
    /// What is known by now. It replaces what was known before, except that an empty `written_by`
    /// leaves the earlier one.
    pub facts: Facts,
}

/// Keeps what was found out about executables; `at` is about now, in unix seconds.
pub(crate) fn describe(tx: &Transaction<'_>, described: &[Described], at: i64) -> Sql<()> {
    for Described { exe, realm, facts } in described {
        let Digest::Known(sha256) = exe.digest else { continue };
        tx.prepare_cached(
            "INSERT INTO versions(exe, sha256, realm, package, version, state, build_id,
               privileges, verity, written_by, last_seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT(exe, sha256, realm) DO UPDATE SET
               package = excluded.package, version = excluded.version, state = excluded.state,
               build_id = excluded.build_id, privileges = excluded.privileges,
               verity = excluded.verity, last_seen = max(last_seen, excluded.last_seen),
               written_by = CASE excluded.written_by WHEN '' THEN written_by
                 ELSE excluded.written_by END",
        )?
        .execute(params![
            program_path(&exe.image.path),
            sha256.to_string(),
            realm,
            facts.package,
            facts.version,
            facts.state,
            facts.build_id,
            facts.privileges,
            facts.verity,
            facts.written_by,
            at,
        ])?;
    }
    Ok(())
}

/// Keeps what was found out about containers.
pub(crate) fn name_containers(
    tx: &Transaction<'_>,
    interner: &mut Interner,
    containers: &[ContainerFacts],
    at: i64,
) -> Sql<()> {
    for facts in containers {
        let id = interner.container(tx, &facts.container, at)?;
        if id == 0 {
            continue;
        }
        tx.prepare_cached(
            "UPDATE containers SET
               name = CASE ?2 WHEN '' THEN name ELSE ?2 END,
               image = CASE ?3 WHEN '' THEN image ELSE ?3 END,
               pod = CASE ?4 WHEN '' THEN pod ELSE ?4 END
             WHERE id = ?1",
        )?
        .execute(params![id, facts.name, facts.image, facts.pod])?;
    }
    Ok(())
}
