//! Histories of earlier versions become those of this one without losing anything.

use std::collections::BTreeMap;
use std::path::Path;

use femtosnitch_model::program_path;
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::*;
use crate::Options;
use crate::Reader;
use crate::Sums;
use crate::Writer;
use crate::dimension::UNKNOWN_OUTCOME;
use crate::intern::Interner;
use crate::migrate::migrate;
use crate::place;
use crate::rollups;
use crate::rollups::Cube;
use crate::rollups::Level;
use crate::seal::adopt;

/// Columns of `traffic` and those added to the view, by version.
const TRAFFIC: [usize; 4] = [21, 28, 29, 30];
const ADDED: [&[&str]; 3] = [
    &["direction", "begun", "ended", "failed", "error", "rtt_us", "retrans"],
    &["process_id", "unit", "app"],
    &["name_source"],
];
const CONTAINERS: [&str; 2] = ["", "c"];
/// The second and third are the same program.
const EXECUTABLES: [(&str, &str); 6] = [
    ("", ""),
    ("/tmp/.mount_KritaAbC123/krita", "a1"),
    ("/tmp/.mount_KritaxYz789/krita", "b2"),
    ("/usr/bin/curl", "(gone)"),
    ("/usr/bin/curl", "c3"),
    ("(kernel)", "(kernel)"),
];

