//! The program as people run it: what it prints where, and how it exits.
#![expect(clippy::unwrap_used, reason = "a failed assumption ends a test")]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use femtosnitch::config::Paths;
use femtosnitch_model::{
    Connections, Digest, Direction, Executable, Image, ImageId, Lineage, Quality, Row, Sha256,
};
use femtosnitch_store::{Batch, GapReason, Options, Writer};

fn command(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_femtosnitch"));
    command.arg("--root").arg(root);
    command
}

fn femtosnitch(root: &Path, args: &[&str]) -> Output {
    command(root).args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn executable(id: u64, path: &str) -> Executable {
    let image = Image {
        id: ImageId(id),
        path: path.to_owned(),
        name: "name".to_owned(),
        cmdline: format!("{path} --flag"),
        file: None,
    };
    Executable { image: Arc::new(image), digest: Digest::Known(Sha256([0xab; 32])) }
}

fn row(contime: i64, exe: Executable, send: u64) -> Row {
    Row {
        contime,
        send,
        recv: 10,
        wire_send: Some(send + 40),
        wire_recv: None,
        direction: Direction::default(),
        connections: Connections::default(),
        quality: Quality::default(),
        events: 2,
        exe,
        parent: Some(executable(99, "/bin/sh")),
        grandparent: None,
        lineage: Lineage::default(),
        uid: 0,
        pid: 4_242,
        family: 2,
        protocol: 6,
        laddr: Some("192.0.2.1".parse().unwrap()),
        raddr: Some("198.51.100.7".parse().unwrap()),
        lport: 50_000,
        rport: 443,
        domain: Arc::from("org.example.www"),
        netns: 4_026_531_840,
        container: Arc::from(""),
    }
}

/// A root with a history of these rows.
fn history(rows: Vec<Row>) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let path = Paths::new(root.path()).database();
    let (mut writer, _) = Writer::open(&path, &Options::default()).unwrap();
    writer.write(&Batch { rows, ..Batch::default() }).unwrap();
    root
}

#[test]
fn query_answers_in_json_with_the_names_asked_for() {
    let root = history(vec![
        row(1_000, executable(1, "/usr/bin/curl"), 5_000),
        row(1_001, executable(1, "/usr/bin/curl"), 1),
        row(1_002, executable(2, "/usr/bin/ssh"), 7),
    ]);
    let by = "exe,sha256,parent,user,rport,domain";
    let args = ["query", "--since", "all", "--by", by, "--format", "json"];
    let output = femtosnitch(root.path(), &args);
    assert!(output.status.success(), "{}", stderr(&output));
    let answers: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let sha256 = "ab".repeat(32);
    let common = |exe: &str, send: u64, recv: u64, wire: u64, events: u64| {
        serde_json::json!({
            "exe": exe, "sha256": sha256, "parent": "/bin/sh", "user": "root", "rport": 443,
            "domain": "www.example.org", "send": send, "recv": recv, "wire_send": wire,
            "wire_recv": null, "events": events, "connections": 0, "failed": 0, "retrans": 0,
            "rtt_us": null,
        })
    };
    let expected = serde_json::json!([
        common("/usr/bin/curl", 5_001, 20, 5_081, 4),
        common("/usr/bin/ssh", 7, 10, 47, 2),
    ]);
    assert_eq!(answers, expected);
}

#[test]
fn query_looks_at_the_period_and_filters_asked_for() {
    let root = history(vec![
        row(1_000, executable(1, "/usr/bin/curl"), 1),
        row(2_000, executable(2, "/usr/bin/ssh"), 2),
    ]);
    let csv = |extra: &[&str]| {
        let args: Vec<&str> = ["query", "--format", "csv"].iter().chain(extra).copied().collect();
        let output = femtosnitch(root.path(), &args);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output).lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let curl = "/usr/bin/curl,1,10,41,,2,0,0,0,";
    let ssh = "/usr/bin/ssh,2,10,42,,2,0,0,0,";
    assert_eq!(csv(&["--since", "all"]), [ssh, curl]);
    assert_eq!(csv(&["--since", "1970-01-01T00:16:41Z"]), [ssh]);
    assert_eq!(csv(&["--since", "0", "--until", "2000"]), [curl]);
    assert_eq!(csv(&["--since", "all", "--limit", "1"]), [ssh]);
    assert_eq!(csv(&["--since", "all", "--where", "exe!=/usr/bin/ssh"]), [curl]);
    assert_eq!(csv(&["--since", "all", "--where", "domain=other.org"]), [""; 0]);
    assert_eq!(csv(&[]), [""; 0], "the default is the last day");
}

#[test]
fn a_table_on_a_pipe_has_no_colour_and_cannot_be_hijacked() {
    let root = history(vec![row(1_000, executable(1, "/srv/\x1b]0;owned\x07x"), 2_048)]);
    let output = femtosnitch(root.path(), &["query", "--since", "all"]);
    let text = stdout(&output);
    assert!(!text.contains('\x1b') && !text.contains('\x07'), "{text:?}");
    assert!(
        text.contains("2.0 KiB") && text.lines().last().unwrap().starts_with("total"),
        "{text}"
    );
}

#[test]
fn a_table_shows_fifty_lines_and_says_what_it_left_out() {
    let rows = (0..60).map(|n| row(1_000, executable(n, &format!("/bin/{n}")), 1)).collect();
    let root = history(rows);
    let text = stdout(&femtosnitch(root.path(), &["query", "--since", "all"]));
    assert_eq!(text.lines().filter(|line| line.starts_with("/bin/")).count(), 50, "{text}");
    assert!(text.contains("and 10 more"), "{text}");
    assert!(text.contains("600 B"), "the total is of all: {text}");
}

