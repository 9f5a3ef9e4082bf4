//! What the programs cost the kernel's verifier, which differs much from kernel to kernel. A count,
//! not a time: the same on every machine.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;

use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// Instructions that the verifier may walk for one program: some 100 ms on a slow machine.
const MOST: u64 = 20_000;

pub(super) fn work(world: &World) -> Result<Outcome> {
    let root = Root::new(world)?;
    let daemon = root.start()?;
    let each = verified(Path::new(&format!("/proc/{}/fdinfo", daemon.pid())))?;
    daemon.stop()?;
    ensure!(each.len() > 8, "the daemon holds no programs: {each:?}");
    ensure!(each.iter().all(|walked| *walked < MOST), "walked for its programs: {each:?}");
    Ok(Outcome::Passed)
}

/// The figure of every BPF program among a process' descriptors.
fn verified(fdinfo: &Path) -> Result<Vec<u64>> {
    let mut each = Vec::new();
    for entry in fs::read_dir(fdinfo).context("reading the daemon's descriptors")? {
        // One that was closed meanwhile is none of a program's.
        let Ok(text) = fs::read_to_string(entry?.path()) else { continue };
        if let Some(walked) = text.lines().find_map(|line| line.strip_prefix("verified_insns:")) {
            each.push(walked.trim().parse()?);
        }
    }
    Ok(each)
}
