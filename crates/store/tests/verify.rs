//! Verification finds what is wrong, and nothing where nothing is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::path::Path;
use std::sync::OnceLock;

use common::*;
use femtosnitch_model::Direction;
use femtosnitch_store::Cancel;
use femtosnitch_store::Reader;
use femtosnitch_store::Retention;
use femtosnitch_store::StoreError;
use femtosnitch_store::Writer;
use rusqlite::Connection;
use tempfile::TempDir;

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// 9,000 rows over six days; rows of the first two are gone, minutes of the second are kept.
fn history(path: &Path) -> Writer {
    let mut writer = open(path);
    let row = |at: i64| {
        let tool = u8::try_from(at % 7).unwrap();
        let mut row =
            row(at * 6 * DAY / 9_000, &exe(tool.into(), &format!("/bin/{tool}"), sha(tool)));
        row.raddr =
            Some(std::net::Ipv4Addr::from(0x0a00_0000 | u32::try_from(at % 30).unwrap()).into());
        (row.send, row.wire_recv) = (u64::try_from(at).unwrap(), (at % 3 == 0).then_some(7));
        row.connections.begun = 1;
        if at % 5 == 0 {
            // A client of a server here: its port is another one each time.
            row.direction = Direction::Incoming;
            (row.lport, row.rport) = (22, 40_000 + u16::try_from(at % 100).unwrap());
        }
        row
    };
    for start in (0..9_000).step_by(3_000) {
        writer.write(&rows((start..start + 3_000).map(row).collect())).unwrap();
    }
    writer.seal().unwrap();
    let keep = Retention { rows: 2 * DAY + 5 * HOUR, minutes: DAY, ..Retention::since(0) };
    while !writer.retain(&keep, 10_000).unwrap().done {}
    // Late: a minute, an hour and a day get more.
    writer.write(&rows(vec![row(100), row(1_600), row(3_100), row(8_999)])).unwrap();
    writer
}

fn found(path: &Path) -> Vec<(Option<i64>, String)> {
    let verdict =
        Reader::open(path).unwrap().verify(true, &mut |_| {}, &Cancel::default()).unwrap();
    verdict.findings.into_iter().map(|found| (found.since, found.what)).collect()
}

/// All of it in blocks and sums, and found to be sound.
fn sealed() -> &'static Path {
    static SEALED: OnceLock<TempDir> = OnceLock::new();
    let name = "f.db";
    let dir = SEALED.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        history(&dir.path().join(name)).seal().unwrap();
        assert_eq!(found(&dir.path().join(name)), []);
        dir
    });
    Box::leak(dir.path().join(name).into_boxed_path())
}

/// Changes the database behind the store's back; what is found then has to name that time.
fn after(change: &str, since: i64, expected: &str) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    std::fs::copy(sealed(), &path).unwrap();
    let changed = Connection::open(&path).unwrap().execute(change, []).unwrap();
    assert_eq!(changed, 1, "{change}");
    let found = found(&path);
    let hit =
        |(at, what): &(Option<i64>, String)| at.unwrap_or(-1) == since && what.contains(expected);
    assert!(found.iter().any(hit), "{change}: {found:?}");
}

/// The key of a sum: level and cube by their codes.
fn key(level: i64, cube: i64, start: i64) -> i64 {
    ((level * 8 + cube) << 40) + start / 60
}

#[test]
fn a_sound_history_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = history(&path);
    assert_eq!(found(&path), []);
    writer.seal().unwrap();
    let reader = Reader::open(&path).unwrap();
    let mut last = None;
    let verdict = reader.verify(false, &mut |now| last = Some(now), &Cancel::default()).unwrap();
    assert!(verdict.is_fine(), "{verdict:?}");
    assert_eq!(i64::try_from(verdict.rows).unwrap(), number(&path, "SELECT sum(rows) FROM blocks"));
    assert_eq!(
        i64::try_from(verdict.blocks).unwrap(),
        number(&path, "SELECT count(*) FROM blocks")
    );
    assert_eq!(i64::try_from(verdict.sums).unwrap(), number(&path, "SELECT count(*) FROM rollups"));
    let last = last.unwrap();
    assert_eq!((last.done, last.total), (verdict.blocks + verdict.sums, last.done));
    // Of minutes, hours and days alone.
    assert!(
        number(&path, &format!("SELECT count(*) FROM rollups WHERE key < {}", 1_i64 << 43)) > 0
    );
    while !writer.retain(&Retention { hours: 4 * DAY, ..Retention::since(0) }, 100).unwrap().done {}
    assert_eq!(found(&path), []);
}

