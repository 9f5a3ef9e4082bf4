//! What is changed by anybody but the writer is found by the chain, where it is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::net::Ipv4Addr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;

use common::*;
use femtosnitch_model::Digest;
use femtosnitch_model::ImageId;
use femtosnitch_store::Batch;
use femtosnitch_store::Cancel;
use femtosnitch_store::ChainVerdict;
use femtosnitch_store::Gap;
use femtosnitch_store::GapReason;
use femtosnitch_store::Heartbeat;
use femtosnitch_store::Reader;
use femtosnitch_store::Retention;
use femtosnitch_store::Writer;
use rusqlite::Connection;
use tempfile::TempDir;

const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

fn verdict(path: &Path, noted: &[String]) -> ChainVerdict {
    let reader = Reader::open(path).unwrap();
    reader.verify_chain(noted, &mut |_| {}, &Cancel::default()).unwrap().unwrap()
}

fn found(path: &Path) -> Vec<(Option<i64>, String)> {
    verdict(path, &[]).findings.into_iter().map(|it| (it.since, it.what)).collect()
}

/// Five days, a batch an hour; rows of the first two days are gone, and some wait to be sealed.
fn history(path: &Path) -> Writer {
    let mut writer = open_chained(path);
    writer.begin_watch(1).unwrap();
    for hour in 0..5 * 24 {
        let row = |at: i64| {
            let tool = u8::try_from((hour + at) % 7).unwrap();
            let mut row =
                row(hour * HOUR + at, &exe(tool.into(), &format!("/bin/{tool}"), sha(tool)));
            row.raddr = Some(Ipv4Addr::from(0x0a00_0000 | u32::try_from(at).unwrap()).into());
            row
        };
        let heartbeat = Some(Heartbeat { at: (hour + 1) * HOUR, clean: false });
        let gaps = (hour == 100)
            .then(|| Gap::new(hour * HOUR + 40, hour * HOUR + 90, GapReason::Suspended).unwrap());
        let gaps = gaps.into_iter().collect();
        let rows = (0..20).map(row).collect();
        writer.write(&Batch { rows, heartbeat, gaps, ..Batch::default() }).unwrap();
        if hour % 12 == 5 {
            writer.seal().unwrap();
        }
    }
    let keep = Retention { rows: 2 * DAY, minutes: 2 * DAY, ..Retention::since(0) };
    while !writer.retain(&keep, 10_000).unwrap().done {}
    writer
}

/// A copy of it, to be tampered with.
fn copy() -> (TempDir, PathBuf) {
    static WHOLE: OnceLock<TempDir> = OnceLock::new();
    let whole = WHOLE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        drop(history(&dir.path().join("f.db")));
        assert_eq!(found(&dir.path().join("f.db")), []);
        dir
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    std::fs::copy(whole.path().join("f.db"), &path).unwrap();
    (dir, path)
}

/// What is found after some SQL by somebody else.
fn after(sql: &str) -> Vec<(Option<i64>, String)> {
    let (_dir, path) = copy();
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    found(&path)
}

#[track_caller]
fn assert_one(sql: &str, time: Option<i64>, what: &str) {
    let found = after(sql);
    assert_eq!(found.len(), 1, "{sql}: {found:?}");
    assert!(found[0].1.contains(what), "{sql}: {found:?}");
    assert_eq!(found[0].0, time, "{sql}: {found:?}");
}

#[test]
fn what_rows_say() {
    let first = "(SELECT min(id) FROM blocks WHERE sealed = 1)";
    let sealed = "is not what link";
    // The first block of rows that is left begins with the third day.
    let day = Some(2 * DAY);
    assert_one(
        &format!("UPDATE blocks SET send0 = 'x' || substr(send0, 2) WHERE id = {first}"),
        day,
        sealed,
    );
    assert_one(
        &format!("UPDATE blocks SET first = first + 1 WHERE id = {first}"),
        Some(2 * DAY + 1),
        sealed,
    );
    assert_one(
        "UPDATE blocks SET recv0 = '' WHERE id = (SELECT max(id) FROM blocks WHERE sealed = 0)",
        Some(119 * HOUR),
        "(a batch) vouches for",
    );
    let gone = after(&format!("DELETE FROM blocks WHERE id = {first}"));
    assert_eq!(gone.len(), 1);
    assert!(gone[0].1.starts_with("block of rows "), "{gone:?}");
    assert!(gone[0].1.contains("is gone, though link"), "{gone:?}");
    let swapped = after(
        "CREATE TEMP TABLE two AS SELECT id FROM blocks WHERE sealed = 1 ORDER BY id LIMIT 2;
         UPDATE blocks SET id = -id WHERE id IN (SELECT id FROM two);
         UPDATE blocks SET id = (SELECT id FROM two WHERE id <> -blocks.id) WHERE id < 0;",
    );
    assert_eq!(swapped.len(), 2, "{swapped:?}");
    let added = after(
        "INSERT INTO event_log SELECT 9999, at, kind, program_id, exe_id, process_id, old_sha256,
           detail FROM event_log LIMIT 1",
    );
    assert_eq!(added.len(), 1);
    assert!(added[0].1.contains("vouched for by no link"), "{added:?}");
}

