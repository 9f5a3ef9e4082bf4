//! Programs that speak DNS themselves, as those without a C library do.

use anyhow::Context;
use anyhow::Result;
use femtosnitch_testkit::Report;

use super::town::watch;
use super::wanted::Name;
use super::wanted::Wanted;
use crate::helpers::Talker;
use crate::runner::Outcome;
use crate::world::World;

/// A reply by the system's resolver.
const DNS: &[&str] = &["dns"];

/// Whichever call takes the reply (see [`batch`] for one more), and of both families.
pub(in crate::scenarios) fn calls(world: &World) -> Result<Outcome> {
    const RECORDS: [&str; 4] = [
        "--host-record=from.town.test,10.231.77.11",
        "--host-record=message.town.test,10.231.77.12",
        "--host-record=read.town.test,10.231.77.13",
        "--host-record=six.town.test,fd5e:77::11",
    ];
    watch(world, &RECORDS, |town| {
        let mut all = Vec::new();
        for (name, taking) in [
            ("from.town.test", "from"),
            ("message.town.test", "message"),
            ("read.town.test", "read"),
        ] {
            all.extend(town.ask(name, &["--taking", taking], Name::Is(name, DNS))?);
        }
        let six = "six.town.test";
        all.extend(town.ask(six, &["--type", "aaaa"], Name::Is(six, DNS))?);
        Ok(all)
    })
}

/// Two replies by one `recvmmsg(2)`.
pub(in crate::scenarios) fn batch(world: &World) -> Result<Outcome> {
    let outcome = watch(world, &["--host-record=batch.town.test,10.231.77.14"], |town| {
        town.ask("batch.town.test", &["--taking", "batch"], Name::Is("batch.town.test", DNS))
    });
    match outcome {
        Err(error) if error.to_string().contains(r#"no name: "" by """#) => {
            let why = "where recvmmsg(2) puts its messages is not looked up (payloads_hidden)";
            Ok(Outcome::Known(why.to_owned()))
        }
        other => other,
    }
}

/// Over a connection, the length of the message taken by a call of its own.
pub(in crate::scenarios) fn over_tcp(world: &World) -> Result<Outcome> {
    watch(world, &["--host-record=stream.town.test,10.231.77.11"], |town| {
        town.ask("stream.town.test", &["--over", "tcp"], Name::Is("stream.town.test", DNS))
    })
}

/// The name that was asked for, not what it stands for.
pub(in crate::scenarios) fn alias(world: &World) -> Result<Outcome> {
    const RECORDS: [&str; 3] = [
        "--cname=www.town.test,edge.cdn.test",
        "--cname=edge.cdn.test,rack7.cdn.test",
        "--host-record=rack7.cdn.test,10.231.77.11",
    ];
    watch(world, &RECORDS, |town| town.ask("www.town.test", &[], Name::Is("www.town.test", DNS)))
}

/// The address is among the parameters of an HTTPS record.
pub(in crate::scenarios) fn hints(world: &World) -> Result<Outcome> {
    // Priority 1, the name itself, alpn h2, ipv4hint 10.231.77.12.
    const RECORD: &str = "--dns-rr=service.town.test,65,00010000010003026832000400040ae74d0c";
    watch(world, &[RECORD], |town| {
        let name = "service.town.test";
        town.ask(name, &["--type", "https"], Name::Is(name, DNS))
    })
}

/// Two processes that reach one address under two names, each while the other does: each keeps
/// its own.
pub(in crate::scenarios) fn two_names(world: &World) -> Result<Outcome> {
    const RECORDS: [&str; 2] =
        ["--host-record=red.town.test,10.231.77.11", "--host-record=blue.town.test,10.231.77.11"];
    watch(world, &RECORDS, |town| {
        let start = |name: &'static str| -> Result<(Talker, String, &'static str)> {
            let mark = town.world.mark("names");
            let (server, port) = (town.resolver().to_string(), town.port());
            let args = ["resolve", "--server", &server, "--name", name, "--port", &port, "--hold"];
            let mut talker = Talker::start(town.client(&mark, &args)?)?;
            talker.read::<String>().context("waiting for an answer")?;
            Ok((talker, mark, name))
        };
        // Both know by then: the last answer is not the first one's.
        let both = [start("red.town.test")?, start("blue.town.test")?];
        let mut all = Vec::new();
        for (mut talker, mark, name) in both {
            talker.tell("\n")?;
            let report: Report = talker.read()?;
            all.extend(Wanted::reported(&mark, &report, Name::Is(name, DNS))?);
        }
        Ok(all)
    })
}
