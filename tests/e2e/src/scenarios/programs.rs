//! Programs that differ, each of which sends: what history has to say of them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_harness::digest;
use femtosnitch_testkit::tiny;
use femtosnitch_testkit::tiny::Before;
use femtosnitch_testkit::tiny::Sender;

use crate::expect::Row;
use crate::root::Root;

/// Bytes that each run sends.
const BYTES: u32 = 100;

/// Programs, and for each path the digests that history has to have, with how often what they
/// belong to sends.
pub(super) struct Programs {
    socket: UdpSocket,
    sender: Sender,
    salt: u64,
    wanted: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Programs {
    pub(super) fn new() -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let SocketAddr::V4(to) = socket.local_addr()? else { bail!("no IPv4 address") };
        let sender = Sender { to, bytes: BYTES, before: Before::Nothing };
        Ok(Self { socket, sender, salt: 0, wanted: BTreeMap::new() })
    }

    /// Another program, of which nothing is expected yet.
    pub(super) fn make(&mut self, path: &Path, before: Before) -> Result<()> {
        self.salt += 1;
        install(path, &Sender { before, ..self.sender }.file(self.salt)?)
    }

    /// Another program that starts the one that its arguments name.
    pub(super) fn make_launcher(&mut self, path: &Path) -> Result<()> {
        self.salt += 1;
        install(path, &tiny::launcher(self.salt)?)
    }

    /// Another program, which is expected to run once.
    pub(super) fn write(&mut self, path: &Path, before: Before) -> Result<()> {
        self.make(path, before)?;
        self.expect(path)
    }

    /// What is in the file now will run once more.
    pub(super) fn expect(&mut self, path: &Path) -> Result<()> {
        self.expect_as(&path.display().to_string(), &digest::of_file(path)?, 1);
        Ok(())
    }

    /// What has this digest sends so often more under that name.
    pub(super) fn expect_as(&mut self, path: &str, digest: &str, times: u64) {
        let digests = self.wanted.entry(path.to_owned()).or_default();
        *digests.entry(digest.to_owned()).or_default() += times;
    }

    pub(super) fn run(&self, path: &Path) -> Result<()> {
        self.run_by(Command::new(path))
    }

    /// Runs a program by a command that may take its time.
    pub(super) fn run_by(&self, mut command: Command) -> Result<()> {
        let status = command.stdin(Stdio::null()).status();
        let status = status.with_context(|| format!("running {command:?}"))?;
        ensure!(status.success(), "{command:?} ended with {status}");
        self.drain();
        Ok(())
    }

    /// Waits until something was sent: what was started runs by then.
    pub(super) fn arrived(&self, root: &Root<'_>) -> Result<()> {
        command::until("a datagram", root.world.patience(10), || {
            Ok(self.socket.recv(&mut [0; 2048]).is_ok())
        })
    }

    /// What was sent has arrived, or was dropped: both are fine.
    fn drain(&self) {
        while self.socket.recv(&mut [0; 2048]).is_ok() {}
    }

    pub(super) fn write_and_run(&mut self, path: &Path, before: Before) -> Result<()> {
        self.write(path, before)?;
        self.run(path)
    }

    /// Waits until history has what was expected at this path: what comes next is another time.
    pub(super) fn wait(&self, root: &Root<'_>, path: &Path) -> Result<()> {
        self.wait_for(root, &path.display().to_string())
    }

    /// The same for what has no path.
    pub(super) fn wait_for(&self, root: &Root<'_>, path: &str) -> Result<()> {
        let times: u64 = self.wanted.get(path).map_or(0, |digests| digests.values().sum());
        command::until("the run in history", root.world.patience(15), || {
            let rows = root.query("exe,sha256")?;
            let there = rows.iter().map(Row).filter(|row| row.text("exe") == path);
            let known = there.filter(|row| row.text("sha256").len() == 64);
            Ok(known.map(|row| row.number("send")).sum::<u64>() >= times * u64::from(BYTES))
        })
    }

    /// Exactly these digests, each with the bytes of its runs, and nothing in brackets.
    pub(super) fn compare(&self, root: &Root<'_>) -> Result<()> {
        let rows = root.query("exe,sha256")?;
        let mut wrong = Vec::new();
        for (path, digests) in &self.wanted {
            let bytes = |times: &u64| times * u64::from(BYTES);
            let wanted: BTreeMap<_, _> =
                digests.iter().map(|(digest, times)| (digest.clone(), bytes(times))).collect();
            let there = rows.iter().map(Row).filter(|row| row.text("exe") == path);
            let found: BTreeMap<String, u64> =
                there.map(|row| (row.text("sha256").to_owned(), row.number("send"))).collect();
            if found != wanted {
                wrong.push(format!("{path}: {found:?}, not {wanted:?}"));
            }
        }
        ensure!(!self.wanted.is_empty(), "there was nothing to compare");
        let few: Vec<_> = wrong.iter().take(5).collect();
        ensure!(wrong.is_empty(), "{} of {} are wrong: {few:#?}", wrong.len(), self.wanted.len());
        Ok(())
    }
}

/// An executable file.
pub(super) fn install(path: &Path, contents: &[u8]) -> Result<()> {
    std::fs::write(path, contents).with_context(|| format!("writing {}", path.display()))?;
    Ok(std::fs::set_permissions(path, PermissionsExt::from_mode(0o755))?)
}

/// A line for the shell, and its arguments `$1`, `$2`, …
pub(super) fn script(line: &str, args: impl IntoIterator<Item: AsRef<OsStr>>) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-ec", line, "sh"]).args(args);
    shell
}

/// A running program that sends when it starts, and once more whenever it is poked; killed when
/// dropped.
pub(super) struct Sending {
    child: Child,
    input: Option<ChildStdin>,
    /// How often it was made to send so far.
    pub(super) times: u64,
}

impl Sending {
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let child = command.stdin(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("starting {command:?}"))?;
        let input = child.stdin.take();
        Ok(Self { child, input, times: 1 })
    }

    pub(super) fn poke(&mut self) -> Result<()> {
        let input = self.input.as_mut().context("its input is closed")?;
        std::io::Write::write_all(input, b"\n").context("a program ended early")?;
        self.times += 1;
        Ok(())
    }

    pub(super) fn pid(&self) -> u64 {
        self.child.id().into()
    }

    /// Lets it end, which has to go well; how often it has sent.
    pub(super) fn finish(mut self, root: &Root<'_>) -> Result<u64> {
        self.input = None;
        let status = command::wait(&mut self.child, root.world.patience(15))?;
        ensure!(status.success(), "a program ended with {status}");
        Ok(self.times)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        command::end(&mut self.child);
    }
}
