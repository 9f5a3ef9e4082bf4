//! Which name a flow gets, from bytes on the wire to the verdict.

use proptest::prelude::*;

use femtosnitch_model::PayloadKind;

use super::*;

const SERVER: &str = "192.0.2.53";
const HOST: &str = "203.0.113.7";

fn owner(tgid: u32) -> ProcKey {
    ProcKey { tgid, exec_id: 1, start_ns: 7 }
}

fn hosts() -> Hosts {
    Hosts::new(NameRules { resolvers: vec![SERVER.parse().unwrap()], ptr: false })
}

fn end(addr: &str, port: u16) -> Endpoint {
    Endpoint { addr: addr.parse().ok(), port }
}

fn payload(kind: PayloadKind, tgid: u32, remote: Endpoint, bytes: Vec<u8>) -> NameEvent {
    NameEvent::Payload(Payload {
        kind,
        owner: owner(tgid),
        uid: 1_000,
        cookie: u64::from(tgid),
        protocol: 6,
        remote,
        netns: 1,
        roots_network: true,
        moved: bytes.len(),
        bytes,
    })
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A reply with one CNAME, if there is one, and one address.
fn reply(name: &str, alias: Option<&str>, address: &str) -> Vec<u8> {
    let address: std::net::Ipv4Addr = address.parse().unwrap();
    let answers = 1 + u8::from(alias.is_some());
    let mut bytes = vec![0, 1, 0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0];
    bytes.extend(labels(name));
    bytes.extend([0, 1, 0, 1]);
    let mut record = |owner: &str, kind: u8, data: &[u8]| {
        bytes.extend(labels(owner));
        bytes.extend([0, kind, 0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).unwrap()]);
        bytes.extend(data);
    };
    if let Some(alias) = alias {
        record(name, 5, &labels(alias));
    }
    record(alias.unwrap_or(name), 1, &address.octets());
    bytes
}

fn told(hosts: &mut Hosts, tgid: u32, server: &str, name: &str, up: i64) {
    let event = payload(PayloadKind::Reply, tgid, end(server, 53), reply(name, None, HOST));
    hosts.hear(&event, up);
}

fn name_of(hosts: &mut Hosts, tgid: u32, uid: u32, up: i64) -> (String, &'static str) {
    let flow = FlowKey {
        cookie: u64::from(tgid),
        family: 2,
        protocol: 6,
        local: end("192.0.2.1", 1),
        remote: end(HOST, 443),
        netns: 1,
    };
    let verdict = hosts.name(owner(tgid), uid, &flow, Direction::Outgoing, up);
    (verdict.naming.domain.to_string(), verdict.naming.source.name())
}

fn say(hosts: &mut Hosts, tgid: u32, domain: &str, hides: bool) {
    let said = Said { domain: domain.into(), witness: Witness::Tls, hides };
    hosts.said.put((u64::from(tgid), end(HOST, 443)), said);
}

#[test]
fn two_processes_that_reach_one_address_under_two_names_keep_their_own() {
    let mut hosts = hosts();
    told(&mut hosts, 1, SERVER, "a.example.org", 10);
    told(&mut hosts, 2, SERVER, "b.example.org", 11);
    assert_eq!(name_of(&mut hosts, 1, 1_000, 12), ("org.example.a".to_owned(), "dns"));
    assert_eq!(name_of(&mut hosts, 2, 1_000, 12), ("org.example.b".to_owned(), "dns"));
    // Who was told nothing gets what others of the same user were told last.
    assert_eq!(name_of(&mut hosts, 3, 1_000, 12), ("org.example.b".to_owned(), "host-dns"));
    assert_eq!(name_of(&mut hosts, 3, 1_001, 12).1, "", "another user's word counts for nobody");
}

#[test]
fn a_chain_of_aliases_gives_the_name_that_was_asked_for() {
    let mut hosts = hosts();
    let bytes = reply("www.example.org", Some("edge.cdn.example"), HOST);
    let event = payload(PayloadKind::Reply, 1, end(SERVER, 53), bytes);
    hosts.hear(&event, 1);
    assert_eq!(name_of(&mut hosts, 1, 1_000, 1).0, "org.example.www");
}

#[test]
fn only_the_systems_resolvers_are_believed_and_only_in_roots_networks() {
    let mut hosts = hosts();
    told(&mut hosts, 1, "198.51.100.1", "evil.example", 1);
    assert_eq!(name_of(&mut hosts, 1, 1_000, 1), ("example.evil".to_owned(), "other-dns"));
    let event = payload(PayloadKind::Reply, 2, end(SERVER, 53), reply("a.example", None, HOST));
    let NameEvent::Payload(mut event) = event else { unreachable!() };
    event.roots_network = false;
    hosts.hear(&NameEvent::Payload(event), 1);
    assert_eq!(name_of(&mut hosts, 2, 1_000, 1).1, "other-dns");
}

#[test]
fn the_first_bytes_choose_among_what_was_told_and_count_alone_where_nothing_was() {
    let mut hosts = hosts();
    say(&mut hosts, 1, "org.example.a", false);
    assert_eq!(name_of(&mut hosts, 1, 1_000, 1), ("org.example.a".to_owned(), "tls"));
    told(&mut hosts, 1, SERVER, "a.example.org", 1);
    told(&mut hosts, 1, SERVER, "b.example.org", 1);
    assert_eq!(name_of(&mut hosts, 1, 1_000, 1), ("org.example.a".to_owned(), "dns"));
    // A front: what the program asked for is what it wants.
    say(&mut hosts, 1, "com.front", false);
    assert_eq!(name_of(&mut hosts, 1, 1_000, 1), ("org.example.b".to_owned(), "dns"));
    // Hours later the address may be another host's.
    let later = 1 + LEAST_TTL + 1;
    assert_eq!(name_of(&mut hosts, 1, 1_000, later), ("com.front".to_owned(), "tls"));
}

