//! What one message costs, in nanoseconds; it asserts no time. By hand:
//! `cargo test --release -p femtosnitch-names --test speed -- --ignored --nocapture`
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use femtosnitch_names::dns::{self, Dialect};
use femtosnitch_names::{quic, tls};
use rustls::pki_types::ServerName;
use rustls::quic::Version;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use support::seal::{Packet, crypto};

/// `www.example`, a CNAME to `cdn.example` and two addresses of that.
const REPLY: &[u8] = b"\x12\x34\x81\x80\0\x01\0\x03\0\0\0\0\
    \x03www\x07example\0\0\x01\0\x01\
    \xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03cdn\xc0\x10\
    \xc0\x29\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01\
    \xc0\x29\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x02";

/// The fastest of ten rounds.
fn time<T>(what: &str, mut once: impl FnMut() -> T) {
    const TIMES: u32 = 5_000;
    let round = |_| {
        let start = Instant::now();
        for _ in 0..TIMES {
            black_box(once());
        }
        start.elapsed() / TIMES
    };
    println!("{what}: {} ns", (0..10).map(round).min().unwrap().as_nanos());
}

#[test]
#[ignore = "a measurement"]
fn one_message_of_each() {
    let reply = dns::parse(REPLY, Dialect::Unicast).unwrap();
    assert_eq!((reply.answers.len(), reply.strangers), (2, 0));
    time("DNS reply, CNAME and two addresses", || dns::parse(black_box(REPLY), Dialect::Unicast));

    let mut config = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("www.example.org").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    assert!(matches!(tls::Hello::new().push(&hello), tls::State::Done(_)));
    time(&format!("ClientHello of {} bytes", hello.len()), || {
        tls::Hello::new().push(black_box(&hello))
    });

    let mut frames = crypto(0, &hello[5..]);
    frames.resize(1162, 0);
    for (version, number) in [(Version::V1, 1), (Version::V2, 2)] {
        let packet = Packet::new(version, 0).seal(&frames);
        assert!(matches!(quic::Initials::new().push(&packet), quic::State::Done(_)));
        time(&format!("Initial of {} bytes, version {number}", packet.len()), || {
            quic::Initials::new().push(black_box(&packet))
        });
    }
}
