//! A femtosnitch daemon below a directory of its own, for the length of a measurement.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::ChildStderr;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;

/// Clock ticks a second in /proc/PID/stat (`USER_HZ`, 100 on every architecture that we run on).
const TICKS: f64 = 100.0;

/// How long a start or a stop may take: far more than it should.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) struct Monitor {
    child: Child,
    femtosnitch: PathBuf,
    root: PathBuf,
    pub(super) started_in: Duration,
}

impl Monitor {
    /// Starts it and waits until it is ready.
    pub(super) fn start(femtosnitch: &Path, config: &str) -> Result<Self> {
        let root = std::env::temp_dir().join(format!("femtosnitch-bench-{}", std::process::id()));
        fs::create_dir_all(root.join("etc/femtosnitch"))?;
        fs::write(root.join("etc/femtosnitch/config.toml"), config)?;
        let begin = Instant::now();
        let mut child = Command::new(femtosnitch)
            .args(["daemon", "--root"])
            .arg(&root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().context("no stderr")?;
        // From here on whatever fails also ends the daemon and removes its directory.
        let femtosnitch = femtosnitch.to_owned();
        let mut monitor = Self { child, femtosnitch, root, started_in: Duration::ZERO };
        wait_until_ready(stderr)?;
        monitor.started_in = begin.elapsed();
        Ok(monitor)
    }

    /// Where all that it has is.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Processor time so far, seconds.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.child.id())
    }

    /// What `femtosnitch status --json` says.
    pub(super) fn status(&self) -> Result<serde_json::Value> {
        let mut command = Command::new(&self.femtosnitch);
        let output = command.args(["status", "--json", "--root"]).arg(&self.root).output()?;
        if !output.status.success() {
            bail!("no status: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Proportional set size, MiB.
    pub(super) fn pss_mib(&self) -> Result<f64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kib / 1024.0)
    }

    /// Ends it by SIGTERM; how long it took to write everything and exit.
    pub(super) fn stop(mut self) -> Result<Duration> {
        let begin = Instant::now();
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if begin.elapsed() > PATIENCE {
                bail!("femtosnitch did not end within {PATIENCE:?} of SIGTERM");
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let took = begin.elapsed();
        if !status.success() {
            bail!("femtosnitch ended with {status}");
        }
        Ok(took)
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Nothing happens to a process that has been waited for.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.root));
    }
}

/// Processor time of a process so far, seconds.
pub(super) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().context("odd /proc/PID/stat")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| -> Result<f64> {
        Ok(fields.get(index).context("short /proc/PID/stat")?.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

/// Returns once the daemon has said that it is ready; reads on after that, so that it never has
/// to wait for us.
fn wait_until_ready(stderr: ChildStderr) -> Result<()> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // Nobody listens any more after the first line that matters.
            drop(sender.send(line));
        }
    });
    let (begin, mut said) = (Instant::now(), String::new());
    loop {
        match lines.recv_timeout(PATIENCE.saturating_sub(begin.elapsed())) {
            // With the colon: "already" is what a daemon says that does not start.
            Ok(line) if line.contains("ready:") => return Ok(()),
            Ok(line) => said = said + &line + "\n",
            Err(_) => {
                bail!("femtosnitch was not ready within {PATIENCE:?} (it needs root): {said}")
            }
        }
    }
}
