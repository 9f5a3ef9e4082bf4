//! Where addresses are: by databases that the test wrote, replaced and broken while they are used.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use femtosnitch_testkit::Report;
use femtosnitch_testkit::netns::Pair;
use femtosnitch_testkit::netns::ip;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::daemon::Daemon;
use crate::expect;
use crate::expect::Row;
use crate::mmdb;
use crate::mmdb::map;
use crate::mmdb::text;
use crate::root::Root;
use crate::runner::Outcome;
use crate::world::World;
use femtosnitch_harness::command;

/// Addresses of hosts that are far away, anywhere but in the namespaces of these tests.
const CLIENT: &str = "8.8.8.1";
const SERVER: &str = "8.8.8.8";
const SERVER6: &str = "2a00:1450::8";

/// Below the root, where updaters put it.
const COUNTRIES: &str = "var/lib/GeoIP/GeoLite2-Country.mmdb";

/// A database that has the server in `server`, its neighbours in the US.
fn countries(name: &str, server: &str) -> Vec<u8> {
    let flat = |code| map([("country_code", text(code))]);
    let nested = map([("country", map([("iso_code", text(server))]))]);
    mmdb::Writer::new(24, 6)
        .named(name, map([("en", text("Made for a test"))]))
        .with("8.8.8.0/24", flat("US"))
        .with("8.8.8.8/32", nested.clone())
        .with("2a00:1450::/32", nested)
        .bytes()
}

fn systems() -> Vec<u8> {
    let record = map([
        ("autonomous_system_number", mmdb::Value::U32(64_496)),
        ("autonomous_system_organization", text("Example Networks")),
    ]);
    mmdb::Writer::new(28, 4).with("8.8.8.8/32", record).bytes()
}

/// Puts a file where it is found, as updaters do.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let directory = path.parent().context("a path without directory")?;
    fs::create_dir_all(directory)?;
    let fresh = path.with_extension("new");
    fs::write(&fresh, bytes)?;
    fs::rename(&fresh, path).with_context(|| format!("putting {}", path.display()))
}

/// Two namespaces with addresses of hosts far away.
fn far_away() -> Result<Pair> {
    let pair = Pair::create()?;
    for (side, addresses) in [
        (&pair.left, [format!("{CLIENT}/24"), "2a00:1450::1/64".to_owned()]),
        (&pair.right, [format!("{SERVER}/24"), format!("{SERVER6}/64")]),
    ] {
        for address in addresses {
            let nodad: &[&str] = if address.contains(':') { &["nodad"] } else { &[] };
            let add = ["-n", &side.name, "addr", "add", &address, "dev", "veth0"];
            ip(&[&add[..], nodad].concat())?;
        }
    }
    Ok(pair)
}

/// Traffic from one to the other.
fn traffic(world: &World, pair: &Pair, kind: &str, mark: &str) -> Result<Report> {
    let netns = format!("--peer-netns={}", pair.right.name);
    let place = ["--bind4", SERVER, "--bind6", SERVER6, &netns];
    let mut command = world.testkit(&[&["traffic", kind, "--tag", mark], &place[..]].concat());
    pair.left.enter(&mut command)?;
    world.report(command)
}

/// Traffic marked `mark` with `raddr` has this country, system and operator, and is there.
fn located(rows: &[Value], mark: &str, raddr: &str, wanted: [&str; 3]) -> Result<()> {
    let rows = expect::marked(rows, mark).into_iter().map(Row);
    let rows: Vec<_> = rows.filter(|row| row.text("raddr") == raddr).collect();
    let right = |row: &Row<'_>| ["country", "asn", "org"].map(|by| row.text(by)) == wanted;
    let moved = rows.iter().any(|row| row.bytes() != (0, 0));
    let all: Vec<_> = rows.iter().map(|row| row.0).collect();
    ensure!(moved && rows.iter().all(right), "{mark}: {raddr} should be {wanted:?}: {all:#?}");
    Ok(())
}

/// Waits until `status` says so of the databases; what it says then.
fn status_says(root: &Root<'_>, what: &str, says: impl Fn(&Value) -> bool) -> Result<Value> {
    command::until(what, root.world.patience(10), || {
        Ok(root.status()?.get("geoip").is_some_and(&says))
    })?;
    root.status()
}

/// Waits until traffic with these marks is in the history: it has the answers of the moment in which
/// it is written.
fn written(root: &Root<'_>, marks: &[&str]) -> Result<()> {
    command::until("traffic in the history", root.world.patience(10), || {
        let rows = root.query("cmdline")?;
        Ok(marks.iter().all(|mark| !expect::marked(&rows, mark).is_empty()))
    })
}

fn name_is(geoip: &Value, name: &str) -> bool {
    geoip.pointer("/country/name").and_then(Value::as_str) == Some(name)
}

