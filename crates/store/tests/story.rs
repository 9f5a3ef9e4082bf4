//! The life of a history, as its users see it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::*;
use femtosnitch_model::Connections;
use femtosnitch_model::Digest;
use femtosnitch_model::Direction;
use femtosnitch_model::Quality;
use femtosnitch_model::Unhashed;
use femtosnitch_store::Batch;
use femtosnitch_store::Dimension;
use femtosnitch_store::Key;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Options;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::StoreError;
use femtosnitch_store::Users;
use femtosnitch_store::Writer;
use rusqlite::Connection;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn text(text: &str) -> Key {
    Key::Text(text.to_owned())
}

#[test]
fn write_close_open_ask() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("var/lib/femtosnitch/femtosnitch.db");
    assert!(matches!(Reader::open(&path), Err(StoreError::Missing { .. })));

    let (mut writer, report) = Writer::open(&path, &Options::default()).unwrap();
    assert!(report.created && report.quarantined.is_none() && report.backup.is_none());
    let shell = exe(1, "/bin/sh", sha(1));
    let curl = exe(2, "/usr/bin/curl", sha(2));
    let mut first = row(1_700_000_000, &curl);
    first.parent = Some(shell.clone());
    let mut second = row(1_700_000_060, &curl);
    second.send = 7;
    second.wire_recv = Some(5);
    second.container = "abc".into();
    let mut unknown = row(1_700_000_100, &exe(3, "(unknown)", Digest::Missing(Unhashed::Unknown)));
    unknown.raddr = None;
    unknown.domain = "".into();
    let written = writer.write(&rows(vec![first, second])).unwrap();
    assert_eq!((written.rows, written.saturated), (2, 0));

    // A reader beside the writer; the writer goes on.
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.query(&Query::default(), &NoUsers).unwrap()[0].events, 4);
    writer.write(&rows(vec![unknown])).unwrap();
    assert_eq!(reader.query(&Query::default(), &NoUsers).unwrap()[0].events, 6);
    for companion in ["", "-wal", "-shm"] {
        let file = path.with_file_name(format!("femtosnitch.db{companion}"));
        assert_eq!(mode(&file), 0o640, "{companion}");
    }
    assert_eq!(mode(path.parent().unwrap()), 0o750);
    assert_eq!(mode(path.parent().unwrap().parent().unwrap()), 0o755);
    drop(reader);
    drop(writer);

    let (writer, report) = Writer::open(&path, &Options::default()).unwrap();
    assert_eq!(report, femtosnitch_store::OpenReport::default());
    let answers = ask(&path, &by(&[Dimension::Exe, Dimension::Pexe, Dimension::Domain]));
    let keys: Vec<_> = answers.iter().map(|answer| answer.keys.clone()).collect();
    assert_eq!(
        keys,
        [
            [text("(unknown)"), text(""), text("")],
            [text("/usr/bin/curl"), text("/bin/sh"), text("www.example.org")],
            [text("/usr/bin/curl"), text(""), text("www.example.org")],
        ]
    );
    assert_eq!((answers[2].send, answers[2].recv), (7, 1000));
    assert_eq!((answers[1].wire_send, answers[1].wire_recv), (Some(152), None));
    assert_eq!(answers[2].wire_recv, Some(5));

    let stats = Reader::open(&path).unwrap().stats().unwrap();
    assert_eq!(
        (stats.rows, stats.oldest, stats.newest),
        (3, Some(1_700_000_000), Some(1_700_000_100))
    );
    assert!(stats.bytes >= 4096);
    drop(writer);
    assert_sound(&path);
}

