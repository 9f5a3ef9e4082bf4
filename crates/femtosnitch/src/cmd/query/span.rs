//! Below a table: what retention has left of the time that was asked for.

use femtosnitch_store::{Dimension, Levels, Query, Span};
use jiff::tz::TimeZone;

use super::gaps::moment;

/// What somebody should know who takes an answer of `span` for one to `query`, a line each. `step`
/// is how many seconds each step of it has.
pub(super) fn notes(
    query: &Query,
    span: Span,
    step: Option<i64>,
    levels: &Levels,
    zone: &TimeZone,
) -> Vec<String> {
    let at = |second| moment(second, zone, None);
    let mut notes = Vec::new();
    if let Some(before) = gone(query, levels) {
        notes.push(format!("nothing is kept from before {}", at(before)));
    }
    // What is asked for from before all history on is told from its beginning.
    let begins = query.since.filter(|&since| span.since < since && has_before(levels, since));
    let ends = query.until.filter(|&until| span.until > until && in_sums(levels, until));
    let rounded = [
        begins.map(|_| format!("begin at {}", at(span.since))),
        ends.map(|_| format!("end at {}", at(span.until))),
    ];
    let rounded: Vec<String> = rounded.into_iter().flatten().collect();
    if !rounded.is_empty() {
        notes.push(format!("of that time sums are kept that {}", rounded.join(" and ")));
    }
    if let Some(before) = span.coarse_before {
        let what = untold(query).unwrap_or("some details");
        notes.push(format!("before {} {what} are not kept: they read as unknown", at(before)));
    }
    let within = |whole: i64| step.is_some_and(|step| step % whole != 0);
    let steps = [
        (within(60), "second", levels.rows.let_go),
        (within(3_600) || query.by.contains(&Dimension::Minute), "minute", levels.minutes.let_go),
        (within(86_400) || query.by.contains(&Dimension::Hour), "hour", levels.hours.let_go),
    ];
    let coarser = steps.into_iter().filter(|(wanted, ..)| *wanted).find_map(|(_, name, let_go)| {
        Some((name, let_go.filter(|&before| reaches(query, levels, before))?))
    });
    if let Some((name, before)) = coarser {
        notes.push(format!(
            "before {} nothing is kept by {name}: sums of longer times stand where they begin",
            at(before)
        ));
    }
    notes
}

/// Likewise of a tree.
pub(super) fn notes_of_tree(query: &Query, levels: &Levels, zone: &TimeZone) -> Vec<String> {
    let at = |second| moment(second, zone, None);
    let gone =
        gone(query, levels).map(|before| format!("nothing is kept from before {}", at(before)));
    let runs = levels.rows.let_go.filter(|&before| reaches(query, levels, before)).map(|before| {
        format!(
            "before {} single processes are not kept: what their programs moved stands at the top",
            at(before)
        )
    });
    gone.into_iter().chain(runs).collect()
}

/// Before when nothing is kept, if that is asked for.
fn gone(query: &Query, levels: &Levels) -> Option<i64> {
    levels.days.let_go.filter(|&before| query.since.is_some_and(|since| since < before))
}

/// True if something is kept that is older than this.
fn has_before(levels: &Levels, time: i64) -> bool {
    levels.days.since.is_some_and(|oldest| oldest < time) && in_sums(levels, time)
}

/// True if that is kept in sums alone.
fn in_sums(levels: &Levels, time: i64) -> bool {
    levels.rows.let_go.is_some_and(|before| time < before)
}

/// True if the answer is also about something that is older than this.
fn reaches(query: &Query, levels: &Levels, before: i64) -> bool {
    let asked = query.since.is_none_or(|since| since < before);
    asked && levels.days.since.is_some_and(|oldest| oldest < before)
}

