//! Lines of a table: in which order, and the columns that there are.

use std::cmp::Ordering;

use femtosnitch_store::Answer;
use femtosnitch_store::Key;
use femtosnitch_store::Sums;

use super::measure::Layer;
use super::measure::Measure;
use super::measure::amount;
use super::measure::received;
use super::measure::sent;

/// What can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Name,
    Share,
    Received,
    Sent,
    Connections,
    Failed,
    Rtt,
    Retrans,
    Calls,
}

impl Column {
    pub(crate) const ALL: [Self; 9] = [
        Self::Name,
        Self::Share,
        Self::Received,
        Self::Sent,
        Self::Connections,
        Self::Failed,
        Self::Rtt,
        Self::Retrans,
        Self::Calls,
    ];

    /// The number that stands in it.
    pub(crate) fn value(self, sums: &Sums, measure: Measure, layer: Layer) -> Option<u64> {
        match self {
            Self::Name | Self::Share => Some(amount(sums, measure, layer)),
            Self::Received => received(sums, layer),
            Self::Sent => sent(sums, layer),
            Self::Connections => Some(sums.connections),
            Self::Failed => Some(sums.failed),
            Self::Rtt => sums.rtt_us,
            Self::Retrans => Some(sums.retrans),
            Self::Calls => Some(sums.events),
        }
    }
}

/// By what lines are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sort {
    pub(crate) column: Column,
    /// The smallest first (of names: the last).
    pub(crate) turned: bool,
}

impl Sort {
    /// As a title that is pressed again and again: largest first, smallest first, as it was.
    pub(crate) fn pressed(now: Option<Self>, column: Column) -> Option<Self> {
        match now {
            Some(Self { column: before, turned: false }) if before == column => {
                Some(Self { column, turned: true })
            }
            Some(Self { column: before, turned: true }) if before == column => None,
            _ => Some(Self { column, turned: false }),
        }
    }

    /// `steps` columns further among `columns`, beginning at what is ranked by.
    pub(crate) fn moved(now: Option<Self>, columns: &[Column], steps: isize) -> Option<Self> {
        let current = now.map_or(Column::Share, |sort| sort.column);
        let at = columns.iter().position(|column| *column == current).unwrap_or(0);
        let length = isize::try_from(columns.len().max(1)).unwrap_or(1);
        let to = (isize::try_from(at).unwrap_or(0) + steps).rem_euclid(length);
        let column = columns.get(usize::try_from(to).unwrap_or(0)).copied()?;
        Some(Self { column, turned: false })
    }
}

/// Places of `answers` in the order in which they are shown.
pub(crate) fn order(
    answers: &[Answer],
    sort: Option<Sort>,
    measure: Measure,
    layer: Layer,
) -> Vec<usize> {
    let sort = sort.unwrap_or(Sort { column: Column::Share, turned: false });
    let mut places: Vec<usize> = (0..answers.len()).collect();
    let value = |answer: &Answer| {
        // What was not measured comes last.
        sort.column.value(&answer.sums(), measure, layer).map_or(-1, i128::from)
    };
    let compare = |one: &Answer, other: &Answer| match sort.column {
        Column::Name => by_name(one.keys.first(), other.keys.first()),
        _ => value(other).cmp(&value(one)),
    };
    places.sort_by(|one, other| match (answers.get(*one), answers.get(*other)) {
        (Some(one), Some(other)) if sort.turned => compare(other, one),
        (Some(one), Some(other)) => compare(one, other),
        _ => Ordering::Equal,
    });
    places
}

fn by_name(one: Option<&Key>, other: Option<&Key>) -> Ordering {
    match (one, other) {
        (Some(Key::Text(one)), Some(Key::Text(other))) => {
            one.to_lowercase().cmp(&other.to_lowercase()).then_with(|| one.cmp(other))
        }
        _ => one.cmp(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(name: &str, send: u64, recv: u64, rtt_us: Option<u64>) -> Answer {
        let keys = vec![Key::Text(name.to_owned())];
        Answer { keys, send, recv, rtt_us, ..Answer::default() }
    }

    fn names(sort: Option<Sort>, measure: Measure) -> String {
        let answers =
            [answer("b", 5, 90, Some(9)), answer("a", 60, 0, None), answer("C", 10, 10, Some(3))];
        let order = order(&answers, sort, measure, Layer::Payload);
        let name = |at: &usize| match answers.get(*at).and_then(|it| it.keys.first()) {
            Some(Key::Text(text)) => text.clone(),
            other => panic!("{other:?}"),
        };
        order.iter().map(name).collect()
    }

    #[test]
    fn every_order_is_there() {
        let by = |column, turned| Some(Sort { column, turned });
        assert_eq!(names(None, Measure::Both), "baC");
        assert_eq!(names(None, Measure::Sent), "aCb");
        assert_eq!(names(by(Column::Name, false), Measure::Both), "abC");
        assert_eq!(names(by(Column::Name, true), Measure::Both), "Cba");
        assert_eq!(names(by(Column::Rtt, false), Measure::Both), "bCa");
        assert_eq!(names(by(Column::Received, true), Measure::Both), "aCb");
    }

    #[test]
    fn a_title_is_pressed_thrice() {
        let once = Sort::pressed(None, Column::Sent);
        let twice = Sort::pressed(once, Column::Sent);
        assert_eq!(twice, Some(Sort { column: Column::Sent, turned: true }));
        assert_eq!(Sort::pressed(twice, Column::Sent), None);
        let columns = [Column::Name, Column::Share, Column::Sent];
        assert_eq!(Sort::moved(None, &columns, 1), once);
        assert_eq!(Sort::moved(once, &columns, 1).map(|sort| sort.column), Some(Column::Name));
    }
}
