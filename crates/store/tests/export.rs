//! Rows handed out are the rows written, in order, once, without holding the writer up.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use common::runs::*;
use common::*;
use femtosnitch_model::Connections;
use femtosnitch_model::ContainerFacts;
use femtosnitch_model::Digest;
use femtosnitch_model::Direction;
use femtosnitch_model::Facts;
use femtosnitch_model::ImageId;
use femtosnitch_model::Location;
use femtosnitch_model::NameSource;
use femtosnitch_model::Quality;
use femtosnitch_model::Row;
use femtosnitch_model::Witness;
use femtosnitch_store::Batch;
use femtosnitch_store::Described;
use femtosnitch_store::ExportRow;
use femtosnitch_store::Exported;
use femtosnitch_store::Locate;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Options;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::Users;
use femtosnitch_store::Writer;
use proptest::prelude::*;
use rusqlite::Connection;

#[derive(Debug)]
struct World;

impl Locate for World {
    fn refresh(&mut self) -> bool {
        false
    }

    fn locate(&mut self, addr: std::net::IpAddr) -> Location {
        let asn = if addr.is_ipv4() { 64_496 } else { 0 };
        Location { country: "DE".into(), asn, org: "Example, Inc.".into() }
    }
}

fn located(path: &Path) -> Writer {
    let locator = Some(Arc::new(Mutex::new(World)) as _);
    Writer::open(path, &Options { locator, ..Options::default() }).unwrap().0
}

fn all(path: &Path, query: &Query) -> Vec<ExportRow> {
    let mut rows = Vec::new();
    let mut done = 0.0;
    let exported = Reader::open(path).unwrap().rows(query, &NoUsers, &mut |slice| {
        assert!(slice.done >= done && slice.done <= 1.0, "{done} {}", slice.done);
        done = slice.done;
        rows.extend_from_slice(slice.rows);
        ControlFlow::Continue(())
    });
    assert_eq!(exported.unwrap(), Exported { rows: rows.len() as u64, complete: true });
    rows
}

/// A row in which every column says something else.
fn full(contime: i64) -> Row {
    let launcher = Arc::new(run(10, &image(1, "/sbin/init"), 1, None));
    let shell = Arc::new(run(20, &image(2, "/bin/sh"), 2, Some(&launcher)));
    let mut python = run(30, &image(3, "/usr/bin/python3"), 3, Some(&shell));
    python.place = place("3f4c8a1b2d5e", "x.service", "flatpak org.example.X");
    python.login_uid = Some(1001);
    python.script.set(script(4, "/opt/a script.py")).unwrap();
    let digests = (1..=4).map(|id| (ImageId(id.into()), sha(id))).collect();
    Row {
        contime,
        send: 1,
        recv: 5_000_000_000_000_000,
        wire_send: Some(3),
        wire_recv: Some(4),
        events: 5,
        direction: Direction::Incoming,
        connections: Connections { begun: 6, ended: 7, failed: 8, error: 104 },
        quality: Quality { rtt_us: Some(9), retrans: 10 },
        family: 10,
        protocol: 17,
        laddr: Some("2001:db8::1".parse().unwrap()),
        raddr: Some("198.51.100.7".parse().unwrap()),
        lport: 11,
        rport: 12,
        domain: "org.example.www".into(),
        name_source: NameSource::by_others(Witness::Tls),
        netns: 13,
        ..row_of(contime, &Arc::new(python), &digests)
    }
}

struct Names;

impl Users for Names {
    fn name(&self, uid: u32) -> Option<String> {
        (uid == 1000).then(|| "alice".to_owned())
    }

    fn uid(&self, _name: &str) -> Option<u32> {
        None
    }
}

