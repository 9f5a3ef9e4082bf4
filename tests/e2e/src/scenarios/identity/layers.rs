//! File systems of which each is several.

use anyhow::Result;
use femtosnitch_testkit::tiny::Before;

use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::mounted::Mounted;
use crate::scenarios::programs::Programs;
use crate::world::World;

/// An overlay whose layers lie on different file systems: below, copied up, above, and gone.
pub(in crate::scenarios) fn overlay(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let at = |name: &str| dir.path().join(name);
    for name in ["lower", "upper", "merged"] {
        std::fs::create_dir(at(name))?;
    }
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let _lower = Mounted::new("tmpfs", "tmpfs", "mode=755", &at("lower"))?;
    let _upper = Mounted::new("tmpfs", "tmpfs", "mode=755", &at("upper"))?;
    for name in ["upper/files", "upper/work"] {
        std::fs::create_dir(at(name))?;
    }
    programs.make(&at("lower/below"), Before::Nothing)?;
    programs.make(&at("lower/gone"), Before::Unlink)?;
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        at("lower").display(),
        at("upper/files").display(),
        at("upper/work").display()
    );
    let merged = match Mounted::new("overlay", "overlay", &options, &at("merged")) {
        Ok(mounted) => mounted,
        Err(error) => return Ok(Outcome::Skipped(format!("no overlay here: {error:#}"))),
    };
    // A file system tells of what is executed once it was seen: not of what is gone within the
    // first moments of a mount.
    for name in ["merged/below", "merged/gone"] {
        programs.expect(&at(name))?;
        programs.run(&at(name))?;
        programs.wait(&root, &at("merged/below"))?;
    }
    programs.write_and_run(&at("merged/below"), Before::Nothing)?;
    programs.write_and_run(&at("merged/above"), Before::Nothing)?;
    programs.write_and_run(&at("merged/above-gone"), Before::Unlink)?;
    daemon.stop()?;
    drop(merged);
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}
