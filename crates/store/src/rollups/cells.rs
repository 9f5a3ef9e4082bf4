//! The cells of a cube in a blob: chunks of packed columns, sorted by the cell's two numbers.

use super::pack;
use super::pack::BadPack;
use super::pack::Unpack;
use crate::group::Sums;
use crate::group::wire;

/// Cells of a full chunk.
const CHUNK: usize = 1024;
/// Columns of sums.
const SUMS: usize = 9;

/// A number that is small if `value` is near `from`, in either direction; 0 for none.
fn beyond(value: Option<u64>, from: u64) -> u64 {
    value.map_or(0, |value| {
        let more = value.wrapping_sub(from).cast_signed();
        ((more << 1) ^ (more >> 63)).cast_unsigned().wrapping_add(1)
    })
}

/// A number that has to fit in 63 bits, as all that the table of rows can hold.
fn capped(value: u64) -> u64 {
    value.min(i64::MAX.cast_unsigned())
}

fn columns(sums: &Sums) -> [u64; SUMS] {
    let (send, recv) = (capped(sums.send), capped(sums.recv));
    [
        send,
        recv,
        beyond(sums.wire_send.map(capped), send),
        beyond(sums.wire_recv.map(capped), recv),
        sums.events,
        sums.connections,
        sums.failed,
        sums.retrans,
        sums.rtt_us.map_or(0, |rtt| capped(rtt) + 1),
    ]
}

/// Packs cells, which have to be sorted and different.
pub(super) fn pack(cells: impl Iterator<Item = ([u64; 2], Sums)>) -> Vec<u8> {
    let mut packer = Packer::default();
    cells.for_each(|(cell, sums)| packer.push(cell, &sums));
    packer.finish()
}

#[derive(Default)]
struct Packer {
    out: Vec<u8>,
    before: [u64; 2],
    cells: [Vec<u64>; 2],
    sums: [Vec<u64>; SUMS],
}

impl Packer {
    fn push(&mut self, cell: [u64; 2], sums: &Sums) {
        let [first, second] = cell;
        let [before, before_second] = self.before;
        let step = first.wrapping_sub(before);
        // Within the same first number the second only grows.
        let second = if step == 0 && !self.cells[0].is_empty() {
            second.wrapping_sub(before_second)
        } else {
            second
        };
        self.cells.iter_mut().zip([step, second]).for_each(|(column, value)| column.push(value));
        self.sums.iter_mut().zip(columns(sums)).for_each(|(column, value)| column.push(value));
        self.before = cell;
        if self.cells[0].len() == CHUNK {
            self.chunk();
        }
    }

    fn chunk(&mut self) {
        let count = u32::try_from(self.cells[0].len()).unwrap_or(0);
        if count == 0 {
            return;
        }
        self.out.extend(count.to_le_bytes());
        for column in self.cells.iter_mut().chain(&mut self.sums) {
            pack::column(&mut self.out, column);
            column.clear();
        }
        self.before = [0; 2];
    }

    fn finish(mut self) -> Vec<u8> {
        self.chunk();
        self.out
    }
}

/// Adds sorted cells to packed ones.
pub(super) fn merge(stored: &[u8], added: &[([u64; 2], Sums)]) -> Result<Vec<u8>, BadPack> {
    let mut packer = Packer::default();
    let mut added = added.iter().peekable();
    let mut cells = Cells::new(stored);
    let mut chunk = Chunk::default();
    while cells.next(&mut chunk)? {
        chunk.read_sums()?;
        for at in 0..chunk.len() {
            let cell = chunk.cell(at);
            while let Some((earlier, sums)) = added.next_if(|(other, _)| *other < cell) {
                packer.push(*earlier, sums);
            }
            let mut sums = chunk.sums(at);
            if let Some((_, more)) = added.next_if(|(other, _)| *other == cell) {
                sums.add(*more);
            }
            packer.push(cell, &sums);
        }
    }
    added.for_each(|(cell, sums)| packer.push(*cell, sums));
    Ok(packer.finish())
}

