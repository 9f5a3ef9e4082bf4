//! DNS replies: what another parser says of them, and 100,000 broken ones.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::net::IpAddr;

use femtosnitch_names::dns::{Dialect, MAX_ANSWERS, MAX_QUESTIONS, Reply, frames, parse};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, QCLASS, QTYPE, Question, ResourceRecord, TYPE};
use support::{MUTATIONS, mutated, runs};

/// Names and addresses of a reply: the question, its CNAMEs, the addresses of the last.
#[derive(Debug, Clone)]
struct Plan {
    id: u16,
    names: Vec<String>,
    addresses: Vec<(IpAddr, u32)>,
    compressed: bool,
}

fn name() -> impl Strategy<Value = String> {
    proptest::collection::vec("[a-zA-Z0-9_]{1,12}(-[a-z0-9]{1,3})?", 1..6)
        .prop_map(|labels| labels.join("."))
}

fn plan() -> impl Strategy<Value = Plan> {
    let address = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
    ];
    (
        any::<u16>(),
        proptest::collection::btree_set(name().prop_map(|n| n.to_lowercase()), 1..5),
        proptest::collection::vec((address, 0..0x7fff_ffff_u32), 0..20),
        any::<bool>(),
    )
        .prop_map(|(id, names, addresses, compressed)| Plan {
            id,
            names: names.into_iter().collect(),
            addresses,
            compressed,
        })
}

fn build(plan: &Plan) -> Vec<u8> {
    let mut packet = Packet::new_reply(plan.id);
    let name = |text: &str| Name::new_unchecked(text).into_owned();
    packet.questions.push(Question::new(
        name(&plan.names[0]),
        QTYPE::TYPE(TYPE::A),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    for pair in plan.names.windows(2) {
        let data = RData::CNAME(CNAME(name(&pair[1])));
        packet.answers.push(ResourceRecord::new(name(&pair[0]), CLASS::IN, 0x7fff_ffff, data));
    }
    for (address, ttl) in &plan.addresses {
        let data = match address {
            IpAddr::V4(address) => RData::A(A::from(*address)),
            IpAddr::V6(address) => RData::AAAA(AAAA::from(*address)),
        };
        let last = plan.names.last().unwrap();
        packet.answers.push(ResourceRecord::new(name(last), CLASS::IN, *ttl, data));
    }
    if plan.compressed {
        packet.build_bytes_vec_compressed().unwrap()
    } else {
        packet.build_bytes_vec().unwrap()
    }
}

/// The addresses that the other parser finds.
fn reference(message: &[u8]) -> Vec<(IpAddr, u32)> {
    let packet = Packet::parse(message).unwrap();
    let address = |record: &ResourceRecord<'_>| match &record.rdata {
        RData::A(a) => Some((IpAddr::from(a.address.to_be_bytes()), record.ttl)),
        RData::AAAA(a) => Some((IpAddr::from(a.address.to_be_bytes()), record.ttl)),
        _ => None,
    };
    packet.answers.iter().filter_map(address).collect()
}

fn bounded(reply: &Reply) {
    assert!(reply.answers.len() <= MAX_ANSWERS);
    assert!(reply.questions.len() <= MAX_QUESTIONS);
    let names = reply.answers.iter().map(|answer| &answer.name);
    let names = names.chain(reply.questions.iter().map(|question| &question.name));
    for name in names.chain(&reply.canonical) {
        let text = name.as_str();
        assert!(!text.is_empty() && text.len() <= 1003, "{text}");
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.\\".contains(&b);
        assert!(text.bytes().all(plain), "{text}");
    }
}

proptest! {
    #![proptest_config(runs(4_000))]

    #[test]
    fn what_the_other_parser_says(plan in plan()) {
        let message = build(&plan);
        let reply = parse(&message, Dialect::Unicast).unwrap();
        prop_assert_eq!(reply.id, plan.id);
        prop_assert_eq!(reply.question().unwrap().name.as_str(), plan.names[0].as_str());
        let told: Vec<_> = reply.answers.iter().map(|a| (a.address, a.ttl)).collect();
        prop_assert_eq!(told, reference(&message));
        prop_assert!(reply.answers.iter().all(|a| a.name.as_str() == plan.names[0]));
        let last = plan.names.last().filter(|_| plan.names.len() > 1).map(String::as_str);
        prop_assert_eq!(reply.canonical.as_ref().map(|name| name.as_str()), last);
        prop_assert_eq!((reply.strangers, reply.beyond, reply.cut), (0, 0, false));
    }
}

proptest! {
    #![proptest_config(runs(MUTATIONS))]

    #[test]
    fn broken_replies(message in mutated(replies())) {
        for dialect in [Dialect::Unicast, Dialect::Multicast, Dialect::LinkLocal] {
            if let Ok(reply) = parse(&message, dialect) {
                bounded(&reply);
            }
        }
        let all: usize = frames(&message).map(<[u8]>::len).sum();
        prop_assert!(all <= message.len());
    }
}

/// A few valid ones: making one costs more than reading it.
fn replies() -> impl Strategy<Value = Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    let mut one = || build(&plan().new_tree(&mut runner).unwrap().current());
    let mut valid: Vec<_> = std::iter::repeat_with(&mut one).take(40).collect();
    valid.push(REPLY_WITH_HINTS.to_vec());
    proptest::sample::select(valid)
}

/// An HTTPS record with a chain of one CNAME, `alpn` and hints of both kinds.
const REPLY_WITH_HINTS: &[u8] = b"\x12\x34\x81\x80\0\x01\0\x02\0\0\0\0\
    \x03www\x07example\0\0\x41\0\x01\
    \xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03cdn\xc0\x10\
    \xc0\x29\0\x41\0\x01\0\0\0\x3c\0\x2a\0\x01\0\0\x01\0\x03\x02h2\
    \0\x04\0\x08\xc0\0\x02\x01\xc0\0\x02\x02\
    \0\x06\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01";

#[test]
fn the_reply_with_hints_is_valid() {
    let reply = parse(REPLY_WITH_HINTS, Dialect::Unicast).unwrap();
    let told: Vec<_> = reply.answers.iter().map(|a| a.address.to_string()).collect();
    assert_eq!(told, ["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    assert_eq!(reply.canonical.unwrap().as_str(), "cdn.example");
}
