//! Values to choose from.

use super::Report;
use super::ranked::Ranked;
use crate::Cancel;
use crate::Dimension;
use crate::Key;
use crate::Query;
use crate::Reader;
use crate::StoreError;
use crate::Users;
use crate::ask::Groupings;
use crate::ask::Groups;

impl Reader {
    /// Values of a dimension that begin with `prefix`, whatever the case, the largest first.
    /// [`Query::by`] does not matter. They have bytes in both directions and connections begun; of
    /// what else there is to know of traffic nothing is read, and so nothing said.
    ///
    /// # Errors
    /// As [`Reader::report`].
    pub fn distinct(
        &self,
        (dimension, prefix): (Dimension, &str),
        query: &Query,
        users: &dyn Users,
        cancel: &Cancel,
    ) -> Result<Report, StoreError> {
        let query = &Query { by: vec![dimension], ..query.clone() };
        let prefix = prefix.to_lowercase();
        self.ask(query, users, |question, axes| {
            let mut groupings = Groupings(vec![Groups::for_ranks(axes)]);
            let mut ranked = Ranked::new(query.limit);
            let told = question.group(&mut groupings, cancel, |groups| {
                ranked.take_if(groups, |groups, key| {
                    let value = groups.values(key).first().copied().unwrap_or(0);
                    let axis = groups.axes.first();
                    prefix.is_empty()
                        || axis.is_some_and(|axis| match axis.key(value) {
                            Key::Text(text) => text.to_lowercase().starts_with(&prefix),
                            Key::Number(number) => number.to_string().starts_with(&prefix),
                        })
                });
                Ok(())
            })?;
            let axes = groupings.0.pop().map_or_else(Vec::new, |groups| groups.axes);
            let (answers, _, others) = ranked.finish(&axes);
            let mut total = others.sums;
            answers.iter().for_each(|answer| total.add(answer.sums()));
            Ok(Report { answers, others, total, span: told.into(), series: None })
        })
    }
}
