//! One thing, from all sides.

use serde::Serialize;

use super::Bucket;
use super::Others;
use super::Series;
use super::Span;
use super::lines::Lines;
use super::ranked::Ranked;
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
            let groups = axes.into_iter().map(|axis| Groups::new(vec![axis]));
            let all = Groups::new(Vec::new());
            let mut groupings = Groupings([all].into_iter().chain(groups).collect());
            let told = question.group(&mut groupings, cancel, |_| Ok(()))?;
            let mut groupings = groupings.0.into_iter();
            let all = groupings.next();
            let total = all.map(|all| all.sums(0));
            let breakdowns = groupings.zip(&query.by).map(|(groups, by)| {
                let mut ranked = Ranked::new(query.limit);
                ranked.take(&groups);
                let (answers, _, others) = ranked.finish(&groups.axes);
                Breakdown { by: *by, answers, others }
            });
            let breakdowns = breakdowns.collect();
            let span = Span::from(told);
            let series = match bucket {
                Some(bucket) => {
                    let mut lines = Lines::new(Vec::new(), &[Vec::new()], bucket.within(span))?;
                    question.ask(&mut lines, cancel)?;
                    Some(lines.finish())
                }
                None => None,
            };
            Ok(Detail { total: total.unwrap_or_default(), span, series, breakdowns })
        })
    }
}
