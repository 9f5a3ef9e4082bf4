//! Other sums: of hours by ports and processes while there are rows, in place of those by peer, which
//! pairs tell about as quickly; of days by peer and what became of it, by host, and by processes and
//! who they were; all in fewer bytes.

use rusqlite::OptionalExtension;
use rusqlite::Transaction;

use crate::blocks;
use crate::blocks::Which;
use crate::classify::Sql;
use crate::dimension::UNKNOWN_OUTCOME;
use crate::intern::Interner;
use crate::migrate::Step;
use crate::rollups;
use crate::rollups::Cube;
use crate::rollups::Floors;
use crate::rollups::Level;

const DAY: i64 = Level::Day.span();

/// Sums of level 1, cube 1, and level 2, cube 5. Whoever scans all ports of this machine makes as many
/// peers that differ in nothing else.
pub(super) const V6: Step = Step {
    sql: "DELETE FROM rollups WHERE key >= 9 << 40 AND key < 10 << 40
            OR key >= 21 << 40 AND key < 22 << 40;
          DROP INDEX peers_by_key;
          CREATE INDEX peers_by_key ON peers(raddr_id, domain_id, rport, lport);
          DROP INDEX actors_by_key;
          CREATE INDEX actors_by_key ON actors(exe_id, pexe_id, place_id, laddr_id, netns);",
    then: Some(change_sums),
};

fn change_sums(tx: &Transaction<'_>) -> Sql<()> {
    let floors = Floors::read(tx)?;
    // The first day of which all rows are there.
    let whole = floors.row.saturating_add(DAY - 1).div_euclid(DAY) * DAY;
    let by_peer = rollups::keys(Level::Day, Cube::Peer, &(whole..i64::MAX));
    tx.execute("DELETE FROM rollups WHERE key >= ?1 AND key < ?2", [by_peer.start, by_peer.end])?;
    let by_peer = rollups::keys(Level::Day, Cube::Peer, &(i64::MIN..whole));
    // Each peer is one of its host; that there are several takes no more than time.
    let [from, to] = [Cube::Peer, Cube::Host].map(|cube| rollups::key(Level::Day, cube, 0));
    tx.execute(
        "INSERT INTO rollups SELECT key + ?3, sums FROM rollups WHERE key >= ?1 AND key < ?2",
        [by_peer.start, by_peer.end, to - from],
    )?;
    rollups::repack(tx, |key, cell| match by_peer.contains(&key) {
        true => [cell[0], UNKNOWN_OUTCOME],
        false => cell,
    })?;
    add_sums(tx, whole)
}

/// Adds up the rows, an hour at a time; those of days from `whole` on also by peer.
fn add_sums(tx: &Transaction<'_>, whole: i64) -> Sql<()> {
    let hour = Level::Hour.span();
    let mut interner = Interner::default();
    let (mut from, mut day) = (i64::MIN, None);
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
        // The parts of a day that is over become one.
        let this = Some(time.start.div_euclid(DAY));
        if day != this {
            join(tx, day)?;
        }
        day = this;
        let rows = stored.iter().map(|row| interner.summand(tx, row)).collect::<Sql<Vec<_>>>()?;
        let hours = Level::Hour.passing().iter().map(|cube| (Level::Hour, *cube));
        for which in hours.chain([(Level::Day, Cube::Loose), (Level::Day, Cube::Run)]) {
            rollups::add_to(tx, which, &rows, |_| true)?;
        }
        for cube in [Cube::Peer, Cube::Host] {
            rollups::add_to(tx, (Level::Day, cube), &rows, |start| start >= whole)?;
        }
        from = time.end;
    }
    join(tx, day)
}

/// Makes one of the parts of a day, which is counted from 1970.
fn join(tx: &Transaction<'_>, day: Option<i64>) -> Sql<()> {
    let Some(day) = day else { return Ok(()) };
    let mut cubes = [Cube::Loose, Cube::Run, Cube::Peer, Cube::Host].into_iter();
    cubes.try_for_each(|cube| rollups::join(tx, (Level::Day, cube), day * DAY))
}