#[test]
fn query_tells_when_nobody_looked() {
    let root = history(vec![row(1_000, executable(1, "/usr/bin/curl"), 1)]);
    let query = |extra: &[&str]| {
        let args: Vec<&str> = ["query", "--since", "0"].iter().chain(extra).copied().collect();
        let output = command(root.path()).env("TZ", "UTC").args(args).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    assert!(!query(&[]).contains("not watched"));
    assert_eq!(query(&["--gaps"]), "no gaps are known of that time\n");
    {
        let path = Paths::new(root.path()).database();
        let (mut writer, _) = Writer::open(&path, &Options::default()).unwrap();
        writer.begin_watch(1_000).unwrap();
        writer.note_gap(1_100, 1_160, GapReason::Suspended).unwrap();
        writer.heartbeat(1_200, true).unwrap();
    }
    let text = query(&["--until", "1150"]);
    let line = "\nnot watched: 1970-01-01 00:18:20–00:19:20 (suspended)\n";
    assert!(text.contains("total") && text.ends_with(line), "{text}");
    assert!(query(&[]).ends_with("(suspended), 1970-01-01 00:20:00–now (stopped)\n"));
    assert!(!query(&["--until", "1100"]).contains("not watched"));
    let answers: serde_json::Value = serde_json::from_str(&query(&["--format", "json"])).unwrap();
    assert_eq!(answers.as_array().map(Vec::len), Some(1));
    assert_eq!(query(&["--format", "csv"]).lines().count(), 2);
    let gaps = ["1100,1160,suspended", "1200,,stopped"];
    let listed = query(&["--gaps", "--format", "csv"]);
    assert_eq!(listed.lines().skip(1).collect::<Vec<_>>(), gaps);
    let listed = query(&["--gaps", "--format", "csv", "--limit", "1"]);
    assert_eq!(listed.lines().skip(1).collect::<Vec<_>>(), gaps[1..]);
    let listed: serde_json::Value =
        serde_json::from_str(&query(&["--gaps", "--format", "json"])).unwrap();
    assert_eq!(listed[1], serde_json::json!({"began": 1200, "ended": null, "reason": "stopped"}));
    assert!(query(&["--gaps"]).contains("1970-01-01 00:18:20  1970-01-01 00:19:20  1m  "));

    // A daemon that was killed and did not come back.
    let path = Paths::new(root.path()).database();
    Writer::open(&path, &Options::default()).unwrap().0.heartbeat(1_300, false).unwrap();
    let text = query(&[]);
    assert!(text.ends_with("1970-01-01 00:21:40–now (killed)\n"), "{text}");
}

#[test]
fn without_a_history_query_fails_and_says_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let output = femtosnitch(root.path(), &["query"]);
    assert_eq!(output.status.code(), Some(1));
    let message = stderr(&output);
    assert!(message.contains("femtosnitch daemon") && message.contains("--root"), "{message}");
    assert!(message.contains(&root.path().display().to_string()), "{message}");
    assert_eq!(stdout(&output), "");
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_right() {
    let root = history(Vec::new());
    for (args, part) in [
        (&["query", "--by", "exee"][..], "choose from"),
        (&["query", "--by", "country"], "later version"),
        (&["query", "--by", "exe,exe"], "once"),
        (&["query", "--where", "rport"], "DIM=VALUE"),
        (&["query", "--where", "user=nobody by this name"], "no user"),
        (&["query", "--since", "yesterday"], "7d"),
        (&["query", "--since", "1h", "--until", "2h"], "before"),
        (&["query", "--format", "xml"], "possible values"),
        (&["query", "--limit", "0"], "--limit"),
        (&["query", "--gaps", "--by", "exe"], "--by"),
        (&["query", "--where", "outcome=ok"], "refused"),
        (&["top", "--once", "--count", "2"], "--count"),
        (&["frobnicate"], "Usage"),
        (&[], "Usage"),
    ] {
        let output = femtosnitch(root.path(), args);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
        assert!(message.contains(part), "{args:?}: {message}");
    }
}

#[test]
fn help_and_version_exit_with_0_on_standard_output() {
    let root = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["--version"], &["query", "--help"], &["help", "daemon"]] {
        let output = femtosnitch(root.path(), args);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("femtosnitch"), "{args:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let rows = (0..5_000).map(|n| row(1_000, executable(n, &format!("/bin/{n}")), 1)).collect();
    let root = history(rows);
    let mut child = command(root.path())
        .args(["query", "--since", "all", "--format", "csv"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn check_judges_the_file_named_or_the_one_in_use() {
    let root = tempfile::tempdir().unwrap();
    let paths = Paths::new(root.path());
    let output = femtosnitch(root.path(), &["check"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("defaults"), "{output:?}");

    let toml = paths.config_toml();
    fs::create_dir_all(toml.parent().unwrap()).unwrap();
    fs::write(&toml, "[store]\nretention = \"7d\"\n").unwrap();
    let output = femtosnitch(root.path(), &["check"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), format!("{}: ok\n", toml.display()));

    fs::write(&toml, "[store]\nretentoin = \"7d\"\nwrite_interval = 0\n").unwrap();
    let output = femtosnitch(root.path(), &["check"]);
    assert_eq!(output.status.code(), Some(1));
    let message = stderr(&output);
    for part in ["2 problems", "config.toml:2: store.retentoin", "config.toml:3: store.write_int"] {
        assert!(message.contains(part), "{message}");
    }

    fs::write(paths.config_json(), "{}").unwrap();
    let output = femtosnitch(root.path(), &["check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("both exist"), "{output:?}");
    let json = paths.config_json().display().to_string();
    assert_eq!(femtosnitch(root.path(), &["check", &json]).status.code(), Some(0));
    assert_eq!(femtosnitch(root.path(), &["check", "/nowhere.toml"]).status.code(), Some(1));
}