/// What is asked for and only rows tell.
fn untold(query: &Query) -> Option<&'static str> {
    let dimensions = query.by.iter().copied().chain(query.filters.iter().map(|it| it.dimension()));
    let (mut pids, mut ports, mut outcomes) = (false, false, false);
    for dimension in dimensions {
        match dimension {
            Dimension::Pid => pids = true,
            Dimension::Lport | Dimension::Rport => ports = true,
            Dimension::Outcome => outcomes = true,
            _ => {}
        }
    }
    match (pids, ports, outcomes) {
        (false, false, false) => None,
        (true, false, false) => Some("process ids"),
        (false, true, false) => Some("ports of clients"),
        (false, false, true) => Some("outcomes of connections to one host"),
        (true, true, false) => Some("process ids and ports of clients"),
        (true, false, true) => Some("process ids and outcomes"),
        (false, true, true) => Some("ports of clients and outcomes"),
        (true, true, true) => Some("process ids, ports of clients and outcomes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_store::Kept;

    const DAY: i64 = 86_400;

    fn levels() -> Levels {
        let kept = |since: i64, let_go: Option<i64>| Kept {
            since: Some(since * DAY),
            let_go: let_go.map(|day| day * DAY),
        };
        Levels {
            rows: kept(70, Some(70)),
            minutes: kept(70, Some(70)),
            hours: kept(40, Some(40)),
            days: kept(10, None),
        }
    }

    fn query(since: Option<i64>, by: &[&str]) -> Query {
        let by = by.iter().map(|name| name.parse().unwrap()).collect();
        Query { since, by, ..Query::default() }
    }

    fn span(since: i64, coarse_before: Option<i64>) -> Span {
        Span { since, until: 100 * DAY, coarse_before }
    }

    fn said(query: &Query, span: Span, levels: &Levels) -> Vec<String> {
        notes(query, span, None, levels, &TimeZone::UTC)
    }

    #[test]
    fn where_rows_are_kept_nothing_is_said() {
        let asked = query(Some(71 * DAY + 5), &["exe", "pid", "minute"]);
        assert!(said(&asked, span(71 * DAY + 5, None), &levels()).is_empty());
        // All there is, from before it was: nothing is missing.
        assert!(said(&query(None, &["exe"]), span(10 * DAY, None), &levels()).is_empty());
        assert!(said(&query(Some(DAY), &["exe"]), span(10 * DAY, None), &levels()).is_empty());
        assert!(said(&query(Some(5), &["pid"]), span(0, None), &Levels::default()).is_empty());
    }

    #[test]
    fn sums_that_begin_elsewhere_are_told() {
        let mut asked = query(Some(50 * DAY + 60), &["exe"]);
        assert_eq!(
            said(&asked, span(50 * DAY, None), &levels()),
            ["of that time sums are kept that begin at 1970-02-20 00:00:00"]
        );
        asked.until = Some(51 * DAY - 60);
        let both = Span { since: 50 * DAY, until: 51 * DAY, coarse_before: None };
        assert_eq!(
            said(&asked, both, &levels()),
            ["of that time sums are kept that begin at 1970-02-20 00:00:00 and end at 1970-02-21 \
              00:00:00"]
        );
    }

    #[test]
    fn what_reads_as_unknown_is_named() {
        let mut asked = query(Some(50 * DAY), &["pid", "rport"]);
        let told = span(50 * DAY, Some(70 * DAY));
        assert_eq!(
            said(&asked, told, &levels()),
            [
                "before 1970-03-12 00:00:00 process ids and ports of clients are not kept: they read \
              as unknown"
            ]
        );
        asked.by.clear();
        asked.filters.push("outcome=refused".parse().unwrap());
        assert!(said(&asked, told, &levels())[0].contains("outcomes of connections"));
    }

    #[test]
    fn what_is_gone_and_what_is_coarser_than_asked_for_is_told() {
        let mut levels = levels();
        levels.days.let_go = Some(10 * DAY);
        assert_eq!(
            said(&query(Some(5 * DAY), &["hour"]), span(10 * DAY, None), &levels),
            [
                "nothing is kept from before 1970-01-11 00:00:00",
                "before 1970-02-10 00:00:00 nothing is kept by hour: sums of longer times stand \
                 where they begin",
            ]
        );
        let by_minute = notes(
            &query(Some(50 * DAY), &["exe"]),
            span(50 * DAY, None),
            Some(600),
            &levels,
            &TimeZone::UTC,
        );
        assert_eq!(by_minute.len(), 1);
        assert!(by_minute[0].starts_with("before 1970-03-12 00:00:00 nothing is kept by minute"));
        let tree = notes_of_tree(&query(None, &[]), &levels, &TimeZone::UTC);
        assert_eq!(tree.len(), 1);
        assert!(tree[0].starts_with("before 1970-03-12 00:00:00 single processes"), "{tree:?}");
        assert!(notes_of_tree(&query(Some(70 * DAY), &[]), &levels, &TimeZone::UTC).is_empty());
    }
}
