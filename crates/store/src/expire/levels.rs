//! Rows and sums, from the oldest on.

use std::ops::Range;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;

use super::Before;
use super::ExpireReport;
use super::Retention;
use crate::blocks;
use crate::blocks::BLOCK_ROWS;
use crate::blocks::BLOCK_SPAN;
use crate::blocks::Builder;
use crate::blocks::Stored;
use crate::blocks::Which;
use crate::classify::Sql;
use crate::intern::Interner;
use crate::rollups;
use crate::rollups::Cube;
use crate::rollups::Floors;
use crate::rollups::Level;
use crate::rollups::Summand;
use crate::seal;
use crate::seal::Waiting;

const HOUR: i64 = Level::Hour.span();
const DAY: i64 = Level::Day.span();
/// Sums deleted in a step: those of a day may be a megabyte.
const MOST_SUMS: usize = 24;

/// Since when each level is to be kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    wanted: Floors,
    now: Floors,
}

fn down(time: i64, span: i64) -> i64 {
    time.div_euclid(span).saturating_mul(span)
}

impl Cut {
    pub(super) fn new(conn: &Connection, keep: &Retention) -> Sql<Self> {
        let now = Floors::read(conn)?;
        let mut wanted = Floors {
            row: down(keep.rows, HOUR).max(now.row),
            minute: down(keep.minutes, HOUR),
            hour: down(keep.hours, DAY).max(now.hour),
            day: down(keep.days, DAY).max(now.day),
        };
        if let Some(most) = keep.max_bytes
            && used(conn)? > most
        {
            squeeze(conn, &mut wanted)?;
        }
        if wanted.minute >= wanted.row {
            wanted.minute = i64::MAX;
        }
        Ok(Self { wanted, now })
    }

    /// What is kept once nothing is left to do.
    pub(super) fn kept(&self, conn: &Connection) -> Sql<Before> {
        let now = Floors::read(conn)?;
        Ok(Before { rows: now.row, names: now.row.min(now.minute).min(now.hour).min(now.day) })
    }

    /// One step. True if nothing is left to do.
    pub(super) fn step(
        &self,
        tx: &Transaction<'_>,
        (unsealed, interner): (&mut Waiting, &mut Interner),
        max_rows: usize,
        report: &mut ExpireReport,
    ) -> Sql<bool> {
        let mut floors = self.now;
        let late = "SELECT EXISTS (SELECT 1 FROM blocks WHERE sealed = 0 AND first < ?1)";
        if tx.prepare_cached(late)?.query_row([self.wanted.row], |row| row.get(0))? {
            // Or their sums would lack them.
            seal::seal(tx, interner)?;
            *unsealed = Waiting::SEALED;
        }
        floors.row = self.rows_floor(tx, &floors)?;
        if self.wanted.minute == i64::MAX {
            floors.minute = i64::MAX;
        } else if floors.row > self.now.row {
            self.minutes(tx, &mut floors)?;
        }
        if floors.minute != i64::MAX {
            floors.minute = floors.minute.max(self.wanted.minute.min(floors.row));
        }
        // Coarser sums are kept at least as long, by whole days, or a day's beginning would be told
        // by nothing.
        let finer = down(floors.row.min(floors.minute), DAY);
        floors.hour = self.wanted.hour.min(finer).max(self.now.hour);
        floors.day = self.wanted.day.min(floors.hour).max(self.now.day);
        floors.write(tx)?;
        let blocks = max_rows.div_euclid(BLOCK_ROWS).max(1);
        report.connections = delete_blocks(tx, floors.row, blocks)?;
        if report.connections > 0 {
            let gone = i64::try_from(report.connections).unwrap_or(0);
            tx.prepare_cached("UPDATE totals SET value = value - ?1 WHERE name = 'rows'")?
                .execute([gone])?;
            return Ok(false);
        }
        report.sums = delete_sums(tx, &floors)?;
        Ok(report.sums == 0 && floors.row == self.wanted.row)
    }

    /// How far rows can go in this step: at once, but for an hour if minutes are to be made of it.
    fn rows_floor(&self, tx: &Transaction<'_>, floors: &Floors) -> Sql<i64> {
        if self.wanted.minute == i64::MAX || floors.row >= self.wanted.row {
            return Ok(self.wanted.row);
        }
        let oldest: Option<i64> = tx
            .prepare_cached(
                "SELECT first FROM blocks WHERE sealed = 1 AND last >= ?1 AND first > ?1 - ?2
                 ORDER BY first LIMIT 1",
            )?
            .query_row([floors.row, BLOCK_SPAN], |row| row.get(0))
            .optional()?;
        let oldest = oldest.unwrap_or(i64::MAX).max(floors.row);
        Ok(down(oldest, HOUR).saturating_add(HOUR).min(self.wanted.row))
    }

