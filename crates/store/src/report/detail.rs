//! One thing, from all sides.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Bucket;
use super::Others;
use super::Series;
use super::Span;
use super::lines::Lines;
use super::ranked::Ranked;
use super::steps::steps;
use crate::Answer;
use crate::Cancel;
use crate::Dimension;
use crate::Query;
use crate::Reader;
use crate::StoreError;
use crate::Sums;
use crate::Users;
use crate::ask::Groupings;
use crate::ask::Groups;
use crate::ask::Stop;

/// What a thing is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breakdown {
    /// By what.
    pub by: Dimension,
    /// The largest, the largest first.
    pub answers: Vec<Answer>,
    /// All others.
    pub others: Others,
}

/// One thing, from all sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// All of its traffic.
    pub total: Sums,
    /// Of which time.
    pub span: Span,
    /// How it went, in one line.
    pub series: Option<Series>,
    /// In the order of [`Query::by`].
    pub breakdowns: Vec<Breakdown>,
}

impl Reader {
    /// What `query` (whose filters tell which thing) is made of, by each dimension of
    /// [`Query::by`] apart: [`Query::limit`] answers each. All of it is read once.
    ///
    /// # Errors
    /// As [`Reader::report`].
    pub fn detail(
        &self,
        query: &Query,
        bucket: Option<Bucket>,
        users: &dyn Users,
        cancel: &Cancel,
    ) -> Result<Detail, StoreError> {
        self.ask(query, users, |question, axes| {
            // All of it besides the sides that are told by both parties.
            let mut apart: BTreeMap<u8, Vec<(usize, Groups)>> = BTreeMap::new();
            apart.entry(0).or_default().push((usize::MAX, Groups::new(Vec::new())));
            for (at, axis) in axes.into_iter().enumerate() {
                apart.entry(axis.apart()).or_default().push((at, Groups::new(vec![axis])));
            }
            let (mut total, mut span) = (Sums::default(), None::<Span>);
            let mut breakdowns = BTreeMap::new();
            for sides in apart.into_values() {
                let (places, sides): (Vec<usize>, Vec<Groups>) = sides.into_iter().unzip();
                let mut groupings = Groupings(sides);
                let told = Span::from(question.group(&mut groupings, cancel, |_| Ok(()))?);
                let coarse_before = span.and_then(|span| span.coarse_before);
                span = Some(Span { coarse_before: coarse_before.max(told.coarse_before), ..told });
                for (place, groups) in places.into_iter().zip(groupings.0) {
                    let Some(by) = query.by.get(place) else {
                        total = groups.sums(0);
                        continue;
                    };
                    let mut ranked = Ranked::new(query.limit);
                    ranked.take(&groups);
                    let (answers, _, others) = ranked.finish(&groups.axes);
                    breakdowns.insert(place, Breakdown { by: *by, answers, others });
                }
            }
            let breakdowns = breakdowns.into_values().collect();
            let Some(span) = span else { return Err(Stop::TooMany) };
            let series = match bucket {
                Some(bucket) => {
                    let steps = steps(question, bucket, span, |_| ())?;
                    let mut lines = Lines::new(Vec::new(), &[Vec::new()], steps)?;
                    question.ask(&mut lines, cancel)?;
                    Some(lines.finish())
                }
                None => None,
            };
            Ok(Detail { total, span, series, breakdowns })
        })
    }
}
