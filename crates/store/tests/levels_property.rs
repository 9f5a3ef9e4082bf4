//! Random rows, sealed and let go of at random: what is left answers as all rows ever written do,
//! and is what the chain vouches for.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use common::*;
use femtosnitch_model::Direction;
use femtosnitch_model::Row;
use femtosnitch_store::Bucket;
use femtosnitch_store::Cancel;
use femtosnitch_store::Dimension;
use femtosnitch_store::Key;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::Report;
use femtosnitch_store::Retention;
use femtosnitch_store::Sums;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// Days that the history is of.
const DAYS: i64 = 6;
const END: i64 = DAYS * DAY;
/// Dimensions that sums tell for as long as there are any, and those of hours and days.
const LASTING: [Dimension; 6] = [
    Dimension::Exe,
    Dimension::Uid,
    Dimension::Raddr,
    Dimension::Domain,
    Dimension::Direction,
    Dimension::Protocol,
];
const PATHS: [&str; 3] = ["/bin/a", "/bin/b", "/opt/c"];
const DOMAINS: [&str; 3] = ["", "org.example", "net.x"];

/// What may happen to a history.
#[derive(Debug, Clone)]
enum Step {
    Write(Vec<Row>),
    Seal,
    /// Ages in hours of rows, minutes, hours and days, and how many steps are made.
    Retain([i64; 4], usize),
    Reopen,
    /// Tamper evidence on or off.
    Chain(bool),
}

prop_compose! {
    fn traffic()(
        // Some are late, some seconds are full hours and days.
        contime in prop_oneof![0..END, (0..DAYS * 24).prop_map(|hour| hour * HOUR)],
        (send, recv, events) in (0_u64..5_000, 0_u64..5_000, 0_u64..9),
        // As much as fits in no block.
        large in prop::bool::weighted(0.05),
        wire in prop::option::of(0_u64..6_000),
        (path, uid, peer, domain) in (0..PATHS.len(), 0..2_u32, 0..4_u32, 0..DOMAINS.len()),
        direction in prop::sample::select(&Direction::ALL[..]),
        (begun, failed, retrans) in (0..3_u32, 0..2_u32, 0..3_u64),
        rtt in prop::option::of(1..900_u32),
        (lport, rport) in (prop::sample::select(vec![22, 40_000]), prop::sample::select(vec![443, 50_000])),
    ) -> Row {
        let mut row = row(contime, &exe(path as u64, PATHS[path], sha(1)));
        (row.send, row.recv) = (if large { send + (1 << 40) } else { send }, recv);
        (row.events, row.wire_send, row.wire_recv) = (events, wire, None);
        (row.uid, row.raddr) = (uid, Some(Ipv4Addr::from(0x0a00_0000 | peer).into()));
        (row.domain, row.direction) = (DOMAINS[domain].into(), direction);
        row.protocol = if peer == 3 { 17 } else { 6 };
        (row.connections.begun, row.connections.failed) = (begun, failed);
        (row.quality.retrans, row.quality.rtt_us) = (retrans, rtt);
        (row.lport, row.rport) = (lport, rport);
        row
    }
}

fn step() -> impl Strategy<Value = Step> {
    let hours = || 0..DAYS * 24;
    let ages = [hours(), hours(), hours(), hours()];
    prop_oneof![
        4 => prop::collection::vec(traffic(), 1..40).prop_map(Step::Write),
        2 => Just(Step::Seal),
        3 => (ages, prop_oneof![0..12_usize, Just(1_000)]).prop_map(|(ages, steps)| Step::Retain(ages, steps)),
        1 => Just(Step::Reopen),
        1 => prop::bool::weighted(0.7).prop_map(Step::Chain),
    ]
}

