//! Old rows go while the daemon runs; what they amount to stays, and the space comes back.

use std::fs;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use rusqlite::Connection;
use serde_json::Value;

use crate::expect;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

/// Rows that are put into the history, three days' worth.
const ROWS: i64 = 80_000;
const STORE: &str = "[capture]\nsample_interval = \"0.2s\"\n\n[store]\nwrite_interval = \"1s\"\n";

pub(super) fn by_age(world: &World) -> Result<Outcome> {
    let root = Root::with(world, &format!("{STORE}retention = \"forever\"\n"))?;
    let mark = world.mark("old");
    let daemon = root.start()?;
    world.traffic("tcp4", &mark)?;
    daemon.stop()?;
    multiply(&root)?;

    let daemon = root.start()?;
    let (rows, size) = (kept_rows(&root)?, file_size(&root)?);
    ensure!(rows >= ROWS, "{rows} rows are told, and {ROWS} were put in");
    let before = totals(&root, &mark)?;
    ensure!(before.len() >= 3, "three days and more: {before:?}");
    let since = kept_since(&root, "days")?;

    root.configure(&format!("{STORE}retention = \"1h\"\nmax_size = \"64MiB\"\n"))?;
    let (code, said) = root.reload()?;
    ensure!(code == Some(0), "{said}");
    // A batch has to come by; then it goes four times a second.
    command::until("the old rows to go", world.patience(120), || {
        Ok(kept_rows(&root)? < ROWS / 10 && file_size(&root)? < size * 3 / 4)
    })?;
    ensure!(kept_since(&root, "rows")? > since + 2 * 86_400, "old rows are left");
    let after = totals(&root, &mark)?;
    ensure!(after == before, "sums are others: {before:?} became {after:?}");
    ensure!(kept_since(&root, "days")? <= since, "sums by day are gone");
    daemon.stop()?;
    root.check_integrity()?;
    Ok(Outcome::Passed)
}

/// Makes many old rows of those that are there, as if the same had gone on for three days.
fn multiply(root: &Root<'_>) -> Result<()> {
    let history = Connection::open(root.database()).context("opening the history")?;
    let columns = history
        .prepare("SELECT name FROM pragma_table_info('blocks')")?
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let others = columns.iter().filter(|name| !["id", "first", "last"].contains(&name.as_str()));
    let others = others.map(String::as_str).collect::<Vec<_>>().join(", ");
    let number = |sql: &str| history.query_row(sql, [], |row| row.get::<_, i64>(0));
    let there = number("SELECT coalesce(sum(rows), 0) FROM blocks WHERE sealed = 0")?;
    ensure!(there > 0, "no row waits to be sealed");
    let times = ROWS / there + 1;
    // The newest is two hours old, and so in any case too old.
    let sql = format!(
        "WITH RECURSIVE ago(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM ago WHERE n + 1 < {times}),
           long(s) AS (SELECT 7200 + (n * 259200) / {times} FROM ago)
         INSERT INTO blocks(first, last, {others})
         SELECT first - s, last - s, {others} FROM blocks, long ORDER BY s DESC, first;
         UPDATE totals SET value = (SELECT sum(rows) FROM blocks) WHERE name = 'rows';"
    );
    history.execute_batch(&sql).context("making old rows")
}

/// Bytes of the traffic by day.
fn totals(root: &Root<'_>, mark: &str) -> Result<Vec<(i64, u64, u64)>> {
    let rows = root.query("cmdline,day")?;
    let day = |row: &Value| row.get("day").and_then(Value::as_i64);
    let mut days = Vec::new();
    for row in expect::marked(&rows, mark) {
        let (send, recv) = expect::total([row]);
        days.push((day(row).context("no day")?, send, recv));
    }
    days.sort_unstable();
    Ok(days)
}

fn kept_since(root: &Root<'_>, level: &str) -> Result<i64> {
    let status = root.status()?;
    let since = status.pointer(&format!("/database/kept/{level}")).and_then(Value::as_i64);
    since.with_context(|| format!("no {level} in the status: {status}"))
}

fn kept_rows(root: &Root<'_>) -> Result<i64> {
    let status = root.status()?;
    let rows = status.pointer("/database/rows").and_then(Value::as_i64);
    rows.with_context(|| format!("no rows in the status: {status}"))
}

fn file_size(root: &Root<'_>) -> Result<u64> {
    Ok(fs::metadata(root.database()).context("looking at the history")?.len())
}
