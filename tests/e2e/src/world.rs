//! What all scenarios share: the binaries, unique marks, patience.

use std::cell::Cell;
use std::cell::RefCell;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::Error;
use femtosnitch_testkit::Report;
use femtosnitch_testkit::UNSUPPORTED;

use crate::Args;
use femtosnitch_harness::command;
use femtosnitch_harness::digest;

/// The machine under test.
pub(crate) struct World {
    /// The binary under test.
    pub(crate) femtosnitch: PathBuf,
    /// The traffic generator, as the kernel names it.
    pub(crate) testkit: PathBuf,
    /// Its SHA-256 in hex.
    pub(crate) testkit_sha256: String,
    /// Namespaces may not be used.
    pub(crate) skip_namespaces: bool,
    /// Running as all there is in an emulated machine: slow, and its clock may be moved.
    pub(crate) machine_is_ours: bool,
    /// Short-lived processes to start.
    pub(crate) processes: u64,
    /// Times to kill the daemon.
    pub(crate) kills: u64,
    marks: Cell<u32>,
    /// Milliseconds from start to ready.
    starts: RefCell<Vec<u128>>,
    /// Milliseconds from SIGTERM to exit.
    stops: RefCell<Vec<u128>>,
}

impl World {
    pub(crate) fn new(args: &Args) -> Result<Self> {
        let find = |path: &Path| {
            path.canonicalize().with_context(|| format!("cannot find {}", path.display()))
        };
        let testkit = find(&args.testkit)?;
        let ours = std::env::var("FEMTOSNITCH_E2E_VM").is_ok_and(|value| value == "1");
        Ok(Self {
            femtosnitch: find(&args.femtosnitch)?,
            testkit_sha256: digest::of_file(&testkit)?,
            testkit,
            skip_namespaces: args.skip_network_namespaces,
            machine_is_ours: ours,
            processes: args.processes.unwrap_or(if ours { 100 } else { 1000 }),
            kills: args.kills.unwrap_or(if ours { 1 } else { 10 }),
            marks: Cell::new(0),
            starts: RefCell::default(),
            stops: RefCell::default(),
        })
    }

    /// A mark that no other process on this machine has in its arguments.
    pub(crate) fn mark(&self, what: &str) -> String {
        self.marks.set(self.marks.get() + 1);
        format!("e2e-{what}-{}-{}", std::process::id(), self.marks.get())
    }

    /// How long something may take that should take `seconds` at most on a real machine.
    pub(crate) fn patience(&self, seconds: u64) -> Duration {
        Duration::from_secs(seconds * if self.machine_is_ours { 20 } else { 3 })
    }

    /// How often to do what should be done so many times on a real machine.
    pub(crate) const fn times(&self, many: usize) -> usize {
        if self.machine_is_ours { many / 5 } else { many }
    }

    /// A call of the traffic generator.
    pub(crate) fn testkit(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.testkit);
        command.args(args);
        command
    }

    /// Makes one kind of traffic under `mark`.
    pub(crate) fn traffic(&self, kind: &str, mark: &str) -> Result<Report> {
        self.report(self.testkit(&["traffic", kind, "--tag", mark]))
    }

    /// Runs a generator to its end; its report. [`Error::Unsupported`] if there is no such traffic
    /// here.
    pub(crate) fn report(&self, command: Command) -> Result<Report> {
        let done = command::run(command, self.patience(60))?;
        if done.status.code() == Some(UNSUPPORTED.into()) {
            return Err(Error::Unsupported(done.stderr.trim().to_owned()).into());
        }
        ensure!(done.status.success(), "traffic generator: {}", done.stderr.trim());
        let last = done.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).with_context(|| format!("not a report: {last:?}"))
    }

    pub(crate) fn note_start(&self, took: Duration) {
        self.starts.borrow_mut().push(took.as_millis());
    }

    pub(crate) fn note_stop(&self, took: Duration) {
        self.stops.borrow_mut().push(took.as_millis());
    }

    /// Start and stop times of all daemons, for the reader.
    pub(crate) fn timings(&self) -> String {
        let (starts, stops) = (summary(&self.starts.borrow()), summary(&self.stops.borrow()));
        format!("start to ready: {starts}; SIGTERM to exit: {stops}")
    }
}

fn summary(times: &[u128]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    match (sorted.get(sorted.len() / 2), sorted.last()) {
        (Some(median), Some(most)) => {
            format!("median {median} ms, most {most} ms of {}", sorted.len())
        }
        _ => "not measured".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn times_are_summed_up() {
        assert_eq!(summary(&[]), "not measured");
        assert_eq!(summary(&[9, 1, 5]), "median 5 ms, most 9 ms of 3");
    }
}
