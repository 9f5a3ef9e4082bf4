//! Damaged and invented files: an error or an answer, in bounded time, never a panic.

use std::net::IpAddr;
use std::path::Path;

use femtosnitch_geo::Database;
use femtosnitch_geo::Error;
use proptest::prelude::*;

use crate::fixture::flat;
use crate::mmdb::Value;
use crate::mmdb::Writer;
use crate::mmdb::map;
use crate::mmdb::text;

/// Opens, and if that works asks; true if it worked.
fn survives(path: &Path, bytes: &[u8]) -> bool {
    // Not over the old one: some file systems put it on the disk first.
    std::fs::remove_file(path).ok();
    std::fs::write(path, bytes).unwrap();
    match Database::open(path) {
        Ok(database) => {
            for address in ["8.8.8.8", "1.0.4.9", "0.0.0.0", "255.1.1.1", "2a00::1", "::", "ff::1"]
            {
                let address: IpAddr = address.parse().unwrap();
                // What opens answers.
                database.find(address).unwrap();
            }
            true
        }
        Err(Error::Malformed { path: named, why }) => {
            assert_eq!(named, path);
            assert!(!why.is_empty() && !why.chars().any(char::is_control), "{why:?}");
            false
        }
        Err(Error::NothingInIt { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Every kind of field.
fn sample(record_size: u16, ip_version: u16) -> Vec<u8> {
    let names = map([("en", text("Sweden")), ("list", Value::List(vec![text("a"), text("en")]))]);
    let country = map([("names", names), ("iso_code", text("SE"))]);
    let system = map([
        ("asn", text("AS13335")),
        ("as_name", text("An organisation whose name takes two bytes of length")),
        ("country", country.clone()),
    ]);
    let writer = Writer::new(record_size, ip_version)
        .with("8.0.0.0/8", flat("US"))
        .with("8.8.8.0/24", map([("country", country)]))
        .with("1.0.4.0/24", system);
    if ip_version == 6 { writer.with("2a00::/12", flat("FR")).bytes() } else { writer.bytes() }
}

#[test]
fn ten_thousand_flips_and_cuts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.mmdb");
    // A generator of our own: the same mutations in each run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % most as u64).unwrap()
    };
    let (mut good, mut bad) = (0, 0);
    for (record_size, ip_version) in [(24, 4), (28, 4), (32, 4), (24, 6), (28, 6)] {
        let sound = sample(record_size, ip_version);
        assert!(survives(&path, &sound));
        for _ in 0..2_400 {
            let mut bytes = sound.clone();
            match below(4) {
                0 => {
                    let at = below(bytes.len());
                    bytes[at] ^= 1 << below(8);
                }
                1 => {
                    for _ in 0..1 + below(8) {
                        let at = below(bytes.len());
                        bytes[at] = u8::try_from(below(256)).unwrap();
                    }
                }
                2 => bytes.truncate(below(bytes.len())),
                _ => {
                    let at = below(bytes.len());
                    let end = (at + 1 + below(64)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
            if survives(&path, &bytes) { good += 1 } else { bad += 1 }
        }
    }
    // Both sides of the reader were reached.
    assert_eq!(good + bad, 12_000);
    assert!(good > 500 && bad > 4_000, "{good} good, {bad} bad");
}

#[test]
fn every_prefix_of_a_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.mmdb");
    let sound = sample(28, 4);
    for length in 0..sound.len() {
        assert!(!survives(&path, &sound[..length]), "{length} of {} bytes", sound.len());
    }
}

/// A file of these nodes (24 bits) and this data, with metadata that fits.
fn raw(nodes: &[[u32; 2]], data: &[u8]) -> Vec<u8> {
    let mut like = Writer::new(24, 6).with("8.0.0.0/8", flat("US")).bytes();
    let marker = like.windows(4).rposition(|four| four == b"\xab\xcd\xefM").unwrap();
    let mut metadata = like.split_off(marker);
    let key = metadata.windows(10).position(|ten| ten == b"node_count").unwrap() + 10;
    // The count as four bytes of an unsigned number.
    let count = u32::try_from(nodes.len()).unwrap().to_be_bytes();
    let old = usize::from(metadata[key] & 0x1f);
    metadata.splice(key..=key + old, [&[6 << 5 | 4], &count[..]].concat());
    let children = nodes.iter().flatten().flat_map(|child| child.to_be_bytes()[1..].to_vec());
    let mut out: Vec<u8> = children.collect();
    out.extend([0; 16]);
    out.extend(data);
    out.extend(metadata);
    out
}

#[test]
fn trees_that_are_none_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.mmdb");
    let record = b"\xe1\x4ccountry_code\x42DE";
    // Sound, so that the others fail for their trees.
    assert!(survives(&path, &raw(&[[1 + 16, 1]], record)));
    // A ring.
    assert!(!survives(&path, &raw(&[[0, 0]], record)));
    assert!(!survives(&path, &raw(&[[1, 2 + 16], [0, 0]], record)));
    // A ladder: 2^120 ways to nothing, or to a record.
    let ladder = |end| -> Vec<[u32; 2]> {
        (1..=120).map(|next| if next == 120 { [end; 2] } else { [next; 2] }).collect()
    };
    assert!(!survives(&path, &raw(&ladder(120), record)));
    assert!(!survives(&path, &raw(&ladder(120 + 16), record)));
    // Into the separator, and past the end.
    assert!(!survives(&path, &raw(&[[1 + 15, 1]], record)));
    assert!(!survives(&path, &raw(&[[0x00ff_ffff, 1]], record)));
    // Data that nests without end: each map's only value is the map itself.
    assert!(!survives(&path, &raw(&[[1 + 16, 1]], b"\xe1\x47country\x20\x00")));
    let maps = [&b"\xe1\x41a".repeat(5_000)[..], b"\xe0"].concat();
    survives(&path, &raw(&[[1 + 16, 1]], &maps));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn invented_trees_and_data(
        nodes in prop::collection::vec(prop::array::uniform2(0_u32..80), 1..40),
        data in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let directory = tempfile::tempdir().unwrap();
        survives(&directory.path().join("x.mmdb"), &raw(&nodes, &data));
    }
}