#[test]
fn the_promised_relations_can_be_selected() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut traffic = row(1, &exe(1, "/bin/a", sha(0xab)));
    traffic.container = "c0ffee".into();
    open(&path).write(&rows(vec![traffic])).unwrap();
    let conn = Connection::open(&path).unwrap();
    let line: String = conn
        .query_row(
            "SELECT concat_ws(' ', contime, send, recv, events, e.exe, e.name, e.cmdline, e.sha256,
               pexe_id, gpexe_id, uid, family, protocol, lport, rport, l.addr, r.addr, d.domain,
               netns, wire_send, wire_recv IS NULL, pid, container)
             FROM connections JOIN executables AS e ON e.id = exe_id
             JOIN addresses AS l ON l.id = laddr_id JOIN addresses AS r ON r.id = raddr_id
             JOIN domains AS d ON d.id = domain_id",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let sha = "ab".repeat(32);
    assert_eq!(
        line,
        format!(
            "1 100 1000 2 /bin/a a a --flag {sha} 0 0 1000 2 6 40000 443 192.0.2.1 198.51.100.7 \
             org.example.www 4026531840 152 1 4242 c0ffee"
        )
    );
    for (table, column) in [("executables", "sha256"), ("domains", "domain"), ("addresses", "addr")]
    {
        let sql = format!("SELECT {column} FROM {table} WHERE id = 0");
        let unknown: String = conn.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(unknown, "");
    }
}

#[test]
fn a_port_scan_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let nmap = exe(1, "/usr/bin/nmap", sha(1));
    let scan = (1..=1000_u16).map(|rport| {
        let mut row = row(10, &nmap);
        (row.send, row.recv, row.wire_send, row.events, row.rport) = (0, 0, None, 0, rport);
        row.direction = Direction::Outgoing;
        row.connections = Connections { begun: 1, ended: 1, failed: 1, error: 111 };
        row
    });
    let mut served = row(11, &nmap);
    served.connections = Connections { begun: 1, ..Connections::default() };
    served.quality = Quality { rtt_us: Some(900), retrans: 2 };
    open(&path).write(&rows(scan.chain([served]).collect())).unwrap();

    let refused = Query {
        filters: vec!["outcome=refused".parse().unwrap()],
        ..by(&[Dimension::Exe, Dimension::Outcome, Dimension::Direction])
    };
    let answers = ask(&path, &refused);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].keys, [text("/usr/bin/nmap"), text("refused"), text("outgoing")]);
    assert_eq!((answers[0].connections, answers[0].failed, answers[0].send), (1000, 1000, 0));
    assert_eq!((answers[0].rtt_us, answers[0].retrans), (None, 0));
    let all = &ask(&path, &Query::default())[0];
    assert_eq!((all.connections, all.failed, all.rtt_us, all.retrans), (1001, 1000, Some(900), 2));
    // As others read it.
    let line = "SELECT sum(begun) * 100 + min(direction) * 10 + (max(error) = 111) FROM connections
                WHERE ended = failed AND ended = 1 AND rtt_us IS NULL AND retrans = 0";
    assert_eq!(number(&path, line), 100_011);
}

