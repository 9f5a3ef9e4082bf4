//! Two network namespaces: in one live clients, in the other a resolver and some hosts.

use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;
use std::process::ChildStderr;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_harness::command;
use femtosnitch_testkit::End;
use femtosnitch_testkit::Report;
use femtosnitch_testkit::netns::Pair;
use femtosnitch_testkit::netns::ip;
use tempfile::TempDir;

use super::wanted::Name;
use super::wanted::Wanted;
use super::wanted::compare;
use crate::helpers::Httpd;
use crate::root::Root;
use crate::runner::Outcome;
use crate::scenarios::container::find;
use crate::world::World;

/// The resolver, of Debian and everybody else.
const RESOLVER: &str = "dnsmasq";
/// Addresses that hosts can have.
pub(super) const HOSTS: [&str; 5] =
    ["10.231.77.11", "10.231.77.12", "10.231.77.13", "10.231.77.14", "10.231.77.15"];
/// A host's that has no other.
pub(super) const HOST6: &str = "fd5e:77::11";
/// Bytes of what a web server gives.
const BODY: usize = 30_000;

/// What a daemon is told that knows the town's resolver.
const CONFIG: &str = "[names]\nresolvers = [\"10.231.77.2\"]\n";

/// The town.
pub(super) struct Town<'a> {
    pub(super) world: &'a World,
    pub(super) pair: Pair,
    /// On every host.
    web: Httpd,
    /// Files for `/etc`.
    etc: TempDir,
    _resolver: Resolver,
}

