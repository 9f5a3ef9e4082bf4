//! The live socket and the status.

use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;

use crate::expect::Row;
use crate::live::Live;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

pub(super) fn flows(world: &World) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("live"));
    let daemon = root.start()?;
    let mut live = Live::connect(&root)?;
    let hello = live.next()?;
    ensure!(kind(&hello) == "hello", "the first line is {hello}");
    let report = world.traffic("tcp4", &mark)?;
    let (mut sent, mut recv) = (0, 0);
    let deadline = Instant::now() + world.patience(15);
    live.until("all of the traffic", deadline, |event| {
        let row = Row(event);
        if kind(event) == "flow" && row.text("cmdline").ends_with(&mark) {
            sent += row.number("send");
            recv += row.number("recv");
        }
        sent >= report.sent() && recv >= report.recv()
    })?;
    daemon.stop()?;
    let wanted = (report.sent(), report.recv());
    ensure!((sent, recv) == wanted, "moved {wanted:?}, told {:?}", (sent, recv));
    Ok(Outcome::Passed)
}

fn kind(event: &Value) -> &str {
    event.get("type").and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn slow_reader(world: &World) -> Result<Outcome> {
    let root = Root::quick_and(world, "[live]\nreader_buffer = \"16KiB\"\n")?;
    let daemon = root.start()?;
    let mut slow = Live::connect(&root)?;
    ensure!(kind(&slow.next()?) == "hello", "no greeting");
    // More events than the buffers of the daemon and of the socket hold.
    for _ in 0..5 {
        let mark = world.mark("events");
        world.report(world.testkit(&["many", "--tag", &mark, "--processes", "200"]))?;
    }
    std::thread::sleep(Duration::from_secs(1));
    let deadline = Instant::now() + world.patience(20);
    let mut missed = 0;
    slow.until("missed events", deadline, |event| {
        if kind(event) == "missed" {
            missed = Row(event).number("events");
        }
        missed > 0
    })?;
    // Still served: not cut off.
    let mark = world.mark("still");
    world.traffic("udp4", &mark)?;
    slow.until("later traffic", Instant::now() + world.patience(20), |event| {
        Row(event).text("cmdline").ends_with(&mark)
    })?;
    daemon.stop()?;
    Ok(Outcome::Passed)
}

pub(super) fn status(world: &World) -> Result<Outcome> {
    let root = Root::new(world)?;
    let daemon = root.start()?;
    let status = root.status()?;
    let row = Row(&status);
    ensure!(status.get("running") == Some(&Value::Bool(true)), "not running? {status}");
    ensure!(row.number("pid") == u64::from(daemon.pid()), "another pid: {status}");
    let hooks = status.get("hooks").and_then(Value::as_array);
    let attached =
        hooks.is_some_and(|hooks| hooks.iter().any(|hook| Row(hook).text("state") == "attached"));
    ensure!(attached, "no hook is attached: {status}");
    ensure!(["tracepoint", "fexit"].contains(&row.text("front")), "which front? {status}");
    ensure!(row.text("self_test") == "passed", "self-test: {status}");
    let counters = status.get("counters").and_then(Value::as_object);
    ensure!(counters.is_some_and(|counters| !counters.is_empty()), "no counters: {status}");
    daemon.stop()?;
    ensure!(root.status().is_err(), "status succeeds without a daemon");
    Ok(Outcome::Passed)
}
