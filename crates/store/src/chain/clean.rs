//! Letting go of links: what the oldest of them say that is still so is said by a new one.

use std::collections::BTreeMap;

use rusqlite::Transaction;

use crate::classify::Sql;

use super::covers;
use super::covers::Entries;
use super::covers::Entry;
use super::items;
use super::items::Item;
use super::items::SCHEMA;
use super::items::VERSION;
use super::ledger::State;
use super::link::Kind;
use super::link::Link;

/// Bytes of a step, about; two links at least.
const MOST: usize = 64 << 10;
/// So many links are not worth it.
const FEW: i64 = 64;

impl State {
    /// One step: the oldest links whose rows are all older than what is kept. True if some went.
    ///
    /// An entry that is not true any more stays behind: either a later link says what is, or nobody
    /// does, which shows.
    pub(super) fn clean(&mut self, tx: &Transaction<'_>, kept_since: i64) -> Sql<bool> {
        let number = |sql: &str| tx.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        if number("SELECT count(*) FROM chain")?.unwrap_or(0) <= FEW {
            return Ok(false);
        }
        let end = number("SELECT min(id) FROM chain WHERE kind = 0")?.unwrap_or(self.id);
        let mut all: BTreeMap<(u8, i64), (Entry, i64)> = BTreeMap::new();
        let (mut links, mut bytes, mut last) = (0, 0, None);
        Link::each(tx, |link| {
            let old = link.until.is_none_or(|until| until < kept_since);
            if link.id >= end || !old || links >= 2 && bytes >= MOST {
                return Ok::<bool, rusqlite::Error>(false);
            }
            if link.kind == Kind::On as i64 {
                all.clear();
            }
            // What cannot be read stays behind, which shows.
            let _bad = covers::unpack(&link.covers, |key, entry| {
                if link.origin.is_some_and(|origin| all.get(&key).is_some_and(|it| it.1 > origin)) {
                    return;
                }
                if entry.now.is_some() || key.0 == VERSION {
                    all.insert(key, (entry, link.id));
                } else {
                    all.remove(&key);
                }
            });
            links += 1;
            bytes += link.covers.len();
            last = Some((link.id, link.hash));
            Ok(true)
        })?;
        let Some((id, hash)) = last.filter(|_| links >= 2) else { return Ok(false) };
        let mut still = Entries::new();
        for ((code, key), (entry, _)) in all {
            let now = match code {
                VERSION => None,
                SCHEMA => Some(items::schema(tx)?),
                _ => match Item::of(code) {
                    Some(item) => item.now(tx, key)?,
                    None => None,
                },
            };
            if code == VERSION || now.is_some() && now == entry.now {
                still.insert((code, key), entry);
            }
        }
        self.append(tx, Kind::Carry, None, &still, Some((id, hash)))?;
        tx.prepare_cached("DELETE FROM chain WHERE id <= ?1")?.execute([id])?;
        Ok(true)
    }
}
