//! From the blocks of single batches to full ones and sums.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;

use crate::blocks;
use crate::blocks::Builder;
use crate::blocks::Stored;
use crate::blocks::fitted;
use crate::classify::Sql;
use crate::parties::Loose;
use crate::rollups;
use crate::rollups::Floors;
use crate::rollups::Summand;

/// So many rows wait to be sealed: fewer would have days summed up too often, more would take
/// readers too long to read.
const ROWS: i64 = 16_384;
/// Or so many blocks, of batches of few rows.
const BLOCKS: i64 = 2_048;

/// What waits to be sealed.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) rows: i64,
    pub(crate) blocks: i64,
}

impl Waiting {
    pub(crate) fn read(conn: &Connection) -> Sql<Self> {
        let sql = "SELECT coalesce(sum(rows), 0), count(*) FROM blocks WHERE sealed = 0";
        conn.prepare_cached(sql)?
            .query_row([], |row| Ok(Self { rows: row.get(0)?, blocks: row.get(1)? }))
    }

    /// Time to seal.
    pub(crate) fn is_due(&self) -> bool {
        self.rows >= ROWS || self.blocks >= BLOCKS
    }
}

/// The ports of peers.
pub(crate) struct Ports<'a> {
    tx: &'a Transaction<'a>,
    known: HashMap<i64, (i64, i64, i64)>,
}

impl<'a> Ports<'a> {
    pub(crate) fn new(tx: &'a Transaction<'a>) -> Self {
        Self { tx, known: HashMap::new() }
    }

    /// A row as sums have it.
    pub(crate) fn summand(&mut self, row: Stored) -> Sql<Summand> {
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
            loose: loose == Loose::Remote as i64,
        })
    }
}

/// Seals all that waits.
pub(crate) fn seal(tx: &Transaction<'_>) -> Sql<()> {
    let mut rows = Vec::new();
    let waiting = (i64::MIN..i64::MAX, blocks::Which::Waiting);
    blocks::scan(tx, waiting, |block| block.each(|row| rows.push(*row)))?;
    tx.prepare_cached("DELETE FROM blocks WHERE sealed = 0")?.execute([])?;
    make(tx, rows)
}

/// Makes blocks and sums of rows.
fn make(tx: &Transaction<'_>, mut rows: Vec<Stored>) -> Sql<()> {
    let floors = Floors::read(tx)?;
    rows.sort_by_key(|row| row.contime);
    let mut ports = Ports::new(tx);
    let mut builder = Builder::new(true);
    let mut summands = Vec::with_capacity(rows.len());
    let mut sums_only = 0;
    for row in rows {
        // What is older is no more asked for by row.
        if row.contime >= floors.row {
            builder.push(tx, &row)?;
        } else {
            sums_only += 1;
        }
        summands.push(ports.summand(row)?);
    }
    builder.finish(tx)?;
    rollups::add(tx, &summands, &floors)?;
    if let Some(last) = summands.last() {
        rollups::fold(tx, last.row.contime)?;
    }
    tx.prepare_cached("UPDATE totals SET value = value - ?1 WHERE name = 'rows'")?
        .execute([sums_only])?;
    Ok(())
}

/// Makes blocks of some of the rows that an earlier version left; false if there are none.
pub(crate) fn adopt(tx: &Transaction<'_>) -> Sql<bool> {
    let exists = "SELECT 1 FROM sqlite_schema WHERE name = 'staged'";
    if tx.query_row(exists, [], |_| Ok(())).optional()?.is_none() {
        return Ok(false);
    }
    let sql = format!("SELECT id, {} FROM staged ORDER BY id LIMIT {ROWS}", Stored::COLUMNS);
    let rows = tx
        .prepare(&sql)?
        .query_map([], |row| Ok((row.get::<_, i64>(0)?, fitted(&Stored::read(row, 1)?))))?
        .collect::<Sql<Vec<_>>>()?;
    let Some((last, _)) = rows.last() else {
        tx.execute_batch("DROP TABLE staged")?;
        return Ok(false);
    };
    tx.execute("DELETE FROM staged WHERE id <= ?1", [last])?;
    make(tx, rows.into_iter().map(|(_, row)| row).collect())?;
    Ok(true)
}
