//! Rows that leave the history, and rows that are logged on their way into it.

use std::fs;
use std::os::unix::fs::MetadataExt;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use serde_json::Value;

use super::disk::Small;
use crate::expect;
use crate::helpers::Steps;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

const LOG: &str = "var/log/femtosnitch/connections.ndjson";

/// Each byte is in the export and in the log once.
pub(super) fn adds_up(world: &World) -> Result<Outcome> {
    let root = Root::quick_and(world, "[log]\nconnections = \"ndjson\"\n")?;
    let daemon = root.start()?;
    let mut done = Vec::new();
    for kind in ["tcp4", "udp-unconnected"] {
        let mark = world.mark("export");
        done.push((world.traffic(kind, &mark)?, mark));
    }
    daemon.stop()?;
    let exported = objects(&root.export(&["--format", "ndjson"])?)?;
    let logged = objects(&fs::read_to_string(root.path(LOG)).context("reading the log")?)?;
    for (report, mark) in done {
        expect::exactly(&root, &mark, &report)?;
        for (what, rows) in [("the export", &exported), ("the log", &logged)] {
            let found = expect::total(expect::marked(rows, &mark));
            let moved = (report.sent(), report.recv());
            ensure!(found == moved, "{mark}: {moved:?} moved, {what} says {found:?}");
        }
    }
    ensure!(exported.len() == logged.len(), "{} and {}", exported.len(), logged.len());
    let mode = fs::metadata(root.path(LOG))?.mode() & 0o7777;
    ensure!(mode == 0o640, "the log has mode {mode:o}");
    // Into a file, and not over it.
    let path = root.path("out.csv");
    let path = path.to_str().context("a strange path")?;
    root.export(&["--output", path])?;
    let lines = fs::read_to_string(path)?.lines().count();
    ensure!(lines > exported.len(), "{lines} lines for {} rows", exported.len());
    ensure!(root.export(&["--output", path]).is_err(), "replaced unasked");
    Ok(Outcome::Passed)
}

/// The log is moved away, switched over and off, under a connection that never rests: no byte is
/// logged twice, and none is missing while it was on.
pub(super) fn log_changes(world: &World) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("log"));
    let daemon = root.start()?;
    let mut steps = Steps::start(world, &mark)?;
    steps.go(1_000, 500)?;
    settle(&root)?;
    let mut logged = Vec::new();
    for (format, name) in [("ndjson", "one"), ("csv", "two")] {
        root.configure_quick_and(&format!("[log]\nconnections = \"{format}\"\n"))?;
        let (code, said) = root.reload()?;
        ensure!(code == Some(0), "{code:?}: {said}");
        settle(&root)?;
        let path = root.path(format!("var/log/femtosnitch/connections.{format}"));
        for round in 0..2 {
            steps.go(20_000, 7_000)?;
            settle(&root)?;
            let moved = root.path(format!("{name}.{round}"));
            fs::rename(&path, &moved).with_context(|| format!("no {}", path.display()))?;
            logged.push(fs::read_to_string(moved)?);
        }
    }
    root.configure_quick_and("")?;
    ensure!(root.reload()?.0 == Some(0), "cannot be switched off");
    settle(&root)?;
    steps.go(9_000, 9_000)?;
    settle(&root)?;
    let report = steps.finish()?;
    daemon.stop()?;
    expect::exactly(&root, &mark, &report)?;
    // Both ends are marked, so each byte is sent and received.
    let mut found = (0, 0);
    for text in logged {
        let rows = if text.starts_with('{') { objects(&text)? } else { csv(&text) };
        let part = expect::total(expect::marked(&rows, &mark));
        found = (found.0 + part.0, found.1 + part.1);
    }
    ensure!(found == (4 * 27_000, 4 * 27_000), "{found:?} is logged");
    Ok(Outcome::Passed)
}

/// A full disk costs rows of the log, which are counted, and none of the history.
pub(super) fn log_on_a_full_disk(world: &World) -> Result<Outcome> {
    let root = Root::quick_and(world, "[log]\nconnections = \"ndjson\"\n")?;
    let disk = Small::mount(root.path("var/log/femtosnitch"))?;
    let outcome = rows_are_counted(world, &root, &disk);
    drop(disk);
    outcome
}

fn rows_are_counted(world: &World, root: &Root<'_>, disk: &Small) -> Result<Outcome> {
    let daemon = root.start()?;
    disk.fill()?;
    let mut done = Vec::new();
    command::until("rows that cannot be logged", world.patience(20), || {
        let mark = world.mark("unlogged");
        let many = ["many", "--tag", &mark, "--processes", "40"];
        done.push((world.report(world.testkit(&many))?, mark));
        Ok(counter(&root.status()?, "log_rows_lost") > 0)
    })?;
    let status = root.status()?;
    let warned = status.get("warnings").and_then(Value::as_array).context("no warnings")?;
    let told = warned.iter().filter(|text| text.to_string().contains("cannot be logged")).count();
    ensure!(told == 1, "told {told} times: {warned:?}");
    disk.make_room()?;
    command::until("rows that can", world.patience(20), || {
        let mark = world.mark("logged");
        done.push((world.traffic("tcp4", &mark)?, mark));
        settle(root)?;
        // Its whole lines are whole objects.
        let text = fs::read_to_string(root.path(LOG))?;
        let (_, last) = done.last().context("no traffic")?;
        Ok(!expect::marked(&objects(&text)?, last).is_empty())
    })?;
    daemon.stop()?;
    for (report, mark) in done {
        expect::exactly(root, &mark, &report)?;
    }
    Ok(Outcome::Passed)
}

/// Waits until all that was moved so far is written.
fn settle(root: &Root<'_>) -> Result<()> {
    let writes = |root: &Root<'_>| -> Result<f64> {
        let status = root.status()?;
        Ok(status.pointer("/database/last_write").and_then(Value::as_f64).unwrap_or_default())
    };
    // One may have been on its way; the one after it has everything.
    for _ in 0..3 {
        let before = writes(root)?;
        command::until("a write", root.world.patience(20), || Ok(writes(root)? > before))?;
    }
    Ok(())
}

fn counter(status: &Value, name: &str) -> u64 {
    let found = status.get("counters").and_then(|counters| counters.get(name));
    found.and_then(Value::as_u64).unwrap_or_default()
}

fn objects(text: &str) -> Result<Vec<Value>> {
    let object = |line: &str| serde_json::from_str(line).with_context(|| format!("{line:?}"));
    text.lines().map(object).collect()
}

/// What matters here of lines in which no cell that comes before has a comma.
fn csv(text: &str) -> Vec<Value> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |at: usize| cells.get(at).and_then(|cell| cell.parse::<u64>().ok());
        serde_json::json!({ "send": number(2), "recv": number(3), "cmdline": cells.get(16) })
    };
    text.lines().skip(1).map(row).collect()
}
