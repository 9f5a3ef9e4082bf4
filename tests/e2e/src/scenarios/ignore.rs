//! What the configuration says to ignore stays out of the history, and nothing else does.

use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;

use super::download::program;
use super::download::shell;
use crate::expect;
use crate::expect::Row;
use crate::helpers::Httpd;
use crate::helpers::Steps;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

pub(super) fn ports(world: &World) -> Result<Outcome> {
    let (hidden, shown) = (world.mark("hidden"), world.mark("shown"));
    let mut steps = Steps::start(world, &hidden)?;
    let ignore = format!("[ignore]\nports = [{}]\n", steps.server.port());
    let root = Root::quick_and(world, &ignore)?;
    let daemon = root.start()?;
    steps.go(10_000, 20_000)?;
    let report = world.traffic("tcp4", &shown)?;
    steps.finish()?;
    daemon.stop()?;
    expect::exactly(&root, &shown, &report)?;
    let rows = root.query("cmdline,lport,rport")?;
    let hidden = expect::marked(&rows, &hidden);
    ensure!(hidden.is_empty(), "ignored, yet there: {hidden:?}");
    Ok(Outcome::Passed)
}

/// Both ends are on this machine: only the one whose *remote* address is ignored may vanish.
pub(super) fn subnets(world: &World) -> Result<Outcome> {
    let root = Root::quick_and(world, "[ignore]\nsubnets = [\"127.0.0.2/32\"]\n")?;
    let (client, served) = (world.mark("client"), world.mark("server"));
    let mut server = Httpd::on(world, "127.0.0.2:0", 1, &served)?;
    let daemon = root.start()?;
    let to = server.address.to_string();
    let send = world.testkit(&["shortlived", "--to", &to, "--bytes", "7777", "--tag", &client]);
    let done = command::run(send, world.patience(30))?;
    ensure!(done.status.success() && server.served()?.recv == 7777, "{}", done.stderr);
    daemon.stop()?;
    let rows = root.query("cmdline,laddr,raddr")?;
    let hidden = expect::marked(&rows, &client);
    ensure!(hidden.is_empty(), "its remote address is ignored, yet there: {hidden:?}");
    let [row] = expect::marked(&rows, &served)[..] else { bail!("no server: {rows:#?}") };
    let row = Row(row);
    ensure!(row.bytes() == (0, 7777) && row.text("laddr") == "127.0.0.2", "{}", row.0);
    Ok(Outcome::Passed)
}

pub(super) fn sha256(world: &World) -> Result<Outcome> {
    let ignore = format!("[ignore]\nsha256 = [\"{}\"]\n", world.testkit_sha256);
    let root = Root::quick_and(world, &ignore)?;
    let mark = world.mark("curl");
    let mut server = Httpd::on(world, "127.0.0.1:0", 100_000, &world.mark("httpd"))?;
    let daemon = root.start()?;
    let url = format!("http://{}/{mark}", server.address);
    let curl = shell(&format!("curl --silent --noproxy '*' --output /dev/null {url}"));
    let done = command::run(curl, world.patience(30))?;
    ensure!(done.status.success(), "curl: {}", done.stderr);
    let served = server.served()?;
    daemon.stop()?;
    let rows = root.query("exe,cmdline")?;
    let testkit = world.testkit.display().to_string();
    let hidden: Vec<_> = rows.iter().filter(|row| Row(row).text("exe") == testkit).collect();
    ensure!(hidden.is_empty(), "its digest is ignored, yet there: {hidden:?}");
    let [row] = expect::marked(&rows, &mark)[..] else { bail!("no curl: {rows:#?}") };
    let row = Row(row);
    ensure!(row.text("exe") == program("curl")?.display().to_string(), "{}", row.0);
    ensure!(row.bytes() == (served.recv, served.sent), "{served:?}: {}", row.0);
    Ok(Outcome::Passed)
}
