//! How it went over time.

use super::Bucket;
use super::Series;
use super::Span;
use super::points::Points;
use super::points::Steps;
use crate::ask::Axis;
use crate::ask::Groups;
use crate::ask::Lookups;
use crate::ask::Need;
use crate::ask::Rows;
use crate::ask::Sink;
use crate::ask::Stop;
use crate::ask::SumColumns;

/// The widths, in seconds, that a series may have if none is asked for.
const WIDTHS: [i64; 12] =
    [60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000, 31_536_000];
/// Points that are good to look at.
const POINTS: i64 = 120;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;
/// The first Monday, 1970-01-05.
const MONDAY: i64 = 4 * DAY;
const WEEKS: i64 = 14 * DAY;

impl Bucket {
    /// The steps of a time.
    pub(super) fn within(self, span: Span) -> Steps {
        let (width, offset) = match self {
            Self::Seconds { width, offset } => (width.max(1), offset),
            Self::Auto { offset } => {
                let long = span.until.saturating_sub(span.since);
                // Of some weeks days are enough, and all dimensions have sums by day.
                let least = if long >= WEEKS { DAY } else { 0 };
                let fits = |width: &&i64| **width >= least && long / **width < POINTS;
                let width = WIDTHS.iter().find(fits).copied().unwrap_or(31_536_000);
                (width, begins(width, offset))
            }
        };
        let start = span.since.saturating_sub(offset).div_euclid(width) * width + offset;
        let long = span.until.saturating_sub(start).max(0);
        let count = long / width + i64::from(long % width > 0);
        Steps { start, width, count: usize::try_from(count).unwrap_or(usize::MAX) }
    }
}

/// Where steps of this width begin that sums tell as quickly as possible, if local midnight is
/// `offset` seconds after that of UTC.
fn begins(width: i64, offset: i64) -> i64 {
    let offset = match width {
        WEEK => MONDAY,
        DAY.. => 0,
        HOUR.. => offset - offset.rem_euclid(HOUR),
        _ => offset,
    };
    offset.rem_euclid(width)
}

fn series(steps: Steps, points: Points, places: &[usize]) -> Series {
    let (lines, others) = points.finish(places);
    Series { start: steps.start, width: steps.width, lines, others }
}

/// The lines of some groups, and one for all others, once it is known which are shown.
pub(super) struct Lines {
    groups: Groups,
    steps: Steps,
    count: usize,
    points: Points,
}

impl Lines {
    pub(super) fn new(axes: Vec<Axis>, answers: &[Vec<u32>], steps: Steps) -> Result<Self, Stop> {
        let (groups, count) = (Groups::only(axes, answers)?, answers.len());
        Ok(Self { groups, steps, count, points: Points::new(steps, count + 1)? })
    }

    pub(super) fn finish(self) -> Series {
        let places: Vec<usize> = (0..self.count).collect();
        series(self.steps, self.points, &places)
    }
}

impl Sink for Lines {
    fn need(&self, need: &mut Need) {
        self.groups.axes.iter().chain([&self.steps.axis()]).for_each(|axis| axis.need(need));
    }

    fn take(
        &mut self,
        lookups: &Lookups,
        batch: &mut Rows,
        source: &dyn SumColumns,
    ) -> Result<(), Stop> {
        self.groups.place(lookups, batch)?;
        self.points.add((batch, source), self.groups.placed(), self.count)
    }
}

/// The lines of all groups, where these are so few that each can have one.
pub(super) struct Each {
    steps: Steps,
    lines: usize,
    points: Points,
}

impl Each {
    /// None if there are too many.
    pub(super) fn of(groups: &Groups, steps: Steps) -> Result<Option<Self>, Stop> {
        let Some(lines) = groups.fixed().filter(|lines| steps.allow(*lines)) else {
            return Ok(None);
        };
        Ok(Some(Self { steps, lines, points: Points::new(steps, lines)? }))
    }

    /// What it wants to know of each row.
    pub(super) fn need(&self, need: &mut Need) {
        self.steps.axis().need(need);
    }

    /// Those of the groups with these values, the others as one.
    pub(super) fn finish(self, groups: &Groups, answers: &[Vec<u32>]) -> Series {
        let places: Vec<usize> = answers.iter().map(|values| groups.fixed_place(values)).collect();
        series(self.steps, self.points, &places)
    }
}

/// Groups and their lines, read together.
pub(super) struct Both<'a> {
    pub(super) groups: &'a mut Groups,
    pub(super) each: &'a mut Each,
}

impl Sink for Both<'_> {
    fn need(&self, need: &mut Need) {
        self.groups.need(need);
        self.each.need(need);
    }

    fn take(
        &mut self,
        lookups: &Lookups,
        batch: &mut Rows,
        source: &dyn SumColumns,
    ) -> Result<(), Stop> {
        self.groups.take(lookups, batch, source)?;
        let Each { points, lines, .. } = self.each;
        points.add((batch, source), self.groups.placed(), *lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_hours_are_local_and_those_of_days_are_not() {
        // In Berlin, and in India.
        for (ahead, hours) in [(7_200, 1), (19_800, 0)] {
            // From a Friday on.
            let since = 19_000 * DAY + 5 * HOUR + 59;
            let step = |long: i64| {
                let span = Span { since, until: since + long, coarse_before: None };
                let Steps { start, width, count: steps } =
                    Bucket::Auto { offset: -ahead }.within(span);
                assert!((start..start + width).contains(&since));
                let end = start + width * i64::try_from(steps).unwrap_or(0);
                assert!((end - width..=end).contains(&(since + long)));
                (width, start)
            };
            assert_eq!(step(HOUR), (60, since - 59));
            let (width, start) = step(7 * DAY);
            assert_eq!((width, start.rem_euclid(width)), (3 * HOUR, hours * HOUR));
            let (width, start) = step(30 * DAY);
            assert_eq!((width, start.rem_euclid(width)), (DAY, 0));
            let (width, start) = step(400 * DAY);
            assert_eq!((width, start), (WEEK, 18_995 * DAY));
        }
    }
}
