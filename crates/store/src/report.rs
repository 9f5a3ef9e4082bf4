//! Whole answers: the largest groups, what all others amount to, and how it went over time.

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
use crate::ask::Lookups;
use crate::ask::Need;
use crate::ask::Question;
use crate::ask::Seen;
use crate::ask::Sink;
use crate::ask::Stop;
use crate::ask::Told;
use crate::classify::At;
use crate::classify::Sql;

/// More answers are never given (some 60 MB of them): the rest is summed up as others.
const MOST_ANSWERS: usize = 100_000;
/// Points of a series over all its lines.
const MOST_POINTS: usize = 500_000;
/// The widths, in seconds, that a series may have if none is asked for.
const WIDTHS: [i64; 12] =
    [60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000, 31_536_000];
/// Points that are good to look at.
const POINTS: i64 = 120;

/// How wide the steps of a series are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// Some hundred steps at most, each a minute to a year.
    Auto,
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
    /// ids, ports of clients, outcomes by peer): it reads as unknown there.
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
    pub sums: Sums,
}

/// One step of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Application bytes sent.
    pub send: u64,
    /// Application bytes received.
    pub recv: u64,
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
            let mut groupings = Groupings(vec![Groups::new(axes)]);
            let told = question.group(&mut groupings, cancel, |groups| {
                ranked.take(groups);
                Ok(())
            })?;
            let span = Span::from(told);
            let axes = groupings.0.pop().map_or_else(Vec::new, |groups| groups.axes);
            let (answers, values, others) = ranked.finish(&axes);
            let mut total = others.sums;
            answers.iter().for_each(|answer| total.add(answer.sums()));
            let series = match bucket {
                Some(bucket) => {
                    let mut lines = Lines::new(axes, &values, bucket.within(span))?;
                    question.ask(&mut lines, cancel)?;
                    Some(lines.finish())
                }
                None => None,
            };
            Ok(Report { answers, others, total, span, series })
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
        let question = Question::new(&tx, query.time(), &query.filters, users, path)?;
        let axes = query.by.iter().map(|by| Axis::new(&tx, *by, users));
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

impl Answer {
    fn sums(&self) -> Sums {
        Sums {
            send: self.send,
            recv: self.recv,
            wire_send: self.wire_send,
            wire_recv: self.wire_recv,
            events: self.events,
            connections: self.connections,
            failed: self.failed,
            retrans: self.retrans,
            rtt_us: self.rtt_us,
        }
    }
}

/// The largest groups so far, and what the others amount to.
struct Ranked {
    limit: usize,
    kept: Vec<(Vec<u32>, Sums)>,
    others: Others,
}

impl Ranked {
    fn new(limit: Option<usize>) -> Self {
        let limit = limit.unwrap_or(MOST_ANSWERS).min(MOST_ANSWERS);
        Self { limit, kept: Vec::new(), others: Others::default() }
    }

    fn take(&mut self, groups: &Groups) {
        let mut sizes: Vec<(u64, u64)> = groups.iter().map(|(_, sums)| sums.size()).collect();
        // Equals of the last one stay, until it is known what they are called.
        let least = match self.limit.checked_sub(1).filter(|last| *last < sizes.len()) {
            Some(last) => *sizes.select_nth_unstable_by(last, |one, other| other.cmp(one)).1,
            None => (0, 0),
        };
        for (key, sums) in groups.iter() {
            if sums.size() >= least && self.limit > 0 {
                self.kept.push((groups.values(key), *sums));
            } else {
                self.leave_out(*sums);
            }
        }
        self.prune();
    }

    fn leave_out(&mut self, sums: Sums) {
        self.others.groups += 1;
        self.others.sums.add(sums);
    }

    fn prune(&mut self) {
        let Some(last) = self.limit.checked_sub(1).filter(|last| *last < self.kept.len()) else {
            return;
        };
        self.kept.sort_unstable_by(|(_, one), (_, other)| other.size().cmp(&one.size()));
        let least = self.kept.get(last).map_or((0, 0), |(_, sums)| sums.size());
        let end = self.kept.partition_point(|(_, sums)| sums.size() >= least);
        // However many equals there are.
        let end = end.min(self.limit.saturating_add(MOST_ANSWERS));
        for (_, sums) in self.kept.split_off(end) {
            self.leave_out(sums);
        }
    }

