//! `femtosnitch import picosnitch` as people run it.
#![expect(clippy::unwrap_used, reason = "a failed assumption ends a test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use femtosnitch::config::Paths;
use femtosnitch_store::{Options, Writer};
use rusqlite::{Connection, params};

const SCHEMA: &str = "
    CREATE TABLE executables(id INTEGER PRIMARY KEY, exe TEXT NOT NULL, name TEXT NOT NULL,
        cmdline TEXT NOT NULL, sha256 TEXT NOT NULL, UNIQUE(exe, name, cmdline, sha256)) STRICT;
    CREATE TABLE domains(id INTEGER PRIMARY KEY, domain TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE addresses(id INTEGER PRIMARY KEY, addr TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE connections(contime INTEGER NOT NULL, send INTEGER NOT NULL, recv INTEGER NOT NULL,
        events INTEGER NOT NULL, exe_id INTEGER NOT NULL, pexe_id INTEGER NOT NULL,
        gpexe_id INTEGER NOT NULL, uid INTEGER NOT NULL, family INTEGER NOT NULL,
        protocol INTEGER NOT NULL, lport INTEGER NOT NULL, rport INTEGER NOT NULL,
        laddr_id INTEGER NOT NULL, raddr_id INTEGER NOT NULL, domain_id INTEGER NOT NULL,
        netns INTEGER NOT NULL) STRICT;
    INSERT INTO executables VALUES (0, '', '', '', ''),
        (1, '/usr/bin/mysql', 'mysql', 'mysql --password ''s3cret word'' db', '');
    INSERT INTO domains VALUES (0, ''), (1, 'org.example.db');
    INSERT INTO addresses VALUES (0, ''), (1, '192.0.2.1'), (2, '198.51.100.7');
    PRAGMA user_version = 4;";

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A root with a picosnitch history of so many rows, each older by a second than the one after.
fn root(rows: i64, newest: i64) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("var/lib/picosnitch");
    fs::create_dir_all(&dir).unwrap();
    let conn = Connection::open(dir.join("picosnitch.db")).unwrap();
    conn.execute_batch(SCHEMA).unwrap();
    conn.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
         INSERT INTO connections SELECT ?2 - ?1 + i, i, 1, 1, 1, 0, 0, 1000, 2, 6, 40000, 3306,
           1, 2, 1, 4026531840 FROM n",
        params![rows, newest],
    )
    .unwrap();
    root
}

fn command(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_femtosnitch"));
    command.arg("--root").arg(root).args(args);
    command
}

