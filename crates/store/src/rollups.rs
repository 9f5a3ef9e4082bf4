//! Sums by minute, hour and day, kept in the same transaction as the rows that they sum.

mod cells;
mod pack;
mod parts;

use std::ops::Range;

use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::types::Type;

use crate::blocks::Stored;
use crate::classify::Sql;
use crate::group::Sums;
use crate::parties::Loose;
use crate::parties::Ports;

pub(crate) use cells::Cells;
pub(crate) use cells::Chunk;
pub(crate) use pack::BadPack;
pub(crate) use parts::add as add_cells;
pub(crate) use parts::fold;
pub(crate) use parts::join;
pub(crate) use parts::repack;

/// How long the time is that a sum covers. Codes are those of the table `levels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Level {
    Minute = 0,
    Hour = 1,
    Day = 2,
}

impl Level {
    pub(crate) const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Seconds.
    pub(crate) const fn span(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

/// By what is summed: the two numbers of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Cube {
    /// Actor and outcome.
    Actor = 0,
    /// Peer and outcome.
    Peer = 1,
    /// Actor and peer.
    Pair = 2,
    /// Local port.
    Lport = 3,
    /// Remote port.
    Rport = 4,
    /// Process, and its pid (as a block has it) and actor together.
    Run = 5,
    /// The minute of the day.
    Clock = 6,
    /// Actor, and peer and remote port together: rows of peers that leave the remote port open.
    Loose = 7,
    /// A peer for all that have its address and name: one of those that were seen on that day. Only
    /// days, after which there is no other level, can have a ninth.
    Host = 8,
}

impl Cube {
    pub(crate) const ALL: [Self; 9] = [
        Self::Actor,
        Self::Peer,
        Self::Pair,
        Self::Lport,
        Self::Rport,
        Self::Run,
        Self::Clock,
        Self::Loose,
        Self::Host,
    ];

    /// A peer and its port in one number.
    pub(crate) const fn open_end(peer: u64, port: u64) -> u64 {
        peer << 16 | (port & 0xFFFF)
    }

    /// The peer and the port of such a number.
    pub(crate) const fn ends(number: u64) -> (u64, u64) {
        (number >> 16, number & 0xFFFF)
    }

    /// A pid (as a block has it, up to 2^32) and an actor in one number. Most pids are 0: they go
    /// first. Ids of actors are given in turn, and there is no room on a disk for a billion.
    pub(crate) const fn mover(pid: u64, actor: u64) -> u64 {
        pid << 30 | (actor & 0x3FFF_FFFF)
    }

    /// The pid and the actor of such a number.
    pub(crate) const fn moved_by(number: u64) -> (u64, u64) {
        (number >> 30, number & 0x3FFF_FFFF)
    }
}

impl Level {
    /// Cubes that are kept for long: they tell all that is. Of hours, what there is by peer is as
    /// quickly read by pairs, which are not many more.
    pub(crate) const fn lasting(self) -> &'static [Cube] {
        match self {
            Self::Minute => &[Cube::Pair],
            Self::Hour => &[Cube::Actor, Cube::Pair],
            Self::Day => &[Cube::Actor, Cube::Peer, Cube::Pair, Cube::Host],
        }
    }

    /// All cubes.
    pub(crate) fn cubes(self) -> impl Iterator<Item = Cube> {
        self.lasting().iter().chain(self.passing()).copied()
    }

    /// Cubes that are only kept while the rows are: they save reading these.
    pub(crate) const fn passing(self) -> &'static [Cube] {
        match self {
            Self::Minute => &[],
            Self::Hour => &[Cube::Lport, Cube::Rport, Cube::Run, Cube::Loose],
            Self::Day => &[Cube::Lport, Cube::Rport, Cube::Run, Cube::Clock, Cube::Loose],
        }
    }
}

/// What a cube keeps of sums. There are many local ports in an hour: only what a series shows of
/// them is kept.
pub(crate) fn kept(level: Level, cube: Cube, sums: Sums) -> Sums {
    if (level, cube) != (Level::Hour, Cube::Lport) {
        return sums;
    }
    Sums { events: 0, failed: 0, retrans: 0, rtt_us: None, ..sums }
}

