//! A terminal that nobody sits before: tmux, with a server of its own that ends with this.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::command;

/// A command in a terminal.
pub(crate) struct Tmux {
    socket: String,
    patience: Duration,
}

/// Is there a tmux?
pub(crate) fn is_there() -> bool {
    Command::new("tmux").arg("-V").output().is_ok_and(|done| done.status.success())
}

impl Tmux {
    /// Runs a program in a terminal of so many columns and rows. The terminal stays when it ends,
    /// with a shell that says its exit code: [`Tmux::exit_code`].
    pub(crate) fn start(
        program: &Path,
        args: &[&str],
        (columns, rows): (u16, u16),
        patience: Duration,
    ) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let socket = format!("fs-e2e-{}-{next}", std::process::id());
        let tmux = Self { socket, patience };
        let quoted = std::iter::once(program.to_str().context("a strange path")?)
            .chain(args.iter().copied())
            .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
            .collect::<Vec<_>>()
            .join(" ");
        let shell = format!("echo before; {quoted}; echo \"ended with $?\"; exec cat");
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let mut command = tmux.command(&["-u", "-f", "/dev/null", "new-session", "-d"]);
        command.args(["-x", &columns, "-y", &rows, "sh", "-c", &shell]);
        command.env("LC_ALL", "C.UTF-8").env("SHELL", "/bin/sh").env_remove("TMUX");
        tmux.done(command)?;
        Ok(tmux)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket]).args(args);
        command
    }

    fn done(&self, command: Command) -> Result<String> {
        let done = command::run(command, self.patience)?;
        ensure!(done.status.success(), "tmux: {}", done.stderr.trim());
        Ok(done.stdout)
    }

    /// Presses keys as tmux calls them: `Enter`, `Escape`, `C-c`, `a`.
    pub(crate) fn press(&self, keys: &[&str]) -> Result<()> {
        self.done(self.command(&[&["send-keys"], keys].concat())).map(drop)
    }

    /// Types text.
    pub(crate) fn type_in(&self, text: &str) -> Result<()> {
        self.done(self.command(&["send-keys", "-l", text])).map(drop)
    }

    /// What the terminal shows.
    pub(crate) fn screen(&self) -> Result<String> {
        self.done(self.command(&["capture-pane", "-p"]))
    }

    /// Waits until it shows what is waited for; the screen then.
    pub(crate) fn until(&self, what: &str, shows: impl Fn(&str) -> bool) -> Result<String> {
        let mut last = String::new();
        let done = command::until(what, self.patience, || {
            last = self.screen()?;
            Ok(shows(&last))
        });
        done.with_context(|| format!("the terminal shows\n{last}"))?;
        Ok(last)
    }

    /// Waits until it shows this text; the screen then.
    pub(crate) fn shows(&self, text: &str) -> Result<String> {
        self.until(&format!("{text:?} in the terminal"), |screen| screen.contains(text))
    }

    /// Makes the terminal larger or smaller.
    pub(crate) fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.done(self.command(&["resize-window", "-x", &columns, "-y", &rows])).map(drop)
    }

    /// What tmux knows of the terminal, as `#{pane_title}`.
    pub(crate) fn told(&self, format: &str) -> Result<String> {
        let told = self.done(self.command(&["display-message", "-p", format]))?;
        Ok(told.trim_end().to_owned())
    }

    /// Waits for the end of the program: its exit code, and the screen that it left, which has to be
    /// the one that was there before.
    pub(crate) fn exit_code(&self) -> Result<i32> {
        let screen = self.shows("ended with ")?;
        ensure!(screen.starts_with("before\n"), "the screen was not given back:\n{screen}");
        ensure!(self.told("#{alternate_on}")? == "0", "the alternate screen is on");
        ensure!(self.told("#{mouse_any_flag}")? == "0", "the mouse is still reported");
        ensure!(self.told("#{cursor_flag}")? == "1", "the cursor is hidden");
        let code = screen.lines().find_map(|line| line.strip_prefix("ended with "));
        code.and_then(|code| code.trim().parse().ok()).context(screen.clone())
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // It is over in any case; without a server there is nothing to end.
        self.done(self.command(&["kill-server"])).ok();
    }
}
