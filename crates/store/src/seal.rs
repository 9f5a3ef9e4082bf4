//! From the blocks of single batches to full ones and sums.

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;

use crate::blocks;
use crate::blocks::Builder;
use crate::blocks::Stored;
use crate::blocks::fitted;
use crate::classify::Sql;
use crate::intern::Interner;
use crate::rollups;
use crate::rollups::Floors;

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
    /// Sums may lie in parts that can become one; it is looked for after a seal.
    pub(crate) parts: bool,
}

impl Waiting {
    /// After [`seal`].
    pub(crate) const SEALED: Self = Self { rows: 0, blocks: 0, parts: true };

    pub(crate) fn read(conn: &Connection) -> Sql<Self> {
        let sql = "SELECT coalesce(sum(rows), 0), count(*) FROM blocks WHERE sealed = 0";
        conn.prepare_cached(sql)?
            .query_row([], |row| Ok(Self { rows: row.get(0)?, blocks: row.get(1)?, parts: false }))
    }

    /// Time to seal.
    pub(crate) fn is_due(&self) -> bool {
        self.rows >= ROWS || self.blocks >= BLOCKS
    }
}

/// Seals all that waits.
pub(crate) fn seal(tx: &Transaction<'_>, interner: &mut Interner) -> Sql<()> {
    let mut rows = Vec::new();
    let waiting = (i64::MIN..i64::MAX, blocks::Which::Waiting);
    blocks::scan(tx, waiting, |block| block.each(|row| rows.push(*row)))?;
    tx.prepare_cached("DELETE FROM blocks WHERE sealed = 0")?.execute([])?;
    make(tx, interner, rows)
}

/// Makes blocks and sums of rows.
fn make(tx: &Transaction<'_>, interner: &mut Interner, mut rows: Vec<Stored>) -> Sql<()> {
    let floors = Floors::read(tx)?;
    rows.sort_by_key(|row| row.contime);
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
        summands.push(interner.summand(tx, &row)?);
    }
    builder.finish(tx)?;
    rollups::add(tx, &summands, &floors)?;
    tx.prepare_cached("UPDATE totals SET value = value - ?1 WHERE name = 'rows'")?
        .execute([sums_only])?;
    Ok(())
}

/// Makes blocks of some of the rows that an earlier version left; false if there are none.
pub(crate) fn adopt(tx: &Transaction<'_>, interner: &mut Interner) -> Sql<bool> {
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
    make(tx, interner, rows.into_iter().map(|(_, row)| row).collect())?;
    Ok(true)
}
