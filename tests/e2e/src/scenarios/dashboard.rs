//! The dashboard's server beside a daemon: what it tells is what moved.

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::command;
use serde_json::Value;

use crate::expect::Row;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// A process that is ended when this goes.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        command::end(&mut self.0);
    }
}

/// A server, and how to ask it.
struct Web {
    _process: Ends,
    url: String,
    token: String,
}

impl Web {
    fn start(root: &Root<'_>) -> Result<Self> {
        let mut command = Command::new(&root.world.femtosnitch);
        command.arg("--root").arg(root.path("")).args(["web", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let out = child.stdout.take().context("no pipe")?;
        let process = Ends(child);
        let mut said = BufReader::new(out).lines().map_while(Result::ok);
        let mut after = |start: &str| {
            let found = said.by_ref().find_map(|line| Some(line.strip_prefix(start)?.to_owned()));
            found.with_context(|| format!("it did not say {start:?}"))
        };
        let url = after("The dashboard is at ")?;
        let token = std::fs::read_to_string(after("The token to log in is in ")?)?;
        Ok(Self { _process: process, url, token: token.trim().to_owned() })
    }

    fn curl(&self, path: &str) -> Command {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--no-buffer", "--header"]);
        command.arg(format!("Authorization: Bearer {}", self.token));
        command.arg(format!("{}/api/v1/{path}", self.url));
        command
    }

    fn ask(&self, path: &str) -> Result<Value> {
        let done = self.curl(path).output().context("running curl")?;
        serde_json::from_slice(&done.stdout).with_context(|| format!("{path}: {done:?}"))
    }
}

/// Each byte is in the history that it shows, and in the flows that it tells live.
pub(super) fn adds_up(world: &World) -> Result<Outcome> {
    if Command::new("curl").arg("--version").output().is_err() {
        return Ok(Outcome::Skipped("no curl here".to_owned()));
    }
    let (root, mark) = (Root::quick_and(world, "")?, world.mark("dashboard"));
    let daemon = root.start()?;
    let web = Web::start(&root)?;
    let status = web.ask("status")?;
    ensure!(Row(&status).text("daemon") == "running", "{status}");
    ensure!(Row(&status).number("pid") == u64::from(daemon.pid()), "{status}");
    let exe = world.testkit.to_str().context("a strange path")?;
    let seconds = world.patience(20).as_secs().to_string();
    let mut live = web.curl(&format!("live?exe={exe}"));
    live.args(["--max-time", &seconds]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut live = Ends(live.spawn()?);
    let told = BufReader::new(live.0.stdout.take().context("no pipe")?);
    let mut told = told.lines().map_while(Result::ok);
    ensure!(told.any(|line| line.starts_with("event: status")), "nothing is told live");
    let report = world.traffic("tcp4", &mark)?;
    let wanted = (report.sent(), report.recv());
    let mut moved = (0, 0);
    for line in told {
        let Some(tick) = line.strip_prefix("data: ") else { continue };
        let tick: Value = serde_json::from_str(tick)?;
        let flows =
            tick.get("flows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for flow in flows.iter().map(Row).filter(|flow| flow.text("cmdline").ends_with(&mark)) {
            moved = (moved.0 + flow.number("send"), moved.1 + flow.number("recv"));
        }
        if moved.0 >= wanted.0 && moved.1 >= wanted.1 {
            break;
        }
    }
    ensure!(moved == wanted, "moved {wanted:?}, told live {moved:?}");
    drop(live);
    // Whoever asks for the mark has it in the command line, too.
    let of = format!("report?since=all&by=exe&filter=cmdline~*{mark}&filter=exe={exe}");
    command::until("all of it in the history", world.patience(20), || {
        let report = web.ask(&of)?;
        let total = report.get("total").context("no total")?;
        Ok((Row(total).number("send"), Row(total).number("recv")) == wanted)
    })?;
    daemon.stop()?;
    let report = web.ask(&of)?;
    let found = report.pointer("/answers/0/keys/0").and_then(Value::as_str);
    ensure!(found == Some(exe), "{found:?}");
    command::until("the end of the daemon", world.patience(10), || {
        Ok(Row(&web.ask("status")?).text("daemon") == "absent")
    })?;
    Ok(Outcome::Passed)
}