/// Everything a statement selects.
fn all(conn: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut stmt = conn.prepare(sql).unwrap();
    let columns = stmt.column_count();
    stmt.query_map([], |row| (0..columns).map(|at| row.get(at)).collect())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn names(conn: &Connection) -> Vec<String> {
    let stmt = conn.prepare("SELECT * FROM connections").unwrap();
    stmt.column_names().map(str::to_owned).collect()
}

/// The columns of `traffic` between `seq` and `container_id`, and those after it: numbers that the
/// migration has nothing to do with. NULL where it may be.
fn traffic() -> impl Strategy<Value = Vec<Option<i64>>> {
    let bytes = prop::collection::vec(0_i64..1 << 50, 4);
    // As large as any of them may be: what becomes of a connection has one digit.
    let others = prop::collection::vec(0_i64..50_000, 22);
    (bytes, others).prop_flat_map(|(bytes, others)| {
        (Just([bytes, others].concat()), any::<[bool; 3]>()).prop_map(|(numbers, nulls)| {
            let mut row: Vec<_> = numbers.into_iter().map(Some).collect();
            for (at, null) in [2, 3, 23].into_iter().zip(nulls) {
                row[at] = row[at].filter(|_| !null);
            }
            row
        })
    })
}

/// A row of a history of an earlier version.
#[derive(Debug, Clone)]
struct Old {
    contime: i64,
    exe: usize,
    container: usize,
    numbers: Vec<Option<i64>>,
}

prop_compose! {
    fn old()(
        (contime, exe, container) in (0_i64..99, 0..EXECUTABLES.len(), 0..CONTAINERS.len()),
        numbers in traffic(),
    ) -> Old {
        Old { contime, exe, container, numbers }
    }
}

fn make(path: &Path, version: usize, rows: &[Old]) -> Connection {
    place::make_file(path, None).unwrap();
    let mut conn = Connection::open(path).unwrap();
    migrate(&mut conn, path, &STEPS[..version]).unwrap();
    conn.execute_batch(
        "INSERT INTO containers(id, container, last_seen) VALUES (1, 'c', 0);
         INSERT INTO addresses VALUES (7, '192.0.2.1', 3600), (9, '2001:db8::1', 7200)",
    )
    .unwrap();
    for (id, (exe, sha256)) in EXECUTABLES.iter().enumerate().skip(1) {
        let id = i64::try_from(id).unwrap();
        let values = rusqlite::params![id, exe, sha256];
        conn.execute("INSERT INTO executables VALUES (?1, ?2, 'x', 'x', ?3, 0, 0)", values)
            .unwrap();
    }
    let count = TRAFFIC[version - 1];
    for (seq, row) in rows.iter().enumerate() {
        let mut values = vec![Some(row.contime), Some(i64::try_from(seq).unwrap())];
        values.extend(&row.numbers[..18]);
        values.push(Some(i64::try_from(row.container).unwrap()));
        values.extend(&row.numbers[18..18 + count - 21]);
        values[7] = Some(i64::try_from(row.exe).unwrap());
        let places = vec!["?"; count].join(", ");
        let sql = format!("INSERT INTO traffic VALUES ({places})");
        conn.execute(&sql, rusqlite::params_from_iter(values)).unwrap();
    }
    conn.execute_batch("UPDATE totals SET value = (SELECT count(*) FROM traffic)").unwrap();
    conn
}

/// What `programs` should hold: first and last second, and the latest contents, by realm and path.
fn programs(rows: &[Old]) -> BTreeMap<(String, String), (i64, i64, Vec<String>)> {
    let mut programs = BTreeMap::new();
    for row in rows {
        let (exe, sha256) = EXECUTABLES[row.exe];
        if exe.is_empty() || exe.starts_with('(') {
            continue;
        }
        let key = (CONTAINERS[row.container].to_owned(), program_path(exe).into_owned());
        let sha256 = if sha256.starts_with('(') { "" } else { sha256 }.to_owned();
        let (first, last, latest) = programs.entry(key).or_insert((i64::MAX, i64::MIN, Vec::new()));
        if row.contime > *last {
            latest.clear();
        }
        if row.contime >= *last {
            // Of the same second, either.
            latest.push(sha256);
        }
        (*first, *last) = (row.contime.min(*first), row.contime.max(*last));
    }
    programs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, ..ProptestConfig::default() })]
    #[test]
    fn a_history_of_an_earlier_version_keeps_every_row(
        version in 1_usize..=3,
        rows in prop::collection::vec(old(), 0..40),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let conn = make(&path, version, &rows);
        let select = "SELECT * FROM connections ORDER BY contime, send, recv, uid, pid";
        let (before, columns) = (all(&conn, select), names(&conn));
        let texts = "SELECT id, exe, sha256, first_seen, last_seen FROM executables
            UNION ALL SELECT id, container, '', 0, last_seen FROM containers
            UNION ALL SELECT id, addr, '', 0, last_seen FROM addresses";
        let texts_before = all(&conn, texts);
        drop(conn);

        let (writer, report) = Writer::open(&path, &Options::default()).unwrap();
        prop_assert_eq!(report.migrated_from, Some(i64::try_from(version).unwrap()));
        prop_assert!(report.backup.unwrap().exists());
        let conn = Connection::open(&path).unwrap();
        let after = all(&conn, select);
        prop_assert_eq!(after.len(), before.len());
        let (zero, none) = (Value::Integer(0), Value::Text(String::new()));
        let mut unknown = vec![zero.clone(); 5];
        unknown.extend([Value::Null, zero.clone(), zero, none.clone(), none.clone(), none]);
        let unknown = &unknown[[0, 7, 10][version - 1]..];
        for (old, new) in before.iter().zip(&after) {
            prop_assert_eq!(&new[..old.len()], &old[..]);
            prop_assert_eq!(&new[old.len()..], unknown);
        }
        let now = names(&conn);
        prop_assert_eq!(&now[..columns.len()], &columns[..]);
        prop_assert_eq!(&now[columns.len()..], ADDED[version - 1..].concat());
        prop_assert_eq!(all(&conn, texts), texts_before);
        let located = "SELECT count(*) FROM addresses WHERE location_id <> 0";
        prop_assert_eq!(all(&conn, located), [[Value::Integer(0)]]);

        // No program of that time is told as new, or as changed.
        prop_assert_eq!(all(&conn, "SELECT * FROM events"), Vec::<Vec<Value>>::new());
        let expected = if version < 3 { programs(&rows) } else { BTreeMap::new() };
        let mut stmt = conn
            .prepare("SELECT realm, path, sha256, launched, first_networked, last_seen FROM programs")
            .unwrap();
        let mut count = 0;
        let mut found = stmt.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let text = |at| row.get::<_, String>(at).unwrap();
            let number = |at| row.get::<_, i64>(at).unwrap();
            let (first, last, latest) = &expected[&(text(0), text(1))];
            prop_assert!(latest.contains(&text(2)), "{} of {:?}", text(2), latest);
            prop_assert_eq!([number(3), number(4), number(5)], [*last, *first, *last]);
            count += 1;
        }
        prop_assert_eq!(count, expected.len());
        drop(writer);
        let stats = Reader::open(&path).unwrap().stats().unwrap();
        prop_assert_eq!(stats.rows, rows.len() as u64);
    }
}

type Cells = BTreeMap<[u64; 2], Sums>;

