//! Much at once: totals have to be exact, and what is lost or coarser has to be counted.

use std::process::Command;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::Report;
use serde::Serialize;
use serde_json::Value;

use crate::daemon::Daemon;
use crate::laboratory;
use crate::laboratory::Laboratory;
use femtosnitch_harness::command::Running;

/// A load: generators that are started at once.
pub(crate) struct Load {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Arguments of the generator.
    args: &'static [&'static str],
    /// Generators at once.
    at_once: usize,
    /// The kind takes a mark of its own; others are known by their process id.
    marked: bool,
}

/// All loads.
pub(crate) const ALL: [Load; 3] = [
    Load {
        name: "bursts",
        about: "30 processes move 3 MB and 1 MB over TCP at once",
        args: &["traffic", "tcp4", "--bytes", "3000000"],
        at_once: 30,
        marked: true,
    },
    Load {
        name: "connections",
        about: "5,000 connections of a byte each way",
        args: &["bench", "connect-close", "--rounds", "5000"],
        at_once: 1,
        marked: false,
    },
    Load {
        name: "datagrams",
        about: "UDP of 64 bytes, 200,000 a second for ten seconds",
        args: &["bench", "udp-flood", "--total", "2000000", "--size", "64", "--rate", "200000"],
        at_once: 1,
        marked: false,
    },
];

/// How a load came out.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Scale {
    pub(crate) name: String,
    pub(crate) what: String,
    pub(crate) ok: bool,
    pub(crate) shown: String,
    /// Counters of `status` that are not zero.
    pub(crate) counters: String,
    pub(crate) detail: String,
}

/// Runs one load under a daemon of its own.
pub(crate) fn run(lab: &Laboratory, load: &Load) -> Scale {
    let mut scale = Scale {
        name: load.name.to_owned(),
        what: load.about.to_owned(),
        ok: false,
        shown: "broken".to_owned(),
        counters: String::new(),
        detail: String::new(),
    };
    if let Err(error) = measure(lab, load, &mut scale) {
        scale.ok = false;
        scale.detail = format!("{error:#}");
    }
    scale
}

fn measure(lab: &Laboratory, load: &Load, scale: &mut Scale) -> Result<()> {
    let mut daemon = lab.daemon()?;
    let start = Instant::now();
    let mark = lab.mark(load.name);
    let mut running = Vec::new();
    for _ in 0..load.at_once {
        let mut command = Command::new(&lab.testkit);
        command.args(load.args);
        if load.marked {
            command.args(["--tag", &mark]);
        }
        running.push(Running::start(command)?);
    }
    let pids: Vec<u64> = running.iter().map(|one| one.pid().into()).collect();
    let mut reports = Vec::new();
    for one in running {
        let done = one.wait(lab.patience * 2)?;
        ensure!(done.status.success(), "generator: {}: {}", done.status, done.stderr.trim());
        reports.push(laboratory::report(&done.stdout)?);
    }
    let took = start.elapsed().as_secs_f64();
    scale.what = format!("{}: took {took:.1} s", load.about);
    let lost = losses(&daemon)?;
    daemon.stop()?;
    let rows = daemon.query("pid,cmdline")?;
    let ours = rows.iter().filter(|row| {
        let cmdline = row.get("cmdline").and_then(Value::as_str).unwrap_or_default();
        let pid = row.get("pid").and_then(Value::as_u64).unwrap_or_default();
        if load.marked { cmdline.split(' ').any(|word| word == mark) } else { pids.contains(&pid) }
    });
    let (send, recv) = ours.fold((0, 0), |(send, recv), row| {
        let number = |key| row.get(key).and_then(Value::as_u64).unwrap_or_default();
        (send + number("send"), recv + number("recv"))
    });
    let sent: u64 = reports.iter().map(Report::sent).sum();
    let received: u64 = reports.iter().map(Report::recv).sum();
    scale.ok = (send, recv) == (sent, received) && sent > 0 && lost.is_empty();
    scale.shown = if (send, recv) == (sent, received) {
        "1".to_owned()
    } else {
        format!("{send}/{sent} {recv}/{received}")
    };
    scale.counters = if lost.is_empty() { "0".to_owned() } else { lost.join(", ") };
    scale.detail = format!("sent {send}/{sent}, received {recv}/{received}; {}", scale.counters);
    Ok(())
}

/// Counters of losses that are not zero.
fn losses(daemon: &Daemon) -> Result<Vec<String>> {
    let status = daemon.status()?;
    let counters = status.get("counters").and_then(Value::as_object);
    let counters = counters.context("status has no counters")?;
    let told = counters.iter().filter_map(|(name, value)| {
        let value = value.as_u64().filter(|value| *value > 0)?;
        is_loss(name).then(|| format!("{name} {value}"))
    });
    Ok(told.collect())
}

/// What counts something lost, missed or less detailed, by its name: the words of `status`.
fn is_loss(name: &str) -> bool {
    ["overflow", "lost", "missed", "dropped", "failed", "refused"]
        .iter()
        .any(|word| name.contains(word))
}
