//! What the engine makes of copied bytes: streams and hellos that come in pieces, from several
//! connections at a time, each piece behind its kind, its connection and its length.
#![no_main]

use std::net::IpAddr;

use femtosnitch_engine::{Engine, Filters, Limits, Moment, NameRules, PlaceNames, Privacy};
use femtosnitch_model::{Endpoint, NameEvent, Payload, PayloadKind, Place, ProcKey};
use libfuzzer_sys::fuzz_target;

const RESOLVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 53));

/// Nobody runs anything here.
const NAMES: PlaceNames = PlaceNames { of_cgroup: |_| Place::default(), of_path: |_, _| None };

/// Addresses that one piece may name: a reply's most, for a process and its network.
const MOST: usize = 2 * 2 * femtosnitch_names::dns::MAX_ANSWERS;

/// The piece at the front, behind its head of four bytes.
fn piece<'a>(bytes: &mut &'a [u8]) -> Option<(u8, u8, &'a [u8])> {
    let ([kind, whose, high, low], rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (piece, rest) = rest.split_at(length);
    *bytes = rest;
    Some((*kind, *whose, piece))
}

fn event(kind: u8, whose: u8, bytes: &[u8]) -> NameEvent {
    let ports = [53, 5353, 5355, 443];
    let kinds =
        [PayloadKind::Reply, PayloadKind::ReplyStream, PayloadKind::Opening, PayloadKind::Datagram];
    // Of a call that moved more the rest was not copied.
    let lost = usize::from(kind >> 7);
    NameEvent::Payload(Payload {
        kind: kinds[usize::from(kind & 3)],
        owner: ProcKey { tgid: u32::from(whose), exec_id: 1, start_ns: 1 },
        uid: u32::from(whose) * 500,
        cookie: u64::from(whose),
        protocol: 6,
        remote: Endpoint { addr: Some(RESOLVER), port: ports[usize::from(kind >> 2 & 3)] },
        netns: u32::from(whose & 3),
        roots_network: whose & 4 == 0,
        moved: bytes.len() + lost,
        bytes: bytes.to_vec(),
    })
}

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { processes: 16, files: 16 };
    let mut engine = Engine::new(limits, Filters::default(), Privacy::default(), NAMES);
    engine.set_name_rules(NameRules { resolvers: vec![RESOLVER], ptr: true });
    let (mut rest, mut tick) = (bytes, 0);
    while let Some((kind, whose, piece)) = piece(&mut rest) {
        tick += 1;
        let before = engine.name_gauges();
        let now = Moment { wall: 1_000 + i64::try_from(tick).unwrap(), tick, boot: 0 };
        engine.heard(&event(kind, whose, piece), now);
        let after = engine.name_gauges();
        let replies = usize::try_from(after.replies - before.replies).unwrap();
        assert!(after.known <= before.known + replies * MOST && after.known <= 16_384);
    }
});
