//! What the store's tests share.
#![allow(dead_code, unused_imports, missing_docs, unreachable_pub, reason = "each uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

pub mod picosnitch;
pub mod runs;

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use femtosnitch_model::Image;
use femtosnitch_model::Row;
use femtosnitch_store::Answer;
use femtosnitch_store::Batch;
use femtosnitch_store::Dimension;
use femtosnitch_store::Filter;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Options;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::StoreError;
use femtosnitch_store::Writer;
use rusqlite::Connection;

pub use femtosnitch_samples::executable as exe;
pub use femtosnitch_samples::row;
pub use femtosnitch_samples::sha;

pub fn image(id: u64, path: &str) -> Arc<Image> {
    Arc::new(femtosnitch_samples::image(id, path))
}

pub fn rows(rows: Vec<Row>) -> Batch {
    Batch { rows, ..Batch::default() }
}

/// With tamper evidence.
pub fn open_chained(path: &Path) -> Writer {
    let options = Options { tamper_evidence: true, ..Options::default() };
    Writer::open(path, &options).unwrap().0
}

pub fn open(path: &Path) -> Writer {
    for _ in 0..500 {
        match Writer::open(path, &Options::default()) {
            // A child of another test has the lock as well, from its fork(2) to its execve(2).
            Err(StoreError::InUse { .. }) => std::thread::sleep(Duration::from_millis(10)),
            other => return other.unwrap().0,
        }
    }
    panic!("somebody else has it");
}

pub fn by(dimensions: &[Dimension]) -> Query {
    Query { by: dimensions.to_vec(), ..Query::default() }
}

pub fn ask(path: &Path, query: &Query) -> Vec<Answer> {
    Reader::open(path).unwrap().query(query, &NoUsers).unwrap()
}

pub fn filtered(filters: &[&str]) -> Query {
    let filters = filters.iter().map(|text| text.parse::<Filter>().unwrap()).collect();
    Query { filters, ..Query::default() }
}

/// Bytes sent and received in all.
pub fn total(path: &Path) -> (u64, u64) {
    ask(path, &Query::default()).first().map_or((0, 0), |all| (all.send, all.recv))
}

/// One number from the database behind the store's back.
pub fn number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// SQLite's own checks, and ours: no row refers to nothing, the row count is right.
pub fn assert_sound(path: &Path) {
    let conn = Connection::open(path).unwrap();
    let verdict: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    // The rows are views that take blocks apart in SQL, which is most of the work: done once.
    conn.execute_batch(
        "PRAGMA temp_store = memory;
         CREATE TEMP TABLE connections AS SELECT exe_id, pexe_id, gpexe_id, laddr_id, raddr_id,
           domain_id, container FROM main.connections;
         CREATE TEMP TABLE traffic AS SELECT process_id FROM main.traffic;",
    )
    .unwrap();
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    for (id, table) in [
        ("exe_id", "executables"),
        ("pexe_id", "executables"),
        ("gpexe_id", "executables"),
        ("laddr_id", "addresses"),
        ("raddr_id", "addresses"),
        ("domain_id", "domains"),
    ] {
        let sql =
            format!("SELECT count(*) FROM connections WHERE {id} NOT IN (SELECT id FROM {table})");
        assert_eq!(number(&sql), 0, "{id} refers to nothing");
    }
    assert_eq!(number("SELECT count(*) FROM connections WHERE container IS NULL"), 0);
    for (table, id, to) in [
        ("traffic", "process_id", "processes"),
        ("processes", "exe_id", "executables"),
        ("processes", "script_id", "executables"),
        ("processes", "parent_id", "processes"),
        ("processes", "place_id", "places"),
        ("processes", "boot", "boots"),
        ("places", "container_id", "containers"),
        ("addresses", "location_id", "locations"),
        ("event_log", "exe_id", "executables"),
        ("event_log", "process_id", "processes"),
    ] {
        let sql = format!("SELECT count(*) FROM {table} WHERE {id} NOT IN (SELECT id FROM {to})");
        assert_eq!(number(&sql), 0, "{table}.{id} refers to nothing");
    }
    let lost = "SELECT count(*) FROM event_log WHERE program_id <> 0
                AND program_id NOT IN (SELECT id FROM programs)";
    assert_eq!(number(lost), 0, "an event's program is gone");
    let older = "SELECT count(*) FROM processes AS child JOIN processes AS parent
                   ON parent.id = child.parent_id
                 WHERE parent.id <> 0 AND parent.last_seen < child.last_seen";
    assert_eq!(number(older), 0, "a process would go before its descendants");
    for (table, id, to) in [
        ("processes", "exe_id", "executables"),
        ("processes", "script_id", "executables"),
        ("processes", "place_id", "places"),
        ("places", "container_id", "containers"),
        ("addresses", "location_id", "locations"),
    ] {
        let sql = format!(
            "SELECT count(*) FROM {table} AS it JOIN {to} AS other ON other.id = it.{id}
             WHERE other.id <> 0 AND other.last_seen < it.last_seen"
        );
        assert_eq!(number(&sql), 0, "what {table}.{id} refers to would go first");
    }
    let counted = number("SELECT value FROM totals WHERE name = 'rows'");
    assert_eq!(number("SELECT count(*) FROM traffic"), counted);
}

/// False if the test is to be left out. A test that needs root fails without it, unless asked.
pub fn root_or_skip() -> bool {
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        return true;
    }
    if std::env::var("FEMTOSNITCH_SKIP_ROOT").is_ok_and(|value| value == "1") {
        eprintln!("left out: needs root (FEMTOSNITCH_SKIP_ROOT=1)");
        return false;
    }
    panic!("this test needs root; run it as root, or leave it out with FEMTOSNITCH_SKIP_ROOT=1");
}
