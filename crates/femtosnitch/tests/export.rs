//! `femtosnitch export` as people run it: what is read back is what was recorded.
#![expect(clippy::unwrap_used, reason = "a failed assumption ends a test")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![recursion_limit = "256"]

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use femtosnitch::config::Paths;
use femtosnitch_model::{
    Connections, Direction, Executable, Image, NameSource, Quality, Row, Witness,
};
use femtosnitch_samples as samples;
use femtosnitch_store::{Batch, Options, Writer};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn command(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_femtosnitch"));
    command.arg("--root").arg(root).arg("export").args(args);
    command
}

fn export(root: &Path, args: &[&str]) -> Output {
    command(root, args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn executable(id: u64, path: &str, cmdline: String) -> Executable {
    let image = Image { name: "na\"me".to_owned(), cmdline, ..samples::image(id, path) };
    Executable { image: Arc::new(image), digest: samples::sha(0xab) }
}

fn row(contime: i64, exe: Executable, send: u64) -> Row {
    Row {
        send,
        recv: 10,
        wire_send: Some(send + 40),
        direction: Direction::Outgoing,
        connections: Connections { begun: 1, ended: 2, failed: 3, error: 111 },
        quality: Quality { rtt_us: Some(77), retrans: 4 },
        parent: Some(executable(99, "/bin/sh", "sh, \"-c\"\r\n=x".to_owned())),
        uid: 0,
        raddr: Some("2001:db8::7".parse().unwrap()),
        lport: 50_000,
        name_source: NameSource::own(Witness::Dns),
        container: Arc::from("c0ffee"),
        ..samples::row(contime, &exe)
    }
}

fn open(root: &Path) -> Writer {
    Writer::open(&Paths::new(root).database(), &Options::default()).unwrap().0
}

/// A root with a history of these rows.
fn history(rows: Vec<Row>) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    open(root.path()).write(&Batch { rows, ..Batch::default() }).unwrap();
    root
}

fn hostile() -> tempfile::TempDir {
    let curl = executable(1, "/usr/bin/curl", "curl\u{1b}[2J\u{202e} \u{e9}\t\n'x'".to_owned());
    history(vec![
        row(1_769_882_400, curl, 5_000),
        row(1_769_882_401, executable(2, "=ssh", " ".into()), 7),
    ])
}

/// Names and cells, read as RFC 4180 says.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(ch) = chars.next() {
        match ch {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' | '\n' if !quoted => {
                line.push(std::mem::take(&mut cell));
                if ch == '\n' {
                    lines.push(std::mem::take(&mut line));
                }
            }
            other => cell.push(other),
        }
    }
    assert!(line.is_empty() && cell.is_empty() && !quoted, "{text:?}");
    lines
}

