//! A full disk: kept in memory, written later, counted if dropped.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use common::*;
use femtosnitch_model::Digest;
use femtosnitch_store::Batch;
use femtosnitch_store::Dimension;
use femtosnitch_store::Options;
use femtosnitch_store::Sink;
use femtosnitch_store::StoreError;
use femtosnitch_store::Writer;

/// A small file system, gone with the value.
struct Tmpfs(PathBuf, #[expect(dead_code, reason = "removed when dropped")] tempfile::TempDir);

impl Tmpfs {
    fn mount(size: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("small");
        fs::create_dir(&place).unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(&place)
            .status()
            .unwrap();
        assert!(done.success(), "cannot mount a tmpfs: this test needs CAP_SYS_ADMIN");
        Self(place, dir)
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(done.is_ok_and(|status| status.success()), "not unmounted");
    }
}

/// Takes all the space there is.
fn ballast(dir: &Path) -> PathBuf {
    let path = dir.join("ballast");
    let mut size = 4096;
    while fs::write(&path, vec![1; size]).is_ok() {
        size += 4096;
    }
    path
}

fn batch(turn: i64, size: i64) -> Batch {
    let tool = exe(1, "/bin/a", sha(1));
    rows((0..size).map(|_| row(turn, &tool)).collect())
}

#[test]
fn a_full_disk_costs_nothing_that_fits_in_memory() {
    if !root_or_skip() {
        return;
    }
    let small = Tmpfs::mount("4m");
    let path = small.0.join("femtosnitch.db");
    let (mut sink, _) = Sink::open(&path, &Options::default(), 1_000_000).unwrap();
    let pending = exe(7, "/bin/late", Digest::Pending);
    assert_eq!(sink.push(rows(vec![row(0, &pending)])).waiting, None);
    let ballast = ballast(&small.0);
    let mut pushed = 0;
    let waiting = loop {
        pushed += 1;
        assert!(pushed < 1000, "the disk never filled");
        let state = sink.push(batch(pushed, 500));
        if let Some(reason) = state.waiting {
            break reason;
        }
    };
    assert!(waiting.contains("disk is full") && waiting.contains("free some space"), "{waiting}");
    // A digest that becomes known meanwhile is not lost either.
    sink.push(Batch { resolved: vec![(pending.image.id, sha(5))], ..Batch::default() });
    for _ in 0..5 {
        pushed += 1;
        let state = sink.push(batch(pushed, 500));
        assert!(state.waiting.is_some());
        assert_eq!(state.dropped.rows, 0);
    }
    assert!(sink.state().queued_rows >= 3000);
    // What is there can be read all the while.
    assert!(total(&path).0 > 0);

    fs::remove_file(ballast).unwrap();
    let state = sink.flush();
    assert_eq!((state.waiting, state.queued_rows), (None, 0));
    let written = u64::try_from(pushed).unwrap() * 500 + 1;
    assert_eq!(state.written.rows, written);
    assert_eq!(total(&path), (written * 100, written * 1000));
    // Late rows keep the time of their traffic.
    let all = format!("SELECT count(DISTINCT contime) = {} FROM connections", pushed + 1);
    assert_eq!(number(&path, &all), 1);
    let late = femtosnitch_store::Query {
        filters: vec!["exe=/bin/late".parse().unwrap()],
        ..by(&[Dimension::Sha256])
    };
    assert_eq!(ask(&path, &late)[0].keys, [femtosnitch_store::Key::Text(sha(5).to_string())]);
    drop(sink);
    assert_sound(&path);
}

#[test]
fn what_does_not_fit_in_memory_is_counted() {
    if !root_or_skip() {
        return;
    }
    let small = Tmpfs::mount("2m");
    let path = small.0.join("femtosnitch.db");
    let (mut sink, _) = Sink::open(&path, &Options::default(), 1200).unwrap();
    let ballast = ballast(&small.0);
    for turn in 1..=20 {
        sink.push(batch(turn, 500));
    }
    let state = sink.state();
    assert!(state.waiting.is_some());
    assert_eq!(state.queued_rows, 1200);
    assert_eq!(state.dropped.rows + state.written.rows, 20 * 500 - 1200);
    assert!(state.dropped.rows > 0);
    assert_eq!(state.dropped.bytes, state.dropped.rows * 1100);

    fs::remove_file(ballast).unwrap();
    let state = sink.flush();
    assert_eq!((state.waiting, state.queued_rows), (None, 0));
    assert_eq!(state.written.rows, 20 * 500 - state.dropped.rows);
    assert_eq!(number(&path, "SELECT max(contime) FROM connections"), 20);
    drop(sink);
    assert_sound(&path);
}

#[test]
fn a_start_on_a_full_disk_waits_instead_of_failing() {
    if !root_or_skip() {
        return;
    }
    let small = Tmpfs::mount("1m");
    let path = small.0.join("femtosnitch.db");
    let ballast = ballast(&small.0);
    let error = Writer::open(&path, &Options::default()).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    let (mut sink, report) = Sink::open(&path, &Options::default(), 1200).unwrap();
    assert!(report.is_none());
    assert_eq!(sink.push(batch(1, 10)).queued_rows, 10);
    fs::remove_file(ballast).unwrap();
    assert_eq!(sink.push(batch(2, 10)).waiting, None);
    assert_eq!(total(&path), (2000, 20_000));
}
