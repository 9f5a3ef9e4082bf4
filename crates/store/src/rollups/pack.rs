//! Columns of numbers in few bytes, and quickly read: 64 numbers at a time have as many bits each as
//! the largest of them needs. Columns of one and the same number are that number once.

mod unpack;

/// Bytes that are no packed column: the database is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rollup is not what was written")]
pub(crate) struct BadPack;

/// Numbers that are as wide as each other.
const GROUP: usize = 64;
/// Bytes of the widest group, and those that are read with its last number.
const ROOM: usize = 8 * GROUP + 8;
/// The two highest bits of a column's head: it is one number; its numbers are in bits. Those that
/// have neither were written by schema 5: how many bytes each number has (four bits), then those.
const SAME: u32 = 1 << 31;
const BITS: u32 = 1 << 30;

/// Appends `values`, of which there are at most 65,535.
pub(super) fn column(out: &mut Vec<u8>, values: &[u64]) {
    let first = values.first().copied().unwrap_or(0);
    let same = values.iter().all(|value| *value == first);
    let start = out.len();
    out.extend([0; 4]);
    if same {
        let bytes = first.to_le_bytes();
        out.extend(bytes.iter().take(8 - first.leading_zeros() as usize / 8));
    } else {
        values.chunks(GROUP).for_each(|group| bits(out, group));
    }
    let size = u32::try_from(out.len() - start - 4).unwrap_or(0);
    let head = (size | if same { SAME } else { BITS }).to_le_bytes();
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&head);
    }
}

/// Appends the width of some numbers and then their bits, the lowest first.
fn bits(out: &mut Vec<u8>, group: &[u64]) {
    let width = u64::BITS - group.iter().fold(0, |all, value| all | value).leading_zeros();
    out.push(u8::try_from(width).unwrap_or(0));
    let (mut waiting, mut count) = (0_u128, 0);
    for value in group {
        waiting |= u128::from(*value) << count;
        count += width;
        if count >= u64::BITS {
            let low = u64::try_from(waiting & u128::from(u64::MAX)).unwrap_or(0);
            out.extend(low.to_le_bytes());
            waiting >>= u64::BITS;
            count -= u64::BITS;
        }
    }
    let rest = usize::try_from(count.div_ceil(8)).unwrap_or(0);
    out.extend(waiting.to_le_bytes().iter().take(rest));
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
        usize::try_from(self.head()?).map_err(|_| BadPack)
    }

    fn head(&mut self) -> Result<u32, BadPack> {
        let bytes = self.take(4)?.try_into().map_err(|_| BadPack)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// The next column: its kind, and its bytes.
    fn packed(&mut self) -> Result<(u32, &'a [u8]), BadPack> {
        let head = self.head()?;
        let kind = head & (SAME | BITS);
        let size = usize::try_from(head ^ kind).map_err(|_| BadPack)?;
        Ok((kind, self.take(size)?))
    }

    /// Fills `into` with the next column.
    pub(super) fn column(&mut self, into: &mut [u64]) -> Result<(), BadPack> {
        let (kind, bytes) = self.packed()?;
        match kind {
            SAME => {
                into.fill(partial(bytes).ok_or(BadPack)?);
                Ok(())
            }
            BITS => {
                let mut rest = Unpack(bytes);
                let mut room = [0; ROOM];
                into.chunks_mut(GROUP).try_for_each(|group| rest.group(group, &mut room))?;
                if rest.0.is_empty() { Ok(()) } else { Err(BadPack) }
            }
            0 => by_length(bytes, into),
            _ => Err(BadPack),
        }
    }

    /// Fills `into` with the next numbers of one width.
    fn group(&mut self, into: &mut [u64], room: &mut [u8; ROOM]) -> Result<(), BadPack> {
        let (width, _) = self.take(1)?.split_first().ok_or(BadPack)?;
        let width = usize::from(*width);
        if let Ok(whole) = into.try_into()
            && let Some(bytes) = self.0.get(..width * (GROUP / 8))
            && unpack::whole(width, bytes, whole)
        {
            self.0 = self.0.get(bytes.len()..).unwrap_or_default();
            return Ok(());
        }
        let mask = match width {
            0 => {
                into.fill(0);
                return Ok(());
            }
            64 => u64::MAX,
            1..64 => (1 << width) - 1,
            _ => return Err(BadPack),
        };
        let bytes = self.take((into.len() * width).div_ceil(8))?;
        // What follows in the room, of another group, is masked away.
        room.get_mut(..bytes.len()).ok_or(BadPack)?.copy_from_slice(bytes);
        let number = |bit: usize| {
            let from = bit / 8 % (8 * GROUP);
            match room.get(from..from + 8).and_then(|bytes| bytes.first_chunk()) {
                Some(eight) => u64::from_le_bytes(*eight) >> (bit % 8),
                None => 0,
            }
        };
        if width <= 56 {
            for (at, value) in into.iter_mut().enumerate() {
                *value = number(at * width) & mask;
            }
            return Ok(());
        }
        for (at, value) in into.iter_mut().enumerate() {
            let bit = at * width;
            // The highest bits of a wide one are in the byte after these.
            let ninth = room.get(bit / 8 % (8 * GROUP) + 8).copied().unwrap_or(0);
            *value = (number(bit) | u64::from(ninth) << 1 << (63 - bit % 8)) & mask;
        }
        Ok(())
    }

    /// Leaves out the next `count` columns.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), BadPack> {
        (0..count).try_for_each(|_| self.packed().map(drop))
    }
}

/// A column that schema 5 wrote.
fn by_length(bytes: &[u8], into: &mut [u64]) -> Result<(), BadPack> {
    let (lengths, mut data) = bytes.split_at_checked(into.len().div_ceil(2)).ok_or(BadPack)?;
    for (pair, nibbles) in into.chunks_mut(2).zip(lengths) {
        for (value, length) in pair.iter_mut().zip([nibbles & 15, nibbles >> 4]) {
            let (bytes, rest) = data.split_at_checked(length.into()).ok_or(BadPack)?;
            *value = partial(bytes).ok_or(BadPack)?;
            data = rest;
        }
    }
    if data.is_empty() { Ok(()) } else { Err(BadPack) }
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
            one in prop::collection::vec(any::<u64>(), 1..200),
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
        fn columns_of_schema_5_are_read(values in prop::collection::vec(any::<u64>(), 2..20), shift in 0..64_u32) {
            let values: Vec<u64> = values.iter().map(|value| value >> shift).collect();
            let length = |value: &u64| 8 - value.leading_zeros() as usize / 8;
            let mut bytes = Vec::new();
            for pair in values.chunks(2) {
                let nibble = |at: usize| pair.get(at).map_or(0, length);
                bytes.push(u8::try_from(nibble(0) | nibble(1) << 4).unwrap());
            }
            for value in &values {
                bytes.extend(&value.to_le_bytes()[..length(value)]);
            }
            let mut column = u32::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
            column.append(&mut bytes);
            let (mut unpack, mut found) = (Unpack(&column), vec![0; values.len()]);
            unpack.column(&mut found).unwrap();
            prop_assert_eq!(found, values);
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
