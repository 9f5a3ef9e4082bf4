//! When nobody looked: a line below a table, or a list of its own.

use std::io::{self, Write};
use std::time::Duration;

use femtosnitch_api::LiveClient;
use femtosnitch_store::{Query, Reader, StoreError, Unwatched};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::print::{last, quoted};
use crate::config::Paths;
use crate::text::{Column, Table, count, duration};

/// Gaps named below a table.
const NAMED: usize = 3;

/// What the history knows of the time asked for, and what follows from the daemon's absence now.
pub(super) fn find(
    reader: &Reader,
    paths: &Paths,
    query: &Query,
    now: i64,
) -> Result<Vec<Unwatched>, StoreError> {
    let (mut gaps, last) = reader.unwatched((query.since, query.until), now)?;
    gaps.extend(last.filter(|_| LiveClient::is_absent(&paths.live_socket())));
    Ok(gaps)
}

/// Below a table: the latest gaps, and how many there were before; `None` if there are none.
pub(super) fn line(gaps: &[Unwatched], now: i64, zone: &TimeZone) -> Option<String> {
    let earlier = gaps.len().saturating_sub(NAMED);
    let named: Vec<String> = gaps
        .iter()
        .skip(earlier)
        .map(|gap| {
            let began = moment(gap.began, zone, Some(now));
            let ended = gap.ended.map(|ended| moment(ended, zone, Some(gap.began)));
            let ended = ended.unwrap_or_else(|| "now".to_owned());
            format!("{began}–{ended} ({})", gap.reason)
        })
        .collect();
    let more = match earlier {
        0 => String::new(),
        _ => format!(" and {} before; --gaps lists them", count(earlier as u64)),
    };
    (!named.is_empty()).then(|| format!("not watched: {}{more}", named.join(", ")))
}

/// The time of day where people are, with the date unless it is that of `near`.
pub(super) fn moment(second: i64, zone: &TimeZone, near: Option<i64>) -> String {
    let local =
        |second| Timestamp::from_second(second).ok().map(|at| at.to_zoned_datetime(zone.clone()));
    let Some(at) = local(second) else { return second.to_string() };
    let same_day = near.and_then(local).is_some_and(|near| near.date() == at.date());
    at.strftime(if same_day { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
}

/// For people: the last `lines`, oldest first.
pub(super) fn table(gaps: &[Unwatched], lines: usize, now: i64, zone: &TimeZone) -> Table {
    let titles = ["not watched from", "until", "for", "because"];
    let mut table = Table::new(titles.map(Column::text).to_vec());
    for gap in last(gaps, lines) {
        let length = gap.ended.unwrap_or(now).saturating_sub(gap.began);
        table.row([
            moment(gap.began, zone, None),
            gap.ended.map_or_else(|| "now".to_owned(), |ended| moment(ended, zone, None)),
            duration(Duration::from_secs(u64::try_from(length).unwrap_or(0))),
            gap.reason.to_string(),
        ]);
    }
    table
}

/// For spreadsheets; `ended` is empty while a gap lasts.
pub(super) fn csv(out: &mut impl Write, gaps: &[Unwatched]) -> io::Result<()> {
    writeln!(out, "began,ended,reason")?;
    for gap in gaps {
        let ended = gap.ended.map_or_else(String::new, |ended| ended.to_string());
        writeln!(out, "{},{ended},{}", gap.began, quoted(gap.reason.name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::query::print::array;
    use crate::text::Style;

    const DAY: i64 = 86_400;

    fn gap(began: i64, ended: Option<i64>, reason: &str) -> Unwatched {
        Unwatched { began, ended, reason: reason.into() }
    }

    fn some() -> Vec<Unwatched> {
        vec![
            gap(10, Some(20), "killed"),
            gap(DAY - 5, Some(DAY + 5), "stopped"),
            gap(DAY + 60, Some(DAY + 3_600), "suspended"),
            gap(2 * DAY + 1, Some(2 * DAY + 9), "stopped"),
            gap(2 * DAY + 10, None, "killed"),
        ]
    }

    #[test]
    fn a_line_names_the_latest_and_counts_the_rest() {
        let line = |gaps: &[Unwatched]| line(gaps, 2 * DAY + 99, &TimeZone::UTC);
        assert_eq!(line(&[]), None);
        assert_eq!(
            line(&some()).unwrap(),
            "not watched: 1970-01-02 00:01:00–01:00:00 (suspended), 00:00:01–00:00:09 (stopped), \
             00:00:10–now (killed) and 2 before; --gaps lists them"
        );
        assert_eq!(
            line(&some()[1..2]).unwrap(),
            "not watched: 1970-01-01 23:59:55–1970-01-02 00:00:05 (stopped)"
        );
        let odd = [gap(i64::MIN, Some(i64::MAX), "\x1b[2J")];
        assert!(line(&odd).unwrap().contains(&i64::MAX.to_string()));
    }

    #[test]
    fn lists_are_for_people_programs_and_spreadsheets() {
        let table = table(&some(), 2, 2 * DAY + 99, &TimeZone::UTC);
        assert_eq!(
            table.render(Style::plain()),
            "not watched from     until                for     because\n\
             1970-01-03 00:00:01  1970-01-03 00:00:09  8s      stopped\n\
             1970-01-03 00:00:10  now                  1m 29s  killed\n"
        );
        let text = |print: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
            let mut out = Vec::new();
            print(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let two = [gap(1, Some(2), "a,b"), gap(3, None, "killed")];
        assert_eq!(
            text(&|out| array(out, &two)),
            "[\n  {\"began\":1,\"ended\":2,\"reason\":\"a,b\"},\n  \
             {\"began\":3,\"ended\":null,\"reason\":\"killed\"}\n]\n"
        );
        assert_eq!(text(&|out| array::<Unwatched>(out, [])), "[]\n");
        assert_eq!(text(&|out| csv(out, &two)), "began,ended,reason\n1,2,\"a,b\"\n3,,killed\n");
    }
}
