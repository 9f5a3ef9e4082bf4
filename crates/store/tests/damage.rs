//! Damaged databases are moved aside, whole, and never overwritten.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::fs;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use common::*;
use femtosnitch_store::Dimension;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Options;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::SCHEMA_VERSION;
use femtosnitch_store::Sink;
use femtosnitch_store::StoreError;
use femtosnitch_store::Writer;
use rusqlite::Connection;

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn fill(path: &Path, count: i64) {
    let mut writer = open(path);
    let tool = exe(1, "/bin/a", sha(1));
    for start in (0..count).step_by(5_000) {
        let different = |second: i64| {
            let mut row = row(second, &tool);
            (row.send, row.recv) = (scattered(second), scattered(-second));
            row.pid = u32::try_from(scattered(second) >> 10).unwrap();
            row
        };
        let part = (start..count.min(start + 5_000)).map(different).collect();
        writer.write(&rows(part)).unwrap();
    }
}

/// Some number of 31 bits.
fn scattered(number: i64) -> u64 {
    number.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33
}

fn overwrite(path: &Path, from: u64, bytes: usize) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(from)).unwrap();
    file.write_all(&vec![0xff; bytes]).unwrap();
}

/// Opening must succeed with a new database, the damaged files lying unchanged beside it.
fn assert_moved_aside(path: &Path, companions: &[&str]) {
    let read = |path: &Path| {
        let mut bytes = Vec::new();
        fs::File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let before: Vec<_> = companions.iter().map(|suffix| read(&suffixed(path, suffix))).collect();
    let (mut writer, report) = Writer::open(path, &Options::default()).unwrap();
    let quarantined = report.quarantined.unwrap();
    assert!(report.created && !quarantined.reason.is_empty());
    let name = quarantined.path.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("femtosnitch.db.corrupt-2") && name.contains('Z'), "{name}");
    for (suffix, bytes) in companions.iter().zip(before) {
        assert!(read(&suffixed(&quarantined.path, suffix)) == bytes, "{suffix} changed");
    }
    writer.write(&rows(vec![row(1, &exe(1, "/bin/a", sha(1)))])).unwrap();
    drop(writer);
    assert_eq!(total(path), (100, 1000));
    assert_sound(path);
}

#[test]
fn garbage_in_place_of_a_database() {
    for garbage in [&b"hello"[..], &[0_u8; 300], &[7_u8; 100_000]] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("femtosnitch.db");
        fs::write(&path, garbage).unwrap();
        fs::write(suffixed(&path, "-wal"), b"not a journal either").unwrap();
        let error = Reader::open(&path).unwrap_err();
        assert!(error.is_corruption(), "{error}");
        assert_moved_aside(&path, &["", "-wal"]);
    }
}

#[test]
fn a_file_cut_short() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("femtosnitch.db");
    fill(&path, 20_000);
    let size = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(size / 2).unwrap();
    assert_moved_aside(&path, &[""]);
}

#[test]
fn a_file_cut_to_nothing_whose_journal_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("femtosnitch.db");
    let mut writer = open(&path);
    writer.write(&rows(vec![row(1, &exe(1, "/bin/a", sha(1)))])).unwrap();
    // As a crash leaves it.
    let wal = fs::read(suffixed(&path, "-wal")).unwrap();
    drop(writer);
    assert!(!wal.is_empty());
    fs::write(&path, b"").unwrap();
    fs::write(suffixed(&path, "-wal"), wal).unwrap();
    assert_moved_aside(&path, &["", "-wal"]);
}

#[test]
fn a_damaged_page_in_a_small_file_shows_at_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("femtosnitch.db");
    // Fewer than would be sealed: no page is free.
    fill(&path, 10_000);
    let size = fs::metadata(&path).unwrap().len();
    assert!(size < 8 << 20);
    overwrite(&path, size / 2 / 4096 * 4096, 4096);
    assert_moved_aside(&path, &["", "-wal"]);
    // SQLite rebuilds the index of the journal whenever it likes; it only has to move along.
    let moved = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let shm = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        name.contains(".corrupt-") && name.ends_with("-shm")
    };
    assert_eq!(moved.filter(shm).count(), 1);
}

