//! Programs that are new, and programs that are not what they were.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::sync::Arc;

use common::runs::*;
use common::*;
use femtosnitch_model::Digest;
use femtosnitch_model::Facts;
use femtosnitch_model::ImageId;
use femtosnitch_model::Process;
use femtosnitch_model::Unhashed;
use femtosnitch_store::Batch;
use femtosnitch_store::Described;
use femtosnitch_store::EventKind;
use femtosnitch_store::Gap;
use femtosnitch_store::GapReason;
use femtosnitch_store::Note;
use femtosnitch_store::NoteKind;
use femtosnitch_store::Reader;
use femtosnitch_store::Writer;
use rusqlite::Connection;

const TOOL: &str = "/usr/bin/tool";

struct History {
    path: std::path::PathBuf,
    writer: Option<Writer>,
    digests: Digests,
    _dir: tempfile::TempDir,
}

impl History {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let writer = Some(open(&path));
        Self { path, writer, digests: Digests::new(), _dir: dir }
    }

    fn know(&mut self, image: u64, digest: Digest) -> &mut Self {
        self.digests.insert(ImageId(image), digest);
        self
    }

    fn write(&mut self, batch: Batch) -> femtosnitch_store::WriteReport {
        self.writer.as_mut().unwrap().write(&batch).unwrap()
    }

    fn sends(&mut self, contime: i64, process: &Arc<Process>) {
        let batch = rows(vec![row_of(contime, process, &self.digests)]);
        self.write(batch);
    }

    fn resolve(&mut self, image: u64, digest: Digest) -> femtosnitch_store::WriteReport {
        self.know(image, digest);
        self.write(Batch { resolved: vec![(ImageId(image), digest)], ..Batch::default() })
    }

    fn describe(&mut self, byte: u8, realm: &str, facts: Facts) {
        let described = Described { exe: exe(99, TOOL, sha(byte)), realm: realm.into(), facts };
        self.write(Batch { described: vec![described], ..Batch::default() });
    }

    fn changes(&self) -> Vec<(i64, &'static str)> {
        changes(&self.path).into_iter().map(|(at, kind, _)| (at, kind)).collect()
    }

    fn firsts(&self) -> Vec<(i64, String)> {
        let events =
            Reader::open(&self.path).unwrap().events(None, None, &[EventKind::FirstSeen]).unwrap();
        events.into_iter().map(|event| (event.at, event.exe)).collect()
    }
}

fn packaged(version: &str) -> Facts {
    Facts {
        package: "dpkg tool".into(),
        version: version.into(),
        state: "intact".into(),
        ..Facts::default()
    }
}

#[test]
fn a_program_is_first_seen_once_and_at_once() {
    let mut history = History::new();
    let shell = alone(1, "/bin/sh", 5);
    let tool = Arc::new(run(2, &image(2, TOOL), 6, Some(&shell)));
    let kernel = alone(3, "(kernel)", 0);
    history.know(1, sha(1));
    // Pending, and its parent moves nothing itself.
    history.sends(10, &tool);
    history.sends(11, &tool);
    history.sends(12, &kernel);
    assert_eq!(history.firsts(), [(10, TOOL.to_owned())]);
    let told = &events(&history.path)[0];
    assert_eq!((told.sha256.as_str(), told.cmdline.as_str()), ("(pending)", "tool --flag"));
    assert_eq!(
        number(&history.path, "SELECT pid FROM events JOIN processes ON id = process_id"),
        2
    );
    history.resolve(2, sha(2));
    assert_eq!(events(&history.path)[0].sha256, sha(2).to_string());

    // Another command line, another run, and another run of the daemon.
    history.writer = None;
    history.writer = Some(open(&history.path));
    history.know(4, sha(2)).sends(13, &alone(4, TOOL, 13));
    history.sends(14, &shell);
    let expected = [(10, TOOL.to_owned()), (14, "/bin/sh".to_owned())];
    assert_eq!(history.firsts(), expected);
    // Traffic of several processes is somebody's as well.
    history
        .write(rows(vec![row(15, &exe(5, "/bin/many", sha(5))), row(16, &exe(6, TOOL, sha(2)))]));
    assert_eq!(history.firsts()[2..], [(15, "/bin/many".to_owned())]);
    assert_eq!(history.changes(), []);
    assert_sound(&history.path);
}