/// The same cells, packed anew, each under the numbers that `becomes` gives it, by which they are in
/// order as well.
pub(super) fn repack(
    stored: &[u8],
    becomes: impl Fn([u64; 2]) -> [u64; 2],
) -> Result<Vec<u8>, BadPack> {
    let mut packer = Packer::default();
    let (mut cells, mut chunk) = (Cells::new(stored), Chunk::default());
    while cells.next(&mut chunk)? {
        chunk.read_sums()?;
        (0..chunk.len()).for_each(|at| packer.push(becomes(chunk.cell(at)), &chunk.sums(at)));
    }
    Ok(packer.finish())
}

/// One of several, which may have cells in common.
pub(super) fn merge_all(parts: &[Vec<u8>]) -> Result<Vec<u8>, BadPack> {
    let mut heads = Vec::with_capacity(parts.len());
    for part in parts {
        heads.extend(Head::of(part)?);
    }
    let mut packer = Packer::default();
    while let Some(cell) = heads.iter().map(|head| head.cell).min() {
        let mut sums = Sums::default();
        let mut at = 0;
        while let Some(head) = heads.get_mut(at) {
            if head.cell == cell {
                sums.add(head.chunk.sums(head.at));
                if !head.step()? {
                    heads.swap_remove(at);
                    continue;
                }
            }
            at += 1;
        }
        packer.push(cell, &sums);
    }
    Ok(packer.finish())
}

/// The first cell of a part that is not merged yet.
struct Head<'a> {
    cell: [u64; 2],
    at: usize,
    chunk: Chunk<'a>,
    rest: Cells<'a>,
}

impl<'a> Head<'a> {
    /// `None` if the part is empty.
    fn of(part: &'a [u8]) -> Result<Option<Self>, BadPack> {
        let mut head =
            Self { cell: [0; 2], at: 0, chunk: Chunk::default(), rest: Cells::new(part) };
        Ok(head.chunk()?.then_some(head))
    }

    /// Goes to the next cell; false if there is none.
    fn step(&mut self) -> Result<bool, BadPack> {
        self.at += 1;
        if self.at < self.chunk.len() {
            self.cell = self.chunk.cell(self.at);
            return Ok(true);
        }
        self.chunk()
    }

    fn chunk(&mut self) -> Result<bool, BadPack> {
        while self.rest.next(&mut self.chunk)? {
            if self.chunk.len() > 0 {
                self.chunk.read_sums()?;
                (self.at, self.cell) = (0, self.chunk.cell(0));
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Packed cells, chunk by chunk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cells<'a> {
    rest: Unpack<'a>,
}

impl<'a> Cells<'a> {
    /// Those of a stored sum.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: Unpack(bytes) }
    }

    /// Reads which cells the next chunk has; false if there is none.
    pub(crate) fn next(&mut self, chunk: &mut Chunk<'a>) -> Result<bool, BadPack> {
        if self.rest.0.is_empty() {
            return Ok(false);
        }
        let count = self.rest.number()?;
        if count > CHUNK {
            return Err(BadPack);
        }
        let mut before = [0; 2];
        let [first, second] = &mut chunk.cells;
        first.resize(count, 0);
        second.resize(count, 0);
        self.rest.column(first)?;
        self.rest.column(second)?;
        for (at, (one, two)) in first.iter_mut().zip(second).enumerate() {
            if *one == 0 && at > 0 {
                *two = two.wrapping_add(before[1]);
            }
            *one = one.wrapping_add(before[0]);
            before = [*one, *two];
        }
        chunk.packed = self.rest;
        self.rest.skip(SUMS)?;
        Ok(true)
    }
}

/// Some cells, and their sums once these are asked for.
#[derive(Debug, Default)]
pub(crate) struct Chunk<'a> {
    cells: [Vec<u64>; 2],
    packed: Unpack<'a>,
    sums: [Vec<u64>; SUMS],
}

impl Chunk<'_> {
    pub(crate) fn len(&self) -> usize {
        self.cells[0].len()
    }

