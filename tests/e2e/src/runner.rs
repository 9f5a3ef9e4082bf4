//! Runs scenarios one by one and says how they went.

use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use anyhow::bail;

use crate::Args;
use crate::scenarios;
use crate::world::World;

/// How a scenario that did not fail ended.
pub(crate) enum Outcome {
    /// Everything was as it should be.
    Passed,
    /// It does not apply here, for this reason.
    Skipped(String),
    /// It went wrong in a way that is known: the reason, then what was seen.
    Known(String),
}

/// What else than our own code a scenario could find wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// How this kernel and our hooks get along: run on every kernel.
    Kernel,
    /// Nothing: what it looks at begins where the kernel's part is over and is held to account by
    /// others. Once is enough, on the machine that runs the tests.
    User,
}

/// One test with a stable name.
pub(crate) struct Scenario {
    /// What it is called on the command line and in the output.
    pub(crate) name: &'static str,
    /// Where it has to run.
    pub(crate) about: About,
    /// What it does. An error is a failure.
    pub(crate) run: fn(&World) -> Result<Outcome>,
}

/// What became of all scenarios so far.
#[derive(Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: Vec<String>,
    skipped: usize,
    known: usize,
}

impl Tally {
    /// Prints one line for a scenario and counts it.
    pub(crate) fn record(&mut self, name: &str, took: Duration, outcome: Result<Outcome>) {
        match outcome {
            Ok(Outcome::Passed) => {
                self.passed += 1;
                say(&format!("ok {name} ({} ms)", took.as_millis()));
            }
            Ok(Outcome::Skipped(why)) => {
                self.skipped += 1;
                say(&format!("skipped {name}: {why}"));
            }
            Ok(Outcome::Known(why)) => {
                self.known += 1;
                say(&format!("known {name}: {why}"));
            }
            Err(error) => {
                let line = format!("FAILED {name}: {error:#}");
                say(&line);
                self.failed.push(line);
            }
        }
    }
}

/// Prints the names of the scenarios that `filter` selects.
pub(crate) fn list(filter: &str) -> Result<bool> {
    let names = scenarios::ALL.iter().map(|scenario| scenario.name.to_owned());
    names
        .chain(scenarios::traffic::names())
        .filter(|name| name.contains(filter))
        .for_each(|name| say(&name));
    Ok(true)
}

/// Runs the selected scenarios; true if at least one passed and none failed.
pub(crate) fn run(args: &Args) -> Result<bool> {
    if !nix::unistd::geteuid().is_root() {
        bail!("these tests load BPF programs and make namespaces: run them as root");
    }
    let world = World::new(args)?;
    let mut tally = Tally::default();
    let chosen = |name: &str| name.contains(&args.filter);
    let once = args.kernel_only && args.filter.is_empty();
    let (run, left): (Vec<_>, Vec<_>) = scenarios::ALL
        .iter()
        .filter(|scenario| chosen(scenario.name))
        .partition(|scenario| !once || scenario.about == About::Kernel);
    if !left.is_empty() {
        let left = left.len();
        say(&format!(
            "{left} scenarios are about user space alone and not repeated on this kernel"
        ));
    }
    for scenario in run {
        let start = Instant::now();
        let outcome = (scenario.run)(&world);
        tally.record(scenario.name, start.elapsed(), outcome);
    }
    scenarios::traffic::run(&world, &chosen, &mut tally);
    say(&world.timings());
    let Tally { passed, failed, skipped, known } = tally;
    // Once more where they are looked for: at the end.
    failed.iter().for_each(|line| say(line));
    let failed = failed.len();
    say(&format!("{passed} passed, {failed} failed, {skipped} skipped, {known} known to be wrong"));
    Ok(failed == 0 && passed > 0)
}

/// Prints a line at once, so that a run that hangs shows how far it came.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that went away must not stop the clean-up.
    drop(writeln!(out, "{line}"));
    drop(out.flush());
}

/// Prints a line to standard error.
pub(crate) fn complain(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
