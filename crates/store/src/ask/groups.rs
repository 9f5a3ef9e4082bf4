//! Adding up by group, in bounded memory.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::hash::Hasher;

use crate::group::Sums;

use super::axis::Axis;
use super::batch::Batch;
use super::batch::Column;
use super::batch::SumColumns;
use super::plan::Need;
use super::run::Sink;
use super::run::Stop;
use super::seen::Lookups;
use super::table::Table;

/// Groups that are kept at a time (some 35 MB). If there are more, they are read in parts.
pub(super) const MOST: usize = 250_000;
/// Values below this need no hash (4 MB at most).
const DIRECT: usize = 1 << 20;
/// Values that fit in a key; those before are folded into one.
const WIDE: usize = 4;

/// Mixes the bits of numbers that are handed out in turn.
#[derive(Default)]
pub(super) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_le_bytes(eight));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // Multiplication by an odd number near 2^64 divided by the golden ratio spreads the bits
        // upwards, the shift brings them down again.
        let mixed = (self.0.rotate_left(26) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }

    fn write_u128(&mut self, value: u128) {
        let [low, high] = halves(value);
        self.write_u64(low);
        self.write_u64(high);
    }
}

fn halves(value: u128) -> [u64; 2] {
    let bytes = value.to_le_bytes();
    let half = |from: usize| {
        let eight = bytes.get(from..from + 8).and_then(|half| half.try_into().ok());
        eight.map_or(0, u64::from_le_bytes)
    };
    [half(0), half(8)]
}

type Places = HashMap<u128, u32, BuildHasherDefault<Mix>>;

/// There are more groups than fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crowded;

/// One part of several, by what the hash of the key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) at: u64,
    pub(super) of: u64,
}

impl Part {
    pub(super) const ALL: Self = Self { at: 0, of: 1 };

    fn has(self, key: u128) -> bool {
        if self.of == 1 {
            return true;
        }
        let mut mix = Mix::default();
        mix.write_u128(key);
        // Other bits than those that the table uses.
        (mix.finish() >> 20) % self.of == self.at
    }
}

/// Sums by the values of some axes.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) axes: Vec<Axis>,
    part: Part,
    places: Places,
    /// Of one axis: by its value, one more than the place.
    direct: Vec<u32>,
    keys: Vec<u128>,
    sums: Table,
    /// Of more than [`WIDE`] axes: the first values, as one.
    folds: Places,
    folded: Vec<u128>,
    scratch: Scratch,
}

/// Memory that is used again for each batch.
#[derive(Debug, Default)]
struct Scratch {
    /// By axis.
    values: Vec<Vec<u32>>,
    keys: Vec<u128>,
    rows: Vec<u32>,
    places: Vec<u32>,
}

