//! What somebody should know who reads an answer: where it tells less than one would think.

use femtosnitch_store::Dimension;
use femtosnitch_store::Unwatched;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::page::Page;
use super::page::Subject;
use super::words;

/// Gaps that are named.
const NAMED: usize = 2;

/// A unix second by the local clock: with the date, unless it is that of `near`.
pub(crate) fn moment(second: i64, zone: &TimeZone, near: Option<i64>) -> String {
    let local = |second| {
        Timestamp::from_second(second).ok().map(|at| at.to_zoned_datetime(zone.clone()).datetime())
    };
    let Some(at) = local(second) else { return second.to_string() };
    let same_day = near.and_then(local).is_some_and(|near| near.date() == at.date());
    at.strftime(if same_day { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" }).to_string()
}

/// A span as short as it can be told. `now` as its end is called so.
pub(crate) fn span(since: i64, until: i64, now: i64, zone: &TimeZone) -> String {
    let from = moment(since, zone, None);
    if until > now {
        return format!("{from} until now");
    }
    let to = moment(until, zone, Some(since));
    // Seconds matter to nobody here.
    let to = if to.len() == "00:00:00".len() { to.get(..5).unwrap_or(&to).to_owned() } else { to };
    format!("{from} until {to}")
}

/// Sentences below a table, the most important first.
pub(crate) fn of(page: &Page, now: i64, zone: &TimeZone) -> Vec<String> {
    let mut notes = Vec::new();
    if matches!(page.subject, Subject::Events | Subject::System) {
        return notes;
    }
    notes.extend(gaps(&page.known.gaps, now, zone));
    if let Some(before) = page.told().and_then(|span| span.coarse_before) {
        let what = match &page.subject {
            Subject::History { by } if only_rows_tell(*by) => words::title(*by).to_lowercase(),
            _ => "some details".to_owned(),
        };
        let reads = if what == "some details" { "they read" } else { "it reads" };
        notes.push(format!(
            "Before {}, only sums are kept that do not tell {what}: {reads} as unknown there.",
            moment(before, zone, None)
        ));
    }
    let (asked, levels) = (page.range.bounds(now).0, &page.known.levels);
    let gone = levels.days.let_go.filter(|&before| asked.is_some_and(|since| since < before));
    if let Some(before) = gone {
        notes.push(format!("Nothing is kept from before {}.", moment(before, zone, None)));
    }
    // What is asked for from before all history on is told from its beginning.
    let in_sums = |time: i64| {
        levels.rows.let_go.is_some_and(|before| time < before)
            && levels.days.since.is_some_and(|oldest| oldest < time)
    };
    if let (Some(span), Some(since)) = (page.told(), asked)
        && span.since < since
        && in_sums(since)
    {
        let begin = moment(span.since, zone, None);
        notes.push(format!("Of that time sums are kept that begin at {begin}."));
    }
    notes
}

fn only_rows_tell(dimension: Dimension) -> bool {
    matches!(dimension, Dimension::Pid | Dimension::Lport | Dimension::Rport | Dimension::Outcome)
}

/// When nobody looked; `None` if somebody always did.
pub(crate) fn gaps(gaps: &[Unwatched], now: i64, zone: &TimeZone) -> Option<String> {
    let earlier = gaps.len().saturating_sub(NAMED);
    let named: Vec<String> = gaps
        .iter()
        .skip(earlier)
        .map(|gap| {
            let began = moment(gap.began, zone, Some(now));
            let ended = gap.ended.map(|ended| moment(ended, zone, Some(gap.began)));
            let ended = ended.unwrap_or_else(|| "now".to_owned());
            format!("{began} until {ended} ({})", gap.reason)
        })
        .collect();
    let more = match earlier {
        0 => String::new(),
        _ => format!(" and {earlier} before"),
    };
    (!named.is_empty()).then(|| format!("Not watched: {}{more}.", named.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::range::Range;
    use super::*;
    use femtosnitch_store::GapReason;

    fn gap(began: i64, ended: Option<i64>) -> Unwatched {
        Unwatched { began, ended, reason: GapReason::Stopped }
    }

    #[test]
    fn the_latest_gaps_are_named() {
        let now = 1_700_000_000;
        let all = [gap(100, Some(200)), gap(now - 600, Some(now - 300)), gap(now - 60, None)];
        assert_eq!(
            gaps(&all, now, &TimeZone::UTC).as_deref(),
            Some(
                "Not watched: 22:03:20 until 22:08:20 (stopped), 22:12:20 until now (stopped) and \
                 1 before."
            )
        );
        assert_eq!(gaps(&[], now, &TimeZone::UTC), None);
    }

    #[test]
    fn what_was_let_go_is_told_and_nothing_else() {
        let now = 100 * 86_400;
        let mut page =
            Page::new(Subject::History { by: Dimension::Exe }, Range::last(86_400), Vec::new());
        // A history that is younger than what is asked for lacks nothing.
        page.known.levels.days.since = Some(now - 3_600);
        assert!(of(&page, now, &TimeZone::UTC).is_empty());
        page.known.levels.days.let_go = Some(now - 40_000);
        assert_eq!(
            of(&page, now, &TimeZone::UTC),
            ["Nothing is kept from before 1970-04-10 12:53."]
        );
    }

    #[test]
    fn spans_are_told_by_the_local_clock() {
        let now = 1_700_000_000;
        assert_eq!(span(now - 600, now + 1, now, &TimeZone::UTC), "2023-11-14 22:03 until now");
        assert_eq!(span(now - 600, now - 300, now, &TimeZone::UTC), "2023-11-14 22:03 until 22:08");
        assert_eq!(
            span(now - 90_000, now - 300, now, &TimeZone::UTC),
            "2023-11-13 21:13 until 2023-11-14 22:08"
        );
    }
}
