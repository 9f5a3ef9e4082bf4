//! Traffic that no process makes: what is seen of it, and what is not.

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::Error;
use femtosnitch_testkit::Report;
use femtosnitch_testkit::netns::Pair;
use femtosnitch_testkit::netns::ip;

use crate::expect;
use crate::expect::Row;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// A request: to read, or to end the connection. The system call that wants it may send it itself.
const REQUEST: u64 = 28;
/// Bytes written and read back.
const BYTES: u64 = 3_000_000;
/// How soon the kernel writes by itself what programs have written: hundredths of a second.
const WRITEBACK: [(&str, &str); 2] = [
    ("/proc/sys/vm/dirty_expire_centisecs", "20"),
    ("/proc/sys/vm/dirty_writeback_centisecs", "20"),
];

/// A block device on a server (nbd): the kernel's threads send and receive.
pub(super) fn sockets(world: &World) -> Result<Outcome> {
    if !world.machine_is_ours {
        let why = "takes a block device and changes when the kernel writes: only in a guest";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    for (setting, value) in WRITEBACK {
        std::fs::write(setting, value).context(setting)?;
    }
    let (root, mark) = (Root::new(world)?, world.mark("nbd"));
    let daemon = root.start()?;
    let bytes = BYTES.to_string();
    let nbd = ["nbd", "--device", "/dev/nbd0", "--bytes", &bytes, "--tag", &mark];
    let report: Report = match world.report(world.testkit(&nbd)) {
        Err(error) => match error.downcast::<Error>() {
            Ok(Error::Unsupported(why)) => return Ok(Outcome::Skipped(why)),
            Ok(error) => return Err(error.into()),
            Err(error) => return Err(error),
        },
        Ok(report) => report,
    };
    daemon.stop()?;
    let server = report.ends.first().context("no server in the report")?;
    let port = u64::from(server.local.context("no address in the report")?.port());

    let rows = root.query("exe,pid,rport,raddr,protocol,cmdline")?;
    let client: Vec<_> = rows.iter().filter(|row| Row(row).number("rport") == port).collect();
    let kernel = client.iter().filter(|row| Row(row).text("exe") == "(kernel)");
    let (sent, received) = expect::total(kernel.copied());
    let all = expect::total(client.iter().copied());
    ensure!(all == (server.recv, server.sent), "{all:?}, the server {server:?}: {client:#?}");
    ensure!(received == server.sent, "(kernel) received {received}: {client:#?}");
    ensure!(sent > BYTES && received > BYTES, "blocks went another way: {client:#?}");
    let marked = client.iter().filter(|row| Row(row).text("cmdline").ends_with(&mark));
    let (requests, none) = expect::total(marked.copied());
    ensure!(none == 0 && requests + sent == server.recv, "somebody else's: {client:#?}");
    // The goodbye at least.
    let whole = requests >= REQUEST && requests.is_multiple_of(REQUEST);
    ensure!(whole, "no whole requests by the process: {client:#?}");
    Ok(Outcome::Passed)
}

/// A tunnel (VXLAN; WireGuard sends the same way) makes no socket call: bytes belong to the program
/// that sent them through it, and nobody is charged with what carries them.
pub(super) fn tunnel(world: &World) -> Result<Outcome> {
    /// Where the tunnel's datagrams go.
    const PORT: &str = "4789";
    if world.skip_namespaces {
        return Ok(Outcome::Skipped("asked to skip network namespaces".to_owned()));
    }
    let (root, mark) = (Root::new(world)?, world.mark("tunnel"));
    let daemon = root.start()?;
    let pair = Pair::create()?;
    let inside = ["10.231.78.1", "10.231.78.2"];
    for (near, far, address) in
        [(&pair.left, &pair.right, inside[0]), (&pair.right, &pair.left, inside[1])]
    {
        let (local, remote) = (near.v4.to_string(), far.v4.to_string());
        let here = ["-n", &near.name];
        let ends = ["local", &local, "remote", &remote, "dstport", PORT, "dev", "veth0"];
        let link = ["link", "add", "tunnel", "type", "vxlan", "id", "7"];
        if let Err(error) = ip(&[&here[..], &link, &ends].concat()) {
            return Ok(Outcome::Skipped(format!("no VXLAN: {error}")));
        }
        let network = format!("{address}/24");
        ip(&[&here[..], &["addr", "add", &network, "dev", "tunnel"]].concat())?;
        ip(&[&here[..], &["link", "set", "tunnel", "up"]].concat())?;
    }
    let place = ["--peer-netns", &pair.right.name, "--bind4", inside[1]];
    let mut command = world.testkit(&[&["traffic", "udp4", "--tag", &mark], &place[..]].concat());
    pair.left.enter(&mut command)?;
    let report = world.report(command)?;
    drop(pair);
    daemon.stop()?;
    expect::exactly(&root, &mark, &report)?;
    let port: u64 = PORT.parse().context("a port")?;
    let rows = root.query("exe,lport,rport")?;
    let outer =
        rows.iter().map(Row).find(|row| row.number("lport") == port || row.number("rport") == port);
    ensure!(outer.is_none(), "the tunnel itself is seen, say so in docs/accuracy.md: {rows:#?}");
    Ok(Outcome::Passed)
}
