//! Executables whose digest is still being computed when their traffic is written.

use std::collections::HashMap;

use femtosnitch_model::Digest;
use femtosnitch_model::ImageId;
use femtosnitch_model::Unhashed;
use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::params;

use crate::WriteReport;
use crate::chain::Kind;
use crate::chain::Ledger;
use crate::classify::Sql;
use crate::programs;
use crate::programs::Undecided;

/// At most this many executables wait at once (1.5 MB).
const MAX_WAITING: usize = 32_768;
/// This many digests are remembered for rows that were made before the digest was known but
/// arrive after it.
const MAX_KNOWN: usize = 8_192;

/// What waits for digests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting {
    /// The rows, by the image whose digest will complete them.
    executables: HashMap<ImageId, i64>,
    /// Runs whose contents are to be compared.
    pub(crate) undecided: Undecided,
}

impl Waiting {
    pub(crate) fn get(&self, image: ImageId) -> Option<i64> {
        self.executables.get(&image).copied()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.executables.len() >= MAX_WAITING
    }

    pub(crate) fn insert(&mut self, image: ImageId, id: i64) {
        self.executables.insert(image, id);
    }
}

/// Digests by image, for late rows.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<ImageId, Digest>);

impl Known {
    fn learn(&mut self, image: ImageId, digest: Digest) {
        if self.0.len() >= MAX_KNOWN {
            self.0.clear();
        }
        self.0.insert(image, digest);
    }

    /// The best that is known of an image whose row says `digest`.
    pub(crate) fn improve(&self, image: ImageId, digest: Digest) -> Digest {
        match digest {
            Digest::Pending => self.0.get(&image).copied().unwrap_or(digest),
            Digest::Known(_) | Digest::Missing(_) => digest,
        }
    }
}

/// Completes waiting rows, and tells what changed. Counts both. True if executables became others:
/// their numbers may then be given to new ones.
pub(crate) fn resolve(
    tx: &Transaction<'_>,
    waiting: &mut Waiting,
    known: &mut Known,
    resolved: &[(ImageId, Digest)],
    report: &mut WriteReport,
) -> Sql<bool> {
    let mut merges = Vec::new();
    for &(image, digest) in resolved {
        if digest == Digest::Pending {
            continue;
        }
        known.learn(image, digest);
        let undecided = waiting.undecided.take(image);
        let Some(id) = waiting.executables.remove(&image) else { continue };
        let merge = settle(tx, id, digest)?;
        report.resolved += 1;
        if let Digest::Known(sha256) = digest {
            let exe = merge.as_ref().map_or(id, |merge| merge.new);
            for ran in undecided {
                report.events += u64::from(programs::decide(tx, &ran, exe, sha256)?);
            }
        }
        merges.extend(merge);
    }
    merge(tx, &merges)?;
    Ok(!merges.is_empty())
}

/// Whatever an earlier run left pending was interrupted. Returns how many executables were.
pub(crate) fn interrupt(conn: &mut Connection, ledger: &mut Ledger) -> Sql<u64> {
    let left: Vec<i64> = conn
        .prepare("SELECT id FROM executables WHERE sha256 = '(pending)'")?
        .query_map([], |row| row.get(0))?
        .collect::<Sql<_>>()?;
    if left.is_empty() {
        return Ok(0);
    }
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut merges = Vec::new();
    let mut count = 0;
    for id in left {
        merges.extend(settle(&tx, id, Digest::Missing(Unhashed::Interrupted))?);
        count += 1;
    }
    merge(&tx, &merges)?;
    ledger.link(&tx, Kind::Open)?;
    tx.commit()?;
    Ok(count)
}

/// One pending row that turned out to be an executable the history already has.
struct Merge {
    old: i64,
    new: i64,
}

/// Gives row `id` its digest, unless that makes it equal to another row.
fn settle(tx: &Transaction<'_>, id: i64, digest: Digest) -> Sql<Option<Merge>> {
    let digest = digest.to_string();
    let twin = tx
        .prepare_cached(
            "SELECT twin.id, mine.first_seen, mine.last_seen
             FROM executables AS mine JOIN executables AS twin
               ON twin.exe = mine.exe AND twin.name = mine.name AND twin.cmdline = mine.cmdline
              AND twin.sha256 = ?2 AND twin.sha256 <> '(pending)'
             WHERE mine.id = ?1",
        )?
        .query_row(params![id, digest], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((new, since, last)): Option<(i64, i64, i64)> = twin else {
        tx.prepare_cached("UPDATE executables SET sha256 = ?2 WHERE id = ?1")?
            .execute(params![id, digest])?;
        return Ok(None);
    };
    tx.prepare_cached(
        "UPDATE executables SET first_seen = min(first_seen, ?2), last_seen = max(last_seen, ?3)
         WHERE id = ?1",
    )?
    .execute(params![new, since, last])?;
    Ok(Some(Merge { old: id, new }))
}

/// Points all that refers to merged rows at their twins.
fn merge(tx: &Transaction<'_>, merges: &[Merge]) -> Sql<()> {
    if merges.is_empty() {
        return Ok(());
    }
    tx.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS merged(old INTEGER PRIMARY KEY, new INTEGER NOT NULL);
         DELETE FROM temp.merged;",
    )?;
    for merge in merges {
        tx.prepare_cached("INSERT INTO temp.merged VALUES (?1, ?2)")?
            .execute(params![merge.old, merge.new])?;
    }
    tx.execute_batch(
        "UPDATE actors SET
           exe_id = coalesce((SELECT new FROM temp.merged WHERE old = exe_id), exe_id),
           pexe_id = coalesce((SELECT new FROM temp.merged WHERE old = pexe_id), pexe_id),
           gpexe_id = coalesce((SELECT new FROM temp.merged WHERE old = gpexe_id), gpexe_id),
           script_id = coalesce((SELECT new FROM temp.merged WHERE old = script_id), script_id)
         WHERE exe_id IN (SELECT old FROM temp.merged)
           OR pexe_id IN (SELECT old FROM temp.merged)
           OR gpexe_id IN (SELECT old FROM temp.merged)
           OR script_id IN (SELECT old FROM temp.merged);
         UPDATE processes SET exe_id = (SELECT new FROM temp.merged WHERE old = exe_id)
           WHERE exe_id IN (SELECT old FROM temp.merged);
         UPDATE processes SET script_id = (SELECT new FROM temp.merged WHERE old = script_id)
           WHERE script_id <> 0 AND script_id IN (SELECT old FROM temp.merged);
         UPDATE event_log SET exe_id = (SELECT new FROM temp.merged WHERE old = exe_id)
           WHERE exe_id IN (SELECT old FROM temp.merged);
         DELETE FROM executables WHERE id IN (SELECT old FROM temp.merged);
         DELETE FROM temp.merged;",
    )
}
