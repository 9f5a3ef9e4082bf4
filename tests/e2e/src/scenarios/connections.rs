//! Connections that carry nothing.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

use crate::expect;
use crate::expect::Row;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

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
