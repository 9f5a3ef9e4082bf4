//! How it went over time.

use super::Bucket;
use super::Point;
use super::Series;
use super::Span;
use crate::ask::Axis;
use crate::ask::Batch;
use crate::ask::Column;
use crate::ask::Groups;
use crate::ask::Lookups;
use crate::ask::Need;
use crate::ask::Sink;
use crate::ask::Stop;
use crate::ask::SumColumns;
use crate::ask::at;
use crate::ask::wire;

/// Points of a series over all its lines.
const MOST_POINTS: usize = 250_000;
/// What a point has.
const COLUMNS: [Column; 5] =
    [Column::Send, Column::Recv, Column::WireSend, Column::WireRecv, Column::Connections];
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
    /// The first step, the width of all, and how many there are.
    pub(super) fn within(self, span: Span) -> (i64, i64, usize) {
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
        (start, width, usize::try_from(count).unwrap_or(usize::MAX))
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

/// Lines in the making: a line for each answer, one for all others.
pub(super) struct Lines {
    groups: Groups,
    time: Axis,
    start: i64,
    width: i64,
    steps: usize,
    points: Vec<Point>,
    keys: Vec<u128>,
    times: Vec<u32>,
}

impl Lines {
    pub(super) fn new(
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
            groups.place_for(key)?;
        }
        let time = Axis::Time { width, offset: start };
        let points = vec![Point::default(); points];
        Ok(Self { groups, time, start, width, steps, points, keys: Vec::new(), times: Vec::new() })
    }

    pub(super) fn finish(self) -> Series {
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

    fn take(
        &mut self,
        lookups: &Lookups,
        batch: &mut Batch,
        source: &dyn SumColumns,
    ) -> Result<(), Stop> {
        batch.load(source, &COLUMNS)?;
        self.groups.keys_of(lookups, batch, &mut self.keys)?;
        lookups.values(&self.time, batch, &mut self.times);
        let [send, recv, wire_send, wire_recv, connections] =
            COLUMNS.map(|column| batch.sums(column));
        let last = self.steps.saturating_sub(1);
        for ((row, key), step) in batch.rows().iter().zip(&self.keys).zip(&self.times) {
            let line = self.groups.place(*key).and_then(|line| usize::try_from(line).ok());
            let line = line.unwrap_or(self.groups.len());
            // A sum that is coarser than the steps counts where it begins.
            let step = usize::try_from(*step).unwrap_or(usize::MAX).min(last);
            if let Some(point) = self.points.get_mut(line * self.steps + step) {
                let (sent, received) = (at(send, *row), at(recv, *row));
                let add = |to: &mut u64, more: u64| *to = to.saturating_add(more);
                add(&mut point.send, sent);
                add(&mut point.recv, received);
                add(&mut point.connections, at(connections, *row));
                if let Some(bytes) = wire(at(wire_send, *row), sent) {
                    add(point.wire_send.get_or_insert(0), bytes);
                }
                if let Some(bytes) = wire(at(wire_recv, *row), received) {
                    add(point.wire_recv.get_or_insert(0), bytes);
                }
            }
        }
        Ok(())
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
                let (start, width, steps) = Bucket::Auto { offset: -ahead }.within(span);
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
