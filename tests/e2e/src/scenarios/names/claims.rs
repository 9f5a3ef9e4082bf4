//! Names that anybody may have made up, and traffic that has none.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::Report;

use super::town::HOSTS;
use super::town::watch;
use super::town::watch_with;
use super::wanted::Name;
use super::wanted::Wanted;
use super::wanted::compare;
use crate::helpers::Talker;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;

/// A record of the resolver's that nobody told the daemon of.
const RECORD: &str = "--host-record=mill.town.test,10.231.77.11";

/// A reply by a resolver that is not the system's is known as such.
pub(in crate::scenarios) fn other_resolver(world: &World) -> Result<Outcome> {
    watch_with(world, "", &[RECORD], |town| {
        let mut all = Vec::new();
        for over in ["udp", "tcp"] {
            let name = Name::Is("mill.town.test", &["other-dns"]);
            all.extend(town.ask("mill.town.test", &["--over", over], name)?);
        }
        Ok(all)
    })
}

/// A user who made a network of their own can be every server in it, the system's resolver too.
pub(in crate::scenarios) fn own_network(world: &World) -> Result<Outcome> {
    const SCRIPT: &str = "ip link set lo up
for address in 10.231.77.2 10.231.77.11; do ip addr add $address/32 dev lo; done
sleep 100 | \"$0\" names serve-dns --listen 10.231.77.2:53 --record bank.test=10.231.77.11 >&2 &
sleep 100 | \"$0\" httpd --listen 10.231.77.11:8080 --bytes 3000 >&2 &
ask() { \"$0\" names --tag $1 resolve --server 10.231.77.2:53 --name bank.test --port 8080 --taking read; }
until ask early >&2; do sleep 0.1; done
ask \"$1\"";
    const OWN: [&str; 6] =
        ["--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"];
    if !Command::new("unshare").args(OWN).arg("true").status()?.success() {
        return Ok(Outcome::Skipped("no user namespaces here".to_owned()));
    }
    let root = Root::quick_and(world, "[names]\nresolvers = [\"10.231.77.2\"]\n")?;
    let daemon = root.start()?;
    let mark = world.mark("names");
    let mut command = Command::new("unshare");
    command.args(OWN).args(["sh", "-ec", SCRIPT]).arg(&world.testkit).arg(&mark);
    let report = world.report(command)?;
    daemon.stop()?;
    let name = Name::Is("bank.test", &["other-dns"]);
    compare(&Wanted::reported(&mark, &report, name)?, &root)?;
    Ok(Outcome::Passed)
}

/// The owner of an address says it is called like a domain that rules hide: that is no name unless
/// it is wanted, is marked then, and hides nothing.
pub(in crate::scenarios) fn owners_word(world: &World) -> Result<Outcome> {
    const RULES: &str = "[names]\nresolvers = [\"10.231.77.2\"]\nptr = WANTED\n\n\
                         [ignore]\ndomains = [\"bank.test\"]\n";
    const POINTER: &str = "--ptr-record=11.77.231.10.in-addr.arpa,www.bank.test";
    for (wanted, name) in
        [("true", Name::Is("www.bank.test", &["ptr", "host-ptr"])), ("false", Name::None)]
    {
        let outcome = watch_with(world, &RULES.replace("WANTED", wanted), &[POINTER], |town| {
            let [host, ..] = HOSTS;
            let to = town.web(host)?;
            let address = to.ip().to_string();
            let told = town.with_files(Path::new("getent"), &["hosts", &address])?;
            let told = town.succeed(told)?;
            ensure!(told.contains("www.bank.test"), "the resolver told {told:?}");
            town.run(&["fetch", "--to", &to.to_string()], name)
        })?;
        if !matches!(outcome, Outcome::Passed) {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Passed)
}

/// Whatever the local network tells unasked stays a claim.
pub(in crate::scenarios) fn mdns(world: &World) -> Result<Outcome> {
    watch(world, &[], |town| {
        let [_, _, host, ..] = HOSTS;
        let (mark, to) = (town.world.mark("names"), town.web(host)?.to_string());
        let [here, there] = [&town.pair.left, &town.pair.right].map(|side| side.v4.to_string());
        let mut listener =
            Talker::start(town.client(&mark, &["overhear", "--here", &here, "--to", &to])?)?;
        listener.read::<String>()?;
        let args =
            ["names", "tell", "--from", &there, "--name", "printer.local", "--address", host];
        let mut teller = town.world.testkit(&args);
        town.pair.right.enter(&mut teller)?;
        town.succeed(teller)?;
        let report: Report = listener.read()?;
        Wanted::reported(&mark, &report, Name::Is("printer.local", &["mdns"]))
    })
}

/// An address that nobody named; a hello that hides the host, one with an address for a name, one
/// that is none, and one that never ends.
pub(in crate::scenarios) fn nameless(world: &World) -> Result<Outcome> {
    watch(world, &[], |town| {
        let [host, ..] = HOSTS;
        let to = town.web(host)?.to_string();
        let mut all = town.run(&["fetch", "--to", &to], Name::None)?;
        for opening in ["ech", "address", "garbage", "cut"] {
            all.extend(town.run(&["open", "--to", &to, "--with", opening], Name::None)?);
        }
        Ok(all)
    })
}

/// With names switched off there are none, and every byte all the same.
pub(in crate::scenarios) fn off(world: &World) -> Result<Outcome> {
    watch_with(world, "[names]\ncapture = false\n", &[RECORD], |town| {
        let [_, host, ..] = HOSTS;
        let mut all = town.ask("mill.town.test", &[], Name::None)?;
        let mut server = town.server("serve-tls", host)?;
        let to = server.address.to_string();
        all.extend(town.run(&["tls", "--to", &to, "--name", "mill.town.test"], Name::None)?);
        server.served()?;
        Ok(all)
    })
}
