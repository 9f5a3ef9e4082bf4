//! One file under several names, in several places.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use femtosnitch_harness::digest;
use femtosnitch_testkit::tiny::Before;

use super::work;
use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::mounted::Mounted;
use crate::scenarios::programs::Programs;
use crate::scenarios::programs::Sending;
use crate::scenarios::programs::script;
use crate::world::World;

/// At two places of the tree: each is a path of its own, the digest is computed once.
pub(in crate::scenarios) fn bind_mount(world: &World) -> Result<Outcome> {
    let dir = tempfile::tempdir()?;
    let places = ["here", "there"].map(|name| dir.path().join(name));
    for place in &places {
        std::fs::create_dir(place)?;
    }
    let [here, there] = &places;
    let _bound = Mounted::bound(here, there)?;
    hashed_once(world, &here.join("tool"), &there.join("tool"), |_path| Ok(()))
}

/// A file with two names.
pub(in crate::scenarios) fn hard_link(world: &World) -> Result<Outcome> {
    let dir = tempfile::tempdir()?;
    let other = dir.path().join("other");
    hashed_once(world, &dir.path().join("tool"), &other, |path| {
        if other.exists() {
            std::fs::remove_file(&other)?;
        }
        Ok(std::fs::hard_link(path, &other)?)
    })
}

/// Both run turn by turn, after `prepare` has seen to the second name of the first.
fn hashed_once(
    world: &World,
    one: &Path,
    two: &Path,
    prepare: impl Fn(&Path) -> Result<()>,
) -> Result<Outcome> {
    let root = Root::new(world)?;
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    work::exactly(&root, 1, || {
        programs.make(one, Before::Nothing)?;
        work::lengthen(one)?;
        prepare(one)?;
        for _ in 0..3 {
            for path in [one, two] {
                programs.expect(path)?;
                programs.run(path)?;
                programs.wait(&root, path)?;
            }
        }
        Ok(())
    })?;
    daemon.stop()?;
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}

/// A running program's file gets another name. What runs keeps the path that it was executed by.
pub(in crate::scenarios) fn renamed(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let [old, new] = ["old", "new"].map(|name| dir.path().join(name));
    programs.make(&old, Before::Nothing)?;
    let sha256 = digest::of_file(&old)?;
    // Before anything is known of the file, and after; but not in the middle of the exec.
    let mut running = Sending::start(Command::new(&old))?;
    programs.arrived(&root)?;
    std::fs::rename(&old, &new)?;
    running.poke()?;
    programs.expect_as(&old.display().to_string(), &sha256, running.times);
    programs.wait(&root, &old)?;
    programs.expect(&new)?;
    programs.run(&new)?;
    programs.wait(&root, &new)?;
    std::fs::rename(&new, &old)?;
    let before = running.times;
    running.poke()?;
    let times = running.finish(&root)? - before;
    programs.expect_as(&old.display().to_string(), &sha256, times);
    programs.expect(&old)?;
    programs.run(&old)?;
    daemon.stop()?;
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}

/// In a mount namespace with a file system of its own, over a path that holds another program
/// outside. What comes first waits until it is known; what comes then is gone at once.
pub(in crate::scenarios) fn mount_namespace(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("place"))?;
    let inside: Vec<PathBuf> =
        ["first", "second", "third"].iter().map(|name| at("place").join(name)).collect();
    for path in &inside {
        programs.write_and_run(path, Before::Nothing)?;
    }
    let sources: Vec<PathBuf> = ["one", "two", "three"].iter().map(|name| at(name)).collect();
    for (source, path) in sources.iter().zip(&inside) {
        let before = if path.ends_with("third") { Before::Unlink } else { Before::Nothing };
        programs.make(source, before)?;
        let sha256 = digest::of_file(source)?;
        programs.expect_as(&path.display().to_string(), &sha256, 1);
    }
    const LINE: &str = "mount --make-rprivate /
mount -t tmpfs tmpfs \"$1\"
cp \"$2\" \"$1/first\"; cp \"$3\" \"$1/second\"; cp \"$4\" \"$1/third\"
\"$1/first\"
\"$1/second\" < /dev/null
exec \"$1/third\" < /dev/null";
    let shell = script(LINE, std::iter::once(&at("place")).chain(&sources));
    let mut apart = Command::new("unshare");
    apart.arg("-m").arg(shell.get_program()).args(shell.get_args());
    let running = Sending::start(apart)?;
    let [first, ..] = &inside[..] else { return Ok(Outcome::Passed) };
    programs.wait(&root, first)?;
    running.finish(&root)?;
    daemon.stop()?;
    programs.compare(&root)?;
    // Outside nothing was mounted.
    File::open(first)?;
    Ok(Outcome::Passed)
}
