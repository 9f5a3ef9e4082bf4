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
    let rows: Vec<Row<'_>> = rows.into_iter().map(Row).collect();
    // Where a batch ends in the middle of a connect(2), its row says that it began and is open, and
    // the next batch's that it was refused.
    let wanted = |row: &Row<'_>| matches!(row.text("outcome"), "refused" | "");
    ensure!(rows.iter().all(wanted), "another outcome: {rows:#?}");
    let refused = rows.iter().find(|row| row.text("outcome") == "refused");
    let refused = refused.with_context(|| format!("nothing was refused: {rows:#?}"))?;
    ensure!(refused.number("failed") == ATTEMPTS, "of {ATTEMPTS} failed: {}", refused.0);
    let of_all = |key: &str| rows.iter().map(|row| row.number(key)).sum::<u64>();
    ensure!(of_all("connections") == ATTEMPTS, "of {ATTEMPTS} began: {rows:#?}");
    ensure!(rows.iter().all(|row| row.text("direction") == "outgoing"), "{rows:#?}");
    ensure!(rows.iter().all(|row| row.bytes() == (0, 0)), "none moves a byte: {rows:#?}");
    // A SYN with its options, and a bare reset.
    let wire = (of_all("wire_send"), of_all("wire_recv"));
    ensure!(wire == (60 * ATTEMPTS, 40 * ATTEMPTS), "{wire:?} on the wire: {rows:#?}");
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
    // The end waits a second for digests, which is not enough in a guest that is slow just then.
    command::until("the digests", world.patience(10), || {
        let rows = root.query("cmdline,sha256")?;
        let rows = expect::marked(&rows, &mark);
        let known = |row: &&Value| Row(row).text("sha256") != "(pending)";
        Ok(!rows.is_empty() && rows.iter().all(known))
    })?;
    daemon.stop()?;
    expect::exactly(&root, &mark, &steps.finish()?)?;
    Ok(Outcome::Passed)
}
