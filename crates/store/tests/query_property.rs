//! Random history, random question: the same answer as one computed without SQL.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;

use common::runs::place;
use common::runs::run;
use common::*;
use femtosnitch_model::Connections;
use femtosnitch_model::ContainerFacts;
use femtosnitch_model::Digest;
use femtosnitch_model::Direction;
use femtosnitch_model::Executable;
use femtosnitch_model::Facts;
use femtosnitch_model::Launch;
use femtosnitch_model::Location;
use femtosnitch_model::NameSource;
use femtosnitch_model::Quality;
use femtosnitch_model::Row;
use femtosnitch_model::Unhashed;
use femtosnitch_store::Batch;
use femtosnitch_store::Described;
use femtosnitch_store::Dimension;
use femtosnitch_store::Filter;
use femtosnitch_store::Key;
use femtosnitch_store::Locate;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Options;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::Writer;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const PATHS: [&str; 4] = ["/bin/a", "/bin/b", "/opt/a", "(kernel)"];
const ADDRS: [&str; 6] =
    ["10.0.0.1", "10.0.0.2", "10.1.0.1", "2001:db8::1", "2001:db8:1::1", "::ffff:10.0.0.1"];
const DOMAINS: [&str; 5] = ["", "org.example", "org.example.www", "org.examples", "net.x"];
const CONTAINERS: [&str; 3] = ["", "c1", "c2"];
/// Where the other end of a row is, and where it is once the databases have changed.
fn location(addr: Option<IpAddr>, later: bool) -> Location {
    let Some(addr) = addr.map(|addr| addr.to_canonical()) else { return Location::default() };
    let (country, asn, org) = match (addr.to_string().as_str(), later) {
        ("10.0.0.1", false) => ("(private)", 0, ""),
        ("10.0.0.1", true) => ("DE", 0, ""),
        ("10.0.0.2", _) => ("DE", 64_496, "Example"),
        ("10.1.0.1", false) => ("DE", 64_497, "Example"),
        ("10.1.0.1", true) => ("FR", 64_497, "Example"),
        ("2001:db8::1", true) => ("", 64_496, "Other"),
        _ => ("", 0, ""),
    };
    Location { country: country.into(), asn, org: org.into() }
}

/// Answers as [`location`] does, and otherwise once it is told to.
#[derive(Debug, Default)]
struct World {
    later: bool,
    told: bool,
}

impl Locate for World {
    fn refresh(&mut self) -> bool {
        std::mem::replace(&mut self.told, self.later) != self.later
    }

    fn locate(&mut self, addr: IpAddr) -> Location {
        location(Some(addr), self.later)
    }
}

const UNITS: [&str; 3] = ["", "a.service", "b.scope"];

/// What the history is told of a container.
fn container_name(container: &str) -> &str {
    if container == "c1" { "web" } else { "" }
}

/// What it is told of the executable of a row with a process: package and state.
fn package(row: &Row) -> (&'static str, &'static str) {
    match (&*row.container, row.exe.image.path.as_str(), row.exe.digest) {
        ("", "/bin/a", digest) if digest == sha(1) => ("dpkg a", "intact"),
        ("c1", "/bin/a", digest) if digest == sha(1) => ("rpm a", "modified"),
        ("", "/bin/b", digest) if digest == sha(2) => ("", "not packaged"),
        _ => ("", ""),
    }
}

fn described() -> Batch {
    let of = |path, byte, realm: &str, package: &str, state: &str| Described {
        exe: exe(99, path, sha(byte)),
        realm: realm.into(),
        facts: Facts { package: package.into(), state: state.into(), ..Facts::default() },
    };
    let containers = vec![ContainerFacts {
        container: "c1".into(),
        name: "web".into(),
        image: String::new(),
        pod: String::new(),
    }];
    let described = vec![
        of("/bin/a", 1, "", "dpkg a", "intact"),
        of("/bin/a", 1, "c1", "rpm a", "modified"),
        of("/bin/b", 2, "", "", "not packaged"),
    ];
    Batch { described, containers, ..Batch::default() }
}

fn executable() -> impl Strategy<Value = Executable> {
    (0..PATHS.len(), 0..3_u8).prop_map(|(path, digest)| {
        let id = path as u64 * 3 + u64::from(digest);
        let digest = match digest {
            0 => Digest::Missing(Unhashed::Gone),
            other => sha(other),
        };
        exe(id, PATHS[path], digest)
    })
}

fn addr() -> impl Strategy<Value = Option<IpAddr>> {
    prop::option::of(prop::sample::select(&ADDRS[..]).prop_map(|addr| addr.parse().unwrap()))
}

