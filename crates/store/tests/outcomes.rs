//! What became of connections to one host, by rows, by days, and where neither tells.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::*;
use femtosnitch_store::Cancel;
use femtosnitch_store::Dimension;
use femtosnitch_store::Key;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::Report;
use femtosnitch_store::Retention;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
/// At midnight.
const START: i64 = 1_799_971_200;
const HOST: &str = "domain=a.example.org";

fn ask(path: &Path, since: i64, filters: &[&str]) -> Report {
    let query = Query { since: Some(since), ..filtered(filters) };
    let query = Query { by: vec![Dimension::Outcome], ..query };
    Reader::open(path).unwrap().report(&query, None, &NoUsers, &Cancel::default()).unwrap()
}

fn bytes(report: &Report) -> BTreeMap<String, u64> {
    let name = |key: &Key| match key {
        Key::Text(text) => text.clone(),
        Key::Number(number) => number.to_string(),
    };
    report.answers.iter().map(|answer| (name(&answer.keys[0]), answer.send)).collect()
}

fn map<const N: usize>(pairs: [(&str, u64); N]) -> BTreeMap<String, u64> {
    pairs.into_iter().map(|(word, bytes)| (word.to_owned(), bytes)).collect()
}

#[test]
fn days_tell_what_became_of_connections_to_a_host() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let curl = exe(1, "/usr/bin/curl", sha(1));
    let mut all = Vec::new();
    // Four days; each hour, to each of two hosts, one that goes on, one that ends, one that fails.
    for hour in 0..4 * 24 {
        for host in ["org.example.a", "org.example.b"] {
            let mut row = row(START + hour * HOUR + 30, &curl);
            (row.domain, row.send) = (host.into(), 1);
            row.connections.ended = 0;
            row.connections.failed = 0;
            row.connections.error = 0;
            let mut ended = row.clone();
            (ended.connections.ended, ended.send) = (1, 10);
            let mut refused = row.clone();
            (refused.connections.failed, refused.connections.error, refused.send) = (1, 111, 100);
            all.extend([row, ended, refused]);
        }
    }
    writer.write(&rows(all)).unwrap();
    writer.seal().unwrap();
    let all = map([("", 96), ("closed", 960), ("refused", 9_600)]);
    assert_eq!(bytes(&ask(&path, START, &[HOST])), all);
    assert_eq!(
        bytes(&ask(&path, START + DAY - HOUR, &[HOST])),
        map([("", 73), ("closed", 730), ("refused", 7_300)])
    );
    assert_eq!(bytes(&ask(&path, START, &[HOST, "outcome=refused"])), map([("refused", 9_600)]));

    let keep = Retention {
        rows: START + 2 * DAY,
        minutes: i64::MAX,
        hours: START,
        days: START,
        max_bytes: None,
    };
    while !writer.retain(&keep, 1_000).unwrap().done {}
    let days = ask(&path, START, &[HOST]);
    assert_eq!((bytes(&days), days.span.coarse_before), (all, None));
    // Hours do not: that is said, and nothing else.
    let hours = ask(&path, START + DAY - HOUR, &[HOST]);
    assert_eq!(
        bytes(&hours),
        map([("", 72), ("closed", 720), ("refused", 7_200), ("unknown", 111)])
    );
    assert_eq!(hours.span.coarse_before, Some(START + DAY));
    let verdict =
        Reader::open(&path).unwrap().verify(false, &mut |_| {}, &Cancel::default()).unwrap();
    assert!(verdict.is_fine(), "{verdict:?}");
}
