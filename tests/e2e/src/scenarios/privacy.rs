//! What the configuration says not to keep is nowhere, and filters work all the same.

use std::fs;

use anyhow::Result;
use anyhow::ensure;

use super::download::shell;
use crate::expect;
use crate::expect::Row;
use crate::helpers::Httpd;
use crate::helpers::Steps;
use crate::live::Live;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

/// Neither addresses nor ports are kept; what is ignored by them is still ignored.
pub(super) fn addresses(world: &World) -> Result<Outcome> {
    let (hidden, near, shown) = (world.mark("hidden"), world.mark("near"), world.mark("shown"));
    let mut steps = Steps::start(world, &hidden)?;
    let port = steps.server.port();
    let rules = format!(
        "[ignore]\nports = [{port}]\nsubnets = [\"127.0.0.2/32\"]\n\
         [privacy]\naddresses = false\nports = false\n"
    );
    let root = Root::quick_and(world, &rules)?;
    let mut server = Httpd::on(world, "127.0.0.2:0", 1, &world.mark("server"))?;
    let daemon = root.start()?;
    steps.go(10_000, 20_000)?;
    let to = server.address.to_string();
    let send = world.testkit(&["shortlived", "--to", &to, "--bytes", "7777", "--tag", &near]);
    let done = command::run(send, world.patience(30))?;
    ensure!(done.status.success() && server.served()?.recv == 7777, "{}", done.stderr);
    let report = world.traffic("tcp4", &shown)?;
    let ignored = steps.finish()?;
    daemon.stop()?;
    let rows = root.query("cmdline,laddr,lport,raddr,rport")?;
    for mark in [&hidden, &near] {
        ensure!(expect::marked(&rows, mark).is_empty(), "ignored, yet there: {rows:#?}");
    }
    let rows = expect::marked(&rows, &shown);
    let blank = |row: &&serde_json::Value| {
        let row = Row(row);
        let texts = ["laddr", "raddr"].map(|key| row.text(key));
        texts == [""; 2] && ["lport", "rport"].map(|key| row.number(key)) == [0; 2]
    };
    ensure!(!rows.is_empty() && rows.iter().all(blank), "it tells too much: {rows:#?}");
    let told = expect::total(rows);
    ensure!(told == (report.sent(), report.recv()), "{told:?}");
    let told = root.ignored(&format!("ignore.ports {port}"))?;
    ensure!(told == (ignored.sent(), ignored.recv()), "{told:?}");
    let rows = root.query("laddr,raddr")?;
    ensure!(rows.iter().all(|row| blank(&row)), "the history holds an address: {rows:#?}");
    Ok(Outcome::Passed)
}

/// Command lines are not kept, of what ran before the daemon neither.
pub(super) fn command_lines(world: &World) -> Result<Outcome> {
    let (before, after) = (world.mark("before"), world.mark("after"));
    let mut steps = Steps::start(world, &before)?;
    let root = Root::quick_and(world, "[privacy]\ncmdlines = false\n")?;
    let daemon = root.start()?;
    let mut live = Live::connect(&root)?;
    steps.go(10_000, 20_000)?;
    let report = world.traffic("tcp4", &after)?;
    steps.finish()?;
    let (deadline, mut loud) = (std::time::Instant::now() + world.patience(15), Vec::new());
    let pids: Vec<u64> = report.ends.iter().map(|end| end.pid.into()).collect();
    let mut told = 0;
    live.until("the traffic", deadline, |event| {
        let row = Row(event);
        if !row.text("cmdline").is_empty() {
            loud.push(event.to_string());
        }
        if pids.contains(&row.number("pid")) {
            told += row.number("send");
        }
        told >= report.sent()
    })?;
    daemon.stop()?;
    ensure!(loud.is_empty(), "the live feed tells {loud:?}");
    let rows = root.query("pid,cmdline,pcmdline")?;
    let mine: Vec<_> = rows.iter().filter(|row| pids.contains(&Row(row).number("pid"))).collect();
    let told = expect::total(mine);
    ensure!(told == (report.sent(), report.recv()), "{told:?}");
    for mark in [&before, &after] {
        ensure!(!holds(&root, mark.as_bytes())?, "the history holds a command line");
    }
    Ok(Outcome::Passed)
}

/// Secrets in command lines are gone before anything is stored: of a program, of who launched it,
/// and of what ran before the daemon.
pub(super) fn secrets(world: &World) -> Result<Outcome> {
    const SECRETS: [&str; 4] = ["hunter2a", "hunter2b", "hunter2c", "hunter2d"];
    let [one, two, three, four] = SECRETS;
    let (before, after) = (world.mark("before"), world.mark("after"));
    // Its launcher has the secret, and was there before.
    let testkit = world.testkit.display();
    let mut older = shell(&format!("{testkit} steps --tag {before}"));
    older.args(["sh", "--password", one]);
    let mut older = Steps::by(older)?;
    let mut server = Httpd::on(world, "127.0.0.1:0", 1_000, &world.mark("httpd"))?;
    let root = Root::new(world)?;
    let daemon = root.start()?;
    older.go(1_000, 1_000)?;
    let url = format!("http://{}/{after}", server.address);
    let fetch = format!(
        "curl --silent --noproxy '*' --output /dev/null --user me:{two} \
         -H 'Authorization: Bearer {three}' '{url}?token={four}' {url}"
    );
    let done = command::run(shell(&fetch), world.patience(30))?;
    ensure!(done.status.success(), "curl: {}", done.stderr);
    server.served()?;
    older.finish()?;
    daemon.stop()?;
    let rows = root.query("cmdline,pcmdline")?;
    let [row] = expect::marked(&rows, &after)[..] else { anyhow::bail!("no curl: {rows:#?}") };
    let row = Row(row);
    let line = row.text("cmdline");
    for shown in ["--user me:***", "Authorization: Bearer ***", "?token=***"] {
        ensure!(line.contains(shown), "{shown:?} is not in {line:?}");
    }
    let older = expect::marked(&rows, &before);
    let launched = older.iter().any(|row| Row(row).text("pcmdline").ends_with("--password ***"));
    ensure!(launched, "its launcher was there before: {older:#?}");
    for secret in SECRETS {
        ensure!(!holds(&root, secret.as_bytes())?, "the history holds {secret}");
    }
    Ok(Outcome::Passed)
}

/// Whether the history's files have these bytes anywhere.
fn holds(root: &Root<'_>, wanted: &[u8]) -> Result<bool> {
    for file in fs::read_dir(root.path("var/lib/femtosnitch"))? {
        let bytes = fs::read(file?.path())?;
        if bytes.windows(wanted.len()).any(|window| window == wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}