/// Those of servers and of clients.
fn port() -> impl Strategy<Value = u16> {
    prop::sample::select(vec![0, 22, 53, 1_023, 1_024, 32_767, 32_768, 40_000])
}

prop_compose! {
    fn connections()(
        (begun, ended, failed) in (0_u32..3, 0_u32..3, 0_u32..3),
        error in prop::sample::select(vec![0, 0, 0, 111, 110, 113, 101, 104, 32, 103]),
    ) -> Connections {
        Connections { begun, ended, failed, error }
    }
}

/// What the documentation says of `outcome`.
fn outcome(row: &Row) -> &'static str {
    let Connections { ended, failed, error, .. } = row.connections;
    match (error, failed, ended) {
        (111, ..) => "refused",
        (110, ..) => "timeout",
        (113 | 101, ..) => "unreachable",
        (104, ..) => "reset",
        (_, 1.., _) => "aborted",
        (1.., 0, _) => "error",
        (0, 0, 1..) => "closed",
        (0, 0, 0) => "",
    }
}

prop_compose! {
    fn traffic()(
        (contime, send, recv, events) in (0_i64..300_000, 0_u64..1 << 40, 0_u64..1 << 40, 0_u64..99),
        (wire_send, wire_recv) in (prop::option::of(0_u64..1 << 40), prop::option::of(0_u64..1 << 40)),
        (exe, parent, grandparent) in
            (executable(), prop::option::of(executable()), prop::option::of(executable())),
        (uid, pid, netns) in (0_u32..3, 1_u32..4, 1_u32..3),
        (family, protocol) in prop::sample::select(vec![(2, 6), (2, 17), (10, 6), (17, 0)]),
        (laddr, raddr, lport, rport) in (addr(), addr(), port(), port()),
        domain in prop::sample::select(&DOMAINS[..]),
        name_source in prop::sample::select(NameSource::all().collect::<Vec<_>>()),
        container in prop::sample::select(&CONTAINERS[..]),
        (process, script) in (prop::option::of(0_u32..30), any::<bool>()),
        direction in prop::sample::select(&Direction::ALL[..]),
        connections in connections(),
        (rtt_us, retrans) in (prop::option::of(any::<u32>()), 0_u64..9),
    ) -> Row {
        // A process is always the same; it runs a script or not.
        let lineage = process.into_iter().map(|pid| {
            let mut process = run(pid, &exe.image, 0, None);
            process.key.start_ns = exe.image.id.0 * 4 + u64::from(script);
            process.key.exec_id = u32::try_from(CONTAINERS.iter().position(|it| *it == container).unwrap()).unwrap();
            process.place = place(container, UNITS[pid as usize % 3], UNITS[pid as usize % 2]);
            process.login_uid = (pid % 4 != 0).then_some(pid % 4);
            let script = script.then(|| Executable { image: common::runs::script(100, "/srv/x.py"), digest: sha(9) });
            Launch { process: Arc::new(process), exe: exe.clone(), script }
        }).collect();
        Row { contime, send, recv, wire_send, wire_recv, direction, connections,
              quality: Quality { rtt_us, retrans },
              events, lineage, exe, parent, grandparent, uid, pid,
              family, protocol, laddr, raddr, lport, rport, domain: domain.into(),
              name_source, netns,
              container: container.into() }
    }
}

