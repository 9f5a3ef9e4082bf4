//! No space left for the history.

use std::fs;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;

use crate::expect;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

/// A small file system in memory, unmounted when dropped. Large enough for the traffic of others.
pub(super) struct Small(PathBuf);

impl Small {
    pub(super) fn mount(at: PathBuf) -> Result<Self> {
        fs::create_dir_all(&at).context("making the mount point")?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"]).arg(&at);
        let status = mount.status().context("running mount")?;
        ensure!(status.success(), "cannot mount a tmpfs on {}", at.display());
        Ok(Self(at))
    }

    /// Fills all space that is left.
    pub(super) fn fill(&self) -> Result<()> {
        let mut file = File::create(self.0.join("ballast")).context("making the ballast")?;
        let full = [vec![0; 65_536], vec![0; 512]];
        for block in full {
            while file.write_all(&block).is_ok() {}
        }
        Ok(())
    }

    pub(super) fn make_room(&self) -> Result<()> {
        fs::remove_file(self.0.join("ballast")).context("removing the ballast")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

pub(super) fn full(world: &World) -> Result<Outcome> {
    let root = Root::new(world)?;
    let disk = Small::mount(root.path("var/lib/femtosnitch"))?;
    let outcome = rows_wait(world, &root, &disk);
    drop(disk);
    outcome
}

fn rows_wait(world: &World, root: &Root<'_>, disk: &Small) -> Result<Outcome> {
    let daemon = root.start()?;
    disk.fill()?;
    // Space that the write-ahead log already has may take the first rows.
    let mut done = Vec::new();
    command::until("the daemon to notice the full disk", world.patience(20), || {
        let mark = world.mark("full");
        let many = ["many", "--tag", &mark, "--processes", "40"];
        done.push((world.report(world.testkit(&many))?, mark));
        Ok(state(&root.status()?) != "ok")
    })?;
    let noticed = root.status()?;
    let warned = noticed.get("warnings").and_then(Value::as_array).is_some_and(|w| !w.is_empty());
    ensure!(warned, "no warning in the status while the disk is full: {noticed}");
    disk.make_room()?;
    command::until("the rows to be written", world.patience(20), || {
        Ok(state(&root.status()?) == "ok")
    })?;
    daemon.stop()?;
    for (report, mark) in done {
        expect::exactly(root, &mark, &report).context(mark)?;
    }
    root.check_integrity()?;
    Ok(Outcome::Passed)
}

fn state(status: &Value) -> &str {
    status.pointer("/database/state").and_then(Value::as_str).unwrap_or_default()
}