fn ndjson(text: &str) -> Vec<serde_json::Map<String, serde_json::Value>> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A value as CSV has it.
fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn every_column_is_what_was_recorded() {
    let root = hostile();
    let rows = ndjson(&stdout(&export(root.path(), &["--format", "ndjson"])));
    let exe = |which: &str, path: &str, cmdline: &str| {
        let sha256 = "ab".repeat(32);
        serde_json::json!({
            format!("{which}exe"): path, format!("{which}name"): "na\"me",
            format!("{which}cmdline"): cmdline, format!("{which}sha256"): sha256,
        })
    };
    let expected = [
        serde_json::json!({
            "time": "2026-01-31T18:00:00Z", "contime": 1_769_882_400, "send": 5_000, "recv": 10,
            "wire_send": 5_040, "wire_recv": null, "events": 2, "direction": "outgoing",
            "begun": 1, "ended": 2, "failed": 3, "error": 111, "rtt_us": 77, "retrans": 4,
            "gpexe": "", "gpname": "", "gpcmdline": "", "gpsha256": "", "uid": 0, "user": "root",
            "login": "", "pid": 4_242, "container": "c0ffee", "ctname": "", "image": "", "pod": "",
            "unit": "", "app": "", "script": "", "package": "", "state": "",
            "domain": "www.example.org", "namesource": "dns", "raddr": "2001:db8::7", "rport": 443,
            "country": "", "asn": null, "org": "", "laddr": "192.0.2.1", "lport": 50_000,
            "protocol": 6, "family": 2, "netns": 4_026_531_840_u32,
        }),
        exe("", "/usr/bin/curl", "curl\u{1b}[2J\u{202e} \u{e9}\t\n'x'"),
        exe("p", "/bin/sh", "sh, \"-c\"\r\n=x"),
    ];
    let expected: serde_json::Map<_, _> =
        expected.into_iter().flat_map(|it| it.as_object().unwrap().clone()).collect();
    assert_eq!(rows[0], expected);
    assert_eq!(
        (rows.len(), &rows[1]["exe"], &rows[1]["cmdline"]),
        (2, &"=ssh".into(), &" ".into())
    );

    // The same in CSV.
    let table = csv(&stdout(&export(root.path(), &[])));
    assert_eq!(table.len(), 3);
    for (line, row) in table[1..].iter().zip(&rows) {
        assert_eq!((line.len(), row.len()), (table[0].len(), table[0].len()));
        for (name, found) in table[0].iter().zip(line) {
            assert_eq!(*found, cell(&row[name]), "{name}");
        }
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_says_the_same() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    let root = hostile();
    let rows = ndjson(&stdout(&export(root.path(), &["--format", "ndjson"])));
    let path = root.path().join("a.parquet");
    stdout(&export(root.path(), &["--output", path.to_str().unwrap()]));
    let reader = SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap();
    let mut count = 0;
    for (found, row) in reader.get_row_iter(None).unwrap().zip(&rows) {
        let found = found.unwrap();
        assert_eq!(found.len(), row.len());
        for (name, field) in found.get_column_iter() {
            let found = match field {
                Field::Null => serde_json::Value::Null,
                Field::Long(number) => (*number).into(),
                Field::Str(text) => text.as_str().into(),
                Field::TimestampMillis(ms) => {
                    jiff::Timestamp::from_millisecond(*ms).unwrap().to_string().into()
                }
                other => panic!("{name}: {other:?}"),
            };
            assert_eq!(found, row[name], "{name}");
        }
        count += 1;
    }
    assert_eq!((count, reader.metadata().file_metadata().num_rows()), (2, 2));

    // Without a file name, too, where no terminal is at the other end.
    let piped = export(root.path(), &["--format", "parquet"]);
    assert!(piped.status.success());
    assert_eq!(piped.stdout, fs::read(&path).unwrap());
}

#[test]
fn filters_times_and_columns_choose() {
    let root = hostile();
    let text = |args: &[&str]| stdout(&export(root.path(), args));
    let columns = ["--columns", "rport,domain,exe"];
    assert_eq!(
        text(&[&columns[..], &["--where", "exe!=/usr/bin/curl", "--reverse-names"]].concat()),
        "rport,domain,exe\n443,org.example.www,=ssh\n"
    );
    let careful = [&columns[..], &["--since", "1769882401", "--spreadsheet-safe"]].concat();
    assert_eq!(text(&careful), "rport,domain,exe\n443,www.example.org,'=ssh\n");
    let none = ["--until", "1769882400", "--columns", "exe"];
    assert_eq!(text(&none), "exe\n");
    assert_eq!(text(&[&none[..], &["--format", "ndjson"]].concat()), "");
}

#[test]
fn wrong_usage_says_what_would_be_right() {
    let root = hostile();
    for (args, part) in [
        (&["--columns", "port"][..], "rport"),
        (&["--columns", "exe,exe"], "twice"),
        (&["--since", "1h", "--until", "2h"], "not before"),
        (&["--where", "user=no such user"], "no user"),
        (&["--format", "ndjson", "--spreadsheet-safe"], "CSV alone"),
    ] {
        let output = export(root.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(part), "{args:?}: {}", stderr(&output));
    }
    let nowhere = tempfile::tempdir().unwrap();
    let path = nowhere.path().join("a.csv");
    let output = export(nowhere.path(), &["-o", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no history yet"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(nowhere.path()).unwrap().count(), 0);
}

#[test]
fn a_file_is_the_askers_alone_and_never_replaced_unasked() {
    let root = hostile();
    let path = root.path().join("week.csv");
    let args = ["--columns", "exe", "-o", path.to_str().unwrap()];
    let said = stdout(&export(root.path(), &args));
    assert_eq!(said, format!("2 rows, 23 B, in {}\n", path.display()));
    assert_eq!(fs::read_to_string(&path).unwrap(), "exe\n/usr/bin/curl\n=ssh\n");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    fs::write(&path, "mine").unwrap();
    let output = export(root.path(), &args);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--force"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    stdout(&export(root.path(), &[&args[..], &["--force"]].concat()));
    assert_eq!(fs::metadata(&path).unwrap().len(), 23);
}

/// Rows enough for some megabytes of text, with command lines that have nothing in common.
fn long(rows: u64) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let mut writer = open(root.path());
    let exes: Vec<_> =
        (0..10_000).map(|id| executable(id, "/usr/bin/a", format!("{id:x>400}"))).collect();
    for first in (0..rows).step_by(10_000) {
        let made = |at: u64| {
            let exe = &exes[usize::try_from(at % 10_000).unwrap()];
            row(i64::try_from(at / 100).unwrap(), exe.clone(), at)
        };
        let rows = (first..first + 10_000).map(made).collect();
        writer.write(&Batch { rows, ..Batch::default() }).unwrap();
    }
    root
}

#[test]
fn whoever_reads_no_further_is_not_complained_to() {
    let root = long(10_000);
    let mut formats = vec!["csv", "ndjson"];
    if cfg!(feature = "parquet") {
        formats.push("parquet");
    }
    for format in formats {
        let mut child = command(root.path(), &["--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut [0; 3]).unwrap();
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{format}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{format}");
    }
}

#[test]
fn a_full_disk_leaves_nothing_behind() {
    let root = long(10_000);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command(root.path(), &[]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("standard output"), "{}", stderr(&output));

    // As good as full: files may have 64 KiB. The shell's exec keeps the signal ignored.
    for name in ["a.csv", "a.ndjson", "a.parquet"] {
        if name.ends_with("parquet") && cfg!(not(feature = "parquet")) {
            continue;
        }
        let script = "trap '' XFSZ; ulimit -f 128; exec \"$@\"";
        let dir = tempfile::tempdir().unwrap();
        let output = Command::new("sh")
            .args(["-c", script, "sh", env!("CARGO_BIN_EXE_femtosnitch"), "--root"])
            .arg(root.path())
            .args(["export", "--output"])
            .arg(dir.path().join(name))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        let said = stderr(&output);
        assert!(said.contains("free some space") && said.contains(name), "{said}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{name}");
    }
}

/// Whenever it comes, there is the whole file or none.
#[test]
fn ctrl_c_leaves_all_or_nothing() {
    let root = long(20_000);
    let (part, path) = (root.path().join("a.csv.part"), root.path().join("a.csv"));
    let mut child = command(root.path(), &["-o", path.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !part.exists() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(!part.exists());
    assert_eq!(path.exists(), output.status.success());
    if !output.status.success() {
        assert_eq!(output.status.code(), Some(1), "it ends, it is not killed");
        assert!(stderr(&output).contains("interrupted"), "{}", stderr(&output));
    }
}

#[test]
fn memory_does_not_grow_with_the_history() {
    const ROWS: u64 = 200_000;
    let root = long(ROWS);
    let text = stdout(&export(root.path(), &["--columns", "send"]));
    assert!(text.lines().skip(1).map(str::to_owned).eq((0..ROWS).map(|at| at.to_string())));
    // Rows wait for their group with all their columns, whichever are written.
    let few = &["--columns", "time,exe,cmdline,rtt_us,send"][..];
    let mut asked = vec![("a.csv", &[][..])];
    if cfg!(feature = "parquet") {
        asked.push(("a.parquet", few));
    }
    for (name, columns) in asked {
        let path = root.path().join(name);
        let args = [&["-o", path.to_str().unwrap()][..], columns].concat();
        let said = stdout(&export(root.path(), &args));
        assert!(said.starts_with("200,000 rows, "), "{said}");
        // Of the largest child so far. The text is some 150 MB.
        let kib = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
        eprintln!("{name}: {} bytes, {kib} KiB in memory", fs::metadata(&path).unwrap().len());
        assert!(kib < 100 << 10, "{name}: {kib} KiB");
        fs::remove_file(&path).unwrap();
    }
}
