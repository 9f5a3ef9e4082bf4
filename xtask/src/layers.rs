//! The test layers that run on this machine: unit tests, and end to end as root.

use std::io::BufRead as _;
use std::io::BufReader;
use std::io::IsTerminal as _;
use std::process::Command;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use clap::Args;

use crate::plain::plain;
use crate::process;
use crate::tally::Tally;
use crate::workspace;

/// What `cargo xtask e2e` takes.
#[derive(Args)]
pub(crate) struct E2eOptions {
    /// Handed to the test runner, e.g. the name of one scenario
    #[arg(last = true)]
    runner: Vec<String>,
}

/// Unit tests of the whole workspace; none at all is a failure.
pub(crate) fn unit() -> Result<()> {
    let mut command = workspace::cargo()?;
    command.args(["test", "--workspace", "--no-fail-fast"]);
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    layer("unit", &mut command)
}

/// End-to-end tests on the running kernel. Without root it asks `sudo`.
pub(crate) fn e2e(options: &E2eOptions) -> Result<()> {
    if skipped("FEMTOSNITCH_SKIP_ROOT", "e2e", "the end-to-end tests, which need root,") {
        return Ok(());
    }
    let binaries = workspace::build_e2e()?;
    let mut command = if process::is_root() {
        Command::new(&binaries.e2e)
    } else {
        let sudo = process::find("sudo").context(
            "the end-to-end tests load eBPF programs and need root: run them as root, install sudo, \
             or leave them out with FEMTOSNITCH_SKIP_ROOT=1",
        )?;
        println!("e2e: root is needed to load eBPF programs; using sudo");
        let mut command = Command::new(sudo);
        command.arg(&binaries.e2e);
        command
    };
    command.arg("--femtosnitch").arg(&binaries.femtosnitch).arg("--testkit").arg(&binaries.testkit);
    command.args(&options.runner);
    layer("e2e", &mut command)
}

/// Whether `variable` asks to leave a layer out; says so loudly.
pub(crate) fn skipped(variable: &str, name: &str, what: &str) -> bool {
    let skip = std::env::var(variable).is_ok_and(|value| !value.is_empty() && value != "0");
    if skip {
        println!("== {name}: SKIPPED because {variable} is set: {what} did NOT run ==");
    }
    skip
}

/// Runs a test runner with its output shown, and closes with one line of counts.
fn layer(name: &str, command: &mut Command) -> Result<()> {
    let start = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start the {name} tests"))?;
    let output = child.stdout.take().context("the test runner has no output")?;
    let mut tally = Tally::default();
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read what the test runner prints")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let Some(counts) = Tally::parse(&plain(&line)) {
            tally += counts;
        }
    }
    let status = child.wait()?;
    println!("== {name}: {tally} in {:.1} s ==", start.elapsed().as_secs_f64());
    if !status.success() {
        bail!("the {name} tests failed ({status})");
    }
    if !tally.is_success() {
        bail!(
            "the {name} layer reported no passing test: a layer that runs nothing proves nothing"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_without_tests_fails() {
        let failing =
            layer("none", Command::new("sh").args(["-c", "echo 0 passed, 0 failed, 0 skipped"]));
        assert!(failing.unwrap_err().to_string().contains("no passing test"));
        layer("one", Command::new("sh").args(["-c", "echo 1 passed, 0 failed, 0 skipped"]))
            .unwrap();
    }
}
