//! A terminal that a person could sit at: tmux, with a server of its own.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;

use crate::world::World;

/// Between two looks at the screen.
const LOOK: Duration = Duration::from_millis(20);

/// A terminal with a shell, gone when dropped.
pub(crate) struct Terminal<'a> {
    world: &'a World,
    server: String,
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        drop(self.tmux(&["kill-server"]));
    }
}

impl<'a> Terminal<'a> {
    /// A shell on a screen of this size; `None` where there is no tmux.
    pub(crate) fn start(world: &'a World, (width, height): (u16, u16)) -> Result<Option<Self>> {
        if Command::new("tmux").arg("-V").output().is_err() {
            return Ok(None);
        }
        let it = Self { world, server: world.mark("tmux") };
        let (width, height) = (width.to_string(), height.to_string());
        it.tmux(&[
            "-f",
            "/dev/null",
            "-u",
            "new-session",
            "-d",
            "-x",
            &width,
            "-y",
            &height,
            "env",
            "LC_ALL=C.UTF-8",
            "COLORTERM=truecolor",
            "PS1=$ ",
            "sh",
        ])?;
        Ok(Some(it))
    }

    fn tmux(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new("tmux");
        command.arg("-L").arg(&self.server).args(args);
        let done = command.output().context("running tmux")?;
        let complaint = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "tmux {args:?}: {complaint}");
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// Types a line into the shell.
    pub(crate) fn line(&self, line: &str) -> Result<()> {
        self.text(line)?;
        self.key("Enter")
    }

    /// Types text.
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        self.tmux(&["send-keys", "-l", text]).map(drop)
    }

    /// Presses a key, as tmux calls it.
    pub(crate) fn key(&self, key: &str) -> Result<()> {
        self.tmux(&["send-keys", key]).map(drop)
    }

    /// Starts the program under test on this root; `args` come first.
    pub(crate) fn run(&self, args: &str, root: &Path) -> Result<()> {
        let program = self.world.femtosnitch.display();
        self.line(&format!("clear; {program} --root {} {args}; echo ended $?", root.display()))
    }

    /// What is on the screen.
    pub(crate) fn picture(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p"])
    }

    /// What tmux knows of the terminal: `alternate_on`, `cursor_flag`, `pane_title`.
    pub(crate) fn flag(&self, name: &str) -> Result<String> {
        let format = format!("#{{{name}}}");
        Ok(self.tmux(&["display-message", "-p", &format])?.trim().to_owned())
    }

    /// Makes it this large.
    pub(crate) fn resize(&self, width: u16, height: u16) -> Result<()> {
        let (width, height) = (width.to_string(), height.to_string());
        self.tmux(&["resize-window", "-x", &width, "-y", &height]).map(drop)
    }

    /// Waits until the screen is as `right` says; what is on it then.
    pub(crate) fn until(&self, what: &str, right: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + self.world.patience(15);
        loop {
            let picture = self.picture()?;
            if right(&picture) {
                return Ok(picture);
            }
            if Instant::now() > deadline {
                bail!("the screen never showed {what}:\n{picture}");
            }
            thread::sleep(LOOK);
        }
    }

    /// Waits until this text is on the screen.
    pub(crate) fn shows(&self, text: &str) -> Result<String> {
        self.until(text, |picture| picture.contains(text))
    }

    /// The process id of what the shell runs.
    pub(crate) fn program(&self) -> Result<i32> {
        let shell = self.flag("pane_pid")?;
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
        let first = children.split_whitespace().next().context("the shell runs nothing")?;
        first.parse().context("an odd process id")
    }
}