#[test]
fn every_column_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let written = full(1_000);
    let facts = Facts {
        package: "dpkg python3".to_owned(),
        state: "intact".to_owned(),
        ..Facts::default()
    };
    let batch = Batch {
        described: vec![Described {
            exe: written.exe.clone(),
            realm: "3f4c8a1b2d5e".into(),
            facts,
        }],
        containers: vec![ContainerFacts {
            container: "3f4c8a1b2d5e".into(),
            name: "web".to_owned(),
            image: "nginx:1".to_owned(),
            pod: "default/web".to_owned(),
        }],
        ..rows(vec![written])
    };
    located(&path).write(&batch).unwrap();
    let mut found = Vec::new();
    let reader = Reader::open(&path).unwrap();
    reader
        .rows(&Query::default(), &Names, &mut |slice| {
            found.extend_from_slice(slice.rows);
            ControlFlow::Continue(())
        })
        .unwrap();
    let [row] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((row.contime, row.send, row.recv), (1_000, 1, 5_000_000_000_000_000));
    assert_eq!((row.wire_send, row.wire_recv, row.events), (Some(3), Some(4), 5));
    assert_eq!((row.direction, row.begun, row.ended, row.failed), ("incoming", 6, 7, 8));
    assert_eq!((row.error, row.rtt_us, row.retrans), (104, Some(9), 10));
    for (exe, path, name, digest) in [
        (&row.exe, "/usr/bin/python3", "python3", sha(3)),
        (&row.parent, "/bin/sh", "sh", sha(2)),
        (&row.grandparent, "/sbin/init", "init", sha(1)),
    ] {
        assert_eq!((exe.exe.as_str(), exe.name.as_str()), (path, name));
        assert_eq!(exe.cmdline, format!("{name} --flag"));
        assert_eq!(exe.sha256, digest.to_string());
    }
    assert_eq!(
        (row.uid, &*row.user, row.login_uid, &*row.login),
        (1000, "alice", Some(1001), "1001")
    );
    assert_eq!((row.pid, &*row.script), (30, "/opt/a script.py"));
    let container = &row.container;
    assert_eq!((container.id.as_str(), container.name.as_str()), ("3f4c8a1b2d5e", "web"));
    assert_eq!((container.image.as_str(), container.pod.as_str()), ("nginx:1", "default/web"));
    assert_eq!((&*row.unit, &*row.app), ("x.service", "flatpak org.example.X"));
    assert_eq!((&*row.package, &*row.state), ("dpkg python3", "intact"));
    assert_eq!((&*row.domain, row.name_source), ("www.example.org", "host-tls"));
    assert_eq!(
        (&*row.raddr, row.rport, &*row.laddr, row.lport),
        ("198.51.100.7", 12, "2001:db8::1", 11)
    );
    let location = Location { country: "DE".into(), asn: 64_496, org: "Example, Inc.".into() };
    assert_eq!(row.location, location);
    assert_eq!((row.protocol, row.family, row.netns), (17, 10, 13));
}

#[test]
fn a_row_reads_the_same_before_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let place = Location { country: "DE".into(), asn: 64_496, org: "Example, Inc.".into() };
    let plain = Row {
        raddr: None,
        laddr: None,
        domain: "".into(),
        ..row(2_000, &exe(9, "/bin/a", sha(9)))
    };
    located(&path).write(&rows(vec![full(1_000), plain.clone()])).unwrap();
    let expected = [ExportRow::of(&full(1_000), place), ExportRow::of(&plain, Location::default())];
    assert_eq!(all(&path, &Query::default()), expected);
}

#[test]
fn nothing_comes_of_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    assert_eq!(all(&path, &Query::default()), []);
    writer.write(&rows(vec![row(1_000, &exe(1, "/bin/a", sha(1)))])).unwrap();
    for (since, until) in [(Some(1_001), None), (None, Some(1_000)), (Some(2_000), Some(10))] {
        assert_eq!(all(&path, &Query { since, until, ..Query::default() }), []);
    }
    assert_eq!(all(&path, &filtered(&["exe=/bin/b"])), []);
    assert_eq!(all(&path, &filtered(&["exe=/bin/a"])).len(), 1);
}

