//! Retention: the oldest traffic goes first, a little at a time, while everything runs.

use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::params;

use crate::StoreError;
use crate::Writer;
use crate::classify::At;
use crate::classify::Sql;
use crate::events;
use crate::gaps;
use crate::intern::SEEN_STEP;

/// Free pages are kept for new rows up to this share of the file (one in …) …
const KEEP_FREE_SHARE: i64 = 16;
/// … and up to this many pages in any case (1 MB).
const KEEP_FREE_PAGES: i64 = 256;
/// Pages given back to the file system per step (1 MB).
const VACUUM_PAGES: i64 = 256;

/// What one step of retention did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpireReport {
    /// Connections deleted.
    pub connections: usize,
    /// Executables, domains, addresses, locations, containers, processes, places, programs and what was known
    /// of them, deleted since nothing refers to them any more.
    pub names: usize,
    /// Events forgotten.
    pub events: usize,
    /// Gaps forgotten.
    pub gaps: usize,
    /// Pages of 4096 bytes given back to the file system.
    pub pages: i64,
    /// Nothing is left to do for this `before`: call again in a while. Otherwise call again soon.
    pub done: bool,
}

/// Where the search for orphans is.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// `None` while no search is under way.
    at: Option<Place>,
    /// `before` of the latest search.
    begun: Option<i64>,
}

impl Sweep {
    /// Traffic of this second was written. If it is older than what is kept, what it refers to may
    /// be an orphan in a table that has been searched already, and what that refers to would go
    /// before it.
    pub(crate) fn note(&mut self, oldest: i64) {
        if self.begun.is_some_and(|begun| oldest < begun) && self.at.is_some() {
            self.at = Some(Place::START);
        }
    }
}

/// A place in [`TABLES`].
#[derive(Debug, Clone, Copy)]
struct Place {
    table: usize,
    /// The id below which to go on.
    below: i64,
    /// Something of this table went.
    gone: bool,
    /// Something of this table has to wait for something that refers to it.
    blocked: bool,
}

impl Place {
    const START: Self = Self { table: 0, below: i64::MAX, gone: false, blocked: false };
}

/// A table to search, and what of it is an orphan once nothing older than ?3 is kept.
struct Searched {
    table: &'static str,
    orphan: &'static str,
    /// Rows refer to others of the same table, which are no orphans before these are gone.
    nested: bool,
}

const fn searched(table: &'static str, orphan: &'static str) -> Searched {
    Searched { table, orphan, nested: false }
}

/// In this order: what refers to others comes before them. Executables that wait for their digest
/// are needed by the writer.
const TABLES: &[Searched] = &[
    Searched {
        table: "processes",
        orphan: "last_seen < ?3
           AND NOT EXISTS (SELECT 1 FROM processes AS below WHERE below.parent_id = processes.id
             AND below.parent_id <> 0)",
        nested: true,
    },
    searched("executables", "last_seen < ?3 AND sha256 <> '(pending)'"),
    searched("domains", "last_seen < ?3"),
    searched("addresses", "last_seen < ?3"),
    searched("locations", "last_seen < ?3"),
    searched("places", "last_seen < ?3"),
    searched("containers", "last_seen < ?3"),
    searched("programs", "last_seen < ?3"),
    // Needed as long as there are such contents anywhere.
    searched(
        "versions",
        "last_seen < ?3
           AND NOT EXISTS (SELECT 1 FROM executables WHERE sha256 = versions.sha256)
           AND NOT EXISTS (SELECT 1 FROM event_log WHERE old_sha256 = versions.sha256
             AND old_sha256 <> '')
           AND NOT EXISTS (SELECT 1 FROM programs WHERE path = versions.exe
             AND realm = versions.realm AND sha256 = versions.sha256)",
    ),
    searched(
        "boots",
        "?3 IS NOT NULL AND NOT EXISTS (SELECT 1 FROM processes WHERE boot = boots.id)",
    ),
];

impl Writer {
    /// One small step of forgetting what is older than `before` (unix seconds): at most
    /// `max_rows` connections, or, once those are gone, a look at `max_rows` names; and up to
    /// 1 MB of file given back. With 5,000 rows a step mostly takes 2 ms; one that happens to
    /// write the journal back to the file takes 20 to 100 ms, as the disk goes.
    ///
    /// # Errors
    /// As [`Writer::write`]. The deletion and the giving back are separate: the first may have been
    /// done when the second fails.
    pub fn expire(&mut self, before: i64, max_rows: usize) -> Result<ExpireReport, StoreError> {
        let max_rows = i64::try_from(max_rows.max(1)).unwrap_or(i64::MAX);
        let report = self.step(before, max_rows);
        if !matches!(report, Ok(ExpireReport { names: 0, .. })) {
            self.interner.clear();
            self.waiting.undecided.forget_processes();
        }
        report.at(&self.path)
    }

