//! The cost of being watched: the same loop with and without, turn by turn.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use super::monitor::Monitor;
use super::statistics::spread;
use crate::workspace::Binaries;

/// Seconds after which a loop counts as stuck; the slowest takes one or two.
const PATIENCE: &str = "60";

/// After femtosnitch has started or stopped, until the kernel has done what that left to do.
const SETTLE: Duration = Duration::from_millis(300);

/// How often: pairs of turns, and runs of the loop in each turn.
#[derive(Clone, Copy)]
struct Effort {
    pairs: usize,
    runs: usize,
}

/// A loop, how femtosnitch is configured meanwhile, which of its times counts, and the ratio that
/// it must stay below (if one is set).
struct Loop {
    name: &'static str,
    arguments: &'static [&'static str],
    config: &'static str,
    judged: fn(&Times) -> f64,
    target: Option<f64>,
}

/// Nanoseconds a round. Processor time leaves out what else the machine does; where children and
/// the kernel do the work, only the clock on the wall sees all of it.
struct Times {
    processor: f64,
    wall: f64,
}

const PROCESSOR: fn(&Times) -> f64 = |times| times.processor;
const WALL: fn(&Times) -> f64 = |times| times.wall;

/// Out of the box.
const DEFAULT: &str = "";
/// Without looking for the names of hosts.
const NAMELESS: &str = "[names]\ncapture = false\n";

const LOOPS: [Loop; 9] = [
    Loop {
        name: "UDP ping-pong, 64 B",
        arguments: &["udp-pingpong", "--rounds", "20000"],
        config: DEFAULT,
        judged: PROCESSOR,
        target: Some(1.15),
    },
    Loop {
        name: "UDP ping-pong, 64 B, names off",
        arguments: &["udp-pingpong", "--rounds", "20000"],
        config: NAMELESS,
        judged: PROCESSOR,
        target: Some(1.10),
    },
    Loop {
        name: "TCP bulk, 128 KiB writes",
        arguments: &["tcp-bulk", "--bytes", "1073741824"],
        config: DEFAULT,
        judged: PROCESSOR,
        target: Some(1.03),
    },
    Loop {
        name: "TCP bulk, 128 KiB writes, names off",
        arguments: &["tcp-bulk", "--bytes", "1073741824"],
        config: NAMELESS,
        judged: PROCESSOR,
        target: Some(1.02),
    },
    Loop {
        name: "connect, 1 B each way, close",
        arguments: &["connect-close", "--rounds", "3000"],
        config: DEFAULT,
        judged: PROCESSOR,
        target: Some(1.25),
    },
    Loop {
        name: "connect, 1 B each way, close, names off",
        arguments: &["connect-close", "--rounds", "3000"],
        config: NAMELESS,
        judged: PROCESSOR,
        target: Some(1.20),
    },
    Loop {
        name: "UDP ping-pong, 64 B, unconnected",
        arguments: &["udp-pingpong", "--rounds", "20000", "--unconnected"],
        config: DEFAULT,
        judged: PROCESSOR,
        target: None,
    },
    Loop {
        name: "TCP ping-pong, 64 B",
        arguments: &["tcp-pingpong", "--rounds", "20000"],
        config: DEFAULT,
        judged: PROCESSOR,
        target: None,
    },
    Loop {
        name: "fork + exec + exit",
        arguments: &["exec-rate", "--rounds", "100"],
        config: DEFAULT,
        judged: WALL,
        target: None,
    },
];

