//! How it went over time: a column of a table, or a line for each step.

use std::io::{self, Write};
use std::time::Duration;

use femtosnitch_store::{Answer, Point, Series};
use jiff::tz::TimeZone;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::gaps::moment;
use super::print;
use crate::cli::By;
use crate::text::{Sparks, count, duration};

/// Steps that a column of a table has room for.
const CELLS: usize = 24;

/// Leaves out steps before and after the time asked for in which there was nothing: the store tells
/// of whole days where everything is asked for. Without `since` steps before anything go.
pub(super) fn crop(series: &mut Series, since: Option<i64>, until: i64) {
    let Series { start, width, lines, others } = series;
    let busy = |at: usize| {
        let point = |line: &Vec<Point>| line.get(at).copied().unwrap_or_default();
        lines.iter().chain([&*others]).any(|line| point(line) != Point::default())
    };
    let begins = |at: usize| {
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        start.saturating_add(at.saturating_mul(*width))
    };
    let mut kept = 0..others.len();
    while kept.start < kept.end
        && since.is_none_or(|since| begins(kept.start + 1) <= since)
        && !busy(kept.start)
    {
        kept.start += 1;
    }
    while kept.start < kept.end && begins(kept.end - 1) >= until && !busy(kept.end - 1) {
        kept.end -= 1;
    }
    let first = begins(kept.start);
    for line in lines.iter_mut().chain([others]) {
        line.truncate(kept.end);
        line.drain(..kept.start.min(line.len()));
    }
    *start = first;
}

/// Lines for a table: one an answer, and one for all there is.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) lines: Vec<String>,
    pub(super) total: String,
}

impl Column {
    pub(super) fn of(series: &Series, sparks: Sparks) -> Self {
        let amounts = |line: &[Point]| -> Vec<u64> {
            let bytes: Vec<u64> =
                line.iter().map(|point| point.send.saturating_add(point.recv)).collect();
            // Of a scan there are connections alone.
            let moved = bytes.iter().any(|bytes| *bytes > 0);
            if moved { bytes } else { line.iter().map(|point| point.connections).collect() }
        };
        let mut all = series.others.clone();
        for line in &series.lines {
            for (sum, point) in all.iter_mut().zip(line) {
                sum.send = sum.send.saturating_add(point.send);
                sum.recv = sum.recv.saturating_add(point.recv);
                sum.connections = sum.connections.saturating_add(point.connections);
            }
        }
        let lines = series.lines.iter().map(|line| sparks.line(&amounts(line), CELLS)).collect();
        Self { lines, total: sparks.line(&amounts(&all), CELLS) }
    }
}

/// What the column shows, in words.
pub(super) fn legend(series: &Series, zone: &TimeZone) -> String {
    let steps = series.others.len();
    let together = steps.div_ceil(CELLS).max(1);
    let width = u64::try_from(series.width).unwrap_or(0).saturating_mul(together as u64);
    let cells = count(steps.div_ceil(together) as u64);
    let begin = moment(series.start, zone, None);
    let width = duration(Duration::from_secs(width));
    format!("over time: {cells} steps of {width} from {begin} on, each line by its own highest")
}

/// One step of one answer.
struct Step<'a> {
    by: &'a [By],
    answer: &'a Answer,
    time: i64,
    point: &'a Point,
}

impl Serialize for Step<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (by, key) in self.by.iter().zip(&self.answer.keys) {
            map.serialize_entry(&by.name, key)?;
        }
        map.serialize_entry("time", &self.time)?;
        map.serialize_entry("send", &self.point.send)?;
        map.serialize_entry("recv", &self.point.recv)?;
        map.serialize_entry("connections", &self.point.connections)?;
        map.end()
    }
}

fn steps<'a>(
    by: &'a [By],
    answers: &'a [Answer],
    series: &'a Series,
) -> impl Iterator<Item = Step<'a>> {
    let time = |at: usize| {
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        series.start.saturating_add(at.saturating_mul(series.width))
    };
    answers.iter().zip(&series.lines).flat_map(move |(answer, line)| {
        let points = line.iter().enumerate();
        points.map(move |(at, point)| Step { by, answer, time: time(at), point })
    })
}

