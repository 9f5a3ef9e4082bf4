//! Programs that have no name when they are executed.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_harness::digest;
use femtosnitch_testkit::nameless;
use femtosnitch_testkit::tiny::Before;

use crate::expect::Row;
use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::programs::Programs;
use crate::scenarios::programs::Sending;
use crate::world::World;

/// From a file in memory. Its path says so; it can be had as long as it runs.
pub(in crate::scenarios) fn memory(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let path = nameless::memory_path();
    for by in ["descriptor", "link"] {
        let file = dir.path().join(by);
        programs.make(&file, Before::Nothing)?;
        let mut running = Sending::start(executed(world, "memory", by, &file))?;
        running.poke()?;
        programs.expect_as(&path, &digest::of_file(&file)?, running.times);
        programs.wait_for(&root, &path)?;
        running.finish(&root)?;
    }
    daemon.stop()?;
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}

/// By a descriptor of a file that was removed before, and of one that never had a name; each is
/// gone a moment later. The path is the name that the file had or would have had.
pub(in crate::scenarios) fn descriptor(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let (mut removed, mut unnamed) = (Vec::new(), Vec::new());
    for (what, digests) in [("removed", &mut removed), ("unnamed", &mut unnamed)] {
        for by in ["descriptor", "link"] {
            let file = dir.path().join(format!("{what}-by-{by}"));
            programs.make(&file, Before::Nothing)?;
            let sha256 = digest::of_file(&file)?;
            let command = executed(world, what, by, &file);
            if by == "descriptor" && !hands_over_descriptors()? {
                // It can be had as long as it runs.
                let running = Sending::start(command)?;
                command::until("the digest in history", world.patience(15), || {
                    let rows = root.query("sha256")?;
                    Ok(rows.iter().any(|row| Row(row).text("sha256") == sha256))
                })?;
                running.finish(&root)?;
            } else {
                programs.run_by(command)?;
            }
            ensure!(file.exists() == (what == "unnamed"), "{} is there?", file.display());
            digests.push((sha256, file.display().to_string()));
        }
    }
    daemon.stop()?;
    for (sha256, path) in removed {
        programs.expect_as(&path, &sha256, 1);
    }
    programs.compare(&root)?;
    let rows = root.query("exe,sha256")?;
    for (sha256, _) in unnamed {
        let those = rows.iter().map(Row).filter(|row| row.text("sha256") == sha256);
        let paths: Vec<String> = those.map(|row| row.text("exe").to_owned()).collect();
        let [path] = &paths[..] else { bail!("{sha256} ran under one name, not {paths:?}") };
        // The kernel names it after its inode.
        let number = path.strip_prefix(&format!("{}/#", dir.path().display()));
        let right = number.is_some_and(|number| number.parse::<u64>().is_ok());
        ensure!(right, "{path} for a file that never had a name in {}", dir.path().display());
    }
    Ok(Outcome::Passed)
}

/// Whether the kernel tells of what is executed by a descriptor alone, as it does since 6.8.
fn hands_over_descriptors() -> Result<bool> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let (major, minor) = numbers.next().zip(numbers.next()).context("which kernel is this?")?;
    Ok((major, minor) >= (6, 8))
}

fn executed(world: &World, what: &str, by: &str, file: &Path) -> Command {
    let mut command = Command::new(&world.testkit);
    command.args(["nameless", "--what", what, "--by", by]).arg(file);
    command
}
