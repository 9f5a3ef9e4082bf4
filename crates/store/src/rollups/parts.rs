//! Sums in parts: a day is not written anew whenever something is added to it.
//!
//! The key of a sum is that of the minute in which its time begins. The other minutes of an hour or
//! a day are free to be the keys of further parts. Once the time is over they become one.

use rusqlite::OptionalExtension;
use rusqlite::Transaction;

use super::Cube;
use super::Level;
use super::cells;
use super::damaged;
use super::key;
use super::keys;
use super::start;
use crate::classify::Sql;
use crate::group::Sums;

/// Bytes of a part to which nothing more is added.
const FULL: i64 = 64 * 1024;

/// Adds cells, which have to be sorted and different, to what has this key: to its last part, or as
/// a new one.
pub(crate) fn add(tx: &Transaction<'_>, key: i64, added: &[([u64; 2], Sums)]) -> Sql<()> {
    let level = Level::ALL.into_iter().find(|level| *level as i64 == super::which(key).0);
    let minutes = level.map_or(1, Level::span) / 60;
    let last: Option<(i64, i64)> = tx
        .prepare_cached(
            "SELECT key, length(sums) FROM rollups WHERE key >= ?1 AND key < ?2
             ORDER BY key DESC LIMIT 1",
        )?
        .query_row([key, key + minutes], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match last {
        None => write(tx, key, &cells::pack(added.iter().copied())),
        Some((last, bytes)) if bytes >= FULL && last + 1 < key + minutes => {
            write(tx, last + 1, &cells::pack(added.iter().copied()))
        }
        Some((last, _)) => {
            let stored: Vec<u8> = tx
                .prepare_cached("SELECT sums FROM rollups WHERE key = ?1")?
                .query_row([last], |row| row.get(0))?;
            write(tx, last, &cells::merge(&stored, added).map_err(damaged)?)
        }
    }
}

fn write(tx: &Transaction<'_>, key: i64, sums: &[u8]) -> Sql<()> {
    tx.prepare_cached("INSERT OR REPLACE INTO rollups(key, sums) VALUES (?1, ?2)")?
        .execute(rusqlite::params![key, sums])?;
    Ok(())
}

/// Packs all sums anew, as they are packed now; `becomes` says where each cell is then.
pub(crate) fn repack(tx: &Transaction<'_>, becomes: impl Fn(i64, [u64; 2]) -> [u64; 2]) -> Sql<()> {
    let keys = tx
        .prepare("SELECT key FROM rollups")?
        .query_map([], |row| row.get(0))?
        .collect::<Sql<Vec<i64>>>()?;
    for key in keys {
        let stored: Vec<u8> = tx
            .prepare_cached("SELECT sums FROM rollups WHERE key = ?1")?
            .query_row([key], |row| row.get(0))?;
        let packed = cells::repack(&stored, |cell| becomes(key, cell)).map_err(damaged)?;
        write(tx, key, &packed)?;
    }
    Ok(())
}

/// Makes one of the parts of a time that is over: one only, so that it takes no long time. False if
/// there is no such time.
pub(crate) fn fold(tx: &Transaction<'_>, now: i64) -> Sql<bool> {
    for level in [Level::Hour, Level::Day] {
        let begin = now.div_euclid(level.span()) * level.span();
        for cube in level.cubes() {
            let before = keys(level, cube, &(i64::MIN..begin));
            let newest: Option<i64> = tx
                .prepare_cached("SELECT max(key) FROM rollups WHERE key >= ?1 AND key < ?2")?
                .query_row([before.start, before.end], |row| row.get(0))?;
            let Some(newest) = newest else { continue };
            let whole = key(level, cube, start(newest));
            if newest > whole {
                merge(tx, whole, newest)?;
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Makes one of the parts of the sum that begins at `start`.
pub(crate) fn join(tx: &Transaction<'_>, (level, cube): (Level, Cube), start: i64) -> Sql<()> {
    let time = keys(level, cube, &(start..start.saturating_add(level.span())));
    let last: Option<i64> = tx
        .prepare_cached("SELECT max(key) FROM rollups WHERE key >= ?1 AND key < ?2")?
        .query_row([time.start, time.end], |row| row.get(0))?;
    match last {
        Some(last) if last > time.start => merge(tx, time.start, last),
        _ => Ok(()),
    }
}

/// Makes one of all parts from one key to another.
fn merge(tx: &Transaction<'_>, first: i64, last: i64) -> Sql<()> {
    let parts = tx
        .prepare_cached("SELECT sums FROM rollups WHERE key >= ?1 AND key <= ?2 ORDER BY key")?
        .query_map([first, last], |row| row.get::<_, Vec<u8>>(0))?
        .collect::<Sql<Vec<_>>>()?;
    let merged = cells::merge_all(&parts).map_err(damaged)?;
    tx.prepare_cached("DELETE FROM rollups WHERE key > ?1 AND key <= ?2")?
        .execute([first, last])?;
    write(tx, first, &merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollups::Chunk;
    use crate::rollups::scan;
    use rusqlite::Connection;
    use std::collections::BTreeMap;

    fn stored(conn: &Connection, time: &std::ops::Range<i64>) -> BTreeMap<[u64; 2], Sums> {
        let mut found: BTreeMap<[u64; 2], Sums> = BTreeMap::new();
        scan(conn, (Level::Day, Cube::Pair), time, |start, mut cells| {
            assert_eq!(start, time.start);
            let mut chunk = Chunk::default();
            while cells.next(&mut chunk).unwrap() {
                chunk.read_sums().unwrap();
                for at in 0..chunk.len() {
                    found.entry(chunk.cell(at)).or_default().add(chunk.sums(at));
                }
            }
            Ok::<(), rusqlite::Error>(())
        })
        .unwrap();
        found
    }

    #[test]
    fn a_day_grows_in_parts_and_becomes_one() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE rollups(key INTEGER PRIMARY KEY, sums BLOB NOT NULL)")
            .unwrap();
        let tx = conn.transaction().unwrap();
        let day = 20_000 * 86_400;
        let base = key(Level::Day, Cube::Pair, day);
        let mut expected: BTreeMap<[u64; 2], Sums> = BTreeMap::new();
        for round in 0..12_u64 {
            let cells = (0..9_000_u64).map(|at| {
                let sums = Sums { send: at << round, rtt_us: Some(at), ..Sums::default() };
                ([at % 60, at * (1 + round % 4)], sums)
            });
            let mut cells: Vec<_> = cells.collect();
            cells.sort_by_key(|(cell, _)| *cell);
            for (cell, sums) in &cells {
                expected.entry(*cell).or_default().add(*sums);
            }
            add(&tx, base, &cells).unwrap();
        }
        // Another day's are none of its parts.
        add(&tx, base + 1_440, &[([1, 1], Sums::default())]).unwrap();
        let parts = |tx: &Transaction<'_>| {
            tx.query_row(
                "SELECT count(*) FROM rollups WHERE key >= ?1 AND key < ?1 + 1440",
                [base],
                |row| row.get::<_, i64>(0),
            )
            .unwrap()
        };
        assert!(parts(&tx) > 2);
        let time = day..day + 86_400;
        assert_eq!(stored(&tx, &time), expected);
        // Not while the day lasts.
        assert!(!fold(&tx, day + 86_399).unwrap());
        assert!(parts(&tx) > 2);
        assert!(fold(&tx, day + 86_400).unwrap());
        assert!(!fold(&tx, day + 86_400).unwrap());
        assert_eq!(parts(&tx), 1);
        assert_eq!(stored(&tx, &time), expected);
    }
}
