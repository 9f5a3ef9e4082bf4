//! ClientHellos of a real client: what a real server reads of them, and 100,000 broken ones.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use std::io::Cursor;
use std::sync::Arc;

use femtosnitch_names::tls::{Found, Hello, MAX_ALPN, MAX_HELLO, State};
use proptest::prelude::*;
use rustls::pki_types::ServerName;
use rustls::server::Acceptor;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use support::{MUTATIONS, mutated, runs};

fn client(host: &str, alpn: &[Vec<u8>], fragment: Option<usize>) -> Vec<u8> {
    let mut config = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = alpn.to_vec();
    config.max_fragment_size = fragment;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// The extension of a hidden hello.
const ECH: &[u8] = b"\xfe\x0d\0\x0a\0\0\x01\0\x01\x07\0\0\0\0";

fn all_at_once(bytes: &[u8]) -> State {
    Hello::new().push(bytes)
}

/// Name and protocols as a server reads them.
fn server(bytes: &[u8]) -> (Option<String>, Vec<Vec<u8>>) {
    let mut acceptor = Acceptor::default();
    let mut bytes = Cursor::new(bytes);
    let accepted = loop {
        acceptor.read_tls(&mut bytes).unwrap();
        if let Some(accepted) = acceptor.accept().map_err(|(error, _)| error).unwrap() {
            break accepted;
        }
    };
    let hello = accepted.client_hello();
    let alpn = hello.alpn().map(|all| all.map(<[u8]>::to_vec).collect()).unwrap_or_default();
    (hello.server_name().map(str::to_lowercase), alpn)
}

/// Puts extensions behind those of a hello of one record.
fn with(hello: &[u8], more: &[u8]) -> Vec<u8> {
    let session = usize::from(hello[43]);
    let ciphers = 44 + session;
    let compressions =
        ciphers + 2 + usize::from(u16::from_be_bytes([hello[ciphers], hello[ciphers + 1]]));
    let extensions = compressions + 1 + usize::from(hello[compressions]);
    let mut longer = hello.to_vec();
    longer.extend(more);
    let grow = |bytes: &mut [u8]| {
        let length = u16::from_be_bytes([bytes[0], bytes[1]]);
        let length = length + u16::try_from(more.len()).unwrap();
        bytes[..2].copy_from_slice(&length.to_be_bytes());
    };
    grow(&mut longer[3..]);
    grow(&mut longer[7..]);
    grow(&mut longer[extensions..]);
    longer
}

/// A hello that names `host`, whatever that is.
fn naming(host: &[u8]) -> Vec<u8> {
    let address = client("192.0.2.1", &[], None);
    let length = |add: usize| u16::try_from(host.len() + add).unwrap().to_be_bytes();
    let name = [&[0, 0][..], &length(5), &length(3), &[0], &length(0), host].concat();
    with(&address, &name)
}

fn found(bytes: &[u8]) -> Found {
    match all_at_once(bytes) {
        State::Done(found) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn name_and_protocols() {
    let bytes = client("WWW.example.org", &[b"h2".to_vec(), b"\x1b[/1".to_vec()], None);
    let found = found(&bytes);
    assert_eq!(found.server_name.unwrap().as_str(), "www.example.org");
    assert_eq!(found.alpn, ["h2", "\\027\\091/1"]);
    assert!(!found.ech && !found.bad_name);
}

#[test]
fn an_address_is_no_name() {
    assert_eq!(found(&client("192.0.2.1", &[], None)), Found::default());
    for bad in [&b"192.0.2.1"[..], b"a.example.", b"", b"\x1b[2J", b"::1", b"a b", &[b'a'; 300]] {
        let found = found(&naming(bad));
        assert!(found.bad_name && found.server_name.is_none(), "{bad:?}");
    }
    assert_eq!(found(&naming(b"a.example")).server_name.unwrap().as_str(), "a.example");
}

#[test]
fn a_hidden_hello_is_marked() {
    let found = found(&with(&client("front.example", &[], None), ECH));
    assert!(found.ech);
    assert_eq!(found.server_name.unwrap().as_str(), "front.example");
}

#[test]
fn a_second_name_is_refused() {
    let name = b"\0\0\0\x0a\0\x08\0\0\x05a.net";
    assert_eq!(all_at_once(&with(&client("b.net", &[], None), name)), State::NotTls);
}

#[test]
fn what_is_no_hello() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"SSH-2.0-x",
        b"\x16\x02",
        b"\x15\x03\x01",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x03\x00\x04\x02",
    ] {
        assert_eq!(all_at_once(bytes), State::NotTls, "{bytes:?}");
    }
    assert_eq!(all_at_once(b""), State::More);
    assert_eq!(all_at_once(b"\x16"), State::More);
    // One byte more than the bound.
    assert_eq!(all_at_once(b"\x16\x03\x01\x10\x00\x01\x00\x40\x01"), State::TooLong);
    assert_eq!(all_at_once(b"\x16\x03\x01\x10\x00\x01\x00\x40\x00"), State::More);
    let hello = client("a.example", &[], None);
    let mut reader = Hello::new();
    assert!(matches!(reader.push(&hello), State::Done(_)));
    assert!(matches!(reader.push(b"whatever"), State::Done(_)));
}

#[test]
fn memory_is_bounded_before_the_length_is_known_to_be_too_large() {
    let mut reader = Hello::new();
    // The longest that is allowed, in records of one byte.
    let mut body = vec![1, 0, 0x40, 0];
    body.extend(vec![0; MAX_HELLO - 1]);
    for byte in body {
        assert_eq!(reader.push(&[0x16, 3, 1, 0, 1, byte]), State::More);
    }
    assert_eq!(reader.push(&[0x16, 3, 1, 0, 1, 0]), State::NotTls);
}

#[test]
fn the_beginning_tells_the_name_if_it_has_it() {
    // The client shuffles its extensions; the one that is put behind them is the last.
    let hello = with(&client("begin.example", &[b"h2".to_vec()], None), ECH);
    let mut told = 0;
    for length in 0..hello.len() {
        let mut reader = Hello::new();
        assert_eq!(reader.push(&hello[..length]), State::More);
        if let Some(found) = reader.so_far() {
            assert_eq!(found.server_name.unwrap().as_str(), "begin.example");
            told += 1;
        }
    }
    assert!(told > 0);
}

proptest! {
    #![proptest_config(runs(2_000))]

    #[test]
    fn what_a_server_reads(
        host in "[a-zA-Z0-9]{1,20}(\\.[a-z_]{1,20}){0,4}\\.[a-z]{2,9}",
        alpn in proptest::collection::vec("[a-z0-9/.-]{1,20}", 0..5),
        fragment in proptest::option::of(32..500_usize),
        pieces in proptest::collection::vec(1..200_usize, 1..20),
    ) {
        let alpn: Vec<Vec<u8>> = alpn.into_iter().map(String::into_bytes).collect();
        let bytes = client(&host, &alpn, fragment);
        let mut reader = Hello::new();
        let (mut rest, mut state) = (bytes.as_slice(), State::More);
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            prop_assert_eq!(&state, &State::More);
            let (now, later) = rest.split_at((*piece).min(rest.len()));
            state = reader.push(now);
            rest = later;
        }
        let State::Done(found) = state else { panic!("{state:?}") };
        let (name, protocols) = server(&bytes);
        prop_assert_eq!(found.server_name.map(|name| name.to_string()), name);
        let told: Vec<_> = found.alpn.into_iter().map(String::into_bytes).collect();
        prop_assert_eq!(told, protocols);
        prop_assert!(!found.bad_name && !found.ech);
    }
}

