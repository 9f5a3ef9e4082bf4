//! Carrying out a plan.

use std::ops::Range;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use crate::Filter;
use crate::StoreError;
use crate::Users;
use crate::blocks;
use crate::blocks::BLOCK_ROWS;
use crate::blocks::BLOCK_SPAN;
use crate::blocks::Which;
use crate::classify::At;
use crate::classify::Sql;
use crate::rollups;
use crate::rollups::Floors;
use crate::rollups::Level;

use super::Cancel;
use super::axis::Cache;
use super::groups::Crowded;
use super::groups::Groupings;
use super::groups::Groups;
use super::part::Part;
use super::plan::Need;
use super::plan::Of;
use super::plan::Plan;
use super::plan::Source;
use super::plan::plan;
use super::rows::Rows;
use super::rows::SumColumns;
use super::seen::Lookups;
use super::sets::Sets;

/// More parts than this mean that the question has too many answers for anybody.
const MOST_PARTS: u64 = 256;

/// Why an answer was given up.
#[derive(Debug)]
pub(crate) enum Stop {
    Sql(rusqlite::Error),
    Cancelled,
    /// There are more groups than fit.
    Crowded,
    /// There are more than fit in many parts.
    TooMany,
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Crowded> for Stop {
    fn from(_: Crowded) -> Self {
        Self::Crowded
    }
}

/// What is asked, but for how it is grouped.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    conn: &'a Connection,
    time: Range<i64>,
    sets: Sets,
    floors: Floors,
    extent: Range<i64>,
    cache: &'a Cache,
}

/// Takes what was asked for.
pub(crate) trait Sink {
    /// Adds what it wants to know of each.
    fn need(&self, need: &mut Need);

    /// Takes some; `source` has their columns of sums.
    fn take(
        &mut self,
        lookups: &Lookups,
        batch: &mut Rows,
        source: &dyn SumColumns,
    ) -> Result<(), Stop>;
}

/// Of which time an answer tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) time: Range<i64>,
    pub(crate) coarse_before: Option<i64>,
}

impl From<Plan> for Told {
    fn from(plan: Plan) -> Self {
        Self { time: plan.time, coarse_before: plan.coarse_before }
    }
}

/// One pass over everything that is asked for.
pub(super) struct Run<'a> {
    pub(super) need: Need,
    pub(super) sets: &'a Sets,
    pub(super) lookups: Lookups,
    /// What was found to lie before does not tell what is asked.
    pub(super) coarse_before: Option<i64>,
    sink: &'a mut dyn Sink,
    cancel: &'a Cancel,
}

impl Run<'_> {
    pub(super) fn check(&self) -> Result<(), Stop> {
        if self.cancel.is_cancelled() { Err(Stop::Cancelled) } else { Ok(()) }
    }

    pub(super) fn take(&mut self, batch: &mut Rows, source: &dyn SumColumns) -> Result<(), Stop> {
        self.sink.take(&self.lookups, batch, source)
    }

    fn go(&mut self, conn: &Connection, plan: &Plan) -> Result<(), Stop> {
        let mut batch = Rows::default();
        for part in &plan.parts {
            match part.source {
                Source::Rows => {
                    let sealed = (part.time.clone(), Which::Sealed);
                    blocks::scan(conn, sealed, |block| {
                        self.block(block, &part.time, part.of, &mut batch)
                    })?;
                }
                Source::Sums(level, cube) => {
                    rollups::scan(conn, (level, cube), &part.time, |start, cells| {
                        self.cells((cube, part.of), start, cells, &mut batch)
                    })?;
                }
            }
        }
        // What waits is in no sum yet.
        blocks::scan(conn, (plan.time.clone(), Which::Waiting), |block| {
            self.block(block, &plan.time, Of::All, &mut batch)
        })
    }
}

/// The time in which there is anything at all.
fn extent(conn: &Connection) -> Sql<Range<i64>> {
    let number = |sql: &str| {
        conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).optional().map(Option::flatten)
    };
    // The newest row is in one of the newest blocks.
    let newest = |sealed: i64| {
        number(&format!(
            "SELECT max(last) FROM blocks WHERE sealed = {sealed} AND first >
               (SELECT max(first) FROM blocks WHERE sealed = {sealed}) - {BLOCK_SPAN}"
        ))
    };
    let mut begins = vec![
        number("SELECT min(first) FROM blocks WHERE sealed = 0")?,
        number("SELECT min(first) FROM blocks WHERE sealed = 1")?,
    ];
    let mut ends: Vec<Option<i64>> = [newest(0)?, newest(1)?]
        .into_iter()
        .map(|last| last.map(|last| last.saturating_add(1)))
        .collect();
    let all = i64::MIN..i64::MAX;
    for level in Level::ALL {
        let keys = rollups::keys(level, rollups::Cube::Pair, &all);
        let end = |order: &str| {
            conn.query_row(
                &format!(
                    "SELECT key FROM rollups WHERE key >= ?1 AND key < ?2 ORDER BY key {order}
                     LIMIT 1"
                ),
                [keys.start, keys.end],
                |row| row.get::<_, i64>(0),
            )
            .optional()
        };
        begins.push(end("ASC")?.map(rollups::start));
        ends.push(end("DESC")?.map(|key| rollups::start(key).saturating_add(level.span())));
    }
    let begin = begins.into_iter().flatten().min().unwrap_or(0);
    Ok(begin..ends.into_iter().flatten().max().unwrap_or(begin))
}

