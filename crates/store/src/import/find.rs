//! Finding rows again: by what they say, not by their number.

use std::fmt::Write as _;

use rusqlite::OptionalExtension;
use rusqlite::types::ValueRef;
use sha2::Digest as _;
use sha2::Sha256;

use super::ImportError;
use super::Picosnitch;
use super::error::of_source;
use super::layout::WRITTEN;
use super::overlap::Sample;
use super::source::number;
use super::words;
use crate::classify::Sql;

/// Rows of one second that are compared to find the last one taken.
const SAME_SECOND: u32 = 20_000;

/// How far is looked for a row that moved so many bytes that it is hardly like another.
const NEARBY: i64 = 5_000;
const TELLING: i64 = 1_000;

impl Picosnitch {
    /// What the row of this number says, in few characters; `None` if there is none.
    pub(super) fn fingerprint(&self, rowid: i64) -> Result<Option<String>, ImportError> {
        let columns = &self.columns;
        let sql = format!("SELECT {columns} FROM connections WHERE rowid = ?1");
        let made = || -> Sql<Option<String>> {
            self.conn.prepare_cached(&sql)?.query_row([rowid], print).optional()
        };
        made().map_err(|error| of_source(&self.path, &error))
    }

    /// Number of the last row that has this fingerprint, whatever number it had before.
    pub(super) fn search(&self, mark: &str) -> Result<Option<i64>, ImportError> {
        let Some(time) = mark.splitn(3, ' ').nth(2) else { return Ok(None) };
        let same = "SELECT rowid FROM connections WHERE contime = ?1 ORDER BY rowid DESC LIMIT ?2";
        let read = || -> Sql<Vec<i64>> {
            let mut stmt = self.conn.prepare_cached(same)?;
            // A number in version 4, which SQLite sees by the column.
            stmt.query_map(rusqlite::params![time, SAME_SECOND], |row| row.get(0))?.collect()
        };
        for rowid in read().map_err(|error| of_source(&self.path, &error))? {
            if self.fingerprint(rowid)?.as_deref() == Some(mark) {
                return Ok(Some(rowid));
            }
        }
        Ok(None)
    }

    /// Numbers of the first row and the last.
    pub(super) fn ends(&self) -> Result<Option<(i64, i64)>, ImportError> {
        // Apart: SQLite looks up one end of a table at once, but not both.
        let end = |which: &str| {
            let sql = format!("SELECT {which}(rowid) FROM connections");
            self.conn.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0))
        };
        let read = || Ok(end("min")?.zip(end("max")?));
        read().map_err(|error| of_source(&self.path, &error))
    }

    /// A row at or soon after `from` that moved enough to be told from others.
    pub(super) fn sample(&self, from: i64) -> Result<Option<Sample>, ImportError> {
        let columns = &self.columns;
        let sql = format!(
            "SELECT * FROM (SELECT {columns} FROM connections WHERE rowid >= ?1
               ORDER BY rowid LIMIT ?2)
             WHERE send + recv >= ?3 LIMIT 1"
        );
        let read = || -> Sql<Option<Sample>> {
            let mut stmt = self.conn.prepare_cached(&sql)?;
            let mut rows = stmt.query([from, NEARBY, TELLING])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let at = |index: usize| row.get_ref(index).map(number);
            Ok(match (at(1)?, at(3)?, at(4)?, at(5)?.or(Some(0))) {
                (Some(time), Some(send), Some(recv), Some(events)) => {
                    Some((time, send, recv, events))
                }
                _ => None,
            })
        };
        read().map_err(|error| of_source(&self.path, &error))
    }
}

/// `picosnitch DIGEST CONTIME`, of all that the row says but its number.
pub(super) fn print(row: &rusqlite::Row<'_>) -> Sql<String> {
    let mut hash = Sha256::new();
    // Not the unix second: local time is another one in another zone, but the row stays the same.
    for index in WRITTEN..row.as_ref().column_count() {
        feed(&mut hash, row.get_ref(index)?);
    }
    let mut out = "picosnitch ".to_owned();
    for byte in hash.finalize().iter().take(16) {
        // Writing to a String cannot fail.
        write!(out, "{byte:02x}").ok();
    }
    match row.get_ref(WRITTEN)? {
        ValueRef::Integer(time) => write!(out, " {time}").ok(),
        ValueRef::Text(time) => {
            write!(out, " {}", String::from_utf8_lossy(words::cut(time, 64).0)).ok()
        }
        _ => None,
    };
    Ok(out)
}

fn feed(hash: &mut Sha256, value: ValueRef<'_>) {
    let (kind, bytes): (u8, &[u8]) = match value {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(number) => {
            hash.update([1]);
            hash.update(number.to_le_bytes());
            return;
        }
        ValueRef::Real(number) => {
            hash.update([2]);
            hash.update(number.to_le_bytes());
            return;
        }
        ValueRef::Text(text) => (3, text),
        ValueRef::Blob(bytes) => (4, bytes),
    };
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}
