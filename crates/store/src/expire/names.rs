//! Names that nothing refers to any more.

use rusqlite::OptionalExtension;
use rusqlite::Transaction;

use crate::classify::Sql;
use crate::intern::SEEN_STEP;

/// Where the search for orphans is.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sweep {
    /// `None` while no search is under way.
    at: Option<Place>,
    /// What the latest search is, or was, about.
    begun: Option<Before>,
}

/// Nothing older than this is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Before {
    /// Rows.
    pub(super) rows: i64,
    /// Anything that has names.
    pub(super) names: i64,
}

impl Before {
    fn is_worth_a_search(self, begun: Self) -> bool {
        // `last_seen` moves in steps of an hour: more often finds nothing.
        let later = |now: i64, then: i64| now >= then.saturating_add(SEEN_STEP);
        later(self.rows, begun.rows) || later(self.names, begun.names)
    }

    fn min(self, other: Self) -> Self {
        Self { rows: self.rows.min(other.rows), names: self.names.min(other.names) }
    }
}

impl Sweep {
    /// Traffic of this second was written. If it is older than what is kept, what it refers to may
    /// be an orphan in a table that has been searched already, and what that refers to would go
    /// before it.
    pub(crate) fn note(&mut self, oldest: i64) {
        if self.begun.is_some_and(|begun| oldest < begun.rows) && self.at.is_some() {
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

impl Sweep {
    /// One step of a search, which begins if it is worth it. Returns how many names went, and how
    /// things are then.
    pub(super) fn step(
        &self,
        tx: &Transaction<'_>,
        before: Before,
        max_rows: i64,
    ) -> Sql<(usize, Self)> {
        let (mut at, mut begun) = (self.at, self.begun);
        if at.is_none() && begun.is_none_or(|begun| before.is_worth_a_search(begun)) {
            at = Some(Place::START);
            begun = Some(before);
        }
        let Some(place) = at else { return Ok((0, Self { at, begun })) };
        // Never later than for the tables before, or what was left there would lose what it refers
        // to.
        let before = begun.map_or(before, |begun| begun.min(before));
        let (names, next) = sweep(tx, place, before, max_rows)?;
        Ok((names, Self { at: next, begun: Some(before) }))
    }

    pub(super) fn is_idle(&self) -> bool {
        self.at.is_none()
    }
}

/// A table to search, and what of it is an orphan once nothing older than ?3 is kept.
struct Searched {
    table: &'static str,
    orphan: &'static str,
    /// Rows refer to others of the same table, which are no orphans before these are gone. Only
    /// rows of traffic refer to it, no sums.
    nested: bool,
}

const fn searched(table: &'static str, orphan: &'static str) -> Searched {
    Searched { table, orphan, nested: false }
}

/// In this order: what refers to others comes before them. Executables that wait for their digest
/// are needed by the writer.
const TABLES: &[Searched] = &[
    searched("actors", "last_seen < ?3"),
    searched("peers", "last_seen < ?3"),
    Searched {
        table: "processes",
        orphan: "last_seen < ?3
           AND NOT EXISTS (SELECT 1 FROM processes AS below WHERE below.parent_id = processes.id
             AND below.parent_id <> 0)
           AND NOT EXISTS (SELECT 1 FROM event_log WHERE process_id = processes.id)",
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

/// Looks at the next `max_rows` names. Returns how many went, and where to go on.
///
/// The youngest come first: whoever refers to another of the same table is mostly younger.
fn sweep(
    tx: &Transaction<'_>,
    place: Place,
    before: Before,
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
    let before = if *nested { before.rows } else { before.names };
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