impl<'a> Question<'a> {
    /// Asks the history in this state.
    pub(crate) fn new(
        conn: &'a Connection,
        time: Range<i64>,
        filters: &[Filter],
        (users, cache): (&dyn Users, &'a Cache),
        path: &Path,
    ) -> Result<Self, StoreError> {
        let sets = Sets::new(conn, filters, users, path)?;
        let floors = Floors::read(conn).at(path)?;
        let extent = extent(conn).at(path)?;
        Ok(Self { conn, time, sets, floors, extent, cache })
    }

    /// The state of the history that is asked.
    pub(crate) fn conn(&self) -> &'a Connection {
        self.conn
    }

    fn plan(&self, need: impl FnOnce(&mut Need)) -> (Need, Plan) {
        let mut all = Need::default();
        self.sets.need(&mut all);
        need(&mut all);
        (all, plan(&all, &self.floors, self.time.clone(), &self.extent))
    }

    /// Of which time an answer will tell.
    pub(crate) fn told(&self, need: impl FnOnce(&mut Need)) -> Told {
        self.plan(need).1.into()
    }

    /// True if more can be asked for without reading more rows or telling less.
    pub(crate) fn is_free(
        &self,
        more: impl FnOnce(&mut Need),
        than: impl FnOnce(&mut Need),
    ) -> bool {
        let [more, than] = [self.plan(more).1, self.plan(than).1];
        more.rows() <= than.rows() && more.coarse_before == than.coarse_before
    }

    /// How many rows will be read, about.
    pub(crate) fn rows(&self, need: impl FnOnce(&mut Need)) -> Sql<i64> {
        let plan = self.plan(need).1;
        let mut stmt = self.conn.prepare_cached(
            "SELECT count(*) FROM blocks INDEXED BY blocks_by_time
             WHERE sealed = 1 AND first >= ?1 AND first < ?2 AND last >= ?3",
        )?;
        let times = plan.parts.iter().filter(|part| part.source == Source::Rows);
        let mut blocks = 0_i64;
        for time in times.map(|part| &part.time) {
            let earliest = time.start.saturating_sub(BLOCK_SPAN);
            let more: i64 = stmt.query_row([earliest, time.end, time.start], |row| row.get(0))?;
            blocks = blocks.saturating_add(more);
        }
        Ok(blocks.saturating_mul(BLOCK_ROWS as i64))
    }

    /// Shows everything that is asked for to `sink`, in no order.
    pub(crate) fn ask(&self, sink: &mut dyn Sink, cancel: &Cancel) -> Result<Told, Stop> {
        let (need, plan) = self.plan(|need| sink.need(need));
        let mut lookups = self.cache.lookups();
        if need.lport || need.rport {
            lookups.read_ports(self.conn)?;
        }
        if need.run {
            lookups.read_pids(self.conn)?;
        }
        let mut run = Run { need, sets: &self.sets, lookups, coarse_before: None, sink, cancel };
        let done = run.go(self.conn, &plan);
        self.cache.keep(run.lookups);
        done?;
        let told = Told::from(plan);
        Ok(Told { coarse_before: told.coarse_before.max(run.coarse_before), ..told })
    }

    /// Fills `groupings`, of which only the first may be too many to be kept at once; whenever some
    /// of its groups are complete, they are shown to `part`.
    pub(crate) fn group(
        &self,
        groupings: &mut Groupings,
        cancel: &Cancel,
        mut part: impl FnMut(&mut Groups) -> Result<(), Stop>,
    ) -> Result<Told, Stop> {
        let (mut at, mut of) = (0, 1);
        loop {
            groupings.restart(Part { at, of });
            match self.ask(groupings, cancel) {
                Ok(told) => {
                    groupings.settle();
                    if let Some(first) = groupings.0.first_mut() {
                        part(first)?;
                    }
                    at += 1;
                    if at == of {
                        return Ok(told);
                    }
                }
                // Nothing was shown yet: parts are of about the same size.
                Err(Stop::Crowded) if at == 0 && of < MOST_PARTS => of *= 4,
                Err(Stop::Crowded) => return Err(Stop::TooMany),
                Err(stop) => return Err(stop),
            }
        }
    }
}