#[test]
fn whoever_does_not_want_to_know_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    drop(history(&path));
    let cancel = Cancel::default();
    cancel.cancel();
    let told = Reader::open(&path).unwrap().verify(false, &mut |_| {}, &cancel);
    assert!(matches!(told, Err(StoreError::Cancelled)));
}

#[test]
fn a_changed_byte_of_a_sum() {
    for (level, cube, start) in
        [(1, 2, 3 * DAY), (1, 0, HOUR), (2, 1, 4 * DAY), (2, 3, 4 * DAY), (0, 2, DAY + 600)]
    {
        let key = key(level, cube, start);
        // Somewhere among the sums, or how long they are.
        for part in [3, 2] {
            let at = format!("(length(sums) - length(sums) / {part})");
            let change = format!(
                "UPDATE rollups SET sums = CAST(substr(sums, 1, {at} - 1) ||
                   iif(substr(sums, {at}, 1) = X'05', X'06', X'05') || substr(sums, {at} + 1) AS BLOB)
                 WHERE key = {key}"
            );
            after(&change, if level == 0 { DAY } else { start }, "the sums of this");
        }
        // The first byte is how many cells there are.
        let change = format!(
            "UPDATE rollups SET sums = CAST(X'FF' || substr(sums, 2) AS BLOB) WHERE key = {key}"
        );
        after(&change, start, "the sums of this");
    }
}

#[test]
fn a_sum_that_is_gone() {
    for (level, cube, start) in
        [(1, 2, 3 * DAY), (1, 0, HOUR), (2, 1, DAY), (2, 2, 4 * DAY), (2, 5, 4 * DAY)]
    {
        let change = format!("DELETE FROM rollups WHERE key = {}", key(level, cube, start));
        after(&change, start, "are missing");
    }
    after(
        &format!("DELETE FROM rollups WHERE key = {}", key(0, 2, DAY + 7 * HOUR)),
        DAY + 7 * HOUR,
        "are wrong in",
    );
}

#[test]
fn a_block_that_is_gone() {
    let middle = "(SELECT id FROM blocks ORDER BY first LIMIT 1 OFFSET 5)";
    let change = format!("DELETE FROM blocks WHERE id = {middle}");
    after(&change, -1, "rows should be there");
    after(&change, 3 * DAY, "the sums of this day by program are wrong in");
}

#[test]
fn a_changed_character_of_a_block() {
    let block = "WHERE id = (SELECT id FROM blocks WHERE first >= 345600 ORDER BY first LIMIT 1)";
    for (column, expected) in [("send0", "sums of this day"), ("peer0", "sums of this day")] {
        let change = format!(
            "UPDATE blocks SET {column} = replace(substr({column}, 1, 1), substr({column}, 1, 1),
               char(unicode({column}) % 100 + 2)) || substr({column}, 2) {block}"
        );
        after(&change, 4 * DAY, expected);
    }
    after(
        &format!("UPDATE blocks SET send0 = send0 || 'x' {block}"),
        4 * DAY,
        "rows cannot be read",
    );
    let lost =
        format!("UPDATE blocks SET peer2 = replace(hex(zeroblob(rows)), '00', char(2)) {block}");
    after(&lost, 4 * DAY, "refer to things that are not there");
}

#[test]
fn names_that_are_gone() {
    after("DELETE FROM addresses WHERE addr = '10.0.0.3'", -1, "refer to addresses");
    after("DELETE FROM actors WHERE id = 2", 0, "refer to");
    after("UPDATE totals SET value = value + 1 WHERE name = 'rows'", -1, "rows should be there");
}

#[test]
fn an_older_history_gets_the_sums_that_it_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    std::fs::copy(sealed(), &path).unwrap();
    let sums = "SELECT count(*) FROM rollups WHERE key >> 40 IN (11, 12, 13, 15, 21, 23, 24)";
    let there = number(&path, sums);
    assert!(there > 0);
    // As version 5 had them: of hours by peer, not by port, process and open end; none by host.
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(
        "DELETE FROM rollups WHERE key >> 40 IN (11, 12, 13, 15, 23, 24);
         INSERT INTO rollups SELECT key - (1 << 40), sums FROM rollups WHERE key >> 40 = 10;
         PRAGMA user_version = 5;",
    )
    .unwrap();
    drop(conn);
    open(&path);
    assert_eq!(number(&path, "SELECT count(*) FROM rollups WHERE key >> 40 = 9"), 0);
    assert_eq!(number(&path, sums), there);
    assert_eq!(found(&path), []);
}
