//! A small history, the same each time: a day of five programs.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;

use femtosnitch_model::Connections;
use femtosnitch_model::ContainerFacts;
use femtosnitch_model::Digest;
use femtosnitch_model::Direction;
use femtosnitch_model::Executable;
use femtosnitch_model::Facts;
use femtosnitch_model::Image;
use femtosnitch_model::Launch;
use femtosnitch_model::Location;
use femtosnitch_model::Place;
use femtosnitch_model::ProcKey;
use femtosnitch_model::Process;
use femtosnitch_model::Quality;
use femtosnitch_model::Row;
use femtosnitch_samples::executable;
use femtosnitch_samples::image;
use femtosnitch_samples::row;
use femtosnitch_samples::sha;
use femtosnitch_store::Batch;
use femtosnitch_store::Described;
use femtosnitch_store::Gap;
use femtosnitch_store::GapReason;
use femtosnitch_store::Heartbeat;
use femtosnitch_store::Locate;
use femtosnitch_store::Note;
use femtosnitch_store::NoteKind;
use femtosnitch_store::Options;
use femtosnitch_store::Users;
use femtosnitch_store::Writer;

/// 2026-11-18 11:06:40 UTC.
pub(super) const NOW: i64 = 1_795_000_000;
/// Sets a title, ends the line, turns text around, and takes two cells a character.
pub(super) const HOSTILE: &str = "/tmp/\x1b]0;pwned\x07\u{202e}live\u{9b}2J/名前\u{200b}\nx";

/// Knows two users.
pub(super) struct People;

impl Users for People {
    fn name(&self, uid: u32) -> Option<String> {
        match uid {
            0 => Some("root".to_owned()),
            1000 => Some("anna".to_owned()),
            _ => None,
        }
    }

    fn uid(&self, name: &str) -> Option<u32> {
        match name {
            "root" => Some(0),
            "anna" => Some(1000),
            _ => None,
        }
    }
}

/// Two countries.
#[derive(Debug)]
struct Atlas;

impl Locate for Atlas {
    fn refresh(&mut self) -> bool {
        false
    }

    fn locate(&mut self, addr: IpAddr) -> Location {
        let (country, asn, org) = match addr.to_string().split('.').next() {
            Some("198") => ("US", 64_496, "Example Networks"),
            Some("203") => ("DE", 64_511, "Beispiel AG"),
            _ => ("(documentation)", 0, ""),
        };
        Location { country: country.into(), asn, org: org.into() }
    }
}

fn process(id: u32, image: Arc<Image>, unit: &str, parent: Option<&Arc<Process>>) -> Arc<Process> {
    let launched = NOW - 200_000 + i64::from(id);
    let place = Place { unit: unit.into(), ..Place::default() };
    Arc::new(Process {
        key: ProcKey { tgid: id, exec_id: 1, start_ns: u64::from(id) },
        image,
        parent: parent.cloned(),
        depth: parent.map_or(0, |parent| parent.depth + 1),
        uid: if unit.is_empty() { 1000 } else { 0 },
        login_uid: None,
        session: None,
        launched,
        executed: launched,
        cgroup: "".into(),
        place: Arc::new(place),
        script: OnceLock::new(),
    })
}

fn row_of(contime: i64, process: &Arc<Process>, digest: Digest) -> Row {
    let known = |image: &Arc<Image>| Executable { image: Arc::clone(image), digest };
    let launch = |process: &Arc<Process>| Launch {
        process: Arc::clone(process),
        exe: known(&process.image),
        script: None,
    };
    let lineage = std::iter::once(process).chain(process.ancestors()).map(launch).collect();
    Row {
        lineage,
        parent: process.parent_image().map(known),
        grandparent: process.grandparent_image().map(known),
        uid: process.uid,
        pid: process.key.tgid,
        direction: Direction::Outgoing,
        connections: Connections { begun: 1, ended: 1, ..Connections::default() },
        quality: Quality { rtt_us: Some(12_300), retrans: 2 },
        ..row(contime, &known(&process.image))
    }
}

