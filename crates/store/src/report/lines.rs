//! How it went over time.

use super::Series;
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