#[test]
fn what_rows_refer_to() {
    for (sql, what) in [
        ("UPDATE addresses SET addr = '10.9.9.9' WHERE addr = '10.0.0.7'", "address"),
        ("UPDATE domains SET domain = 'com.innocent' WHERE domain <> ''", "(com.innocent)"),
        ("UPDATE executables SET exe = '/bin/true' WHERE exe = '/bin/3'", "(/bin/true)"),
        (
            "UPDATE executables SET sha256 = replace(sha256, '03', '04') WHERE exe = '/bin/3'",
            "(/bin/3)",
        ),
        ("UPDATE actors SET uid = 0 WHERE id = 1", "who 1"),
        ("UPDATE peers SET rport = 80 WHERE id = 2", "other end 2"),
        ("UPDATE name_sources SET name = 'dns' WHERE id = 9", "word"),
        ("UPDATE levels SET since = since + 86400 WHERE name = 'row'", "(row)"),
    ] {
        let found = after(sql);
        assert_eq!(found.len(), 1, "{sql}: {found:?}");
        assert!(found[0].1.contains(what), "{sql}: {found:?}");
        assert!(found[0].0.is_some());
    }
    let views = after("DROP VIEW events; CREATE VIEW events AS SELECT 1 AS at");
    assert_eq!(views.len(), 1);
    assert!(views[0].1.contains("declared otherwise"));
}

#[test]
fn sums_are_all_that_is_left_of_rows() {
    // By program, of the first day, whose rows are gone.
    let key = format!("({} << 40)", 2 * 8);
    assert_one(
        &format!(
            "UPDATE rollups SET sums = (SELECT sums FROM rollups WHERE key = {key} + 1440) WHERE key = {key}"
        ),
        Some(0),
        "the sum of this day by program",
    );
    let found = after(&format!("DELETE FROM rollups WHERE key = {key}"));
    assert!(found[0].1.contains("is gone"), "{found:?}");
    assert_eq!(found[0].0, Some(0));
}

#[test]
fn nobody_looked() {
    assert_one(
        "DELETE FROM gaps WHERE began > 100",
        Some(100 * HOUR + 40),
        "the gap that began at",
    );
    assert_one(
        "UPDATE gaps SET ended = ended - 1 WHERE began > 100",
        Some(100 * HOUR + 40),
        "is not what link",
    );
    let found = after("UPDATE heartbeat SET clean = 1");
    assert!(found[0].1.contains("last sign of life"), "{found:?}");
}

#[test]
fn links_themselves() {
    let middle = "(SELECT id FROM chain WHERE kind = 1 ORDER BY id LIMIT 1 OFFSET 3)";
    let found = after(&format!("UPDATE chain SET time = time + 1 WHERE id = {middle}"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("(rows were sealed): it is not what was written"), "{found:?}");
    let found = after(&format!("DELETE FROM chain WHERE id = {middle}"));
    assert!(found[0].1.contains("links before it were changed or removed"), "{found:?}");
    let found = after("DELETE FROM chain WHERE id = (SELECT max(id) FROM chain)");
    assert!(!found.is_empty());
    let found = after("DELETE FROM chain WHERE id = (SELECT min(id) FROM chain)");
    assert!(found[0].1.contains("links before it were changed or removed"), "{found:?}");
    let found = after(&format!("UPDATE chain SET covers = x'01' WHERE id = {middle}"));
    assert!(found.iter().any(|it| it.1.contains("cannot be read")), "{found:?}");
    let found = after("DELETE FROM chain");
    assert!(!found.is_empty());
}

#[test]
fn a_head_noted_elsewhere_shows_what_was_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = history(&path);
    let head = |writer: &mut Writer| writer.mark_chain().unwrap().unwrap();
    let early = head(&mut writer);
    drop(writer);
    let earlier = dir.path().join("earlier.db");
    std::fs::copy(&path, &earlier).unwrap();
    let mut writer = open_chained(&path);
    writer.write(&rows(vec![row(6 * DAY, &exe(9, "/bin/evil", sha(9)))])).unwrap();
    let late = head(&mut writer);
    assert_eq!(head(&mut writer), late, "nothing was written since");
    writer.seal().unwrap();
    drop(writer);
    assert_eq!(Reader::open(&path).unwrap().chain_head().unwrap().unwrap().link, late.link + 1);
    let noted = [early.hash.clone(), late.hash.to_uppercase()];
    assert!(verdict(&path, &noted).is_fine());
    // An older state put back agrees with itself.
    assert!(verdict(&earlier, &noted[..1]).is_fine());
    let cut = verdict(&earlier, &noted).findings;
    assert_eq!(cut.len(), 1);
    assert!(cut[0].what.contains(&late.hash), "{cut:?}");
}

