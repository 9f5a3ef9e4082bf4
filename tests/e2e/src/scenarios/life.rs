//! Starting, stopping, being killed, being told to read the configuration again.

use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use nix::sys::signal::Signal;

use crate::expect;
use crate::helpers::Steps;
use crate::helpers::Talker;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

pub(super) fn older_connection(world: &World) -> Result<Outcome> {
    let mark = world.mark("older");
    older(world, &mark, Steps::start(world, &mark)?)
}

pub(super) fn older_without_leader(world: &World) -> Result<Outcome> {
    let mark = world.mark("leaderless");
    older(world, &mark, Steps::leaderless(world, &mark)?)
}

fn older(world: &World, mark: &str, mut steps: Steps) -> Result<Outcome> {
    let root = Root::new(world)?;
    steps.go(100_000, 100_003)?;
    let daemon = root.start()?;
    steps.go(3000, 2000)?;
    steps.go(70_001, 5)?;
    let mut report = steps.finish()?;
    daemon.stop()?;
    for end in &mut report.ends {
        let (up, down) = (100_000, 100_003);
        let (sent, recv) = if end.role == "client" { (up, down) } else { (down, up) };
        end.sent -= sent;
        end.recv -= recv;
    }
    expect::exactly(&root, mark, &report)?;
    Ok(Outcome::Passed)
}

pub(super) fn sigterm_loses_nothing(world: &World) -> Result<Outcome> {
    // Nothing would be sampled or written by itself during the test.
    let lazy = "[capture]\nsample_interval = \"60s\"\n\n[store]\nwrite_interval = \"1h\"\n";
    let root = Root::with(world, lazy)?;
    let (open, daemon) = (world.mark("open"), root.start()?);
    let mut steps = Steps::start(world, &open)?;
    let mut done = Vec::new();
    for kind in ["tcp4", "udp4", "prefork-udp", "udp-unconnected"] {
        let mark = world.mark(kind);
        done.push((world.traffic(kind, &mark)?, mark));
    }
    steps.go(123_456, 7890)?;
    daemon.stop()?;
    // This connection was still open when the daemon stopped.
    done.push((steps.finish()?, open));
    for (report, mark) in done {
        expect::exactly(&root, &mark, &report).context(mark)?;
    }
    Ok(Outcome::Passed)
}

/// "Nothing happened" and "nobody looked" differ.
pub(super) fn gaps(world: &World) -> Result<Outcome> {
    let root = Root::new(world)?;
    let daemon = root.start()?;
    // Past the first batch, so that there is a sign of life to count from.
    thread::sleep(Duration::from_millis(2500));
    ensure!(root.gaps()?.is_empty(), "a gap while somebody looks: {:?}", root.gaps()?);
    daemon.stop()?;
    thread::sleep(Duration::from_secs(3));
    let daemon = root.start()?;
    thread::sleep(Duration::from_millis(2500));
    daemon.kill();
    thread::sleep(Duration::from_secs(3));
    let daemon = root.start()?;
    thread::sleep(Duration::from_millis(1500));
    daemon.stop()?;
    let gaps = root.gaps()?;
    let told: Vec<&str> = gaps.iter().map(|(_, reason)| reason.as_str()).collect();
    ensure!(told == ["stopped", "killed"], "stopped once and killed once: {gaps:?}");
    ensure!(gaps.iter().all(|(long, _)| *long >= 2), "three seconds each: {gaps:?}");
    Ok(Outcome::Passed)
}

pub(super) fn kill_9(world: &World) -> Result<Outcome> {
    let root = Root::new(world)?;
    let mut load = world.testkit(&["bench", "tcp-bulk", "--bytes", "4000000000000000"]);
    load.stderr(std::process::Stdio::null());
    let load = Talker::start(load)?;
    for round in 0..world.kills {
        let daemon = root.start()?;
        // Killed at another moment of the write interval each time.
        thread::sleep(Duration::from_millis(900 + round * 37 % 700));
        daemon.kill();
        if root.database().exists() {
            root.check_integrity().with_context(|| format!("after kill number {round}"))?;
        }
    }
    drop(load);
    ensure!(root.database().exists(), "there never was a database");
    let mark = world.mark("after-kill");
    let daemon = root.start()?;
    let report = world.traffic("tcp4", &mark)?;
    daemon.stop()?;
    root.check_integrity()?;
    expect::exactly(&root, &mark, &report)?;
    Ok(Outcome::Passed)
}

