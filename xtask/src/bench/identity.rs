//! What knowing executables takes: memory for each, processor time for each run.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use anyhow::ensure;

use super::monitor::Monitor;
use crate::workspace::Binaries;

/// Past the next batch, and what is found out for it.
const SETTLE: Duration = Duration::from_secs(12);

pub(super) fn run(binaries: &Binaries, quick: bool) -> Result<String> {
    let (programs, runs) = if quick { (2_000, 10_000) } else { (5_000, 40_000) };
    println!("bench: executables …");
    let directory = Directory::new()?;
    let monitor = Monitor::start(&binaries.femtosnitch, "")?;
    let launch = |from: u64, count: u64, runs: u64| {
        let mut command = Command::new(&binaries.testkit);
        command.args(["bench", "programs", "--directory"]).arg(&directory.0);
        for (name, value) in [("--from", from), ("--count", count), ("--runs", runs)] {
            command.arg(name).arg(value.to_string());
        }
        end(&mut command)
    };
    // The first half pays for buffers and tables that are there from then on.
    launch(0, programs, 1)?;
    sleep(SETTLE);
    let before = (monitor.pss_mib()?, monitor.cpu_seconds()?);
    launch(programs, programs, 1)?;
    sleep(SETTLE);
    let after = (monitor.pss_mib()?, monitor.cpu_seconds()?);
    launch(0, 1, runs)?;
    sleep(SETTLE);
    let known = monitor.cpu_seconds()?;
    let mut silent = Command::new(&binaries.testkit);
    end(silent.args(["bench", "exec-rate", "--rounds", &runs.to_string()]))?;
    let last = monitor.cpu_seconds()?;
    monitor.stop()?;

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let each = |whole: f64, count: u64| whole / count as f64;
    let mut text = "## Executables\n\n| | of each |\n|---|---:|\n".to_owned();
    let memory = each((after.0 - before.0) * 1024.0, programs);
    let new = each((after.1 - before.1) * 1e6, programs);
    let known_run = each((known - after.1) * 1e6, runs);
    let silent_run = each((last - known) * 1e6, runs);
    writeln!(
        text,
        "| memory (PSS) of a known executable, KiB (target: at most 2) | {memory:.2} |"
    )?;
    writeln!(
        text,
        "| daemon's processor time, µs: a new executable of 2 KiB that sends a datagram | {new:.1} |\n\
         | a known one that sends a datagram, with its row | {known_run:.1} |\n\
         | a known one that sends nothing (fork, exec, exit) | {silent_run:.1} |\n\n\
         {programs} executables after as many others; {runs} runs of one."
    )?;
    Ok(text)
}

fn end(command: &mut Command) -> Result<()> {
    let status = command.stdout(Stdio::null()).status()?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

/// Where the programs lie, until it is dropped.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("femtosnitch-bench-{}-x", std::process::id()));
        std::fs::create_dir_all::<&Path>(path.as_ref())?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
