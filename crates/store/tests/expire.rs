//! Retention in steps.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use common::*;
use femtosnitch_model::Digest;
use femtosnitch_store::Cancel;
use femtosnitch_store::ExpireReport;
use femtosnitch_store::Reader;
use femtosnitch_store::Writer;
use rusqlite::Connection;

const DAY: i64 = 86_400;

/// `count` rows spread over `days`, about as many names as a busy machine has.
fn fill(path: &Path, count: i64, days: i64) -> Writer {
    let mut writer = open(path);
    let tools: Vec<_> =
        (0_u8..200).map(|at| exe(at.into(), &format!("/usr/bin/tool-{at}"), sha(at))).collect();
    let mut batch = Vec::new();
    for at in 0..count {
        let tool = &tools[usize::try_from(at % 200).unwrap()];
        let contime = at * days * DAY / count;
        let mut row = row(contime, tool);
        let peer = u32::try_from(at / 50).unwrap();
        row.raddr = Some(std::net::Ipv4Addr::from(0x0a00_0000 | peer).into());
        row.domain = format!("org.example.h{}", at / 200).into();
        row.wire_recv = Some(1100);
        batch.push(row);
        if batch.len() == 2000 || at + 1 == count {
            writer.write(&rows(std::mem::take(&mut batch))).unwrap();
        }
    }
    writer
}

fn expire_all(writer: &mut Writer, before: i64, max_rows: usize) -> (ExpireReport, Vec<Duration>) {
    let mut sum = ExpireReport::default();
    let mut times = Vec::new();
    while !sum.done {
        let start = Instant::now();
        let step = writer.expire(before, max_rows).unwrap();
        times.push(start.elapsed());
        // One block at least.
        assert!(step.connections <= max_rows.max(512) && step.names <= max_rows, "{step:?}");
        sum.connections += step.connections;
        sum.names += step.names;
        sum.pages += step.pages;
        sum.done = step.done;
        assert!(times.len() < 100_000, "retention never ends");
    }
    (sum, times)
}

#[test]
fn the_old_goes_with_its_names_and_the_rest_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = fill(&path, 50_000, 10);
    let waits = exe(1_000, "/bin/waits", Digest::Pending);
    writer
        .write(&rows(vec![row(5, &waits), row(10 * DAY, &exe(1, "/usr/bin/tool-1", sha(1)))]))
        .unwrap();
    let size = || number(&path, "PRAGMA page_count");
    let (pages, before) = (size(), 8 * DAY);
    let kept =
        number(&path, &format!("SELECT count(*) FROM connections WHERE contime >= {before}"));
    let (sum, _) = expire_all(&mut writer, before, 700);
    assert_eq!(i64::try_from(sum.connections).unwrap(), 50_002 - kept);
    assert_eq!(number(&path, "SELECT count(*) FROM connections"), kept);
    assert_eq!(number(&path, "SELECT min(contime) FROM connections") / DAY, 8);
    // 700 of 1000 addresses, as many peers, and 175 of 250 domains are gone: those of the day
    // before are kept, since what is seen is noted by days.
    assert!((1_560..=1_580).contains(&sum.names), "{sum:?}");
    assert!((300..=310).contains(&number(&path, "SELECT count(*) FROM addresses")));
    assert_eq!(number(&path, "SELECT count(*) FROM executables WHERE exe = '/bin/waits'"), 1);
    // A fifth of the rows is left; 256 free pages are kept for new ones.
    let most = pages / 5 + 256 + 120;
    assert!(sum.pages > 0 && size() < most, "{pages} pages became {}, not {most}", size());
    // Nothing more to do, at once.
    assert_eq!(
        writer.expire(before, 700).unwrap(),
        ExpireReport { done: true, ..ExpireReport::default() }
    );

    // A row written late brings a name back; it is not lost under it.
    let mut late = row(3, &exe(900, "/bin/late", sha(77)));
    late.domain = "org.late".into();
    writer.write(&rows(vec![late])).unwrap();
    drop(writer);
    assert_sound(&path);
}

#[test]
fn names_in_use_survive_while_rows_are_written_between_steps() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = fill(&path, 5_000, 2);
    // Each step is followed by traffic that uses old names again, or comes late.
    for turn in 0..200_i64 {
        writer.expire(DAY + turn * 60, 50).unwrap();
        let id = u8::try_from(turn).unwrap();
        let tool = exe(u64::from(id), &format!("/usr/bin/tool-{id}"), sha(id));
        let mut now = row(2 * DAY + turn, &tool);
        now.raddr = Some(std::net::Ipv4Addr::from(0x0a00_0000 | u32::from(id)).into());
        now.domain = format!("org.example.h{}", turn % 25).into();
        let mut late = now.clone();
        late.contime = turn;
        writer.write(&rows(vec![now, late])).unwrap();
        if turn % 20 == 0 {
            assert_sound(&path);
        }
    }
    expire_all(&mut writer, 2 * DAY, 50);
    assert_sound(&path);
    assert_eq!(number(&path, "SELECT count(*) FROM connections"), 200);
}

/// Stalls: 200,000 rows, or FEMTOSNITCH_EXPIRE_ROWS of them.
#[test]
fn no_step_takes_long() {
    let count =
        std::env::var("FEMTOSNITCH_EXPIRE_ROWS").map_or(200_000, |rows| rows.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let start = Instant::now();
    let mut writer = fill(&path, count, 30);
    let filled = start.elapsed();
    let bytes =
        number(&path, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
    for days in [15, 30] {
        let (sum, mut times) = expire_all(&mut writer, days * DAY, 5_000);
        times.sort();
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        println!(
            "{count} rows ({} B each, {:.1} µs to write): {} + {} names deleted, {} pages given \
             back in {} steps, median {median:?}, longest {longest:?}",
            bytes / count,
            filled.as_secs_f64() * 1e6 / f64::from(u32::try_from(count).unwrap()),
            sum.connections,
            sum.names,
            sum.pages,
            times.len(),
        );
        assert!(median < Duration::from_millis(100), "{median:?}");
    }
}

#[test]
fn names_of_an_earlier_version_last_as_long_as_what_refers_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let tool = exe(1, "/usr/bin/tool", sha(1));
    let to_port = |contime: i64, port: u16| {
        let mut row = row(contime, &tool);
        (row.rport, row.domain) = (port, "org.example".into());
        row
    };
    open(&path).write(&rows(vec![to_port(10 * DAY + 1_800, 443)])).unwrap();
    // Schema 5 noted by the hour when they were seen.
    let conn = Connection::open(&path).unwrap();
    for table in ["peers", "domains", "addresses", "locations"] {
        let sql = format!("UPDATE {table} SET last_seen = ?1 WHERE id <> 0");
        conn.execute(&sql, [10 * DAY + 3_600]).unwrap();
    }
    conn.pragma_update(None, "user_version", 5).unwrap();
    drop(conn);

    let mut writer = open(&path);
    writer.write(&rows(vec![to_port(10 * DAY + 1_860, 80)])).unwrap();
    expire_all(&mut writer, 11 * DAY, 100);
    assert_eq!(number(&path, "SELECT count(*) FROM peers"), 1);
    let reader = Reader::open(&path).unwrap();
    let verdict = reader.verify(false, &mut |_| {}, &Cancel::default()).unwrap();
    assert!(verdict.is_fine(), "{verdict:?}");
}
