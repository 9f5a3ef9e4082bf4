//! What is vouched for, in words, and the time that it is of.

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::classify::Sql;
use crate::rollups;
use crate::rollups::Level;

use super::items::BLOCKS;
use super::items::GAPS;
use super::items::Item;
use super::items::SUMS;

const EVENTS: u8 = 12;

/// What it is, in words.
pub(super) fn which(code: u8, key: i64, tell: Option<String>) -> String {
    let name = Item::of(code).map_or("row", |item| item.name);
    let told =
        tell.filter(|tell| !tell.is_empty()).map_or_else(String::new, |it| format!(" ({it})"));
    match code {
        SUMS => {
            let (level, cube) = rollups::which(key);
            let level = ["minute", "hour", "day"].get(usize::try_from(level).unwrap_or(9)).copied();
            let by = match cube {
                0 => Some("program"),
                1 => Some("other end"),
                2 => Some("program and other end"),
                8 => Some("host"),
                _ => None,
            };
            format!("the sum of this {} by {}", level.unwrap_or("time"), by.unwrap_or("something"))
        }
        GAPS => format!("the gap that began at {key}{told}"),
        _ => format!("{name} {key}{told}"),
    }
}

/// The time that a key tells itself.
pub(super) fn span(code: u8, key: i64) -> Option<(i64, i64)> {
    match code {
        SUMS => {
            let level = Level::ALL.into_iter().find(|it| *it as i64 == rollups::which(key).0)?;
            let start = rollups::start(key);
            Some((start, start.saturating_add(level.span())))
        }
        GAPS => Some((key, key.saturating_add(1))),
        _ => None,
    }
}

/// The time of what is stored.
pub(super) fn stored_span(conn: &Connection, code: u8, key: i64) -> Sql<Option<(i64, i64)>> {
    let sql = match code {
        BLOCKS => "SELECT first, last FROM blocks WHERE id = ?1",
        EVENTS => "SELECT at, at FROM event_log WHERE id = ?1",
        _ => return Ok(None),
    };
    conn.prepare_cached(sql)?
        .query_row([key], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.saturating_add(1))))
        .optional()
}

/// What of it tells people which one it is.
pub(super) fn tell(conn: &Connection, item: &Item, key: i64) -> Sql<Option<String>> {
    if item.tell.is_empty() {
        return Ok(None);
    }
    let Item { table, key: column, tell, .. } = item;
    let sql = format!("SELECT CAST({tell} AS TEXT) FROM {table} WHERE {column} = ?1 LIMIT 1");
    conn.prepare_cached(&sql)?.query_row([key], |row| row.get(0)).optional().map(Option::flatten)
}
