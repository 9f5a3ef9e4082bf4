//! Which rows and sums answer a question: the coarsest that do, finer ones at the edges.

use std::ops::Range;

use crate::rollups::Cube;
use crate::rollups::Floors;
use crate::rollups::Level;

/// What a question asks of each row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Need {
    pub(super) actor: bool,
    pub(super) peer: bool,
    /// More of it than its address and name.
    pub(super) ends: bool,
    pub(super) outcome: bool,
    pub(super) lport: bool,
    pub(super) rport: bool,
    pub(super) run: bool,
    /// More of the sums than a point of a series has.
    pub(super) all: bool,
    /// Time matters in steps of so many seconds from some full multiple; 0: not at all.
    pub(super) grain: i64,
}

impl Need {
    /// All of the sums are asked for.
    pub(super) fn all(&mut self) {
        self.all = true;
    }
}

/// Of which peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    All,
    /// Those that say the remote port.
    Steady,
    /// Those whose rows say it.
    Loose,
}

/// Where to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Rows,
    Sums(Level, Cube),
}

/// A piece of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) source: Source,
    pub(super) time: Range<i64>,
    pub(super) of: Of,
}

/// All pieces, and of which time they tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) parts: Vec<Part>,
    /// The time asked for, as far as it is kept so finely.
    pub(super) time: Range<i64>,
    /// What lies before is told without what only rows say, and the question asks for that.
    pub(super) coarse_before: Option<i64>,
}

/// What has no row in a cube of days or hours.
fn exact(need: &Need, level: Level) -> Option<(Cube, Of)> {
    let Need { actor, peer, ends, outcome, lport, rport, run, all, grain } = *need;
    let day = level == Level::Day;
    let parties = actor || peer || outcome || lport || rport || run;
    if day && !parties && grain % Level::Minute.span() == 0 && grain % Level::Hour.span() != 0 {
        return Some((Cube::Clock, Of::All));
    }
    if grain % level.span() != 0 {
        return None;
    }
    let by_peer = if day { Cube::Peer } else { Cube::Pair };
    match (actor, peer, outcome, lport, rport, run) {
        (_, false, _, false, false, false) => Some((Cube::Actor, Of::All)),
        (false, true, false, false, false, false) if day && !ends => Some((Cube::Host, Of::All)),
        (false, true, false, false, false, false) => Some((by_peer, Of::All)),
        (false, true, true, false, false, false) if day => Some((Cube::Peer, Of::All)),
        (true, true, false, false, false, false) => Some((Cube::Pair, Of::All)),
        (false, false, false, true, false, false) if day || !all => Some((Cube::Lport, Of::All)),
        (false, false, false, false, true, false) => Some((Cube::Rport, Of::All)),
        (_, false, false, false, false, true) => Some((Cube::Run, Of::All)),
        (false, _, false, false, true, false) => Some((by_peer, Of::Steady)),
        (true, _, false, false, true, false) => Some((Cube::Pair, Of::Steady)),
        _ => None,
    }
}

/// Likewise where nothing else is left: what it does not say is told as unknown.
fn coarse(need: &Need) -> (Cube, bool) {
    let Need { actor, peer, ends, outcome, lport, rport, run, .. } = *need;
    let more = ends || outcome || lport || rport;
    let peer = peer || lport || rport;
    let cube = match (actor, peer) {
        (_, false) => Cube::Actor,
        (false, true) if !more => Cube::Host,
        (false, true) => Cube::Peer,
        (true, true) => Cube::Pair,
    };
    (cube, lport || rport || run)
}

fn down(time: i64, span: i64) -> i64 {
    time.div_euclid(span).saturating_mul(span)
}

fn up(time: i64, span: i64) -> i64 {
    down(time.saturating_add(span - 1), span)
}

/// The finest that is kept of a time.
fn finest(time: i64, floors: &Floors) -> i64 {
    if time >= floors.row {
        1
    } else if time >= floors.minute {
        Level::Minute.span()
    } else if time >= floors.hour {
        Level::Hour.span()
    } else {
        Level::Day.span()
    }
}

