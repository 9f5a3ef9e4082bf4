//! What reaches the log, what does not, and what is told of that.

use std::fs;
use std::net::IpAddr;

use super::*;
use crate::config::Paths;
use crate::daemon::settings::InForce;
use femtosnitch_model::{Digest, Direction, Executable, Image};
use femtosnitch_samples as samples;
use femtosnitch_store::Locate;

#[derive(Debug)]
struct World;

impl Locate for World {
    fn refresh(&mut self) -> bool {
        false
    }

    fn locate(&mut self, addr: IpAddr) -> Location {
        let country = if addr.is_ipv4() { "DE" } else { "" };
        Location { country: country.into(), ..Location::default() }
    }
}

fn row(contime: i64, cmdline: &str) -> Row {
    let image = Image { cmdline: cmdline.to_owned(), ..samples::image(1, "/bin/a") };
    let exe = Executable { image: Arc::new(image), digest: Digest::Pending };
    Row {
        send: 1,
        recv: 2,
        wire_send: None,
        events: 3,
        direction: Direction::Outgoing,
        pid: 7,
        laddr: None,
        raddr: Some("192.0.2.7".parse().unwrap()),
        lport: 1,
        netns: 1,
        ..samples::row(contime, &exe)
    }
}

struct Setup {
    root: tempfile::TempDir,
    report: Arc<Report>,
    log: TextLog,
    locator: Locator,
}

impl Setup {
    fn new(connections: LogFormat) -> Self {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path());
        let report = Arc::new(Report::new(&paths, InForce::defaults()));
        let config = Log { connections, ..Log::default() };
        let log = TextLog::new(&paths.log_dir(), None, config, &report);
        Self { root, report, log, locator: Arc::new(Mutex::new(World)) }
    }

    fn append(&mut self, rows: &[Row]) {
        self.log.append(rows, &self.locator);
    }

    fn path(&self, name: &str) -> PathBuf {
        Paths::new(self.root.path()).log_dir().join(name)
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn each_row_is_a_line_whatever_is_in_it() {
    let mut csv = Setup::new(LogFormat::Csv);
    csv.append(&[row(1_769_882_400, "a\n1,2\u{1b}[2J"), row(1_769_882_401, "b")]);
    csv.append(&[]);
    let lines = csv.lines("connections.csv");
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("time,contime,send,recv,") && lines[0].ends_with(",netns"));
    let expected = "2026-01-31T18:00:00Z,1769882400,1,2,,,3,outgoing,0,0,0,0,,0,/bin/a,a,\
                    \"a\\x0a1,2\\x1b[2J\",(pending),,,,,,,,,1000,1000,,7,";
    assert!(lines[1].starts_with(expected), "{}", lines[1]);
    assert!(lines[1].contains(",www.example.org,,192.0.2.7,443,DE,,,,1,6,2,1"), "{}", lines[1]);
    assert_eq!(csv.report.log_counts(), (2, 0));

    let mut ndjson = Setup::new(LogFormat::Ndjson);
    ndjson.append(&[row(1_769_882_400, "a\nb")]);
    let lines = ndjson.lines("connections.ndjson");
    let read: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((&read["cmdline"], &read["country"]), (&"a\nb".into(), &"DE".into()));
}

#[test]
fn it_is_off_until_it_is_asked_for_and_changes_while_it_runs() {
    let mut setup = Setup::new(LogFormat::Off);
    let asks = setup.log.asks();
    let ask = |connections| asks.send(Log { connections, ..Log::default() });
    setup.append(&[row(1, "a")]);
    assert!(!setup.path("").exists());
    ask(LogFormat::Ndjson);
    setup.append(&[row(2, "b")]);
    ask(LogFormat::Csv);
    setup.append(&[row(3, "c")]);
    ask(LogFormat::Off);
    setup.append(&[row(4, "d")]);
    assert_eq!(setup.lines("connections.ndjson").len(), 1);
    assert_eq!(setup.lines("connections.csv").len(), 2);
    assert_eq!(setup.report.log_counts(), (2, 0));
}

#[test]
fn rows_that_cannot_be_logged_are_counted_and_told_once() {
    let mut setup = Setup::new(LogFormat::Csv);
    let logs = setup.path("");
    fs::create_dir_all(logs.parent().unwrap()).unwrap();
    fs::write(logs.as_os_str().to_str().unwrap().trim_end_matches('/'), "in the way").unwrap();
    setup.append(&[row(1, "a"), row(2, "b")]);
    setup.append(&[row(3, "c")]);
    assert_eq!(setup.report.log_counts(), (0, 3));
    let warnings = setup.report.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("connections.csv") && warnings[0].contains("history goes on"));
    fs::remove_file(logs.as_os_str().to_str().unwrap().trim_end_matches('/')).unwrap();
    setup.append(&[row(4, "d")]);
    assert_eq!(setup.report.log_counts(), (1, 3));
    assert_eq!(setup.lines("connections.csv").len(), 2);
}

#[test]
fn long_batches_fill_files_of_the_size_asked_for() {
    let mut setup = Setup::new(LogFormat::Off);
    let config = Log { connections: LogFormat::Csv, max_size: 64 << 10, keep: 50 };
    setup.log.asks().send(config);
    let rows: Vec<Row> = (0..5_000).map(|at| row(at, "x")).collect();
    setup.append(&rows);
    let mut seen: Vec<i64> = Vec::new();
    for entry in fs::read_dir(setup.path("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(fs::metadata(setup.path(&name)).unwrap().len() <= 64 << 10, "{name}");
        let lines = setup.lines(&name);
        let second = |line: &String| line.split(',').nth(1).unwrap().parse::<i64>().unwrap();
        seen.extend(lines[1..].iter().map(second));
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..5_000).collect::<Vec<_>>(), "each row once");
}
