//! Each form of the database, made here (SQLite's by SQLite itself), asked, and damaged.

use std::fs::File;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::header::tests::{Maker, package};
use super::sqlite::Sqlite;
use super::{bdb, header, ndb};
use crate::{Answer, Manager, Packages, Reason, State};

/// Of `abc`.
const SHA: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

const OTHER: &str = "cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34";

/// A root with a database at this path and `abc` in `/usr/bin/tool`.
fn root(database: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(database);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::create_dir_all(dir.path().join("usr/bin")).unwrap();
    std::fs::write(dir.path().join("usr/bin/tool"), "abc").unwrap();
    (dir, path)
}

fn ask(root: &Path, path: &str) -> Answer {
    let file = File::open(root.join("usr/bin/tool")).unwrap();
    Packages::open(root).unwrap().identify(path.as_ref(), &file, None)
}

/// Headers with numbers, as RPM numbers them; every third is too large for its page.
fn headers(count: u32) -> Vec<(u32, Vec<u8>)> {
    let filler = |number: u32| {
        let names: Vec<String> = (0..number % 3 * 500).map(|file| format!("file{file}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let dirs = vec![0; names.len()];
        Maker::default()
            .strings(header::NAME, &[&format!("filler{number}")])
            .strings(header::VERSION, &["0"])
            .strings(1117, &names)
            .strings(1118, &["/usr/share/filler/"])
            .numbers(1116, &dirs)
            .build()
    };
    let first = [(1, package("tool", SHA))];
    let fillers = (3..count).map(|number| (number, filler(number)));
    first.into_iter().chain(fillers).chain([(2, package("changed", OTHER))]).collect()
}

fn sqlite(path: &Path, page_size: u32, headers: &[(u32, Vec<u8>)]) {
    let db = rusqlite::Connection::open(path).unwrap();
    db.pragma_update(None, "page_size", page_size).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "synchronous", "OFF").unwrap();
    db.execute_batch(
        "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL);
         CREATE TABLE 'Basenames' (key 'TEXT' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER);
         CREATE INDEX 'Basenames_key_idx' ON 'Basenames'(key ASC); BEGIN;",
    )
    .unwrap();
    for (number, blob) in headers {
        db.execute("INSERT INTO Packages VALUES (?1, ?2)", (number, blob)).unwrap();
        let mut insert = db.prepare("INSERT INTO Basenames VALUES (?1, ?2, 0)").unwrap();
        for file in header::Header::parse(blob).unwrap().files() {
            let base = std::str::from_utf8(file.base).unwrap();
            insert.execute((base, number)).unwrap();
        }
    }
    db.execute_batch("COMMIT").unwrap();
    db.close().unwrap();
}

/// Both questions that every form must answer the same.
fn answers(root: &Path) {
    assert_eq!(ask(root, "/usr/bin/tool").to_string(), "tool 2:1.0-3.fc40 (intact)");
    assert_eq!(ask(root, "/usr/bin/changed").to_string(), "changed 2:1.0-3.fc40 (modified)");
    let owner = ask(root, "/usr/bin/tool").owner.unwrap();
    assert_eq!((owner.manager, owner.architecture.as_str()), (Manager::Rpm, "x86_64"));
    for path in ["/usr/sbin/tool", "/usr/bin/none", "/usr/bin/", "/usr/share/dir"] {
        assert_eq!(ask(root, path).state, State::NotPackaged, "{path}");
    }
    let filler = ask(root, "/usr/share/filler/file499");
    assert_eq!(filler.state, State::Unknown(Reason::NotRecorded));
}

#[test]
fn sqlite_is_read_in_pages_of_every_size() {
    for page_size in [512, 4096, 65_536] {
        let (dir, path) = root("usr/lib/sysimage/rpm/rpmdb.sqlite");
        sqlite(&path, page_size, &headers(60));
        answers(dir.path());
        let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing may be left beside the database");
    }
}

#[test]
fn every_row_of_a_key_is_found() {
    let (_dir, path) = root("var/lib/rpm/rpmdb.sqlite");
    sqlite(&path, 512, &headers(300));
    let mut sqlite = Sqlite::open(File::open(&path).unwrap()).unwrap();
    // On many pages of the index.
    let want: Vec<i64> = (3..300).filter(|number| number % 3 == 2).collect();
    assert_eq!(sqlite.with_basename(b"file999").unwrap(), want);
    let want: Vec<i64> = (3..300).filter(|number| number % 3 != 0).collect();
    assert_eq!(sqlite.with_basename(b"file0").unwrap(), want);
    assert_eq!(sqlite.packages().unwrap(), 299);
}

#[test]
fn a_journal_that_waits_accuses_nobody() {
    let (dir, path) = root("var/lib/rpm/rpmdb.sqlite");
    sqlite(&path, 4096, &headers(5));
    std::fs::write(path.with_extension("sqlite-wal"), "").unwrap();
    answers(dir.path());
    std::fs::write(path.with_extension("sqlite-wal"), "x").unwrap();
    let busy = State::Unknown(Reason::Busy(Manager::Rpm));
    assert_eq!(ask(dir.path(), "/usr/bin/tool").state, State::Intact);
    assert_eq!(ask(dir.path(), "/usr/bin/changed").state, busy);
    assert_eq!(ask(dir.path(), "/usr/bin/none").state, busy);
}

#[test]
fn a_table_that_leads_in_a_circle_ends() {
    let (dir, path) = root("var/lib/rpm/rpmdb.sqlite");
    sqlite(&path, 512, &headers(15));
    let bytes = std::fs::read(&path).unwrap();
    let mut circles = 0;
    for page in 1..bytes.len() / 512 {
        let mut bytes = bytes.clone();
        let head = &mut bytes[page * 512..][..512];
        if !matches!(head[0], 2 | 5) {
            continue;
        }
        // All children of an inner page become the page itself.
        let own = u32::try_from(page + 1).unwrap().to_be_bytes();
        head[8..12].copy_from_slice(&own);
        for cell in 0..usize::from(head[4]) {
            let at = usize::from(u16::from_be_bytes([head[12 + cell * 2], head[13 + cell * 2]]));
            head[at..at + 4].copy_from_slice(&own);
        }
        std::fs::write(&path, &bytes).unwrap();
        ask(dir.path(), "/usr/bin/tool");
        circles += 1;
    }
    assert!(circles > 5, "{circles}");
}

fn ndb(headers: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let pages = headers.len() / 255 + 1;
    let mut out = b"RpmP".to_vec();
    for number in [0, 1, u32::try_from(pages).unwrap(), 9, 0, 0, 0] {
        out.extend(number.to_le_bytes());
    }
    let (mut data, start) = (Vec::new(), pages * 4096);
    for (number, blob) in headers {
        let block = u32::try_from((start + data.len()) / 16).unwrap();
        out.extend(b"Slot");
        data.extend(b"BlbS");
        for (to, word) in [(&mut out, block), (&mut data, 7)] {
            to.extend(number.to_le_bytes());
            to.extend(word.to_le_bytes());
        }
        out.extend([0; 4]);
        data.extend(u32::try_from(blob.len()).unwrap().to_le_bytes());
        data.extend(blob);
        data.extend([0; 12]);
        data.resize(data.len().next_multiple_of(16), 0);
    }
    while out.len() < start {
        out.extend(b"Slot\0\0\0\0\0\0\0\0\0\0\0\0");
    }
    out.extend(data);
    out
}

#[test]
fn ndb_is_read() {
    let (dir, path) = root("usr/lib/sysimage/rpm/Packages.db");
    std::fs::write(path, ndb(&headers(600))).unwrap();
    answers(dir.path());
}

/// Berkeley DB with pages of 512 bytes: what is small is kept in place, the rest in chains.
fn bdb(headers: &[(u32, Vec<u8>)], big: bool) -> Vec<u8> {
    const PAGE: usize = 512;
    let n32 = |number: u32| if big { number.to_be_bytes() } else { number.to_le_bytes() };
    let n16 = |number: usize| {
        let number = u16::try_from(number).unwrap();
        if big { number.to_be_bytes() } else { number.to_le_bytes() }
    };
    let page = |kind: u8| {
        let mut page = vec![0; PAGE];
        page[25] = kind;
        page
    };
    let mut pages = vec![page(8)];
    let records = headers.iter().map(|(number, blob)| (*number, blob.clone()));
    for (number, blob) in std::iter::once((0, vec![0; 4])).chain(records) {
        let own = pages.len();
        pages.push(page(13));
        let value = if blob.len() < 300 {
            [&[1], blob.as_slice()].concat()
        } else {
            let chunks: Vec<&[u8]> = blob.chunks(PAGE - 26).collect();
            for (position, chunk) in chunks.iter().enumerate() {
                let mut overflow = page(7);
                let next = if position + 1 < chunks.len() { pages.len() + 1 } else { 0 };
                overflow[16..20].copy_from_slice(&n32(u32::try_from(next).unwrap()));
                overflow[22..24].copy_from_slice(&n16(chunk.len()));
                overflow[26..26 + chunk.len()].copy_from_slice(chunk);
                pages.push(overflow);
            }
            let first = n32(u32::try_from(own + 1).unwrap());
            let len = n32(u32::try_from(blob.len()).unwrap());
            [&[3, 0, 0, 0], first.as_slice(), &len].concat()
        };
        let (key, at) = (PAGE - 5, PAGE - 5 - value.len());
        let hash = &mut pages[own];
        hash[20..22].copy_from_slice(&n16(2));
        hash[26..28].copy_from_slice(&n16(key));
        hash[28..30].copy_from_slice(&n16(at));
        hash[key] = 1;
        hash[key + 1..].copy_from_slice(&n32(number));
        hash[at..key].copy_from_slice(&value);
    }
    let last = u32::try_from(pages.len() - 1).unwrap();
    for (at, number) in [(12, 0x0006_1561), (16, 9), (20, 512), (32, last)] {
        pages[0][at..at + 4].copy_from_slice(&n32(number));
    }
    pages[0][24] = 0;
    pages.concat()
}

#[test]
fn berkeley_db_is_read_in_both_byte_orders() {
    for big in [false, true] {
        let (dir, path) = root("var/lib/rpm/Packages");
        std::fs::write(path, bdb(&headers(40), big)).unwrap();
        answers(dir.path());
    }
}

fn temporary(bytes: &[u8]) -> File {
    use std::io::Write as _;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Bytes with some of them changed, cut off somewhere.
fn damaged(mut bytes: Vec<u8>, damage: &[(prop::sample::Index, u8)], cut: f64) -> Vec<u8> {
    for (at, byte) in damage {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
    let end = (0..=bytes.len()).find(|&len| len as f64 >= bytes.len() as f64 * cut);
    bytes.truncate(end.unwrap_or(bytes.len()));
    bytes
}

fn damage() -> impl Strategy<Value = (Vec<(prop::sample::Index, u8)>, f64)> {
    let cut = prop_oneof![Just(1.0), 0.0..1.0];
    (prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..30), cut)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_damage_to_sqlite_does_harm(damage in damage(), fine in 0usize..20) {
        let (dir, path) = root("var/lib/rpm/rpmdb.sqlite");
        sqlite(&path, 512, &headers(8));
        let bytes = std::fs::read(&path).unwrap();
        // Mostly the head stays, or nothing behind it would be looked at.
        let (head, rest) = bytes.split_at(if fine == 0 { 0 } else { 100 });
        let rest = damaged(rest.to_vec(), &damage.0, damage.1);
        std::fs::write(&path, [head, &rest].concat()).unwrap();
        ask(dir.path(), "/usr/bin/tool");
        ask(dir.path(), "/usr/share/filler/file499");
    }

    #[test]
    fn garbage_is_no_sqlite(garbage in prop::collection::vec(any::<u8>(), 0..3000), head: bool) {
        let mut bytes = garbage;
        if head && bytes.len() > 101 {
            bytes[..18].copy_from_slice(b"SQLite format 3\0\x02\0");
            bytes[20] = 0;
            bytes[56..60].copy_from_slice(&[0, 0, 0, 1]);
            bytes[100] = [2, 5, 10, 13][usize::from(bytes[101] % 4)];
        }
        let (dir, path) = root("var/lib/rpm/rpmdb.sqlite");
        std::fs::write(&path, &bytes).unwrap();
        let answer = ask(dir.path(), "/usr/bin/tool");
        prop_assert!(matches!(answer.state, State::Unknown(_)), "{}", answer);
    }

    #[test]
    fn no_damage_to_ndb_does_harm(damage in damage()) {
        let bytes = damaged(ndb(&headers(8)), &damage.0, damage.1);
        if let Ok(ndb) = ndb::Ndb::open(temporary(&bytes)) {
            for position in 0..ndb.len() {
                ndb.header(position).ok();
            }
        }
    }

    #[test]
    fn no_damage_to_berkeley_db_does_harm(damage in damage(), big: bool) {
        let bytes = damaged(bdb(&headers(8), big), &damage.0, damage.1);
        if let Ok(bdb) = bdb::Bdb::open(temporary(&bytes)) {
            for position in 0..bdb.len() {
                bdb.header(position).ok();
            }
        }
    }
}
