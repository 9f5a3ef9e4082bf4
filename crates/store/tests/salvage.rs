//! What can still be read of a damaged history ends up in the one that took its place.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::fs;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use common::runs::*;
use common::*;
use femtosnitch_model::Row;
use femtosnitch_store::Answer;
use femtosnitch_store::Batch;
use femtosnitch_store::Cancel;
use femtosnitch_store::Dimension;
use femtosnitch_store::Event;
use femtosnitch_store::Gap;
use femtosnitch_store::GapReason;
use femtosnitch_store::Options;
use femtosnitch_store::Reader;
use femtosnitch_store::Retention;
use femtosnitch_store::Salvaged;
use femtosnitch_store::Sink;
use rusqlite::Connection;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

fn assert_fine(path: &Path) {
    let verdict =
        Reader::open(path).unwrap().verify(true, &mut |_| {}, &Cancel::default()).unwrap();
    assert!(verdict.is_fine(), "{verdict:?}");
    assert_sound(path);
}

/// Traffic of a process of a shell, in a place, with names.
fn traffic(at: i64, contime: i64) -> Row {
    let shell = alone(900, "/bin/sh", 5);
    let id = u64::try_from(at % 9).unwrap();
    let image = image(id, &format!("/usr/bin/tool-{id}"));
    let mut process = run(u32::try_from(100 + id).unwrap(), &image, 50, Some(&shell));
    process.place = place(if id == 3 { "c1" } else { "" }, "a.service", "");
    let digests = Digests::from([(image.id, sha(7)), (shell.image.id, sha(8))]);
    let mut row = row_of(contime, &Arc::new(process), &digests);
    row.raddr =
        Some(std::net::Ipv4Addr::from(0x0a00_0000 | u32::try_from(at % 40).unwrap()).into());
    row.domain = format!("org.example.h{}", at % 11).into();
    row.send = at.unsigned_abs();
    row.connections.begun = 1;
    row
}

/// Five days of 400 rows each, those of the first two only in sums, of the second in minutes too;
/// events and a gap.
fn fill(path: &Path) {
    let mut writer = open(path);
    let row = |at: i64| traffic(at, at * 5 * DAY / 2_000);
    for start in (0..2_000).step_by(500) {
        writer.write(&rows((start..start + 500).map(row).collect())).unwrap();
    }
    writer.seal().unwrap();
    writer.note_gap(7, 99, GapReason::Suspended).unwrap();
    let keep = Retention { rows: 2 * DAY + 7 * HOUR, minutes: DAY, ..Retention::since(0) };
    while !writer.retain(&keep, 10_000).unwrap().done {}
    let mut large = traffic(17, 3 * DAY);
    large.recv = 1 << 50;
    writer.write(&rows(vec![traffic(1, 100), traffic(2, DAY + 100), large])).unwrap();
}

type Told = (Vec<Vec<Answer>>, Vec<Event>, Vec<Gap>);

fn told(path: &Path) -> Told {
    let answers = [
        vec![Dimension::Exe, Dimension::Raddr, Dimension::Day],
        vec![Dimension::Hour, Dimension::Domain],
        vec![Dimension::Pexe, Dimension::Unit, Dimension::Container],
        vec![Dimension::Sha256, Dimension::Cmdline, Dimension::Rport],
    ];
    let answers = answers.map(|dimensions| ask(path, &by(&dimensions)));
    let reader = Reader::open(path).unwrap();
    let mut events = reader.events(None, None, &[]).unwrap();
    events.iter_mut().for_each(|event| event.process_id = 0);
    (answers.to_vec(), events, reader.gaps(None, None).unwrap())
}

/// Takes over all that is left.
fn salvage(sink: &mut Sink, most: usize) -> Salvaged {
    for _ in 0..100_000 {
        if !sink.salvage(most).unwrap() {
            return sink.state().salvaged.unwrap();
        }
    }
    panic!("never ends");
}

/// As if a table was damaged that nothing needs.
fn spoil(path: &Path) {
    Connection::open(path).unwrap().execute_batch("DROP TABLE totals").unwrap();
}

