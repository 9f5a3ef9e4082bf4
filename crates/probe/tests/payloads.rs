//! What the kernel side copies for the sake of names. Needs root.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod common;

use std::io::{IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};

use femtosnitch_model::{NameEvent, Payload, PayloadKind};
use femtosnitch_probe::Probe;

use common::OPTIONS;

/// Nobody else's: other programs of this machine resolve names too.
fn mine(probe: &mut Probe) -> Vec<Payload> {
    probe.events(&mut |_| ()).unwrap();
    let me = std::process::id();
    let of_payload = |event| match event {
        NameEvent::Payload(payload) if payload.owner.tgid == me => Some(payload),
        _ => None,
    };
    probe.take_names().into_iter().filter_map(of_payload).collect()
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn hello(len: u16) -> Vec<u8> {
    let mut bytes = vec![22, 3, 1];
    bytes.extend(len.to_be_bytes());
    bytes.push(1);
    bytes.resize(usize::from(len) + 5, 7);
    bytes
}

/// One test, since what this process does is told apart by nothing but its pid.
#[test]
fn bytes_that_may_tell_names_are_copied_and_no_others() {
    let mut probe = Probe::start(OPTIONS, None).expect("needs root");

    // A connection that does not begin with a ClientHello.
    let (mut client, mut server) = pair();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    client.write_all(&hello(100)).unwrap();
    server.read_exact(&mut [0; 10]).unwrap();
    assert!(mine(&mut probe).is_empty());

    // One that does, in several calls of several kinds, and goes on with other things.
    let (mut client, mut server) = pair();
    let whole = hello(2_000);
    client.write_all(&whole[..3]).unwrap();
    client.write_all(&whole[3..500]).unwrap();
    let pieces = [IoSlice::new(&whole[500..900]), IoSlice::new(&whole[900..])];
    assert_eq!(client.write_vectored(&pieces).unwrap(), whole.len() - 500);
    client.write_all(&[0; 5_000]).unwrap();
    server.read_exact(&mut [0; 6_000]).unwrap();
    let payloads = mine(&mut probe);
    let kinds: Vec<_> = payloads.iter().map(|payload| payload.kind).collect();
    assert_eq!(kinds[..4], [PayloadKind::Opening; 4], "{kinds:?}");
    let bytes: Vec<u8> = payloads.iter().flat_map(|payload| payload.bytes.clone()).collect();
    assert_eq!(bytes[..whole.len()], whole);
    assert_eq!(payloads[0].remote.port, client.peer_addr().unwrap().port());
    // The first three bytes did not say how long the hello is.
    assert!(bytes.len() < whole.len() + 4_100, "{}", bytes.len());

    // What a server sends is not looked at.
    server.write_all(&hello(50)).unwrap();
    assert!(mine(&mut probe).is_empty());

    // Replies, by who sends them and not by what they are.
    let names = UdpSocket::bind("127.0.0.1:53").or_else(|_| UdpSocket::bind("127.0.0.1:5355"));
    let names = names.expect("a port where names are told");
    let asking = UdpSocket::bind("127.0.0.1:0").unwrap();
    asking.send_to(b"?", names.local_addr().unwrap()).unwrap();
    names.send_to(&[9; 700], asking.local_addr().unwrap()).unwrap();
    let other = UdpSocket::bind("127.0.0.1:0").unwrap();
    other.send_to(&[8; 600], asking.local_addr().unwrap()).unwrap();
    let mut room = [0; 1_000];
    for _ in 0..2 {
        asking.recv_from(&mut room).unwrap();
    }
    asking.connect(names.local_addr().unwrap()).unwrap();
    names.send_to(&[7; 5_000], asking.local_addr().unwrap()).unwrap();
    assert_eq!(asking.recv(&mut room).unwrap(), 1_000);
    let replies = mine(&mut probe);
    let told: Vec<_> = replies.iter().map(|it| (it.kind, it.bytes.clone())).collect();
    // An address is told only where there is a cgroup hook for it; none was given here.
    assert!(told.iter().all(|(kind, _)| *kind == PayloadKind::Reply), "{told:?}");
    assert!(told.contains(&(PayloadKind::Reply, vec![7; 1_000])), "{told:?}");
    assert!(!told.iter().any(|(_, bytes)| bytes.contains(&8)), "{told:?}");

    // Datagrams that may be QUIC's, the first few of them.
    let quic = UdpSocket::bind("127.0.0.1:0").unwrap();
    quic.connect(other.local_addr().unwrap()).unwrap();
    for first in [0x40, 0xc3, 0xc3, 0xc3, 0xc3, 0xc3] {
        quic.send(&[first; 1_200]).unwrap();
    }
    let flight = mine(&mut probe);
    assert_eq!(flight.len(), 3, "{flight:?}");
    assert!(flight.iter().all(|it| it.kind == PayloadKind::Datagram && it.bytes == [0xc3; 1_200]));

    let health = probe.health();
    let value = |name| health.counts.iter().find(|count| count.name == name).unwrap().value;
    assert!(value("payloads_copied") >= 9);
    assert_eq!(value("payloads_lost"), 0);
}