fn problems(geoip: &Value) -> usize {
    geoip.get("problems").and_then(Value::as_array).map_or(0, Vec::len)
}

/// Warnings about databases.
fn warnings(status: &Value) -> Vec<&str> {
    let all = status.get("warnings").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).filter(|text| text.starts_with("geoip")).collect()
}

/// Countries from where distributions have them, systems from where the configuration says; a new
/// file is for new traffic only, a bad one for nobody.
pub(super) fn replaced(world: &World) -> Result<Outcome> {
    if world.skip_namespaces {
        return Ok(Outcome::Skipped("asked to skip network namespaces".to_owned()));
    }
    let root = Root::quick_and(world, "[geoip]\nasn = \"/srv/systems.mmdb\"\n")?;
    put(&root.path(COUNTRIES), &countries("First", "DE"))?;
    put(&root.path("srv/systems.mmdb"), &systems())?;
    let attribution = root.path(COUNTRIES).with_extension("attribution");
    fs::write(attribution, "Data by Example\n")?;
    let pair = far_away()?;
    let daemon = root.start()?;
    let status = status_says(&root, "the first database", |geoip| name_is(geoip, "First"))?;
    let said = |key: &str| status.pointer(key).and_then(Value::as_str).unwrap_or_default();
    ensure!(said("/geoip/country/attribution") == "Data by Example", "{status:#}");
    ensure!(said("/geoip/asn/path").ends_with("/srv/systems.mmdb"), "{status:#}");

    let [first, six] = ["first", "six"].map(|what| world.mark(what));
    let four = traffic(world, &pair, "tcp4", &first)?;
    traffic(world, &pair, "udp6", &six)?;
    written(&root, &[&first, &six])?;

    put(&root.path(COUNTRIES), &countries("Second", "FR"))?;
    daemon.signal(Signal::SIGHUP)?;
    status_says(&root, "the second database", |geoip| name_is(geoip, "Second"))?;
    let copies = fs::read_dir(root.path("var/cache/femtosnitch/geoip"))?.count();
    ensure!(copies == 2, "{copies} copies of the two databases in use");
    let second = world.mark("second");
    traffic(world, &pair, "tcp4", &second)?;
    written(&root, &[&second])?;

    let third = world.mark("third");
    broken(&root, &daemon)?;
    traffic(world, &pair, "tcp4", &third)?;
    daemon.stop()?;
    drop(pair);

    let rows = root.query("cmdline,raddr,country,asn,org")?;
    let system = ["AS64496", "Example Networks"];
    let with = |country| [country, system[0], system[1]];
    located(&rows, &first, SERVER, with("DE"))?;
    located(&rows, &first, CLIENT, ["US", "", ""])?;
    located(&rows, &six, SERVER6, ["DE", "", ""])?;
    located(&rows, &second, SERVER, with("FR"))?;
    located(&rows, &third, SERVER, with("FR"))?;
    // Two locations, one address.
    expect::exactly(&root, &first, &four)?;
    let countries = root.query("country")?;
    let once = |code: &str| countries.iter().filter(|row| Row(row).text("country") == code).count();
    ensure!(["DE", "FR", "US"].map(once) == [1, 1, 1], "{countries:#?}");
    Ok(Outcome::Passed)
}

/// A file that is bad is told of once, and the one before is used on.
fn broken(root: &Root<'_>, daemon: &Daemon<'_>) -> Result<()> {
    put(&root.path(COUNTRIES), b"<html>404 Not Found</html>")?;
    for _ in 0..2 {
        daemon.signal(Signal::SIGHUP)?;
        let status = status_says(root, "the broken database", |geoip| problems(geoip) == 1)?;
        ensure!(status.get("geoip").is_some_and(|it| name_is(it, "Second")), "{status:#}");
        let told = warnings(&status);
        ensure!(told.len() == 1 && told.iter().all(|it| it.contains("fetch it")), "{told:?}");
    }
    Ok(())
}

/// Without any database what is set aside is known all the same, unless that is not wanted.
pub(super) fn without(world: &World) -> Result<Outcome> {
    for (section, wanted) in
        [("", "(loopback)"), ("[geoip]\ncountry = \"off\"\nasn = \"off\"\n", "")]
    {
        let root = Root::quick_and(world, section)?;
        let mark = world.mark("loopback");
        let daemon = root.start()?;
        world.traffic("tcp4", &mark)?;
        let status = root.status()?;
        ensure!(warnings(&status).is_empty(), "{status:#}");
        ensure!(status.pointer("/geoip/country") == Some(&Value::Null), "{status:#}");
        daemon.stop()?;
        let rows = root.query("cmdline,raddr,country,asn,org")?;
        located(&rows, &mark, "127.0.0.1", [wanted, "", ""])?;
    }
    Ok(Outcome::Passed)
}