#[test]
fn all_that_can_be_read_tells_the_same_afterwards() {
    for most in [7, 100_000] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        fill(&path);
        assert_fine(&path);
        let before = told(&path);
        assert!(before.0.iter().all(|answers| answers.len() > 1), "{}", before.0[2].len());
        assert!(before.1.len() > 8 && before.2.len() == 1);
        spoil(&path);

        let (mut sink, report) = Sink::open(&path, &Options::default(), 1000).unwrap();
        let aside = report.unwrap().quarantined.unwrap().path;
        let bytes = fs::read(&aside).unwrap();
        // Each start goes on where the one before was.
        for _ in 0..40 {
            assert_eq!(sink.state().waiting, None);
            if !sink.salvage(most).unwrap() {
                break;
            }
            if most == 7 {
                drop(sink);
                sink = Sink::open(&path, &Options::default(), 1000).unwrap().0;
            }
        }
        let state = sink.state().salvaged;
        let salvaged = if state.is_some_and(|it| it.finished) {
            sink.state().salvaged.unwrap()
        } else {
            salvage(&mut sink, most)
        };
        assert!(salvaged.finished && salvaged.lost == 0 && salvaged.given_up.is_none());
        assert_eq!(salvaged.path, aside);
        let kept = number(&path, "SELECT value FROM totals WHERE name = 'rows'");
        assert!(salvaged.rows.cast_signed() >= kept, "{salvaged:?}, {kept} kept");
        assert_eq!(told(&path), before);
        assert!(fs::read(&aside).unwrap() == bytes);
        assert_fine(&path);
        // Sealed, it still is the same.
        drop(sink);
        open(&path).seal().unwrap();
        assert_eq!(told(&path), before);
        assert_fine(&path);
        let (mut sink, _) = Sink::open(&path, &Options::default(), 1000).unwrap();
        assert!(!sink.salvage(most).unwrap() && sink.state().salvaged.is_none());
    }
}

#[test]
fn what_is_written_meanwhile_is_added() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    fill(&path);
    let before = total(&path);
    let events = Reader::open(&path).unwrap().events(None, None, &[]).unwrap().len();
    spoil(&path);
    let (mut sink, _) = Sink::open(&path, &Options::default(), 1000).unwrap();
    let (mut sent, mut more) = (before.0, true);
    for at in 0.. {
        // The same programs, now and late.
        let contime = if at % 3 == 0 { 5 * DAY } else { at * HOUR % (5 * DAY) };
        let batch = Batch { rows: vec![traffic(at, contime)], ..Batch::default() };
        assert_eq!(sink.push(batch).waiting, None);
        sent += at.unsigned_abs();
        if !more {
            break;
        }
        more = sink.salvage(100).unwrap();
        if at % 4 == 0 {
            let keep = Retention { rows: 3 * DAY, ..Retention::since(0) };
            sink.retain(&keep, 100).unwrap();
        }
    }
    assert_eq!(total(&path).0, sent);
    assert_fine(&path);
    // No program is seen for the first time once more.
    assert_eq!(Reader::open(&path).unwrap().events(None, None, &[]).unwrap().len(), events);
}

#[test]
fn a_damaged_page_costs_what_is_on_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let number_of = |at: i64| at.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 34;
    for start in (0..100_000).step_by(5_000) {
        let rows = (start..start + 5_000).map(|at| {
            let mut row = traffic(at, at);
            (row.send, row.recv) = (number_of(at), number_of(at + 7));
            row
        });
        writer.write(&common::rows(rows.collect())).unwrap();
    }
    writer.seal().unwrap();
    drop(writer);
    let before = total(&path);
    // A page of a block, wherever it is: no number of it reads as before.
    let page = number(
        &path,
        "SELECT pageno FROM dbstat WHERE name = 'blocks' AND pagetype = 'leaf'
                              ORDER BY pageno LIMIT 1 OFFSET 20",
    );
    let mut file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start((page.unsigned_abs() - 1) * 4096)).unwrap();
    file.write_all(&[0xff; 4096]).unwrap();
    drop(file);
    let damaged = fs::read(&path).unwrap();

    let (mut sink, report) = Sink::open(&path, &Options::default(), 1000).unwrap();
    let aside = report.unwrap().quarantined.unwrap().path;
    let salvaged = salvage(&mut sink, 5_000);
    println!("{salvaged:?}, {before:?} before, {:?} now", total(&path));
    assert!(salvaged.finished && salvaged.lost > 0);
    assert!((90_000..100_000).contains(&salvaged.rows));
    assert_eq!(
        number(&path, "SELECT value FROM totals WHERE name = 'rows'"),
        salvaged.rows.cast_signed()
    );
    assert!(total(&path).0 < before.0 && total(&path).0 > before.0 / 10 * 9);
    // Exactly those rows that are there.
    let rows = number(&path, "SELECT sum(send) FROM traffic");
    assert_eq!(total(&path).0, rows.unsigned_abs());
    assert!(fs::read(&aside).unwrap() == damaged);
    drop(sink);
    open(&path).seal().unwrap();
    assert_fine(&path);
    let lost = events(&path).into_iter().find(|event| event.kind.name() == "lost").unwrap();
    assert!(lost.detail.contains("could not be read"), "{}", lost.detail);
}