#[test]
fn a_change_is_told_with_the_first_run_that_has_it() {
    let mut history = History::new();
    history.know(1, sha(1)).know(2, sha(2)).know(3, sha(1));
    let (old, new) = (alone(1, TOOL, 10), alone(2, TOOL, 20));
    history.sends(11, &old);
    history.sends(21, &new);
    assert_eq!(history.changes(), [(21, "modified")]);
    // The old one goes on, also after a restart of the daemon; the same happens to the new one.
    for at in 22..26 {
        history.sends(at, &old);
        history.sends(at, &new);
        history.writer = None;
        history.writer = Some(open(&history.path));
    }
    // A run that began before the new one, and is only now seen.
    history.know(9, sha(9)).sends(27, &alone(9, TOOL, 15));
    assert_eq!(history.changes(), [(21, "modified")]);
    // And back.
    history.sends(30, &alone(3, TOOL, 30));
    assert_eq!(history.changes(), [(21, "modified"), (30, "modified")]);
    let told: Vec<_> = events(&history.path)
        .into_iter()
        .filter(|event| event.kind == EventKind::Modified)
        .map(|event| (event.old_sha256, event.sha256))
        .collect();
    let [one, two] = [sha(1), sha(2)].map(|digest| digest.to_string());
    assert_eq!(told, [(one.clone(), two.clone()), (two, one)]);
    assert_eq!(history.firsts().len(), 1);
    assert_sound(&history.path);
}

#[test]
fn what_an_old_process_forks_is_as_old_as_what_it_runs() {
    let mut history = History::new();
    history.know(1, sha(1)).know(2, sha(2));
    let old = alone(1, TOOL, 10);
    history.sends(11, &old);
    history.sends(21, &alone(2, TOOL, 20));
    for pid in 30..33 {
        let worker = run(pid, &old.image, i64::from(pid), Some(&old));
        let worker = Arc::new(Process { executed: old.executed, ..worker });
        history.sends(i64::from(pid), &worker);
    }
    assert_eq!(history.changes(), [(21, "modified")]);
}

#[test]
fn two_versions_at_the_same_second_do_not_alternate() {
    let mut history = History::new();
    history.know(1, sha(1)).know(2, sha(2));
    let both = [alone(1, TOOL, 10), alone(2, TOOL, 10)];
    for at in 10..20 {
        for process in &both {
            history.sends(at, process);
        }
    }
    assert_eq!(history.changes(), [(10, "modified")]);
}

#[test]
fn launchers_and_scripts_change_too() {
    let mut history = History::new();
    for (image, byte) in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 2), (6, 5)] {
        history.know(image, sha(byte));
    }
    let tool = image(2, TOOL);
    let with_script = |pid: u32, launched, parent: u64, text: u64| {
        let parent = alone(parent, "/bin/launcher", launched);
        let process = run(pid, &tool, launched, Some(&parent));
        process.script.set(script(text, "/srv/x.py")).unwrap();
        Arc::new(process)
    };
    history.sends(10, &with_script(20, 10, 1, 3));
    history.sends(20, &with_script(21, 20, 4, 6));
    let told = changes(&history.path);
    let paths: Vec<_> = told.iter().map(|(at, kind, path)| (*at, *kind, path.as_str())).collect();
    assert_eq!(paths, [(20, "modified", "/bin/launcher"), (20, "modified", "/srv/x.py")]);
    // The script moved bytes, the launcher did not.
    let firsts = history.firsts();
    assert_eq!(firsts, [(10, TOOL.to_owned()), (10, "/srv/x.py".to_owned())]);

    // Found out later which script it was.
    let late = Arc::new(run(22, &tool, 30, None));
    history.sends(30, &late);
    late.script.set(script(7, "/srv/y.py")).unwrap();
    history.know(7, sha(7)).sends(31, &late);
    history.sends(32, &late);
    assert_eq!(history.firsts()[2..], [(31, "/srv/y.py".to_owned())]);
    let sql = "SELECT count(*) FROM processes JOIN executables AS e ON e.id = script_id
               WHERE pid = 22 AND exe = '/srv/y.py'";
    assert_eq!(number(&history.path, sql), 1);
    assert_sound(&history.path);
}

