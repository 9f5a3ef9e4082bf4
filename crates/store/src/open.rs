//! Opening the one writing connection, whatever state the file is in.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::config::DbConfig;

use crate::Quarantined;
use crate::StoreError;
use crate::chain::Ledger;
use crate::classify::At;
use crate::locate::Locator;
use crate::migrate;
use crate::pending;
use crate::place;
use crate::quarantine;
use crate::schema::RELATIONS;
use crate::schema::STEPS;

/// How long a statement waits for a lock that a maintenance tool holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// A journal that grew (a reader held it open) is cut back to this many bytes.
const JOURNAL_LIMIT: i64 = 16 << 20;
/// Up to this many bytes the whole file is checked at open (about 50 ms); larger ones only where
/// every access begins.
const FULL_CHECK_BYTES: u64 = 8 << 20;

/// How every SQLite database begins (https://www.sqlite.org/fileformat.html, 1.3).
pub(crate) const MAGIC: &[u8] = b"SQLite format 3\0";

/// How to open the history.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Group that new files and a new directory are given to; `None` leaves the process' own.
    pub group: Option<u32>,
    /// What the kernel calls this boot of the machine (`/proc/sys/kernel/random/boot_id`); '' if
    /// that is not known. Processes of different boots are told apart by it.
    pub boot: String,
    /// Who is asked where addresses are; `None`: nobody, they stay without.
    pub locator: Option<Locator>,
    /// Each transaction leaves a link that vouches for what it wrote ([`crate::ChainHead`]).
    pub tamper_evidence: bool,
}

/// What opening found and did. Anything but the defaults is worth a log line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// A new database was made.
    pub created: bool,
    /// The database found was damaged and moved aside: warn, with both paths.
    pub quarantined: Option<Quarantined>,
    /// Schema version that the history had before it was brought up to date.
    pub migrated_from: Option<i64>,
    /// Copy of the history as it was before the migration.
    pub backup: Option<PathBuf>,
    /// Executables whose digest an earlier run did not come to compute; now `(interrupted)`.
    pub interrupted: u64,
}

/// What a writer begins with.
pub(crate) struct Opened {
    pub(crate) conn: Connection,
    pub(crate) ledger: Ledger,
}

/// Makes the directory and takes the lock that a writer holds as long as it lives.
pub(crate) fn prepare(path: &Path, options: &Options) -> Result<File, StoreError> {
    place::make_directory(path, options.group)?;
    place::lock(path)
}

/// Opens the database, or a new one in its place if it is damaged.
pub(crate) fn open(path: &Path, options: &Options) -> Result<(Opened, OpenReport), StoreError> {
    match attempt(path, options) {
        Err(StoreError::Corrupt { reason, .. }) => {
            let quarantined = quarantine::move_aside(path, &reason)?;
            let (opened, report) = attempt(path, options)?;
            Ok((opened, OpenReport { quarantined: Some(quarantined), ..report }))
        }
        other => other,
    }
}

fn attempt(path: &Path, options: &Options) -> Result<(Opened, OpenReport), StoreError> {
    let empty = place::size(path) == 0;
    if empty && place::size(&place::beside(path, "-wal")) > 0 {
        // SQLite would delete the journal.
        let reason = "the file is empty but its journal is not".to_owned();
        return Err(StoreError::Corrupt { path: path.to_owned(), reason });
    }
    if !empty && !place::begins_with(path, MAGIC)? {
        // Told before SQLite sees it, which would write into a journal lying beside it.
        let reason = "it does not begin like a database".to_owned();
        return Err(StoreError::Corrupt { path: path.to_owned(), reason });
    }
    place::make_file(path, options.group)?;
    let mut conn = connect(path)?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let found = migrate::version(&conn, path, known)?;
    place::close_to_others(path)?;
    if found == 0 {
        // Takes effect only before there are tables, and before the journal mode.
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL").at(path)?;
    }
    configure(&conn, path)?;
    if !empty {
        check(&conn, path)?;
    }
    let migrated = migrate::migrate(&mut conn, path, STEPS)?;
    check_relations(&conn, path)?;
    let mut ledger = Ledger::open(&conn).at(path)?;
    let interrupted = pending::interrupt(&mut conn, &mut ledger).at(path)?;
    let report = OpenReport {
        created: found == 0,
        quarantined: None,
        migrated_from: (found != 0 && found != known).then_some(migrated.from),
        backup: migrated.backup,
        interrupted,
    };
    Ok((Opened { conn, ledger }, report))
}

pub(crate) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).at(path)?;
    // A damaged file must not be written to merely by closing it, and readers that may not write
    // need the journal files to stay.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).at(path)?;
    // Or plans depend on what is asked for, and are made anew each time it differs.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).at(path)?;
    conn.busy_timeout(BUSY_TIMEOUT).at(path)?;
    Ok(conn)
}

fn configure(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String =
        conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).at(path)?;
    if mode != "wal" {
        let reason = format!(
            "its file system cannot hold a write-ahead journal (mode {mode}); put --root on a \
             local file system"
        );
        return Err(StoreError::Io { path: path.to_owned(), reason });
    }
    // A crash of the machine may cost the last seconds, never the database.
    conn.pragma_update(None, "synchronous", "NORMAL").at(path)?;
    conn.pragma_update(None, "journal_size_limit", JOURNAL_LIMIT).at(path)?;
    conn.pragma_update(None, "temp_store", "MEMORY").at(path)?;
    conn.pragma_update(None, "trusted_schema", false).at(path)?;
    conn.pragma_update(None, "cell_size_check", true).at(path)
}

/// Reads what every later access reads: the schema and the first and last row of each table. Small
/// files are checked as a whole. Damage elsewhere shows when it is met.
fn check(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'";
    let tables: Vec<String> = conn
        .prepare(names)
        .and_then(|mut stmt| stmt.query_map([], |row| row.get(0))?.collect())
        .at(path)?;
    for table in tables {
        let table = table.replace('"', "\"\"");
        for order in ["ASC", "DESC"] {
            // The first column of each of our tables begins its primary key.
            let sql = format!("SELECT * FROM \"{table}\" ORDER BY 1 {order} LIMIT 1");
            read_through(conn, &sql).at(path)?;
        }
    }
    if place::size(path) > FULL_CHECK_BYTES {
        return Ok(());
    }
    let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).at(path)?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Corrupt { path: path.to_owned(), reason: verdict })
}

fn check_relations(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let exists = "SELECT count(*) FROM sqlite_schema WHERE name = ?1";
    for relation in RELATIONS {
        let found: i64 = conn.query_row(exists, [relation], |row| row.get(0)).at(path)?;
        if found == 0 {
            let reason = format!("`{relation}` is missing in it");
            return Err(StoreError::Corrupt { path: path.to_owned(), reason });
        }
    }
    Ok(())
}

fn read_through(conn: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut stmt = conn.prepare(sql)?;
    let columns = stmt.column_count();
    let mut rows = stmt.query([])?;
    while let Some(row) = rows.next()? {
        for column in 0..columns {
            row.get_ref(column)?;
        }
    }
    Ok(())
}
