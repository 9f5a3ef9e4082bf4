//! One sum as it should be, against the one that is stored.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::Connection;

use crate::ask::Stop;
use crate::group::Sums;
use crate::rollups;
use crate::rollups::BadPack;
use crate::rollups::Chunk;
use crate::rollups::Cube;
use crate::rollups::Level;

use super::Verdict;
use super::refer::Known;

/// Cells that are kept at a time (some 60 MB). If a day has more, it is looked at in parts.
const MOST: usize = 250_000;

const UNLIKE_PAIRS: &str = "they are not those by program and other end";

/// Cells by what the hash of their numbers is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) at: u64,
    pub(super) of: u64,
}

impl Part {
    fn has(self, [first, second]: [u64; 2]) -> bool {
        if self.of == 1 {
            return true;
        }
        let mixed = (first.rotate_left(32) ^ second).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 32) % self.of == self.at
    }
}

/// What one sum should be.
pub(super) type Cells = HashMap<[u64; 2], Sums>;

/// Cells in the making, all in all not too many.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) part: Part,
    count: usize,
}

impl Room {
    pub(super) fn new(part: Part) -> Self {
        Self { part, count: 0 }
    }

    pub(super) fn add(&mut self, to: &mut Cells, cell: [u64; 2], sums: Sums) -> Result<(), Stop> {
        if !self.part.has(cell) {
            return Ok(());
        }
        match to.entry(cell) {
            Entry::Occupied(mut there) => there.get_mut().add(sums),
            Entry::Vacant(free) => {
                self.count += 1;
                if self.count > MOST {
                    return Err(Stop::Crowded);
                }
                free.insert(sums);
            }
        }
        Ok(())
    }

    /// Forgets cells.
    pub(super) fn clear(&mut self, cells: &mut Cells) {
        self.count = self.count.saturating_sub(cells.len());
        cells.clear();
    }
}

/// How a stored sum differs from what it should be.
#[derive(Debug, Default, Clone)]
pub(super) struct Difference {
    /// There is none at all.
    missing: bool,
    /// It cannot be read.
    damaged: bool,
    /// Cells with other numbers, too few and too many of them.
    wrong: u64,
    /// Cells that refer to something that is not there.
    lost: u64,
    /// The first wrong one, in words.
    example: Option<String>,
}

/// All of them, by where they are.
#[derive(Debug, Default)]
pub(super) struct Differences(BTreeMap<(i64, Level, Cube), Difference>);

impl Differences {
    fn at(&mut self, start: i64, (level, cube): (Level, Cube)) -> &mut Difference {
        self.0.entry((start, level, cube)).or_default()
    }

    /// Notes sums that are not those by program and other end.
    pub(super) fn disagree(&mut self, start: i64, which: (Level, Cube), missing: bool) {
        let it = self.at(start, which);
        it.missing |= missing;
        it.wrong += 1;
        it.example.get_or_insert_with(|| UNLIKE_PAIRS.to_owned());
    }

    pub(super) fn tell(self, verdict: &mut Verdict) {
        for ((start, level, cube), it) in self.0 {
            let by = match cube {
                Cube::Actor => "program",
                Cube::Peer => "other end",
                Cube::Host => "host",
                Cube::Pair => "program and other end",
                Cube::Lport => "local port",
                Cube::Rport => "remote port",
                Cube::Run => "process",
                Cube::Clock => "minute",
                Cube::Loose => "program, other end and its port",
            };
            let of = match level {
                Level::Minute => "minute",
                Level::Hour => "hour",
                Level::Day => "day",
            };
            let mut what = format!("the sums of this {of} by {by}");
            if it.missing {
                what += " are missing";
            } else if it.damaged {
                what += " cannot be read";
            } else if it.wrong > 0 {
                what += &format!(" are wrong in {} places", it.wrong);
            } else {
                what += &format!(" refer to {} things that are not there", it.lost);
            }
            if let Some(example) = it.example.filter(|_| !it.missing && !it.damaged) {
                what += &format!(" ({example})");
            }
            verdict.find(Some((start, start.saturating_add(level.span()))), what);
        }
    }
}

/// As it is stored: no more than 63 bits.
fn capped(sums: Sums) -> Sums {
    let cap = |value: u64| value.min(i64::MAX.cast_unsigned());
    Sums {
        send: cap(sums.send),
        recv: cap(sums.recv),
        wire_send: sums.wire_send.map(cap),
        wire_recv: sums.wire_recv.map(cap),
        rtt_us: sums.rtt_us.map(cap),
        ..sums
    }
}

/// True if both are stored alike.
pub(super) fn same(one: &Sums, other: &Sums) -> bool {
    capped(*one) == capped(*other)
}