#[test]
fn spans_filters_limits_and_users() {
    struct Passwd;
    impl Users for Passwd {
        fn name(&self, uid: u32) -> Option<String> {
            (uid == 1000).then(|| "alice".to_owned())
        }
        fn uid(&self, name: &str) -> Option<u32> {
            (name == "alice").then_some(1000)
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let tool = exe(1, "/bin/a", sha(1));
    let mut all = Vec::new();
    for (contime, domain, uid, recv) in [
        (10, "org.example", 1000, 1),
        (20, "org.example.www", 1000, 2),
        (30, "org.examplebad", 0, 4),
        (40, "", 77, 8),
    ] {
        let mut row = row(contime, &tool);
        (row.domain, row.uid, row.recv, row.send) = (domain.into(), uid, recv, 0);
        row.raddr = Some(format!("10.0.{contime}.1").parse().unwrap());
        all.push(row);
    }
    writer.write(&rows(all)).unwrap();
    let reader = Reader::open(&path).unwrap();
    let recv = |query: Query| reader.query(&query, &Passwd).unwrap().first().map_or(0, |a| a.recv);

    assert_eq!(recv(Query { since: Some(20), until: Some(40), ..Query::default() }), 6);
    assert_eq!(recv(filtered(&["domain=example.org"])), 3);
    assert_eq!(recv(filtered(&["domain!=example.org"])), 12);
    assert_eq!(recv(filtered(&["domain="])), 8);
    assert_eq!(recv(filtered(&["raddr=10.0.16.0/20"])), 6);
    assert_eq!(recv(filtered(&["raddr!=10.0.16.0/20"])), 9);
    assert_eq!(recv(filtered(&["raddr=10.0.40.1", "protocol=tcp"])), 8);
    assert_eq!(recv(filtered(&["protocol=udp"])), 0);
    assert_eq!(recv(filtered(&["user=alice"])), 3);
    assert_eq!(recv(filtered(&["user=77"])), 8);
    let error = reader.query(&filtered(&["user=bob"]), &Passwd).unwrap_err();
    assert!(error.to_string().contains("no user `bob`"), "{error}");

    let query = Query { limit: Some(2), ..by(&[Dimension::User, Dimension::Uid]) };
    let answers = reader.query(&query, &Passwd).unwrap();
    let keys: Vec<_> = answers.iter().map(|answer| answer.keys.clone()).collect();
    assert_eq!(keys, [[text("77"), Key::Number(77)], [text("0"), Key::Number(0)]]);
    let query = Query { limit: Some(3), ..by(&[Dimension::User]) };
    assert_eq!(reader.query(&query, &Passwd).unwrap()[2].keys, [text("alice")]);
}

#[test]
fn a_quote_in_a_value_is_just_a_quote() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let evil = "/opt/'; DROP TABLE traffic; --";
    open(&path).write(&rows(vec![row(1, &exe(1, evil, sha(1)))])).unwrap();
    assert_eq!(ask(&path, &filtered(&[&format!("exe={evil}")]))[0].send, 100);
    assert_eq!(ask(&path, &by(&[Dimension::Exe]))[0].keys, [text(evil)]);
}

#[test]
fn numbers_too_large_are_capped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut huge = row(1, &exe(1, "/bin/a", sha(1)));
    (huge.send, huge.wire_recv) = (u64::MAX, Some(1 << 63));
    let written = open(&path).write(&rows(vec![huge.clone(), huge])).unwrap();
    assert_eq!(written.saturated, 4);
    // Five petabytes.
    assert_eq!(total(&path), (2 * 5_367_861_686_066_656, 2000));
}

#[test]
fn digests_that_come_later_complete_their_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let pending = exe(1, "/bin/a", Digest::Pending);
    writer.write(&rows(vec![row(1, &pending)])).unwrap();
    let shas = || {
        let mut keys: Vec<_> = ask(&path, &by(&[Dimension::Exe, Dimension::Sha256]))
            .into_iter()
            .map(|a| a.keys)
            .collect();
        keys.sort();
        keys
    };
    assert_eq!(shas(), [[text("/bin/a"), text("(pending)")]]);
    let image = pending.image.id;
    let report =
        writer.write(&Batch { resolved: vec![(image, sha(1))], ..Batch::default() }).unwrap();
    assert_eq!(report.resolved, 1);
    let hex = sha(1).to_string();
    assert_eq!(shas(), [[text("/bin/a"), text(&hex)]]);
    // A row made before the digest was known but written after it.
    writer.write(&rows(vec![row(2, &pending)])).unwrap();
    assert_eq!(shas(), [[text("/bin/a"), text(&hex)]]);
    assert_eq!(number(&path, "SELECT count(*) FROM executables"), 2);

    // Another image of the same name: first apart, then found to be the same file; as parent too.
    let again = exe(2, "/bin/a", Digest::Pending);
    let other = exe(3, "/bin/a", Digest::Pending);
    let mut child = row(4, &other);
    child.parent = Some(again.clone());
    child.grandparent = Some(pending.clone());
    writer.write(&rows(vec![row(3, &again), child])).unwrap();
    assert_eq!(number(&path, "SELECT count(*) FROM executables"), 4);
    let resolved = vec![(again.image.id, sha(1)), (other.image.id, sha(9))];
    // A resolution and rows of the same image in one batch.
    let report = writer.write(&Batch { resolved, ..rows(vec![row(5, &again)]) }).unwrap();
    assert_eq!(report.resolved, 2);
    assert_eq!(number(&path, "SELECT count(*) FROM executables"), 3);
    let nine = sha(9).to_string();
    let mut expected = vec![[text("/bin/a"), text(&hex)], [text("/bin/a"), text(&nine)]];
    expected.sort();
    assert_eq!(shas(), expected);
    let query = Query {
        filters: vec![format!("sha256={nine}").parse().unwrap()],
        ..by(&[Dimension::Psha256, Dimension::Gpsha256])
    };
    assert_eq!(ask(&path, &query)[0].keys, [text(&hex), text(&hex)]);
    drop(writer);
    assert_sound(&path);
}