#[test]
fn what_is_no_history_is_given_up_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    fs::write(&path, [7; 50_000]).unwrap();
    let (mut sink, _) = Sink::open(&path, &Options::default(), 1000).unwrap();
    assert!(!sink.salvage(10).unwrap());
    let salvaged = sink.state().salvaged.unwrap();
    assert!(salvaged.finished && salvaged.given_up.is_some());
    assert!(!sink.salvage(10).unwrap());
    drop(sink);
    // One that is gone when it is to be gone on with.
    fill(&dir.path().join("g.db"));
    spoil(&dir.path().join("g.db"));
    let path = dir.path().join("g.db");
    let (mut sink, report) = Sink::open(&path, &Options::default(), 1000).unwrap();
    assert!(sink.salvage(10).unwrap());
    drop(sink);
    fs::remove_file(report.unwrap().quarantined.unwrap().path).unwrap();
    let (mut sink, _) = Sink::open(&path, &Options::default(), 1000).unwrap();
    assert!(!sink.salvage(10).unwrap());
    assert!(sink.state().salvaged.unwrap().given_up.is_some());
    drop(sink);
    let (mut sink, _) = Sink::open(&path, &Options::default(), 1000).unwrap();
    assert!(!sink.salvage(10).unwrap() && sink.state().salvaged.is_none());
    assert_sound(&path);
}

#[test]
fn whichever_page_is_damaged_the_rest_is_saved() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("model.db");
    fill(&model);
    let before = total(&model).0;
    let bytes = fs::read(&model).unwrap();
    let pages = bytes.len() / 4096;
    let mut saved = Vec::new();
    // The first is needed to read anything at all.
    for page in (1..pages).step_by(pages / 11) {
        let path = dir.path().join(format!("{page}.db"));
        let mut bytes = bytes.clone();
        let start = page * 4096;
        for (at, byte) in bytes[start..start + 4096].iter_mut().enumerate() {
            *byte = byte.wrapping_mul(31).wrapping_add(u8::try_from(at % 251).unwrap());
        }
        fs::write(&path, &bytes).unwrap();
        let (mut sink, report) = Sink::open(&path, &Options::default(), 1000).unwrap();
        if report.unwrap().quarantined.is_none() {
            // A page that is free.
            continue;
        }
        let salvaged = salvage(&mut sink, 300);
        assert!(salvaged.finished && salvaged.given_up.is_none(), "{salvaged:?}");
        assert_eq!(sink.push(rows(vec![traffic(0, 5 * DAY)])).waiting, None);
        drop(sink);
        assert_sound(&path);
        let verdict =
            Reader::open(&path).unwrap().verify(true, &mut |_| {}, &Cancel::default()).unwrap();
        // Sums that were lost are missed by those of other levels.
        let sums = verdict.findings.iter().filter(|it| it.what.starts_with("the sums of")).count();
        assert_eq!(sums, verdict.findings.len(), "{verdict:?}");
        assert!(salvaged.lost > 0 || sums == 0, "{verdict:?}");
        saved.push(total(&path).0);
    }
    println!("{saved:?} of {before}");
    assert!(saved.len() > 5);
    assert!(saved.iter().all(|sent| *sent <= before));
    let whole = saved.iter().filter(|sent| **sent == before).count();
    assert!(whole > saved.len() / 3, "{whole} of {} lost nothing", saved.len());
}
