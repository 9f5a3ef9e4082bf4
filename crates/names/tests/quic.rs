//! Initial packets: of the standards, of a real client, and 100,000 broken ones twice.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Instant;

use femtosnitch_names::quic::{Initials, MAX_DATAGRAMS, State};
use femtosnitch_names::tls::{Found, MAX_ALPN};
use proptest::prelude::*;
use proptest::sample::Index;
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::{ClientConfig, Endpoint, EndpointConfig};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use rustls::quic::{ClientConnection, Version};
use support::seal::{ID, Packet, crypto};
use support::{MUTATIONS, mutated, runs};

/// The ClientHello of RFC 9001 §A.2 in its CRYPTO frame; RFC 9369 has the same.
const FRAME: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868\
    04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578\
    616d706c652e636f6dff01000100000a00080006001d00170018001000070005\
    04616c706e000500050100000000003300260024001d00209370b2c9caa47fba\
    baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400\
    0d0010000e0403050306030203080408050806002d00020101001c0002400100\
    3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000\
    75300901100f088394c8f03e51570806048000ffff";

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn config(alpn: &[Vec<u8>]) -> rustls::ClientConfig {
    let mut config = rustls::ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = alpn.to_vec();
    config
}

/// The first datagrams of a real client.
fn quinn(host: &str, alpn: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let config = QuicClientConfig::try_from(config(alpn)).unwrap();
    let config = ClientConfig::new(Arc::new(config));
    let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), None, false, None);
    let now = Instant::now();
    let server = "192.0.2.1:443".parse().unwrap();
    let (_, mut connection) = endpoint.connect(now, config, server, host).unwrap();
    let mut datagrams = Vec::new();
    let mut buffer = Vec::new();
    while let Some(transmit) = connection.poll_transmit(now, 1, &mut buffer) {
        datagrams.push(buffer[..transmit.size].to_vec());
        buffer.clear();
    }
    datagrams
}

/// The handshake's bytes of a real client.
fn hello(host: &str, version: Version) -> Vec<u8> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let config = Arc::new(config(&[b"h3".to_vec()]));
    let mut client = ClientConnection::new(config, version, name, vec![1, 2, 3]).unwrap();
    let mut bytes = Vec::new();
    assert!(client.write_hs(&mut bytes).is_none());
    bytes
}

/// Protocols that take 250 bytes each.
fn many_protocols(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| format!("{number:0249}").into_bytes()).collect()
}

fn done(state: State) -> Found {
    match state {
        State::Done(found) => found,
        other => panic!("{other:?}"),
    }
}

fn name(found: &Found) -> &str {
    found.server_name.as_ref().unwrap().as_str()
}

fn push_all(datagrams: &[Vec<u8>]) -> State {
    let mut initials = Initials::new();
    datagrams.iter().fold(State::More, |_, datagram| initials.push(datagram))
}

/// Both standards' client Initial, and what is printed of it: its first bytes, and the tag, which
/// no other packet has.
#[test]
fn packets_of_the_standards() {
    let mut frames = bytes(FRAME);
    frames.resize(1162, 0);
    for (version, begin, end) in [
        (
            Version::V1,
            "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11",
            "e221af44860018ab0856972e194cd934",
        ),
        (
            Version::V2,
            "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
            "a18b2faa745b6fe189cf772a9f84cbfc",
        ),
    ] {
        let packet = Packet::new(version, 2).seal(&frames);
        assert_eq!(packet.len(), 1200);
        assert!(packet.starts_with(&bytes(begin)) && packet.ends_with(&bytes(end)));
        let found = done(Initials::new().push(&packet));
        assert_eq!(name(&found), "example.com");
        assert_eq!(found.alpn, ["alpn"]);
        assert!(!found.ech && !found.bad_name);
    }
}

#[test]
fn a_real_client() {
    let datagrams = quinn("www.example.org", &[b"h3".to_vec()]);
    let found = done(push_all(&datagrams[..1]));
    assert_eq!(name(&found), "www.example.org");
    assert_eq!(found.alpn, ["h3"]);
}

#[test]
fn a_hello_of_several_datagrams_in_any_order() {
    let mut datagrams = quinn("long.example", &many_protocols(20));
    assert!(datagrams.len() >= 5, "{}", datagrams.len());
    let mut initials = Initials::new();
    let last = datagrams.len() - 1;
    for datagram in &datagrams[..last] {
        assert_eq!(initials.push(datagram), State::More);
        assert_eq!(initials.push(datagram), State::More, "the same again");
    }
    let found = done(initials.push(&datagrams[last]));
    assert_eq!((name(&found), found.alpn.len()), ("long.example", MAX_ALPN));
    datagrams.reverse();
    assert_eq!(push_all(&datagrams), State::Done(found.clone()));
    datagrams.rotate_left(2);
    assert_eq!(push_all(&datagrams), State::Done(found));
    datagrams.remove(0);
    assert_eq!(push_all(&datagrams), State::More);
}

