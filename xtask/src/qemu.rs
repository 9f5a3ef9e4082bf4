//! One guest from power-on to power-off: QEMU without acceleration, its console streamed, a
//! limit on the time it may take.

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;

use crate::plain::plain;
use crate::process;
use crate::tally::Tally;

/// What the guest's first process prints when the payload has ended.
const EXIT_MARK: &str = "FEMTOSNITCH_VM_EXIT ";

/// How the payload begins lines that are to be kept and not shown.
pub(crate) const RECORD_MARK: &str = "FEMTOSNITCH_VM_RECORD ";

/// How the test runner begins the line of a test that failed.
const FAILURE_MARK: &str = "FAILED ";

/// A guest to be run.
pub(crate) struct Guest<'a> {
    /// Stands before each line it prints.
    pub(crate) label: &'a str,
    /// The kernel.
    pub(crate) image: &'a Path,
    /// Its file system.
    pub(crate) initramfs: &'a Path,
    /// When to give up.
    pub(crate) limit: Duration,
}

/// How a guest ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The payload's exit code; none if the guest ended or hung before it.
    pub(crate) exit: Option<i32>,
    /// What the test runner counted, if it was one.
    pub(crate) tally: Option<Tally>,
    /// What it said of each test that failed.
    pub(crate) failures: Vec<String>,
    /// What followed each [`RECORD_MARK`].
    pub(crate) recorded: String,
}

impl Outcome {
    fn take(&mut self, line: &str) {
        if line.starts_with(FAILURE_MARK) && !self.failures.iter().any(|known| known == line) {
            self.failures.push(line.to_owned());
        }
        if let Some(code) = exit_code(line) {
            self.exit = Some(code);
        } else if let Some(tally) = Tally::parse(line) {
            self.tally = Some(tally);
        }
    }
}

/// The command that runs the guest.
pub(crate) fn command(guest: &Guest<'_>) -> Result<Command> {
    let mut command = Command::new(process::need("qemu-system-x86_64")?);
    // Two processors taking turns on one thread: with a thread each QEMU may run code that the other
    // has just patched (an int3 of a static key whose handler is gone), and the kernel panics.
    command
        .args(["-accel", "tcg,thread=single", "-smp", "2", "-m", "2048"])
        // Page tables of four levels, not five: each is a walk in an emulator.
        .args(["-cpu", "max,la57=off"])
        .args(["-display", "none", "-no-reboot", "-nodefaults", "-serial", "stdio"])
        .arg("-kernel")
        .arg(guest.image)
        .arg("-initrd")
        .arg(guest.initramfs)
        // A panic ends the guest at once; mitigations only cost time in an emulator. Whether ticks
        // come in time is not asked: on a busy machine they do not, and the kernel panics.
        .args(["-append", "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check"]);
    Ok(command)
}

/// Runs the guest to its end, or to the limit.
pub(crate) fn run(guest: &Guest<'_>) -> Result<Outcome> {
    let mut child = command(guest)?
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start qemu-system-x86_64")?;
    let watched = watch(guest, &mut child);
    if watched.is_err() {
        // It may be gone already; what matters is the error that led here.
        let _gone = child.kill();
    }
    let status = child.wait()?;
    let outcome = watched?;
    if outcome.exit.is_none() {
        bail!(
            "the guest ended ({status}) before the payload did: its kernel stopped or the console \
             above says why"
        );
    }
    Ok(outcome)
}

fn watch(guest: &Guest<'_>, child: &mut Child) -> Result<Outcome> {
    let console = child.stdout.take().context("qemu has no console")?;
    let (sender, lines) = mpsc::channel();
    // A thread of its own, so that a silent guest can still run into its limit.
    std::thread::Builder::new().name("console".into()).spawn(move || {
        for line in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    })?;
    let end = Instant::now() + guest.limit;
    let mut outcome = Outcome::default();
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let line = plain(String::from_utf8_lossy(&line).trim_end_matches('\r'));
                if let Some(kept) = line.strip_prefix(RECORD_MARK) {
                    outcome.recorded.extend([kept, "\n"]);
                } else {
                    println!("[{}] {line}", guest.label);
                    outcome.take(&line);
                }
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(outcome),
            Err(mpsc::RecvTimeoutError::Timeout) => bail!(
                "the guest was still running after {} s and was stopped: --timeout gives it longer",
                guest.limit.as_secs()
            ),
        }
    }
}

/// The code in an exit line. The mark has to start the line: tests may print it elsewhere.
fn exit_code(line: &str) -> Option<i32> {
    line.strip_prefix(EXIT_MARK)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_lines_are_told_from_others() {
        assert_eq!(exit_code("FEMTOSNITCH_VM_EXIT 0"), Some(0));
        assert_eq!(exit_code("FEMTOSNITCH_VM_EXIT 137 "), Some(137));
        assert_eq!(exit_code("FEMTOSNITCH_VM_EXIT"), None);
        assert_eq!(exit_code("FEMTOSNITCH_VM_EXIT ok"), None);
        assert_eq!(exit_code("echo FEMTOSNITCH_VM_EXIT 0"), None);
    }

    #[test]
    fn the_last_count_and_code_stand() {
        let mut outcome = Outcome::default();
        for line in ["1 passed, 0 failed, 0 skipped", "noise", "9 passed, 2 failed, 1 skipped"] {
            outcome.take(line);
        }
        assert_eq!(outcome.exit, None);
        outcome.take("FEMTOSNITCH_VM_EXIT 1");
        let tally = Some(Tally { passed: 9, failed: 2, skipped: 1 });
        assert_eq!(outcome, Outcome { exit: Some(1), tally, ..Outcome::default() });
    }
    #[test]
    fn failures_are_kept_once() {
        let mut outcome = Outcome::default();
        for line in ["FAILED a: no", "ok b", "FAILED c: why", "FAILED a: no"] {
            outcome.take(line);
        }
        assert_eq!(outcome.failures, ["FAILED a: no", "FAILED c: why"]);
    }
}