/// All sums, by level, cube and time. Of the peers that may stand for a host it is the first.
fn sums(conn: &Connection) -> BTreeMap<(Level, Cube, i64), Cells> {
    let hosts: BTreeMap<u64, u64> = conn
        .prepare("SELECT id, min(id) OVER (PARTITION BY raddr_id, domain_id) FROM peers")
        .unwrap()
        .query_map([], |row| {
            let id = |at: usize| row.get(at).map(i64::cast_unsigned);
            Ok((id(0)?, id(1)?))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut found: BTreeMap<_, Cells> = BTreeMap::new();
    for (level, cube) in
        Level::ALL.into_iter().flat_map(|level| level.cubes().map(move |cube| (level, cube)))
    {
        rollups::scan(conn, (level, cube), &(i64::MIN..i64::MAX), |start, mut cells| {
            let mut chunk = rollups::Chunk::default();
            while cells.next(&mut chunk).unwrap() {
                chunk.read_sums().unwrap();
                for at in 0..chunk.len() {
                    let all = found.entry((level, cube, start)).or_default();
                    let mut cell = chunk.cell(at);
                    if cube == Cube::Host {
                        cell[0] = hosts[&cell[0]];
                    }
                    all.entry(cell).or_default().add(chunk.sums(at));
                }
            }
            Ok::<(), rusqlite::Error>(())
        })
        .unwrap();
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]
    #[test]
    fn days_of_version_5_tell_outcomes_where_there_are_rows(
        rows in prop::collection::vec(old(), 0..60),
        gone in -2_i64..60,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        // Over four days and a half.
        let rows: Vec<Old> =
            rows.into_iter().map(|row| Old { contime: row.contime * 4_000, ..row }).collect();
        let mut conn = make(&path, 3, &rows);
        migrate(&mut conn, &path, STEPS).unwrap();
        let tx = conn.transaction().unwrap();
        while adopt(&tx, &mut Interner::default()).unwrap() {}
        tx.commit().unwrap();
        let mut expected = sums(&conn);

        // As version 5 had it: of some time, the rows were let go of.
        let tx = conn.transaction().unwrap();
        let row = gone * 7_200;
        tx.execute("UPDATE levels SET since = ?1 WHERE name = 'row'", [row]).unwrap();
        let newer = Level::Hour.passing().iter().map(|cube| (Level::Hour, *cube));
        let days = [Cube::Loose, Cube::Run, Cube::Peer, Cube::Host].map(|cube| (Level::Day, cube));
        for (level, cube) in newer.chain(days) {
            let keys = rollups::keys(level, cube, &(i64::MIN..i64::MAX));
            tx.execute("DELETE FROM rollups WHERE key >= ?1 AND key < ?2", [keys.start, keys.end])
                .unwrap();
        }
        let hour = rollups::key(Level::Hour, Cube::Peer, 0);
        let run = rollups::key(Level::Day, Cube::Run, 0);
        for key in [hour, run] {
            rollups::add_cells(&tx, key, &[([1, 0], Sums::default())]).unwrap();
        }
        for ((level, cube, start), cells) in &mut expected {
            if (*level, *cube) != (Level::Day, Cube::Peer) {
                continue;
            }
            let mut by_peer = Cells::new();
            for ([peer, _], more) in &*cells {
                by_peer.entry([*peer, 0]).or_default().add(*more);
            }
            let all: Vec<_> = by_peer.into_iter().collect();
            rollups::add_cells(&tx, rollups::key(*level, *cube, *start), &all).unwrap();
            if *start < row {
                *cells =
                    all.into_iter().map(|([peer, _], it)| ([peer, UNKNOWN_OUTCOME], it)).collect();
            }
        }
        tx.pragma_update(None, "user_version", 5).unwrap();
        tx.commit().unwrap();

        prop_assert_eq!(migrate(&mut conn, &path, STEPS).unwrap().from, 5);
        prop_assert_eq!(sums(&conn), expected);
    }
}

#[test]
fn sources_of_names_are_what_their_numbers_say() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    drop(Writer::open(&path, &Options::default()).unwrap());
    let conn = Connection::open(&path).unwrap();
    let stored = all(&conn, "SELECT id, name FROM name_sources ORDER BY id");
    let mut known: Vec<_> = femtosnitch_model::NameSource::all()
        .map(|source| vec![Value::Integer(source.code().into()), source.name().to_owned().into()])
        .collect();
    known.sort_by_key(|row| match row[0] {
        Value::Integer(code) => code,
        _ => -1,
    });
    assert_eq!(stored, known);
}
