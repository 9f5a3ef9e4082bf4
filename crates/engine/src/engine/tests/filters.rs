//! What filters and privacy do to rows and to the live feed.

use super::*;
use crate::{Lists, Redactor};
use femtosnitch_model::{Endpoint, Payload, PayloadKind, Row};

const SHA: Sha256 = Sha256([9; 32]);

fn ignore(ignore: Lists) -> Filters {
    Filters::new(ignore, Lists::default())
}

fn port(port: u16) -> Lists {
    Lists { ports: vec![port], ..Lists::default() }
}

fn sha256() -> Lists {
    Lists { sha256: vec![SHA], ..Lists::default() }
}

fn known(engine: &mut Engine) {
    let file = engine.processes.get(key(7, 3)).unwrap().image.file.unwrap();
    engine.digest_done(file, Digest::Known(SHA));
}

/// What is recorded, and what is counted as ignored.
fn batch(engine: &mut Engine) -> (Vec<Row>, Vec<Row>) {
    let rows = engine.batch(false).rows;
    rows.into_iter().partition(|row| row.exe.image.path != "(ignored)")
}

#[test]
fn a_row_waits_for_the_digest_that_decides_about_it() {
    let mut engine = engine(ignore(sha256()));
    read(&mut engine, &reading(5, key(7, 3), 10, 20));
    assert!(engine.batch(false).rows.is_empty());
    known(&mut engine);
    let (rows, ignored) = batch(&mut engine);
    assert!(rows.is_empty());
    assert_eq!((ignored[0].send, ignored[0].recv, ignored[0].events), (10, 20, 2));
    assert_eq!(engine.gauges().rows_ignored, 1);
}

#[test]
fn a_row_does_not_wait_for_ever_and_never_at_the_end() {
    let mut patient = engine(ignore(sha256()));
    read(&mut patient, &reading(5, key(7, 3), 10, 20));
    let waited = (0..10).take_while(|_| patient.batch(false).rows.is_empty()).count();
    assert_eq!(waited, 3);
    let mut stopping = engine(ignore(sha256()));
    read(&mut stopping, &reading(5, key(7, 3), 10, 20));
    assert_eq!(stopping.batch(true).rows.len(), 1);
}

#[test]
fn what_is_ignored_is_one_row_for_each_rule() {
    let mut engine = engine(Filters::new(
        Lists { ports: vec![443, 53], ..Lists::default() },
        Lists { ports: vec![80], ..Lists::default() },
    ));
    for (slot, port) in [(5, 443), (6, 443), (7, 53), (8, 22), (9, 80)] {
        let mut flow = reading(slot, key(7, 3), 10, u64::from(slot));
        flow.flow.remote.port = port;
        read(&mut engine, &flow);
    }
    let (rows, ignored) = batch(&mut engine);
    assert_eq!((rows.len(), rows[0].rport), (1, 80));
    let told: Vec<_> =
        ignored.iter().map(|row| (row.exe.image.name.as_str(), row.send, row.recv)).collect();
    let wanted =
        [("ignore.ports 443", 20, 11), ("ignore.ports 53", 10, 7), ("not in [only]", 10, 8)];
    assert_eq!(told, wanted);
    for row in &ignored {
        assert!(row.raddr.is_none() && row.laddr.is_none() && row.lineage.is_empty());
        assert_eq!((row.pid, row.lport, row.rport, row.uid), (0, 0, 0, u32::MAX));
    }
    read(&mut engine, &reading(5, key(7, 3), 11, 5));
    let (_, again) = batch(&mut engine);
    assert_eq!(again[0].exe.image.id, ignored[0].exe.image.id, "one executable, however often");
    assert_eq!((again[0].send, again[0].recv), (1, 0));
}

#[test]
fn the_live_feed_has_the_same_verdict() {
    let mut engine = engine(ignore(sha256()));
    let first = reading(5, key(7, 3), 10, 20);
    let moved = engine.reading(&first, NOW, &mut |_| None).unwrap();
    assert_eq!(moved.hidden_by, None, "nobody knows yet");
    known(&mut engine);
    let moved = engine.reading(&reading(5, key(7, 3), 11, 20), NOW, &mut |_| None).unwrap();
    assert!(moved.hidden_by.unwrap().starts_with("ignore.sha256 0909"));
}

#[test]
fn a_decided_flow_stays_so_until_the_rules_are_others() {
    let mut engine = engine(ignore(sha256()));
    known(&mut engine);
    read(&mut engine, &reading(5, key(7, 3), 1, 0));
    // Another version of the file is known by now.
    let file = engine.processes.get(key(7, 3)).unwrap().image.file.unwrap();
    engine.digests.done(file, Digest::Known(Sha256([1; 32])));
    read(&mut engine, &reading(5, key(7, 3), 2, 0));
    assert!(batch(&mut engine).0.is_empty());
    engine.configure(ignore(port(1)), Privacy::default());
    read(&mut engine, &reading(5, key(7, 3), 4, 0));
    let (rows, ignored) = batch(&mut engine);
    assert_eq!((rows[0].send, ignored.len()), (2, 0));
    engine.configure(ignore(port(443)), Privacy::default());
    read(&mut engine, &reading(5, key(7, 3), 8, 0));
    let (rows, ignored) = batch(&mut engine);
    assert_eq!((rows.len(), ignored[0].send), (0, 4));
}

