//! How a picosnitch database is laid out: which version it has, and which of the columns.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;

use super::ImportError;
use super::error::of_source;
use crate::classify::Sql;
use crate::schema::APPLICATION_ID;

/// How a local time looks in version 3.
const LOCAL_TIME: &str =
    "[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9]";
/// Columns of a page, in order; those of executables follow.
const NUMBERS: [&str; 9] =
    ["send", "recv", "events", "uid", "family", "protocol", "lport", "rport", "netns"];
pub(super) const WRITTEN: usize = 2;
pub(super) const LADDR: usize = 12;
pub(super) const RADDR: usize = 13;
pub(super) const DOMAIN: usize = 14;
pub(super) const WHO: usize = 15;

/// The version of its schema, if it is picosnitch's.
pub(super) fn version(conn: &Connection, path: &Path) -> Result<i64, ImportError> {
    let number = |sql: &str| {
        let found = conn.query_row(sql, [], |row| row.get::<_, i64>(0));
        found.map_err(|error| of_source(path, &error))
    };
    let foreign =
        |reason: &str| ImportError::Foreign { path: path.to_owned(), reason: reason.to_owned() };
    match number("PRAGMA application_id")? {
        0 => {}
        APPLICATION_ID => return Err(foreign("it is femtosnitch's own")),
        _ => return Err(foreign("it is some other program's")),
    }
    if number("SELECT count(*) FROM sqlite_schema")? == 0 {
        return Err(foreign("it is empty"));
    }
    let table = "SELECT count(*) FROM sqlite_schema WHERE name = 'connections'";
    if number(table)? == 0 {
        return Err(foreign("it has no table connections"));
    }
    // Views and virtual tables may do anything.
    let others = "SELECT count(*) FROM sqlite_schema WHERE (type = 'view' OR rootpage = 0)
                  AND name IN ('connections', 'executables', 'domains', 'addresses')";
    if number(others)? > 0 {
        return Err(foreign("its tables are none"));
    }
    match number("PRAGMA user_version")? {
        version @ (3 | 4) => Ok(version),
        0 => Err(foreign("it tells no version")),
        found => Err(ImportError::Version { path: path.to_owned(), found }),
    }
}

/// Columns of `connections` and their types.
pub(super) fn columns(
    conn: &Connection,
    path: &Path,
) -> Result<BTreeSet<(String, String)>, ImportError> {
    let read = || -> Sql<BTreeSet<(String, String)>> {
        let columns = "SELECT lower(name), upper(type) FROM pragma_table_info('connections')";
        let mut stmt = conn.prepare(columns)?;
        stmt.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    read().map_err(|error| of_source(path, &error))
}

/// When a row was written, as a unix second.
pub(super) fn time(local: bool) -> String {
    if local {
        format!(
            "CASE WHEN contime GLOB '{LOCAL_TIME}' AND length(contime) = 19
               THEN unixepoch(contime, 'utc') END"
        )
    } else {
        "contime".to_owned()
    }
}

/// What to select of `connections`, or which column it lacks.
pub(super) fn select(names: &BTreeSet<(String, String)>, interned: bool) -> Result<String, String> {
    let has = |name: &str| names.iter().any(|(column, _)| column == name);
    let local = names.iter().any(|(name, kind)| name == "contime" && kind == "TEXT");
    if !has("contime") {
        return Err("contime".to_owned());
    }
    let mut out = vec!["rowid".to_owned(), time(local), "contime".to_owned()];
    for name in NUMBERS {
        let may_lack = matches!(name, "events" | "family" | "protocol" | "netns");
        match (has(name), may_lack) {
            (true, _) => out.push(name.to_owned()),
            (false, true) => out.push("NULL".to_owned()),
            (false, false) => return Err(name.to_owned()),
        }
    }
    for (name, table, column) in [
        ("laddr", "addresses", "addr"),
        ("raddr", "addresses", "addr"),
        ("domain", "domains", "domain"),
    ] {
        if has(&format!("{name}_id")) {
            out.push(format!("(SELECT {column} FROM {table} WHERE id = {name}_id)"));
        } else if has(name) {
            out.push(name.to_owned());
        } else {
            return Err(name.to_owned());
        }
    }
    for (prefix, may_lack) in [("", false), ("p", false), ("gp", true)] {
        let ids = [format!("{prefix}exe_id")];
        let texts = ["exe", "name", "cmdline", "sha256"].map(|text| format!("{prefix}{text}"));
        for name in if interned { &ids[..] } else { &texts[..] } {
            match (has(name), may_lack) {
                (true, _) => out.push(name.clone()),
                (false, true) => out.push("NULL".to_owned()),
                (false, false) => return Err(name.clone()),
            }
        }
    }
    Ok(out.join(", "))
}