fn value_of(dimension: Dimension, (row, later): (&Row, bool)) -> Key {
    let text = |text: &str| Key::Text(text.to_owned());
    let number = |number: u32| Key::Number(number.into());
    let ip = |addr: Option<IpAddr>| {
        Key::Text(addr.map_or(String::new(), |addr| addr.to_canonical().to_string()))
    };
    let of = |exe: Option<&Executable>, field: fn(&Executable) -> String| {
        Key::Text(exe.map_or(String::new(), field))
    };
    let (parent, grandparent) = (row.parent.as_ref(), row.grandparent.as_ref());
    let path = |exe: &Executable| exe.image.path.clone();
    let name = |exe: &Executable| exe.image.name.clone();
    let cmdline = |exe: &Executable| exe.image.cmdline.clone();
    let digest = |exe: &Executable| exe.digest.to_string();
    let process = row.lineage.first().map(|own| &own.process);
    let place = process.map(|process| &process.place);
    match dimension {
        Dimension::Exe => of(Some(&row.exe), path),
        Dimension::Name => of(Some(&row.exe), name),
        Dimension::Cmdline => of(Some(&row.exe), cmdline),
        Dimension::Sha256 => of(Some(&row.exe), digest),
        Dimension::Pexe => of(parent, path),
        Dimension::Pname => of(parent, name),
        Dimension::Pcmdline => of(parent, cmdline),
        Dimension::Psha256 => of(parent, digest),
        Dimension::Gpexe => of(grandparent, path),
        Dimension::Gpname => of(grandparent, name),
        Dimension::Gpcmdline => of(grandparent, cmdline),
        Dimension::Gpsha256 => of(grandparent, digest),
        Dimension::Uid => number(row.uid),
        Dimension::User => Key::Text(row.uid.to_string()),
        Dimension::Container => text(&row.container),
        Dimension::Ctname => text(container_name(&row.container)),
        Dimension::Image | Dimension::Pod => text(""),
        Dimension::Unit => text(place.map_or("", |place| &place.unit)),
        Dimension::App => text(place.map_or("", |place| &place.app)),
        Dimension::Login => {
            let login = process.and_then(|process| process.login_uid);
            Key::Text(login.map_or_else(String::new, |uid| uid.to_string()))
        }
        Dimension::Script => of(row.lineage.first().and_then(|own| own.script.as_ref()), path),
        Dimension::Package => text(process.map_or("", |_| package(row).0)),
        Dimension::State => text(process.map_or("", |_| package(row).1)),
        Dimension::Domain => Key::Text(row.domain.rsplit('.').collect::<Vec<_>>().join(".")),
        Dimension::Namesource => text(row.name_source.name()),
        Dimension::Raddr => ip(row.raddr),
        Dimension::Rport => number(row.rport.into()),
        Dimension::Country => text(&location(row.raddr, later).country),
        Dimension::Asn => match location(row.raddr, later).asn {
            0 => text(""),
            asn => Key::Text(format!("AS{asn}")),
        },
        Dimension::Org => text(&location(row.raddr, later).org),
        Dimension::Laddr => ip(row.laddr),
        Dimension::Lport => number(row.lport.into()),
        Dimension::Protocol => number(row.protocol.into()),
        Dimension::Family => number(row.family.into()),
        Dimension::Netns => number(row.netns),
        Dimension::Pid => number(row.pid),
        Dimension::Direction => text(row.direction.name()),
        Dimension::Outcome => text(outcome(row)),
        Dimension::Minute => Key::Number(row.contime / 60 * 60),
        Dimension::Hour => Key::Number(row.contime / 3600 * 3600),
        Dimension::Day => Key::Number(row.contime / 86_400 * 86_400),
    }
}

/// A condition in words, and what it means.
#[derive(Debug, Clone)]
struct Condition {
    dimension: Dimension,
    negated: bool,
    value: String,
}

impl Condition {
    fn holds(&self, (row, later): (&Row, bool)) -> bool {
        let inside =
            |addr: Option<IpAddr>| match (self.value.as_str(), addr.map(|a| a.to_canonical())) {
                ("10.0.0.0/16", Some(IpAddr::V4(addr))) => addr.octets()[..2] == [10, 0],
                ("2001:db8::/47", Some(IpAddr::V6(addr))) => {
                    addr.segments()[..2] == [0x2001, 0xdb8] && addr.segments()[2] < 2
                }
                ("0.0.0.0/0", Some(IpAddr::V4(_))) => true,
                _ => false,
            };
        let value = match value_of(self.dimension, (row, later)) {
            Key::Number(number) => number.to_string(),
            Key::Text(text) => text,
        };
        let found = match self.dimension {
            Dimension::Raddr if self.value.contains('/') => inside(row.raddr),
            Dimension::Laddr if self.value.contains('/') => inside(row.laddr),
            Dimension::Domain if !self.value.is_empty() => {
                value == self.value || value.ends_with(&format!(".{}", self.value))
            }
            _ => value == self.value,
        };
        found != self.negated
    }

    fn filter(&self) -> Filter {
        let sign = if self.negated { "!=" } else { "=" };
        // As people write them.
        let value = match self.dimension {
            Dimension::Country => self.value.to_lowercase(),
            Dimension::Asn => self.value.trim_start_matches("AS").to_owned(),
            _ => self.value.clone(),
        };
        format!("{}{sign}{value}", self.dimension).parse().unwrap()
    }
}