impl Groups {
    pub(crate) fn new(axes: Vec<Axis>) -> Self {
        Self {
            axes,
            part: Part::ALL,
            places: Places::default(),
            direct: Vec::new(),
            keys: Vec::new(),
            sums: Table::default(),
            folds: Places::default(),
            folded: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Begins anew, with one part.
    pub(super) fn restart(&mut self, part: Part) {
        self.part = part;
        self.places.clear();
        self.direct.clear();
        self.keys.clear();
        self.sums.clear();
        self.folds.clear();
        self.folded.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys of groups, in the order of their places.
    pub(crate) fn keys(&self) -> &[u128] {
        &self.keys
    }

    /// What groups are ranked by, as [`Sums::size`].
    pub(crate) fn size(&self, place: usize) -> (u64, u64) {
        self.sums.size(place)
    }

    /// What the group at a place has.
    pub(crate) fn sums(&self, place: usize) -> Sums {
        self.sums.get(place)
    }

    /// The key of values, one an axis.
    pub(crate) fn key(&mut self, values: &[u32]) -> Result<u128, Crowded> {
        let (mut key, mut count) = (0, 0);
        for value in values {
            self.join(&mut key, &mut count, *value)?;
        }
        Ok(key)
    }

    /// The keys of a batch, one for each row that is meant.
    pub(crate) fn keys_of(
        &mut self,
        lookups: &Lookups,
        batch: &Batch,
        keys: &mut Vec<u128>,
    ) -> Result<(), Crowded> {
        let mut columns = std::mem::take(&mut self.scratch.values);
        columns.resize_with(self.axes.len(), Vec::new);
        for (axis, column) in self.axes.iter().zip(&mut columns) {
            lookups.values(axis, batch, column);
        }
        keys.clear();
        let done = match columns.as_slice() {
            [] => {
                keys.resize(batch.rows.len(), 0);
                Ok(())
            }
            [one] => {
                keys.extend(one.iter().map(|value| u128::from(*value)));
                Ok(())
            }
            [one, two] => {
                let both = one.iter().zip(two);
                keys.extend(both.map(|(one, two)| u128::from(*one) << 32 | u128::from(*two)));
                Ok(())
            }
            many => (0..batch.rows.len()).try_for_each(|row| {
                let (mut key, mut count) = (0, 0);
                for column in many {
                    let value = column.get(row).copied().unwrap_or(0);
                    self.join(&mut key, &mut count, value)?;
                }
                keys.push(key);
                Ok(())
            }),
        };
        self.scratch.values = columns;
        done
    }

    fn join(&mut self, key: &mut u128, count: &mut usize, value: u32) -> Result<(), Crowded> {
        if *count == WIDE {
            *key = u128::from(self.fold(*key)?);
            *count = 1;
        }
        *key = *key << 32 | u128::from(value);
        *count += 1;
        Ok(())
    }

    fn fold(&mut self, key: u128) -> Result<u32, Crowded> {
        if let Some(place) = self.folds.get(&key) {
            return Ok(*place);
        }
        if self.folded.len() >= MOST {
            return Err(Crowded);
        }
        let place = u32::try_from(self.folded.len()).map_err(|_| Crowded)?;
        self.folds.insert(key, place);
        self.folded.push(key);
        Ok(place)
    }

    /// The values of a key.
    pub(crate) fn values(&self, key: u128) -> Vec<u32> {
        let (mut key, mut left) = (key, self.axes.len());
        let mut values = Vec::with_capacity(left);
        // As `key` did it: from the last value to the first.
        let mut in_key = if left <= WIDE { left } else { (left - 2) % (WIDE - 1) + 2 };
        while left > 0 {
            if in_key == 1 && left > 1 {
                let place = usize::try_from(key & 0xFFFF_FFFF).unwrap_or(usize::MAX);
                key = self.folded.get(place).copied().unwrap_or(0);
                in_key = WIDE;
            }
            values.push(u32::try_from(key & 0xFFFF_FFFF).unwrap_or(0));
            key >>= 32;
            in_key -= 1;
            left -= 1;
        }
        values.reverse();
        values
    }

    /// The group of a key, if it has one.
    pub(crate) fn place(&self, key: u128) -> Option<u32> {
        match self.slot(key) {
            Some(slot) => self.direct.get(slot).and_then(|place| place.checked_sub(1)),
            None => self.places.get(&key).copied(),
        }
    }

    /// Where to look, if no table of hashes is needed.
    fn slot(&self, key: u128) -> Option<usize> {
        let slot = usize::try_from(key).ok()?;
        (self.axes.len() == 1 && slot < DIRECT).then_some(slot)
    }

    fn note(&mut self, key: u128) -> Result<u32, Crowded> {
        let place = u32::try_from(self.keys.len()).map_err(|_| Crowded)?;
        match self.slot(key) {
            Some(slot) => {
                if slot >= self.direct.len() {
                    self.direct.resize(slot + 1, 0);
                }
                if let Some(direct) = self.direct.get_mut(slot) {
                    *direct = place + 1;
                }
            }
            None => {
                self.places.insert(key, place);
            }
        }
        self.keys.push(key);
        Ok(place)
    }

    /// The group of a key, a new one if it has none yet.
    pub(crate) fn place_for(&mut self, key: u128) -> Result<u32, Crowded> {
        match self.place(key) {
            Some(place) => Ok(place),
            None if self.keys.len() >= MOST => Err(Crowded),
            None => self.note(key),
        }
    }

    fn take(
        &mut self,
        lookups: &Lookups,
        batch: &mut Batch,
        source: &dyn SumColumns,
    ) -> Result<(), Stop> {
        let mut scratch = std::mem::take(&mut self.scratch);
        self.keys_of(lookups, batch, &mut scratch.keys)?;
        scratch.places.clear();
        scratch.rows.clear();
        let mut last = None;
        for (key, row) in scratch.keys.iter().zip(&batch.rows) {
            let place = match last {
                Some((last, place)) if last == *key => place,
                _ if !self.part.has(*key) => continue,
                _ => self.place_for(*key)?,
            };
            last = Some((*key, place));
            scratch.places.push(place);
            scratch.rows.push(*row);
        }
        if !scratch.rows.is_empty() {
            batch.load(source, &Column::ALL)?;
            self.sums.grow(self.keys.len());
            self.sums.add(batch, (&scratch.rows, &scratch.places));
        }
        self.scratch = scratch;
        Ok(())
    }
}

/// Several groupings of the same traffic.
#[derive(Debug)]
pub(crate) struct Groupings(pub(crate) Vec<Groups>);

impl Groupings {
    pub(super) fn restart(&mut self, part: Part) {
        for (at, groups) in self.0.iter_mut().enumerate() {
            groups.restart(if at == 0 { part } else { Part::ALL });
        }
    }
}

impl Sink for Groupings {
    fn need(&self, need: &mut Need) {
        need.all();
        self.0.iter().flat_map(|groups| &groups.axes).for_each(|axis| axis.need(need));
    }

    fn take(
        &mut self,
        lookups: &Lookups,
        batch: &mut Batch,
        source: &dyn SumColumns,
    ) -> Result<(), Stop> {
        let mut all = self.0.iter_mut().enumerate();
        all.try_for_each(|(at, groups)| match groups.take(lookups, batch, source) {
            // Only the first is read in parts.
            Err(Stop::Crowded) if at > 0 => Err(Stop::TooMany),
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_tell_their_values(rows in prop::collection::vec(prop::collection::vec(any::<u32>(), 9), 1..20), width in 0..9_usize) {
            let axes = (0..width).map(|_| Axis::Lport).collect();
            let mut groups = Groups::new(axes);
            let keys: Vec<u128> = rows
                .iter()
                .map(|row| groups.key(&row[..width]).unwrap())
                .collect();
            for (row, key) in rows.iter().zip(keys) {
                prop_assert_eq!(&groups.values(key), &row[..width]);
            }
        }
    }

    #[test]
    fn parts_are_all_and_each_once() {
        for key in 0..1_000_u128 {
            let part = |at| Part { at, of: 5 }.has(key << 32 | 7);
            assert_eq!((0..5).filter(|at| part(*at)).count(), 1);
        }
    }
}