/// For programs: an object for each step of each answer.
pub(super) fn json(
    out: &mut impl Write,
    by: &[By],
    answers: &[Answer],
    series: &Series,
) -> io::Result<()> {
    print::array(out, steps(by, answers, series))
}

/// For spreadsheets, likewise.
pub(super) fn csv(
    out: &mut impl Write,
    by: &[By],
    answers: &[Answer],
    series: &Series,
) -> io::Result<()> {
    for by in by {
        write!(out, "{},", by.name)?;
    }
    writeln!(out, "time,send,recv,connections")?;
    for Step { answer, time, point, .. } in steps(by, answers, series) {
        print::csv_keys(out, answer)?;
        writeln!(out, "{time},{},{},{}", point.send, point.recv, point.connections)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_store::Key;

    fn point(send: u64, connections: u64) -> Point {
        Point { send, connections, ..Point::default() }
    }

    fn series() -> Series {
        Series {
            start: 3_600,
            width: 60,
            lines: vec![vec![point(1, 0), point(4, 1)], vec![point(0, 0), point(0, 5)]],
            others: vec![point(3, 0), point(0, 0)],
        }
    }

    fn answers() -> Vec<Answer> {
        let named = |name: &str| Answer { keys: vec![Key::Text(name.into())], ..Answer::default() };
        vec![named("/bin/a"), named("b,c")]
    }

    fn by() -> Vec<By> {
        vec!["exe".parse().unwrap()]
    }

    #[test]
    fn a_column_has_a_line_for_each_answer_and_one_for_all() {
        let column = Column::of(&series(), Sparks::ASCII);
        assert_eq!(column.lines, ["-#", " #"]);
        assert_eq!(column.total, "##");
        assert_eq!(
            legend(&series(), &TimeZone::UTC),
            "over time: 2 steps of 1m from 1970-01-01 01:00:00 on, each line by its own highest"
        );
        let long = Series { others: vec![Point::default(); 25], lines: Vec::new(), ..series() };
        assert!(legend(&long, &TimeZone::UTC).contains("13 steps of 2m"));
        let none = Series { others: Vec::new(), lines: vec![Vec::new()], ..series() };
        assert_eq!(Column::of(&none, Sparks::ASCII).lines, [""]);
    }

    #[test]
    fn steps_that_nobody_asked_for_are_left_out_if_they_are_empty() {
        let empty = || Point::default();
        let whole = Series {
            start: 0,
            width: 60,
            lines: vec![vec![empty(), empty(), point(1, 0), empty(), empty(), empty()]],
            others: vec![empty(); 6],
        };
        let cropped = |since, until| {
            let mut series = whole.clone();
            crop(&mut series, since, until);
            (series.start, series.lines[0].len(), series.others.len())
        };
        assert_eq!(cropped(Some(60), 240), (60, 3, 3));
        assert_eq!(cropped(Some(59), 241), (0, 5, 5));
        assert_eq!(cropped(None, 0), (120, 1, 1));
        assert_eq!(cropped(Some(1_000), 0), (120, 1, 1));
        let mut nothing = Series { lines: Vec::new(), others: vec![empty(); 3], ..whole };
        crop(&mut nothing, None, 0);
        assert_eq!(nothing.others.len(), 0);
    }

    #[test]
    fn each_step_of_each_answer_is_a_line() {
        let text = |print: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
            let mut out = Vec::new();
            print(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            text(&|out| csv(out, &by(), &answers(), &series())),
            "exe,time,send,recv,connections\n/bin/a,3600,1,0,0\n/bin/a,3660,4,0,1\n\
             \"b,c\",3600,0,0,0\n\"b,c\",3660,0,0,5\n"
        );
        let json = text(&|out| json(out, &by(), &answers(), &series()));
        let steps: serde_json::Value = serde_json::from_str(&json).unwrap();
        let last = serde_json::json!(
            { "exe": "b,c", "time": 3_660, "send": 0, "recv": 0, "connections": 5 }
        );
        assert_eq!((steps.as_array().map(Vec::len), &steps[3]), (Some(4), &last));
    }
}
