//! A day at a time.

use rusqlite::Connection;

use crate::Cancel;
use crate::ask::Stop;
use crate::blocks;
use crate::blocks::BLOCK_ROWS;
use crate::blocks::Block;
use crate::blocks::Stored;
use crate::blocks::Which;
use crate::classify::Sql;
use crate::rollups;
use crate::rollups::Cube;
use crate::rollups::Floors;
use crate::rollups::Level;

use super::Verdict;
use super::bucket;
use super::bucket::Against;
use super::bucket::Cells;
use super::bucket::Differences;
use super::bucket::Part;
use super::bucket::Room;
use super::refer::Known;

const HOUR: i64 = Level::Hour.span();
const DAY: i64 = Level::Day.span();
/// A day has fewer cells than fit so many times.
const MOST_PARTS: u64 = 1 << 12;
/// Cubes, by their code.
const CUBES: usize = Cube::ALL.len();

/// Looks at everything that is kept of the day that begins at `day`.
pub(super) fn check(
    conn: &Connection,
    day: i64,
    floors: &Floors,
    known: &Known,
    verdict: &mut Verdict,
    cancel: &Cancel,
) -> Result<(), Stop> {
    let (mut at, mut of) = (0, 1);
    let mut looked = Look {
        conn,
        day,
        floors,
        known,
        cancel,
        differences: Differences::default(),
        blocks: Vec::new(),
        counts: [0; 3],
    };
    while at < of {
        match looked.part(Part { at, of }) {
            Ok(()) => at += 1,
            Err(Stop::Crowded) if of < MOST_PARTS => {
                (at, of) = (0, of * 4);
                looked.forget();
            }
            Err(stop) => {
                looked.tell(verdict);
                return Err(stop);
            }
        }
    }
    looked.margins()?;
    looked.tell(verdict);
    Ok(())
}

struct Look<'a> {
    conn: &'a Connection,
    day: i64,
    floors: &'a Floors,
    known: &'a Known,
    cancel: &'a Cancel,
    differences: Differences,
    /// What is wrong with blocks.
    blocks: Vec<((i64, i64), String)>,
    counts: [u64; 3],
}

