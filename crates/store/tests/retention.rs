//! Retention by level and by size: what goes is in the sums that stay.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::*;
use femtosnitch_model::Executable;
use femtosnitch_model::Row;
use femtosnitch_store::Bucket;
use femtosnitch_store::Cancel;
use femtosnitch_store::Dimension;
use femtosnitch_store::Key;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::Retention;
use femtosnitch_store::Writer;
use proptest::prelude::*;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// At midnight.
const START: i64 = 1_799_971_200;
const DAYS: i64 = 12;

/// Any numbers, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % end
    }
}

/// A row's time, executable, name of the other end, and bytes.
type Told = (i64, usize, i64, u64);

struct History {
    writer: Writer,
    exes: Vec<Executable>,
    numbers: Numbers,
    rows: Vec<Told>,
}

impl History {
    fn new(path: &Path, seed: u64) -> Self {
        let exes = (0..5_u8).map(|at| exe(at.into(), &format!("/bin/{at}"), sha(at))).collect();
        Self { writer: open(path), exes, numbers: Numbers(seed), rows: Vec::new() }
    }

    /// Writes rows with times within these seconds after the start, in order.
    fn write(&mut self, count: i64, begin: i64, end: i64) {
        let mut times: Vec<i64> =
            (0..count).map(|_| START + begin + self.numbers.below(end - begin)).collect();
        times.sort_unstable();
        let batch: Vec<Row> = times
            .into_iter()
            .map(|contime| {
                let (exe, name) = (self.numbers.below(5), self.numbers.below(7));
                let send = u64::try_from(1 + self.numbers.below(100_000)).unwrap();
                let exe = usize::try_from(exe).unwrap();
                self.rows.push((contime, exe, name, send));
                Row {
                    send,
                    domain: format!("org.example.h{name}").into(),
                    lport: u16::try_from(32_768 + self.numbers.below(20_000)).unwrap(),
                    pid: u32::try_from(1 + self.numbers.below(900)).unwrap(),
                    ..row(contime, &self.exes[exe])
                }
            })
            .collect();
        for batch in batch.chunks(1_000) {
            self.writer.write(&rows(batch.to_vec())).unwrap();
        }
    }

    fn retain(&mut self, keep: &Retention) {
        let mut steps = 0;
        while !self.writer.retain(keep, 700).unwrap().done {
            steps += 1;
            assert!(steps < 5_000, "retention never ends: {keep:?}");
        }
    }

    /// Bytes sent from one time to another, by executable and name.
    fn sent(&self, since: i64, until: i64) -> BTreeMap<(String, String), u64> {
        let mut sums = BTreeMap::new();
        for (contime, exe, name, send) in &self.rows {
            if (since..until).contains(contime) {
                let key = (format!("/bin/{exe}"), format!("h{name}.example.org"));
                *sums.entry(key).or_default() += send;
            }
        }
        sums
    }
}

fn text(key: &Key) -> String {
    match key {
        Key::Text(text) => text.clone(),
        Key::Number(number) => number.to_string(),
    }
}

