//! How far an import has come, kept with what it wrote.
//!
//! A picosnitch database has nothing that names it, its oldest rows go with its retention, and its
//! row numbers change when it is vacuumed. What stays, for as long as anything could be taken over
//! twice, is the last row that was taken: by it a database is known again. If that row is gone, so
//! are all before it.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;

use super::ImportError;
use super::Picosnitch;
use crate::classify::Sql;

/// How far an import has come with the rows of its [`crate::Batch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportMark {
    /// What was noted before.
    pub(super) replaces: Option<String>,
    /// The last row that was looked at: what it says, as [`Picosnitch::fingerprint`] has it.
    pub(super) source: String,
    /// Its number in the source.
    pub(super) position: i64,
    /// Rows taken since the last mark.
    pub(super) rows: u64,
    /// There was no further row.
    pub(super) finished: bool,
}

/// Notes it in the transaction that writes the rows.
pub(crate) fn write(tx: &Transaction<'_>, mark: Option<&ImportMark>) -> Sql<()> {
    let Some(mark) = mark else { return Ok(()) };
    let rows = i64::try_from(mark.rows).unwrap_or(i64::MAX);
    let before: i64 = match &mark.replaces {
        Some(source) => tx
            .prepare_cached("DELETE FROM imports WHERE source = ?1 RETURNING rows")?
            .query_row([source], |row| row.get(0))
            .optional()?
            .unwrap_or(0),
        None => 0,
    };
    tx.prepare_cached(
        "INSERT INTO imports(source, position, rows, finished) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT(source) DO UPDATE SET position = excluded.position,
           rows = rows + excluded.rows, finished = excluded.finished",
    )?
    .execute(params![
        mark.source,
        mark.position,
        before.saturating_add(rows),
        mark.finished
    ])?;
    Ok(())
}

/// All that are noted, by source and position.
pub(super) fn all(conn: &Connection) -> Sql<Vec<(String, i64)>> {
    conn.prepare("SELECT source, position FROM imports")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The row of `source` that one of the marks is about, and that mark; the furthest if there are
/// several.
pub(super) fn find(
    source: &Picosnitch,
    marks: &[(String, i64)],
) -> Result<Option<(i64, String)>, ImportError> {
    let mut found: Option<(i64, String)> = None;
    for (mark, position) in marks {
        let at = if source.fingerprint(*position)?.as_ref() == Some(mark) {
            Some(*position)
        } else {
            source.search(mark)?
        };
        if let Some(at) = at
            && found.as_ref().is_none_or(|(best, _)| *best < at)
        {
            found = Some((at, mark.clone()));
        }
    }
    Ok(found)
}
