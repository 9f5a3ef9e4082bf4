//! What is taken over, kind by kind: each from a position on, so that it can be gone on with.

use std::collections::BTreeMap;

use rusqlite::params;

use crate::blocks;
use crate::blocks::Builder;
use crate::blocks::Stored;
use crate::classify::Sql;
use crate::dimension::UNKNOWN_OUTCOME;
use crate::group::Sums;
use crate::rollups;
use crate::rollups::Cells;
use crate::rollups::Chunk;
use crate::rollups::Cube;
use crate::rollups::Floors;
use crate::rollups::Level;

use super::floors;
use super::names::Between;
use super::names::Names;

/// So many numbers in turn that cannot be read are the end of a table, or of a cube.
const MOST_BLIND: i64 = 20_000;
const DAY: i64 = Level::Day.span();

/// A kind of things, in the order in which they are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Programs,
    Versions,
    Gaps,
    Events,
    Blocks,
    Sums,
}

impl Kind {
    pub(super) const ALL: [Self; 6] =
        [Self::Programs, Self::Versions, Self::Gaps, Self::Events, Self::Blocks, Self::Sums];

    /// As `imports` has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Programs => "programs",
            Self::Versions => "versions",
            Self::Gaps => "gaps",
            Self::Events => "events",
            Self::Blocks => "blocks",
            Self::Sums => "sums",
        }
    }

    /// Finds the next number after one.
    fn next(self) -> &'static str {
        match self {
            Self::Programs => "SELECT id FROM programs WHERE id > ?1 ORDER BY id LIMIT 1",
            Self::Versions => "SELECT id FROM versions WHERE id > ?1 ORDER BY id LIMIT 1",
            Self::Gaps => "SELECT began FROM gaps WHERE began > ?1 ORDER BY began LIMIT 1",
            Self::Events => "SELECT id FROM event_log WHERE id > ?1 ORDER BY id LIMIT 1",
            Self::Blocks => "SELECT id FROM blocks WHERE id > ?1 ORDER BY id LIMIT 1",
            Self::Sums => "SELECT key FROM rollups WHERE key > ?1 ORDER BY key LIMIT 1",
        }
    }

    /// Where the next may be if it cannot be found.
    fn beyond(self, position: i64) -> i64 {
        let stride = match (self, rollups::which(position).0) {
            (Self::Sums, 1) => 60,
            (Self::Sums, 2) => 1_440,
            _ => 1,
        };
        position.saturating_add(stride)
    }
}

/// What a step took.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) kind: Option<Kind>,
    pub(super) position: i64,
    pub(super) saved: i64,
    pub(super) lost: i64,
    pub(super) finished: bool,
    /// The oldest row.
    pub(super) oldest: Option<i64>,
}

/// One step under way.
struct Step<'a> {
    it: Between<'a>,
    names: &'a mut Names,
    /// What the new history keeps.
    kept: Floors,
    /// What the damaged one kept.
    had: Option<Floors>,
    /// Rows on their way.
    rows: Vec<Stored>,
    /// Cells on their way, by the key of their sum.
    sums: BTreeMap<i64, BTreeMap<[u64; 2], Sums>>,
    taken: Taken,
    /// How much was done.
    work: i64,
}

/// Takes about `most` of a kind.
pub(super) fn take(
    kind: Kind,
    it: Between<'_>,
    names: &mut Names,
    position: i64,
    most: i64,
) -> Sql<Taken> {
    let kept = Floors::read(it.tx)?;
    let had = floors(it.source);
    let taken = Taken { position, ..Taken::default() };
    let mut step =
        Step { it, names, kept, had, rows: Vec::new(), sums: BTreeMap::new(), taken, work: 0 };
    let gone = step.had.is_some_and(|had| had.row > 0);
    if kind == Kind::Sums && !gone {
        // All that it sums is there.
        step.taken.finished = true;
        return Ok(step.taken);
    }
    let mut blind = 0;
    while step.work < most && !step.taken.finished {
        step.work += 1;
        let position = step.taken.position;
        let Ok(mut next) = it.source.prepare_cached(kind.next()) else {
            // It is no more told where they lie.
            step.taken.lost += 1;
            step.taken.finished = true;
            break;
        };
        match next.query_row([position], |row| row.get::<_, i64>(0)) {
            Ok(next) => {
                blind = 0;
                step.taken.position = next;
                step.one(kind, next)?;
            }
            Err(rusqlite::Error::QueryReturnedNoRows) => step.taken.finished = true,
            Err(_) => {
                blind += 1;
                step.taken.position = kind.beyond(position);
                // Of sums it is not known which there are.
                step.taken.lost += i64::from(kind != Kind::Sums || blind == 1);
                if blind < MOST_BLIND {
                    // Quickly done, and has to come to an end in one step.
                    step.work -= 1;
                } else if kind == Kind::Sums && position >> 40 < rollups::LAST_CODE {
                    blind = 0;
                    step.taken.position = ((position >> 40) + 1) << 40;
                } else {
                    step.taken.lost -= blind - 1;
                    step.taken.finished = true;
                }
            }
        }
    }
    step.rows.sort_by_key(|row| row.contime);
    step.taken.oldest = step.rows.first().map(|row| row.contime);
    let mut blocks = Builder::new(false);
    for row in &step.rows {
        blocks.push(it.tx, row)?;
    }
    blocks.finish(it.tx)?;
    for (key, cells) in step.sums {
        let cells: Vec<([u64; 2], Sums)> = cells.into_iter().collect();
        rollups::add_cells(it.tx, key, &cells)?;
    }
    Ok(step.taken)
}

