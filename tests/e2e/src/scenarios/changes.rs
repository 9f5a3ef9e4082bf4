//! What history tells of programs that are new, or are not what they were.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_harness::digest;
use femtosnitch_testkit::tiny::Before;
use serde_json::Value;

use super::programs::Programs;
use super::programs::Sending;
use crate::expect::Row;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// Where a package has its program, below its root.
const TOOL: &str = "usr/bin/tool";

/// What history tells of a path: (kind, old digest, new digest), oldest first.
fn told(root: &Root<'_>, path: &Path) -> Result<Vec<(String, String, String)>> {
    let path = path.display().to_string();
    let events = root.events()?;
    let those = events.iter().map(Row).filter(|row| row.text("exe") == path);
    let text = |row: &Row<'_>, key| row.text(key).to_owned();
    Ok(those
        .map(|row| (text(&row, "kind"), text(&row, "old_sha256"), text(&row, "sha256")))
        .collect())
}

/// Overwritten, and back to what it was by a rename; a copy under another name is new.
pub(super) fn modified(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let [tool, copy, first] = ["tool", "copy", "first"].map(|name| dir.path().join(name));
    programs.write_and_run(&tool, Before::Nothing)?;
    let one = digest::of_file(&tool)?;
    std::fs::copy(&tool, &first)?;
    programs.wait(&root, &tool)?;
    // Again, and what is new: the same contents elsewhere.
    std::fs::copy(&tool, &copy)?;
    for path in [&tool, &copy] {
        programs.expect(path)?;
        programs.run(path)?;
        programs.wait(&root, path)?;
    }
    programs.write_and_run(&tool, Before::Nothing)?;
    let other = digest::of_file(&tool)?;
    programs.wait(&root, &tool)?;
    std::fs::rename(&first, &tool)?;
    programs.expect(&tool)?;
    programs.run(&tool)?;
    daemon.stop()?;
    programs.compare(&root)?;
    let event =
        |kind: &str, old: &str, new: &str| (kind.to_owned(), old.to_owned(), new.to_owned());
    let wanted = [
        event("first-seen", "", &one),
        event("modified", &one, &other),
        event("modified", &other, &one),
    ];
    let found = told(&root, &tool)?;
    ensure!(found == wanted, "{found:#?}, not {wanted:#?}");
    let found = told(&root, &copy)?;
    ensure!(found == [event("first-seen", "", &one)], "the copy: {found:#?}");
    Ok(Outcome::Passed)
}

/// A root directory with a package database of its own.
struct Packaged {
    dir: tempfile::TempDir,
}

impl Packaged {
    fn new() -> Result<Self> {
        let this = Self { dir: tempfile::tempdir()? };
        for directory in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "usr/bin"] {
            std::fs::create_dir_all(this.path(directory))?;
        }
        Ok(this)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// What dpkg writes when it has installed the program that is there.
    fn record(&self, world: &World, version: &str) -> Result<()> {
        let mut md5sum = Command::new("md5sum");
        md5sum.arg(self.path(TOOL));
        let output = command::output(md5sum, world.patience(10))?;
        let md5 = output.split_whitespace().next().context("md5sum said nothing")?;
        let info = |name: &str| self.path("var/lib/dpkg/info").join(name);
        std::fs::write(info("tool.list"), format!("/.\n/usr\n/usr/bin\n/{TOOL}\n"))?;
        std::fs::write(info("tool.md5sums"), format!("{md5}  {TOOL}\n"))?;
        let status = format!(
            "Package: tool\nStatus: install ok installed\nArchitecture: all\nVersion: {version}\n\n"
        );
        Ok(std::fs::write(self.path("var/lib/dpkg/status"), status)?)
    }

    /// Runs the program inside until history knows its package's state.
    fn run(&self, root: &Root<'_>, programs: &mut Programs) -> Result<()> {
        let (tool, sha256) = (self.path(TOOL), digest::of_file(&self.path(TOOL))?);
        let mut chroot = Command::new("chroot");
        chroot.arg(self.dir.path()).arg(format!("/{TOOL}"));
        let running = Sending::start(chroot)?;
        let exe = tool.display().to_string();
        command::until("the state of the package", root.world.patience(20), || {
            let rows = root.query("exe,sha256,state")?;
            let there = rows.iter().map(Row).filter(|row| row.text("exe") == exe);
            Ok(there
                .filter(|row| row.text("sha256") == sha256)
                .any(|row| !row.text("state").is_empty()))
        })?;
        let times = running.finish(root)?;
        programs.expect_as(&exe, &sha256, times);
        Ok(())
    }
}

/// An upgrade by the package manager is not a modification, nor the other way round.
pub(super) fn upgraded(world: &World) -> Result<Outcome> {
    let root = Root::new(world)?;
    let (packaged, mut programs) = (Packaged::new()?, Programs::new()?);
    let tool = packaged.path(TOOL);
    let daemon = root.start()?;
    let mut digests = Vec::new();
    for version in ["1.0-1", "1.1-1"] {
        // As dpkg does it.
        let new = packaged.path("usr/bin/tool.dpkg-new");
        programs.make(&new, Before::Nothing)?;
        std::fs::rename(&new, &tool)?;
        packaged.record(world, version)?;
        digests.push(digest::of_file(&tool)?);
        packaged.run(&root, &mut programs)?;
    }
    programs.make(&tool, Before::Nothing)?;
    digests.push(digest::of_file(&tool)?);
    packaged.run(&root, &mut programs)?;
    daemon.stop()?;
    programs.compare(&root)?;
    let exe = tool.display().to_string();
    let events = root.events()?;
    let those: Vec<&Value> = events.iter().filter(|event| Row(event).text("exe") == exe).collect();
    let [first, second, _] = &digests[..] else { bail!("not three programs") };
    let wanted = [
        ("first-seen", "", "intact", "1.0-1", ""),
        ("upgraded", first, "intact", "1.1-1", "1.0-1"),
        ("modified", second, "modified", "1.1-1", "1.1-1"),
    ];
    ensure!(those.len() == wanted.len(), "{those:#?}");
    for ((event, wanted), sha256) in those.into_iter().zip(wanted).zip(&digests) {
        let row = Row(event);
        let found =
            ["kind", "old_sha256", "state", "version", "old_version"].map(|key| row.text(key));
        let (kind, old, state, version, before) = wanted;
        ensure!(found == [kind, old, state, version, before], "{event:#?}, not {wanted:?}");
        ensure!(row.text("sha256") == sha256 && row.text("package") == "dpkg tool", "{event:#?}");
    }
    Ok(Outcome::Passed)
}