#[test]
fn rows_changed_before_they_are_sealed_are_told_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = history(&path);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "UPDATE blocks SET send0 = 'x' || substr(send0, 2)
               WHERE id = (SELECT min(id) FROM blocks WHERE sealed = 0);
             UPDATE rollups SET sums = (SELECT sums FROM rollups WHERE key = (16 << 40) + 1440)
               WHERE key = (16 << 40) + 4 * 1440;",
        )
        .unwrap();
    writer.seal().unwrap();
    let expected = |found: Vec<(Option<i64>, String)>| {
        assert_eq!(found.len(), 2, "{found:?}");
        let changed = "was changed by another program before link";
        assert!(found[0].1.starts_with("block of rows") && found[0].1.contains(changed));
        assert!(found[1].1.contains("the sum of this day by program was changed"), "{found:?}");
        assert_eq!(found[1].0, Some(4 * DAY));
    };
    expected(found(&path));
    drop(writer);
    drop(open_chained(&path));
    expected(found(&path));
}

#[test]
fn off_is_told_and_no_tampering() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let more = |writer: &mut Writer, day: i64| {
        writer.write(&rows(vec![row(day * DAY, &exe(1, "/bin/a", sha(1)))])).unwrap();
        writer.seal().unwrap();
    };
    more(&mut writer, 0);
    let reader = Reader::open(&path).unwrap();
    let none = reader.verify_chain(&[], &mut |_| {}, &Cancel::default()).unwrap();
    assert_eq!((none, reader.chain_head().unwrap()), (None, None));
    assert_eq!(number(&path, "SELECT count(*) FROM sqlite_schema WHERE name = 'chain'"), 0);
    assert_eq!(writer.mark_chain().unwrap(), None);

    writer.set_tamper_evidence(true).unwrap();
    more(&mut writer, 1);
    writer.set_tamper_evidence(false).unwrap();
    more(&mut writer, 2);
    let off = verdict(&path, &[]);
    assert!(off.is_fine(), "{off:?}");
    assert_eq!(off.unvouched.len(), 1);
    assert_eq!(off.unvouched[0].until, None);
    assert!(!reader.chain_head().unwrap().unwrap().on);
    drop(writer);
    let writer = open_chained(&path);
    let on = verdict(&path, &[]);
    assert!(on.is_fine(), "{on:?}");
    assert!(on.unvouched[0].until.is_some());
    drop(writer);
    // A writer that was told nothing of it says that it is off.
    drop(open(&path));
    assert_eq!(verdict(&path, &[]).unvouched.len(), 2);
    Connection::open(&path).unwrap().execute("UPDATE blocks SET last = last + 1", []).unwrap();
    assert!(!verdict(&path, &[]).is_fine());
}

#[test]
fn what_a_lasting_link_says_is_not_taken_back_by_a_seal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open_chained(&path);
    let pending = |at: i64| row(at, &exe(1, "/bin/a", Digest::Pending));
    writer.write(&rows(vec![pending(1)])).unwrap();
    drop(writer);
    // Its digest is found to be missing here.
    let mut writer = open_chained(&path);
    writer.begin_watch(2).unwrap();
    writer.write(&rows(vec![pending(3)])).unwrap();
    writer.seal().unwrap();
    assert_eq!(found(&path), []);
    let resolved = vec![(ImageId(1), sha(1))];
    writer.write(&Batch { resolved, ..Batch::default() }).unwrap();
    writer.seal().unwrap();
    assert_eq!(found(&path), []);
}

#[test]
fn a_damaged_history_begins_a_new_chain() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    drop(history(&path));
    // The schema's page.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100..120].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let mut writer = open_chained(&path);
    while writer.salvage(1_000).unwrap().is_some() {}
    writer.seal().unwrap();
    assert_eq!(found(&path), []);
}

#[test]
fn old_links_go() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open_chained(&path);
    let mut most = 0;
    for hour in 0..20 * 24 {
        let tool = exe(u64::try_from(hour % 50).unwrap(), &format!("/bin/{}", hour % 50), sha(1));
        writer.write(&rows((0..5).map(|at| row(hour * HOUR + at, &tool)).collect())).unwrap();
        if hour % 4 == 0 {
            writer.seal().unwrap();
        }
        let keep = Retention { rows: hour * HOUR - DAY, ..Retention::since(hour * HOUR - 3 * DAY) };
        while hour % 6 == 0 && !writer.retain(&keep, 100).unwrap().done {}
        if hour > 10 * 24 {
            most = most.max(number(&path, "SELECT count(*) FROM chain"));
        }
    }
    assert!(number(&path, "SELECT count(*) FROM chain WHERE kind = 7") > 0);
    assert!(most < 250, "{most} links are kept");
    let now = verdict(&path, &[]);
    assert!(now.is_fine(), "{now:?}");
    let head = writer.mark_chain().unwrap().unwrap().hash;
    assert!(verdict(&path, &[head]).is_fine());
    drop(writer);
    let conn = Connection::open(&path).unwrap();
    conn.execute("UPDATE chain SET before = x'00' WHERE kind = 7", []).unwrap();
    assert!(!verdict(&path, &[]).is_fine());
}
