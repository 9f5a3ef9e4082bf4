//! `kill -9` at any moment leaves a sound database with everything that was acknowledged, and sums
//! that are those of the rows, and a chain that vouches for them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use common::runs::*;
use common::*;
use femtosnitch_model::Digest;
use femtosnitch_store::Batch;
use femtosnitch_store::Cancel;
use femtosnitch_store::ChainVerdict;
use femtosnitch_store::Reader;
use femtosnitch_store::Retention;

const DATABASE: &str = "FEMTOSNITCH_TEST_CRASH_DB";
/// Rows of a batch, each of 100 bytes sent.
const ROWS: i64 = 20;
const KILLS: u64 = 200;
/// Kills that a database is given: each victim starts from what the one before left.
const KILLS_EACH: u64 = 5;
const HOUR: i64 = 3_600;
/// Seconds from batch to batch.
const STEP: i64 = 1_700;

/// Writes and says so, until killed.
fn victim(path: &Path) -> ! {
    let mut writer = open_chained(path);
    let mut out = std::io::stdout();
    let begun = number(path, "SELECT coalesce(max(id), 0) FROM executables");
    for turn in begun.. {
        let now = turn * STEP;
        // Some come late: where minutes, hours, or days alone are kept.
        let contime = if turn % 6 == 5 { (now - (turn % 50) * HOUR).max(0) } else { now };
        let id = u64::try_from(turn).unwrap();
        let tool = exe(id, &format!("/bin/{}", turn % 7), Digest::Pending);
        let shell = alone(u64::MAX, "/bin/sh", 0);
        let pid = u32::try_from(turn).unwrap();
        let process = Arc::new(run(pid, &tool.image, contime, Some(&shell)));
        let mut rows: Vec<_> =
            (0..ROWS).map(|_| row_of(contime, &process, &Digests::new())).collect();
        // More than a block can hold of one row.
        rows[0].recv = 1 << 41;
        // Half of them stay pending for ever, the others mostly merge into an earlier one.
        let resolved = vec![(tool.image.id, if turn % 2 == 0 { sha(1) } else { Digest::Pending })];
        writer.write(&Batch { rows, ..Batch::default() }).unwrap();
        writeln!(out, "written").unwrap();
        out.flush().unwrap();
        writer.write(&Batch { resolved, ..Batch::default() }).unwrap();
        if turn % 3 == 2 {
            writer.seal().unwrap();
        }
        if turn % 5 == 4 {
            // Minutes are made of rows as these go; days stay.
            let keep = Retention {
                rows: now - 12 * HOUR,
                minutes: now - 20 * HOUR,
                hours: now - 30 * HOUR,
                ..Retention::since(0)
            };
            for _ in 0..turn % 8 {
                writer.retain(&keep, 100).unwrap();
            }
        }
    }
    unreachable!("i64 does not run out")
}

/// Whole batches that are there, as far as sums tell.
fn batches(path: &Path) -> u64 {
    let sent = total(path).0;
    let batch = 100 * ROWS.unsigned_abs();
    assert_eq!(sent % batch, 0, "half a batch is there");
    sent / batch
}

fn assert_verified(path: &Path) {
    let reader = Reader::open(path).unwrap();
    let verdict = reader.verify(false, &mut |_| {}, &Cancel::default()).unwrap();
    assert!(verdict.is_fine(), "{verdict:?}");
    let chain = reader.verify_chain(&[], &mut |_| {}, &Cancel::default()).unwrap();
    assert!(chain.as_ref().is_none_or(ChainVerdict::is_fine), "{chain:?}");
}

#[test]
fn kill_9_two_hundred_times() {
    if let Some(path) = std::env::var_os(DATABASE) {
        victim(Path::new(&path));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut journals = 0;
    let mut before = 0;
    for round in 0..KILLS {
        let path = dir.path().join(format!("{}.db", round / KILLS_EACH));
        if round % KILLS_EACH == 0 {
            before = 0;
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["kill_9_two_hundred_times", "--exact", "--nocapture"])
            .env(DATABASE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let wanted = 1 + usize::try_from(round * 7 % 20).unwrap();
        let mut written =
            lines.by_ref().filter(|line| line.ends_with("written")).take(wanted).count();
        assert_eq!(written, wanted, "the victim ended by itself");
        // Not always at the same place of its loop.
        std::thread::sleep(Duration::from_micros(round * 1_370 % 9_000));
        child.kill().unwrap();
        child.wait().unwrap();
        written += lines.filter(|line| line.ends_with("written")).count();

        if std::fs::metadata(path.with_extension("db-wal")).is_ok_and(|meta| meta.len() > 0) {
            journals += 1;
        }
        assert_verified(&path);
        // One more may have been written than was told.
        let (least, found) = (before + written as u64, batches(&path));
        assert!((least..=least + 1).contains(&found), "{least} batches were told, {found} found");
        before = found;
        drop(open_chained(&path));
        if round % 4 == 0 {
            assert_sound(&path);
            assert_verified(&path);
        }
        assert_eq!(batches(&path), found);
        assert_eq!(number(&path, "SELECT count(*) FROM executables WHERE sha256 = '(pending)'"), 0);
    }
    assert!(journals > 100, "only {journals} of {KILLS} kills left a journal to recover");
}