#[test]
fn what_is_not_kept_still_decides() {
    let near = || Lists { subnets: vec!["198.51.100.0/24".parse().unwrap()], ..Lists::default() };
    let closed = Privacy { addresses: false, ports: false, ..Privacy::default() };
    for rules in [port(443), near()] {
        let mut engine = engine(ignore(rules));
        engine.configure(engine.filters.clone(), closed.clone());
        read(&mut engine, &reading(5, key(7, 3), 10, 20));
        let mut other = reading(6, key(7, 3), 1, 2);
        other.flow.remote.port = 80;
        other.flow.remote.addr = "203.0.113.1".parse().ok();
        let moved = engine.reading(&other, NOW, &mut |_| None).unwrap();
        assert_eq!((moved.flow.remote.addr, moved.flow.local.port), (None, 0));
        let (rows, ignored) = batch(&mut engine);
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.send, ignored[0].send), (1, 10));
        assert_eq!((row.laddr, row.raddr, row.lport, row.rport), (None, None, 0, 0));
    }
}

#[test]
fn secrets_are_gone_before_anybody_sees_them_and_after_a_reload() {
    let open = Privacy { redactor: None, ..Privacy::default() };
    for (before, after) in [
        (Privacy::default(), Privacy::default()),
        (open.clone(), Privacy::default()),
        (open, Privacy { redactor: Some(Redactor::new(&[])), ..Privacy::default() }),
    ] {
        let mut engine = Engine::new(LIMITS, Filters::default(), before, NAMELESS);
        let mut curl = info(key(7, 3), "/usr/bin/curl", key(1, 1), key(0, 0));
        curl.args = b"curl\0--token\0s3cret\0".to_vec();
        engine.found(std::slice::from_ref(&curl), NOW);
        engine.configure(Filters::default(), after);
        let moved = reading(5, key(7, 3), 10, 20);
        let moved = engine.reading(&moved, NOW, &mut |_| None).unwrap();
        assert_eq!(moved.image.cmdline, "curl --token ***");
        let batch = engine.batch(false);
        let [row] = &batch.rows[..] else { panic!("{batch:?}") };
        assert_eq!(row.exe.image.cmdline, "curl --token ***");
        let launch = row.lineage.first().unwrap();
        assert_eq!(launch.exe.image.id, row.exe.image.id);
        // Its digest reaches whatever image was told of.
        engine.digest_done(row.exe.image.file.unwrap(), Digest::Known(SHA));
        assert_eq!(engine.batch(false).resolved, [(row.exe.image.id, Digest::Known(SHA))]);
    }
}

const RESOLVER: &str = "192.0.2.53";

/// A process was told a name, as DNS writes it, for the address that all readings are of.
fn told(engine: &mut Engine, by: &str, name: &[u8; 17]) {
    let mut bytes = vec![0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    for part in [&name[..], &[0, 1, 0, 1], name, &[0, 1, 0, 1, 0, 0, 0, 60, 0, 4]] {
        bytes.extend(part);
    }
    bytes.extend([198, 51, 100, 1]);
    let payload = Payload {
        kind: PayloadKind::Reply,
        owner: key(7, 3),
        uid: 1000,
        cookie: 99,
        protocol: FlowKey::UDP,
        remote: Endpoint { addr: by.parse().ok(), port: 53 },
        netns: 1,
        roots_network: true,
        moved: bytes.len(),
        bytes,
    };
    engine.heard(&NameEvent::Payload(payload), NOW);
}

#[test]
fn a_name_hides_only_on_a_resolvers_word() {
    let rules = || {
        let domains = vec!["example.org".to_owned()];
        ignore(Lists { domains, ..Lists::default() })
    };
    const WITHIN: &[u8; 17] = b"\x03www\x07example\x03org\0";
    const BESIDE: &[u8; 17] = b"\x02ww\x08nexample\x03org\0";
    for (by, name, hidden) in [
        (RESOLVER, WITHIN, true),
        (RESOLVER, BESIDE, false),
        // Anybody may call himself that.
        ("203.0.113.66", WITHIN, false),
    ] {
        let mut engine = engine(rules());
        engine.set_name_rules(crate::NameRules {
            resolvers: vec![RESOLVER.parse().unwrap()],
            ptr: false,
        });
        told(&mut engine, by, name);
        read(&mut engine, &reading(5, key(7, 3), 10, 20));
        let (rows, ignored) = batch(&mut engine);
        assert_eq!((rows.is_empty(), ignored.len()), (hidden, usize::from(hidden)), "{by}");
        assert!(rows.iter().all(|row| !row.domain.is_empty()), "its name is known: {rows:?}");
    }
}

#[test]
fn names_that_are_not_kept_still_decide() {
    let domains = vec!["example.org".to_owned()];
    let mut engine = engine(ignore(Lists { domains, ..Lists::default() }));
    engine.configure(engine.filters.clone(), Privacy { names: false, ..Privacy::default() });
    engine.set_name_rules(crate::NameRules {
        resolvers: vec![RESOLVER.parse().unwrap()],
        ptr: false,
    });
    told(&mut engine, RESOLVER, b"\x03www\x07example\x03org\0");
    read(&mut engine, &reading(5, key(7, 3), 10, 20));
    let (rows, ignored) = batch(&mut engine);
    assert_eq!((rows.len(), ignored.len()), (0, 1));
    engine.configure(Filters::default(), Privacy { names: false, ..Privacy::default() });
    let moved = engine.reading(&reading(5, key(7, 3), 11, 20), NOW, &mut |_| None).unwrap();
    assert!(moved.naming.domain.is_empty());
    let (rows, _) = batch(&mut engine);
    assert_eq!((&*rows[0].domain, rows[0].name_source.name()), ("", ""));
}