/// Builds a town with these records (options of dnsmasq's), has a daemon watch what `act` does
/// there, and compares with what `act` says should be in the history.
pub(super) fn watch(
    world: &World,
    records: &[&str],
    act: impl FnOnce(&mut Town<'_>) -> Result<Vec<Wanted>>,
) -> Result<Outcome> {
    watch_with(world, CONFIG, records, act)
}

/// The same with other words to the daemon.
pub(super) fn watch_with(
    world: &World,
    config: &str,
    records: &[&str],
    act: impl FnOnce(&mut Town<'_>) -> Result<Vec<Wanted>>,
) -> Result<Outcome> {
    if world.skip_namespaces {
        return Ok(Outcome::Skipped("asked to skip network namespaces".to_owned()));
    }
    if find(RESOLVER).is_none() {
        let how = "on the machine itself `scripts/setup test` installs it";
        return Ok(Outcome::Skipped(format!("{RESOLVER} is not there: {how}")));
    }
    let mut town = Town::build(world, records)?;
    let root = Root::at_once_and(world, config)?;
    let daemon = root.start()?;
    let wanted = act(&mut town)?;
    daemon.stop()?;
    compare(&wanted, &root)?;
    Ok(Outcome::Passed)
}

impl<'a> Town<'a> {
    fn build(world: &'a World, records: &[&str]) -> Result<Self> {
        let pair = Pair::create()?;
        let side = ["-n", &pair.right.name, "addr", "add"];
        for host in HOSTS {
            ip(&[&side[..], &[&format!("{host}/24"), "dev", "veth0"]].concat())?;
        }
        ip(&[&side[..], &[&format!("{HOST6}/64"), "dev", "veth0", "nodad"]].concat())?;
        let resolver = Resolver::start(&pair, records)?;
        let bytes = BODY.to_string();
        let mut server = world.testkit(&["httpd", "--listen", "[::]:0", "--bytes", &bytes]);
        pair.right.enter(&mut server)?;
        let etc = tempfile::Builder::new().prefix("fs-e2e-etc-").tempdir();
        let etc = etc.context("making a directory")?;
        files(etc.path(), &pair)?;
        Ok(Self { world, web: Httpd::start(server)?, pair, etc, _resolver: resolver })
    }

    /// Where the resolver is.
    pub(super) fn resolver(&self) -> SocketAddr {
        SocketAddr::from((self.pair.right.v4, 53))
    }

    /// The web server's port on every host.
    pub(super) fn port(&self) -> String {
        self.web.address.port().to_string()
    }

    /// The web server of a host.
    pub(super) fn web(&self, host: &str) -> Result<SocketAddr> {
        let host: IpAddr = host.parse().context("an address")?;
        Ok(SocketAddr::new(host, self.web.address.port()))
    }

    /// What the web server says of the connection that ended last.
    pub(super) fn served(&mut self) -> Result<End> {
        self.web.served()
    }

    /// A call of the testkit's `names`, where clients live.
    pub(super) fn client(&self, mark: &str, args: &[&str]) -> Result<Command> {
        let mut command = self.world.testkit(&["names", "--tag", mark]);
        command.args(args);
        self.pair.left.enter(&mut command)?;
        Ok(command)
    }

    /// Runs such a call to its end; what should be known of it.
    pub(super) fn run(&self, args: &[&str], name: Name) -> Result<Vec<Wanted>> {
        let mark = self.world.mark("names");
        let report = self.world.report(self.client(&mark, args)?)?;
        Wanted::reported(&mark, &report, name)
    }

    /// The same for a client that resolves a name by own messages.
    pub(super) fn ask(&self, name: &str, how: &[&str], wanted: Name) -> Result<Vec<Wanted>> {
        let (server, port) = (self.resolver().to_string(), self.port());
        let args = ["resolve", "--server", &server, "--name", name, "--port", &port];
        self.run(&[&args[..], how].concat(), wanted)
    }

    /// A testkit's server on this host, where hosts are.
    pub(super) fn server(&self, kind: &str, host: &str) -> Result<Httpd> {
        let bytes = BODY.to_string();
        let listen = SocketAddr::new(host.parse().context("an address")?, 0).to_string();
        let args = ["names", kind, "--listen", &listen, "--bytes", &bytes];
        let mut command = self.world.testkit(&args);
        self.pair.right.enter(&mut command)?;
        Httpd::start(command)
    }

    /// A program where clients live, whose C library finds the town's files in `/etc`.
    pub(super) fn with_files(&self, program: &Path, args: &[&str]) -> Result<Command> {
        const SETTLE: &str = "mount --make-rprivate /
for file in resolv.conf hosts nsswitch.conf; do
    [ ! -e /etc/$file ] || mount --bind \"$0/$file\" /etc/$file
done
exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-ec", SETTLE]).arg(self.etc.path()).arg(program).args(args);
        for proxy in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"] {
            command.env_remove(proxy);
        }
        self.pair.left.enter(&mut command)?;
        Ok(command)
    }

    /// Those files.
    pub(super) fn etc(&self) -> &Path {
        self.etc.path()
    }

    /// Runs a program that has to succeed.
    pub(super) fn succeed(&self, command: Command) -> Result<String> {
        command::output(command, self.world.patience(20))
    }

    /// Runs a call of the testkit's in one of these commands; its report.
    pub(super) fn report(&self, command: Command) -> Result<Report> {
        self.world.report(command)
    }
}

/// What a C library wants to know. The file of hosts knows two that the resolver does not.
fn files(etc: &Path, pair: &Pair) -> Result<()> {
    let [.., fourth, fifth] = HOSTS;
    let hosts =
        format!("127.0.0.1 localhost\n{fourth} written.town.test\n{fifth} carved.town.test\n");
    let resolver = format!("nameserver {}\noptions timeout:2\n", pair.right.v4);
    let contents = [
        ("resolv.conf", resolver),
        ("hosts", hosts),
        ("nsswitch.conf", "hosts: files dns\n".into()),
    ];
    for (file, text) in contents {
        fs::write(etc.join(file), text).context("writing a file for /etc")?;
    }
    Ok(())
}

/// A running resolver, ended when dropped.
struct Resolver {
    child: Child,
    /// Open as long as it may complain.
    log: BufReader<ChildStderr>,
}

impl Resolver {
    fn start(pair: &Pair, records: &[&str]) -> Result<Self> {
        let mut command = Command::new(RESOLVER);
        command.args(["--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null"]);
        command.args(["--no-resolv", "--no-hosts", "--pid-file=", "--user=root", "--group="]);
        command.args(["--bind-interfaces", &format!("--listen-address={}", pair.right.v4)]);
        command.args(records);
        pair.right.enter(&mut command)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting the resolver")?;
        let log = BufReader::new(child.stderr.take().context("no pipe")?);
        let mut resolver = Self { child, log };
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let size = resolver.log.read_line(&mut line).context("reading the resolver's log")?;
            ensure!(size > 0, "the resolver ended: {said}");
            if line.contains("started") {
                return Ok(resolver);
            }
            said.push_str(&line);
        }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        command::end(&mut self.child);
    }
}
