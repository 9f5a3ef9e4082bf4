//! Traffic inside network namespaces.

use std::os::unix::fs::MetadataExt;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::netns::Pair;

use crate::expect;
use crate::expect::Row;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

pub(super) fn traffic_inside(world: &World) -> Result<Outcome> {
    if world.skip_namespaces {
        return Ok(Outcome::Skipped("asked to skip network namespaces".to_owned()));
    }
    let root = Root::new(world)?;
    let daemon = root.start()?;
    // Made after the daemon: nothing may depend on what existed at its start.
    let pair = Pair::create()?;
    let inode = std::fs::metadata(format!("/run/netns/{}", pair.left.name));
    let inode = inode.context("looking at the namespace")?.ino();
    let mut done = Vec::new();
    for kind in ["tcp4", "tcp6", "udp4", "udp6", "raw4", "fork"] {
        let mark = world.mark(kind);
        let mut command = world.testkit(&["traffic", kind, "--tag", &mark]);
        pair.left.enter(&mut command)?;
        done.push((world.report(command)?, mark));
    }
    drop(pair);
    daemon.stop()?;
    let rows = root.query("cmdline,netns")?;
    for (report, mark) in done {
        expect::exactly(&root, &mark, &report).context(mark.clone())?;
        let right = |row: &&serde_json::Value| Row(row).number("netns") == inode;
        ensure!(expect::marked(&rows, &mark).iter().all(right), "netns is not {inode}: {rows:#?}");
    }
    Ok(Outcome::Passed)
}