/// A question: time, dimensions, filters in words, seconds of a step of its series.
type Asked = (Option<i64>, Option<i64>, Vec<Dimension>, Vec<&'static str>, i64);

fn question() -> impl Strategy<Value = Asked> {
    let time = || {
        prop::option::of(prop_oneof![
            0..END,
            (0..DAYS * 24).prop_map(|hour| hour * HOUR),
            (0..DAYS).prop_map(|day| day * DAY),
        ])
    };
    let filters =
        vec!["exe=/bin/a", "exe!=/opt/c", "raddr=10.0.0.0/31", "domain=example.org", "uid=1"];
    (
        time(),
        time(),
        prop::sample::subsequence(&LASTING[..], 0..3),
        prop::sample::subsequence(filters, 0..3),
        prop::sample::select(vec![60, HOUR, DAY]),
    )
}

fn value(dimension: Dimension, row: &Row) -> Key {
    let text = |text: &str| Key::Text(text.to_owned());
    match dimension {
        Dimension::Exe => text(&row.exe.image.path),
        Dimension::Uid => Key::Number(row.uid.into()),
        Dimension::Raddr => Key::Text(row.raddr.unwrap().to_string()),
        Dimension::Domain => Key::Text(row.domain.rsplit('.').collect::<Vec<_>>().join(".")),
        Dimension::Direction => text(row.direction.name()),
        Dimension::Protocol => Key::Number(row.protocol.into()),
        _ => unreachable!(),
    }
}

fn holds(filters: &[&str], row: &Row) -> bool {
    filters.iter().all(|filter| match *filter {
        "exe=/bin/a" => row.exe.image.path == "/bin/a",
        "exe!=/opt/c" => row.exe.image.path != "/opt/c",
        "raddr=10.0.0.0/31" => {
            ["10.0.0.0", "10.0.0.1"].contains(&row.raddr.unwrap().to_string().as_str())
        }
        "domain=example.org" => &*row.domain == "org.example",
        _ => row.uid == 1,
    })
}

fn sums(row: &Row) -> Sums {
    Sums {
        send: row.send,
        recv: row.recv,
        wire_send: row.wire_send,
        wire_recv: row.wire_recv,
        events: row.events,
        connections: row.connections.begun.into(),
        failed: row.connections.failed.into(),
        retrans: row.quality.retrans,
        rtt_us: row.quality.rtt_us.map(u64::from),
    }
}

fn plus(one: &mut Sums, other: Sums) {
    let some = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    };
    one.send += other.send;
    one.recv += other.recv;
    one.wire_send = some(one.wire_send, other.wire_send);
    one.wire_recv = some(one.wire_recv, other.wire_recv);
    one.events += other.events;
    one.connections += other.connections;
    one.failed += other.failed;
    one.retrans += other.retrans;
    one.rtt_us = one.rtt_us.into_iter().chain(other.rtt_us).min();
}

/// What is kept, by what retention was asked for so far.
#[derive(Debug, Clone, Copy)]
struct Kept {
    /// Nothing that is told begins before.
    since: i64,
    /// From here on steps of a minute and an hour are exact.
    minutes: i64,
    hours: i64,
}