    /// The answers, their values on the axes, and the others.
    fn finish(mut self, axes: &[Axis]) -> (Vec<Answer>, Vec<Vec<u32>>, Others) {
        let mut answers: Vec<(Answer, Vec<u32>)> = std::mem::take(&mut self.kept)
            .into_iter()
            .map(|(values, sums)| {
                let named = axes.iter().zip(&values).map(|(axis, value)| axis.key(*value));
                (Answer::new(named.collect(), &sums), values)
            })
            .collect();
        answers.sort_unstable_by(|(one, _), (other, _)| {
            let size = |answer: &Answer| answer.sums().size();
            size(other).cmp(&size(one)).then_with(|| one.keys.cmp(&other.keys))
        });
        for (answer, _) in answers.split_off(self.limit.min(answers.len())) {
            self.leave_out(answer.sums());
        }
        let (answers, values) = answers.into_iter().unzip();
        (answers, values, self.others)
    }
}

impl Bucket {
    /// The first step, the width of all, and how many there are.
    fn within(self, span: Span) -> (i64, i64, usize) {
        let (width, offset) = match self {
            Self::Seconds { width, offset } => (width.max(1), offset),
            Self::Auto => {
                let long = span.until.saturating_sub(span.since);
                let fits = |width: &&i64| long / **width < POINTS;
                (WIDTHS.iter().find(fits).copied().unwrap_or(31_536_000), 0)
            }
        };
        let start = span.since.saturating_sub(offset).div_euclid(width) * width + offset;
        let long = span.until.saturating_sub(start).max(0);
        let count = long / width + i64::from(long % width > 0);
        (start, width, usize::try_from(count).unwrap_or(usize::MAX))
    }
}

/// Lines in the making: a line for each answer, one for all others.
struct Lines {
    groups: Groups,
    time: Axis,
    start: i64,
    width: i64,
    steps: usize,
    points: Vec<Point>,
}

impl Lines {
    fn new(
        axes: Vec<Axis>,
        answers: &[Vec<u32>],
        (start, width, steps): (i64, i64, usize),
    ) -> Result<Self, Stop> {
        let points = steps.saturating_mul(answers.len() + 1);
        if points > MOST_POINTS {
            return Err(Stop::TooMany);
        }
        let mut groups = Groups::new(axes);
        for values in answers {
            let key = groups.key(values)?;
            groups.add(key, Sums::default())?;
        }
        let time = Axis::Time { width, offset: start };
        Ok(Self { groups, time, start, width, steps, points: vec![Point::default(); points] })
    }

    fn finish(self) -> Series {
        let mut lines: Vec<Vec<Point>> = match self.steps {
            0 => vec![Vec::new(); self.groups.len() + 1],
            steps => self.points.chunks(steps).map(<[Point]>::to_vec).collect(),
        };
        let others = lines.pop().unwrap_or_default();
        Series { start: self.start, width: self.width, lines, others }
    }
}

impl Sink for Lines {
    fn need(&self, need: &mut Need) {
        self.groups.axes.iter().chain([&self.time]).for_each(|axis| axis.need(need));
    }

    fn add(&mut self, lookups: &Lookups, seen: &Seen, sums: Sums) -> Result<(), Stop> {
        let key = self.groups.key_of(lookups, seen)?;
        let line = self.groups.place(key).unwrap_or(self.groups.len());
        let step = usize::try_from(lookups.value(&self.time, seen)).unwrap_or(usize::MAX);
        // A sum that is coarser than the steps counts where it begins.
        let step = step.min(self.steps.saturating_sub(1));
        if let Some(point) = self.points.get_mut(line * self.steps + step) {
            point.send = point.send.saturating_add(sums.send);
            point.recv = point.recv.saturating_add(sums.recv);
            point.connections = point.connections.saturating_add(sums.connections);
        }
        Ok(())
    }
}