fn run(root: &Path, args: &[&str]) -> Output {
    command(root, args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn sent(root: &Path) -> String {
    let out =
        run(root, &["query", "--since", "all", "--by", "exe,cmdline,domain", "--format", "csv"]);
    text(&out.stdout)
}

#[test]
fn a_history_is_taken_over_once() {
    let root = root(12_345, now());
    let out = run(root.path(), &["import", "picosnitch"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout), "12,345 rows taken over\n");
    let told = text(&out.stderr);
    assert!(told.contains("picosnitch, version 4, 12,345 rows; it reaches from 20"), "{told}");
    assert!(!told.contains("warning"), "{told}");
    let answer = sent(root.path());
    assert!(answer.contains(&format!(",{},", 12_345_i64 * 12_346 / 2)), "{answer}");
    // As what is recorded here: no secrets, names forwards.
    assert!(answer.contains("/usr/bin/mysql,mysql --password *** db,"), "{answer}");
    assert!(answer.contains(",db.example.org,"), "{answer}");

    let again = run(root.path(), &["import", "picosnitch"]);
    assert!(again.status.success());
    assert_eq!(text(&again.stdout), "0 rows taken over\n");
    assert!(text(&again.stderr).contains("all of it was taken over before"));
    assert_eq!(sent(root.path()), answer);
}

#[test]
fn rows_that_retention_would_delete_are_told() {
    let root = root(100, now() - 30 * 86_400 + 50);
    let told = text(&run(root.path(), &["import", "picosnitch"]).stderr);
    let number = told.split("warning: ").nth(1).unwrap_or_default().split(' ').next().unwrap();
    // A second may have passed, or a few.
    assert!((49..=100).contains(&number.parse::<u32>().unwrap()), "{told}");
    assert!(told.contains("store.retention (30d)") && told.contains("forever"), "{told}");
}

#[test]
fn what_is_private_stays_out() {
    let root = root(3, now());
    let config = Paths::new(root.path()).config_toml();
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    fs::write(
        config,
        "[privacy]\ncmdlines = false\nnames = false\naddresses = false\nports = false\n",
    )
    .unwrap();
    assert!(run(root.path(), &["import", "picosnitch"]).status.success());
    let kept = run(
        root.path(),
        &[
            "query",
            "--since",
            "all",
            "--by",
            "cmdline,domain,raddr,laddr,rport,lport",
            "--format",
            "csv",
        ],
    );
    let kept = text(&kept.stdout);
    for gone in ["mysql", "example", "198.51", "192.0.2", "3306", "40000"] {
        assert!(!kept.contains(gone), "{kept}");
    }
}

#[test]
fn local_times_are_those_of_the_zone_that_is_told() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("snitch.db");
    Connection::open(&file)
        .unwrap()
        .execute_batch(
            "CREATE TABLE connections(contime text, send integer, recv integer, exe text, name text,
               cmdline text, sha256 text, pexe text, pname text, pcmdline text, psha256 text,
               uid integer, lport integer, rport integer, laddr text, raddr text, domain text);
             INSERT INTO connections VALUES ('2023-07-01 12:00:00', 1, 2, '/bin/a', 'a', 'a', '',
               '', '', '', '', 0, 1, 2, '192.0.2.1', '192.0.2.2', ''),
               ('2023-12-01 12:00:00', 1, 2, '/bin/a', 'a', 'a', '',
               '', '', '', '', 0, 1, 2, '192.0.2.1', '192.0.2.2', '');
             PRAGMA user_version = 3;",
        )
        .unwrap();
    let out = command(root.path(), &["import", "picosnitch", file.to_str().unwrap()])
        // Central Europe's, without asking the machine's files.
        .env("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        .output()
        .unwrap();
    let told = text(&out.stderr);
    assert!(told.contains("time zone CET-1CEST") && told.contains("TZ=ZONE"), "{told}");
    let conn = Connection::open(Paths::new(root.path()).database()).unwrap();
    let mut stmt = conn.prepare("SELECT contime FROM connections ORDER BY contime").unwrap();
    let times: Vec<i64> =
        stmt.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    // 10:00 UTC in summer, 11:00 in winter.
    assert_eq!(times, [1_688_205_600, 1_701_428_400]);
}

#[test]
fn the_daemon_has_to_be_stopped_first() {
    let root = root(3, now());
    let database = Paths::new(root.path()).database();
    let writer = Writer::open(&database, &Options::default()).unwrap();
    let out = run(root.path(), &["import", "picosnitch"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("systemctl stop"), "{}", text(&out.stderr));
    drop(writer);
    assert!(run(root.path(), &["import", "picosnitch"]).status.success());
}

#[test]
fn what_is_not_there_or_wrong_is_told() {
    let root = tempfile::tempdir().unwrap();
    let missing = run(root.path(), &["import", "picosnitch"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("var/lib/picosnitch/picosnitch.db: there is no such"));
    assert!(!Paths::new(root.path()).database().exists(), "nothing is made for nothing");
    for usage in [
        &["import"][..],
        &["import", "picosnitch", "x", "--config", "y"],
        &["import", "picosnitch", "--write"],
    ] {
        assert_eq!(run(root.path(), usage).status.code(), Some(2), "{usage:?}");
    }
}

#[test]
fn a_signal_ends_it_between_transactions() {
    let root = root(60_000, now());
    let mut ended = 0;
    loop {
        let child = command(root.path(), &["import", "picosnitch"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(400));
        let pid = child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).output().unwrap();
        let out = child.wait_with_output().unwrap();
        match out.status.code() {
            Some(0) => break,
            Some(1) => assert!(text(&out.stderr).contains("goes on from here")),
            // It had not come to block signals yet.
            None => {}
            other => assert_eq!(other, None, "{}", text(&out.stderr)),
        }
        ended += 1;
        if ended == 3 {
            assert!(run(root.path(), &["import", "picosnitch"]).status.success());
            break;
        }
    }
    assert!(sent(root.path()).contains(&format!(",{},", 60_000_i64 * 60_001 / 2)));
}

#[test]
fn a_translated_configuration_passes_the_check() {
    let root = tempfile::tempdir().unwrap();
    let theirs = root.path().join("etc/picosnitch/config.toml");
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(
        &theirs,
        "[database]\nretention_days = 90\n[log]\nignore_domains = [\"com.example\"]\n",
    )
    .unwrap();
    let out = run(root.path(), &["import", "picosnitch", "--config"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("different now:\n"), "{}", text(&out.stderr));
    let ours = root.path().join("ours.toml");
    fs::write(&ours, &out.stdout).unwrap();
    assert!(run(root.path(), &["check", ours.to_str().unwrap()]).status.success());
    assert!(text(&out.stdout).contains("domains = [\"example.com\"]"));

    let write = ["import", "picosnitch", "--config", theirs.to_str().unwrap(), "--write"];
    let written = run(root.path(), &write);
    assert!(written.status.success() && written.stdout.is_empty());
    assert!(run(root.path(), &["check"]).status.success());
    assert_eq!(run(root.path(), &write).status.code(), Some(1));
}