/// Of those of one dimension one has to hold, of those that are negated all.
fn hold(conditions: &[Condition], row: (&Row, bool)) -> bool {
    conditions.iter().all(|condition| {
        let alternatives = || {
            conditions
                .iter()
                .filter(|other| !other.negated && other.dimension == condition.dimension)
        };
        if condition.negated {
            condition.holds(row)
        } else {
            alternatives().any(|other| other.holds(row))
        }
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let dimension = prop::sample::select(Dimension::all().collect::<Vec<_>>());
    // Mostly a value that occurs: that of some random row.
    (
        dimension,
        any::<bool>(),
        traffic(),
        prop::sample::select(vec!["10.0.0.0/16", "2001:db8::/47", "0.0.0.0/0"]),
        any::<bool>(),
    )
        .prop_map(|(dimension, negated, row, net, as_net)| {
            let value = match value_of(dimension, (&row, negated)) {
                Key::Number(number) => number.to_string(),
                Key::Text(text) => text,
            };
            let value = match dimension {
                Dimension::Raddr | Dimension::Laddr if as_net => net.to_owned(),
                _ => value,
            };
            Condition { dimension, negated, value }
        })
}

#[derive(Debug, Default, PartialEq, Clone, Copy)]
struct Sums(u64, u64, Option<u64>, Option<u64>, u64, [u64; 3], Option<u64>);

fn plus(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    if one.is_none() && other.is_none() {
        None
    } else {
        Some(one.unwrap_or(0) + other.unwrap_or(0))
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        // Beside this file, not beside a src/lib.rs that tests/ has not.
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]
    #[test]
    fn answers_are_those_of_plain_arithmetic(
        history in prop::collection::vec(traffic(), 0..80),
        cut in 0_usize..80,
        sealed in any::<[bool; 2]>(),
        questions in prop::collection::vec((
            prop::option::of(0_i64..300_000), prop::option::of(0_i64..300_000),
            prop::collection::vec(prop::sample::select(Dimension::all().collect::<Vec<_>>()), 0..4),
            prop::collection::vec(condition(), 0..3),
            prop::option::of(0_usize..10),
        ), 8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let world = Arc::new(Mutex::new(World::default()));
        let options = Options { locator: Some(Arc::clone(&world) as _), ..Options::default() };
        let mut writer = Writer::open(&path, &options).unwrap().0;
        let cut = cut.min(history.len());
        let (first, second) = history.split_at(cut);
        writer.write(&rows(first.to_vec())).unwrap();
        world.lock().unwrap().later = true;
        if sealed[0] {
            writer.seal().unwrap();
        }
        writer.write(&rows(second.to_vec())).unwrap();
        writer.write(&described()).unwrap();
        if sealed[1] {
            writer.seal().unwrap();
        }
        let reader = Reader::open(&path).unwrap();
        prop_assert_eq!(reader.stats().unwrap().rows, history.len() as u64);
        for (since, until, by, conditions, limit) in questions {
            let mut groups: BTreeMap<Vec<Key>, Sums> = BTreeMap::new();
            for row in history.iter().enumerate().map(|(at, row)| (row, at >= cut)).filter(|row| {
                let (row, later) = *row;
                since.is_none_or(|since| row.contime >= since)
                    && until.is_none_or(|until| row.contime < until)
                    && hold(&conditions, (row, later))
            }) {
                let keys = by.iter().map(|by| value_of(*by, row)).collect();
                let (row, _) = row;
                let sums = groups.entry(keys).or_default();
                *sums = Sums(
                    sums.0 + row.send,
                    sums.1 + row.recv,
                    plus(sums.2, row.wire_send),
                    plus(sums.3, row.wire_recv),
                    sums.4 + row.events,
                    [
                        sums.5[0] + u64::from(row.connections.begun),
                        sums.5[1] + u64::from(row.connections.failed),
                        sums.5[2] + row.quality.retrans,
                    ],
                    sums.6.into_iter().chain(row.quality.rtt_us.map(u64::from)).min(),
                );
            }
            let mut expected: Vec<_> = groups.into_iter().collect();
            expected.sort_by_key(|(_, sums)| std::cmp::Reverse((sums.0 + sums.1, sums.5[0])));
            expected.truncate(limit.unwrap_or(usize::MAX));

            let filters = conditions.iter().map(Condition::filter).collect();
            let query = Query { since, until, by, filters, limit };
            let answers: Vec<_> = reader.query(&query, &NoUsers).unwrap().into_iter()
                .map(|a| (a.keys, Sums(
                    a.send, a.recv, a.wire_send, a.wire_recv, a.events,
                    [a.connections, a.failed, a.retrans], a.rtt_us,
                )))
                .collect();
            prop_assert_eq!(answers, expected, "{:?}", query);
        }
    }
}
