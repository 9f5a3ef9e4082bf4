//! From the schema a database has to the one this program wants.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::functions::FunctionFlags;

use crate::StoreError;
use crate::classify::At;
use crate::classify::Sql;
use crate::place;
use crate::schema::APPLICATION_ID;

/// One schema version's difference to the one before.
pub(crate) struct Step {
    /// Statements, run in one transaction.
    pub(crate) sql: &'static str,
    /// What statements cannot do, in the same transaction after them.
    pub(crate) then: Option<fn(&Transaction<'_>) -> Sql<()>>,
}

impl Step {
    /// One that statements can do.
    pub(crate) const fn sql(sql: &'static str) -> Self {
        Self { sql, then: None }
    }
}

/// What was migrated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Migrated {
    /// The version found; 0 for a new database.
    pub(crate) from: i64,
    /// The copy made before anything was changed.
    pub(crate) backup: Option<PathBuf>,
}

/// Finds out whose database this is and in which version.
///
/// `known` is the newest version the caller can use. Returns 0 for an empty database.
pub(crate) fn version(conn: &Connection, path: &Path, known: i64) -> Result<i64, StoreError> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).at(path);
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    if application != APPLICATION_ID {
        let tables = number("SELECT count(*) FROM sqlite_schema")?;
        if application != 0 || version != 0 || tables != 0 {
            return Err(StoreError::Foreign { path: path.to_owned() });
        }
        return Ok(0);
    }
    if version > known {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known });
    }
    if version < 1 {
        let reason = format!("its schema version is {version}");
        return Err(StoreError::Corrupt { path: path.to_owned(), reason });
    }
    Ok(version)
}

/// Brings the database to the last of `steps`. An older history is copied first; all steps run
/// in one transaction, so that a failure leaves the old version as it was.
pub(crate) fn migrate(
    conn: &mut Connection,
    path: &Path,
    steps: &[Step],
) -> Result<Migrated, StoreError> {
    let target = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let from = version(conn, path, target)?;
    if from == target {
        return Ok(Migrated { from, backup: None });
    }
    let backup = if from > 0 { Some(back_up(conn, path, from)?) } else { None };
    let done = usize::try_from(from).unwrap_or(usize::MAX);
    add_functions(conn).at(path)?;
    // A history of years is sorted on the way: on disk, not in the memory that a daemon has.
    conn.pragma_update(None, "temp_store", "FILE").at(path)?;
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).at(path)?;
    for step in steps.iter().skip(done) {
        tx.execute_batch(step.sql).at(path)?;
        if let Some(then) = step.then {
            then(&tx).at(path)?;
        }
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).at(path)?;
    tx.pragma_update(None, "user_version", target).at(path)?;
    tx.commit().at(path)?;
    conn.pragma_update(None, "temp_store", "MEMORY").at(path)?;
    Ok(Migrated { from, backup })
}

/// `program_path(exe)`: [`femtosnitch_model::program_path`].
pub(crate) fn add_functions(conn: &Connection) -> Sql<()> {
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_DIRECTONLY;
    conn.create_scalar_function("program_path", 1, flags, |context| {
        let path = context.get_raw(0).as_str().unwrap_or_default();
        Ok(femtosnitch_model::program_path(path).into_owned())
    })
}

/// Copies the database to `NAME.vN-backup`, replacing a copy that an earlier attempt made.
fn back_up(conn: &Connection, path: &Path, version: i64) -> Result<PathBuf, StoreError> {
    let unfinished = place::beside(path, &format!(".v{version}-backup.tmp"));
    let backup = place::beside(path, &format!(".v{version}-backup"));
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::from_io(unfinished, &error));
        }
        Ok(()) | Err(_) => {}
    }
    // Created by us, empty, so that it has the history's own permissions.
    place::create_like(&unfinished, path)?;
    let target = unfinished.to_str().ok_or_else(|| StoreError::BadQuery(format!(
        "{}: cannot be backed up before the migration, its path is not UTF-8; use another --root",
        path.display()
    )))?;
    let copied = conn.execute("VACUUM INTO ?1", [target]).at(path);
    if let Err(error) = copied {
        place::remove_quietly(&unfinished);
        return Err(error);
    }
    fs::rename(&unfinished, &backup).map_err(|error| StoreError::from_io(&backup, &error))?;
    Ok(backup)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Step = Step::sql("CREATE TABLE a(x INTEGER) STRICT; INSERT INTO a VALUES (7);");
    const TWO: Step = Step::sql("ALTER TABLE a ADD COLUMN y INTEGER; UPDATE a SET y = x + 1;");
    const BROKEN: Step = Step::sql("UPDATE a SET x = 0; CREATE TABLE a(z);");

    fn opened(path: &Path) -> Connection {
        place::make_file(path, None).unwrap();
        Connection::open(path).unwrap()
    }

    fn number(conn: &Connection, sql: &str) -> i64 {
        conn.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_history_is_copied_and_brought_up_to_date() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let mut conn = opened(&path);
        let first = migrate(&mut conn, &path, &[ONE]).unwrap();
        assert_eq!(first, Migrated { from: 0, backup: None });

        let second = migrate(&mut conn, &path, &[ONE, TWO]).unwrap();
        assert_eq!(second.from, 1);
        assert_eq!(number(&conn, "SELECT y FROM a"), 8);
        assert_eq!(number(&conn, "PRAGMA user_version"), 2);

        let backup = second.backup.unwrap();
        assert_eq!(backup, dir.path().join("f.db.v1-backup"));
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o640);
        let old = Connection::open(&backup).unwrap();
        assert_eq!(number(&old, "PRAGMA user_version"), 1);
        assert_eq!(number(&old, "PRAGMA application_id"), APPLICATION_ID);
        assert_eq!(number(&old, "SELECT x FROM a"), 7);
        assert!(old.prepare("SELECT y FROM a").is_err());

        let third = migrate(&mut conn, &path, &[ONE, TWO]).unwrap();
        assert_eq!(third, Migrated { from: 2, backup: None });
    }

    #[test]
    fn a_failing_step_leaves_the_old_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let mut conn = opened(&path);
        migrate(&mut conn, &path, &[ONE]).unwrap();
        // Twice: the copy of the first attempt is in nobody's way.
        for _ in 0..2 {
            migrate(&mut conn, &path, &[ONE, TWO, BROKEN]).unwrap_err();
            assert_eq!(number(&conn, "PRAGMA user_version"), 1);
            assert_eq!(number(&conn, "SELECT x FROM a"), 7);
            assert!(conn.prepare("SELECT y FROM a").is_err());
        }
        assert!(migrate(&mut conn, &path, &[ONE, TWO]).unwrap().backup.is_some());
    }

    #[test]
    fn newer_and_foreign_databases_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let mut conn = opened(&path);
        migrate(&mut conn, &path, &[ONE, TWO]).unwrap();
        let error = migrate(&mut conn, &path, &[ONE]).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");

        let path = dir.path().join("other.db");
        let mut conn = opened(&path);
        conn.execute_batch("CREATE TABLE theirs(x)").unwrap();
        let error = migrate(&mut conn, &path, &[ONE]).unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    }
}
