//! Adding up by group, in bounded memory.

use std::hash::Hash;

use crate::group::Sums;

use super::axis::Axis;
use super::mix::ByNumber;
use super::part::Part;
use super::plan::Need;
use super::rows::Column;
use super::rows::Rows;
use super::rows::SumColumns;
use super::run::Sink;
use super::run::Stop;
use super::seen::Lookups;
use super::table::Table;

/// Groups that are kept at a time (some 35 MB). If there are more, they are read in parts.
pub(super) const MOST: usize = 250_000;
/// As many groups as there can be have a place each (10 MB), so that none has to be looked for.
const DENSE: usize = 1 << 17;
/// Values that fit in a key; those before are folded into one.
const WIDE: usize = 4;
/// No group's place.
const NONE: u32 = u32::MAX;

/// There are more groups than fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crowded;

/// Sums by the values of some axes.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) axes: Vec<Axis>,
    /// Only what groups are ranked by is added up.
    ranks: bool,
    part: Part,
    /// How many values each axis has, if there is a place for all of their combinations.
    dense: Option<Vec<usize>>,
    /// If no others are meant: by such a place, the group's number.
    only: Option<Vec<u32>>,
    /// Else, of up to two axes, and of more.
    narrow: ByNumber<u64>,
    wide: ByNumber<u128>,
    /// In the order of their places.
    keys: Vec<u128>,
    sums: Table,
    /// Of more than [`WIDE`] axes: the first values, as one.
    folds: ByNumber<u128>,
    folded: Vec<u128>,
    scratch: Scratch,
}

/// Memory that is used again for each batch.
#[derive(Debug, Default)]
struct Scratch {
    /// By axis.
    values: Vec<Vec<u32>>,
    narrow: Vec<u64>,
    wide: Vec<u128>,
    rows: Vec<u32>,
    places: Vec<u32>,
}

