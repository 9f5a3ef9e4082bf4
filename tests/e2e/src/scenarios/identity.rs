//! The digest in a row is that of the bytes that ran, whatever became of the file.

use std::collections::BTreeMap;
use std::fs::File;
use std::fs::FileTimes;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_harness::digest;
use femtosnitch_testkit::sys::mapping;
use femtosnitch_testkit::tiny::Before;
use femtosnitch_testkit::tiny::Sender;

use super::mounted::Mounted;
use crate::expect::Row;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// Bytes that each run sends.
const BYTES: u32 = 100;
/// Programs of a millisecond.
const MANY: usize = 2_000;

/// Programs and the digests that history has to have for each path, in any order.
struct Programs {
    socket: UdpSocket,
    sender: Sender,
    salt: u64,
    wanted: BTreeMap<String, Vec<String>>,
}

impl Programs {
    fn new() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let SocketAddr::V4(to) = socket.local_addr()? else { bail!("no IPv4 address") };
        let sender = Sender { to, bytes: BYTES, before: Before::Nothing };
        Ok(Self { socket, sender, salt: 0, wanted: BTreeMap::new() })
    }

    /// Another program, which is expected to run once.
    fn write(&mut self, path: &Path, before: Before) -> Result<()> {
        self.salt += 1;
        let content = Sender { before, ..self.sender }.file(self.salt)?;
        std::fs::write(path, content).with_context(|| format!("writing {}", path.display()))?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755))?;
        self.expect(path)
    }

    /// What is in the file now will run once more.
    fn expect(&mut self, path: &Path) -> Result<()> {
        let digests = self.wanted.entry(path.display().to_string()).or_default();
        digests.push(digest::of_file(path)?);
        Ok(())
    }

    fn run(&self, path: &Path) -> Result<()> {
        let status = Command::new(path).stdin(Stdio::null()).status();
        let status = status.with_context(|| format!("running {}", path.display()))?;
        ensure!(status.success(), "{} ended with {status}", path.display());
        self.socket.set_nonblocking(true)?;
        while self.socket.recv(&mut [0; 2048]).is_ok() {}
        Ok(())
    }

    fn write_and_run(&mut self, path: &Path, before: Before) -> Result<()> {
        self.write(path, before)?;
        self.run(path)
    }

    /// Waits until history has the last run: what comes next is another time.
    fn wait(&self, root: &Root<'_>, path: &Path) -> Result<()> {
        let path = path.display().to_string();
        let runs = self.wanted.get(&path).map_or(0, Vec::len);
        command::until("the run in history", root.world.patience(15), || {
            let rows = root.query("exe,sha256,pid")?;
            let there = rows.iter().map(Row).filter(|row| row.text("exe") == path);
            Ok(there.filter(|row| row.text("sha256").len() == 64).count() >= runs)
        })
    }

    /// Exactly these digests, each with the bytes of its runs, and nothing in brackets.
    fn compare(&self, root: &Root<'_>) -> Result<()> {
        let rows = root.query("exe,sha256")?;
        let mut wrong = Vec::new();
        for (path, digests) in &self.wanted {
            let mut wanted: BTreeMap<String, u64> = BTreeMap::new();
            for digest in digests {
                *wanted.entry(digest.clone()).or_default() += u64::from(BYTES);
            }
            let there = rows.iter().map(Row).filter(|row| row.text("exe") == path);
            let found: BTreeMap<String, u64> =
                there.map(|row| (row.text("sha256").to_owned(), row.number("send"))).collect();
            if found != wanted {
                wrong.push(format!("{path}: {found:?}, not {wanted:?}"));
            }
        }
        let few: Vec<_> = wrong.iter().take(5).collect();
        ensure!(wrong.is_empty(), "{} of {} are wrong: {few:#?}", wrong.len(), self.wanted.len());
        Ok(())
    }
}

/// A directory on the disk and one in memory, where a mapping moves no time stamp.
fn places() -> Result<[tempfile::TempDir; 2]> {
    Ok([tempfile::tempdir()?, tempfile::tempdir_in("/dev/shm")?])
}

/// Thousands of programs that differ and live for less than a millisecond; half of them are gone
/// before they send.
pub(super) fn short_lived(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let path = |n: usize| dir.path().join(format!("tool{n}"));
    let before = [Before::Nothing, Before::Unlink];
    for (n, before) in (0..MANY).zip(before.into_iter().cycle()) {
        programs.write(&path(n), before)?;
    }
    for n in 0..MANY {
        programs.run(&path(n))?;
    }
    daemon.stop()?;
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}

/// The same path and inode with other contents, its times set back: written to by a call, and
/// through a mapping.
pub(super) fn overwritten(world: &World) -> Result<Outcome> {
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
pub(super) fn replaced(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut programs = Programs::new()?;
    let path = dir.path().join("tool");
    programs.write(&path, Before::Nothing)?;
    // It sends, and once more for each byte that it is given.
    let mut running = Command::new(&path).stdin(Stdio::piped()).spawn()?;
    let first = programs.wanted.remove(&path.display().to_string()).unwrap_or_default();
    let new = dir.path().join("new");
    programs.write(&new, Before::Nothing)?;
    programs.wanted.clear();
    std::fs::rename(&new, &path)?;
    let mut input = running.stdin.take().context("no pipe")?;
    std::io::Write::write_all(&mut input, b"x")?;
    drop(input);
    ensure!(running.wait()?.success(), "the replaced program failed");
    programs.expect(&path)?;
    programs.run(&path)?;
    // Twice the first, once the second.
    let digests = programs.wanted.entry(path.display().to_string()).or_default();
    digests.extend(first.iter().chain(&first).cloned());
    daemon.stop()?;
    programs.compare(&root)?;
    Ok(Outcome::Passed)
}

/// An overlay whose layers lie on different file systems: below, copied up, above, and gone.
pub(super) fn overlay(world: &World) -> Result<Outcome> {
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
    programs.write(&at("lower/below"), Before::Nothing)?;
    programs.write(&at("lower/gone"), Before::Unlink)?;
    programs.wanted.clear();
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
