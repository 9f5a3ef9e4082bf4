//! More traffic than there is room for: detail may go, bytes may not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::Report;
use serde_json::Value;

use crate::expect;
use crate::expect::Row;
use crate::helpers::Talker;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

pub(super) fn many_flows(world: &World) -> Result<Outcome> {
    let small = "[capture]\nsample_interval = \"0.2s\"\nmax_flows = 64\n\
                 [store]\nwrite_interval = \"1s\"\n";
    let root = Root::with(world, small)?;
    let daemon = root.start()?;
    // A program of its own: past the bound, rows are told apart by executable only.
    let program = root.path("crowd");
    fs::copy(&world.testkit, &program).context("copying the testkit")?;
    let mut command = std::process::Command::new(&program);
    command.args(["bench", "idle-sockets", "--count", "300", "--bytes", "1237", "--active", "70"]);
    let mut crowd = Talker::start(command)?;
    let start: Report = crowd.read()?;
    counted(&root, "flows_overflow")?;
    let lines = crowd.close()?;
    let end: Report = serde_json::from_str(lines.last().context("no report")?)?;
    ensure!(end.sent() >= start.sent(), "the generator lost count");
    daemon.stop()?;
    let rows = root.query("exe")?;
    let rows: Vec<_> =
        rows.iter().filter(|row| Row(row).text("exe") == program.display().to_string()).collect();
    let (got, wanted) = (expect::total(rows), (end.sent(), end.recv()));
    ensure!(got == wanted, "sent and received {wanted:?}, history says {got:?}");
    Ok(Outcome::Passed)
}

/// Neither flows nor counters of processes are left: then the executable still has its bytes.
pub(super) fn many_processes(world: &World) -> Result<Outcome> {
    // Nothing is given back while it runs.
    let small = "[capture]\nsample_interval = \"60s\"\nmax_flows = 64\nmax_overflow = 64\n";
    let (root, mark) = (Root::with(world, small)?, world.mark("crowd"));
    let program = root.path("crowd");
    fs::copy(&world.testkit, &program).context("copying the testkit")?;
    let daemon = root.start()?;
    let mut command = std::process::Command::new(&program);
    // More than there is room for in both.
    let crowd = if world.machine_is_ours { "150" } else { "300" };
    command.args(["many", "--tag", &mark, "--processes", crowd]);
    let report = world.report(command)?;
    let log = daemon.stop()?;
    let rows = root.query("exe,sha256,pid")?;
    let exe = program.display().to_string();
    let rows: Vec<_> = rows.iter().filter(|row| Row(row).text("exe") == exe).collect();
    let (got, wanted) = (expect::total(rows.iter().copied()), (report.sent(), report.recv()));
    ensure!(got == wanted, "sent and received {wanted:?}, history says {got:?}: {log}");
    let nameless = rows.iter().filter(|row| Row(row).number("pid") == 0);
    ensure!(nameless.count() == 1, "all had a place of their own: {rows:?}");
    for row in rows {
        ensure!(Row(row).text("sha256") == world.testkit_sha256, "not the digest: {row}");
    }
    Ok(Outcome::Passed)
}

/// One user opens sockets without end: what another does is still known to the last detail.
pub(super) fn greedy_user(world: &World) -> Result<Outcome> {
    let small = "[capture]\nsample_interval = \"0.2s\"\nmax_flows = 512\n";
    let root = Root::with(world, small)?;
    // Where that user may run it.
    let home = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir()?;
    let program = home.path().join("greedy");
    fs::copy(&world.testkit, &program).context("copying the testkit")?;
    let daemon = root.start()?;
    let mut command = std::process::Command::new(&program);
    command.uid(65534).gid(65534).args([
        "bench",
        "idle-sockets",
        "--count",
        "900",
        "--bytes",
        "1237",
    ]);
    let mut greedy = Talker::start(command)?;
    let moved: Report = greedy.read()?;
    counted(&root, "flows_overflow")?;
    let mut others = Vec::new();
    for kind in ["tcp4", "udp-unconnected", "prefork-udp"] {
        let mark = world.mark(kind);
        others.push((world.traffic(kind, &mark)?, mark));
    }
    drop(greedy);
    daemon.stop()?;
    for (report, mark) in others {
        expect::exactly(&root, &mark, &report).context(mark)?;
    }
    let rows = root.query("exe,uid")?;
    let rows: Vec<_> = rows.iter().filter(|row| Row(row).number("uid") == 65534).collect();
    let (got, wanted) = (expect::total(rows), (moved.sent(), moved.recv()));
    ensure!(got == wanted, "the greedy one moved {wanted:?}, history says {got:?}");
    Ok(Outcome::Passed)
}

/// Waits until the status counts a loss of detail under this name.
fn counted(root: &Root<'_>, name: &str) -> Result<()> {
    command::until(&format!("the counter {name}"), root.world.patience(10), || {
        let status = root.status()?;
        let count = status.get("counters").and_then(|counters| counters.get(name));
        Ok(count.and_then(Value::as_u64).is_some_and(|count| count > 0))
    })
}

pub(super) fn many_peers(world: &World) -> Result<Outcome> {
    let small = "[capture]\nsample_interval = \"0.2s\"\nmax_peers_per_socket = 16\n\
                 [store]\nwrite_interval = \"1s\"\n";
    let (root, mark) = (Root::with(world, small)?, world.mark("peers"));
    let daemon = root.start()?;
    let report = world.report(world.testkit(&[
        "traffic",
        "many-peers",
        "--tag",
        &mark,
        "--rounds",
        "200",
    ]))?;
    daemon.stop()?;
    expect::exactly(&root, &mark, &report)?;
    Ok(Outcome::Passed)
}