/// More than are looked at in one go, many of them within one second.
#[test]
fn long_histories_come_in_order_and_once() {
    const ROWS: u64 = 60_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let exes = [exe(1, "/bin/a", sha(1)), exe(2, "/bin/b", sha(2))];
    let made = |at: u64| {
        let rare = usize::from(at == 50_000);
        Row { send: at, ..row(i64::try_from(at / 25_000).unwrap() * 100, &exes[rare]) }
    };
    for first in (0..ROWS).step_by(10_000) {
        writer.write(&rows((first..first + 10_000).map(made).collect())).unwrap();
    }
    let found = all(&path, &Query::default());
    assert!(found.iter().map(|row| row.send).eq(0..ROWS));
    assert!(Arc::ptr_eq(&found[0].exe, &found[1].exe), "texts are shared");
    let rare = all(&path, &filtered(&["exe=/bin/b"]));
    assert_eq!(rare.iter().map(|row| row.send).collect::<Vec<_>>(), [50_000]);
    let part = all(&path, &Query { since: Some(1), until: Some(200), ..Query::default() });
    assert!(part.iter().map(|row| row.send).eq(25_000..50_000));

    // Whoever has enough ends it.
    let mut slices = 0;
    let reader = Reader::open(&path).unwrap();
    let exported = reader
        .rows(&Query::default(), &NoUsers, &mut |_| {
            slices += 1;
            if slices == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert!(!exported.complete && exported.rows < ROWS, "{exported:?}");
}

/// As `all` tells rows that were written so: oldest first, of a second in the order of `send`.
fn told(rows: &[Row]) -> Vec<ExportRow> {
    let place = Location::default();
    let mut told: Vec<_> = rows.iter().map(|row| ExportRow::of(row, place.clone())).collect();
    told.sort_by_key(|row| (row.contime, row.send));
    told
}

/// Rows of every kind that come late and in no order, most of them in blocks by now.
#[test]
fn rows_of_blocks_are_whole() {
    const ROWS: u64 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let other = row(0, &exe(9, "/bin/b", sha(9)));
    let (one, other) = (full(0), Row { domain: "org.badexample".into(), ..other });
    let made = |at: u64| {
        // Any numbers will do that repeat late.
        let by = |times: u64, of: u64| at.wrapping_mul(times) >> 7 & of;
        let port = |number: u64| u16::try_from(number & 0xffff).unwrap();
        let base = if at.is_multiple_of(3) { other.clone() } else { one.clone() };
        Row {
            contime: i64::try_from(at / 10).unwrap() * 60 - i64::try_from(by(7_919, 255)).unwrap()
                + 90_000,
            send: at,
            recv: by(104_729, 0xff_ffff),
            wire_send: (!at.is_multiple_of(5)).then_some(at * 2),
            wire_recv: (at.is_multiple_of(7)).then_some(1),
            direction: Direction::ALL[usize::try_from(at % 4).unwrap()],
            connections: Connections {
                begun: 1,
                ended: 0,
                failed: u32::from(at.is_multiple_of(11)),
                error: 0,
            },
            quality: Quality { rtt_us: (at.is_multiple_of(2)).then_some(7), retrans: at % 4 },
            lport: port(by(15_485_863, u64::MAX)),
            rport: port(by(32_452_843, u64::MAX)),
            pid: if at.is_multiple_of(13) { 77 } else { base.pid },
            ..base
        }
    };
    let rows: Vec<Row> = (0..ROWS).map(made).collect();
    for part in rows.chunks(5_000) {
        writer.write(&common::rows(part.to_vec())).unwrap();
    }
    assert!(number(&path, "SELECT sum(rows) FROM blocks") > 10_000);
    let ordered = |query: &Query| {
        let mut found = all(&path, query);
        assert!(found.is_sorted_by_key(|row| row.contime));
        found.sort_by_key(|row| (row.contime, row.send));
        found
    };
    let expected = told(&rows);
    let found = ordered(&Query::default());
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    type Holds = fn(&ExportRow) -> bool;
    let is: [(&str, Holds); 6] = [
        ("pid=77", |row| row.pid == 77),
        ("exe=/bin/b", |row| row.exe.exe == "/bin/b"),
        ("domain!=example.org", |row| !row.domain.ends_with(".example.org")),
        ("lport=80..30000", |row| (80..=30_000).contains(&row.lport)),
        ("rport=80..60000", |row| (80..=60_000).contains(&row.rport)),
        ("outcome=aborted", |row| row.failed > 0),
    ];
    for (filter, holds) in is {
        let some: Vec<_> = expected.iter().filter(|row| holds(row)).cloned().collect();
        assert!(ordered(&filtered(&[filter])) == some && !some.is_empty(), "{filter}");
    }
    let (since, until) = (Some(120_000), Some(130_000));
    let some: Vec<_> =
        expected.iter().filter(|row| (120_000..130_000).contains(&row.contime)).cloned().collect();
    assert!(ordered(&Query { since, until, ..Query::default() }) == some && some.len() > 1_000);
}

/// What waited when it began is in a block before it is handed out.
#[test]
fn rows_that_move_meanwhile_come_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let exe = exe(1, "/bin/a", sha(1));
    let mut write = |sent: std::ops::Range<u64>| {
        let made = |at: u64| Row { send: at, ..row(1_000 + i64::try_from(at / 10).unwrap(), &exe) };
        writer.write(&rows(sent.map(made).collect())).unwrap();
    };
    write(0..20_000);
    write(20_000..40_000);
    write(40_000..48_000);
    let sealed = number(&path, "SELECT max(id) FROM blocks");
    assert!(sealed > 64, "all {sealed} blocks are read at once");
    let waits = number(&path, "SELECT coalesce(sum(rows), 0) FROM blocks WHERE sealed = 0");
    assert!(waits >= 4_000, "{waits} rows wait");
    let (mut sent, mut first) = (Vec::new(), true);
    let reader = Reader::open(&path).unwrap();
    reader
        .rows(&Query::default(), &NoUsers, &mut |slice| {
            sent.extend(slice.rows.iter().map(|row| row.send));
            if std::mem::take(&mut first) {
                write(48_000..68_000);
                assert!(number(&path, "SELECT max(id) FROM blocks") > sealed);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(sent.iter().copied().eq(0..48_000), "{} rows", sent.len());
}

#[test]
fn the_writer_is_not_held_up_and_its_news_are_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let pending = exe(1, "/bin/a", Digest::Pending);
    let made = |at: i64| row(at / 100, &pending);
    writer.write(&rows((0..20_000).map(made).collect())).unwrap();
    let reader = Reader::open(&path).unwrap();
    let mut digests = Vec::new();
    reader
        .rows(&Query::default(), &NoUsers, &mut |slice| {
            digests.extend(slice.rows.iter().map(|row| row.exe.sha256.clone()));
            if digests.len() == slice.rows.len() {
                let resolved = vec![(ImageId(1), sha(7))];
                let late = vec![row(10_000, &pending)];
                writer.write(&Batch { resolved, ..rows(late) }).unwrap();
            }
            // With a reader in the way the journal could not be emptied.
            let conn = Connection::open(&path).unwrap();
            let busy: i64 =
                conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
            assert_eq!(busy, 0);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(digests.len(), 20_000, "what is written later does not make it longer");
    assert_eq!(digests.first().unwrap(), "(pending)");
    assert_eq!(*digests.last().unwrap(), sha(7).to_string());
}

#[test]
fn many_long_texts_do_not_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let long = "x".repeat(16 << 10);
    let made = |at: u64| {
        let mut image = (*image(at, "/bin/a")).clone();
        image.cmdline = format!("{at} {long}");
        row(
            at.try_into().unwrap(),
            &femtosnitch_model::Executable { image: image.into(), digest: sha(1) },
        )
    };
    for first in (0..4_000).step_by(500) {
        writer.write(&rows((first..first + 500).map(made).collect())).unwrap();
    }
    let reader = Reader::open(&path).unwrap();
    let mut count = 0;
    reader
        .rows(&Query::default(), &NoUsers, &mut |slice| {
            let bytes: usize = slice.rows.iter().map(|row| row.exe.cmdline.len()).sum();
            assert!(bytes < 20 << 20, "{bytes} bytes at once");
            for row in slice.rows {
                assert!(row.exe.cmdline.starts_with(&format!("{count} x")));
                count += 1;
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(count, 4_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Sums of what is handed out are what the query says.
    #[test]
    fn what_is_handed_out_adds_up(
        times in proptest::collection::vec((0_i64..20, 0_u8..3, 0_u16..3), 0..60),
        since in proptest::option::of(0_i64..20),
        until in proptest::option::of(0_i64..20),
        port in 0_u16..3,
        negated: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let made = |&(at, which, rport): &(i64, u8, u16)| {
            let exe = exe(which.into(), &format!("/bin/{which}"), sha(which));
            Row { rport, send: u64::from(which) + 1, ..row(at, &exe) }
        };
        open(&path).write(&rows(times.iter().map(made).collect())).unwrap();
        let sign = if negated { "!=" } else { "=" };
        let query = Query { since, until, ..filtered(&[&format!("rport{sign}{port}")]) };
        let found = all(&path, &query);
        prop_assert!(found.is_sorted_by_key(|row| row.contime));
        let sent: u64 = found.iter().map(|row| row.send).sum();
        prop_assert_eq!(sent, ask(&path, &query).first().map_or(0, |all| all.send));
    }
}
