//! Whole answers: what is left out, how it went, what to choose from, and one thing from all sides.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::path::Path;

use common::*;
use femtosnitch_store::Bucket;
use femtosnitch_store::Cancel;
use femtosnitch_store::Dimension;
use femtosnitch_store::Key;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Point;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::Report;
use femtosnitch_store::StoreError;

const DAY: i64 = 86_400;

fn text(text: &str) -> Key {
    Key::Text(text.to_owned())
}

/// A row every ten minutes of three days; tool n of ten moves n times 100 bytes.
fn history(path: &Path, sealed: bool) {
    let mut writer = open(path);
    let batch = (0..3 * 144).map(|at| {
        let tool = at % 10;
        let name = format!("/usr/bin/tool-{tool}");
        let id = u8::try_from(tool).unwrap();
        let mut row = row(at * 600, &exe(id.into(), &name, sha(id)));
        row.send = u64::try_from(tool).unwrap() * 100;
        row.recv = 0;
        row.domain = format!("org.example.h{}", tool % 3).into();
        row.rport = 8_000 + u16::try_from(tool).unwrap();
        row
    });
    writer.write(&rows(batch.collect())).unwrap();
    if sealed {
        writer.seal().unwrap();
    }
}

fn report(path: &Path, query: &Query, bucket: Option<Bucket>) -> Report {
    Reader::open(path).unwrap().report(query, bucket, &NoUsers, &Cancel::default()).unwrap()
}

/// Both ways in which it may be stored.
fn both(check: impl Fn(&Path)) {
    for sealed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        history(&path, sealed);
        check(&path);
    }
}

#[test]
fn what_is_not_shown_is_summed_up() {
    both(|path| {
        let query = Query { limit: Some(3), ..by(&[Dimension::Exe]) };
        let report = report(path, &query, None);
        let shown: Vec<u64> = report.answers.iter().map(|answer| answer.send).collect();
        assert_eq!(shown, [43 * 900, 43 * 800, 43 * 700]);
        assert_eq!(report.others.groups, 7);
        let sent: u64 = (0..432).map(|at| at % 10 * 100).sum();
        assert_eq!(report.total.send, sent);
        assert_eq!(report.others.sums.send, sent - shown.iter().sum::<u64>());
        assert_eq!(report.total.events, 864);
    });
}

#[test]
fn steps_add_up_to_the_answers() {
    both(|path| {
        for (width, offset) in [(DAY, 0), (3600, 0), (3600, 1800), (60, 0), (7, 3), (DAY, 5400)] {
            let query = Query { limit: Some(4), since: Some(DAY / 2), ..by(&[Dimension::Exe]) };
            let report = report(path, &query, Some(Bucket::Seconds { width, offset }));
            let series = report.series.unwrap();
            assert_eq!((series.width, series.lines.len()), (width, 4));
            let sum = |line: &[Point]| line.iter().map(|point| point.send).sum::<u64>();
            for (answer, line) in report.answers.iter().zip(&series.lines) {
                assert_eq!(answer.send, sum(line), "{width} {offset}");
            }
            assert_eq!(report.others.sums.send, sum(&series.others));
            assert!(series.start <= DAY / 2 && series.start > DAY / 2 - width);
            assert_eq!((series.start - offset) % width, 0);
            let steps = i64::try_from(series.others.len()).unwrap();
            assert!(series.start + steps * width >= 432 * 600 - 599);
        }
        let auto = report(path, &by(&[]), Some(Bucket::Auto { offset: 0 })).series.unwrap();
        assert_eq!((auto.width, auto.lines[0].len()), (3600, 72));
    });
}

#[test]
fn values_are_offered_by_how_they_begin() {
    both(|path| {
        let reader = Reader::open(path).unwrap();
        let offered = |dimension: Dimension, prefix: &str| {
            let query = Query { limit: Some(2), ..Query::default() };
            let found =
                reader.distinct((dimension, prefix), &query, &NoUsers, &Cancel::default()).unwrap();
            (
                found.answers.into_iter().map(|it| it.keys[0].clone()).collect::<Vec<_>>(),
                found.others.groups,
            )
        };
        assert_eq!(offered(Dimension::Name, "TOOL-9"), (vec![text("tool-9")], 0));
        assert_eq!(
            offered(Dimension::Domain, "h"),
            (vec![text("h0.example.org"), text("h2.example.org")], 1)
        );
        assert_eq!(
            offered(Dimension::Rport, "80"),
            (vec![Key::Number(8_009), Key::Number(8_008)], 8)
        );
        assert_eq!(offered(Dimension::Rport, "9"), (vec![], 0));
        // Twice, from what the reader keeps.
        assert_eq!(offered(Dimension::Domain, "h1"), (vec![text("h1.example.org")], 0));
    });
}

#[test]
fn one_thing_is_told_from_all_sides() {
    both(|path| {
        let query = Query {
            by: vec![Dimension::Exe, Dimension::Rport, Dimension::Protocol],
            limit: Some(1),
            ..filtered(&["domain=h0.example.org"])
        };
        let detail = Reader::open(path)
            .unwrap()
            .detail(
                &query,
                Some(Bucket::Seconds { width: DAY, offset: 0 }),
                &NoUsers,
                &Cancel::default(),
            )
            .unwrap();
        // Tools 0, 3, 6 and 9.
        assert_eq!(detail.total.send, 43 * (300 + 600 + 900));
        let first: Vec<_> = detail
            .breakdowns
            .iter()
            .map(|it| (it.by, it.answers[0].keys[0].clone(), it.others.groups))
            .collect();
        assert_eq!(
            first,
            [
                (Dimension::Exe, text("/usr/bin/tool-9"), 3),
                (Dimension::Rport, Key::Number(8_009), 3),
                (Dimension::Protocol, Key::Number(6), 0),
            ]
        );
        let series = detail.series.unwrap();
        assert_eq!(series.lines[0].iter().map(|point| point.send).sum::<u64>(), detail.total.send);
        assert_eq!(series.lines[0].len(), 3);
    });
}

#[test]
fn filters_of_one_dimension_are_alternatives() {
    both(|path| {
        let sent = |filters: &[&str]| {
            ask(path, &filtered(filters)).first().map_or(0, |all| all.send / 4_300)
        };
        assert_eq!(sent(&["name=tool-1", "name=tool-2"]), 3);
        assert_eq!(sent(&["name=tool-1", "name=tool-2", "domain=h2.example.org"]), 2);
        assert_eq!(sent(&["exe~/usr/bin/tool-[12]"]), 3);
        assert_eq!(sent(&["exe~*-9", "exe!~/usr/*"]), 0);
        assert_eq!(sent(&["domain~h?.example.org"]), 45);
        assert_eq!(sent(&["domain!~*2.example.org", "rport=8004..8007"]), 4 + 6 + 7);
        assert_eq!(sent(&["rport!=8000..8008"]), 9);
        assert_eq!(sent(&["raddr~198.51.*"]), 45);
    });
}

#[test]
fn a_question_can_be_withdrawn() {
    both(|path| {
        let cancel = Cancel::default();
        let elsewhere = cancel.clone();
        std::thread::spawn(move || elsewhere.cancel()).join().unwrap();
        let reader = Reader::open(path).unwrap();
        let asked =
            reader.report(&by(&[Dimension::Pid, Dimension::Minute]), None, &NoUsers, &cancel);
        assert!(matches!(asked, Err(StoreError::Cancelled)));
        assert!(reader.query(&by(&[Dimension::Pid]), &NoUsers).is_ok());
    });
}
