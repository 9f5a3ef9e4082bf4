//! A directory of its own for one femtosnitch: configuration, history, sockets.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::world::World;
use femtosnitch_harness::command;

/// What a test may wait for: short intervals.
const QUICK: &str = "[capture]\nsample_interval = \"0.2s\"\n\n[store]\nwrite_interval = \"1s\"\n";

/// A `--root` directory, removed when dropped.
pub(crate) struct Root<'a> {
    pub(crate) world: &'a World,
    dir: TempDir,
}

/// Of [`QUICK`].
const WRITES: &str = r#"write_interval = "1s""#;

impl<'a> Root<'a> {
    /// A root whose daemon samples and writes often.
    pub(crate) fn new(world: &'a World) -> Result<Self> {
        Self::with(world, QUICK)
    }

    /// The same for a daemon that looks for every sender from the start.
    pub(crate) fn thorough(world: &'a World) -> Result<Self> {
        Self::with(world, &QUICK.replace("[capture]\n", "[capture]\nsenders = \"always\"\n"))
    }

    /// A root with this configuration.
    pub(crate) fn with(world: &'a World, config: &str) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("fs-e2e-").tempdir();
        let root = Self { world, dir: dir.context("making a directory")? };
        root.configure(config)?;
        Ok(root)
    }

    /// Replaces the configuration by one that samples and writes often, with further sections.
    pub(crate) fn configure_quick_and(&self, sections: &str) -> Result<()> {
        self.configure(&format!("{QUICK}\n{sections}"))
    }

    /// A root that samples and writes often, with further sections.
    pub(crate) fn quick_and(world: &'a World, sections: &str) -> Result<Self> {
        Self::with(world, &format!("{QUICK}\n{sections}"))
    }

    /// A root that samples often and writes only at its end, with further sections: each flow is one
    /// row then, which has the name that came after the connection had begun.
    pub(crate) fn at_once_and(world: &'a World, sections: &str) -> Result<Self> {
        let rarely = QUICK.replace(WRITES, "write_interval = \"10m\"");
        Self::with(world, &format!("{rarely}\n{sections}"))
    }

    /// Replaces the configuration file.
    pub(crate) fn configure(&self, config: &str) -> Result<()> {
        let dir = self.path("etc/femtosnitch");
        fs::create_dir_all(&dir).context("making the configuration directory")?;
        fs::write(dir.join("config.toml"), config).context("writing the configuration")
    }

    /// A path below the root.
    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(below)
    }

    /// The history.
    pub(crate) fn database(&self) -> PathBuf {
        self.path("var/lib/femtosnitch/femtosnitch.db")
    }

    /// Starts a daemon and waits until it is ready.
    pub(crate) fn start(&self) -> Result<Daemon<'a>> {
        let mut daemon = Daemon::launch(self.world, self.dir.path())?;
        daemon.wait_ready()?;
        Ok(daemon)
    }

    /// Starts a daemon that is expected to refuse; its exit code and what it said.
    pub(crate) fn refused(&self) -> Result<(Option<i32>, String)> {
        let command = Daemon::command(self.world, self.dir.path());
        let done = command::run(command, self.world.patience(15))?;
        Ok((done.status.code(), done.stderr))
    }

    /// `femtosnitch query --since all --by BY --format json`, as objects.
    pub(crate) fn query(&self, by: &str) -> Result<Vec<Value>> {
        let text = self.run(&["query", "--since", "all", "--by", by, "--format", "json"])?;
        serde_json::from_str(&text).with_context(|| format!("query printed {text:?}"))
    }

    /// `femtosnitch query --since all --events --format json`, oldest first.
    pub(crate) fn events(&self) -> Result<Vec<Value>> {
        let text = self.run(&["query", "--since", "all", "--events", "--format", "json"])?;
        serde_json::from_str(&text).with_context(|| format!("query printed {text:?}"))
    }

    /// `femtosnitch query --since all --tree --format json`.
    pub(crate) fn tree(&self) -> Result<Vec<Value>> {
        let text = self.run(&["query", "--since", "all", "--tree", "--format", "json"])?;
        serde_json::from_str(&text).with_context(|| format!("query printed {text:?}"))
    }

    /// `femtosnitch export` with further arguments.
    pub(crate) fn export(&self, args: &[&str]) -> Result<String> {
        self.run(&[&["export"], args].concat())
    }

    /// The times in which nobody looked, as far as they are over: (seconds, reason), oldest first.
    pub(crate) fn gaps(&self) -> Result<Vec<(i64, String)>> {
        let text = self.run(&["query", "--since", "all", "--gaps", "--format", "json"])?;
        let gaps: Vec<Value> = serde_json::from_str(&text).context(text.clone())?;
        let seconds = |gap: &Value, key| gap.get(key).and_then(Value::as_i64);
        let reason = |gap: &Value| gap.get("reason").and_then(Value::as_str).map(str::to_owned);
        Ok(gaps
            .iter()
            .filter_map(|gap| {
                let long = seconds(gap, "ended")? - seconds(gap, "began")?;
                Some((long, reason(gap)?))
            })
            .collect())
    }

    /// `femtosnitch reload`: its exit code and all that it said.
    pub(crate) fn reload(&self) -> Result<(Option<i32>, String)> {
        self.told(&["reload"])
    }

    /// `femtosnitch import picosnitch`, likewise.
    pub(crate) fn import(&self) -> Result<(Option<i32>, String)> {
        self.told(&["import", "picosnitch"])
    }

    fn told(&self, args: &[&str]) -> Result<(Option<i32>, String)> {
        let mut command = std::process::Command::new(&self.world.femtosnitch);
        command.args(args).arg("--root").arg(self.dir.path());
        let done = command::run(command, self.world.patience(30))?;
        Ok((done.status.code(), done.stdout + &done.stderr))
    }

    /// What the history has of bytes that were ignored by this rule.
    pub(crate) fn ignored(&self, rule: &str) -> Result<(u64, u64)> {
        let rows = self.query("exe,name")?;
        let of_rule = |row: &&Value| {
            let row = crate::expect::Row(row);
            row.text("exe") == "(ignored)" && row.text("name") == rule
        };
        Ok(crate::expect::total(rows.iter().filter(of_rule)))
    }

    /// `femtosnitch status --json`.
    pub(crate) fn status(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.run(&["status", "--json"])?)?)
    }

    /// Programs of the BPF object that the daemon has attached.
    pub(crate) fn attached(&self) -> Result<Vec<String>> {
        femtosnitch_harness::status::attached(&self.status()?)
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        let mut command = std::process::Command::new(&self.world.femtosnitch);
        command.args(args).arg("--root").arg(self.dir.path());
        let done = command::run(command, self.world.patience(30))?;
        let said = done.stderr.trim();
        ensure!(done.status.success(), "femtosnitch {}: {said}", args.join(" "));
        Ok(done.stdout)
    }

    /// SQLite's own check of the whole file.
    pub(crate) fn check_integrity(&self) -> Result<()> {
        let path = self.database();
        let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        ensure!(verdict == "ok", "integrity_check: {verdict}");
        Ok(())
    }
}