/// Shows `each` cell of the parts of a stored sum, and tells how many parts there are.
fn scan(
    conn: &Connection,
    (level, cube): (Level, Cube),
    start: i64,
    mut each: impl FnMut([u64; 2], Sums) -> Result<(), Stop>,
) -> Result<Result<usize, BadPack>, Stop> {
    let (mut parts, mut bad) = (0, None);
    let time = start..start.saturating_add(level.span());
    rollups::scan(conn, (level, cube), &time, |_, mut cells| {
        parts += 1;
        let mut chunk = Chunk::default();
        loop {
            match cells.next(&mut chunk).and_then(|more| chunk.read_sums().map(|()| more)) {
                Ok(true) => {}
                Ok(false) => return Ok::<(), Stop>(()),
                Err(error) => {
                    bad = Some(error);
                    return Ok(());
                }
            }
            for at in 0..chunk.len() {
                each(chunk.cell(at), chunk.sums(at))?;
            }
        }
    })?;
    Ok(bad.map_or(Ok(parts), Err))
}

/// Shows `each` cell of a part of the cells of a stored sum, once; false if there is no such sum.
fn read(
    (conn, known): (&Connection, &Known),
    which: (Level, Cube),
    start: i64,
    part: Part,
    mut each: impl FnMut([u64; 2], Sums) -> Result<(), Stop>,
) -> Result<Result<bool, BadPack>, Stop> {
    let mut cells: Vec<([u64; 2], Sums)> = Vec::new();
    let found = scan(conn, which, start, |cell, sums| {
        let cell = known.cell(which.1, cell);
        if part.has(cell) {
            cells.push((cell, sums));
        }
        Ok(())
    })?;
    // Of a sum in parts, cells may be in several; of a host there may be several in one.
    if !matches!(found, Ok(0 | 1)) || which.1 == Cube::Host {
        cells.sort_by_key(|(cell, _)| *cell);
    }
    for same in cells.chunk_by(|(one, _), (other, _)| one == other) {
        let mut sums = Sums::default();
        same.iter().for_each(|(_, more)| sums.add(*more));
        if let Some((cell, _)) = same.first() {
            each(*cell, sums)?;
        }
    }
    Ok(found.map(|parts| parts > 0))
}

/// What a stored sum is held against.
pub(super) struct Against<'a> {
    pub(super) known: &'a Known,
    pub(super) part: Part,
    pub(super) differences: &'a mut Differences,
}

impl Against<'_> {
    /// Compares a stored sum with what it should be, if that is known, and shows its cells to
    /// `also`.
    pub(super) fn compare(
        &mut self,
        conn: &Connection,
        which: (Level, Cube),
        start: i64,
        expected: Option<&mut Cells>,
        mut also: impl FnMut([u64; 2], Sums) -> Result<(), Stop>,
    ) -> Result<u64, Stop> {
        let mut found = Difference::default();
        let mut expected = expected;
        let known = expected.is_some();
        let part = self.part;
        let read = read((conn, self.known), which, start, part, |cell, sums| {
            // Processes go with the rows.
            if known || which.1 != Cube::Run {
                found.lost += u64::from(self.known.lacks_cell(which.1, cell));
            }
            if let Some(expected) = expected.as_deref_mut() {
                let should = expected.remove(&cell);
                if !should.is_some_and(|should| same(&should, &sums)) {
                    found.wrong += 1;
                    found.example.get_or_insert_with(|| words(should.as_ref(), Some(&sums)));
                }
            }
            also(cell, sums)
        })?;
        let lacking = expected.map_or(0, |expected| {
            if let Some(should) = expected.values().next() {
                found.example.get_or_insert_with(|| words(Some(should), None));
            }
            expected.len()
        });
        found.wrong += u64::try_from(lacking).unwrap_or(0);
        found.damaged = read.is_err();
        found.missing = read == Ok(false) && known && lacking > 0;
        if found.damaged || found.wrong > 0 || found.lost > 0 {
            let it = self.differences.at(start, which);
            it.missing |= found.missing;
            it.damaged |= found.damaged;
            it.wrong += found.wrong;
            it.lost += found.lost;
            it.example = it.example.take().or(found.example);
        }
        Ok(u64::from(read != Ok(false)))
    }
}

fn words(should: Option<&Sums>, is: Option<&Sums>) -> String {
    let say = |sums: Option<&Sums>| {
        sums.map_or_else(
            || "nothing".to_owned(),
            |sums| {
                let Sums { send, recv, connections, .. } = sums;
                format!("{send} B sent, {recv} B received, {connections} connections")
            },
        )
    };
    format!("{} where it should be {}", say(is), say(should))
}

/// Adds up a stored sum by what `number` makes of a cell.
pub(super) fn margin(
    conn: &Connection,
    which: (Level, Cube),
    start: i64,
    number: impl Fn([u64; 2]) -> u64,
) -> Result<Option<HashMap<u64, Sums>>, Stop> {
    let mut sums: HashMap<u64, Sums> = HashMap::new();
    let found = scan(conn, which, start, |cell, more| {
        sums.entry(number(cell)).or_default().add(more);
        Ok(())
    })?;
    Ok(found.is_ok().then_some(sums))
}

/// True if both say the same of everything.
pub(super) fn agree(one: &HashMap<u64, Sums>, other: &HashMap<u64, Sums>) -> bool {
    one.len() == other.len()
        && one.iter().all(|(number, sums)| other.get(number).is_some_and(|it| same(it, sums)))
}
