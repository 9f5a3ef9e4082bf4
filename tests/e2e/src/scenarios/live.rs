//! The live socket and the status.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
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

/// What else is told of a program: the package that a file of the distribution is from, and the
/// script that it runs.
pub(super) fn facts(world: &World) -> Result<Outcome> {
    let Some(python) = ["/usr/bin/python3"].into_iter().find(|it| Path::new(it).exists()) else {
        return Ok(Outcome::Skipped("no python3 here".to_owned()));
    };
    let root = Root::new(world)?;
    let daemon = root.start()?;
    let mut live = Live::connect(&root)?;
    let dir = tempfile::tempdir()?;
    let script = dir.path().join("send.py");
    let text = "import socket, time\ns = socket.socket(type=socket.SOCK_DGRAM)\n\
                for _ in range(40):\n    s.sendto(b'x', ('127.0.0.1', 9))\n    time.sleep(0.2)\n";
    std::fs::write(&script, text)?;
    let mut sender = Command::new(python).arg("send.py").current_dir(dir.path()).spawn()?;
    let deadline = Instant::now() + world.patience(8);
    let mut told = Value::Null;
    let wanted = live.until("package and script", deadline, |event| {
        let row = Row(event);
        if kind(event) == "flow" && row.text("script").ends_with("/send.py") {
            told = event.clone();
        }
        let row = Row(&told);
        !row.text("package_state").is_empty() && row.text("script_sha256").len() == 64
    });
    drop(sender.kill());
    sender.wait()?;
    daemon.stop()?;
    wanted.with_context(|| format!("at last: {told}"))?;
    let row = Row(&told);
    ensure!(row.text("script") == script.to_string_lossy(), "another script: {told}");
    if Path::new("/var/lib/dpkg/status").exists() {
        let package = row.text("package");
        ensure!(package.starts_with("dpkg python3"), "package {package:?}: {told}");
        ensure!(row.text("package_state") == "intact", "not intact: {told}");
    }
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