    /// The two numbers of each cell.
    pub(crate) fn columns(&self) -> (&[u64], &[u64]) {
        (&self.cells[0], &self.cells[1])
    }

    pub(crate) fn cell(&self, at: usize) -> [u64; 2] {
        let number = |column: &[u64]| column.get(at).copied().unwrap_or(0);
        [number(&self.cells[0]), number(&self.cells[1])]
    }

    /// Has to be called before [`Chunk::sums`].
    pub(crate) fn read_sums(&mut self) -> Result<(), BadPack> {
        let count = self.len();
        let mut packed = self.packed;
        for column in &mut self.sums {
            column.resize(count, 0);
            packed.column(column)?;
        }
        Ok(())
    }

    /// Fills `into` with one column of sums, by its place in [`columns`].
    pub(crate) fn read_column(&self, column: usize, into: &mut Vec<u64>) -> Result<(), BadPack> {
        let mut packed = self.packed;
        packed.skip(column)?;
        into.resize(self.len(), 0);
        packed.column(into)
    }

    pub(crate) fn sums(&self, at: usize) -> Sums {
        let [send, recv, wire_send, wire_recv, events, connections, failed, retrans, rtt] =
            self.sums.each_ref().map(|column| column.get(at).copied().unwrap_or(0));
        Sums {
            send,
            recv,
            wire_send: wire(wire_send, send),
            wire_recv: wire(wire_recv, recv),
            events,
            connections,
            failed,
            retrans,
            rtt_us: rtt.checked_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    prop_compose! {
        fn sums()(
            (send, recv) in (0..1_u64 << 63, prop_oneof![Just(0), 0..100_u64]),
            wire in prop::option::of(0..1_u64 << 63),
            near in prop::option::of(0..200_u64),
            (events, connections, failed, retrans) in (0..9_u64, 0..3_u64, 0..2_u64, Just(0)),
            rtt_us in prop::option::of(0..u64::from(u32::MAX)),
        ) -> Sums {
            Sums { send, recv, wire_send: wire, wire_recv: near, events, connections, failed,
                   retrans, rtt_us }
        }
    }

    fn all(bytes: &[u8]) -> BTreeMap<[u64; 2], Sums> {
        let mut found = BTreeMap::new();
        let (mut cells, mut chunk) = (Cells::new(bytes), Chunk::default());
        while cells.next(&mut chunk).unwrap() {
            chunk.read_sums().unwrap();
            for at in 0..chunk.len() {
                assert!(found.insert(chunk.cell(at), chunk.sums(at)).is_none());
            }
        }
        found
    }

    proptest! {
        #[test]
        fn cells_are_kept_and_added(
            one in prop::collection::btree_map([0..40_u64, 0..90_u64], sums(), 0..2500),
            two in prop::collection::btree_map([0..40_u64, 0..90_u64], sums(), 0..60),
        ) {
            let packed = pack(one.clone().into_iter());
            prop_assert_eq!(&all(&packed), &one);
            let added: Vec<_> = two.clone().into_iter().collect();
            let merged = all(&merge(&packed, &added).unwrap());
            let mut expected = one;
            for (cell, sums) in two {
                let sum = expected.entry(cell).or_default();
                sum.add(sums);
                for value in [&mut sum.send, &mut sum.recv] {
                    *value = capped(*value);
                }
                for value in [&mut sum.wire_send, &mut sum.wire_recv] {
                    *value = value.map(capped);
                }
            }
            prop_assert_eq!(merged, expected);
        }

        #[test]
        fn damage_is_told_or_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let (mut cells, mut chunk) = (Cells::new(&bytes), Chunk::default());
            while cells.next(&mut chunk) == Ok(true) && chunk.read_sums().is_ok() {}
        }
    }
}