#[test]
fn what_was_pending_at_a_stop_reads_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    for start in 1..=3_u64 {
        let (mut writer, report) = Writer::open(&path, &Options::default()).unwrap();
        // The second and third time there is an interrupted row already: they become one.
        assert_eq!(report.interrupted, u64::from(start > 1));
        let contime = i64::try_from(start).unwrap();
        writer.write(&rows(vec![row(contime, &exe(1, "/bin/a", Digest::Pending))])).unwrap();
    }
    drop(open(&path));
    let answers = ask(&path, &by(&[Dimension::Sha256]));
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].keys, [text("(interrupted)")]);
    assert_eq!(answers[0].events, 6);
    assert_eq!(number(&path, "SELECT count(*) FROM executables"), 2);
    assert_eq!(number(&path, "SELECT first_seen FROM executables WHERE id <> 0"), 1);
    assert_sound(&path);
}

#[test]
fn a_second_writer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let first = open(&path);
    let error = Writer::open(&path, &Options::default()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(first);
    open(&path);
}

#[test]
fn a_locked_database_is_busy_and_nothing_is_half_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let tool = exe(1, "/bin/a", sha(1));
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = writer.write(&rows(vec![row(1, &tool)])).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }) && error.is_passing(), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    // Had the caches survived the failure, these would refer to ids that were never written.
    writer.write(&rows(vec![row(1, &tool)])).unwrap();
    drop(writer);
    drop(other);
    assert_sound(&path);
    assert_eq!(total(&path), (100, 1000));
}

#[test]
fn a_failed_transaction_is_forgotten_entirely() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let pending = exe(1, "/bin/a", Digest::Pending);
    let other = Connection::open(&path).unwrap();
    // Fails in the middle: the first row is fine and is interned, the second is not.
    other
        .execute_batch(
            "CREATE TRIGGER no BEFORE INSERT ON blocks WHEN new.last = 13
             BEGIN SELECT raise(ABORT, 'no'); END",
        )
        .unwrap();
    writer.write(&rows(vec![row(1, &pending), row(13, &pending)])).unwrap_err();
    assert_eq!(number(&path, "SELECT count(*) FROM executables"), 1);
    other.execute_batch("DROP TRIGGER no").unwrap();
    let resolved = vec![(pending.image.id, sha(3))];
    writer.write(&rows(vec![row(1, &pending), row(13, &pending)])).unwrap();
    assert_eq!(writer.write(&Batch { resolved, ..Batch::default() }).unwrap().resolved, 1);
    drop(writer);
    drop(other);
    assert_sound(&path);
    assert_eq!(ask(&path, &by(&[Dimension::Sha256]))[0].keys, [text(&sha(3).to_string())]);
}
