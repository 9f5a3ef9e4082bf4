//! A running daemon goes by another configuration, or refuses it; no byte is lost meanwhile.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::expect;
use crate::helpers::Steps;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

/// Filters go on and off under a connection that never rests: each byte is in its row or in the
/// rule's.
pub(super) fn under_traffic(world: &World) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("busy"));
    let mut steps = Steps::start(world, &mark)?;
    let daemon = root.start()?;
    let port = steps.server.port();
    let rule = format!("[ignore]\nports = [{port}]\n");
    let others = "[privacy]\nredact_patterns = [\"--pin\"]\n";
    let report = thread::scope(|scope| {
        let busy = scope.spawn(move || {
            for round in 0..600 {
                steps.go(10_000 + round, 7_000)?;
                thread::sleep(Duration::from_millis(5));
            }
            steps.finish()
        });
        for round in 0..8 {
            root.configure_quick_and(if round % 2 == 0 { &rule } else { others })?;
            let (code, said) = root.reload()?;
            ensure!(code == Some(0) && said.contains("in force"), "{code:?}: {said}");
            thread::sleep(Duration::from_millis(300));
        }
        busy.join().map_err(|_| anyhow::anyhow!("the traffic panicked"))?
    })?;
    let generation = number(&root.status()?, "generation");
    daemon.stop()?;
    ensure!(generation == 9, "eight times another configuration, yet {generation}");
    let rows = root.query("cmdline")?;
    let shown = expect::total(expect::marked(&rows, &mark));
    let ignored = root.ignored(&format!("ignore.ports {port}"))?;
    let (told, moved) =
        ((shown.0 + ignored.0, shown.1 + ignored.1), (report.sent(), report.recv()));
    ensure!(told == moved, "{shown:?} and {ignored:?} are not {moved:?}");
    ensure!(shown.0 > 0 && ignored.0 > 0, "nothing changed: {shown:?}, {ignored:?}");
    Ok(Outcome::Passed)
}

/// What is wrong is refused with its reason, by the command and by the daemon; what was in force
/// stays.
pub(super) fn refused(world: &World) -> Result<Outcome> {
    let hidden = world.mark("hidden");
    let mut steps = Steps::start(world, &hidden)?;
    let rule = format!("[ignore]\nports = [{}]\n", steps.server.port());
    let root = Root::quick_and(world, &rule)?;
    let daemon = root.start()?;
    root.configure("[store]\nretentoin = \"1d\"\n")?;
    let (code, said) = root.reload()?;
    let reason = "config.toml:2: store.retentoin";
    ensure!(code == Some(1) && said.contains(reason), "{code:?}: {said}");
    let status = root.status()?;
    ensure!(number(&status, "reloads") == 0, "the daemon was disturbed: {status}");
    daemon.signal(Signal::SIGHUP)?;
    let refused = || Ok(text(&root.status()?, "/config/refused").contains(reason));
    command::until("a refusal", world.patience(10), refused)?;
    ensure!(number(&root.status()?, "generation") == 1, "another one is in force");
    ensure!(daemon.log().contains(reason), "the log lacks the reason: {}", daemon.log());
    steps.go(5_000, 6_000)?;
    root.configure_quick_and(&format!("{rule}[live]\nmax_readers = 7\n"))?;
    let (code, said) = root.reload()?;
    let waits = said.contains("live.max_readers changes at the next start");
    ensure!(code == Some(0) && waits, "{code:?}: {said}");
    let status = root.status()?;
    ensure!(status.pointer("/config/refused") == Some(&Value::Null), "{status}");
    ensure!(text(&status, "/config/at_next_start/0") == "live.max_readers", "{status}");
    let moved = steps.finish()?;
    daemon.stop()?;
    let rows = root.query("cmdline")?;
    let rows = expect::marked(&rows, &hidden);
    ensure!(rows.is_empty(), "ignored all the time, yet there: {rows:?}");
    let told = root.ignored(rule.lines().nth(1).map(rule_name).context("no rule")?.as_str())?;
    ensure!(told == (moved.sent(), moved.recv()), "{told:?}");
    Ok(Outcome::Passed)
}

/// `ports = [7]` as the history calls it.
fn rule_name(line: &str) -> String {
    format!("ignore.{}", line.replace(" = [", " ").replace(']', ""))
}

/// Intervals, too, are others at once.
pub(super) fn intervals(world: &World) -> Result<Outcome> {
    let lazy = "[capture]\nsample_interval = \"60s\"\n\n[store]\nwrite_interval = \"1h\"\n";
    let (root, mark) = (Root::with(world, lazy)?, world.mark("soon"));
    let daemon = root.start()?;
    let report = world.traffic("tcp4", &mark)?;
    root.configure_quick_and("")?;
    let (code, said) = root.reload()?;
    ensure!(code == Some(0), "{said}");
    command::until("rows", world.patience(10), || {
        let rows = root.query("cmdline").unwrap_or_default();
        Ok(expect::total(expect::marked(&rows, &mark)) == (report.sent(), report.recv()))
    })?;
    daemon.stop()?;
    Ok(Outcome::Passed)
}

/// Whoever may not, and whoever has nobody to ask, is told so.
pub(super) fn nobody_to_ask(world: &World) -> Result<Outcome> {
    const SOMEBODY: u32 = 64_321;
    let root = Root::new(world)?;
    let (code, said) = root.reload()?;
    ensure!(code == Some(1) && said.contains("no daemon is running"), "{code:?}: {said}");
    let mut daemon = root.start()?;
    let mut command = Command::new(&world.femtosnitch);
    command.arg("reload").arg("--root").arg(root.path("")).uid(SOMEBODY).gid(SOMEBODY);
    let done = command::run(command, world.patience(10))?;
    ensure!(done.status.code() == Some(1), "{}", done.stderr);
    ensure!(daemon.runs()?, "the daemon is gone: {}", daemon.log());
    ensure!(number(&root.status()?, "reloads") == 0, "somebody reloaded it");
    daemon.stop()?;
    Ok(Outcome::Passed)
}

fn number(status: &Value, key: &str) -> u64 {
    let number = status.pointer(&format!("/config/{key}")).and_then(Value::as_u64);
    number.unwrap_or(u64::MAX)
}

fn text<'s>(status: &'s Value, key: &str) -> &'s str {
    status.pointer(key).and_then(Value::as_str).unwrap_or_default()
}
