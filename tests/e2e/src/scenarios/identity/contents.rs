//! The digest in a row is that of the bytes that ran, whatever became of the file.

use std::fs::File;
use std::fs::FileTimes;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use femtosnitch_harness::digest;
use femtosnitch_testkit::sys::mapping;
use femtosnitch_testkit::tiny::Before;

use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::programs::Programs;
use crate::scenarios::programs::Sending;
use crate::world::World;

/// Programs of a millisecond.
const MANY: usize = 2_000;

/// A directory on the disk and one in memory, where a mapping moves no time stamp.
fn places() -> Result<[tempfile::TempDir; 2]> {
    Ok([tempfile::tempdir()?, tempfile::tempdir_in("/dev/shm")?])
}

/// Thousands of programs that differ and live for less than a millisecond; half of them are gone
/// before they send.
pub(in crate::scenarios) fn short_lived(world: &World) -> Result<Outcome> {
    let (root, dir, many) = (Root::new(world)?, tempfile::tempdir()?, world.times(MANY));
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let path = |n: usize| dir.path().join(format!("tool{n}"));
    let before = [Before::Nothing, Before::Unlink];
    for (n, before) in (0..many).zip(before.into_iter().cycle()) {
        programs.write(&path(n), before)?;
    }
    for n in 0..many {
        programs.run(&path(n))?;
    }
    daemon.stop()?;
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}

/// The same path and inode with other contents, its times set back: written to by a call, and
/// through a mapping.
pub(in crate::scenarios) fn overwritten(world: &World) -> Result<Outcome> {
    let (root, places) = (Root::new(world)?, places()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let paths: Vec<PathBuf> = places
        .iter()
        .flat_map(|dir| ["written", "mapped"].map(|name| dir.path().join(name)))
        .collect();
    for path in &paths {
        programs.write_and_run(path, Before::Nothing)?;
    }
    for path in &paths {
        programs.wait(&root, path)?;
    }
    for path in &paths {
        let file = File::options().read(true).write(true).open(path)?;
        let was = file.metadata()?;
        let other = u64::MAX.to_le_bytes();
        if path.ends_with("mapped") {
            mapping::replace_end(&file, &other)?;
        } else {
            file.write_all_at(&other, was.len() - 8)?;
        }
        drop(file);
        let times = FileTimes::new().set_modified(was.modified()?).set_accessed(was.accessed()?);
        File::options().write(true).open(path)?.set_times(times)?;
        programs.expect(path)?;
        programs.run(path)?;
    }
    daemon.stop()?;
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}

/// Another file is renamed over a running one, which goes on.
pub(in crate::scenarios) fn replaced(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let (path, new) = (dir.path().join("tool"), dir.path().join("new"));
    programs.make(&path, Before::Nothing)?;
    let first = digest::of_file(&path)?;
    let mut running = Sending::start(Command::new(&path))?;
    programs.make(&new, Before::Nothing)?;
    std::fs::rename(&new, &path)?;
    running.poke()?;
    programs.expect_as(&path.display().to_string(), &first, running.finish(&root)?);
    programs.expect(&path)?;
    programs.run(&path)?;
    daemon.stop()?;
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}
