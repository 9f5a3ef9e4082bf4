//! What processes cost: bytes, time to write, time to ask. FEMTOSNITCH_SCALE_ROWS rows (20,000), by
//! FEMTOSNITCH_SCALE_RUNS runs (a tenth of it).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use common::runs::*;
use common::*;
use femtosnitch_model::ImageId;
use femtosnitch_model::Lineage;
use femtosnitch_model::Process;
use femtosnitch_store::Batch;
use femtosnitch_store::Cancel;
use femtosnitch_store::Described;
use femtosnitch_store::Dimension;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;

/// What rows and their sums are kept in.
const ROWS: [&str; 4] = ["blocks", "rollups", "actors", "peers"];
const IMAGES: u64 = 100;
const ROWS_PER_BATCH: usize = 2_000;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().unwrap())
}

/// Every run a child of one of ten shells of one session, in one of 50 units.
fn runs(count: u64) -> Vec<Arc<Process>> {
    let init = alone(1_000, "/sbin/init", 0);
    let images: Vec<_> = (0..IMAGES).map(|at| image(at, &format!("/usr/bin/tool-{at}"))).collect();
    let units: Vec<_> = (0..50).map(|at| place("", &format!("unit-{at}.service"), "")).collect();
    let shells: Vec<_> = (0..10)
        .map(|at| Arc::new(run(1_000 + at, &image(2_000, "/bin/bash"), 1, Some(&init))))
        .collect();
    (0..count)
        .map(|at| {
            let which = usize::try_from(at).unwrap();
            let mut process = run(
                10_000 + u32::try_from(at).unwrap(),
                &images[which % images.len()],
                10 + i64::try_from(at).unwrap(),
                Some(&shells[which % shells.len()]),
            );
            process.place = Arc::clone(&units[which % units.len()]);
            Arc::new(process)
        })
        .collect()
}

fn digests() -> Digests {
    let images = (0..IMAGES).chain([1_000, 2_000]);
    images.map(|id| (ImageId(id), sha(u8::try_from(id % 251).unwrap()))).collect()
}

/// Time that writing took.
fn fill(path: &Path, count: u64, runs: &[Arc<Process>], with_lineage: bool) -> Duration {
    let mut writer = open(path);
    let digests = digests();
    let mut taken = Duration::ZERO;
    let mut batch = Vec::with_capacity(ROWS_PER_BATCH);
    for at in 0..count {
        // One run's rows mostly come together.
        let process = &runs[usize::try_from(at * runs.len() as u64 / count).unwrap()];
        let mut row = row_of(i64::try_from(at / 100).unwrap(), process, &digests);
        if !with_lineage {
            row.lineage = Lineage::default();
        }
        row.wire_recv = Some(1100);
        batch.push(row);
        if batch.len() == ROWS_PER_BATCH || at + 1 == count {
            let rows = rows(std::mem::take(&mut batch));
            let start = Instant::now();
            writer.write(&rows).unwrap();
            taken += start.elapsed();
        }
    }
    let described = (0..IMAGES)
        .map(|id| Described {
            exe: exe(id, &format!("/usr/bin/tool-{id}"), digests[&ImageId(id)]),
            realm: "".into(),
            facts: femtosnitch_model::Facts {
                package: format!("dpkg tool-{}", id % 30),
                state: "intact".into(),
                ..Default::default()
            },
        })
        .collect();
    writer.write(&Batch { described, ..Batch::default() }).unwrap();
    taken
}

/// Bytes of a table with its indexes.
fn bytes(path: &Path, tables: &[&str]) -> i64 {
    let of = |table: &&str| {
        let sql = format!(
            "SELECT sum(pgsize) FROM dbstat
               WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = '{table}')"
        );
        number(path, &sql)
    };
    tables.iter().map(of).sum()
}

fn per(duration: Duration, count: u64) -> f64 {
    duration.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap())
}

#[test]
fn rows_with_processes_are_answered_as_rows_without() {
    let count = setting("FEMTOSNITCH_SCALE_ROWS", 20_000);
    let runs = runs(setting("FEMTOSNITCH_SCALE_RUNS", count / 10));
    let dir = tempfile::tempdir().unwrap();
    let (with, without) = (dir.path().join("with.db"), dir.path().join("without.db"));
    // In turns, so that neither has the warmer machine.
    for round in 0..2 {
        let (with, without) = if round == 0 {
            (dir.path().join("warm-with.db"), dir.path().join("warm-without.db"))
        } else {
            (with.clone(), without.clone())
        };
        let times = [fill(&without, count, &runs, false), fill(&with, count, &runs, true)];
        let rows = i64::try_from(count).unwrap();
        println!(
            "{count} rows of {} runs: {:.2} µs a row without, {:.2} µs with lineage; \
             traffic {:.1} and {:.1} B a row, processes {:.1} B each",
            runs.len(),
            per(times[0], count),
            per(times[1], count),
            bytes(&without, &ROWS) as f64 / rows as f64,
            bytes(&with, &ROWS) as f64 / rows as f64,
            bytes(&with, &["processes"]) as f64 / runs.len() as f64,
        );
    }
    let reader = Reader::open(&with).unwrap();
    for name in ["exe", "unit", "package", "pid", "login", "script"] {
        let dimension: Dimension = name.parse().unwrap();
        let start = Instant::now();
        let answers = reader.query(&by(&[dimension]), &NoUsers).unwrap();
        println!("by {name}: {:?}, {} answers", start.elapsed(), answers.len());
        let sent: u64 = answers.iter().map(|answer| answer.send).sum();
        assert_eq!(sent, 100 * count, "{name}");
    }
    for filter in ["unit=unit-7.service", "package=dpkg tool-7"] {
        let query = Query { filters: vec![filter.parse().unwrap()], ..by(&[Dimension::Exe]) };
        let start = Instant::now();
        let answers = reader.query(&query, &NoUsers).unwrap();
        println!("where {filter}: {:?}, {} answers", start.elapsed(), answers.len());
        assert!(!answers.is_empty());
    }
    let start = Instant::now();
    let tree = reader.tree(&Query::default(), &NoUsers, &Cancel::default()).unwrap();
    println!("tree: {:?}, {} nodes", start.elapsed(), tree[0].count());
    assert_eq!((tree.len(), tree[0].total.send), (1, 100 * count));
}