#[test]
fn a_pending_digest_decides_when_it_comes() {
    let mut history = History::new();
    history.know(1, sha(1)).sends(10, &alone(1, TOOL, 10));
    history.sends(20, &alone(2, TOOL, 20));
    history.sends(21, &alone(3, TOOL, 21));
    assert_eq!(history.changes(), []);
    assert_eq!(history.resolve(2, sha(2)).events, 1);
    assert_eq!(history.changes(), [(20, "modified")]);
    assert_eq!(history.resolve(3, sha(2)).events, 0);
    // What is never known is never compared; the next known one is, with the last known one.
    history.sends(30, &alone(4, TOOL, 30));
    history.resolve(4, Digest::Missing(Unhashed::Gone));
    history.know(5, sha(3)).sends(40, &alone(5, TOOL, 40));
    assert_eq!(history.changes(), [(20, "modified"), (40, "modified")]);
    // Known before its row comes.
    history.sends(50, &alone(6, TOOL, 50));
    history.resolve(6, sha(4));
    history.digests.remove(&ImageId(6));
    history.sends(51, &alone(6, TOOL, 51));
    assert_eq!(history.changes()[2..], [(50, "modified")]);
    // Nothing is told of what the daemon did not come to hash.
    history.sends(60, &alone(7, TOOL, 60));
    history.writer = None;
    history.writer = Some(open(&history.path));
    history.resolve(7, sha(7));
    assert_eq!(history.changes().len(), 3);
    // 3 became 2; 4 is (gone), 7 (interrupted).
    assert_eq!(number(&history.path, "SELECT count(*) FROM executables WHERE sha256 <> ''"), 6);
    assert_sound(&history.path);
}

#[test]
fn facts_that_come_later_make_it_an_upgrade() {
    let mut history = History::new();
    history.know(1, sha(1)).know(2, sha(2));
    history.describe(1, "", packaged("1.0"));
    history.sends(10, &alone(1, TOOL, 10));
    history.sends(20, &alone(2, TOOL, 20));
    assert_eq!(history.changes(), [(20, "modified")]);
    // Elsewhere it is something else.
    history.describe(2, "container", packaged("9"));
    assert_eq!(history.changes(), [(20, "modified")]);
    let by_dpkg = Facts { written_by: "/usr/bin/dpkg".into(), ..packaged("2.0") };
    history.describe(2, "", by_dpkg);
    history.describe(2, "", packaged("2.0"));
    let upgrade = events(&history.path).pop().unwrap();
    assert_eq!(upgrade.kind, EventKind::Upgraded);
    let told = [&upgrade.package, &upgrade.version, &upgrade.old_version, &upgrade.state];
    assert_eq!(told, ["dpkg tool", "2.0", "1.0", "intact"]);
    // Known is not replaced by unknown; anything else is.
    assert_eq!(upgrade.written_by, "/usr/bin/dpkg");
    let other = Facts { state: "modified".into(), written_by: "/bin/cp".into(), ..packaged("2.0") };
    history.describe(2, "", other);
    let changed = events(&history.path).pop().unwrap();
    assert_eq!((changed.kind, changed.written_by.as_str()), (EventKind::Modified, "/bin/cp"));
    assert_eq!(number(&history.path, "SELECT count(*) FROM versions"), 3);
}

#[test]
fn containers_and_mounts_are_told_apart() {
    let mut history = History::new();
    for (id, byte, container) in [(1, 1, ""), (2, 2, "c1"), (3, 3, "c2")] {
        history.know(id, sha(byte));
        let mut process = run(u32::try_from(id).unwrap(), &image(id, TOOL), 10, None);
        process.place = place(container, "", "");
        history.sends(10 + i64::from(byte), &Arc::new(process));
    }
    assert_eq!(history.changes(), []);
    let told: Vec<_> =
        events(&history.path).into_iter().map(|event| (event.container, event.realm)).collect();
    let both = |name: &str| (name.to_owned(), name.to_owned());
    assert_eq!(told, [both(""), both("c1"), both("c2")]);
    // An AppImage is the same program wherever it is mounted.
    for (id, byte, mount) in [(4, 4, "AbC123"), (5, 4, "xYz789"), (6, 5, "000000")] {
        let path = format!("/tmp/.mount_Krita{mount}/krita");
        history.know(id, sha(byte)).sends(20, &alone(id, &path, 10 + i64::from(byte)));
    }
    assert_eq!(history.firsts().len(), 4);
    assert_eq!(history.changes(), [(20, "modified")]);
}