impl Groups {
    pub(crate) fn new(axes: Vec<Axis>) -> Self {
        let bounds: Option<Vec<usize>> = axes.iter().map(Axis::bound).collect();
        let all =
            |bounds: &Vec<usize>| bounds.iter().try_fold(1, |all: usize, it| all.checked_mul(*it));
        let dense = bounds.filter(|bounds| all(bounds).is_some_and(|all| all <= DENSE));
        Self {
            axes,
            ranks: false,
            part: Part::ALL,
            dense,
            only: None,
            narrow: ByNumber::default(),
            wide: ByNumber::default(),
            keys: Vec::new(),
            sums: Table::default(),
            folds: ByNumber::default(),
            folded: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Adds up nothing but what groups are ranked by.
    pub(crate) fn for_ranks(axes: Vec<Axis>) -> Self {
        Self { ranks: true, ..Self::new(axes) }
    }

    /// Knows these groups, in this order, and no others: those of other rows are [`NONE`].
    pub(crate) fn only(axes: Vec<Axis>, groups: &[Vec<u32>]) -> Result<Self, Crowded> {
        let mut it = Self::new(axes);
        let mut only = vec![NONE; it.fixed().unwrap_or(0)];
        for (values, number) in groups.iter().zip(0..) {
            if let Some(place) = only.get_mut(it.fixed_place(values)) {
                *place = number;
                continue;
            }
            let key = it.key(values)?;
            match u64::try_from(key) {
                Ok(key) if it.axes.len() <= 2 => it.narrow.insert(key, number),
                _ => it.wide.insert(key, number),
            };
        }
        it.only = Some(only);
        Ok(it)
    }

    /// Begins anew, with one part.
    pub(super) fn restart(&mut self, part: Part) {
        self.part = part;
        self.narrow.clear();
        self.wide.clear();
        self.keys.clear();
        self.sums.clear();
        self.folds.clear();
        self.folded.clear();
    }

    /// How many groups there can be, where each has its own place from the beginning.
    pub(crate) fn fixed(&self) -> Option<usize> {
        self.dense.as_ref().map(|bounds| bounds.iter().product())
    }

    /// The place of values then.
    pub(crate) fn fixed_place(&self, values: &[u32]) -> usize {
        let bounds = self.dense.iter().flatten();
        let values = values.iter().map(|value| usize::try_from(*value).unwrap_or(usize::MAX));
        bounds.zip(values).fold(0_usize, |place, (bound, value)| {
            place.saturating_mul(*bound).saturating_add(value)
        })
    }

    /// Nothing more comes: only groups that have something are left.
    pub(crate) fn settle(&mut self) {
        let Some(bounds) = self.dense.clone() else { return };
        let mut found = Vec::new();
        self.sums.settle(|place| found.push(place));
        self.keys.clear();
        for mut place in found {
            let mut values = vec![0; bounds.len()];
            for (value, bound) in values.iter_mut().zip(&bounds).rev() {
                *value = u32::try_from(place % bound).unwrap_or(0);
                place /= bound;
            }
            // Folds of so few have room.
            let key = self.key(&values).unwrap_or(0);
            self.keys.push(key);
        }
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
    fn key(&mut self, values: &[u32]) -> Result<u128, Crowded> {
        let (mut key, mut count) = (0, 0);
        for value in values {
            self.join(&mut key, &mut count, *value)?;
        }
        Ok(key)
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

    /// Which rows of a batch are of this part, and the places of their groups.
    pub(crate) fn placed(&self) -> (&[u32], &[u32]) {
        (&self.scratch.rows, &self.scratch.places)
    }

    /// Finds the places of a batch's rows.
    pub(crate) fn place(&mut self, lookups: &Lookups, batch: &Rows) -> Result<(), Crowded> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let Scratch { values, narrow, wide, rows, places } = &mut scratch;
        values.resize_with(self.axes.len(), Vec::new);
        for (axis, column) in self.axes.iter().zip(&mut *values) {
            lookups.values(axis, batch, column);
        }
        rows.clear();
        places.clear();
        let found = (&batch.rows, rows, places);
        // Of no part: no new ones.
        let part = self.only.is_none().then_some(self.part);
        let done = match (values.as_slice(), &self.dense) {
            (values, Some(bounds)) => {
                let (all, rows, places) = found;
                rows.extend(all);
                places.resize(all.len(), 0);
                for (column, bound) in values.iter().zip(bounds) {
                    let bound = u32::try_from(*bound).unwrap_or(0);
                    let values = places.iter_mut().zip(column);
                    values.for_each(|(place, value)| {
                        *place = place.wrapping_mul(bound).wrapping_add(*value)
                    });
                }
                if let Some(only) = &self.only {
                    for place in places {
                        let number = usize::try_from(*place).ok().and_then(|at| only.get(at));
                        *place = number.copied().unwrap_or(NONE);
                    }
                }
                Ok(())
            }
            ([one], None) => {
                narrow.clear();
                narrow.extend(one.iter().map(|value| u64::from(*value)));
                find(narrow, &mut self.narrow, (part, &mut self.keys), found)
            }
            ([one, two], None) => {
                let both = one.iter().zip(two);
                narrow.clear();
                narrow.extend(both.map(|(one, two)| u64::from(*one) << 32 | u64::from(*two)));
                find(narrow, &mut self.narrow, (part, &mut self.keys), found)
            }
            (many, None) => {
                wide.clear();
                let keys = (0..batch.rows.len()).try_for_each(|row| {
                    let (mut key, mut count) = (0, 0);
                    for column in many {
                        let value = column.get(row).copied().unwrap_or(0);
                        self.join(&mut key, &mut count, value)?;
                    }
                    wide.push(key);
                    Ok(())
                });
                keys.and_then(|()| find(wide, &mut self.wide, (part, &mut self.keys), found))
            }
        };
        self.scratch = scratch;
        done
    }

    /// What it wants to know of each row.
    pub(crate) fn need(&self, need: &mut Need) {
        need.all();
        self.axes.iter().for_each(|axis| axis.need(need));
    }

    /// Takes some rows, as a [`Sink`] does.
    pub(crate) fn take(
        &mut self,
        lookups: &Lookups,
        batch: &mut Rows,
        source: &dyn SumColumns,
    ) -> Result<(), Stop> {
        self.place(lookups, batch)?;
        let (rows, places) = (&self.scratch.rows, &self.scratch.places);
        if !rows.is_empty() {
            self.sums.grow(self.fixed().unwrap_or(self.keys.len()));
            if self.ranks {
                batch.load(source, &Column::RANKS)?;
                self.sums.add_ranks(batch, (rows, places));
            } else {
                batch.load(source, &Column::ALL)?;
                self.sums.add(batch, (rows, places));
            }
        }
        Ok(())
    }
}

/// Finds the places of keys: of a part, new ones for those that have none yet, without those of other
/// parts; else [`NONE`] for these.
fn find<K: Copy + Eq + Hash + Into<u128>>(
    keys: &[K],
    known: &mut ByNumber<K>,
    (part, list): (Option<Part>, &mut Vec<u128>),
    (all, rows, places): (&Vec<u32>, &mut Vec<u32>, &mut Vec<u32>),
) -> Result<(), Crowded> {
    let mut last = None;
    for (key, row) in keys.iter().zip(all) {
        let place = match last {
            Some((last, place)) if last == *key => place,
            _ if part.is_some_and(|part| !part.has((*key).into())) => continue,
            _ => match known.get(key) {
                Some(place) => *place,
                None if part.is_none() => NONE,
                None if list.len() >= MOST => return Err(Crowded),
                None => {
                    let place = u32::try_from(list.len()).map_err(|_| Crowded)?;
                    known.insert(*key, place);
                    list.push((*key).into());
                    place
                }
            },
        };
        last = Some((*key, place));
        places.push(place);
        rows.push(*row);
    }
    Ok(())
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

    pub(super) fn settle(&mut self) {
        self.0.iter_mut().for_each(Groups::settle);
    }
}

impl Sink for Groupings {
    fn need(&self, need: &mut Need) {
        self.0.iter().for_each(|groups| groups.need(need));
    }

    fn take(
        &mut self,
        lookups: &Lookups,
        batch: &mut Rows,
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
            let keys: Vec<u128> =
                rows.iter().map(|row| groups.key(&row[..width]).unwrap()).collect();
            for (row, key) in rows.iter().zip(keys) {
                prop_assert_eq!(&groups.values(key), &row[..width]);
            }
        }
    }
}
