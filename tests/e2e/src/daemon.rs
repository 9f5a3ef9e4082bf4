//! A daemon under test.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::world::World;
use femtosnitch_harness::command;

/// A running daemon, killed when dropped.
pub(crate) struct Daemon<'a> {
    world: &'a World,
    child: Child,
    started: Instant,
    log: Arc<Mutex<Vec<String>>>,
}

impl<'a> Daemon<'a> {
    /// The command line of a daemon on `root`.
    pub(crate) fn command(world: &World, root: &Path) -> Command {
        let mut command = Command::new(&world.femtosnitch);
        command.arg("daemon").arg("--root").arg(root);
        command
    }

    /// Starts a daemon without waiting for it.
    pub(crate) fn launch(world: &'a World, root: &Path) -> Result<Self> {
        let started = Instant::now();
        let mut child = Self::command(world, root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting the daemon")?;
        let log = Arc::new(Mutex::new(Vec::new()));
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            });
        }
        Ok(Self { world, child, started, log })
    }

    /// Everything it has logged.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wait_ready(&mut self) -> Result<()> {
        let patience = self.world.patience(10);
        loop {
            if self.log().contains("ready") {
                self.world.note_start(self.started.elapsed());
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().context("waiting for the daemon")? {
                // The log may lag behind the exit.
                thread::sleep(std::time::Duration::from_millis(100));
                bail!("the daemon ended with {status} before it was ready: {}", self.log());
            }
            if self.started.elapsed() > patience {
                bail!("the daemon was not ready within {patience:?}: {}", self.log());
            }
            thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).context("odd process id")?;
        kill(Pid::from_raw(pid), signal).context("signalling the daemon")
    }

    /// Stops it cleanly: it has to exit with 0 in time.
    pub(crate) fn stop(mut self) -> Result<String> {
        let since = Instant::now();
        self.signal(Signal::SIGTERM)?;
        let status = command::wait(&mut self.child, self.world.patience(10));
        let status = status.with_context(|| format!("after SIGTERM: {}", self.log()))?;
        ensure!(status.success(), "after SIGTERM it ended with {status}: {}", self.log());
        self.world.note_stop(since.elapsed());
        Ok(self.log())
    }

    /// Kills it without warning.
    pub(crate) fn kill(mut self) {
        command::end(&mut self.child);
    }

    /// True while it runs.
    pub(crate) fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().context("waiting for the daemon")?.is_none())
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        command::end(&mut self.child);
    }
}
