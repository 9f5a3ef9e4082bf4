//! The largest groups, and what is left.

use super::Others;
use crate::Answer;
use crate::Sums;
use crate::ask::Axis;
use crate::ask::Groups;

/// More answers are never given (some 60 MB of them): the rest is summed up as others.
const MOST_ANSWERS: usize = 100_000;

/// The largest groups so far, and what the others amount to.
pub(super) struct Ranked {
    limit: usize,
    kept: Vec<(Vec<u32>, Sums)>,
    others: Others,
}

impl Ranked {
    pub(super) fn new(limit: Option<usize>) -> Self {
        let limit = limit.unwrap_or(MOST_ANSWERS).min(MOST_ANSWERS);
        Self { limit, kept: Vec::new(), others: Others::default() }
    }

    pub(super) fn take(&mut self, groups: &Groups) {
        self.take_if(groups, |_, _| true);
    }

    /// Takes those that are meant; the others are none.
    pub(super) fn take_if(&mut self, groups: &Groups, meant: impl Fn(&Groups, u128) -> bool) {
        let keys = groups.keys().iter().copied().enumerate();
        let meant: Vec<(usize, u128)> = keys.filter(|(_, key)| meant(groups, *key)).collect();
        let mut sizes: Vec<_> = meant.iter().map(|(place, _)| groups.size(*place)).collect();
        // Equals of the last one stay, until it is known what they are called.
        let least = match self.limit.checked_sub(1).filter(|last| *last < sizes.len()) {
            Some(last) => *sizes.select_nth_unstable_by(last, |one, other| other.cmp(one)).1,
            None => (0, 0),
        };
        for (place, key) in meant {
            if groups.size(place) >= least && self.limit > 0 {
                self.kept.push((groups.values(key), groups.sums(place)));
            } else {
                self.leave_out(groups.sums(place));
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
        self.kept.sort_unstable_by_key(|(_, sums)| std::cmp::Reverse(sums.size()));
        let least = self.kept.get(last).map_or((0, 0), |(_, sums)| sums.size());
        let end = self.kept.partition_point(|(_, sums)| sums.size() >= least);
        // However many equals there are.
        let end = end.min(self.limit.saturating_add(MOST_ANSWERS));
        for (_, sums) in self.kept.split_off(end) {
            self.leave_out(sums);
        }
    }

    /// The answers, their values on the axes, and the others.
    pub(super) fn finish(mut self, axes: &[Axis]) -> (Vec<Answer>, Vec<Vec<u32>>, Others) {
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