proptest! {
    #![proptest_config(runs(MUTATIONS))]

    #[test]
    fn broken_hellos(
        hello in mutated(hellos()),
        at in any::<proptest::sample::Index>(),
    ) {
        let whole = all_at_once(&hello);
        // Where it is divided makes no difference.
        let (first, second) = hello.split_at(at.index(hello.len() + 1));
        let mut reader = Hello::new();
        reader.push(first);
        drop(reader.so_far());
        prop_assert_eq!(reader.push(second), whole.clone());
        if let State::Done(found) = whole {
            prop_assert!(found.alpn.len() <= MAX_ALPN);
            prop_assert!(found.alpn.iter().all(|text| text.len() <= 4 * 255));
            prop_assert!(found.server_name.is_none_or(|name| name.as_str().len() <= 253));
        }
    }
}

/// A few valid ones: making one costs more than reading it a thousand times.
fn hellos() -> impl Strategy<Value = Vec<u8>> {
    let alpn = [b"h2".to_vec(), b"http/1.1".to_vec()];
    let valid = vec![
        client("www.example.org", &[], None),
        client("a.example", &alpn, None),
        client("many.records.example", &alpn, Some(64)),
        client("192.0.2.1", &alpn, None),
        with(&client("front.example", &[], None), ECH),
    ];
    proptest::sample::select(valid)
}
