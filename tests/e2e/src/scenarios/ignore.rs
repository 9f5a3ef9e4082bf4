//! What the configuration says to ignore stays out of the history but for its sum, and nothing else
//! does.

use std::os::unix::process::CommandExt;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use anyhow::bail;
use anyhow::ensure;
use femtosnitch_testkit::netns::Pair;
use femtosnitch_testkit::netns::ip;

use super::download::program;
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

pub(super) fn ports(world: &World) -> Result<Outcome> {
    let (hidden, shown) = (world.mark("hidden"), world.mark("shown"));
    let mut steps = Steps::start(world, &hidden)?;
    let ignore = format!("[ignore]\nports = [{}]\n", steps.server.port());
    let root = Root::quick_and(world, &ignore)?;
    let daemon = root.start()?;
    let rule = format!("ignore.ports {}", steps.server.port());
    let mut live = Live::connect(&root)?;
    steps.go(10_000, 20_000)?;
    let report = world.traffic("tcp4", &shown)?;
    let ignored = steps.finish()?;
    let wanted = (ignored.sent(), ignored.recv());
    let (mut told, deadline) = ((0, 0), Instant::now() + world.patience(15));
    live.until("what is ignored", deadline, |event| {
        let row = Row(event);
        if row.text("exe") == "(ignored)" && row.text("name") == rule {
            told = (told.0 + row.number("send"), told.1 + row.number("recv"));
        }
        told == wanted
    })?;
    daemon.stop()?;
    expect::exactly(&root, &shown, &report)?;
    ensure!(root.ignored(&rule)? == wanted, "not {wanted:?}: {:?}", root.ignored(&rule)?);
    hidden_is(&root, &hidden)?;
    let rows = root.query("exe,name,raddr,lport,rport,pid,cmdline")?;
    let row = rows.iter().map(|row| Row(row)).find(|row| row.text("name") == rule);
    let row = row.context("no row for the rule")?;
    let numbers = ["lport", "rport", "pid"].map(|key| row.number(key));
    let texts = ["raddr", "cmdline"].map(|key| row.text(key));
    ensure!(numbers == [0; 3] && texts == [""; 2], "it tells too much: {}", row.0);
    let programs = root.events()?;
    let new = programs.iter().any(|event| event.to_string().contains("(ignored)"));
    ensure!(!new, "a sum is no program: {programs:#?}");
    Ok(Outcome::Passed)
}

fn hidden_is(root: &Root<'_>, mark: &str) -> Result<()> {
    let rows = root.query("cmdline,laddr,raddr,lport,rport")?;
    let hidden = expect::marked(&rows, mark);
    ensure!(hidden.is_empty(), "ignored, yet there: {hidden:?}");
    Ok(())
}

/// The trap of traps: to ignore the own network must not hide what a host in it does elsewhere.
pub(super) fn own_network(world: &World) -> Result<Outcome> {
    if world.skip_namespaces {
        return Ok(Outcome::Skipped("asked to skip network namespaces".to_owned()));
    }
    let root = Root::quick_and(world, "[ignore]\nsubnets = [\"10.231.77.0/24\"]\n")?;
    let pair = Pair::create()?;
    let ([left, right], far) = ([&pair.left.name, &pair.right.name], "203.0.113.7");
    let there = format!("{far}/32");
    ip(&["-n", right, "addr", "add", &there, "dev", "veth0"])?;
    ip(&["-n", left, "route", "add", &there, "via", &pair.right.v4.to_string()])?;
    let daemon = root.start()?;
    let (mut marks, mut moved) = (Vec::new(), Vec::new());
    for address in [far, &pair.right.v4.to_string()] {
        let (client, server) = (world.mark("client"), world.mark("server"));
        let listen = format!("{address}:0");
        let mut httpd =
            world.testkit(&["httpd", "--listen", &listen, "--bytes", "1", "--tag", &server]);
        pair.right.enter(&mut httpd)?;
        let mut httpd = Httpd::start(httpd)?;
        let to = httpd.address.to_string();
        let mut send =
            world.testkit(&["shortlived", "--to", &to, "--bytes", "7777", "--tag", &client]);
        pair.left.enter(&mut send)?;
        let done = command::run(send, world.patience(30))?;
        ensure!(done.status.success(), "{}", done.stderr);
        moved.push(httpd.served()?);
        marks.push((client, server));
    }
    drop(pair);
    daemon.stop()?;
    let [(far_client, far_server), (near_client, near_server)] = &marks[..] else {
        bail!("two of them");
    };
    // The server's remote end is in the network each time.
    for mark in [far_server, near_client, near_server] {
        hidden_is(&root, mark)?;
    }
    let rows = root.query("cmdline,laddr,raddr")?;
    let [row] = expect::marked(&rows, far_client)[..] else { bail!("no client: {rows:#?}") };
    let row = Row(row);
    ensure!(row.text("raddr") == far && row.text("laddr").starts_with("10.231.77."), "{}", row.0);
    ensure!(row.bytes() == (7777, 0), "{}", row.0);
    let sum = (7777, 7777 * 2);
    let told = root.ignored("ignore.subnets 10.231.77.0/24")?;
    ensure!(told == sum && moved.iter().all(|end| end.recv == 7777), "{told:?}, not {sum:?}");
    Ok(Outcome::Passed)
}

