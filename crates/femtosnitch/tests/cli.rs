//! The program as people run it: what it prints where, and how it exits.
#![expect(clippy::unwrap_used, reason = "a failed assumption ends a test")]

use std::fs;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use femtosnitch::config::Paths;
use femtosnitch_model::{
    Digest, Executable, Image, Launch, Location, ProcKey, Process, Row, Sha256,
};
use femtosnitch_samples as samples;
use femtosnitch_store::{Batch, GapReason, Locate, Note, NoteKind, Options, Retention, Writer};

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
        name: "name".to_owned(),
        cmdline: format!("{path} --flag"),
        ..samples::image(id, path)
    };
    Executable { image: Arc::new(image), digest: samples::sha(0xab) }
}

fn row(contime: i64, exe: Executable, send: u64) -> Row {
    let (recv, wire_send) = (10, Some(send + 40));
    let parent = Some(executable(99, "/bin/sh"));
    Row { send, recv, wire_send, parent, uid: 0, lport: 50_000, ..samples::row(contime, &exe) }
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

/// Every address is there.
#[derive(Debug)]
struct Somewhere;

impl Locate for Somewhere {
    fn refresh(&mut self) -> bool {
        false
    }

    fn locate(&mut self, _addr: IpAddr) -> Location {
        Location { country: "DE".into(), asn: 64_496, org: "Example Networks".into() }
    }
}

#[test]
fn query_tells_where_the_other_end_is() {
    let root = tempfile::tempdir().unwrap();
    let path = Paths::new(root.path()).database();
    let locator = Some(Arc::new(Mutex::new(Somewhere)) as _);
    let (mut writer, _) = Writer::open(&path, &Options { locator, ..Options::default() }).unwrap();
    let rows = vec![row(1_000, executable(1, "/usr/bin/curl"), 1)];
    writer.write(&Batch { rows, ..Batch::default() }).unwrap();
    let ask = |by, extra: &[&str]| {
        let args = [&["query", "--since", "all", "--by", by], extra].concat();
        stdout(&femtosnitch(root.path(), &args))
    };
    let csv = ask("country,asn,org", &["--format", "csv", "--where", "asn=64496"]);
    assert!(csv.ends_with("\nDE,AS64496,Example Networks,1,10,41,,2,0,0,0,\n"), "{csv}");
    // People also see whose it is.
    let table = ask("country,asn", &["--where", "country=de"]);
    assert!(table.contains("\nDE       AS64496 Example Networks  "), "{table}");
    let table = ask("asn,org", &[]);
    assert!(table.contains("\nAS64496  Example Networks  "), "{table}");
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
fn query_tells_what_only_sums_are_left_of() {
    const DAY: i64 = 86_400;
    const HOUR: i64 = 3_600;
    let root = tempfile::tempdir().unwrap();
    let (mut writer, _) =
        Writer::open(&Paths::new(root.path()).database(), &Options::default()).unwrap();
    let curl = executable(1, "/usr/bin/curl");
    let times = [100 * DAY, 100 * DAY + 5 * HOUR, 110 * DAY];
    let rows = times.map(|time| row(time + 60, curl.clone(), 7)).to_vec();
    writer.write(&Batch { rows, ..Batch::default() }).unwrap();
    let before = 105 * DAY;
    let keep = Retention { rows: before, minutes: before, ..Retention::since(i64::MIN) };
    while !writer.retain(&keep, 1_000).unwrap().done {}

    let asked = |args: &[&str]| {
        let mut command = command(root.path());
        command.env("TZ", "UTC").arg("query").args(args);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        output
    };
    let since = (100 * DAY + 4 * HOUR + 1_800).to_string();
    let table = stdout(&asked(&["--since", &since, "--by", "exe,pid"]));
    for part in [
        "/usr/bin/curl     0",
        "/usr/bin/curl  4242",
        "of that time sums are kept that begin at 1970-04-11 04:00:00\n",
        "before 1970-04-16 00:00:00 process ids are not kept: they read as unknown\n",
    ] {
        assert!(table.contains(part), "{part:?} is missing in\n{table}");
    }
    // Programs find it elsewhere, and what they read is no other for it.
    let json = asked(&["--since", &since, "--by", "exe", "--format", "json"]);
    assert!(serde_json::from_slice::<serde_json::Value>(&json.stdout).is_ok());
    assert!(stderr(&json).contains("begin at 1970-04-11 04:00:00"), "{}", stderr(&json));
    let tree = stdout(&asked(&["--since", "all", "--tree"]));
    assert!(tree.contains("before 1970-04-16 00:00:00 single processes are not kept"), "{tree}");
    // Of what is kept as it was there is nothing to say.
    for args in [["--since", "all"], ["--since", "9072060"]] {
        let table = stdout(&asked(&args));
        assert!(!table.contains("sums are kept") && !table.contains("not kept"), "{table}");
    }
}

#[test]
fn query_shows_how_it_went() {
    let curl = || executable(1, "/usr/bin/curl");
    let ssh = executable(2, "/usr/bin/ssh");
    let root = history(vec![
        row(3_600, curl(), 990),
        row(10_800, curl(), 4_990),
        row(14_399, curl(), 4_990),
        row(7_200, ssh, 1),
    ]);
    let asked = |args: &[&str]| {
        let mut command = command(root.path());
        command.env("TZ", "UTC").env("LC_ALL", "C").args(["query", "--since", "3600"]);
        let output = command.args(["--until", "14400", "--every", "1h"]).args(args).output();
        stdout(&output.unwrap())
    };
    let csv = asked(&["--format", "csv"]);
    let expected = "exe,time,send,recv,connections\n/usr/bin/curl,3600,990,10,0\n\
                    /usr/bin/curl,7200,0,0,0\n/usr/bin/curl,10800,9980,20,0\n\
                    /usr/bin/ssh,3600,0,0,0\n/usr/bin/ssh,7200,1,10,0\n/usr/bin/ssh,10800,0,0,0\n";
    assert_eq!(csv, expected);
    let table = asked(&[]);
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    assert!(lines[0].ends_with("over time"), "{table}");
    assert!(lines[1].starts_with("/usr/bin/curl") && lines[1].ends_with(". #"), "{table}");
    assert!(lines[2].ends_with(" #") && lines[3].ends_with("..#"), "{table}");
    assert!(table.contains("over time: 3 steps of 1h from 1970-01-01 01:00:00 on"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&asked(&["--format", "json"])).unwrap();
    assert_eq!(json.as_array().map(Vec::len), Some(6));
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

/// A program run by a shell, both of them stored.
fn launched(contime: i64, path: &str, digest: u8, launched: i64, send: u64) -> Row {
    let mut exe = executable(u64::from(digest), path);
    exe.digest = Digest::Known(Sha256([digest; 32]));
    let shell = executable(99, "/bin/sh");
    let process = |exe: &Executable, pid, parent| {
        Arc::new(Process {
            key: ProcKey { tgid: pid, exec_id: 0, start_ns: 7 },
            image: Arc::clone(&exe.image),
            parent,
            depth: 0,
            uid: 0,
            login_uid: None,
            session: None,
            launched,
            executed: launched,
            cgroup: Arc::from(""),
            place: Arc::default(),
            script: OnceLock::new(),
        })
    };
    let parent = process(&shell, 4_000, None);
    let own = process(&exe, 4_000 + u32::from(digest), Some(Arc::clone(&parent)));
    let launch = |process, exe: &Executable| Launch { process, exe: exe.clone(), script: None };
    let lineage = [launch(own, &exe), launch(parent, &shell)].into_iter().collect();
    Row { lineage, ..row(contime, exe, send) }
}

#[test]
fn a_tree_shows_who_launched_whom() {
    let hostile = "/srv/\x1b]0;owned\x07x";
    let root = history(vec![
        launched(1_000, "/usr/bin/curl", 1, 900, 2_048),
        launched(1_001, hostile, 2, 901, 1),
        row(1_002, executable(5, "/bin/many"), 4),
    ]);
    let tree = |locale: &str, extra: &[&str]| {
        let args = ["query", "--since", "all", "--tree"].iter().chain(extra);
        let output = command(root.path()).env("LC_ALL", locale).args(args).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let text = tree("C", &[]);
    let programs: Vec<&str> = text
        .lines()
        .filter_map(|line| {
            line.find("  /").or(line.find("  |-")).or(line.find("  `-")).map(|at| &line[at + 2..])
        })
        .collect();
    assert_eq!(
        programs,
        [
            "/bin/sh (pid 4000, user root)",
            "|- /usr/bin/curl (pid 4001)",
            "`- /srv/\u{fffd}]0;owned\u{fffd}x (pid 4002)",
            "/bin/many",
        ],
        "{text}"
    );
    assert!(text.lines().last().unwrap().ends_with("total") && text.contains("2.0 KiB"), "{text}");
    assert!(tree("C.UTF-8", &[]).contains("└─ /srv/"));
    let text = tree("C", &["--limit", "2"]);
    assert!(text.contains("curl") && !text.contains("many"), "{text}");
    assert!(text.ends_with("and 2 more, in the total; --limit shows more lines\n"), "{text}");
    let text = tree("C", &["--where", "exe=/bin/many"]);
    assert!(!text.contains("curl"), "{text}");

    let nodes: serde_json::Value = serde_json::from_str(&tree("C", &["--format", "json"])).unwrap();
    let shell = &nodes[0];
    assert_eq!((&shell["exe"], &shell["own"]["send"]), (&"/bin/sh".into(), &0.into()));
    assert_eq!(shell["total"]["send"], 2_049);
    let curl = &shell["children"][0];
    assert_eq!((&curl["pid"], &curl["runs"]), (&4_001.into(), &1.into()));
    assert_eq!(curl["sha256"], "01".repeat(32));
    assert_eq!(shell["children"][1]["exe"], hostile);
    assert_eq!(nodes[1]["pid"], serde_json::Value::Null);
}

#[test]
fn events_are_listed_with_the_newest_last() {
    let root = history(vec![
        launched(1_000, "/usr/bin/curl", 1, 900, 1),
        launched(1_100, "/usr/bin/curl", 2, 1_050, 1),
        launched(1_200, "/srv/\x1b[2J", 3, 1_150, 1),
    ]);
    {
        let path = Paths::new(root.path()).database();
        let (mut writer, _) = Writer::open(&path, &Options::default()).unwrap();
        writer.note_gap(1_150, 1_160, GapReason::Suspended).unwrap();
        let at = 1_300;
        let notes = vec![Note { at, kind: NoteKind::Lost, detail: "2 process events".into() }];
        writer.write(&Batch { notes, ..Batch::default() }).unwrap();
    }
    let events = |extra: &[&str]| {
        let args = ["query", "--since", "0", "--events"].iter().chain(extra);
        let output = command(root.path()).env("TZ", "UTC").args(args).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let text = events(&[]);
    let kinds = text.lines().skip(1).map(|line| line.split("  ").nth(1).unwrap());
    let kinds: Vec<&str> = kinds.collect();
    assert_eq!(kinds, ["first-seen", "modified", "gap", "first-seen", "lost"], "{text}");
    assert!(text.contains("010101010101… -> 020202020202…"), "{text}");
    assert!(text.contains("not watched until 00:19:20, suspended"), "{text}");
    assert!(!text.contains('\x1b') && text.ends_with("2 process events\n"), "{text:?}");
    assert_eq!(events(&["--kind", "upgraded"]), "no events are known of that time\n");
    assert!(events(&["--limit", "1"]).ends_with("and 4 before; --limit shows more lines\n"));

    let csv = events(&["--format", "csv", "--kind", "gap,lost"]);
    let lines: Vec<&str> = csv.lines().skip(1).collect();
    assert_eq!(lines[0], "1150,1160,gap,,,,,,,,,,,,,suspended,0");
    assert_eq!(lines.len(), 2);
    let json = events(&["--format", "json", "--kind", "modified", "--until", "1101"]);
    let listed: serde_json::Value = serde_json::from_str(&json).unwrap();
    let event = &listed[0];
    let [old, new] = ["01", "02"].map(|byte| serde_json::Value::from(byte.repeat(32)));
    assert_eq!((&event["old_sha256"], &event["sha256"]), (&old, &new));
    assert_eq!((&event["at"], &event["exe"]), (&1_100.into(), &"/usr/bin/curl".into()));
    assert_eq!((&event["until"], &event["state"]), (&serde_json::Value::Null, &"".into()));
    assert_eq!(event.as_object().unwrap().len(), 17);
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
        (&["query", "--by", "verdict"], "later version"),
        (&["query", "--by", "exe,exe"], "once"),
        (&["query", "--where", "rport"], "DIM=VALUE"),
        (&["query", "--where", "user=nobody by this name"], "no user"),
        (&["query", "--since", "yesterday"], "7d"),
        (&["query", "--since", "1h", "--until", "2h"], "before"),
        (&["query", "--format", "xml"], "possible values"),
        (&["query", "--limit", "0"], "--limit"),
        (&["query", "--gaps", "--by", "exe"], "--by"),
        (&["query", "--where", "outcome=ok"], "refused"),
        (&["query", "--tree", "--gaps"], "--gaps"),
        (&["query", "--tree", "--events"], "--events"),
        (&["query", "--events", "--gaps"], "--gaps"),
        (&["query", "--tree", "--by", "exe"], "--by"),
        (&["query", "--tree", "--format", "csv"], "use table or json"),
        (&["query", "--kind", "gap"], "--events"),
        (&["query", "--events", "--kind", "changed"], "modified, upgraded"),
        (&["top", "--once", "--count", "2"], "--count"),
        (&["tui"], "use `femtosnitch query`"),
        (&["tui", "--by", "exee"], "choose from"),
        (&["tui", "--since", "1h", "--until", "2h"], "before"),
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

#[test]
fn verify_says_whether_all_is_well() {
    let rows = (0..500).map(|at| row(at * 60, executable(1, "/usr/bin/curl"), 7)).collect();
    let root = history(rows);
    let database = Paths::new(root.path()).database();
    let output = femtosnitch(root.path(), &["verify"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("500 rows in "), "{}", stdout(&output));
    assert!(stdout(&output).ends_with("all is well\n") && stderr(&output).is_empty());
    let output = femtosnitch(root.path(), &["verify", "--json", "--quick"]);
    let told: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&told["fine"], &told["rows"]), (&true.into(), &500.into()));

    // The number of rows that should be there, as it is written.
    let mut bytes = fs::read(&database).unwrap();
    let count = [b"rows".as_slice(), &500_u16.to_be_bytes()].concat();
    let at = bytes.windows(count.len()).position(|window| window == count).unwrap();
    bytes[at + 5] += 1;
    fs::write(&database, bytes).unwrap();
    let output = femtosnitch(root.path(), &["verify"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).starts_with("501 rows should be there, 500 are\n"));
    let output = femtosnitch(root.path(), &["verify", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((output.status.code(), &told["fine"]), (Some(1), &false.into()));
    assert_eq!(told["findings"][0]["what"], "501 rows should be there, 500 are");
}

#[test]
fn verify_says_what_somebody_else_changed() {
    let root = tempfile::tempdir().unwrap();
    let database = Paths::new(root.path()).database();
    let options = Options { tamper_evidence: true, ..Options::default() };
    let (mut writer, _) = Writer::open(&database, &options).unwrap();
    let rows = (0..50).map(|at| row(at * 60, executable(1, "/usr/bin/curl"), 7)).collect();
    writer.write(&Batch { rows, ..Batch::default() }).unwrap();
    let head = writer.mark_chain().unwrap().unwrap().hash;
    drop(writer);
    let log = root.path().join("log");
    fs::write(&log, format!("INFO tamper evidence of the history head=\"{head}\" link=3\n"))
        .unwrap();
    for noted in [head.as_str(), log.to_str().unwrap()] {
        let output = femtosnitch(root.path(), &["verify", "--head", noted]);
        assert!(output.status.success(), "{} {}", stdout(&output), stderr(&output));
        let told = stdout(&output);
        assert!(told.ends_with(&format!("nothing was changed\nhead {head}\n")), "{told}");
    }
    let other = "0".repeat(64);
    let output = femtosnitch(root.path(), &["verify", "--head", &other, "--json"]);
    let told: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((output.status.code(), &told["fine"]), (Some(1), &false.into()));
    assert_eq!(told["chain"]["head"], head);
    assert!(told["chain"]["findings"][0]["what"].as_str().unwrap().contains(&other));
    let output = femtosnitch(root.path(), &["verify", "--head", "/nowhere"]);
    assert!(stderr(&output).contains("neither 64 hexadecimal digits nor a file"));

    // Everywhere, so that the file agrees with itself.
    let mut bytes = fs::read(&database).unwrap();
    let (path, other) = (b"/usr/bin/curl".as_slice(), b"/usr/bin/true");
    while let Some(at) = bytes.windows(path.len()).position(|window| window == path) {
        bytes[at..at + path.len()].copy_from_slice(other);
    }
    fs::write(&database, bytes).unwrap();
    let output = femtosnitch(root.path(), &["verify", "--head", &head]);
    assert_eq!(output.status.code(), Some(1));
    let told = stdout(&output);
    assert!(told.contains("executable 1 (/usr/bin/true) is not what link "), "{told}");
    assert!(told.contains("somebody else has changed it"), "{told}");

    let root = history(Vec::new());
    let output = femtosnitch(root.path(), &["verify", "--head", &head]);
    assert!(stderr(&output).contains("no chain"), "{}", stderr(&output));
}
