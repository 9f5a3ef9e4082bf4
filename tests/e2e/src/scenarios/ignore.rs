//! What the configuration says to ignore stays out of the history but for its sum, and nothing else
//! does.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
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
use crate::helpers::Talker;
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
    let row = rows.iter().map(Row).find(|row| row.text("name") == rule);
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
    let mut hidden = expect::marked(&rows, mark);
    // A socket that listens has no remote end to ignore it by, nor bytes.
    hidden.retain(|row| Row(row).bytes() != (0, 0) || !Row(row).text("raddr").is_empty());
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

/// A name hides only on a resolver's word: not one that looks like it, and not one that the program
/// itself has said.
pub(super) fn domains(world: &World) -> Result<Outcome> {
    const PYTHON: &str = "/usr/bin/python3";
    if world.skip_namespaces || !Path::new(PYTHON).exists() {
        return Ok(Outcome::Skipped("needs network namespaces and python3".to_owned()));
    }
    let pair = Pair::create()?;
    let server = pair.right.v4.to_string();
    let [left, right] = [&pair.left.name, &pair.right.name];
    let rules =
        format!("[names]\nresolvers = [\"{server}\"]\n[ignore]\ndomains = [\"example.org\"]\n");
    let root = Root::quick_and(world, &rules)?;
    let daemon = root.start()?;
    ip(&["-n", right, "addr", "add", "203.0.113.0/24", "dev", "lo"])?;
    ip(&["-n", left, "route", "add", "203.0.113.0/24", "via", &server])?;
    let mut town = Command::new(PYTHON);
    town.args(["-c", TOWN, &server]);
    pair.right.enter(&mut town)?;
    let mut town = Talker::start(town)?;
    let _ready: bool = town.read()?;
    let mut done = Vec::new();
    for (way, name) in
        [("dns", "www.example.org"), ("dns", "www.notexample.org"), ("tls", "www.example.org")]
    {
        let mark = world.mark(way);
        let mut visit = Command::new(PYTHON);
        let address = format!("203.0.113.{}", 7 + done.len());
        visit.args(["-c", VISIT, &server, way, name, &address, &mark]);
        pair.left.enter(&mut visit)?;
        let sent: u64 = command::output(visit, world.patience(30))?.trim().parse()?;
        done.push((mark, sent, address));
    }
    drop((town, pair));
    daemon.stop()?;
    let rows = root.query("cmdline,raddr,rport,protocol,domain,namesource")?;
    let visits = |mark: &str| -> Vec<Row<'_>> {
        let rows = expect::marked(&rows, mark).into_iter().map(Row);
        rows.filter(|row| row.number("rport") == 8443).collect()
    };
    let [(hidden, sent, _), (beside, beside_sent, _), (claimed, claimed_sent, _)] = &done[..]
    else {
        bail!("three of them");
    };
    ensure!(visits(hidden).is_empty(), "ignored, yet there: {rows:#?}");
    let told = root.ignored("ignore.domains example.org")?;
    // The other end has no name, and is there.
    ensure!(told == (*sent, 0), "{sent} were sent: {told:?}");
    for (mark, sent, source) in [(beside, beside_sent, "dns"), (claimed, claimed_sent, "tls")] {
        let [row] = &visits(mark)[..] else { bail!("not one row: {rows:#?}") };
        ensure!(row.bytes() == (*sent, 0) && row.text("namesource") == source, "{}", row.0);
    }
    Ok(Outcome::Passed)
}

/// A resolver that knows every address by the name that begins with it, and somebody to talk to.
const TOWN: &str = r#"
import socket, sys, threading
dns = socket.socket(type=socket.SOCK_DGRAM)
dns.bind((sys.argv[1], 53))
shop = socket.create_server(("0.0.0.0", 8443))
print("true", flush=True)
def answer():
    while True:
        question, asker = dns.recvfrom(512)
        # Whoever asks says in the identifier which address it wants.
        address = bytes([203, 0, 113, question[1]])
        record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + address
        head = question[:2] + b"\x81\x80\0\x01\0\x01\0\0\0\0"
        dns.sendto(head + question[12:] + record, asker)
threading.Thread(target=answer, daemon=True).start()
while True:
    guest, _ = shop.accept()
    while guest.recv(65536):
        pass
    guest.close()
"#;

/// Finds out an address or says a name, and sends something there.
const VISIT: &str = r#"
import socket, ssl, sys
server, way, name, address = sys.argv[1:5]
first = b"x"
if way == "dns":
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    number = int(address.rsplit(".", 1)[1])
    asked = socket.socket(type=socket.SOCK_DGRAM)
    asked.connect((server, 53))
    asked.send(bytes([0, number, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + labels + b"\0\0\x01\0\x01")
    address = socket.inet_ntoa(asked.recv(512)[-4:])
else:
    told, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(told, said, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        first = said.read()
talk = socket.create_connection((address, 8443))
talk.sendall(first)
talk.sendall(b"y" * 5000)
talk.shutdown(socket.SHUT_WR)
talk.recv(1)
print(len(first) + 5000)
"#;