#[test]
fn a_schema_without_its_tables() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("femtosnitch.db");
    fill(&path, 10);
    Connection::open(&path).unwrap().execute_batch("DROP TABLE totals").unwrap();
    assert_moved_aside(&path, &[""]);
}

#[test]
fn a_damaged_page_in_a_large_file_shows_when_it_is_met() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("femtosnitch.db");
    fill(&path, 400_000);
    let size = fs::metadata(&path).unwrap().len();
    assert!(size > 8 << 20);
    overwrite(&path, size / 4 / 4096 * 4096, usize::try_from(size / 4).unwrap());

    let (mut sink, report) = Sink::open(&path, &Options::default(), 1000).unwrap();
    assert!(report.unwrap().quarantined.is_none());
    let state = sink.push(rows(vec![row(700_000, &exe(1, "/bin/a", sha(1)))]));
    assert_eq!(state.waiting, None);
    // Sums tell no minutes.
    let by_minute = Query { by: vec![Dimension::Minute], ..Query::default() };
    let error = Reader::open(&path).unwrap().query(&by_minute, &NoUsers).err().unwrap();
    assert!(error.is_corruption(), "{error}");

    // Retention comes to the damaged place.
    let error = loop {
        match sink.expire(400_000, 10_000) {
            Ok(step) => assert!(!step.done, "never met the damage"),
            Err(error) => break error,
        }
    };
    assert!(error.is_corruption(), "{error}");
    let state = sink.push(rows(vec![row(700_001, &exe(1, "/bin/a", sha(1)))]));
    assert_eq!((state.waiting, state.quarantines), (None, 1));
    assert!(state.quarantined.unwrap().path.exists());
    assert_eq!(total(&path), (100, 1000));
}

#[test]
fn damage_under_a_running_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("femtosnitch.db");
    let tool = exe(1, "/bin/a", sha(1));
    let (mut sink, _) = Sink::open(&path, &Options::default(), 1000).unwrap();
    assert_eq!(sink.push(rows(vec![row(1, &tool)])).waiting, None);
    {
        // Somebody else's commit makes the writer drop its page cache.
        let other = Connection::open(&path).unwrap();
        other.execute_batch("INSERT INTO totals VALUES ('x', 1)").unwrap();
        other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }
    let size = fs::metadata(&path).unwrap().len();
    overwrite(&path, 4096, usize::try_from(size).unwrap() - 4096);
    let state = sink.push(rows(vec![row(2, &tool), row(3, &tool)]));
    assert_eq!((state.waiting, state.quarantines, state.queued_rows), (None, 1, 0));
    assert_eq!(state.written.rows, 3);
    assert_eq!(total(&path), (200, 2000));
    drop(sink);
    assert_sound(&path);
}

#[test]
fn what_is_not_damaged_is_not_moved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("femtosnitch.db");
    let refused = |expected: &str| {
        let before = fs::read(&path).unwrap();
        for error in [
            Writer::open(&path, &Options::default()).unwrap_err(),
            Sink::open(&path, &Options::default(), 10).unwrap_err(),
            Reader::open(&path).unwrap_err(),
        ] {
            assert!(!error.is_corruption());
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(fs::read(&path).unwrap() == before);
        let aside = fs::read_dir(dir.path()).unwrap().filter(|entry| {
            entry.as_ref().unwrap().file_name().to_string_lossy().contains("corrupt")
        });
        assert_eq!(aside.count(), 0);
    };
    // Another program's database.
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs(x)").unwrap();
    refused("not femtosnitch's");
    fs::remove_file(&path).unwrap();
    // A later version's.
    fill(&path, 10);
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    refused(&format!("newer femtosnitch (schema 99, this program knows up to {SCHEMA_VERSION})"));
}

#[test]
fn a_directory_in_the_way_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("femtosnitch.db");
    fs::create_dir(&path).unwrap();
    let error = Writer::open(&path, &Options::default()).unwrap_err();
    assert!(!matches!(error, StoreError::Corrupt { .. }));
    assert!(error.to_string().contains("femtosnitch.db"), "{error}");
    assert!(path.is_dir());
}
