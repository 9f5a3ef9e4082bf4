//! `kill -9` at any moment leaves a sound database with everything that was acknowledged.
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

const DATABASE: &str = "FEMTOSNITCH_TEST_CRASH_DB";
const ROWS: i64 = 40;

/// Writes and says so, until killed.
fn victim(path: &Path) -> ! {
    let mut writer = open(path);
    let mut out = std::io::stdout();
    for turn in 0_u64.. {
        let contime = i64::try_from(turn).unwrap();
        let tool = exe(turn, &format!("/bin/{}", turn % 7), Digest::Pending);
        let shell = alone(u64::MAX, "/bin/sh", 0);
        let pid = u32::try_from(turn).unwrap();
        let process = Arc::new(run(pid, &tool.image, contime, Some(&shell)));
        let rows = (0..ROWS).map(|_| row_of(contime, &process, &Digests::new())).collect();
        // Half of them stay pending for ever, the others mostly merge into an earlier one.
        let resolved = vec![(tool.image.id, if turn % 2 == 0 { sha(1) } else { Digest::Pending })];
        writer.write(&Batch { rows, ..Batch::default() }).unwrap();
        writeln!(out, "written").unwrap();
        out.flush().unwrap();
        writer.write(&Batch { resolved, ..Batch::default() }).unwrap();
        if turn % 5 == 4 {
            // Deletes exactly one batch's rows.
            writer.expire(contime - 20, 10_000).unwrap();
        }
    }
    unreachable!("u64 does not run out")
}

#[test]
fn kill_9_twenty_times() {
    if let Some(path) = std::env::var_os(DATABASE) {
        victim(Path::new(&path));
    }
    let dir = tempfile::tempdir().unwrap();
    let mut journals = 0;
    for round in 0..20_u64 {
        // Ten databases, each killed twice: the second victim starts from what the first left.
        let path = dir.path().join(format!("{}.db", round / 2));
        let before =
            if path.exists() { number(&path, "SELECT max(id) FROM executables") } else { 0 };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["kill_9_twenty_times", "--exact", "--nocapture"])
            .env(DATABASE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let wanted = 1 + usize::try_from(round * 3).unwrap();
        let mut written =
            lines.by_ref().filter(|line| line.ends_with("written")).take(wanted).count();
        assert_eq!(written, wanted, "the victim ended by itself");
        // Not always at the same place of its loop.
        std::thread::sleep(Duration::from_micros(round * 137 % 1500));
        child.kill().unwrap();
        child.wait().unwrap();
        written += lines.filter(|line| line.ends_with("written")).count();

        if std::fs::metadata(path.with_extension("db-wal")).is_ok_and(|meta| meta.len() > 0) {
            journals += 1;
        }
        assert_sound(&path);
        assert!(number(&path, "SELECT max(id) FROM executables") >= before);
        // Batches are there as a whole or not at all.
        let halves = format!(
            "SELECT count(*) FROM (SELECT contime FROM traffic GROUP BY contime
                              HAVING count(*) % {ROWS} <> 0)"
        );
        assert_eq!(number(&path, &halves), 0);
        let newest = number(&path, "SELECT max(contime) FROM traffic");
        assert!(newest >= i64::try_from(written).unwrap() - 1, "{written} written, {newest} found");
        drop(open(&path));
        assert_sound(&path);
        assert_eq!(number(&path, "SELECT count(*) FROM executables WHERE sha256 = '(pending)'"), 0);
    }
    assert!(journals > 10, "only {journals} of 20 kills left a journal to recover");
}