/// By path, protocol and user at once: each hides its own and nothing else.
pub(super) fn kinds(world: &World) -> Result<Outcome> {
    const SOMEBODY: u32 = 64_321;
    let curl = program("curl")?;
    let pattern = curl.with_file_name("cur?");
    let root = Root::quick_and(
        world,
        &format!(
            "[ignore]\nexes = [\"{}\"]\nprotocols = [\"udplite\", \"UDP\"]\nusers = [{SOMEBODY}]\n",
            pattern.display()
        ),
    )?;
    let [page, udp, user, shown] = ["page", "udp", "user", "shown"].map(|it| world.mark(it));
    let serving = world.mark("httpd");
    let mut server = Httpd::on(world, "127.0.0.1:0", 100_000, &serving)?;
    let daemon = root.start()?;
    let url = format!("http://{}/{page}", server.address);
    let fetch = shell(&format!("curl --silent --noproxy '*' --output /dev/null {url}"));
    let done = command::run(fetch, world.patience(30))?;
    ensure!(done.status.success(), "curl: {}", done.stderr);
    let served = server.served()?;
    world.traffic("udp4", &udp)?;
    let mut somebody = world.testkit(&["traffic", "tcp4", "--tag", &user]);
    somebody.uid(SOMEBODY);
    let theirs = world.report(somebody)?;
    let report = world.traffic("tcp4", &shown)?;
    daemon.stop()?;
    for mark in [&page, &udp, &user] {
        hidden_is(&root, mark)?;
    }
    expect::exactly(&root, &shown, &report)?;
    let rows = root.query("cmdline")?;
    let bytes = expect::total(expect::marked(&rows, &serving));
    ensure!(bytes == (served.sent, served.recv), "the server is no curl: {bytes:?}");
    let told = root.ignored(&format!("ignore.users {SOMEBODY}"))?;
    ensure!(told == (theirs.sent(), theirs.recv()), "{told:?}");
    let told = root.ignored(&format!("ignore.exes {}", pattern.display()))?;
    ensure!(told.0 >= served.recv && told.1 >= served.sent, "{told:?}, {served:?}");
    Ok(Outcome::Passed)
}

/// `[only]`: the rest of the machine is one line.
pub(super) fn only(world: &World) -> Result<Outcome> {
    let pattern = world.testkit.with_file_name("*testkit*");
    let root = Root::quick_and(
        world,
        &format!("[only]\nexes = [\"{}\"]\nprotocols = [\"tcp\"]\n", pattern.display()),
    )?;
    let [page, udp, shown] = ["page", "udp", "shown"].map(|it| world.mark(it));
    let mut server = Httpd::on(world, "127.0.0.1:0", 100_000, &world.mark("httpd"))?;
    let daemon = root.start()?;
    let url = format!("http://{}/{page}", server.address);
    let fetch = shell(&format!("curl --silent --noproxy '*' --output /dev/null {url}"));
    let done = command::run(fetch, world.patience(30))?;
    ensure!(done.status.success(), "curl: {}", done.stderr);
    let served = server.served()?;
    let datagrams = world.traffic("udp4", &udp)?;
    let report = world.traffic("tcp4", &shown)?;
    daemon.stop()?;
    expect::exactly(&root, &shown, &report)?;
    for mark in [&page, &udp] {
        hidden_is(&root, mark)?;
    }
    let told = root.ignored("not in [only]")?;
    let least = (served.recv + datagrams.sent(), served.sent + datagrams.recv());
    ensure!(told.0 >= least.0 && told.1 >= least.1, "{told:?} is less than {least:?}");
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