#[test]
fn a_clock_that_was_set_back_does_not_silence_changes() {
    let mut history = History::new();
    history.know(1, sha(1)).know(2, sha(2));
    history.sends(1_000_010, &alone(1, TOOL, 1_000_000));
    history.sends(2_010, &alone(2, TOOL, 2_000));
    assert_eq!(history.changes(), [(2_010, "modified")]);
}

#[test]
fn gaps_and_losses_are_events_in_their_place() {
    let mut history = History::new();
    let lost = Note { at: 15, kind: NoteKind::Lost, detail: "3 process events".into() };
    let gap = Gap::new(12, 14, GapReason::Suspended).unwrap();
    history.write(Batch { notes: vec![lost], gaps: vec![gap], ..Batch::default() });
    history.sends(13, &alone(1, TOOL, 10));
    let reader = Reader::open(&history.path).unwrap();
    let told = |since, until, kinds: &[EventKind]| -> Vec<(i64, Option<i64>, &str, String)> {
        let events = reader.events(since, until, kinds).unwrap();
        events.into_iter().map(|it| (it.at, it.until, it.kind.name(), it.detail)).collect()
    };
    let all = [
        (12, Some(14), "gap", "suspended".to_owned()),
        (13, None, "first-seen", String::new()),
        (15, None, "lost", "3 process events".to_owned()),
    ];
    assert_eq!(told(None, None, &[]), all);
    assert_eq!(told(Some(13), Some(15), &[]), all[..2]);
    assert_eq!(told(Some(14), None, &[]), all[2..]);
    assert_eq!(told(None, None, &[EventKind::Gap, EventKind::Lost]).len(), 2);
    let of = |exe: &str, kinds: &[EventKind]| reader.events_of(exe, None, None, kinds).unwrap();
    assert_eq!(of(TOOL, &[]), reader.events(None, None, &[EventKind::FirstSeen]).unwrap());
    assert!(of(TOOL, &[EventKind::Gap]).is_empty() && of("' OR 1", &[]).is_empty());
    assert_eq!("lost".parse(), Ok(EventKind::Lost));
    let error = "changed".parse::<EventKind>().unwrap_err().to_string();
    assert!(error.contains("modified, upgraded"), "{error}");
}

#[test]
fn what_could_not_be_written_is_told_when_it_can_be() {
    let mut history = History::new();
    history.know(1, sha(1)).sends(10, &alone(1, TOOL, 10));
    history.sends(20, &alone(2, TOOL, 20));
    let other = Connection::open(&history.path).unwrap();
    let no = "CREATE TRIGGER no BEFORE INSERT ON event_log BEGIN SELECT raise(ABORT, 'no'); END";
    other.execute_batch(no).unwrap();
    let resolved = vec![(ImageId(2), sha(2))];
    let batch = Batch { resolved, ..Batch::default() };
    history.writer.as_mut().unwrap().write(&batch).unwrap_err();
    other.execute_batch("DROP TRIGGER no").unwrap();
    assert_eq!(history.changes(), []);
    assert_eq!(history.write(batch).events, 1);
    assert_eq!(history.changes(), [(20, "modified")]);
    assert_sound(&history.path);
}

#[test]
fn a_program_that_retention_forgot_is_new_again() {
    let mut history = History::new();
    history.know(1, sha(1)).know(2, sha(2));
    history.sends(10, &alone(1, TOOL, 10));
    history.describe(1, "", packaged("1"));
    let late = 100_000;
    while !history.writer.as_mut().unwrap().expire(late, 100).unwrap().done {}
    for table in ["programs", "event_log", "versions"] {
        assert_eq!(number(&history.path, &format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    for table in ["processes", "executables", "places", "boots"] {
        assert_eq!(number(&history.path, &format!("SELECT count(*) FROM {table}")), 1, "{table}");
    }
    history.sends(late + 1, &alone(2, TOOL, late));
    assert_eq!(history.firsts(), [(late + 1, TOOL.to_owned())]);
    assert_eq!(history.changes(), []);
}
