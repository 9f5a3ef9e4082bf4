//! Bytes that the kernel side copied for the sake of names.

use std::net::IpAddr;

use femtosnitch_model::{Endpoint, Looked, NameEvent, Payload, PayloadKind};

use crate::abi::{self, RawLooked, RawPayload};

/// Parses one record of the buffer. `None` if it is not what `abi.h` says.
pub(crate) fn parse(bytes: &[u8]) -> Option<NameEvent> {
    if abi::read::<u32>(bytes)? == abi::PAYLOAD_LOOKED {
        return looked(bytes);
    }
    let raw = abi::read::<RawPayload>(bytes)?;
    let kind = match raw.kind {
        abi::PAYLOAD_REPLY => PayloadKind::Reply,
        abi::PAYLOAD_STREAM => PayloadKind::ReplyStream,
        abi::PAYLOAD_OPENING => PayloadKind::Opening,
        abi::PAYLOAD_DATAGRAM => PayloadKind::Datagram,
        _ => return None,
    };
    let data = bytes.get(size_of::<RawPayload>()..)?;
    Some(NameEvent::Payload(Payload {
        kind,
        owner: raw.who.into(),
        uid: raw.uid,
        cookie: raw.cookie,
        protocol: raw.protocol,
        remote: Endpoint { addr: abi::address(raw.raddr), port: raw.rport },
        netns: raw.netns,
        roots_network: raw.flags & abi::PAYLOAD_ROOTS != 0,
        moved: raw.moved as usize,
        bytes: data.get(..raw.len as usize)?.to_vec(),
    }))
}

/// False for what a C library made of an address that was written as text.
pub(crate) fn tells_something(event: &NameEvent) -> bool {
    !matches!(event, NameEvent::Looked(looked) if looked.addresses.is_empty())
}

fn looked(bytes: &[u8]) -> Option<NameEvent> {
    let raw = abi::read::<RawLooked>(bytes)?;
    let asked = raw.name.get(..raw.len as usize)?;
    let name: Vec<u8> = asked.iter().map(|letter| letter.to_ne_bytes()[0]).collect();
    let told = raw.addrs.get(..raw.count as usize)?;
    // Of an address that was written as text nothing is learned.
    let is_address = std::str::from_utf8(&name).is_ok_and(|name| name.parse::<IpAddr>().is_ok());
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in told.iter().filter_map(|words| abi::address(*words)).filter(|_| !is_address) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let (owner, uid, netns) = (raw.who.into(), raw.uid, raw.netns);
    Some(NameEvent::Looked(Looked { owner, uid, netns, name, addresses }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u32, len: u32, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0u8; size_of::<RawPayload>()];
        bytes[..4].copy_from_slice(&kind.to_ne_bytes());
        bytes[4..8].copy_from_slice(&len.to_ne_bytes());
        bytes[64..66].copy_from_slice(&53u16.to_ne_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn a_payload_is_read_back_without_what_was_not_filled() {
        let bytes = record(abi::PAYLOAD_REPLY, 3, b"abc\0\0\0");
        let Some(NameEvent::Payload(payload)) = parse(&bytes) else { panic!("no payload") };
        assert_eq!((payload.kind, payload.bytes.as_slice()), (PayloadKind::Reply, &b"abc"[..]));
        assert_eq!(payload.remote, Endpoint { addr: None, port: 53 });
    }

    #[test]
    fn every_cut_record_is_refused_without_a_panic() {
        let bytes = record(abi::PAYLOAD_OPENING, 4, b"abcd");
        for len in 0..bytes.len() {
            assert!(parse(&bytes[..len]).is_none(), "accepted {len} bytes");
        }
        assert!(parse(&record(99, 0, b"")).is_none());
    }

    fn answer(name: &[u8], len: u32, addresses: &[[u8; 16]], count: u32) -> Vec<u8> {
        let mut bytes = vec![0u8; size_of::<RawLooked>()];
        bytes[..4].copy_from_slice(&abi::PAYLOAD_LOOKED.to_ne_bytes());
        bytes[4..8].copy_from_slice(&len.to_ne_bytes());
        bytes[32..36].copy_from_slice(&count.to_ne_bytes());
        for (place, address) in bytes[40..296].chunks_exact_mut(16).zip(addresses) {
            place.copy_from_slice(address);
        }
        bytes[296..296 + name.len()].copy_from_slice(name);
        bytes
    }

    #[test]
    fn each_address_of_an_answer_is_told_once() {
        let all = ["::ffff:192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"];
        let all = all.map(|text| text.parse::<std::net::Ipv6Addr>().unwrap().octets());
        let Some(NameEvent::Looked(looked)) = parse(&answer(b"one.example", 11, &all, 3)) else {
            panic!("no answer")
        };
        assert_eq!(looked.name, b"one.example");
        let told: Vec<_> = looked.addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(told, ["192.0.2.7", "2001:db8::7"]);
        assert!(tells_something(&NameEvent::Looked(looked)));
        for text in [&b"192.0.2.7"[..], b"2001:db8::7"] {
            let len = u32::try_from(text.len()).unwrap();
            assert!(!tells_something(&parse(&answer(text, len, &all, 1)).unwrap()));
        }
    }

    #[test]
    fn an_answer_that_is_not_as_it_should_be_is_refused() {
        let fine = answer(b"one.example", 11, &[[1; 16]], 1);
        for len in 0..fine.len() {
            assert!(parse(&fine[..len]).is_none(), "accepted {len} bytes");
        }
        assert!(parse(&answer(b"", 257, &[], 0)).is_none());
        assert!(parse(&answer(b"", 0, &[], 17)).is_none());
    }
}
