//! The steps of a series.

use super::Bucket;
use super::Span;
use super::points::Steps;
use crate::ask::Need;
use crate::ask::Question;
use crate::ask::Stop;

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
/// More rows take longer to read than anybody likes to wait: then steps are those of sums.
const MANY_ROWS: i64 = 750_000;

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
        Self::of(width, offset, span)
    }

    fn of(width: i64, offset: i64, span: Span) -> Steps {
        let start = span.since.saturating_sub(offset).div_euclid(width) * width + offset;
        let long = span.until.saturating_sub(start).max(0);
        let count = long / width + i64::from(long % width > 0);
        Steps { start, width, count: usize::try_from(count).unwrap_or(usize::MAX) }
    }
}

/// The steps of a question that has these `needs`: where they are not prescribed, of hours rather than of
/// minutes if fewer rows have to be read then and there are many.
pub(super) fn steps(
    question: &Question<'_>,
    bucket: Bucket,
    span: Span,
    needs: impl Fn(&mut Need),
) -> Result<Steps, Stop> {
    let steps = bucket.within(span);
    let Bucket::Auto { offset } = bucket else { return Ok(steps) };
    if steps.width >= HOUR {
        return Ok(steps);
    }
    let hours = Bucket::of(HOUR, begins(HOUR, offset), span);
    let rows = |steps: Steps| {
        question.rows(|need| {
            needs(need);
            steps.axis().need(need);
        })
    };
    let many = rows(steps)?;
    Ok(if many > MANY_ROWS && rows(hours)? < many / 2 { hours } else { steps })
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
