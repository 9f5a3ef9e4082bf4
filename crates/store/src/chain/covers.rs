//! What a link vouches for, in a blob.

use std::collections::BTreeMap;

use super::items::Digest;

/// What is vouched for of one key: a row as it is, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) now: Option<Digest>,
    /// What was there before was not what had been vouched for.
    pub(super) broken: bool,
}

/// By table and key.
pub(super) type Entries = BTreeMap<(u8, i64), Entry>;

const PRESENT: u128 = 1;
const BROKEN: u128 = 2;

/// It is no blob that [`pack`] made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what a link vouches for cannot be read")]
pub(super) struct BadCovers;

fn varint(out: &mut Vec<u8>, mut number: u128) {
    loop {
        let low = (number & 0x7f).to_le_bytes()[0];
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(code: u64) -> i64 {
    ((code >> 1) ^ (code & 1).wrapping_neg()).cast_signed()
}

/// Each table's code, how many there are, and each: how much its key is more than the one before,
/// with two bits that say what follows.
pub(super) fn pack<'a>(entries: impl Iterator<Item = (&'a (u8, i64), &'a Entry)>) -> Vec<u8> {
    let entries: Vec<_> = entries.collect();
    let mut out = Vec::with_capacity(entries.len() * 18);
    for table in entries.chunk_by(|one, other| one.0.0 == other.0.0) {
        let Some(((code, _), _)) = table.first() else { continue };
        out.push(*code);
        varint(&mut out, table.len() as u128);
        let mut before = 0_i64;
        for ((_, key), entry) in table {
            let flags = if entry.now.is_some() { PRESENT } else { 0 }
                | if entry.broken { BROKEN } else { 0 };
            varint(&mut out, u128::from(zigzag(key.wrapping_sub(before))) << 2 | flags);
            out.extend(entry.now.iter().flatten());
            before = *key;
        }
    }
    out
}

/// Shows `each` entry.
pub(super) fn unpack(
    mut bytes: &[u8],
    mut each: impl FnMut((u8, i64), Entry),
) -> Result<(), BadCovers> {
    while let Some((code, rest)) = bytes.split_first() {
        bytes = rest;
        let count = number(&mut bytes)?;
        let mut key = 0_i64;
        for _ in 0..count {
            let step = number(&mut bytes)?;
            let delta = u64::try_from(step >> 2).map_err(|_| BadCovers)?;
            key = key.wrapping_add(unzigzag(delta));
            let now = if step & PRESENT != 0 {
                let (digest, rest) = bytes.split_first_chunk().ok_or(BadCovers)?;
                bytes = rest;
                Some(*digest)
            } else {
                None
            };
            each((*code, key), Entry { now, broken: step & BROKEN != 0 });
        }
    }
    Ok(())
}

fn number(bytes: &mut &[u8]) -> Result<u128, BadCovers> {
    let mut number = 0_u128;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(BadCovers)?;
        *bytes = rest;
        number |= u128::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(BadCovers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry() -> impl Strategy<Value = Entry> {
        (any::<Option<Digest>>(), any::<bool>()).prop_map(|(now, broken)| Entry { now, broken })
    }

    proptest! {
        #[test]
        fn what_is_packed_is_read(
            entries in prop::collection::btree_map((any::<u8>(), any::<i64>()), entry(), 0..60),
        ) {
            let mut found = Entries::new();
            unpack(&pack(entries.iter()), |key, entry| { found.insert(key, entry); }).unwrap();
            prop_assert_eq!(found, entries);
        }

        #[test]
        fn damage_is_told_or_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _told = unpack(&bytes, |_, _| ());
        }
    }
}
