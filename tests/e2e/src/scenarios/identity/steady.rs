//! A program that is known costs nothing when it is executed again.

use std::fs::File;
use std::fs::FileTimes;
use std::time::SystemTime;

use anyhow::Result;
use femtosnitch_testkit::tiny::Before;

use super::work;
use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::programs::Programs;
use crate::world::World;

/// Executions of the known program.
const MANY: usize = 2_000;

/// Not one more digest for two thousand executions, and exactly one when the file was touched.
pub(in crate::scenarios) fn state(world: &World) -> Result<Outcome> {
    let (root, dir, many) = (Root::new(world)?, tempfile::tempdir()?, world.times(MANY));
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let path = dir.path().join("tool");
    programs.make(&path, Before::Nothing)?;
    work::lengthen(&path)?;
    programs.expect(&path)?;
    programs.run(&path)?;
    programs.wait(&root, &path)?;
    let sha256 = femtosnitch_harness::digest::of_file(&path)?;
    let mut runs = |times: usize| -> Result<()> {
        for _ in 0..times {
            programs.run(&path)?;
        }
        programs.expect_as(&path.display().to_string(), &sha256, times as u64);
        programs.wait(&root, &path)
    };
    work::exactly(&root, 0, || runs(many))?;
    work::exactly(&root, 1, || {
        let touch = FileTimes::new().set_modified(SystemTime::now());
        File::options().write(true).open(&path)?.set_times(touch)?;
        runs(many / 10)
    })?;
    daemon.stop()?;
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}
