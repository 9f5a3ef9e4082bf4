//! Connections that carry nothing, and what the daemon watches for only once it is wanted.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;

use crate::expect;
use crate::expect::Row;
use crate::helpers::Steps;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

/// What a port scan looks like: many attempts, no bytes, one line of the history.
pub(super) fn port_scan(world: &World) -> Result<Outcome> {
    const ATTEMPTS: u64 = 1000;
    let (root, mark) = (Root::new(world)?, world.mark("scan"));
    let daemon = root.start()?;
    let rounds = ATTEMPTS.to_string();
    let scan = ["traffic", "connect-refused", "--tag", &mark, "--rounds", &rounds];
    world.report(world.testkit(&scan))?;
    daemon.stop()?;
    let rows = root.query("cmdline,direction,outcome")?;
    let rows = expect::marked(&rows, &mark);
    let refused = rows.iter().map(|row| Row(row)).find(|row| row.text("outcome") == "refused");
    let refused = refused.with_context(|| format!("nothing was refused: {rows:#?}"))?;
    let counts = (refused.number("connections"), refused.number("failed"));
    ensure!(counts == (ATTEMPTS, ATTEMPTS), "{counts:?} of {ATTEMPTS}: {}", refused.0);
    ensure!(refused.text("direction") == "outgoing", "{}", refused.0);
    ensure!(refused.bytes() == (0, 0), "a refused connection moves nothing: {}", refused.0);
    // A SYN with its options, and a bare reset.
    let wire = (refused.number("wire_send"), refused.number("wire_recv"));
    ensure!(wire == (60 * ATTEMPTS, 40 * ATTEMPTS), "{wire:?} on the wire: {}", refused.0);
    Ok(Outcome::Passed)
}

/// Once a program receives without asking who sent, the daemon looks by itself.
pub(super) fn senders_found_out(world: &World) -> Result<Outcome> {
    const HOOK: &str = "fs_received";
    let root = Root::new(world)?;
    let daemon = root.start()?;
    let status = root.status()?;
    let hooks = status.get("hooks").and_then(Value::as_array).context("no hooks")?;
    let hook = hooks.iter().map(Row).find(|hook| hook.text("program") == HOOK);
    if hook.context("no such hook")?.text("state") == "refused" {
        return Ok(Outcome::Skipped("this kernel has no function tracing".to_owned()));
    }
    ensure!(!root.attached()?.iter().any(|hook| hook == HOOK), "attached although not wanted");
    world.traffic("udp-recv-plain", &world.mark("first"))?;
    command::until("the hook for senders", world.patience(10), || {
        Ok(root.attached()?.iter().any(|hook| hook == HOOK))
    })?;
    let mark = world.mark("second");
    let report = world.traffic("udp-recv-plain", &mark)?;
    daemon.stop()?;
    expect::exactly(&root, &mark, &report)?;
    Ok(Outcome::Passed)
}

/// A connection that is only ever spliced from ends in no call that receives: it is found out while
/// it lasts, and from then on watched.
pub(super) fn splices_found_out(world: &World) -> Result<Outcome> {
    const HOOK: &str = "fs_tcp_read";
    let (root, mark) = (Root::new(world)?, world.mark("splices"));
    let daemon = root.start()?;
    let mut steps = Steps::splicing(world, &mark)?;
    ensure!(!root.attached()?.iter().any(|hook| hook == HOOK), "attached although not wanted");
    steps.go(0, 100_000)?;
    command::until("the hook for splices", world.patience(20), || {
        Ok(root.attached()?.iter().any(|hook| hook == HOOK))
    })?;
    steps.go(7, 1234)?;
    // While the connection is open: its end would tell everything anyway.
    daemon.stop()?;
    expect::exactly(&root, &mark, &steps.finish()?)?;
    Ok(Outcome::Passed)
}

/// The daemon is stopped before it has found out that somebody splices.
pub(super) fn splices_at_the_end(world: &World) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("splices-end"));
    let daemon = root.start()?;
    let mut steps = Steps::splicing(world, &mark)?;
    steps.go(10, 100_000)?;
    daemon.stop()?;
    expect::exactly(&root, &mark, &steps.finish()?)?;
    Ok(Outcome::Passed)
}