impl Step<'_> {
    fn one(&mut self, kind: Kind, id: i64) -> Sql<()> {
        let saved = match kind {
            Kind::Programs => self.program(id)?,
            Kind::Versions => self.version(id)?,
            Kind::Gaps => self.gaps(id)?,
            Kind::Events => self.event(id)?,
            Kind::Blocks => self.block(id)?,
            Kind::Sums => self.sum(id)?,
        };
        match saved {
            Some(saved) => self.taken.saved += saved,
            None => self.taken.lost += 1,
        }
        Ok(())
    }

    /// What is known for longer stays; that it was seen first is no more told.
    fn program(&mut self, id: i64) -> Sql<Option<i64>> {
        let sql = "SELECT realm, path, sha256, launched, first_networked, last_seen
                   FROM programs WHERE id = ?1";
        let read = self.it.read(sql, id, |row| {
            let texts: (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let times: (i64, Option<i64>, i64) = (row.get(3)?, row.get(4)?, row.get(5)?);
            Ok((texts, times))
        });
        let Some(((realm, path, sha256), (launched, networked, last))) = read else {
            return Ok(None);
        };
        let new: i64 = self
            .it
            .tx
            .prepare_cached(
                "INSERT INTO programs(realm, path, sha256, launched, first_networked, last_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT(path, realm) DO UPDATE SET
                   sha256 = iif(sha256 = '', excluded.sha256, sha256),
                   launched = max(launched, excluded.launched),
                   first_networked = coalesce(
                     min(first_networked, excluded.first_networked),
                     first_networked, excluded.first_networked),
                   last_seen = max(last_seen, excluded.last_seen)
                 RETURNING id",
            )?
            .query_row(params![realm, path, sha256, launched, networked, last], |row| row.get(0))?;
        if let Some(networked) = networked {
            self.it
                .tx
                .prepare_cached(
                    "DELETE FROM event_log
                     WHERE kind = 'first-seen' AND program_id = ?1 AND at > ?2",
                )?
                .execute([new, networked])?;
        }
        Ok(Some(1))
    }

    fn version(&mut self, id: i64) -> Sql<Option<i64>> {
        const TEXTS: usize = 10;
        let sql =
            "SELECT exe, sha256, realm, package, version, state, build_id, privileges, verity,
                     written_by, last_seen FROM versions WHERE id = ?1";
        let read = self.it.read(sql, id, |row| {
            let mut texts: [String; TEXTS] = Default::default();
            for (at, text) in texts.iter_mut().enumerate() {
                *text = row.get(at)?;
            }
            Ok((texts, row.get::<_, i64>(TEXTS)?))
        });
        let Some((texts, last)) = read else { return Ok(None) };
        let [exe, sha256, realm, package, version, state, build, privileges, verity, written] =
            texts;
        self.it
            .tx
            .prepare_cached(
                "INSERT INTO versions(exe, sha256, realm, package, version, state, build_id,
                   privileges, verity, written_by, last_seen)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT(exe, sha256, realm)
                   DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)",
            )?
            .execute(params![
                exe, sha256, realm, package, version, state, build, privileges, verity, written,
                last
            ])?;
        Ok(Some(1))
    }

    /// All that began then.
    fn gaps(&mut self, began: i64) -> Sql<Option<i64>> {
        let read = || {
            let mut stmt = self.it.source.prepare_cached(
                "SELECT ended, reason FROM gaps WHERE began = ?1 AND ended > began",
            )?;
            let gaps = stmt.query_map([began], |row| Ok((row.get(0)?, row.get(1)?)))?;
            gaps.collect::<Sql<Vec<(i64, String)>>>()
        };
        let Ok(gaps) = read() else { return Ok(None) };
        for (ended, reason) in &gaps {
            self.it
                .tx
                .prepare_cached(
                    "INSERT OR IGNORE INTO gaps(began, ended, reason) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![began, ended, reason])?;
        }
        Ok(Some(i64::try_from(gaps.len()).unwrap_or(0)))
    }

    fn event(&mut self, id: i64) -> Sql<Option<i64>> {
        let sql = "SELECT at, program_id, exe_id, process_id, kind, old_sha256, detail
                   FROM event_log WHERE id = ?1";
        let read = self.it.read(sql, id, |row| {
            let numbers: [i64; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
            let texts: [String; 3] = [row.get(4)?, row.get(5)?, row.get(6)?];
            Ok((numbers, texts))
        });
        let Some(([at, program, exe, process], [kind, old, detail])) = read else {
            return Ok(None);
        };
        let path = "SELECT path, realm FROM programs WHERE id = ?1";
        let path: Option<(String, String)> =
            self.it.read(path, program, |row| Ok((row.get(0)?, row.get(1)?)));
        let (path, realm) = path.unwrap_or_default();
        let (exe, process) =
            (self.names.executable(self.it, exe)?, self.names.process(self.it, process)?);
        self.it
            .tx
            .prepare_cached(
                "INSERT INTO event_log(at, kind, program_id, exe_id, process_id, old_sha256, detail)
                 VALUES (?1, ?2, coalesce(
                   (SELECT id FROM programs WHERE path = ?3 AND realm = ?4), 0), ?5, ?6, ?7, ?8)",
            )?
            .execute(params![at, kind, path, realm, exe, process, old, detail])?;
        Ok(Some(1))
    }

    fn block(&mut self, id: i64) -> Sql<Option<i64>> {
        let mut rows: Vec<Stored> = Vec::new();
        let read = blocks::one(self.it.source, id, |block| block.each(|row| rows.push(*row)));
        if read.is_err() {
            return Ok(None);
        }
        self.work += i64::try_from(rows.len()).unwrap_or(0);
        let sealed = "SELECT sealed FROM blocks WHERE id = ?1";
        let Some(sealed) = self.it.read(sealed, id, |row| row.get::<_, bool>(0)) else {
            return Ok(None);
        };
        // Older ones are in sums then, and on their way out.
        let since = self.had.filter(|_| sealed).map_or(i64::MIN, |had| had.row);
        let mut saved = 0;
        for row in rows.iter().filter(|row| row.contime >= since) {
            saved += self.row(row)?;
        }
        Ok(Some(saved))
    }

    /// Takes a row, if so old a one is kept.
    fn row(&mut self, row: &Stored) -> Sql<i64> {
        let Floors { minute, hour, day, row: rows } = self.kept;
        if row.contime < minute.min(hour).min(day).min(rows) {
            return Ok(0);
        }
        let actor = self.names.actor(self.it, row.actor)?;
        let peer = self.names.peer(self.it, row.peer)?;
        let process = self.names.process(self.it, row.process)?;
        self.rows.push(Stored { actor, peer, process, ..*row });
        Ok(1)
    }

    /// Adds a sum of a time whose rows are gone to what is summed of it already.
    fn sum(&mut self, key: i64) -> Sql<Option<i64>> {
        let Some(had) = self.had else { return Ok(Some(0)) };
        let (level, cube) = rollups::which(key);
        let level = Level::ALL.into_iter().find(|it| *it as i64 == level);
        let Some(level) = level else { return Ok(Some(0)) };
        let cube = level.lasting().iter().find(|it| **it as i64 == cube).copied();
        let Some(cube) = cube else { return Ok(Some(0)) };
        let start = rollups::start(key);
        let end = start.saturating_add(level.span());
        let day = start.div_euclid(DAY) * DAY;
        if end > had.row || start < had.of(level) {
            return Ok(Some(0));
        }
        let mut to = Vec::new();
        if start >= self.kept.of(level) {
            to.push((cube, rollups::key(level, cube, start)));
        }
        // Of the day of which some rows are there, the hours before these.
        if level == Level::Hour && day.saturating_add(DAY) > had.row && day >= self.kept.day {
            to.push((cube, rollups::key(Level::Day, cube, day)));
            if cube == Cube::Pair {
                // Hours have none by peer alone.
                for cube in [Cube::Peer, Cube::Host] {
                    to.push((cube, rollups::key(Level::Day, cube, day)));
                }
            }
        }
        let sql = "SELECT sums FROM rollups WHERE key = ?1";
        let Some(bytes) = self.it.read(sql, key, |row| row.get::<_, Vec<u8>>(0)) else {
            return Ok(None);
        };
        let mut read = Vec::new();
        let (mut cells, mut chunk) = (Cells::new(&bytes), Chunk::default());
        loop {
            match cells.next(&mut chunk).and_then(|more| chunk.read_sums().map(|()| more)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => return Ok(None),
            }
            read.extend((0..chunk.len()).map(|at| (chunk.cell(at), chunk.sums(at))));
        }
        self.work += i64::try_from(read.len()).unwrap_or(0);
        for (cell, sums) in read {
            let [first, second] = cell.map(u64::cast_signed);
            let cell = match cube {
                Cube::Actor => [self.names.actor(self.it, first)?, second],
                Cube::Peer | Cube::Host => [self.names.peer(self.it, first)?, second],
                _ => [self.names.actor(self.it, first)?, self.names.peer(self.it, second)?],
            };
            for (into, key) in &to {
                let [first, second] = cell.map(i64::cast_unsigned);
                let cell = match (cube, into) {
                    // What became of it is not told.
                    (Cube::Pair, Cube::Peer) => [second, UNKNOWN_OUTCOME],
                    (Cube::Pair, Cube::Host) => [second, 0],
                    _ => [first, second],
                };
                self.sums.entry(*key).or_default().entry(cell).or_default().add(sums);
            }
        }
        Ok(Some(1))
    }
}