impl Look<'_> {
    fn forget(&mut self) {
        self.differences = Differences::default();
        self.blocks.clear();
        self.counts = [0; 3];
    }

    fn tell(self, verdict: &mut Verdict) {
        let [rows, blocks, sums] = self.counts;
        verdict.rows += rows;
        verdict.blocks += blocks;
        verdict.sums += sums;
        for (time, what) in self.blocks {
            verdict.find(Some(time), what);
        }
        self.differences.tell(verdict);
    }

    /// All rows of the day are there.
    fn by_rows(&self) -> bool {
        self.day >= self.floors.row
    }

    /// Compares some of the cells.
    fn part(&mut self, part: Part) -> Result<(), Stop> {
        let mut room = Room::new(part);
        let mut whole: [Cells; CUBES] = Default::default();
        for hour in (self.day..self.day.saturating_add(DAY)).step_by(3_600) {
            if self.cancel.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            self.hour(hour, &mut room, &mut whole)?;
        }
        if self.day < self.floors.day {
            return Ok(());
        }
        let (by_rows, by_hours) = (self.by_rows(), self.day >= self.floors.hour);
        let mut of = Against { known: self.known, part, differences: &mut self.differences };
        let passing = Level::Day.passing().iter();
        let passing = passing.filter(|_| self.day.saturating_add(DAY) > self.floors.row);
        for cube in Level::Day.lasting().iter().chain(passing) {
            // What hours do not have is held against pairs.
            let expected = whole
                .get_mut(*cube as usize)
                .filter(|_| by_rows || by_hours && Level::Hour.lasting().contains(cube));
            let read =
                of.compare(self.conn, (Level::Day, *cube), self.day, expected, |_, _| Ok(()))?;
            if part.at == 0 {
                self.counts[2] += read;
            }
        }
        Ok(())
    }

    fn hour(&mut self, hour: i64, room: &mut Room, whole: &mut [Cells; CUBES]) -> Result<(), Stop> {
        let mut own: [Cells; CUBES] = Default::default();
        let mut proven: &[Cube] = &[];
        let mut stored = Vec::new();
        if hour >= self.floors.hour {
            stored.extend(Level::Hour.lasting());
        }
        if hour.saturating_add(HOUR) > self.floors.row {
            stored.extend(Level::Hour.passing());
        }
        if hour >= self.floors.row {
            self.rows(hour, room, &mut own, whole)?;
            proven = &Cube::ALL;
        } else if hour >= self.floors.minute {
            for minute in (hour..hour.saturating_add(HOUR)).step_by(60) {
                self.minute(minute, room, &mut own)?;
            }
            proven = &[Cube::Pair];
        }
        let by_rows = self.by_rows();
        let part = room.part;
        let mut of = Against { known: self.known, part, differences: &mut self.differences };
        for cube in stored {
            let expected = own.get_mut(cube as usize).filter(|_| proven.contains(&cube));
            let Some(sum) = whole.get_mut(cube as usize) else { continue };
            let adds_up = !by_rows && Level::Hour.lasting().contains(&cube);
            let read =
                of.compare(self.conn, (Level::Hour, cube), hour, expected, |cell, sums| {
                    if adds_up { room.add(sum, cell, sums) } else { Ok(()) }
                })?;
            if part.at == 0 {
                self.counts[2] += read;
            }
        }
        own.iter_mut().for_each(|cells| room.clear(cells));
        Ok(())
    }

    /// Adds up the rows of an hour, for it and for the day.
    fn rows(
        &mut self,
        hour: i64,
        room: &mut Room,
        own: &mut [Cells; CUBES],
        whole: &mut [Cells; CUBES],
    ) -> Result<(), Stop> {
        let time = hour..hour.saturating_add(HOUR);
        let (by_rows, first) = (self.by_rows(), room.part.at == 0);
        let (known, conn) = (self.known, self.conn);
        let (found, counts) = (&mut self.blocks, &mut self.counts);
        blocks::scan(conn, (time.clone(), Which::Sealed), |block| {
            // A block is told of where it begins.
            let here = first && block.begins_in(&time);
            let mut full: Result<(), Stop> = Ok(());
            let look = look(block, known, |row| {
                if full.is_err() || !time.contains(&row.contime) {
                    return;
                }
                let summand = known.summand(row);
                for cube in Cube::ALL.into_iter().filter(|cube| summand.is_in(*cube)) {
                    let cell = summand.cell(cube);
                    let mut add = |to: &mut [Cells; CUBES], level| match to.get_mut(cube as usize) {
                        Some(to) => room.add(to, cell, rollups::kept(level, cube, summand.sums)),
                        None => Ok(()),
                    };
                    let hours = [Level::Hour.lasting(), Level::Hour.passing()];
                    if full.is_ok() && hours.iter().any(|cubes| cubes.contains(&cube)) {
                        full = add(own, Level::Hour);
                    }
                    if by_rows && full.is_ok() {
                        full = add(whole, Level::Day);
                    }
                }
            });
            full?;
            if here {
                counts[0] += u64::try_from(block.rows).unwrap_or(0);
                counts[1] += 1;
                found.extend(look.into_iter().map(|what| (block.time(), what)));
            }
            Ok::<(), Stop>(())
        })
    }

    fn minute(
        &mut self,
        minute: i64,
        room: &mut Room,
        own: &mut [Cells; CUBES],
    ) -> Result<(), Stop> {
        let part = room.part;
        let mut of = Against { known: self.known, part, differences: &mut self.differences };
        let Some(own) = own.get_mut(Cube::Pair as usize) else { return Ok(()) };
        let which = (Level::Minute, Cube::Pair);
        let read =
            of.compare(self.conn, which, minute, None, |cell, sums| room.add(own, cell, sums))?;
        if part.at == 0 {
            self.counts[2] += read;
        }
        Ok(())
    }

    /// Compares, where rows are gone, sums by one thing with those by another.
    fn margins(&mut self) -> Result<(), Stop> {
        let mut all = Vec::new();
        if self.day >= self.floors.day && self.day < self.floors.row {
            all.push((Level::Day, self.day));
        }
        let hours = (self.day..self.day.saturating_add(DAY)).step_by(3_600);
        let hours = hours.filter(|hour| *hour >= self.floors.hour && *hour < self.floors.row);
        all.extend(hours.map(|hour| (Level::Hour, hour)));
        for (level, start) in all {
            for cube in [Cube::Actor, Cube::Peer, Cube::Host] {
                if !level.lasting().contains(&cube) {
                    continue;
                }
                let own = |cell: [u64; 2]| self.known.cell(cube, cell)[0];
                let of_pair = |[actor, peer]: [u64; 2]| match cube {
                    Cube::Actor => actor,
                    Cube::Host => self.known.host(peer),
                    _ => peer,
                };
                let single = bucket::margin(self.conn, (level, cube), start, own)?;
                let pairs = bucket::margin(self.conn, (level, Cube::Pair), start, of_pair)?;
                if let (Some(single), Some(pairs)) = (single, pairs)
                    && !bucket::agree(&single, &pairs)
                {
                    self.differences.disagree(start, (level, cube), single.is_empty());
                }
            }
        }
        Ok(())
    }
}

/// Shows `each` row of a block, and says what is wrong with it.
fn look(block: &Block<'_>, known: &Known, mut each: impl FnMut(&Stored)) -> Vec<String> {
    let (mut lost, mut outside) = (0_u64, 0_u64);
    let read = block.each(|row| {
        lost += u64::from(known.lacks(row.actor, row.peer, row.process));
        outside += u64::from(!block.has(row.contime));
        each(row);
    });
    let mut wrong = Vec::new();
    if let Err(error) = read {
        wrong.push(format!("{} rows cannot be read: {error}", block.rows));
    }
    if block.rows == 0 || block.rows > BLOCK_ROWS {
        wrong.push("a block of rows has an impossible number of them".to_owned());
    }
    if outside > 0 {
        wrong.push(format!("{outside} rows of a block are not of its time"));
    }
    if lost > 0 {
        wrong.push(format!("{lost} rows refer to things that are not there"));
    }
    wrong
}

/// Looks at rows that are in no sum yet.
pub(super) fn waiting(conn: &Connection, verdict: &mut Verdict) -> Sql<()> {
    let known = Known::read(conn)?;
    blocks::scan(conn, (i64::MIN..i64::MAX, Which::Waiting), |block| {
        verdict.blocks += 1;
        verdict.rows += u64::try_from(block.rows).unwrap_or(0);
        for what in look(block, &known, |_| {}) {
            verdict.find(Some(block.time()), what);
        }
        Ok(())
    })
}