fn described(image: &Arc<Image>, digest: Digest, package: &str, state: &str) -> Described {
    let version = if package.is_empty() { "" } else { "8.5.0-2" };
    Described {
        exe: Executable { image: Arc::clone(image), digest },
        realm: "".into(),
        facts: Facts {
            package: package.to_owned(),
            version: version.to_owned(),
            state: state.to_owned(),
            ..Facts::default()
        },
    }
}

/// Writes it.
pub(super) fn write(path: &Path) {
    let locator: femtosnitch_store::Locator = Arc::new(Mutex::new(Atlas));
    let options = Options { locator: Some(locator), ..Options::default() };
    let mut writer = Writer::open(path, &options).unwrap().0;
    let init = process(1, Arc::new(image(1, "/usr/lib/systemd/systemd")), "init.scope", None);
    let shell = process(700, Arc::new(image(2, "/usr/bin/bash")), "", Some(&init));
    let curl = process(4242, Arc::new(image(3, "/usr/bin/curl")), "", Some(&shell));
    let sshd = process(812, Arc::new(image(4, "/usr/sbin/sshd")), "ssh.service", Some(&init));
    let firefox = process(2001, Arc::new(image(5, "/usr/lib/firefox/firefox")), "", Some(&shell));
    let hostile = process(6666, Arc::new(image(6, HOSTILE)), "", Some(&shell));
    let addr = |text: &str| text.parse::<IpAddr>().ok();
    let mut rows = Vec::new();
    for step in 0..48_u64 {
        let at = NOW - 86_400 + i64::try_from(step).unwrap() * 1_800 + 60;
        let busy = 1 + (step * 7) % 12;
        rows.push(Row {
            send: 20_000 * busy,
            recv: 9_000_000 * busy,
            wire_send: Some(40_000 * busy),
            wire_recv: Some(9_400_000 * busy),
            ..row_of(at, &firefox, sha(5))
        });
        rows.push(Row {
            send: 5_000 * busy,
            recv: 2_000_000 * (1 + step % 5),
            raddr: addr("203.0.113.9"),
            domain: "net.example.cdn".into(),
            ..row_of(at + 60, &firefox, sha(5))
        });
        if step % 3 == 0 {
            rows.push(Row { send: 700, recv: 4_000_000, ..row_of(at + 90, &curl, sha(3)) });
            rows.push(Row {
                send: 300,
                recv: 100_000,
                raddr: addr("192.0.2.80"),
                domain: "com.example.download".into(),
                rport: 80,
                ..row_of(at + 120, &curl, sha(3))
            });
        }
        rows.push(Row {
            send: 3_000_000,
            recv: 60_000,
            raddr: addr("192.0.2.55"),
            domain: "".into(),
            lport: 22,
            rport: 50_022,
            direction: Direction::Incoming,
            ..row_of(at + 30, &sshd, sha(4))
        });
        let sync = executable(7, "/opt/tool/sync", sha(7));
        rows.push(Row {
            send: 80_000,
            recv: 70_000,
            container: "0123456789abcdef".into(),
            protocol: 17,
            rport: 53,
            domain: "org.example.ns".into(),
            ..row(at + 45, &sync)
        });
    }
    rows.push(Row {
        send: 1_000,
        recv: 0,
        domain: "\x1b[2J.evil\u{202e}".into(),
        connections: Connections { begun: 1, ended: 1, failed: 1, error: 111 },
        ..row_of(NOW - 3_000, &hostile, sha(6))
    });
    let containers = vec![ContainerFacts {
        container: "0123456789abcdef".into(),
        name: "web-1".to_owned(),
        image: "example/web:1".to_owned(),
        pod: String::new(),
    }];
    let batch = Batch {
        rows,
        described: vec![
            described(&curl.image, sha(3), "dpkg curl", "intact"),
            described(&sshd.image, sha(4), "dpkg openssh-server", "modified"),
            described(&hostile.image, sha(6), "", "not packaged"),
        ],
        containers,
        gaps: Gap::new(NOW - 18_000, NOW - 16_000, GapReason::Stopped).into_iter().collect(),
        notes: vec![Note {
            at: NOW - 7_200,
            kind: NoteKind::Lost,
            detail: "3 process events".to_owned(),
        }],
        heartbeat: Some(Heartbeat { at: NOW, clean: false }),
        ..Batch::default()
    };
    writer.write(&batch).unwrap();
}