fn check(
    reader: &Reader,
    written: &[Row],
    kept: Kept,
    (since, until, by, filters, width): Asked,
) -> Result<(), TestCaseError> {
    let query = Query {
        since,
        until,
        by: by.clone(),
        filters: filters.iter().map(|filter| filter.parse().unwrap()).collect(),
        limit: Some(2),
    };
    let bucket = Some(Bucket::Seconds { width, offset: 0 });
    let report: Report = reader.report(&query, bucket, &NoUsers, &Cancel::default()).unwrap();
    let span = report.span;
    // Never less than was asked for, as far as it is kept and there is any.
    let newest = written.iter().map(|row| row.contime + 1).max().unwrap_or(0);
    let oldest = written.iter().map(|row| row.contime).filter(|at| *at >= kept.since).min();
    let oldest = oldest.unwrap_or(newest);
    let wanted = since.unwrap_or(0).max(kept.since).max(oldest)..until.unwrap_or(END).min(newest);
    if wanted.start < wanted.end {
        prop_assert!(
            span.since <= wanted.start && span.until >= wanted.end,
            "{:?} of {:?}",
            span,
            wanted
        );
    }
    // Nor more than to the full day.
    if let Some(since) = since.filter(|_| span.since < span.until) {
        prop_assert!(span.since > since - DAY, "{:?}", span);
        prop_assert!(
            since < kept.minutes
                || span.since >= since.max(kept.since) / 60 * 60
                || since <= oldest,
            "{:?} {:?} {:?}",
            span,
            since,
            kept
        );
    }
    let mut groups: BTreeMap<Vec<Key>, Sums> = BTreeMap::new();
    let mut line: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    let mut total = Sums::default();
    let meant = |row: &&Row| {
        (span.since..span.until).contains(&row.contime)
            && row.contime >= kept.since
            && holds(&filters, row)
    };
    for row in written.iter().filter(meant) {
        let keys = by.iter().map(|by| value(*by, row)).collect();
        plus(groups.entry(keys).or_default(), sums(row));
        plus(&mut total, sums(row));
        let step = line.entry(row.contime / width * width).or_default();
        *step = (step.0 + row.send, step.1 + row.recv);
    }
    prop_assert_eq!(report.total, total, "{:?}", query);
    prop_assert_eq!(span.coarse_before, None);
    let mut ranked: Vec<_> = groups.into_iter().collect();
    ranked.sort_by_key(|(_, sums)| std::cmp::Reverse((sums.send + sums.recv, sums.connections)));
    let others = ranked.split_off(2.min(ranked.len()));
    prop_assert_eq!(report.others.groups, others.len() as u64);
    let answers: Vec<_> =
        report.answers.iter().map(|it| (it.keys.clone(), it.send, it.recv, it.rtt_us)).collect();
    let expected: Vec<_> =
        ranked.into_iter().map(|(keys, it)| (keys, it.send, it.recv, it.rtt_us)).collect();
    prop_assert_eq!(answers, expected, "{:?}", query);
    // Steps: each is exact where sums as fine as it are kept.
    let series = report.series.unwrap();
    let exact_from = match width {
        60 => kept.minutes,
        HOUR => kept.hours,
        _ => kept.since,
    };
    let steps = series.others.len();
    for step in 0..steps {
        let start = series.start + step as i64 * width;
        if start < exact_from {
            continue;
        }
        let points = series.lines.iter().chain([&series.others]).map(|line| line[step]);
        let found = points.fold((0, 0), |sum, point| (sum.0 + point.send, sum.1 + point.recv));
        prop_assert_eq!(
            found,
            line.get(&start).copied().unwrap_or_default(),
            "{} {:?}",
            start,
            query
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]
    #[test]
    fn what_is_left_answers_as_all_rows_do(
        steps in prop::collection::vec(step(), 1..14),
        questions in prop::collection::vec(question(), 12),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let mut chained = true;
        let mut writer = open_chained(&path);
        let mut written: Vec<Row> = Vec::new();
        for step in steps {
            match step {
                Step::Write(more) => {
                    writer.write(&rows(more.clone())).unwrap();
                    // What is older than the coarsest level is not kept.
                    let floor = number(&path, "SELECT min(since) FROM levels");
                    written.extend(more.into_iter().filter(|row| row.contime >= floor));
                }
                Step::Seal => writer.seal().unwrap(),
                Step::Retain([rows, minutes, hours, days], steps) => {
                    let keep = Retention {
                        rows: rows * HOUR,
                        minutes: minutes * HOUR,
                        hours: hours * HOUR,
                        days: days * HOUR,
                        max_bytes: None,
                    };
                    for _ in 0..steps {
                        if writer.retain(&keep, 10).unwrap().done {
                            break;
                        }
                    }
                }
                Step::Reopen => {
                    drop(writer);
                    writer = if chained { open_chained(&path) } else { open(&path) };
                }
                Step::Chain(on) => {
                    chained = on;
                    writer.set_tamper_evidence(on).unwrap();
                }
            }
        }
        let floor = |level: &str| {
            number(&path, &format!("SELECT since FROM levels WHERE name = '{level}'"))
        };
        let (row, minute, hour, day) = (floor("row"), floor("minute"), floor("hour"), floor("day"));
        let kept = Kept {
            since: row.min(minute).min(hour).min(day),
            minutes: row.min(minute),
            hours: row.min(minute).min(hour),
        };
        let reader = Reader::open(&path).unwrap();
        for question in questions {
            check(&reader, &written, kept, question)?;
        }
        let verdict = reader.verify(false, &mut |_| {}, &Cancel::default()).unwrap();
        prop_assert!(verdict.is_fine(), "{:?}", verdict);
        let chain = reader.verify_chain(&[], &mut |_| {}, &Cancel::default()).unwrap().unwrap();
        prop_assert!(chain.is_fine(), "{:?}", chain);
        drop(writer);
        assert_sound(&path);
    }
}
