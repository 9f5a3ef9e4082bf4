//! A femtosnitch of its own: directory, configuration, daemon, answers.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use femtosnitch_harness::command;

/// Short intervals, so that the lab need not wait for long.
const CONFIG: &str = "[capture]\nsenders = \"always\"\nsample_interval = \"0.2s\"\n\n[store]\nwrite_interval = \"1s\"\n";

/// A daemon that watches this machine into a directory of its own; both gone when dropped.
pub(crate) struct Daemon {
    program: PathBuf,
    dir: TempDir,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    patience: Duration,
}

impl Daemon {
    /// Starts `program` and waits until it is ready.
    pub(crate) fn start(program: &Path, patience: Duration) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("fs-lab-").tempdir();
        let dir = dir.context("making a directory")?;
        let etc = dir.path().join("etc/femtosnitch");
        fs::create_dir_all(&etc).context("making the configuration directory")?;
        fs::write(etc.join("config.toml"), CONFIG).context("writing the configuration")?;
        let mut command = Command::new(program);
        command.arg("daemon").arg("--root").arg(dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("starting the daemon")?;
        let log = Arc::new(Mutex::new(Vec::new()));
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            });
        }
        let mut daemon = Self { program: program.to_owned(), dir, child, log, patience };
        daemon.wait_ready()?;
        Ok(daemon)
    }

    /// Everything it has logged.
    fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    fn wait_ready(&mut self) -> Result<()> {
        let since = Instant::now();
        while !self.log().contains("ready") {
            if let Some(status) = self.child.try_wait().context("waiting for the daemon")? {
                // The log may lag behind the exit.
                thread::sleep(Duration::from_millis(100));
                bail!("the daemon ended with {status} before it was ready: {}", self.log());
            }
            if since.elapsed() > self.patience {
                bail!("the daemon was not ready within {:?}: {}", self.patience, self.log());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// `status --json`.
    pub(crate) fn status(&self) -> Result<Value> {
        self.ask(&["status", "--json"])
    }

    /// Programs of the BPF object that are attached.
    pub(crate) fn attached(&self) -> Result<Vec<String>> {
        femtosnitch_harness::status::attached(&self.status()?)
    }

    /// Stops it cleanly, which writes everything down.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).context("odd process id")?;
        kill(Pid::from_raw(pid), Signal::SIGTERM).context("signalling the daemon")?;
        let status = command::wait(&mut self.child, self.patience)?;
        ensure!(status.success(), "after SIGTERM it ended with {status}: {}", self.log());
        Ok(())
    }

    /// The whole history, summed up by `by`, as objects.
    pub(crate) fn query(&self, by: &str) -> Result<Vec<Value>> {
        let rows = self.ask(&["query", "--since", "all", "--by", by, "--format", "json"])?;
        serde_json::from_value(rows).context("query did not print an array")
    }

    fn ask(&self, args: &[&str]) -> Result<Value> {
        let mut command = Command::new(&self.program);
        command.args(args).arg("--root").arg(self.dir.path());
        let text = command::output(command, self.patience)?;
        serde_json::from_str(&text).with_context(|| format!("{args:?} printed {text:?}"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        command::end(&mut self.child);
    }
}
