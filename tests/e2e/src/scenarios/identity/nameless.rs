//! Programs that have no name when they are executed.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
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
    for by in ["descriptor", "link"] {
        let file = dir.path().join(format!("removed-by-{by}"));
        programs.write(&file, Before::Nothing)?;
        programs.run_by(executed(world, "removed", by, &file))?;
        ensure!(!file.exists(), "{} is still there", file.display());
    }
    let mut unnamed = Vec::new();
    for by in ["descriptor", "link"] {
        let file = dir.path().join(format!("unnamed-by-{by}"));
        programs.make(&file, Before::Nothing)?;
        unnamed.push(digest::of_file(&file)?);
        programs.run_by(executed(world, "unnamed", by, &file))?;
    }
    daemon.stop()?;
    programs.compare(&root)?;
    let rows = root.query("exe,sha256")?;
    for sha256 in unnamed {
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

fn executed(world: &World, what: &str, by: &str, file: &Path) -> Command {
    let mut command = Command::new(&world.testkit);
    command.args(["nameless", "--what", what, "--by", by]).arg(file);
    command
}