/// The largest number that a level and a cube make in a key.
pub(crate) const LAST_CODE: i64 = Level::Day as i64 * 8 + Cube::Host as i64;

/// The place of a cube of a time in the table.
pub(crate) fn key(level: Level, cube: Cube, start: i64) -> i64 {
    (level as i64 * 8 + cube as i64) << 40 | start.div_euclid(60)
}

/// The keys of a cube from one time to another.
pub(crate) fn keys(level: Level, cube: Cube, time: &Range<i64>) -> Range<i64> {
    let minute = |time: i64| time.clamp(0, (1 << 40) - 1).div_euclid(60);
    let base = (level as i64 * 8 + cube as i64) << 40;
    base | minute(time.start)..base | minute(time.end)
}

/// Level and cube of a key, by their codes.
pub(crate) fn which(key: i64) -> (i64, i64) {
    match key >> 40 {
        code @ 24.. => (2, code - 16),
        code => (code >> 3, code & 7),
    }
}

/// The time at which what has this key begins, whichever part of it that is.
pub(crate) fn start(key: i64) -> i64 {
    let minutes = match which(key).0 {
        0 => 1,
        1 => Level::Hour.span() / 60,
        _ => Level::Day.span() / 60,
    };
    (key & ((1 << 40) - 1)) / minutes * minutes * 60
}

/// Since when each level is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Floors {
    pub(crate) minute: i64,
    pub(crate) hour: i64,
    pub(crate) day: i64,
    pub(crate) row: i64,
}

impl Floors {
    pub(crate) fn read(conn: &Connection) -> Sql<Self> {
        let mut floors = Self { minute: i64::MAX, hour: i64::MAX, day: i64::MAX, row: i64::MAX };
        let mut stmt = conn.prepare_cached("SELECT level, since FROM levels")?;
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            let since = row.get(1)?;
            match row.get::<_, i64>(0)? {
                0 => floors.minute = since,
                1 => floors.hour = since,
                2 => floors.day = since,
                3 => floors.row = since,
                _ => {}
            }
        }
        Ok(floors)
    }

    pub(crate) fn write(&self, tx: &Transaction<'_>) -> Sql<()> {
        for (level, since) in [(0, self.minute), (1, self.hour), (2, self.day), (3, self.row)] {
            tx.prepare_cached("UPDATE levels SET since = ?2 WHERE level = ?1 AND since <> ?2")?
                .execute([level, since])?;
        }
        Ok(())
    }

    pub(crate) fn of(&self, level: Level) -> i64 {
        match level {
            Level::Minute => self.minute,
            Level::Hour => self.hour,
            Level::Day => self.day,
        }
    }
}

/// What a row is to cubes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summand {
    pub(crate) contime: i64,
    pub(crate) sums: Sums,
    actor: u64,
    peer: u64,
    host: u64,
    process: u64,
    /// One more than the pid, 0 for the process' own.
    pid: u64,
    outcome: u64,
    lport: u16,
    rport: u16,
    /// Its peer leaves the remote port open.
    loose: bool,
}

impl Summand {
    /// A row of a peer with these ports, one of which may be left open, and the peer that stands for
    /// its host.
    pub(crate) fn new(row: &Stored, (lport, rport, loose): Ports, host: i64) -> Self {
        let number = |value: i64| value.cast_unsigned();
        let own = u16::try_from(row.port).unwrap_or(0);
        Self {
            contime: row.contime,
            sums: Sums::from(row),
            actor: number(row.actor),
            peer: number(row.peer),
            host: number(host),
            process: number(row.process),
            pid: row.pid.map_or(0, |pid| number(pid) + 1),
            outcome: row.outcome(),
            lport: if loose == Loose::Local as u8 { own } else { lport },
            rport: if loose == Loose::Remote as u8 { own } else { rport },
            loose: loose == Loose::Remote as u8,
        }
    }

