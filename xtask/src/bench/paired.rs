//! The cost of being watched: the same loop with and without, turn by turn.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

use super::monitor::Monitor;
use super::statistics::spread;
use crate::workspace::Binaries;

/// A loop of the traffic generator, and the ratio that it must stay below (if one is set).
struct Loop {
    name: &'static str,
    arguments: &'static [&'static str],
    figure: &'static str,
    target: Option<f64>,
}

const LOOPS: [Loop; 4] = [
    Loop {
        name: "UDP ping-pong, 64 B",
        arguments: &["udp-pingpong", "--rounds", "60000"],
        figure: "cpu_ns_per_round",
        target: Some(1.10),
    },
    Loop {
        name: "TCP bulk, 128 KiB writes",
        arguments: &["tcp-bulk", "--bytes", "4294967296"],
        figure: "cpu_ns_per_round",
        target: Some(1.02),
    },
    Loop {
        name: "connect, 1 B each way, close",
        arguments: &["connect-close", "--rounds", "8000"],
        figure: "cpu_ns_per_round",
        target: Some(1.20),
    },
    Loop {
        name: "fork + exec + exit",
        arguments: &["exec-rate", "--rounds", "200"],
        figure: "wall_ns_per_round",
        target: None,
    },
];

pub(super) fn run(binaries: &Binaries, quick: bool) -> Result<String> {
    let pairs = if quick { 7 } else { 21 };
    let mut text = format!(
        "## Being watched\n\n\
         Time a round without femtosnitch and the ratio with it: {pairs} pairs, turn by turn, \
         each pair's order reversed against the one before, the loop pinned to one core. The \
         spread is where the middle half of the pairs' ratios lies. Processor time of the loop; \
         for exec wall time.\n\n\
         | loop | without, µs | with, ratio | middle half | target |\n|---|---:|---:|---|---|\n"
    );
    for of in &LOOPS {
        println!("bench: {} …", of.name);
        once(&binaries.testkit, of)?;
        let mut without = Vec::new();
        let mut ratios = Vec::new();
        for pair in 0..pairs {
            let (alone, watched) = if pair % 2 == 0 {
                let alone = once(&binaries.testkit, of)?;
                (alone, with_monitor(binaries, of)?)
            } else {
                let watched = with_monitor(binaries, of)?;
                (once(&binaries.testkit, of)?, watched)
            };
            without.push(alone);
            ratios.push(watched / alone);
        }
        let ratio = spread(&ratios);
        let verdict = match of.target {
            None => "–".to_owned(),
            Some(target) if ratio.median <= target => format!("≤ {target:.2}: met"),
            Some(target) => format!("≤ {target:.2}: **over**"),
        };
        writeln!(
            text,
            "| {} | {:.2} | {:.3} | {:.3} … {:.3} | {verdict} |",
            of.name,
            spread(&without).median / 1000.0,
            ratio.median,
            ratio.low,
            ratio.high,
        )?;
    }
    Ok(text)
}

fn with_monitor(binaries: &Binaries, of: &Loop) -> Result<f64> {
    let monitor = Monitor::start(&binaries.femtosnitch, "")?;
    let figure = once(&binaries.testkit, of);
    monitor.stop()?;
    figure
}

/// One run of the loop, pinned to the first core: its time a round in nanoseconds.
fn once(testkit: &Path, of: &Loop) -> Result<f64> {
    let output = Command::new("taskset")
        .args(["--cpu-list", "0"])
        .arg(testkit)
        .arg("bench")
        .args(of.arguments)
        .output()
        .context("cannot run the loop (taskset is in util-linux)")?;
    if !output.status.success() {
        bail!("{}: {}", of.name, String::from_utf8_lossy(&output.stderr));
    }
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    report
        .get("figures")
        .and_then(|figures| figures.get(of.figure))
        .and_then(serde_json::Value::as_f64)
        .with_context(|| format!("{} reports no {}", of.name, of.figure))
}
