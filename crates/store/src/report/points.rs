//! How places went over time.

use super::Point;
use crate::ask::Axis;
use crate::ask::Column;
use crate::ask::Rows;
use crate::ask::Stop;
use crate::ask::SumColumns;
use crate::ask::each_row;
use crate::group::wire;

/// Points over all lines.
const MOST: usize = 250_000;
/// What a point has.
const COLUMNS: [Column; 5] =
    [Column::Send, Column::Recv, Column::WireSend, Column::WireRecv, Column::Connections];

/// When a series begins, the seconds of a step, and how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    pub(super) start: i64,
    pub(super) width: i64,
    pub(super) count: usize,
}

impl Steps {
    /// True if so many lines are no more than anybody can look at.
    pub(super) fn allow(self, lines: usize) -> bool {
        self.count.saturating_mul(lines) <= MOST
    }

    /// As one of the things to group by.
    pub(super) fn axis(self) -> Axis {
        Axis::Time { width: self.width, offset: self.start }
    }
}

/// Lines in the making. Those of a step are beside each other: what is read together is of one day
/// or hour, most often.
pub(super) struct Points {
    steps: Steps,
    lines: usize,
    points: Vec<Point>,
    times: Vec<u32>,
}

fn add(to: &mut u64, more: u64) {
    *to = to.saturating_add(more);
}

impl Point {
    fn add(&mut self, other: &Self) {
        add(&mut self.send, other.send);
        add(&mut self.recv, other.recv);
        add(&mut self.connections, other.connections);
        for (to, more) in
            [(&mut self.wire_send, other.wire_send), (&mut self.wire_recv, other.wire_recv)]
        {
            if let Some(more) = more {
                add(to.get_or_insert(0), more);
            }
        }
    }
}

impl Points {
    /// For so many lines, which [`Steps::allow`] has to allow.
    pub(super) fn new(steps: Steps, lines: usize) -> Result<Self, Stop> {
        if !steps.allow(lines) {
            return Err(Stop::TooMany);
        }
        let points = vec![Point::default(); steps.count * lines];
        Ok(Self { steps, lines, points, times: Vec::new() })
    }

    /// Adds the rows of a batch to the lines beside them; those without one to `other`.
    pub(super) fn add(
        &mut self,
        (batch, source): (&mut Rows, &dyn SumColumns),
        (rows, places): (&[u32], &[u32]),
        other: usize,
    ) -> Result<(), Stop> {
        batch.load(source, &COLUMNS)?;
        batch.times((self.steps.width, self.steps.start), rows, &mut self.times);
        let last = self.steps.count.saturating_sub(1);
        let Self { lines, points, times, .. } = self;
        each_row!((&*batch, rows), |nth,
                                    send: Send,
                                    recv: Recv,
                                    wire_send: WireSend,
                                    wire_recv: WireRecv,
                                    connections: Connections| {
            let (Some(place), Some(step)) = (places.get(nth), times.get(nth)) else { continue };
            let line = usize::try_from(*place).map_or(other, |place| place.min(other));
            // A sum that is coarser than the steps counts where it begins.
            let step = usize::try_from(*step).unwrap_or(usize::MAX).min(last);
            if let Some(point) = points.get_mut(step * *lines + line) {
                add(&mut point.send, send);
                add(&mut point.recv, recv);
                add(&mut point.connections, connections);
                if let Some(bytes) = wire(wire_send, send) {
                    add(point.wire_send.get_or_insert(0), bytes);
                }
                if let Some(bytes) = wire(wire_recv, recv) {
                    add(point.wire_recv.get_or_insert(0), bytes);
                }
            }
        });
        Ok(())
    }

    /// The lines at these places, and the sum of all others.
    pub(super) fn finish(mut self, places: &[usize]) -> (Vec<Vec<Point>>, Vec<Point>) {
        let steps = || 0..self.steps.count;
        let mut lines = Vec::with_capacity(places.len());
        for place in places {
            let taken = steps().map(|step| {
                let point = self.points.get_mut(step * self.lines + place);
                point.map(std::mem::take).unwrap_or_default()
            });
            lines.push(taken.collect());
        }
        let mut others = vec![Point::default(); self.steps.count];
        for (to, points) in others.iter_mut().zip(self.points.chunks(self.lines.max(1))) {
            points.iter().for_each(|more| to.add(more));
        }
        (lines, others)
    }
}
