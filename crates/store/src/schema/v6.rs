//! Other sums of hours: by ports and processes while there are rows, in place of those by peer,
//! which pairs tell about as quickly.

use rusqlite::OptionalExtension;
use rusqlite::Transaction;

use crate::blocks;
use crate::blocks::Which;
use crate::classify::Sql;
use crate::intern::Interner;
use crate::migrate::Step;
use crate::rollups;
use crate::rollups::Cube;
use crate::rollups::Level;
use crate::rollups::Summand;

/// Level 1, cube 1.
pub(super) const V6: Step = Step {
    sql: "DELETE FROM rollups WHERE key >= 9 << 40 AND key < 10 << 40;",
    then: Some(add_sums),
};

/// Adds up the rows, an hour at a time.
fn add_sums(tx: &Transaction<'_>) -> Sql<()> {
    let hour = Level::Hour.span();
    let mut interner = Interner::default();
    let mut from = i64::MIN;
    // A block that began in the hour before may reach into this one.
    while let Some(first) = tx
        .prepare_cached(
            "SELECT min(max(first, ?1)) FROM blocks INDEXED BY blocks_by_time
             WHERE sealed = 1 AND first > ?2 AND last >= ?1",
        )?
        .query_row([from, from.saturating_sub(blocks::BLOCK_SPAN)], |row| {
            row.get::<_, Option<i64>>(0)
        })
        .optional()?
        .flatten()
    {
        let time = first.div_euclid(hour) * hour;
        let time = time..time.saturating_add(hour);
        let mut stored = Vec::new();
        blocks::scan(tx, (time.clone(), Which::Sealed), |block| {
            block.each(|row| stored.extend(time.contains(&row.contime).then_some(*row)))
        })?;
        let rows = stored
            .iter()
            .map(|row| Ok(Summand::new(row, interner.ports(tx, row.peer)?)))
            .collect::<Sql<Vec<_>>>()?;
        let hours = Level::Hour.passing().iter().map(|cube| (Level::Hour, *cube));
        for which in hours.chain([(Level::Day, Cube::Loose)]) {
            rollups::add_to(tx, which, &rows, |_| true)?;
        }
        from = time.end;
    }
    Ok(())
}