    /// Makes minutes of the rows that go.
    fn minutes(&self, tx: &Transaction<'_>, floors: &mut Floors) -> Sql<()> {
        let time = self.now.row.max(self.wanted.minute)..floors.row;
        if floors.minute == i64::MAX {
            floors.minute = time.start.min(floors.row);
        }
        let mut rows = Vec::new();
        blocks::scan(tx, (time.clone(), Which::Sealed), |block| {
            block.each(|row| {
                if time.contains(&row.contime) {
                    // Pairs ask for no ports.
                    rows.push(Summand::new(row, (0, 0, 0), row.peer));
                }
            })
        })?;
        rollups::add_to(tx, (Level::Minute, Cube::Pair), &rows, |_| true)
    }
}

/// Bytes that the history takes, without what is free.
fn used(conn: &Connection) -> Sql<u64> {
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    let pages = number("PRAGMA page_count")? - number("PRAGMA freelist_count")?;
    let bytes = pages.saturating_mul(number("PRAGMA page_size")?);
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Lets go of an hour of rows, or of a day of sums.
fn squeeze(conn: &Connection, wanted: &mut Floors) -> Sql<()> {
    let number = |sql: &str| {
        conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).optional().map(Option::flatten)
    };
    let newest = number("SELECT max(first) FROM blocks WHERE sealed = 1")?;
    if let (Some(oldest), Some(newest)) =
        (number("SELECT min(first) FROM blocks WHERE sealed = 1")?, newest)
        && oldest < newest - DAY
    {
        wanted.row = wanted.row.max(down(oldest, HOUR) + HOUR);
        return Ok(());
    }
    for level in Level::ALL {
        let keys = rollups::keys(level, Cube::Pair, &(0..i64::MAX));
        let end = |order: &str| {
            conn.query_row(
                &format!(
                    "SELECT key FROM rollups WHERE key >= ?1 AND key < ?2 ORDER BY key {order}
                     LIMIT 1"
                ),
                [keys.start, keys.end],
                |row| row.get::<_, i64>(0),
            )
            .optional()
        };
        let (Some(oldest), Some(newest)) = (end("ASC")?, end("DESC")?) else { continue };
        if rollups::start(oldest) < rollups::start(newest) - DAY {
            let cut = down(rollups::start(oldest), DAY) + DAY;
            let (floor, most) = match level {
                Level::Minute => (&mut wanted.minute, i64::MAX),
                Level::Hour => (&mut wanted.hour, down(wanted.row, DAY)),
                Level::Day => (&mut wanted.day, down(wanted.row, DAY)),
            };
            if cut > most {
                continue;
            }
            *floor = cut.max(*floor);
            return Ok(());
        }
    }
    Ok(())
}

/// Deletes up to so many blocks of rows older than `before`; what is younger in the last of them
/// becomes a block of its own. Returns how many rows went.
fn delete_blocks(tx: &Transaction<'_>, before: i64, most: usize) -> Sql<usize> {
    let mut old: Vec<(i64, i64, bool)> = Vec::new();
    {
        let mut stmt = tx.prepare_cached(
            "SELECT id, rows, last >= ?1 FROM blocks WHERE sealed = 1 AND first < ?1
             ORDER BY first LIMIT ?2",
        )?;
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = stmt.query([before, limit])?;
        while let Some(row) = rows.next()? {
            old.push((row.get(0)?, row.get(1)?, row.get(2)?));
        }
    }
    let mut gone = 0;
    for (id, rows, straddles) in old {
        gone += usize::try_from(rows).unwrap_or(0);
        if straddles {
            let mut kept: Vec<Stored> = Vec::new();
            blocks::one(tx, id, |block| {
                block.each(|row| {
                    if row.contime >= before {
                        kept.push(*row);
                    }
                })
            })?;
            gone = gone.saturating_sub(kept.len());
            let mut builder = Builder::new(true);
            for row in &kept {
                builder.push(tx, row)?;
            }
            builder.finish(tx)?;
        }
        tx.prepare_cached("DELETE FROM blocks WHERE id = ?1")?.execute([id])?;
    }
    Ok(gone)
}

/// Deletes some of the sums that are older than what is kept. Returns how many.
fn delete_sums(tx: &Transaction<'_>, floors: &Floors) -> Sql<usize> {
    let lasting =
        |level: Level| level.lasting().iter().map(move |cube| (level, *cube, floors.of(level)));
    // Those that save reading rows go with them.
    let passing = |level: Level| {
        level.passing().iter().map(move |cube| (level, *cube, down(floors.row, level.span())))
    };
    let all = Level::ALL.into_iter().flat_map(|level| lasting(level).chain(passing(level)));
    let mut gone = 0;
    for (level, cube, before) in all {
        let keys: Range<i64> = rollups::keys(level, cube, &(i64::MIN..before));
        let most = i64::try_from(MOST_SUMS.saturating_sub(gone)).unwrap_or(0);
        gone += tx
            .prepare_cached(
                "DELETE FROM rollups WHERE key IN
                   (SELECT key FROM rollups WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3)",
            )?
            .execute([keys.start, keys.end, most])?;
    }
    Ok(gone)
}
