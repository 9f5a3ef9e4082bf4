//! Whole answers: the largest groups, what all others amount to, and how it went over time.

mod detail;
mod distinct;
mod lines;
mod points;
mod ranked;
mod steps;

use serde::Serialize;

use crate::Answer;
use crate::Cancel;
use crate::Query;
use crate::Reader;
use crate::StoreError;
use crate::Sums;
use crate::Users;
use crate::ask::Axis;
use crate::ask::Groupings;
use crate::ask::Groups;
use crate::ask::Question;
use crate::ask::Stop;
use crate::ask::Told;
use crate::classify::At;
use crate::classify::Sql;
use lines::Both;
use lines::Each;
use lines::Lines;
use ranked::Ranked;

pub use detail::{Breakdown, Detail};

/// How wide the steps of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// Some hundred steps at most, each a minute to a year; of an hour rather than of minutes where
    /// these would have to be made of very many rows. Those of less than a day begin with the hours
    /// of local time; days at midnight UTC, weeks on Monday, as the sums of days do:
    /// others would take many times as long.
    Auto {
        /// Seconds from midnight UTC on at which local midnight is.
        offset: i64,
    },
    /// So many seconds, counted from `offset` seconds after 1970-01-01 UTC (as local midnight is).
    /// Full minutes, hours and days are answered much quicker than others.
    Seconds {
        /// At least 1.
        width: i64,
        /// Where they begin.
        offset: i64,
    },
}

/// Of which time an answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// From this unix second on. Earlier than was asked for if that time is only kept in sums that
    /// begin then; later, if nothing is kept of what lies before.
    pub since: i64,
    /// Up to, not including, this unix second; likewise.
    pub until: i64,
    /// What lies before this unix second is kept in sums that do not tell what was asked (process
    /// ids, ports of clients, outcomes by peer within a day): it reads as unknown there.
    pub coarse_before: Option<i64>,
}

impl From<Told> for Span {
    fn from(told: Told) -> Self {
        let Told { time, coarse_before } = told;
        Self { since: time.start, until: time.end, coarse_before }
    }
}

/// What is not among the answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Others {
    /// How many groups.
    pub groups: u64,
    /// Their traffic.
    #[serde(flatten)]
    pub sums: Sums,
}

/// One step of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Application bytes sent.
    pub send: u64,
    /// Application bytes received.
    pub recv: u64,
    /// Bytes sent at the IP layer, `None` where not measured.
    pub wire_send: Option<u64>,
    /// Bytes received at the IP layer, `None` where not measured.
    pub wire_recv: Option<u64>,
    /// Connections begun.
    pub connections: u64,
}

/// How it went over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Series {
    /// Unix second at which the first step begins.
    pub start: i64,
    /// Seconds of a step.
    pub width: i64,
    /// One line an answer, in their order; each with the same number of steps.
    pub lines: Vec<Vec<Point>>,
    /// All others.
    pub others: Vec<Point>,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The largest groups, the largest first.
    pub answers: Vec<Answer>,
    /// What is not among them.
    pub others: Others,
    /// All of it.
    pub total: Sums,
    /// Of which time.
    pub span: Span,
    /// How it went, if that was asked for.
    pub series: Option<Series>,
}

impl Reader {
    /// Answers `query`: the largest (by bytes in both directions) first, equals by connections
    /// begun, then in the order of their keys. `users` translates the dimension `user`
    /// ([`crate::NoUsers`] if nobody asks for it). At most 100,000 answers are given;
    /// [`Reader::report`] tells what the others amount to.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] for a filter on a user that does not exist, else as
    /// [`Reader::open`].
    pub fn query(&self, query: &Query, users: &dyn Users) -> Result<Vec<Answer>, StoreError> {
        self.report(query, None, users, &Cancel::default()).map(|report| report.answers)
    }

    /// Answers `query`, as [`Reader::query`] does, with all that belongs to it, of one state of the
    /// history. It takes memory for the answers and 60 MB at most besides, whatever the history.
    ///
    /// # Errors
    /// As [`Reader::query`], and [`StoreError::Cancelled`].
    pub fn report(
        &self,
        query: &Query,
        bucket: Option<Bucket>,
        users: &dyn Users,
        cancel: &Cancel,
    ) -> Result<Report, StoreError> {
        self.ask(query, users, |question, axes| {
            let mut ranked = Ranked::new(query.limit);
            let mut groups = Groups::new(axes);
            let needs = |need: &mut _| groups.need(need);
            let span = question.told(needs).into();
            let steps = bucket.map(|bucket| steps::steps(question, bucket, span, needs));
            let steps = steps.transpose()?;
            // Lines of all groups, where to read them with these takes no longer.
            let mut each = match steps {
                Some(steps) => Each::of(&groups, steps)?.filter(|each| {
                    let of_both = |need: &mut _| {
                        groups.need(need);
                        each.need(need);
                    };
                    question.is_free(of_both, |need| groups.need(need))
                }),
                None => None,
            };
            let told = match &mut each {
                Some(each) => {
                    let told = question.ask(&mut Both { groups: &mut groups, each }, cancel)?;
                    groups.settle();
                    ranked.take(&groups);
                    told
                }
                None => {
                    let mut groupings = Groupings(vec![groups]);
                    let told = question.group(&mut groupings, cancel, |groups| {
                        ranked.take(groups);
                        Ok(())
                    })?;
                    groups = groupings.0.pop().unwrap_or_else(|| Groups::new(Vec::new()));
                    told
                }
            };
            let (answers, values, others) = ranked.finish(&groups.axes);
            let mut total = others.sums;
            answers.iter().for_each(|answer| total.add(answer.sums()));
            let series = match (each, steps) {
                (Some(each), _) => Some(each.finish(&groups, &values)),
                (None, Some(steps)) => {
                    let mut lines = Lines::new(groups.axes, &values, steps)?;
                    question.ask(&mut lines, cancel)?;
                    Some(lines.finish())
                }
                (None, None) => None,
            };
            Ok(Report { answers, others, total, span: told.into(), series })
        })
    }

    /// Asks one state of the history.
    pub(crate) fn ask<T>(
        &self,
        query: &Query,
        users: &dyn Users,
        ask: impl FnOnce(&Question<'_>, Vec<Axis>) -> Result<T, Stop>,
    ) -> Result<T, StoreError> {
        let path = self.path();
        let tx = self.begin()?;
        let question =
            Question::new(&tx, query.time(), &query.filters, (users, self.cache()), path)?;
        let axes = query.by.iter().map(|by| Axis::new(&tx, *by, (users, self.cache())));
        let axes = axes.collect::<Sql<Vec<Axis>>>().at(path)?;
        ask(&question, axes).map_err(|stop| match stop {
            Stop::Sql(error) => Err::<(), _>(error).at(path).err().unwrap_or(StoreError::Cancelled),
            Stop::Cancelled => StoreError::Cancelled,
            Stop::Crowded | Stop::TooMany => StoreError::BadQuery(
                "that makes too many different answers; ask by fewer dimensions, or filter more"
                    .to_owned(),
            ),
        })
    }
}