#[test]
fn what_was_said_first_stays() {
    let hello = hello("first.example", Version::V1);
    let at = hello.windows(5).position(|five| five == b"first").unwrap();
    let mut other = hello.clone();
    other[at..at + 5].copy_from_slice(b"other");
    let seal = |number, frames: Vec<u8>| {
        Packet::new(Version::V1, number).seal(&[frames, vec![0; 20]].concat())
    };
    let mut initials = Initials::new();
    assert_eq!(initials.push(&seal(0, crypto(at, b"first"))), State::More);
    assert_eq!(name(&done(initials.push(&seal(1, crypto(0, &other))))), "first.example");
}

#[test]
fn packets_that_share_a_datagram() {
    let hello = hello("shared.example", Version::V2);
    let (first, second) = hello.split_at(90);
    for version in [Version::V1, Version::V2] {
        let two = matches!(version, Version::V2);
        let other = |kind: u8| {
            let kind = if two { (kind + 1) & 3 } else { kind };
            let number = if two { 0x6b33_43cf_u32 } else { 1 }.to_be_bytes();
            [&[0xc0 | kind << 4][..], &number, &[8], &ID, &[0, 3, 9, 9, 9]].concat()
        };
        let datagram = [
            Packet::new(version, 0).seal(&crypto(90, second)),
            other(1),
            other(2),
            Packet::new(version, 1).seal(&crypto(0, first)),
            vec![0; 40],
        ];
        assert_eq!(name(&done(Initials::new().push(&datagram.concat()))), "shared.example");
        // The server's Retry says nothing of where it ends.
        let with_retry = [&datagram[0][..], &other(3), &datagram[3]].concat();
        assert_eq!(Initials::new().push(&with_retry), State::More);
    }
}

#[test]
fn keys_after_a_retry_and_a_change_of_version() {
    let hello = hello("retry.example", Version::V1);
    let (first, second) = hello.split_at(100);
    let begin = Packet::new(Version::V1, 0).seal(&crypto(0, first));
    let retried = Packet { id: b"new".to_vec(), token: vec![7; 90], ..Packet::new(Version::V1, 1) };
    let by_new = Packet { key_id: b"new".to_vec(), ..retried.clone() };
    let by_other = Packet { key_id: b"other".to_vec(), ..retried.clone() };
    let changed = Packet { version: Version::V2, ..retried.clone() };
    for (next, whole) in [(retried, true), (by_new, true), (changed, true), (by_other, false)] {
        let mut initials = Initials::new();
        assert_eq!(initials.push(&begin), State::More);
        let state = initials.push(&next.seal(&crypto(100, second)));
        assert_eq!(matches!(state, State::Done(_)), whole, "{next:?}");
    }
}

#[test]
fn what_is_not_whole_is_not_believed() {
    let frames = [crypto(0, &hello("whole.example", Version::V1)), vec![0; 800]].concat();
    let packet = Packet::new(Version::V1, 0).seal(&frames);
    for at in [0, 30, 500, packet.len() - 1] {
        let mut broken = packet.clone();
        broken[at] ^= 0x04;
        assert!(!matches!(Initials::new().push(&broken), State::Done(_)), "{at}");
    }
    for length in 0..packet.len() {
        assert_eq!(Initials::new().push(&packet[..length]), State::NotQuic, "{length}");
    }
    for other in [&b"\x40abcdefghijklmnopqrstuvwxyz"[..], b"\xc0\0\0\0\0\x08", b"\xc0\xff\0\0\x1d"]
    {
        assert_eq!(Initials::new().push(other), State::NotQuic);
    }
}