pub(super) fn run(binaries: &Binaries, quick: bool) -> Result<String> {
    let effort = if quick { Effort { pairs: 9, runs: 1 } } else { Effort { pairs: 15, runs: 3 } };
    let Effort { pairs, runs } = effort;
    let mut text = format!(
        "## Being watched\n\n\
         Time a round without femtosnitch, and with it as a ratio: {pairs} pairs, turn by turn, \
         each pair's order reversed against the one before; of each turn the median of {runs} \
         run(s) after one that does not count. The loop is pinned to one core, both ends in one \
         thread. *Ratio* is the median of the pairs' ratios and *middle half* where half of them \
         lie. Processor time of the loop; for exec, and in the column *wall*, the clock on the \
         wall, which sees everything else that the machine does too.\n\n\
         | loop | without, µs | ratio | middle half | wall | target |\n\
         |---|---:|---:|---|---:|---|\n"
    );
    for of in &LOOPS {
        println!("bench: {} …", of.name);
        writeln!(text, "{}", row(binaries, of, effort)?)?;
    }
    Ok(text)
}

fn row(binaries: &Binaries, of: &Loop, effort: Effort) -> Result<String> {
    // Warms caches and the clock of the processor up.
    turn(binaries, of, effort, true)?;
    let mut measured: Vec<(Times, Times)> = Vec::new();
    for pair in 0..effort.pairs {
        measured.push(if pair % 2 == 0 {
            let alone = turn(binaries, of, effort, false)?;
            (alone, turn(binaries, of, effort, true)?)
        } else {
            let watched = turn(binaries, of, effort, true)?;
            (turn(binaries, of, effort, false)?, watched)
        });
    }
    let over_pairs = |value: &dyn Fn(&(Times, Times)) -> f64| {
        spread(&measured.iter().map(value).collect::<Vec<_>>())
    };
    let without = over_pairs(&|(alone, _)| (of.judged)(alone)).median;
    let ratio = over_pairs(&|(alone, watched)| (of.judged)(watched) / (of.judged)(alone));
    let wall = over_pairs(&|(alone, watched)| watched.wall / alone.wall).median;
    let verdict = match of.target {
        None => "–".to_owned(),
        Some(target) if ratio.median <= target => format!("≤ {target:.2}: met"),
        Some(target) => format!("≤ {target:.2}: **over**"),
    };
    Ok(format!(
        "| {} | {:.2} | {:.3} | {:.3} … {:.3} | {wall:.3} | {verdict} |",
        of.name,
        without / 1000.0,
        ratio.median,
        ratio.low,
        ratio.high,
    ))
}

/// The middle one of a few runs, each a process with memory of its own: which pages it gets moves
/// a run by more than some targets allow. For the same reason femtosnitch is started, and stopped
/// again, also where it is not to watch, and the first run does not count: the kernel is still
/// freeing then, or filling its lists of free pages, and that is not what watching costs.
fn turn(binaries: &Binaries, of: &Loop, effort: Effort, watched: bool) -> Result<Times> {
    let monitor = Monitor::start(&binaries.femtosnitch, of.config)?;
    let monitor = if watched {
        Some(monitor)
    } else {
        monitor.stop()?;
        None
    };
    std::thread::sleep(SETTLE);
    once(binaries, of)?;
    let runs = (0..effort.runs).map(|_| once(binaries, of)).collect::<Result<Vec<_>>>()?;
    if let Some(monitor) = monitor {
        monitor.stop()?;
    }
    let middle = |time| spread(&runs.iter().map(time).collect::<Vec<_>>()).median;
    Ok(Times { processor: middle(PROCESSOR), wall: middle(WALL) })
}

/// One run of the loop, pinned to the first core.
fn once(binaries: &Binaries, of: &Loop) -> Result<Times> {
    let mut command = Command::new("timeout");
    command.args([PATIENCE, "taskset", "--cpu-list", "0"]);
    command.arg(&binaries.testkit).arg("bench").args(of.arguments);
    let output = command.output().context(
        "cannot run the loop: timeout (coreutils) and taskset (util-linux) are needed, install them",
    )?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {said}", of.name, output.status);
    }
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let figure = |name: &str| {
        report
            .pointer(&format!("/figures/{name}"))
            .and_then(serde_json::Value::as_f64)
            .with_context(|| format!("{} reports no {name}", of.name))
    };
    Ok(Times { processor: figure("cpu_ns_per_round")?, wall: figure("wall_ns_per_round")? })
}
