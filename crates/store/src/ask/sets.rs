//! Filters: which actors and peers they let pass, and what they ask of rows.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::Dimension;
use crate::Filter;
use crate::StoreError;
use crate::Users;
use crate::classify::At;
use crate::classify::Sql;
use crate::dimension::Party;
use crate::filter::Numbers;
use crate::parties::LOOSE_FROM;
use crate::parties::Loose;

use super::plan::Need;

/// Ids below some number.
#[derive(Debug, Default)]
pub(super) struct Ids(Vec<u64>);

impl Ids {
    fn insert(&mut self, id: i64) {
        let Ok(id) = usize::try_from(id) else { return };
        if id / 64 >= self.0.len() {
            self.0.resize(id / 64 + 1, 0);
        }
        if let Some(word) = self.0.get_mut(id / 64) {
            *word |= 1 << (id % 64);
        }
    }

    pub(super) fn has(&self, id: u64) -> bool {
        let at = usize::try_from(id / 64).unwrap_or(usize::MAX);
        self.0.get(at).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }
}

/// The filters of one dimension: one of `any`, and none of `none`.
#[derive(Debug, Default)]
struct Choice<'a> {
    any: Vec<&'a Filter>,
    none: Vec<&'a Filter>,
}

/// A test of numbers.
#[derive(Debug)]
pub(super) struct Test {
    any: Vec<Numbers>,
    none: Vec<Numbers>,
}

impl Test {
    pub(super) fn holds(&self, number: i64) -> bool {
        (self.any.is_empty() || self.any.iter().any(|any| any.contains(number)))
            && !self.none.iter().any(|none| none.contains(number))
    }

    /// What it says of all numbers from `first` on (which are ports), if that is one thing.
    fn from(&self, first: u16) -> Option<bool> {
        let mut all = (first..=u16::MAX).map(|port| self.holds(port.into()));
        let one = all.next()?;
        all.all(|other| other == one).then_some(one)
    }
}

/// What has to hold.
#[derive(Debug, Default)]
pub(super) struct Sets {
    pub(super) actors: Option<Ids>,
    pub(super) peers: Option<Ids>,
    /// Not only by their addresses and names.
    ends: bool,
    pub(super) lport: Option<Test>,
    pub(super) rport: Option<Test>,
    pub(super) pid: Option<Test>,
    pub(super) outcome: Option<Test>,
    pub(super) time: Vec<(i64, Test)>,
}

/// Sorts filters by dimension.
fn choices(filters: &[Filter]) -> BTreeMap<usize, (Dimension, Choice<'_>)> {
    let mut choices: BTreeMap<usize, (Dimension, Choice<'_>)> = BTreeMap::new();
    for filter in filters {
        let dimension = filter.dimension();
        let (_, choice) =
            choices.entry(dimension as usize).or_insert_with(|| (dimension, Choice::default()));
        if filter.is_negated() { &mut choice.none } else { &mut choice.any }.push(filter);
    }
    choices
}

/// The conditions on one of the two tables, and their values.
#[derive(Debug, Default)]
struct Conditions {
    all: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    fn add(&mut self, choice: &Choice<'_>, users: &dyn Users) -> Result<(), StoreError> {
        let mut any = Vec::new();
        for filter in &choice.any {
            any.push(filter.sql(&mut self.values, users)?);
        }
        if !any.is_empty() {
            self.all.push(format!("({})", any.join(" OR ")));
        }
        for filter in &choice.none {
            let condition = filter.sql(&mut self.values, users)?;
            self.all.push(format!("NOT {condition}"));
        }
        Ok(())
    }

    fn ids(self, conn: &Connection, table: &str) -> Sql<Option<Ids>> {
        if self.all.is_empty() {
            return Ok(None);
        }
        let sql = format!("SELECT id FROM {table} WHERE {}", self.all.join(" AND "));
        let mut ids = Ids::default();
        let mut stmt = conn.prepare(&sql)?;
        let mut rows = stmt.query(rusqlite::params_from_iter(self.values))?;
        while let Some(row) = rows.next()? {
            ids.insert(row.get(0)?);
        }
        Ok(Some(ids))
    }
}

/// A port test as a condition on peers, where what rows say does not matter.
fn port(column: &str, test: Test, loose: Loose, peers: &mut Conditions) -> Option<Test> {
    let Some(loosely) = test.from(LOOSE_FROM) else { return Some(test) };
    let condition = |numbers: &Numbers| format!("{column} BETWEEN {} AND {}", numbers.0, numbers.1);
    let any: Vec<String> = test.any.iter().map(condition).collect();
    let mut all: Vec<String> =
        test.none.iter().map(|none| format!("NOT ({})", condition(none))).collect();
    if !any.is_empty() {
        all.push(format!("({})", any.join(" OR ")));
    }
    let is_loose = format!("loose = {}", loose as i64);
    peers.all.push(format!(
        "CASE WHEN {is_loose} THEN {} ELSE {} END",
        i64::from(loosely),
        all.join(" AND ")
    ));
    None
}

impl Sets {
    /// True if there is something that has to be asked of each row.
    pub(super) fn ask_rows(&self) -> bool {
        let Self { actors: _, peers: _, ends: _, lport, rport, pid, outcome, time } = self;
        [lport, rport, pid, outcome].iter().any(|test| test.is_some()) || !time.is_empty()
    }

    pub(super) fn new(
        conn: &Connection,
        filters: &[Filter],
        users: &dyn Users,
        path: &Path,
    ) -> Result<Self, StoreError> {
        let mut sets = Self::default();
        let (mut actors, mut peers) = (Conditions::default(), Conditions::default());
        for (dimension, choice) in choices(filters).into_values() {
            match dimension.source().party() {
                Party::Actor => actors.add(&choice, users)?,
                Party::Peer => {
                    sets.ends |= !dimension.source().is_of_host();
                    peers.add(&choice, users)?;
                }
                Party::Row => {
                    let numbers = |filters: &[&Filter]| {
                        filters.iter().filter_map(|filter| filter.numbers()).collect()
                    };
                    let test = Test { any: numbers(&choice.any), none: numbers(&choice.none) };
                    sets.ends |= matches!(dimension, Dimension::Lport | Dimension::Rport);
                    match dimension {
                        Dimension::Lport => {
                            sets.lport = port("lport", test, Loose::Local, &mut peers);
                        }
                        Dimension::Rport => {
                            sets.rport = port("rport", test, Loose::Remote, &mut peers);
                        }
                        Dimension::Pid => sets.pid = Some(test),
                        Dimension::Minute => sets.time.push((60, test)),
                        Dimension::Hour => sets.time.push((3_600, test)),
                        Dimension::Day => sets.time.push((86_400, test)),
                        _ => sets.outcome = Some(test),
                    }
                }
            }
        }
        sets.actors = actors.ids(conn, "actors").at(path)?;
        sets.peers = peers.ids(conn, "peers").at(path)?;
        Ok(sets)
    }

    /// What they want to know of a row.
    pub(super) fn need(&self, need: &mut Need) {
        need.actor |= self.actors.is_some();
        need.peer |= self.peers.is_some();
        need.ends |= self.ends;
        need.lport |= self.lport.is_some();
        need.rport |= self.rport.is_some();
        need.run |= self.pid.is_some();
        need.outcome |= self.outcome.is_some();
        for (width, _) in &self.time {
            need.grain = super::axis::finer(need.grain, *width);
        }
    }
}
