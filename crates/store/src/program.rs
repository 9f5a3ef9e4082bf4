//! What is known of one program: a path, and what has been found there.

use rusqlite::Connection;
use serde::Serialize;

use crate::Reader;
use crate::StoreError;
use crate::classify::At;
use crate::classify::Sql;

/// Versions that are told, the latest.
const MOST_VERSIONS: i64 = 200;
/// Command lines that are told, the latest.
const MOST_CMDLINES: i64 = 50;

/// One content of the file at a path. Texts are '' where unknown or none, and come from the outside:
/// show them through [`femtosnitch_model::printable`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramVersion {
    /// Its digest, or a bracketed reason.
    pub sha256: String,
    /// Unix second in which it moved bytes, or launched what did, first.
    pub first_seen: i64,
    /// And last, rounded up to a full hour.
    pub last_seen: i64,
    /// Names of its processes, the first one.
    pub name: String,
    /// Different command lines with which it ran.
    pub cmdlines: u64,
    /// Whose path it is: a container's or an application's; '' for the system's own.
    pub realm: String,
    /// The package that it belongs to, with the manager.
    pub package: String,
    /// Version of the package.
    pub package_version: String,
    /// Whether it is what the package shipped: [`femtosnitch_model::Facts::state`].
    pub package_state: String,
    /// Build-id of the ELF file.
    pub build_id: String,
    /// What running it grants.
    pub privileges: String,
    /// Digest that fs-verity enforces.
    pub verity: String,
    /// Who wrote the file.
    pub written_by: String,
}

/// A program by its path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Program {
    /// The path.
    pub exe: String,
    /// What was found there, the latest first.
    pub versions: Vec<ProgramVersion>,
    /// With which arguments, the latest first.
    pub cmdlines: Vec<String>,
}

impl Reader {
    /// What is known of the program at a path. One that is not known has no versions.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn program(&self, exe: &str) -> Result<Program, StoreError> {
        let found = self.consistently(|conn| Ok((versions(conn, exe)?, cmdlines(conn, exe)?)));
        let (versions, cmdlines) = found.at(self.path())?;
        Ok(Program { exe: exe.to_owned(), versions, cmdlines })
    }
}

/// By digest and, where facts are known, by realm.
fn versions(conn: &Connection, exe: &str) -> Sql<Vec<ProgramVersion>> {
    let mut stmt = conn.prepare(
        "WITH e AS (
           SELECT sha256, min(first_seen) AS first, max(last_seen) AS last, min(name) AS name,
             count(DISTINCT cmdline) AS cmdlines
           FROM executables WHERE exe = ?1 AND id <> 0 GROUP BY sha256)
         SELECT e.sha256, e.first, e.last, e.name, e.cmdlines, coalesce(v.realm, ''),
           coalesce(v.package, ''), coalesce(v.version, ''), coalesce(v.state, ''),
           coalesce(v.build_id, ''), coalesce(v.privileges, ''), coalesce(v.verity, ''),
           coalesce(v.written_by, '')
         FROM e LEFT JOIN versions AS v ON v.exe = program_path(?1) AND v.sha256 = e.sha256
         ORDER BY e.last DESC, e.first DESC, e.sha256, v.realm LIMIT ?2",
    )?;
    stmt.query_map((exe, MOST_VERSIONS), |row| {
        let cmdlines: i64 = row.get(4)?;
        Ok(ProgramVersion {
            sha256: row.get(0)?,
            first_seen: row.get(1)?,
            last_seen: row.get(2)?,
            name: row.get(3)?,
            cmdlines: u64::try_from(cmdlines).unwrap_or(0),
            realm: row.get(5)?,
            package: row.get(6)?,
            package_version: row.get(7)?,
            package_state: row.get(8)?,
            build_id: row.get(9)?,
            privileges: row.get(10)?,
            verity: row.get(11)?,
            written_by: row.get(12)?,
        })
    })?
    .collect()
}

fn cmdlines(conn: &Connection, exe: &str) -> Sql<Vec<String>> {
    let mut stmt = conn.prepare(
        "SELECT cmdline FROM executables WHERE exe = ?1 AND cmdline <> ''
         GROUP BY cmdline ORDER BY max(last_seen) DESC, cmdline LIMIT ?2",
    )?;
    stmt.query_map((exe, MOST_CMDLINES), |row| row.get(0))?.collect()
}