    /// True if it is in this cube.
    pub(crate) fn is_in(&self, cube: Cube) -> bool {
        cube != Cube::Loose || self.loose
    }

    /// Where it is in a cube.
    pub(crate) fn cell(&self, cube: Cube) -> [u64; 2] {
        match cube {
            Cube::Actor => [self.actor, self.outcome],
            Cube::Peer => [self.peer, self.outcome],
            Cube::Host => [self.host, 0],
            Cube::Pair => [self.actor, self.peer],
            Cube::Lport => [self.lport.into(), 0],
            Cube::Rport => [self.rport.into(), 0],
            Cube::Run => [self.process, Cube::mover(self.pid, self.actor)],
            Cube::Loose => [self.actor, Cube::open_end(self.peer, self.rport.into())],
            Cube::Clock => [(self.contime.rem_euclid(Level::Day.span()) / 60).cast_unsigned(), 0],
        }
    }
}

/// Adds rows to all that sums them: what `floors` say is kept.
pub(crate) fn add(tx: &Transaction<'_>, rows: &[Summand], floors: &Floors) -> Sql<()> {
    for level in [Level::Hour, Level::Day] {
        for cube in level.lasting() {
            add_to(tx, (level, *cube), rows, |start| start >= floors.of(level))?;
        }
        for cube in level.passing() {
            let end = |start: i64| start.saturating_add(level.span());
            add_to(tx, (level, *cube), rows, |start| end(start) > floors.row)?;
        }
    }
    // While there are rows, minutes are read from them; floors lie between two.
    add_to(tx, (Level::Minute, Cube::Pair), rows, |start| {
        start < floors.row && start >= floors.minute
    })
}

/// Adds rows to one cube, those of times that are `meant` by where they begin. One at a time: all
/// of them together would take memory that the daemon has not.
pub(crate) fn add_to(
    tx: &Transaction<'_>,
    (level, cube): (Level, Cube),
    rows: &[Summand],
    meant: impl Fn(i64) -> bool,
) -> Sql<()> {
    let begin = |row: &Summand| row.contime.div_euclid(level.span()) * level.span();
    let mut cells: Vec<([u64; 2], &Summand)> = Vec::new();
    let mut added: Vec<([u64; 2], Sums)> = Vec::new();
    // Rows come in the order of their time, or nearly.
    for same in rows.chunk_by(|one, other| begin(one) == begin(other)) {
        let Some(start) = same.first().map(begin).filter(|start| meant(*start)) else { continue };
        let same = same.iter().filter(|row| row.is_in(cube));
        cells.clear();
        cells.extend(same.map(|row| (row.cell(cube), row)));
        cells.sort_unstable_by_key(|(cell, _)| *cell);
        added.clear();
        added.extend(cells.chunk_by(|one, other| one.0 == other.0).filter_map(|same| {
            let mut sums = Sums::default();
            same.iter().for_each(|(_, row)| sums.add(row.sums));
            same.first().map(|(cell, _)| (*cell, kept(level, cube, sums)))
        }));
        if !added.is_empty() {
            parts::add(tx, key(level, cube, start), &added)?;
        }
    }
    Ok(())
}

/// Shows `each` what is summed of `time` by one cube, with the time at which it begins: in one or
/// several parts, which may have cells in common.
pub(crate) fn scan<E: From<rusqlite::Error>>(
    conn: &Connection,
    (level, cube): (Level, Cube),
    time: &Range<i64>,
    mut each: impl FnMut(i64, Cells<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let keys = keys(level, cube, time);
    let mut stmt = conn.prepare_cached(
        "SELECT key, sums FROM rollups WHERE key >= ?1 AND key < ?2 ORDER BY key",
    )?;
    let mut rows = stmt.query([keys.start, keys.end])?;
    while let Some(row) = rows.next()? {
        let sums = row.get_ref(1)?.as_blob().map_err(damaged)?;
        each(start(row.get(0)?), Cells::new(sums))?;
    }
    Ok(())
}

/// What was read is not what was written.
pub(crate) fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(1, Type::Blob, Box::new(error))
}
