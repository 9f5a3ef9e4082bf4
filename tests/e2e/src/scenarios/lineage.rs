//! Processes that are gone before anyone can look at them.

use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;

use super::download::program;
use super::download::shell;
use crate::expect;
use crate::expect::Row;
use crate::helpers::Httpd;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

pub(super) fn thousand_shortlived(world: &World) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("many"));
    let daemon = root.start()?;
    let processes = world.processes.to_string();
    let report =
        world.report(world.testkit(&["many", "--tag", &mark, "--processes", &processes]))?;
    daemon.stop()?;
    expect::exactly(&root, &mark, &report)?;
    // Every one of them under its own process id, with its own bytes.
    let rows = root.query("pid,cmdline")?;
    let rows = expect::marked(&rows, &mark);
    let short = rows.iter().filter(|row| Row(row).text("cmdline").contains(" shortlived "));
    let whole = short.filter(|row| Row(row).bytes() == (1000, 0)).count() as u64;
    ensure!(whole == world.processes, "{whole} of {} processes have 1000 bytes", world.processes);
    Ok(Outcome::Passed)
}

pub(super) fn short_child(world: &World) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("child"));
    let mut server = Httpd::on(world, "127.0.0.1:0", 1, &world.mark("httpd"))?;
    let daemon = root.start()?;
    let (testkit, to) = (world.testkit.display(), server.address);
    let line = format!("{testkit} shortlived --to {to} --bytes 4321 --tag {mark}");
    let done = command::run(shell(&line), world.patience(30))?;
    ensure!(done.status.success() && server.served()?.recv == 4321, "{}", done.stderr);
    daemon.stop()?;
    let me = std::env::current_exe()?.canonicalize()?;
    let launchers = [program("sh")?.display().to_string(), me.display().to_string()];
    lineage(&root, &mark, |row| {
        [row.text("pexe"), row.text("gpexe")] == [launchers[0].as_str(), launchers[1].as_str()]
    })
}

pub(super) fn orphaned_grandchild(world: &World) -> Result<Outcome> {
    let (root, mark) = (Root::new(world)?, world.mark("orphan"));
    let mut server = Httpd::on(world, "127.0.0.1:0", 1, &world.mark("httpd"))?;
    let daemon = root.start()?;
    let to = server.address.to_string();
    let launch = world.testkit(&["launch", "--tag", &mark, "--to", &to, "--bytes", "4321"]);
    let done = command::run(launch, world.patience(30))?;
    ensure!(done.status.success() && server.served()?.recv == 4321, "{}", done.stderr);
    daemon.stop()?;
    let testkit = world.testkit.display().to_string();
    let me = std::env::current_exe()?.canonicalize()?.display().to_string();
    // Whether the forked child that was in between counts as a launcher of its own is open; it
    // ran the same image.
    lineage(&root, &mark, |row| {
        let launched = row.text("pexe") == testkit && row.text("pcmdline").contains(" launch ");
        launched && [testkit.as_str(), me.as_str()].contains(&row.text("gpexe"))
    })
}

/// The short-lived process has its bytes, its name, and the right launchers.
fn lineage(root: &Root<'_>, mark: &str, right: impl Fn(&Row<'_>) -> bool) -> Result<Outcome> {
    let rows = root.query("exe,sha256,cmdline,pexe,pcmdline,gpexe")?;
    let rows = expect::marked(&rows, mark);
    let [row] = rows[..] else { bail!("not one row: {rows:#?}") };
    let row = Row(row);
    ensure!(row.bytes() == (4321, 0), "bytes: {}", row.0);
    ensure!(row.text("exe") == root.world.testkit.display().to_string(), "exe: {}", row.0);
    ensure!(row.text("sha256") == root.world.testkit_sha256, "sha256: {}", row.0);
    ensure!(right(&row), "launchers: {}", row.0);
    Ok(Outcome::Passed)
}
