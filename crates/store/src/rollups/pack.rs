//! Columns of numbers in few bytes, and quickly read: how many bytes each has (four bits), then
//! those bytes. Columns of one and the same number are that number once.

/// Bytes that are no packed column: the database is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rollup is not what was written")]
pub(crate) struct BadPack;

/// Appends `values`, of which there are at most 65,535.
pub(super) fn column(out: &mut Vec<u8>, values: &[u64]) {
    let first = values.first().copied().unwrap_or(0);
    let same = values.iter().all(|value| *value == first);
    let start = out.len();
    out.extend([0; 4]);
    if same {
        let bytes = first.to_le_bytes();
        out.extend(bytes.iter().take(length(first)));
    } else {
        for pair in values.chunks(2) {
            let nibble = |at: usize| pair.get(at).map_or(0, |value| length(*value));
            out.push(u8::try_from(nibble(0) | nibble(1) << 4).unwrap_or(0));
        }
        for value in values {
            out.extend(value.to_le_bytes().iter().take(length(*value)));
        }
    }
    let size = u32::try_from(out.len() - start - 4).unwrap_or(0);
    // The highest bit tells whether it is one number.
    let head = (size | u32::from(same) << 31).to_le_bytes();
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&head);
    }
}

fn length(value: u64) -> usize {
    (8 - value.leading_zeros() as usize / 8).min(8)
}

/// Reads packed columns one after the other.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Unpack<'a>(pub(super) &'a [u8]);

impl<'a> Unpack<'a> {
    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], BadPack> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BadPack)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn number(&mut self) -> Result<usize, BadPack> {
        let bytes = self.take(4)?.try_into().map_err(|_| BadPack)?;
        usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| BadPack)
    }

    /// Fills `into` with the next column.
    pub(super) fn column(&mut self, into: &mut [u64]) -> Result<(), BadPack> {
        let head = self.number()?;
        let (size, same) = (head & 0x7FFF_FFFF, head >> 31 == 1);
        let bytes = self.take(size)?;
        if same {
            let value = partial(bytes).ok_or(BadPack)?;
            into.fill(value);
            return Ok(());
        }
        let (lengths, mut data) = bytes.split_at_checked(into.len().div_ceil(2)).ok_or(BadPack)?;
        for (pair, nibbles) in into.chunks_mut(2).zip(lengths) {
            for (value, length) in pair.iter_mut().zip([nibbles & 15, nibbles >> 4]) {
                let length = usize::from(length);
                *value = match data.first_chunk::<8>() {
                    Some(eight) if length < 8 => {
                        u64::from_le_bytes(*eight) & ((1 << (8 * length)) - 1)
                    }
                    _ => data.get(..length).and_then(partial).ok_or(BadPack)?,
                };
                data = data.get(length..).ok_or(BadPack)?;
            }
        }
        if data.is_empty() { Ok(()) } else { Err(BadPack) }
    }

    /// Leaves out the next `count` columns.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), BadPack> {
        for _ in 0..count {
            let size = self.number()? & 0x7FFF_FFFF;
            self.take(size)?;
        }
        Ok(())
    }
}

fn partial(bytes: &[u8]) -> Option<u64> {
    let mut eight = [0; 8];
    eight.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(eight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn columns_come_out_as_they_went_in(
            one in prop::collection::vec(any::<u64>(), 1..20),
            shift in 0..64_u32,
        ) {
            let two: Vec<u64> = one.iter().map(|value| value >> shift).collect();
            let mut bytes = Vec::new();
            column(&mut bytes, &one);
            column(&mut bytes, &two);
            column(&mut bytes, &vec![7; one.len()]);
            let mut unpack = Unpack(&bytes);
            let mut found = vec![0; one.len()];
            unpack.column(&mut found).unwrap();
            prop_assert_eq!(&found, &one);
            let before = unpack;
            unpack.column(&mut found).unwrap();
            prop_assert_eq!(&found, &two);
            unpack.column(&mut found).unwrap();
            prop_assert_eq!(&found, &vec![7; one.len()]);
            prop_assert!(unpack.0.is_empty());
            unpack = before;
            unpack.skip(2).unwrap();
            prop_assert!(unpack.0.is_empty());
        }

        #[test]
        fn damage_is_told_or_harmless(bytes in prop::collection::vec(any::<u8>(), 0..60), rows in 1..9_usize) {
            let mut into = vec![0; rows];
            let mut unpack = Unpack(&bytes);
            while unpack.column(&mut into).is_ok() && !unpack.0.is_empty() {}
        }
    }
}
