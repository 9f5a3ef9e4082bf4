//! What the tests of all parsers share: how messages are broken, and how often.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod seal;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;

/// Broken messages for each parser.
pub(crate) const MUTATIONS: u32 = 100_000;

/// A number of cases; failures are kept beside the test.
pub(crate) fn runs(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

#[derive(Debug, Clone)]
enum Break {
    Flip(Index, u8),
    Set(Index, u8),
    Cut(Index),
    Repeat(Index, Index),
    Remove(Index, Index),
}

fn breaks() -> impl Strategy<Value = Vec<Break>> {
    let at = any::<Index>;
    let extreme = prop_oneof![Just(0), Just(0xff), Just(0xc0), Just(1), any::<u8>()];
    let one = prop_oneof![
        4 => (at(), 0..8_u8).prop_map(|(index, bit)| Break::Flip(index, bit)),
        4 => (at(), extreme).prop_map(|(index, value)| Break::Set(index, value)),
        1 => at().prop_map(Break::Cut),
        2 => (at(), at()).prop_map(|(from, to)| Break::Repeat(from, to)),
        1 => (at(), at()).prop_map(|(from, to)| Break::Remove(from, to)),
    ];
    proptest::collection::vec(one, 1..6)
}

fn apply(bytes: &mut Vec<u8>, how: &Break) {
    if bytes.is_empty() {
        return;
    }
    let range = |a: &Index, b: &Index| {
        let (a, b) = (a.index(bytes.len()), b.index(bytes.len()));
        a.min(b)..a.max(b) + 1
    };
    match how {
        Break::Flip(at, bit) => {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        Break::Set(at, value) => {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        Break::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Break::Repeat(a, b) => {
            let range = range(a, b);
            let copy = bytes[range.clone()].to_vec();
            bytes.splice(range.end..range.end, copy);
        }
        Break::Remove(a, b) => drop(bytes.drain(range(a, b))),
    }
}

/// Valid messages, each broken in one to five places.
pub(crate) fn mutated(valid: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (valid, breaks()).prop_map(|(mut bytes, breaks)| {
        for how in &breaks {
            apply(&mut bytes, how);
        }
        bytes
    })
}