#[test]
fn a_hello_that_may_hide_a_name_needs_somebody_who_was_told_it() {
    let mut hosts = hosts();
    say(&mut hosts, 1, "org.example.a", true);
    assert_eq!(name_of(&mut hosts, 1, 1_000, 1), (String::new(), ""));
    told(&mut hosts, 2, SERVER, "a.example.org", 1);
    assert_eq!(name_of(&mut hosts, 1, 1_000, 1), ("org.example.a".to_owned(), "host-dns"));
}

#[test]
fn a_short_name_is_shown_in_full_and_the_c_librarys_word_is_no_more_than_the_resolvers() {
    let mut hosts = hosts();
    told(&mut hosts, 1, SERVER, "db.corp.example", 1);
    let looked = |tgid, name: &str| Looked {
        owner: owner(tgid),
        uid: 1_000,
        netns: 1,
        name: name.as_bytes().to_vec(),
        addresses: vec![HOST.parse().unwrap()],
    };
    hosts.hear(&NameEvent::Looked(looked(1, "db")), 1);
    assert_eq!(name_of(&mut hosts, 1, 1_000, 1), ("example.corp.db".to_owned(), "dns"));
    hosts.hear(&NameEvent::Looked(looked(2, "local.example.")), 1);
    assert_eq!(name_of(&mut hosts, 2, 1_000, 1), ("example.local".to_owned(), "getaddrinfo"));
    // An address that is written as a name is none.
    hosts.hear(&NameEvent::Looked(looked(3, "203.0.113.7")), 1);
    assert_ne!(name_of(&mut hosts, 3, 1_000, 1).1, "getaddrinfo");
}

#[test]
fn what_systemd_resolved_answers_is_for_everybody_in_its_network_namespace() {
    for (asked, shown, source) in [
        ("www.example.org", "org.example.www", "host-resolved"),
        ("printer.local", "local.printer", "host-mdns"),
        ("printer", "printer", "host-llmnr"),
    ] {
        let mut hosts = hosts();
        let (netns, name) = (1, asked.as_bytes().to_vec());
        let addresses = vec![HOST.parse().unwrap(), "127.0.0.1".parse().unwrap()];
        hosts.hear(&NameEvent::Resolved(Resolved { netns, name, addresses }), 1);
        assert_eq!(name_of(&mut hosts, 1, 1_000, 1), (shown.to_owned(), source));
        assert_eq!(hosts.gauges().known, 1, "not of this machine itself");
    }
}

#[test]
fn who_comes_by_itself_has_no_name() {
    let mut hosts = hosts();
    told(&mut hosts, 1, SERVER, "a.example.org", 1);
    let flow = FlowKey {
        cookie: 1,
        family: 2,
        protocol: 6,
        local: end("192.0.2.1", 443),
        remote: end(HOST, 50_000),
        netns: 1,
    };
    let verdict = hosts.name(owner(1), 1_000, &flow, Direction::Incoming, 1);
    assert_eq!(verdict.naming, Naming::default());
}

#[test]
fn replies_over_tcp_are_put_together_from_pieces_of_any_size() {
    let message = reply("a.example.org", None, HOST);
    let mut stream = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
    stream.extend(&message);
    for size in [1, 2, 3, 20, stream.len()] {
        let mut hosts = hosts();
        for piece in stream.repeat(2).chunks(size) {
            let event = payload(PayloadKind::ReplyStream, 1, end(SERVER, 53), piece.to_vec());
            hosts.hear(&event, 1);
        }
        assert_eq!(name_of(&mut hosts, 1, 1_000, 1).0, "org.example.a", "{size}");
        assert_eq!((hosts.gauges().replies, hosts.gauges().garbled), (2, 0), "{size}");
    }
}

#[test]
fn the_owners_word_counts_only_where_that_is_wanted() {
    let mut bytes = vec![0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    let name = labels("7.113.0.203.in-addr.arpa");
    bytes.extend([&name[..], &[0, 12, 0, 1], &name, &[0, 12, 0, 1, 0, 0, 0, 60]].concat());
    let target = labels("bank.example");
    bytes.extend([0, u8::try_from(target.len()).unwrap()]);
    bytes.extend(target);
    let event = payload(PayloadKind::Reply, 1, end(SERVER, 53), bytes);
    let mut hosts = hosts();
    hosts.hear(&event, 1);
    assert_eq!(name_of(&mut hosts, 1, 1_000, 1).1, "");
    hosts.set_rules(NameRules { ptr: true, ..hosts.rules.clone() });
    hosts.hear(&event, 1);
    assert_eq!(name_of(&mut hosts, 1, 1_000, 1), ("example.bank".to_owned(), "ptr"));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(
        kind in 0usize..4, port in prop::sample::select(vec![53, 5353, 5355, 443]),
        pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..80)), 1..8)
    ) {
        let kinds = [PayloadKind::Reply, PayloadKind::ReplyStream, PayloadKind::Opening,
            PayloadKind::Datagram];
        let mut hosts = hosts();
        for (is_cut, bytes) in pieces {
            let NameEvent::Payload(mut it) = payload(kinds[kind], 1, end(SERVER, port), bytes) else {
                unreachable!()
            };
            it.moved += usize::from(is_cut);
            hosts.hear(&NameEvent::Payload(it), 1);
        }
        prop_assert!(hosts.gauges().known <= 1_024);
    }
}
