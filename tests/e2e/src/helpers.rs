//! Long-running programs of the testkit.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::SocketAddr;
use std::process::Child;
use std::process::ChildStdin;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use femtosnitch_testkit::End;
use femtosnitch_testkit::Report;
use femtosnitch_testkit::peer::Hello;
use femtosnitch_testkit::peer::read_json;
use femtosnitch_testkit::traffic::Moved;

use crate::world::World;
use femtosnitch_harness::command;

/// A program spoken to by lines, killed when dropped.
pub(crate) struct Talker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Talker {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("starting a generator")?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("no pipe")?);
        Ok(Self { child, input, output })
    }

    /// Writes to its input.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("its input is closed")?;
        input.write_all(line.as_bytes()).context("a generator ended early")
    }

    /// Reads a line of JSON. Generators bound their own waits, so this ends.
    pub(crate) fn read<T: for<'a> serde::Deserialize<'a>>(&mut self) -> Result<T> {
        Ok(read_json(&mut self.output)?)
    }

    /// Closes its input and reads all other lines.
    pub(crate) fn close(mut self) -> Result<Vec<String>> {
        self.input = None;
        let lines: std::io::Result<Vec<_>> = (&mut self.output).lines().collect();
        lines.context("reading from a generator")
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        command::end(&mut self.child);
    }
}

/// A TCP connection between two processes that moves bytes when told to.
pub(crate) struct Steps {
    talker: Talker,
    /// The server's address.
    pub(crate) server: SocketAddr,
}

impl Steps {
    pub(crate) fn start(world: &World, mark: &str) -> Result<Self> {
        Self::with(world, mark, &[])
    }

    /// By a process whose first thread has ended while another goes on.
    pub(crate) fn leaderless(world: &World, mark: &str) -> Result<Self> {
        Self::with(world, mark, &["--leaderless"])
    }

    /// By a client that reads by `splice(2)`.
    pub(crate) fn splicing(world: &World, mark: &str) -> Result<Self> {
        Self::with(world, mark, &["--splice"])
    }

    fn with(world: &World, mark: &str, how: &[&str]) -> Result<Self> {
        let args = [&["steps", "--tag", mark], how].concat();
        Self::by(world.testkit(&args))
    }

    /// By a command that runs `steps`.
    pub(crate) fn by(command: Command) -> Result<Self> {
        let mut talker = Talker::start(command)?;
        let moved: Moved = talker.read()?;
        Ok(Self { talker, server: moved.server })
    }

    /// Moves this much from client to server and back.
    pub(crate) fn go(&mut self, up: u64, down: u64) -> Result<Moved> {
        self.talker.tell(&format!("{up} {down}\n"))?;
        self.talker.read()
    }

    /// Ends the connection; all that ever moved.
    pub(crate) fn finish(self) -> Result<Report> {
        let lines = self.talker.close()?;
        let last = lines.last().context("no report")?;
        serde_json::from_str(last).with_context(|| format!("not a report: {last:?}"))
    }
}

/// The testkit's web server.
pub(crate) struct Httpd {
    talker: Talker,
    /// Its address.
    pub(crate) address: SocketAddr,
}

impl Httpd {
    /// Starts the server with `command`, which ends in `httpd …`.
    pub(crate) fn start(command: Command) -> Result<Self> {
        let mut talker = Talker::start(command)?;
        let hello: Hello = talker.read()?;
        Ok(Self { talker, address: hello.address })
    }

    /// Starts it on an address of this namespace.
    pub(crate) fn on(world: &World, listen: &str, bytes: u64, mark: &str) -> Result<Self> {
        let bytes = bytes.to_string();
        let args = ["httpd", "--listen", listen, "--bytes", &bytes, "--tag", mark];
        Self::start(world.testkit(&args))
    }

    /// What moved over the connection that ended last.
    pub(crate) fn served(&mut self) -> Result<End> {
        self.talker.read()
    }
}