    fn step(&mut self, before: i64, max_rows: i64) -> Sql<ExpireReport> {
        let mut report = ExpireReport::default();
        let tx = self.db.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (connections, all) = delete_oldest(&tx, before, max_rows)?;
        report.connections = connections;
        let mut at = self.sweep.at;
        let mut begun = self.sweep.begun;
        // Names may only be judged while no older traffic refers to them; a row written late may
        // have brought some back between two steps.
        if all {
            report.gaps = gaps::expire(&tx, before)?;
            report.events = events::expire(&tx, before, max_rows)?;
        }
        // Events refer to names as well.
        let all = all && report.events < usize::try_from(max_rows).unwrap_or(usize::MAX);
        if all {
            // `last_seen` moves in steps of an hour: more often finds nothing.
            if at.is_none() && begun.is_none_or(|begun| before >= begun.saturating_add(SEEN_STEP)) {
                at = Some(Place::START);
                begun = Some(before);
            }
            if let Some(place) = at {
                // Never later than for the tables before, or what was left there would lose what it
                // refers to.
                let before = begun.map_or(before, |begun| begun.min(before));
                begun = Some(before);
                let (names, next) = sweep(&tx, place, before, max_rows)?;
                report.names = names;
                at = next;
            }
        }
        tx.commit()?;
        self.sweep = Sweep { at, begun };
        report.pages = self.give_back()?;
        report.done = all && self.sweep.at.is_none() && report.pages == 0;
        Ok(report)
    }

    fn give_back(&self) -> Sql<i64> {
        let number = |sql: &str| self.db.conn.query_row(sql, [], |row| row.get::<_, i64>(0));
        let free = number("PRAGMA freelist_count")?;
        let keep = (number("PRAGMA page_count")? / KEEP_FREE_SHARE).max(KEEP_FREE_PAGES);
        let pages = free.saturating_sub(keep).min(VACUUM_PAGES);
        if pages <= 0 {
            return Ok(0);
        }
        // Each row that this pragma returns is one page; it must be read to the end.
        let mut stmt = self.db.conn.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = stmt.query([])?;
        while rows.next()?.is_some() {}
        Ok(pages)
    }
}

/// Deletes up to `max_rows`; tells how many, and whether that was all.
fn delete_oldest(tx: &Transaction<'_>, before: i64, max_rows: i64) -> Sql<(usize, bool)> {
    let end: Option<(i64, i64)> = tx
        .prepare_cached(
            "SELECT contime, seq FROM traffic WHERE contime < ?1
             ORDER BY contime, seq LIMIT 1 OFFSET ?2",
        )?
        .query_row(params![before, max_rows], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let deleted = match end {
        Some((contime, seq)) => tx
            .prepare_cached("DELETE FROM traffic WHERE (contime, seq) < (?1, ?2)")?
            .execute([contime, seq])?,
        None => tx.prepare_cached("DELETE FROM traffic WHERE contime < ?1")?.execute([before])?,
    };
    let gone = i64::try_from(deleted).unwrap_or(i64::MAX);
    tx.prepare_cached("UPDATE totals SET value = value - ?1 WHERE name = 'rows'")?
        .execute([gone])?;
    Ok((deleted, end.is_none()))
}

/// Looks at the next `max_rows` names. Returns how many went, and where to go on.
///
/// The youngest come first: whoever refers to another of the same table is mostly younger.
fn sweep(
    tx: &Transaction<'_>,
    place: Place,
    before: i64,
    max_rows: i64,
) -> Sql<(usize, Option<Place>)> {
    let Some(Searched { table: name, orphan, nested }) = TABLES.get(place.table) else {
        return Ok((0, None));
    };
    let find = format!("SELECT id FROM {name} WHERE id < ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2");
    let end: Option<i64> = tx
        .prepare_cached(&find)?
        .query_row([place.below, max_rows.saturating_sub(1)], |row| row.get(0))
        .optional()?;
    let bounds = [place.below, end.unwrap_or(i64::MIN), before];
    let delete = format!("DELETE FROM {name} WHERE id < ?1 AND id >= ?2 AND id <> 0 AND {orphan}");
    let mut names = 0;
    loop {
        let gone = tx.prepare_cached(&delete)?.execute(bounds)?;
        names += gone;
        if gone == 0 || !nested {
            break;
        }
    }
    let left = format!(
        "SELECT EXISTS (SELECT 1 FROM {name} WHERE id < ?1 AND id >= ?2 AND id <> 0
           AND last_seen < ?3)"
    );
    let blocked = place.blocked
        || *nested && tx.prepare_cached(&left)?.query_row(bounds, |row| row.get(0))?;
    let gone = place.gone || names > 0;
    let next = match end {
        Some(below) => Some(Place { below, gone, blocked, ..place }),
        // Before what they refer to goes.
        None if gone && blocked => Some(Place { table: place.table, ..Place::START }),
        None => {
            let table = place.table + 1;
            (table < TABLES.len()).then_some(Place { table, ..Place::START })
        }
    };
    Ok((names, next))
}