/// Plans an answer about `time`; nothing was or will be outside of `all`.
pub(super) fn plan(need: &Need, floors: &Floors, time: Range<i64>, all: &Range<i64>) -> Plan {
    // Days in which there is anything are asked for as a whole where they may be.
    let (first, last) = (down(all.start, Level::Day.span()), up(all.end, Level::Day.span()));
    let start = if time.start <= first { first } else { time.start.max(all.start) };
    let start = start.max(floors.day.min(floors.row));
    let end = if time.end >= last { last } else { time.end.min(all.end) }.max(start);
    let rounded = down(start, finest(start, floors))..up(end, finest(end, floors));
    let mut plan = Plan { parts: Vec::new(), time: rounded.clone(), coarse_before: None };
    if rounded.start < rounded.end {
        let levels = [Level::Day, Level::Hour, Level::Minute];
        plan.below(need, floors, rounded.start..rounded.end.min(floors.row), &levels);
        let kept = rounded.start.max(floors.row)..rounded.end;
        plan.cover(need, floors, kept, &[Level::Day, Level::Hour]);
    }
    plan
}

impl Plan {
    /// Seconds of which rows are read.
    pub(super) fn rows(&self) -> i64 {
        let rows = self.parts.iter().filter(|part| part.source == Source::Rows);
        rows.map(|part| part.time.end.saturating_sub(part.time.start)).fold(0, i64::saturating_add)
    }

    fn push(&mut self, source: Source, time: Range<i64>, of: Of) {
        if time.start < time.end {
            self.parts.push(Part { source, time, of });
        }
    }

    /// Time of which there are rows.
    fn cover(&mut self, need: &Need, floors: &Floors, time: Range<i64>, levels: &[Level]) {
        if time.start >= time.end {
            return;
        }
        let [level, finer @ ..] = levels else {
            return self.push(Source::Rows, time, Of::All);
        };
        let span = level.span();
        let begin = up(time.start.max(floors.of(*level)), span);
        let whole = begin..down(time.end, span).max(begin);
        let Some((cube, of)) = exact(need, *level).filter(|_| whole.start < whole.end) else {
            return self.cover(need, floors, time, finer);
        };
        self.cover(need, floors, time.start..whole.start.min(time.end), finer);
        self.push(Source::Sums(*level, cube), whole.clone(), of);
        if of == Of::Steady {
            self.push(Source::Sums(*level, Cube::Loose), whole.clone(), Of::Loose);
        }
        self.cover(need, floors, whole.end..time.end, finer);
    }