#[test]
fn everything_has_a_bound() {
    let seal = |number, frames: &[u8]| Packet::new(Version::V1, number).seal(frames);
    let most = 16 * 1024 + 4;
    let far = [crypto(16_383, b"x"), vec![6, 0x80, 0, 0x40, 3, 1, b'y'], vec![0; 20]].concat();
    assert_eq!(Initials::new().push(&seal(0, &far)), State::More);
    let beyond = [vec![6, 0x80, 0, 0x40, 4, 1, b'y'], vec![0; 20]].concat();
    assert_eq!(most, 0x4004);
    assert_eq!(Initials::new().push(&seal(0, &beyond)), State::TooLong);
    let huge = [vec![6], vec![0xff; 8], vec![1, b'y'], vec![0; 20]].concat();
    assert_eq!(Initials::new().push(&seal(0, &huge)), State::TooLong);
    assert_eq!(Initials::new().push(&seal(0, &[8; 30])), State::NotQuic);
    let other = [crypto(0, &[2, 0, 0, 1]), vec![0; 20]].concat();
    assert_eq!(Initials::new().push(&seal(0, &other)), State::NotQuic);
    let ping = seal(0, &[1; 30]);
    let mut initials = Initials::new();
    for _ in 1..MAX_DATAGRAMS {
        assert_eq!(initials.push(&ping), State::More);
    }
    assert_eq!(initials.push(&ping), State::TooLong);
    assert_eq!(initials.push(&ping), State::TooLong);
}

#[test]
fn the_beginning_tells_the_name_if_it_has_it() {
    let frames = bytes(FRAME);
    let hello = &frames[4..];
    let mut initials = Initials::new();
    let begin = [crypto(0, &hello[..80]), vec![0; 20]].concat();
    assert_eq!(initials.push(&Packet::new(Version::V1, 0).seal(&begin)), State::More);
    assert_eq!(name(&initials.so_far().unwrap()), "example.com");
}

proptest! {
    #![proptest_config(runs(1_000))]

    #[test]
    fn pieces_in_any_order(
        two in any::<bool>(),
        host in "[a-z0-9]{1,30}\\.(example|test)",
        cuts in proptest::collection::vec(any::<Index>(), 0..30),
        order in any::<u64>(),
        per_packet in 1..6_usize,
        overlap in 0..20_usize,
    ) {
        let version = if two { Version::V2 } else { Version::V1 };
        let hello = hello(&host, version);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(hello.len())).collect();
        at.extend([0, hello.len()]);
        at.sort_unstable();
        let mut pieces: Vec<_> = at
            .windows(2)
            .map(|pair| (pair[0], (pair[1] + overlap).min(hello.len())))
            .map(|(from, to)| crypto(from, &hello[from..to]))
            .collect();
        let mut seed = order;
        for last in (1..pieces.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            pieces.swap(last, usize::try_from(seed >> 33).unwrap() % (last + 1));
        }
        let datagrams: Vec<_> = pieces
            .chunks(per_packet)
            .enumerate()
            .map(|(number, frames)| {
                let number = u32::try_from(number).unwrap();
                Packet::new(version, number).seal(&[&[1; 20][..], &frames.concat()].concat())
            })
            .collect();
        let mut initials = Initials::new();
        let mut state = State::More;
        for datagram in &datagrams {
            state = initials.push(datagram);
        }
        let found = done(state);
        prop_assert_eq!(name(&found), host);
        prop_assert_eq!(found.alpn, ["h3"]);
    }
}

fn two_datagrams() -> Vec<Vec<u8>> {
    let hello = hello("broken.example", Version::V1);
    let (first, second) = hello.split_at(150);
    vec![
        [crypto(0, first), vec![1, 0, 2, 0, 0, 1, 0, 0, 0], crypto(160, &second[10..])].concat(),
        [crypto(150, &second[..30]), vec![0; 50]].concat(),
    ]
}

fn sealed() -> Vec<Vec<u8>> {
    let seal = |(number, frames): (u32, Vec<u8>)| Packet::new(Version::V1, number).seal(&frames);
    (0..).zip(two_datagrams()).map(seal).collect()
}

proptest! {
    #![proptest_config(runs(MUTATIONS))]

    #[test]
    fn broken_packets(
        datagrams in proptest::collection::vec(mutated(proptest::sample::select(sealed())), 1..3),
    ) {
        let mut initials = Initials::new();
        for datagram in &datagrams {
            initials.push(datagram);
        }
    }

    /// Behind the cipher, which whoever wants to can pass.
    #[test]
    fn broken_frames(frames in mutated(proptest::sample::select(two_datagrams()))) {
        let mut initials = Initials::new();
        initials.push(&Packet::new(Version::V1, 0).seal(&[1; 30]));
        let padded = [frames, vec![0; 20]].concat();
        let state = initials.push(&Packet::new(Version::V1, 1).seal(&padded));
        if let State::Done(found) = state {
            prop_assert!(found.alpn.len() <= MAX_ALPN);
        }
    }
}
