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
use anyhow::bail;

use super::monitor::Monitor;
use super::statistics::spread;
use crate::workspace::Binaries;

/// Sockets that one process may have open on machines with a low limit.
const PER_PROCESS: u32 = 10_000;

/// Sockets that others hold open.
struct Case {
    sockets: u32,
    /// All of them move something every second.
    moving: bool,
    max_flows: u32,
}

impl Case {
    /// Past this share of `max_flows` sockets that ended unseen are looked for at every sample.
    fn short_of_flows(&self) -> bool {
        self.sockets > self.max_flows / 4 * 3
    }
}

const CASES: [Case; 4] = [
    Case { sockets: 10_000, moving: false, max_flows: 65_536 },
    Case { sockets: 10_000, moving: true, max_flows: 65_536 },
    Case { sockets: 100_000, moving: false, max_flows: 196_608 },
    Case { sockets: 100_000, moving: false, max_flows: 131_072 },
];

pub(super) fn run(binaries: &Binaries, quick: bool) -> Result<String> {
    let seconds = if quick { 30 } else { 60 };
    println!("bench: the daemon's own needs …");
    let mut text =
        "## The daemon\n\n| situation | PSS, MiB | processor, % of a core |\n|---|---:|---:|\n"
            .to_owned();
    let idle = at_rest(binaries, seconds)?;
    writeln!(text, "| just started, nothing moves | {:.1} | {:.3} |", idle.0, idle.1)?;
    for case in CASES.iter().filter(|case| !(quick && case.short_of_flows())) {
        let (pss, cpu) = with_sockets(binaries, case, seconds / 2)?;
        let Case { sockets, max_flows, .. } = case;
        let what = if case.moving { "each moving every second" } else { "each moved once" };
        let room = if case.short_of_flows() {
            format!(", more than ¾ of `capture.max_flows` = {max_flows}")
        } else {
            String::new()
        };
        writeln!(text, "| {sockets} sockets, {what}{room} | {pss:.1} | {cpu:.3} |")?;
    }
    for (what, arguments) in [
        ("a flood of 64-byte datagrams", ["udp-flood", "--total", "1000000000"]),
        ("bulk over one TCP connection", ["tcp-bulk", "--bytes", "1000000000000000"]),
    ] {
        let (pss, cpu) = under_load(binaries, &arguments)?;
        writeln!(text, "| {what} | {pss:.1} | {cpu:.3} |")?;
    }

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
         Besides, the kernel keeps 192 bytes a flow for `capture.max_flows` of them (12 MiB by \
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

fn with_sockets(binaries: &Binaries, case: &Case, seconds: u64) -> Result<(f64, f64)> {
    let Case { sockets, moving, max_flows } = *case;
    let config = format!("[capture]\nmax_flows = {max_flows}\n");
    let monitor = Monitor::start(&binaries.femtosnitch, &config)?;
    let holders = (0..sockets.div_ceil(PER_PROCESS))
        .map(|_| holder(&binaries.testkit, PER_PROCESS.min(sockets), moving))
        .collect::<Result<Vec<_>>>()?;
    // Past the first batch, which names all of them.
    sleep(Duration::from_secs(12));
    let seen = observe(&monitor, seconds)?;
    drop(holders);
    monitor.stop()?;
    Ok(seen)
}

fn under_load(binaries: &Binaries, arguments: &[&str]) -> Result<(f64, f64)> {
    let monitor = Monitor::start(&binaries.femtosnitch, "")?;
    let load = Command::new(&binaries.testkit)
        .arg("bench")
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()?;
    let mut load = Busy(load);
    sleep(Duration::from_secs(1));
    let seen = observe(&monitor, 10);
    if let Some(status) = load.0.try_wait()? {
        bail!("{arguments:?} was to go on for longer, but ended with {status}");
    }
    drop(load);
    monitor.stop()?;
    seen
}

/// A process that goes on until it is dropped.
struct Busy(Child);

impl Drop for Busy {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A process that holds sockets open, which have moved their bytes.
fn holder(testkit: &Path, sockets: u32, moving: bool) -> Result<Busy> {
    // The traffic generator counts pairs.
    let active = if moving { sockets / 2 } else { 0 };
    let mut child = Command::new(testkit)
        .args(["bench", "idle-sockets", "--count", &sockets.to_string()])
        .args(["--active", &active.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = child.stdout.take().context("no stdout")?;
    let holder = Busy(child);
    // It reports once all are open.
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let report: serde_json::Value =
        serde_json::from_str(&line).context("sockets could not be opened (see above)")?;
    let pairs = report.pointer("/figures/rounds").and_then(serde_json::Value::as_f64);
    if pairs != Some(f64::from(sockets / 2)) {
        bail!("{sockets} sockets were asked for, {pairs:?} pairs were opened");
    }
    Ok(holder)
}
