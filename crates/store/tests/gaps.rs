//! "Nothing happened" and "nobody looked" are told apart.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::path::Path;

use common::*;
use femtosnitch_store::Batch;
use femtosnitch_store::Gap;
use femtosnitch_store::GapReason;
use femtosnitch_store::Heartbeat;
use femtosnitch_store::Options;
use femtosnitch_store::Reader;
use femtosnitch_store::Sink;
use femtosnitch_store::StoreError;
use rusqlite::Connection;

fn gaps(path: &Path) -> Vec<(i64, i64, String)> {
    let gaps = Reader::open(path).unwrap().gaps(None, None).unwrap();
    gaps.iter().map(|gap| (gap.began(), gap.ended(), gap.reason().to_string())).collect()
}

fn gap(began: i64, ended: i64, reason: &str) -> (i64, i64, String) {
    (began, ended, reason.to_owned())
}

#[test]
fn stops_and_kills_leave_gaps_as_long_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    assert_eq!(Reader::open(&path).unwrap().heartbeat().unwrap(), None);
    // The first watch of all: of the time before nothing is said.
    assert_eq!(writer.begin_watch(1_000).unwrap(), None);
    writer.heartbeat(1_010, false).unwrap();
    let tool = exe(1, "/bin/a", sha(1));
    let heartbeat = Some(Heartbeat { at: 1_020, clean: false });
    writer.write(&Batch { heartbeat, ..rows(vec![row(1_011, &tool)]) }).unwrap();
    drop(writer);

    let mut writer = open(&path);
    let killed = Gap::new(1_020, 1_100, GapReason::Killed);
    assert_eq!(writer.begin_watch(1_100).unwrap(), killed);
    writer.heartbeat(1_150, true).unwrap();
    let last = Reader::open(&path).unwrap().heartbeat().unwrap();
    assert_eq!(last, Some(Heartbeat { at: 1_150, clean: true }));
    drop(writer);

    let mut writer = open(&path);
    assert_eq!(writer.begin_watch(1_200).unwrap(), Gap::new(1_150, 1_200, GapReason::Stopped));
    drop(writer);
    // Within the same second, and with a clock that was set back.
    for now in [1_200, 900] {
        assert_eq!(open(&path).begin_watch(now).unwrap(), None);
    }
    assert_eq!(open(&path).begin_watch(910).unwrap(), Gap::new(900, 910, GapReason::Killed));
    assert_eq!(
        gaps(&path),
        [gap(900, 910, "killed"), gap(1_020, 1_100, "killed"), gap(1_150, 1_200, "stopped")]
    );
    assert_sound(&path);
}

#[test]
fn gaps_are_noted_once_and_found_by_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    for _ in 0..2 {
        writer.note_gap(100, 110, GapReason::Suspended).unwrap();
    }
    writer.note_gap(200, 300, "dream".into()).unwrap();
    for (began, ended) in [(5, 5), (6, 5), (i64::MAX, i64::MIN)] {
        let error = writer.note_gap(began, ended, GapReason::Killed).unwrap_err();
        assert!(matches!(error, StoreError::BadQuery(_)), "{error}");
    }
    let reader = Reader::open(&path).unwrap();
    let found = |since, until| reader.gaps(Some(since), Some(until)).unwrap().len();
    assert_eq!(found(0, 100), 0);
    assert_eq!(found(0, 101), 1);
    assert_eq!(found(109, 110), 1);
    assert_eq!(found(110, 200), 0);
    assert_eq!(found(105, 250), 2);
    assert_eq!(reader.gaps(None, None).unwrap()[1].reason(), &GapReason::Other("dream".into()));
}

#[test]
fn a_sign_of_life_and_its_rows_come_together_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    writer.begin_watch(10).unwrap();
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER no BEFORE INSERT ON heartbeat WHEN new.at = 13
             BEGIN SELECT raise(ABORT, 'no'); END",
        )
        .unwrap();
    let heartbeat = Some(Heartbeat { at: 13, clean: false });
    let batch = Batch { heartbeat, ..rows(vec![row(11, &exe(1, "/bin/a", sha(1)))]) };
    writer.write(&batch).unwrap_err();
    assert_eq!(total(&path), (0, 0));
    other.execute_batch("DROP TRIGGER no").unwrap();
    writer.write(&batch).unwrap();
    assert_eq!(total(&path), (100, 1000));
    assert_eq!(number(&path, "SELECT at FROM heartbeat"), 13);
}

#[test]
fn retention_forgets_gaps_that_are_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let day = 86_400;
    writer.note_gap(day, 2 * day, GapReason::Stopped).unwrap();
    writer.note_gap(3 * day, 6 * day, GapReason::Stopped).unwrap();
    assert_eq!(writer.expire(5 * day, 100).unwrap().gaps, 1);
    assert_eq!(gaps(&path), [gap(3 * day, 6 * day, "stopped")]);
}

#[test]
fn a_watch_that_could_not_be_noted_at_once_is_noted_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    open(&path).heartbeat(10, true).unwrap();
    let (mut sink, _) = Sink::open(&path, &Options::default(), 100).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(sink.begin_watch(50).waiting.is_some());
    other.execute_batch("ROLLBACK").unwrap();
    let heartbeat = Some(Heartbeat { at: 70, clean: false });
    let state = sink.push(Batch { heartbeat, ..Batch::default() });
    assert_eq!((state.waiting, state.queued_rows), (None, 0));
    assert_eq!(gaps(&path), [gap(10, 50, "stopped")]);
    assert_eq!(number(&path, "SELECT at FROM heartbeat"), 70);
}
