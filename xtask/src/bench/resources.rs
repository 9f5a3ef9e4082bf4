//! What the daemon itself takes: memory, processor time, time to start and to stop.

use std::fmt::Write as _;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;

use super::monitor::Monitor;
use super::statistics::spread;
use crate::workspace::Binaries;

/// Sockets that one process may have open on machines with a low limit.
const PER_PROCESS: u32 = 10_000;

pub(super) fn run(binaries: &Binaries, quick: bool) -> Result<String> {
    let seconds = if quick { 20 } else { 60 };
    println!("bench: the daemon's own needs …");
    let mut text =
        "## The daemon\n\n| situation | PSS, MiB | processor, % of a core |\n|---|---:|---:|\n"
            .to_owned();
    let idle = at_rest(binaries, seconds)?;
    writeln!(text, "| just started, nothing moves | {:.1} | {:.3} |", idle.0, idle.1)?;
    for (sockets, active) in [(10_000, 0), (10_000, 10_000), (100_000, 0)] {
        let (pss, cpu) = with_sockets(binaries, sockets, active, seconds / 2)?;
        let what = if active == 0 { "each moved once" } else { "each moving every second" };
        writeln!(text, "| {sockets} sockets, {what} | {pss:.1} | {cpu:.3} |")?;
    }
    let busy = under_load(binaries)?;
    writeln!(text, "| a flood of 64-byte datagrams | {:.1} | {:.3} |", busy.0, busy.1)?;

    let rounds = if quick { 5 } else { 15 };
    let mut start = Vec::new();
    let mut stop = Vec::new();
    for _ in 0..rounds {
        let monitor = Monitor::start(&binaries.femtosnitch, "")?;
        start.push(monitor.started_in.as_secs_f64() * 1000.0);
        stop.push(monitor.stop()?.as_secs_f64() * 1000.0);
    }
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    writeln!(
        text,
        "\nStart to `ready`: median {:.0} ms, most {:.0} ms; SIGTERM to exit: median {:.0} ms, \
         most {:.0} ms ({rounds} runs).\n\
         Besides, the kernel keeps 128 bytes a flow for `capture.max_flows` of them (8 MiB by \
         default) and `capture.event_buffer` (1 MiB).",
        spread(&start).median,
        most(&start),
        spread(&stop).median,
        most(&stop),
    )?;
    Ok(text)
}

/// PSS in MiB and percent of a core over a while.
fn observe(monitor: &Monitor, seconds: u64) -> Result<(f64, f64)> {
    let before = monitor.cpu_seconds()?;
    sleep(Duration::from_secs(seconds));
    let used = monitor.cpu_seconds()? - before;
    #[expect(clippy::cast_precision_loss, reason = "a minute at most")]
    let share = used / seconds as f64 * 100.0;
    Ok((monitor.pss_mib()?, share))
}

fn at_rest(binaries: &Binaries, seconds: u64) -> Result<(f64, f64)> {
    let monitor = Monitor::start(&binaries.femtosnitch, "")?;
    sleep(Duration::from_secs(1));
    let seen = observe(&monitor, seconds)?;
    monitor.stop()?;
    Ok(seen)
}

fn with_sockets(
    binaries: &Binaries,
    sockets: u32,
    active: u32,
    seconds: u64,
) -> Result<(f64, f64)> {
    let config = format!("[capture]\nmax_flows = {}\n", (2 * sockets).max(65_536));
    let monitor = Monitor::start(&binaries.femtosnitch, &config)?;
    let holders = (0..sockets.div_ceil(PER_PROCESS))
        .map(|_| {
            Holder::start(&binaries.testkit, PER_PROCESS.min(sockets), active.min(PER_PROCESS))
        })
        .collect::<Result<Vec<_>>>()?;
    // Past the first batch, which names all of them.
    sleep(Duration::from_secs(12));
    let seen = observe(&monitor, seconds)?;
    drop(holders);
    monitor.stop()?;
    Ok(seen)
}

fn under_load(binaries: &Binaries) -> Result<(f64, f64)> {
    let monitor = Monitor::start(&binaries.femtosnitch, "")?;
    let mut flood = Command::new(&binaries.testkit)
        .args(["bench", "udp-flood", "--total", "100000000"])
        .stdout(Stdio::null())
        .spawn()?;
    sleep(Duration::from_secs(1));
    let seen = observe(&monitor, 10);
    flood.kill()?;
    flood.wait()?;
    monitor.stop()?;
    seen
}

/// A process that holds sockets open until it is dropped.
struct Holder(Child);

impl Holder {
    fn start(testkit: &Path, sockets: u32, active: u32) -> Result<Self> {
        let mut child = Command::new(testkit)
            .args(["bench", "idle-sockets", "--count", &sockets.to_string()])
            .args(["--active", &active.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("no stdout")?;
        // It reports once all are open and have moved their bytes.
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self(child))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
