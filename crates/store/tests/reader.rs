//! Reading as somebody who may only read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use common::*;
use femtosnitch_store::Options;
use femtosnitch_store::Reader;
use femtosnitch_store::StoreError;
use femtosnitch_store::Writer;

const DATABASE: &str = "FEMTOSNITCH_TEST_READ_DB";
const NOBODY: u32 = 65_534;
const GROUP: u32 = 61_234;

/// The rest of this test as another user: prints the bytes sent, or the error.
fn read_as(program: &Path, database: &Path, group: u32) -> Output {
    Command::new(program)
        .args(["a_member_of_the_group_reads_whatever_the_daemon_does", "--exact", "--nocapture"])
        .env(DATABASE, database)
        .uid(NOBODY)
        .gid(group)
        .output()
        .unwrap()
}

#[test]
fn a_member_of_the_group_reads_whatever_the_daemon_does() {
    if let Some(path) = std::env::var_os(DATABASE) {
        match Reader::open(Path::new(&path)).and_then(|reader| {
            reader.query(&femtosnitch_store::Query::default(), &femtosnitch_store::NoUsers)
        }) {
            Ok(answers) => println!("sent {}", answers[0].send),
            Err(error) => println!("refused: {error}"),
        }
        return;
    }
    if !root_or_skip() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("reader");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let place = dir.path().join("lib/femtosnitch");
    let path = place.join("femtosnitch.db");
    let said = |database: &Path, group: u32| {
        let output = read_as(&program, database, group);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };

    let options = Options { group: Some(GROUP), ..Options::default() };
    let (mut writer, _) = Writer::open(&path, &options).unwrap();
    writer.write(&rows(vec![row(1, &exe(1, "/bin/a", sha(1)))])).unwrap();
    // While it runs.
    assert!(said(&path, GROUP).contains("sent 100"), "{}", said(&path, GROUP));
    // After a crash: the files as they are now, with nobody at home.
    let crashed = dir.path().join("lib/crashed");
    let copied = Command::new("cp").arg("-a").arg(&place).arg(&crashed).status().unwrap();
    assert!(copied.success());
    let crashed = crashed.join("femtosnitch.db");
    assert!(fs::metadata(crashed.with_extension("db-wal")).unwrap().len() > 0);
    assert!(said(&crashed, GROUP).contains("sent 100"), "{}", said(&crashed, GROUP));
    // After a clean stop.
    drop(writer);
    assert!(said(&path, GROUP).contains("sent 100"), "{}", said(&path, GROUP));
    // And after somebody who might have tidied up has read it, too.
    assert_eq!(total(&path).0, 100);
    assert!(said(&path, GROUP).contains("sent 100"));
    // Others are refused and told what to do.
    let refusal = said(&path, NOBODY);
    assert!(refusal.contains("permission denied") && refusal.contains("group"), "{refusal}");
}

#[test]
fn a_history_open_to_everybody_is_closed_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    drop(open(&path));
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    drop(open(&path));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_reader_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    assert!(matches!(Reader::open(&path), Err(StoreError::Missing { .. })));
    assert!(!path.exists());
    fs::write(&path, b"").unwrap();
    assert!(matches!(Reader::open(&path), Err(StoreError::Missing { .. })));
    drop(open(&path));
    assert_eq!(ask(&path, &femtosnitch_store::Query::default()), []);
    let stats = Reader::open(&path).unwrap().stats().unwrap();
    assert_eq!((stats.rows, stats.oldest, stats.newest), (0, None, None));
}