    /// Time of which there are sums only: what is asked for and they do not say is untold.
    fn below(&mut self, need: &Need, floors: &Floors, time: Range<i64>, levels: &[Level]) {
        let (false, [level, finer @ ..]) = (time.is_empty(), levels) else { return };
        let span = level.span();
        let finer_from = finer.iter().map(|finer| floors.of(*finer)).min().unwrap_or(i64::MAX);
        // Too coarse a sum is for what nothing finer tells.
        let end = if need.grain % span == 0 {
            time.end
        } else {
            time.end.min(up(finer_from.min(time.end), span))
        };
        let begin = up(time.start.max(floors.of(*level)), span);
        let whole = begin..down(end, span).max(begin);
        if whole.is_empty() {
            return self.below(need, floors, time, finer);
        }
        let (mut cube, mut untold) = coarse(need);
        if *level == Level::Minute {
            // Of minutes there are pairs alone.
            cube = Cube::Pair;
        } else if *level == Level::Hour && matches!(cube, Cube::Peer | Cube::Host) {
            cube = Cube::Pair;
        }
        untold |= need.outcome && cube == Cube::Pair;
        if untold {
            self.coarse_before = self.coarse_before.max(Some(whole.end));
        }
        self.below(need, floors, time.start..whole.start, finer);
        self.push(Source::Sums(*level, cube), whole.clone(), Of::All);
        self.below(need, floors, whole.end..time.end, finer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn need() -> impl Strategy<Value = Need> {
        (any::<[bool; 7]>(), prop::sample::select(vec![0, 1, 60, 1800, 3600, 86_400])).prop_map(
            |([actor, peer, ends, outcome, lport, rport, run], grain)| Need {
                actor,
                peer,
                ends,
                outcome,
                lport,
                rport,
                run,
                all: true,
                grain,
            },
        )
    }

    prop_compose! {
        fn floors()(day in 0..5_i64, hour in 0..5_i64, minute in prop::option::of(0..40_i64), row in 0..60_i64) -> Floors {
            let (day, hour) = (day * 86_400, (day + hour) * 86_400);
            let row = (hour + row * 3600).max(hour);
            let minute = minute.map_or(i64::MAX, |minute| (hour + minute * 3600).min(row));
            Floors { minute, hour, day, row }
        }
    }

    proptest! {
        #[test]
        fn every_second_is_told_exactly_once(
            need in need(),
            floors in floors(),
            (start, length) in (0..20 * 86_400_i64, 0..20 * 86_400_i64),
        ) {
            let all = 0..20 * 86_400;
            let plan = plan(&need, &floors, start..start + length, &all);
            for of in [Of::Steady, Of::Loose] {
                let mut parts: Vec<_> =
                    plan.parts.iter().filter(|part| part.of == Of::All || part.of == of).collect();
                parts.sort_by_key(|part| part.time.start);
                let mut at = plan.time.start;
                for part in parts {
                    prop_assert_eq!(part.time.start, at, "{:?}", &plan);
                    prop_assert!(part.time.end > at);
                    at = part.time.end;
                    match part.source {
                        Source::Rows => prop_assert!(part.time.start >= floors.row),
                        Source::Sums(level, _) => {
                            prop_assert_eq!(part.time.start % level.span(), 0);
                            prop_assert_eq!(part.time.end % level.span(), 0);
                            prop_assert!(part.time.start >= floors.of(level));
                        }
                    }
                }
                prop_assert_eq!(at, plan.time.end.max(plan.time.start), "{:?}", &plan);
            }
            // As asked for, where rows are kept, and never less.
            if plan.time.start > floors.row && start > 0 {
                prop_assert_eq!(plan.time.start, start);
            }
            prop_assert!(plan.time.start <= start.max(floors.day));
        }
    }

    #[test]
    fn process_ids_of_whole_days_are_read_as_such() {
        let floors = Floors { minute: i64::MAX, hour: -1 << 40, day: -1 << 40, row: -1 << 40 };
        let need = Need { run: true, ..Need::default() };
        let plan = plan(&need, &floors, i64::MIN..i64::MAX, &(86_405..10 * 86_400 - 7));
        let part = Part {
            source: Source::Sums(Level::Day, Cube::Run),
            time: 86_400..10 * 86_400,
            of: Of::All,
        };
        assert_eq!(plan.parts, [part]);
    }

    #[test]
    fn the_first_day_of_a_history_is_not_told_as_a_whole_where_less_is_asked_for() {
        let floors = Floors { minute: i64::MAX, hour: -1 << 40, day: -1 << 40, row: -1 << 40 };
        let told = |time: Range<i64>| plan(&Need::default(), &floors, time, &(7_000..9_000)).time;
        assert_eq!(told(6_000..9_500), 7_000..9_000);
        assert_eq!(told(8_000..9_500), 8_000..9_000);
        assert_eq!(told(-5..9_500), 0..9_000);
        assert_eq!(told(8_000..i64::MAX), 8_000..86_400);
        assert_eq!(told(i64::MIN..i64::MAX), 0..86_400);
        // Later than all.
        assert!(told(9_200..9_500).is_empty());
        assert_eq!(told(9_200..9_500).start, 9_200);
    }

    #[test]
    fn whole_days_are_read_as_days() {
        let floors = Floors { minute: i64::MAX, hour: -1 << 40, day: -1 << 40, row: -1 << 40 };
        let (day, all) = (86_400, 0..100 * 86_400);
        let need = Need { actor: true, ..Need::default() };
        let plan = plan(&need, &floors, day - 7250..3 * day, &all);
        let sources: Vec<_> =
            plan.parts.iter().map(|part| (part.source, part.time.clone())).collect();
        assert_eq!(
            sources,
            [
                (Source::Rows, day - 7250..day - 7200),
                (Source::Sums(Level::Hour, Cube::Actor), day - 7200..day),
                (Source::Sums(Level::Day, Cube::Actor), day..3 * day),
            ]
        );
    }
}
