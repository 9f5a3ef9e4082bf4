//! Files that share the number of an inode.

use std::fs::File;
use std::fs::FileTimes;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_testkit::tiny::Before;

use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::mounted::Mounted;
use crate::scenarios::programs::Programs;
use crate::world::World;

/// How often a number is used again.
const AGAIN: usize = 5;
/// Files made at a time to get a number that was just given up.
const BATCH: usize = 64;

/// One after the other, with the same size and time stamp: the later one must not get the digest
/// of the earlier one.
pub(in crate::scenarios) fn used_again(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let path = dir.path().join("tool");
    std::fs::write(&path, "")?;
    let number = path.metadata()?.ino();
    std::fs::remove_file(&path)?;
    if !take_number(dir.path(), &path, number, Duration::from_secs(1))? {
        let why = "this file system does not use the number of an inode again";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    std::fs::remove_file(&path)?;
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    programs.write_and_run(&path, Before::Nothing)?;
    for _ in 0..AGAIN {
        programs.wait(&root, &path)?;
        let before = path.metadata()?;
        std::fs::remove_file(&path)?;
        // Whoever still has the old file open keeps its number from being given away.
        let found = take_number(dir.path(), &path, before.ino(), world.patience(15))?;
        ensure!(found, "somebody keeps a removed file: its number is not given away");
        programs.write(&path, Before::Nothing)?;
        let times = FileTimes::new().set_modified(before.modified()?);
        File::options().write(true).open(&path)?.set_times(times)?;
        let now = path.metadata()?;
        let same = |file: &std::fs::Metadata| (file.ino(), file.size(), file.mtime_nsec());
        ensure!(same(&now) == same(&before), "not the same numbers: {now:?}, {before:?}");
        programs.run(&path)?;
    }
    daemon.stop()?;
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}

/// Makes files until one has this number, which is then the one at `path`.
fn take_number(dir: &Path, path: &Path, number: u64, patience: Duration) -> Result<bool> {
    let since = Instant::now();
    while since.elapsed() < patience {
        let files: Vec<_> = (0..BATCH).map(|n| dir.join(format!("file{n}"))).collect();
        let mut found = None;
        for file in &files {
            std::fs::write(file, "")?;
            if file.metadata()?.ino() == number {
                found = Some(file);
                break;
            }
        }
        if let Some(file) = found {
            std::fs::rename(file, path)?;
        }
        for file in files.iter().filter(|file| file.exists()) {
            std::fs::remove_file(file)?;
        }
        if found.is_some() {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(false)
}

/// At the same time, in two subvolumes of one btrfs.
pub(in crate::scenarios) fn subvolumes(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let (image, at) = (dir.path().join("image"), dir.path().join("btrfs"));
    std::fs::create_dir(&at)?;
    File::create(&image)?.set_len(256 << 20)?;
    let mut make = Command::new("mkfs.btrfs");
    make.arg("--quiet").arg(&image);
    if let Err(error) = command::output(make, world.patience(30)) {
        return Ok(Outcome::Skipped(format!("no mkfs.btrfs here: {error:#}")));
    }
    let daemon = root.start()?;
    let mounted = match Mounted::new("btrfs", &image.display().to_string(), "loop", &at) {
        Ok(mounted) => mounted,
        Err(error) => return Ok(Outcome::Skipped(format!("no btrfs here: {error:#}"))),
    };
    let mut programs = Programs::new()?;
    let paths = ["one", "two"].map(|name| at.join(name).join("tool"));
    for path in &paths {
        let mut create = Command::new("btrfs");
        create.args(["subvolume", "create"]).args(path.parent());
        command::output(create, world.patience(30))?;
        programs.make(path, Before::Nothing)?;
    }
    let [one, two] = &paths;
    let times = FileTimes::new().set_modified(one.metadata()?.modified()?);
    File::options().write(true).open(two)?.set_times(times)?;
    let numbers = |path: &Path| path.metadata().map(|file| (file.ino(), file.size()));
    ensure!(numbers(one)? == numbers(two)?, "not the same numbers in two subvolumes");
    for _ in 0..3 {
        for path in &paths {
            programs.expect(path)?;
            programs.run(path)?;
        }
        // The first time they run nothing is known of either.
        programs.wait(&root, two)?;
    }
    daemon.stop()?;
    drop(mounted);
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}
