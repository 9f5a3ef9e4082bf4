//! Running programs that may hang.

use std::io::Read;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// A program that ended.
#[derive(Debug)]
pub struct Done {
    /// How.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// A program that runs with its output collected; ended when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    /// Starts a program without input.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        Ok(Self { child, name, stdout: Some(stdout), stderr: Some(stderr) })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end; what it has printed. Killed when patience ends.
    ///
    /// # Errors
    /// If it cannot be asked, or does not end.
    pub fn stop(self, patience: Duration) -> Result<Done> {
        let pid = i32::try_from(self.child.id()).context("odd process id")?;
        match kill(Pid::from_raw(pid), Signal::SIGINT) {
            // Gone already is as good.
            Ok(()) | Err(nix::errno::Errno::ESRCH) => self.wait(patience),
            Err(error) => Err(error).context("signalling a program"),
        }
    }

    /// Waits for its end, within `patience`.
    ///
    /// # Errors
    /// If it does not end.
    pub fn wait(mut self, patience: Duration) -> Result<Done> {
        let status = wait(&mut self.child, patience).with_context(|| self.name.clone())?;
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        Ok(Done { status, stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Runs a program to its end, within `patience`.
///
/// # Errors
/// If it cannot be started, or does not end.
pub fn run(command: Command, patience: Duration) -> Result<Done> {
    Running::start(command)?.wait(patience)
}

/// Runs a program that has to succeed; what it printed.
///
/// # Errors
/// If it does not.
pub fn output(command: Command, patience: Duration) -> Result<String> {
    let shown = format!("{command:?}");
    let done = run(command, patience)?;
    ensure!(done.status.success(), "{shown}: {}: {}", done.status, done.stderr.trim());
    Ok(done.stdout)
}

/// Reads everything in the background, so that a full pipe cannot block the program.
fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is what there is.
            drop(pipe.read_to_end(&mut all));
        }
        all
    })
}

fn text(collected: Option<JoinHandle<Vec<u8>>>) -> String {
    let bytes = collected.map(|handle| handle.join().unwrap_or_default()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for a process, which is killed when patience ends.
///
/// # Errors
/// If it had to be killed.
pub fn wait(child: &mut Child, patience: Duration) -> Result<ExitStatus> {
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("waiting for a process")? {
            return Ok(status);
        }
        if since.elapsed() > patience {
            end(child);
            bail!("did not end within {patience:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Kills and reaps a process, whether or not it has ended already.
pub fn end(child: &mut Child) {
    drop(child.kill());
    drop(child.wait());
}

/// Asks until the answer is yes, within `patience`.
///
/// # Errors
/// If asking fails, or the answer stays no.
pub fn until(what: &str, patience: Duration, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let since = Instant::now();
    while !done()? {
        if since.elapsed() > patience {
            bail!("waited {patience:?} in vain for {what}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_status_come_back() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo out; echo err >&2; exit 3"]);
        let done = run(shell, Duration::from_secs(10)).unwrap();
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(done.status.code(), Some(3));
    }

    #[test]
    fn failure_is_an_error_with_what_was_said() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo no >&2; exit 3"]);
        let error = output(shell, Duration::from_secs(10)).unwrap_err();
        assert!(format!("{error:#}").contains("no"));
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let mut sleep = Command::new("sleep");
        sleep.arg("60");
        let error = run(sleep, Duration::from_millis(20)).err().unwrap();
        assert!(format!("{error:#}").contains("did not end"));
    }
}
