//! Names over loop-back, with nothing but the testkit: what a guest without any other program, and
//! with another kernel, can show.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::net::UdpSocket;

use anyhow::Result;

use super::wanted::Name;
use super::wanted::Wanted;
use super::wanted::compare;
use crate::helpers::Httpd;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// Where a resolver is that knows the name of a host for every way to ask, and where those are.
const RESOLVER: &str = "127.77.7.53:53";
const HOSTS: [(&str, &str, &[&str]); 4] = [
    ("from.loop.test", "127.77.7.11", &["--taking", "from"]),
    ("message.loop.test", "127.77.7.12", &["--taking", "message"]),
    ("read.loop.test", "127.77.7.13", &["--taking", "read"]),
    ("stream.loop.test", "127.77.7.14", &["--over", "tcp"]),
];
/// Where the servers of TLS and QUIC are, and one that has no name.
const SERVER: &str = "127.77.7.21:0";
const NAMELESS: &str = "127.77.7.22";

/// Own DNS over UDP and TCP, TLS, QUIC, and no name at all.
pub(in crate::scenarios) fn loopback(world: &World) -> Result<Outcome> {
    let records = HOSTS.map(|(name, host, _how)| format!("--record={name}={host}"));
    let mut server = world.testkit(&["names", "serve-dns", "--listen", RESOLVER]);
    server.args(&records);
    let taken = UdpSocket::bind(RESOLVER).err().map(|error| error.kind());
    if taken == Some(ErrorKind::AddrInUse) {
        let why = "a resolver has port 53 of every address of this machine";
        return Ok(Outcome::Skipped(why.to_owned()));
    }
    let _resolver = Httpd::start(server)?;
    let web = Httpd::on(world, "0.0.0.0:0", 5_000, "names")?;
    let serve =
        |kind| Httpd::start(world.testkit(&["names", kind, "--listen", SERVER, "--bytes", "5000"]));
    let (mut tls, mut quic) = (serve("serve-tls")?, serve("serve-quic")?);
    let root = Root::at_once_and(world, "[names]\nresolvers = [\"127.77.7.53\"]\n")?;
    let daemon = root.start()?;

    let run = |args: &[&str], name: Name| -> Result<Vec<Wanted>> {
        let mark = world.mark("names");
        let report = world.report(world.testkit(&[&["names", "--tag", &mark], args].concat()))?;
        Wanted::reported(&mark, &report, name)
    };
    let port = web.address.port().to_string();
    let mut wanted = Vec::new();
    for (name, _host, how) in HOSTS {
        let args = ["resolve", "--server", RESOLVER, "--name", name, "--port", &port];
        wanted.extend(run(&[&args, how].concat(), Name::Is(name, &["dns"]))?);
    }
    let to = tls.address.to_string();
    for how in [&[][..], &["--split-at", "100"]] {
        let name = Name::Is("tls.loop.test", &["tls"]);
        wanted
            .extend(run(&[&["tls", "--to", &to, "--name", "tls.loop.test"], how].concat(), name)?);
        tls.served()?;
    }
    let (to, name) = (quic.address.to_string(), Name::Is("quic.loop.test", &["quic"]));
    wanted.extend(run(&["quic", "--to", &to, "--name", "quic.loop.test"], name)?);
    quic.served()?;
    let to = SocketAddr::new(NAMELESS.parse()?, web.address.port()).to_string();
    wanted.extend(run(&["fetch", "--to", &to], Name::None)?);
    wanted.extend(run(&["open", "--to", &to, "--with", "garbage"], Name::None)?);

    daemon.stop()?;
    compare(&wanted, &root)?;
    Ok(Outcome::Passed)
}
