//! What there is when the chain is switched on.

use rusqlite::Transaction;

use crate::classify::Sql;
use crate::schema::SCHEMA_VERSION;

use super::covers::Entries;
use super::covers::Entry;
use super::items;
use super::items::Digest;
use super::items::ITEMS;
use super::items::SCHEMA;
use super::items::Together;
use super::items::VERSION;
use super::ledger::State;
use super::link::Kind;

/// Entries of a link.
const MOST: usize = 16_384;

impl State {
    /// Vouches for everything, in as many links as it takes.
    pub(super) fn take_stock(&mut self, tx: &Transaction<'_>) -> Sql<()> {
        let known = |now: Digest| Entry { now: Some(now), broken: false };
        let mut entries = Entries::new();
        entries.insert((SCHEMA, 0), known(items::schema(tx)?));
        entries.insert((VERSION, SCHEMA_VERSION), Entry { now: None, broken: false });
        let (since, until): (Option<i64>, Option<i64>) =
            tx.query_row("SELECT min(first), max(last) FROM blocks", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        self.until = until;
        self.append(tx, Kind::On, since, &entries, None)?;
        entries.clear();
        for item in ITEMS {
            let mut stmt = tx.prepare(&item.all())?;
            let mut rows = stmt.query([])?;
            while let Some(row) = rows.next()? {
                let key = (item.code, row.get(0)?);
                // Rows with one key follow each other, and a link may end between any others.
                if entries.len() >= MOST && !entries.contains_key(&key) {
                    self.append(tx, Kind::Stock, since, &entries, None)?;
                    entries.clear();
                }
                let mut together = Together(entries.get(&key).and_then(|entry| entry.now));
                together.add(row.get(1)?);
                entries.insert(key, Entry { now: together.0, broken: false });
            }
        }
        self.append(tx, Kind::Stock, since, &entries, None)
    }
}
