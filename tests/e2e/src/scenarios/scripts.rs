//! Which script an interpreter runs: on the live feed.

use std::net::Ipv4Addr;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::digest;
use serde_json::Value;

use super::programs::Sending;
use super::programs::install;
use crate::expect::Row;
use crate::live::Live;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// What each script does, in the shell's words: its standard output is a socket.
const SHELL: &str = "echo here; while read -r line; do echo \"$line\"; done\n";
const PYTHON: &str = "import os, sys\nos.write(1, b'here')\n\
                      for line in sys.stdin: os.write(1, line.encode())\n";
const PERL: &str = "$| = 1; print 'here'; while (<STDIN>) { print; }\n";

/// A daemon with someone who listens, and an address that scripts send to.
struct Stage<'a> {
    root: &'a Root<'a>,
    live: Live,
    to: UdpSocket,
}

impl<'a> Stage<'a> {
    fn new(root: &'a Root<'a>) -> Result<Self> {
        let to = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self { root, live: Live::connect(root)?, to })
    }

    /// What is told of an interpreter that runs until `done`.
    fn told(&mut self, mut command: Command, done: impl Fn(&Row<'_>) -> bool) -> Result<Value> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(self.to.local_addr()?)?;
        command.stdout(Stdio::from(OwnedFd::from(socket)));
        let mut running = Sending::start(command)?;
        let pid = running.pid();
        let told = self.live.flow(
            "an interpreter's script",
            self.root.world.patience(10),
            || running.poke(),
            |row| row.number("pid") == pid,
            done,
        )?;
        running.finish(self.root)?;
        Ok(told)
    }

    /// The script is this file.
    fn expect(&mut self, command: Command, script: &Path) -> Result<()> {
        let shown = format!("{command:?}");
        let told = self.told(command, |row| row.text("script_sha256").len() == 64)?;
        let row = Row(&told);
        ensure!(row.text("script") == script.display().to_string(), "{shown}: {told}");
        ensure!(row.text("script_sha256") == digest::of_file(script)?, "{shown}: {told}");
        Ok(())
    }
}

/// `NAME FILE`, by its path and by its name in the working directory, and a file that names its
/// interpreter.
pub(super) fn files(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut stage = Stage::new(&root)?;
    let at = |name: &str| dir.path().join(name);
    install(&at("shebang"), format!("#!/bin/sh\n{SHELL}").as_bytes())?;
    stage.expect(Command::new(at("shebang")), &at("shebang"))?;
    let mut missing = Vec::new();
    for (interpreter, text) in [("sh", SHELL), ("python3", PYTHON), ("perl", PERL)] {
        // What finds the interpreter may be a script itself, which executes it in the end.
        let Some(program) = ["/usr/bin", "/bin"]
            .map(|place| Path::new(place).join(interpreter))
            .into_iter()
            .find(|program| program.exists())
        else {
            missing.push(interpreter);
            continue;
        };
        let file = at(&format!("script.{interpreter}"));
        // Each differs, and none can be executed.
        std::fs::write(&file, format!("# {interpreter}\n{text}"))?;
        let mut by_path = Command::new(&program);
        by_path.arg(&file);
        stage.expect(by_path, &file)?;
        let mut by_name = Command::new(&program);
        by_name.arg(format!("script.{interpreter}")).current_dir(dir.path());
        stage.expect(by_name, &file)?;
    }
    daemon.stop()?;
    ensure!(missing.len() < 3, "no interpreter at all");
    Ok(Outcome::Passed)
}

/// `sh -c`: there is no file, and none is named.
pub(super) fn inline(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut stage = Stage::new(&root)?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SHELL.trim()]).arg(dir.path().join("no-script"));
    let told = stage.told(command, |row| row.text("sha256").len() == 64)?;
    daemon.stop()?;
    let row = Row(&told);
    ensure!(row.text("script") == "(inline)", "another script than none: {told}");
    ensure!(row.text("script_sha256").len() != 64, "a digest of no script: {told}");
    Ok(Outcome::Passed)
}

/// The file at the path is another one each time: rewritten, and replaced by a rename.
pub(super) fn replaced(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut stage = Stage::new(&root)?;
    let (script, new) = (dir.path().join("script"), dir.path().join("new"));
    let text = |n: u32| format!("#!/bin/sh\n# {n}\n{SHELL}");
    install(&script, text(1).as_bytes())?;
    stage.expect(Command::new(&script), &script)?;
    install(&script, text(2).as_bytes())?;
    stage.expect(Command::new(&script), &script)?;
    install(&new, text(3).as_bytes())?;
    std::fs::rename(&new, &script)?;
    stage.expect(Command::new(&script), &script)?;
    let mut by_name = Command::new("/bin/sh");
    by_name.arg(&script);
    std::fs::write(&script, text(4))?;
    stage.expect(by_name, &script)?;
    daemon.stop()?;
    Ok(Outcome::Passed)
}
