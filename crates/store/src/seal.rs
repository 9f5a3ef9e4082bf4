//! From rows as they came to blocks and sums.

use std::collections::HashMap;

use rusqlite::Transaction;

use crate::blocks::Builder;
use crate::blocks::Stored;
use crate::classify::Sql;
use crate::parties::Loose;
use crate::rollups;
use crate::rollups::Floors;
use crate::rollups::Summand;

/// So many rows wait to be sealed: fewer would have days summed up too often, more would take
/// readers too long to read.
pub(crate) const SEAL_AT: i64 = 16_384;

/// Rows that wait to be sealed, and those that never will be.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Waiting {
    /// Rows of `recent`.
    pub(crate) rows: i64,
    /// Those of them that have no room in blocks.
    pub(crate) stuck: i64,
}

impl Waiting {
    pub(crate) fn read(conn: &rusqlite::Connection) -> Sql<Self> {
        let rows = conn.query_row("SELECT count(*) FROM recent", [], |row| row.get(0))?;
        Ok(Self { rows, stuck: 0 })
    }

    /// Time to seal.
    pub(crate) fn is_due(&self) -> bool {
        self.rows - self.stuck >= SEAL_AT
    }
}

/// The ports of peers.
struct Ports<'a> {
    tx: &'a Transaction<'a>,
    known: HashMap<i64, (i64, i64, i64)>,
}

impl Ports<'_> {
    fn summand(&mut self, row: Stored) -> Sql<Summand> {
        let (lport, rport, loose) = match self.known.get(&row.peer) {
            Some(known) => *known,
            None => {
                let found = self
                    .tx
                    .prepare_cached("SELECT lport, rport, loose FROM peers WHERE id = ?1")?
                    .query_row([row.peer], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                self.known.insert(row.peer, found);
                found
            }
        };
        Ok(Summand {
            row,
            lport: if loose == Loose::Local as i64 { row.port } else { lport },
            rport: if loose == Loose::Remote as i64 { row.port } else { rport },
        })
    }
}

/// Moves up to `most` of the rows that came first into blocks and sums. Returns what waits then.
pub(crate) fn seal(tx: &Transaction<'_>, most: i64, waiting: Waiting) -> Sql<Waiting> {
    let floors = Floors::read(tx)?;
    let sql = format!("SELECT id, {} FROM recent ORDER BY id LIMIT ?1", Stored::COLUMNS);
    let mut rows = tx
        .prepare_cached(&sql)?
        .query_map([most.saturating_add(waiting.stuck)], |row| {
            Ok((row.get::<_, i64>(0)?, Stored::read(row, 1)?))
        })?
        .collect::<Sql<Vec<_>>>()?;
    let last = rows.last().map_or(0, |(id, _)| *id);
    let (mut stuck, mut sealed) = (Vec::new(), 0);
    rows.retain(|(id, row)| {
        let takes = Builder::takes(row);
        if !takes {
            stuck.push(*id);
        }
        takes
    });
    rows.sort_by_key(|(_, row)| row.contime);
    let mut ports = Ports { tx, known: HashMap::new() };
    let mut builder = Builder::default();
    let mut summands = Vec::with_capacity(rows.len());
    for (_, row) in &rows {
        summands.push(ports.summand(*row)?);
        // What is older is no more asked for by row.
        if row.contime >= floors.row {
            builder.push(tx, row)?;
            sealed += 1;
        }
    }
    builder.finish(tx)?;
    rollups::add(tx, &summands, &floors)?;
    let gone = i64::try_from(rows.len()).unwrap_or(0);
    tx.prepare_cached("UPDATE totals SET value = value - ?1 WHERE name = 'rows'")?
        .execute([gone - sealed])?;
    // Those without room are few, or none.
    let kept = stuck.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    tx.execute(&format!("DELETE FROM recent WHERE id <= ?1 AND id NOT IN ({kept})"), [last])?;
    let stuck = i64::try_from(stuck.len()).unwrap_or(0);
    Ok(Waiting { rows: waiting.rows - gone, stuck })
}
