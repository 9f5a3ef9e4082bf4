//! Processes that are gone before anyone can look at them.

use std::path::Path;

use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_harness::digest;
use femtosnitch_testkit::tiny::Before;
use serde_json::Value;

use super::download::program;
use super::download::shell;
use super::programs::Programs;
use super::programs::Sending;
use super::programs::script;
use crate::expect;
use crate::expect::Row;
use crate::helpers::Httpd;
use crate::live::Live;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

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

/// A shell, four programs that each start the next, and the one that sends: the live feed and
/// history name the two before it.
pub(super) fn chain_of_six(world: &World) -> Result<Outcome> {
    let (root, dir) = (Root::new(world)?, tempfile::tempdir()?);
    let daemon = root.start()?;
    let mut live = Live::connect(&root)?;
    let mut programs = Programs::new()?;
    let paths = ["one", "two", "three", "four", "sender"].map(|name| dir.path().join(name));
    let [launchers @ .., sender] = &paths;
    for path in launchers {
        programs.make_launcher(path)?;
    }
    programs.make(sender, Before::Nothing)?;
    let mut running = Sending::start(script("\"$@\"; true", &paths))?;
    let [_, _, grandparent, parent, exe] = paths.each_ref().map(|path| path.display().to_string());
    let told = live.flow(
        "the launcher's digest",
        world.patience(10),
        || running.poke(),
        |row| row.text("exe") == exe,
        |row| row.text("psha256").len() == 64,
    )?;
    let times = running.finish(&root)?;
    daemon.stop()?;
    let row = Row(&told);
    ensure!(row.text("pexe") == parent && row.text("gpexe") == grandparent, "launchers: {told}");
    ensure!(row.text("psha256") == digest::of_file(Path::new(&parent))?, "digest: {told}");
    programs.expect_as(&exe, &digest::of_file(Path::new(&exe))?, times);
    programs.compare(&root)?;
    let rows = root.query("exe,pexe,psha256,gpexe,gpsha256")?;
    let there: Vec<_> = rows.iter().map(Row).filter(|row| row.text("exe") == exe).collect();
    let [row] = &there[..] else { bail!("not one row: {rows:#?}") };
    let digests = [&parent, &grandparent].map(|path| digest::of_file(Path::new(path)));
    for (key, wanted) in [("pexe", parent), ("gpexe", grandparent)] {
        ensure!(row.text(key) == wanted, "{key}: {}", row.0);
    }
    for (key, wanted) in ["psha256", "gpsha256"].into_iter().zip(digests) {
        ensure!(row.text(key) == wanted?, "{key}: {}", row.0);
    }
    let tree = root.tree()?;
    let chains: Vec<_> = tree.iter().flat_map(|top| chains_to(top, &exe)).collect();
    let [chain] = &chains[..] else { bail!("not once in the tree: {tree:#?}") };
    let launchers: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    ensure!(chain.ends_with(&launchers), "in the tree below {chain:?}, not {launchers:?}");
    Ok(Outcome::Passed)
}

/// The executables on the way from the top of a tree to each node that runs `exe`.
fn chains_to(node: &Value, exe: &str) -> Vec<Vec<String>> {
    let own = Row(node).text("exe").to_owned();
    if own == exe {
        return vec![vec![own]];
    }
    let children = node.get("children").and_then(Value::as_array).into_iter().flatten();
    let below = children.flat_map(|child| chains_to(child, exe));
    below.map(|chain| [vec![own.clone()], chain].concat()).collect()
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
