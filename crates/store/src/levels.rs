//! Since when the history tells of rows, minutes, hours and days.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use serde::Serialize;

use crate::Reader;
use crate::StoreError;
use crate::classify::At;
use crate::classify::Sql;
use crate::rollups;
use crate::rollups::Cube;
use crate::rollups::Floors;
use crate::rollups::Level;

/// Of which time there is something. Unix seconds; times are those of traffic, not of when it was
/// written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The oldest of it; `None` if there is nothing.
    pub since: Option<i64>,
    /// What was older than this has been let go, if there was any; `None` if all is kept.
    pub let_go: Option<i64>,
}

/// How far back the history tells of what. Something finer tells all that something coarser does, so
/// that none begins later than the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Levels {
    /// Single rows.
    pub rows: Kept,
    /// What happened in a minute.
    pub minutes: Kept,
    /// In an hour.
    pub hours: Kept,
    /// In a day.
    pub days: Kept,
}

impl Reader {
    /// Since when rows, minutes, hours and days are kept. Takes no time whatever the size.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn levels(&self) -> Result<Levels, StoreError> {
        self.consistently(read).at(self.path())
    }
}

fn read(conn: &Connection) -> Sql<Levels> {
    let floors = Floors::read(conn)?;
    let number = |sql: &str| {
        conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).optional().map(Option::flatten)
    };
    let waiting = number("SELECT min(first) FROM blocks WHERE sealed = 0")?;
    let sealed = number("SELECT min(first) FROM blocks WHERE sealed = 1")?;
    // What the floor has passed may be there for some steps more.
    let oldest = [waiting, sealed].into_iter().flatten().min();
    let rows = Kept { since: oldest.map(|time| time.max(floors.row)), let_go: passed(floors.row) };
    let minutes = coarser(conn, Level::Minute, &floors, rows)?;
    let hours = coarser(conn, Level::Hour, &floors, minutes)?;
    let days = coarser(conn, Level::Day, &floors, hours)?;
    Ok(Levels { rows, minutes, hours, days })
}

fn coarser(conn: &Connection, level: Level, floors: &Floors, finer: Kept) -> Sql<Kept> {
    let keys = rollups::keys(level, Cube::Pair, &(floors.of(level)..i64::MAX));
    let oldest = conn
        .query_row(
            "SELECT key FROM rollups WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT 1",
            [keys.start, keys.end],
            |row| row.get::<_, i64>(0),
        )
        .optional()?
        .map(rollups::start);
    let since = [oldest, finer.since].into_iter().flatten().min();
    let let_go = match (passed(floors.of(level)), finer.let_go) {
        (Some(own), Some(finer)) => Some(own.min(finer)),
        // One that lets nothing go has it all.
        _ => None,
    };
    Ok(Kept { since, let_go })
}

/// A floor, once it is one: before retention let anything go it lies before all time, and that of
/// minutes, which are read from rows then, after it.
fn passed(floor: i64) -> Option<i64> {
    (floor > i64::MIN / 2).then_some(floor)
}
