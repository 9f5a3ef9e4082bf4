//! Since when each level tells.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, reason = "tests")]

mod common;

use common::*;
use femtosnitch_store::Kept;
use femtosnitch_store::Reader;
use femtosnitch_store::Retention;

const DAY: i64 = 86_400;
/// 2027-01-15, at midnight.
const START: i64 = 1_799_971_200;

#[test]
fn coarser_levels_reach_further_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let nothing = Reader::open(&path).unwrap().levels().unwrap();
    assert_eq!([nothing.rows, nothing.minutes, nothing.hours, nothing.days], [Kept::default(); 4]);

    let curl = exe(1, "/usr/bin/curl", sha(1));
    // A row each minute, not at its beginning.
    let all = (0..20 * DAY / 60).map(|minute| row(START + minute * 60 + 7, &curl));
    let mut all = all.collect::<Vec<_>>();
    while !all.is_empty() {
        let rest = all.split_off(all.len().min(2_000));
        writer.write(&rows(std::mem::replace(&mut all, rest))).unwrap();
    }
    let whole = Reader::open(&path).unwrap().levels().unwrap();
    let kept = |since, let_go| Kept { since: Some(since), let_go };
    assert_eq!(whole.rows, kept(START + 7, None));
    // What is sealed is in sums.
    assert_eq!([whole.minutes, whole.hours], [kept(START + 7, None), kept(START, None)]);
    assert_eq!(whole.days, kept(START, None));

    let [rows, minutes, hours] = [15, 10, 5].map(|days| START + days * DAY);
    let keep = Retention { rows, minutes, hours, days: i64::MIN, max_bytes: None };
    let mut steps = 0;
    while !writer.retain(&keep, 2_000).unwrap().done {
        steps += 1;
        // Never something that is not there any more.
        let now = Reader::open(&path).unwrap().levels().unwrap();
        assert!(now.rows.since >= now.minutes.since && now.minutes.since >= now.hours.since);
        assert!(steps < 10_000);
    }
    let levels = Reader::open(&path).unwrap().levels().unwrap();
    assert_eq!(levels.rows, kept(rows + 7, Some(rows)));
    assert_eq!(levels.minutes, kept(minutes, Some(minutes)));
    assert_eq!(levels.hours, kept(hours, Some(hours)));
    assert_eq!(levels.days, kept(START, None));
}