/// Every answer has to be that of the time which it says it is about.
fn check(path: &Path, history: &History, since: Option<i64>, until: Option<i64>) -> (i64, i64) {
    let by = vec![Dimension::Exe, Dimension::Domain];
    let query = Query { since, until, by, ..Query::default() };
    let reader = Reader::open(path).unwrap();
    let bucket = Some(Bucket::Seconds { width: DAY, offset: 0 });
    let report = reader.report(&query, bucket, &NoUsers, &Cancel::default()).unwrap();
    let found: BTreeMap<(String, String), u64> = report
        .answers
        .iter()
        .map(|answer| ((text(&answer.keys[0]), text(&answer.keys[1])), answer.send))
        .collect();
    let span = report.span;
    assert_eq!(found, history.sent(span.since, span.until), "{since:?} {until:?} {span:?}");
    let series = report.series.unwrap();
    let points: u64 = series.lines.iter().flatten().map(|point| point.send).sum();
    assert_eq!(points, report.total.send);
    (span.since, span.until)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn answers_are_right_about_the_time_they_tell_of(
        seed: u64,
        mut ages in prop::array::uniform4(0..DAYS * 24),
        days_for_ever: bool,
        minutes_like_rows: bool,
    ) {
        ages.sort_unstable();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let mut history = History::new(&path, seed);
        history.write(9_000, 0, DAYS * DAY);
        // In two goes, as time goes on, and with rows that come late.
        for ago in [60 * HOUR, 0] {
            let before = |hours: i64| START + DAYS * DAY - ago - hours * HOUR - 1_234;
            let rows = before(ages[0]);
            let keep = Retention {
                rows,
                minutes: if minutes_like_rows { rows } else { before(ages[1]) },
                hours: before(ages[2]),
                days: if days_for_ever { i64::MIN } else { before(ages[3]) },
                max_bytes: None,
            };
            history.retain(&keep);
            history.write(300, 0, DAYS * DAY);
            let levels = Reader::open(&path).unwrap().levels().unwrap();
            for _ in 0..12 {
                let one = START + history.numbers.below(DAYS * DAY);
                let other = START + history.numbers.below(DAYS * DAY);
                let (since, until) = (one.min(other), one.max(other) + 1);
                let (from, to) = check(&path, &history, Some(since), Some(until));
                prop_assert!(to >= until);
                if levels.rows.let_go.is_none_or(|gone| gone <= since) {
                    prop_assert_eq!((from, to), (since, until));
                } else if levels.minutes.let_go.is_none_or(|gone| gone <= since) {
                    prop_assert!(since - from < 60);
                } else if levels.hours.let_go.is_none_or(|gone| gone <= since) {
                    prop_assert!(since - from < HOUR);
                } else if levels.days.let_go.is_none_or(|gone| gone <= since) {
                    prop_assert!(since - from < DAY);
                }
            }
            let (from, _) = check(&path, &history, None, None);
            if days_for_ever {
                prop_assert!(from <= START + DAY);
                let all = history.rows.iter().map(|(.., send)| send).sum::<u64>();
                prop_assert_eq!(total(&path).0, all);
            }
            assert_sound(&path);
        }
    }
}

fn used(path: &Path) -> u64 {
    let pages = number(path, "PRAGMA page_count") - number(path, "PRAGMA freelist_count");
    u64::try_from(pages * number(path, "PRAGMA page_size")).unwrap()
}

#[test]
fn too_large_a_history_lets_the_oldest_go() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut history = History::new(&path, 1);
    history.write(80_000, 0, DAYS * DAY);
    let (before, rows) = (used(&path), number(&path, "SELECT count(*) FROM connections"));
    let for_ever = |max_bytes| Retention { max_bytes, ..Retention::since(i64::MIN) };
    history.retain(&for_ever(Some(before)));
    assert_eq!(number(&path, "SELECT count(*) FROM connections"), rows, "it fits");

    let mut limit = before * 3 / 4;
    history.retain(&for_ever(Some(limit)));
    assert!(used(&path) <= limit, "{} of {limit}", used(&path));
    let levels = Reader::open(&path).unwrap().levels().unwrap();
    let oldest = levels.rows.since.unwrap();
    assert!(oldest > START + HOUR && oldest < START + (DAYS - 1) * DAY, "{levels:?}");
    assert_eq!(levels.days.since, Some(START));
    check(&path, &history, None, None);
    assert_eq!(total(&path).0, history.rows.iter().map(|(.., send)| send).sum::<u64>());
    println!(
        "{rows} rows in {before} bytes, limit {limit}: {:?}",
        Reader::open(&path).unwrap().stats()
    );

    // What cannot be kept within it: a day of rows stays, and sums of a day of each level.
    limit = 1 << 16;
    history.retain(&for_ever(Some(limit)));
    let levels = Reader::open(&path).unwrap().levels().unwrap();
    let end = START + DAYS * DAY;
    for since in [levels.rows.since, levels.minutes.since, levels.hours.since, levels.days.since] {
        assert!(since.is_some_and(|since| since < end - 20 * HOUR), "{levels:?}");
        assert!(since.is_some_and(|since| since > end - 4 * DAY), "{levels:?}");
    }
    check(&path, &history, Some(end - 3 * HOUR), None);
    check(&path, &history, None, None);
    assert_sound(&path);
}