pub(super) fn second_instance(world: &World) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("first"));
    let mut daemon = root.start()?;
    let (code, said) = root.refused()?;
    ensure!(code == Some(1), "the second instance ended with {code:?}: {said}");
    let pid = daemon.pid().to_string();
    ensure!(said.contains("another") && said.contains(&pid), "it should name {pid}: {said}");
    ensure!(daemon.runs()?, "the first instance is gone: {}", daemon.log());
    let report = world.traffic("tcp4", &mark)?;
    daemon.stop()?;
    expect::exactly(&root, &mark, &report)?;
    Ok(Outcome::Passed)
}

pub(super) fn sighup(world: &World) -> Result<Outcome> {
    let root = Root::new(world)?;
    let hidden = world.mark("hidden");
    let mut steps = Steps::start(world, &hidden)?;
    let daemon = root.start()?;
    let first = world.mark("first");
    let seen = world.traffic("tcp4", &first)?;
    // A broken file changes nothing.
    let reload = |config: &str, patience: Duration| {
        root.configure(config)?;
        let before = daemon.log().lines().count();
        daemon.signal(Signal::SIGHUP)?;
        command::until("an answer to SIGHUP", patience, || {
            Ok(daemon.log().lines().skip(before).any(|line| line.contains("config")))
        })
    };
    reload("[store]\nwrite_intervall = \"1s\"\n", world.patience(5))?;
    let second = world.mark("second");
    let also = world.traffic("tcp4", &second)?;
    let ignore = format!(
        "[capture]\nsample_interval = \"0.2s\"\n[store]\nwrite_interval = \"1s\"\n\
         [ignore]\nports = [{}]\n",
        steps.server.port()
    );
    reload(&ignore, world.patience(5))?;
    steps.go(5000, 6000)?;
    let third = world.mark("third");
    let last = world.traffic("udp4", &third)?;
    steps.finish()?;
    daemon.stop()?;
    for (mark, report) in [(first, seen), (second, also), (third, last)] {
        expect::exactly(&root, &mark, &report).context(mark)?;
    }
    let rows = root.query("cmdline")?;
    let ignored = expect::marked(&rows, &hidden);
    ensure!(ignored.is_empty(), "ignored after the reload, yet there: {ignored:?}");
    Ok(Outcome::Passed)
}

pub(super) fn clock_step(world: &World) -> Result<Outcome> {
    if !world.machine_is_ours {
        let why = "would move this machine's clock; runs where FEMTOSNITCH_E2E_VM=1";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    let (root, before, after) = (Root::new(world)?, world.mark("before"), world.mark("after"));
    let daemon = root.start()?;
    let early = world.traffic("tcp4", &before)?;
    let step = |seconds: &str| -> Result<()> {
        let command = world.testkit(&["step-clock", "--seconds", seconds]);
        let done = command::run(command, world.patience(5))?;
        ensure!(done.status.success(), "{}", done.stderr);
        Ok(())
    };
    step("-3600")?;
    let late = world.traffic("tcp4", &after)?;
    // Written by the running daemon, not only by the one that stops.
    let written = command::until("rows after the clock was set back", world.patience(10), || {
        Ok(!expect::marked(&root.query("cmdline")?, &after).is_empty())
    });
    let stopped = daemon.stop();
    step("3600")?;
    written?;
    stopped?;
    expect::exactly(&root, &before, &early)?;
    expect::exactly(&root, &after, &late)?;
    Ok(Outcome::Passed)
}
