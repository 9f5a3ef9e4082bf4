//! Which run moved the bytes, where, and what it descends from.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use common::runs::*;
use common::*;
use femtosnitch_model::ContainerFacts;
use femtosnitch_model::Digest;
use femtosnitch_model::ImageId;
use femtosnitch_model::Process;
use femtosnitch_model::Row;
use femtosnitch_model::Unhashed;
use femtosnitch_store::Batch;
use femtosnitch_store::Options;
use femtosnitch_store::Writer;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rusqlite::Connection;

const DAY: i64 = 86_400;

/// The paths of a row's process and of all above it, as the history has them.
fn chain(path: &Path, contime: i64) -> Vec<String> {
    let conn = Connection::open(path).unwrap();
    let sql = "WITH RECURSIVE above(id, parent, exe, far) AS (
                 SELECT p.id, parent_id, e.exe, 0 FROM traffic JOIN processes AS p ON p.id = process_id
                   JOIN executables AS e ON e.id = p.exe_id WHERE contime = ?1 AND p.id <> 0
                 UNION SELECT p.id, parent_id, e.exe, far + 1 FROM above
                   JOIN processes AS p ON p.id = parent JOIN executables AS e ON e.id = p.exe_id
                   WHERE p.id <> 0)
               SELECT exe FROM above ORDER BY far";
    let mut stmt = conn.prepare(sql).unwrap();
    stmt.query_map([contime], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn expire(writer: &mut Writer, before: i64, step: usize) {
    let orphans =
        "SELECT count(*) FROM processes WHERE parent_id NOT IN (SELECT id FROM processes)";
    for _ in 0..1000 {
        let done = writer.expire(before, step).unwrap().done;
        assert_eq!(number(writer.path(), orphans), 0, "a process went before its descendants");
        if done {
            return;
        }
    }
    panic!("retention never ends");
}

#[test]
fn a_run_is_stored_with_where_it_ran_and_who_launched_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let options = Options { boot: "boot-1".into(), ..Options::default() };
    let mut writer = Writer::open(&path, &options).unwrap().0;
    let init = alone(1, "/sbin/init", 0);
    let mut shell = run(20, &image(2, "/bin/sh"), 100, Some(&init));
    (shell.login_uid, shell.session) = (Some(1000), Some(3));
    let mut tool = run(30, &image(3, "/usr/bin/tool"), 110, Some(&Arc::new(shell)));
    tool.place = place("c0ffee", "tool.service", "flatpak org.tool");
    let tool = Arc::new(tool);
    writer
        .write(&rows(vec![row_of(120, &tool, &Digests::new()), row(121, &exe(9, "/x", sha(1)))]))
        .unwrap();
    let facts = |name: &str, image: &str| ContainerFacts {
        container: "c0ffee".into(),
        name: name.into(),
        image: image.into(),
        pod: String::new(),
    };
    writer.write(&Batch { containers: vec![facts("web", "nginx")], ..Batch::default() }).unwrap();
    writer.write(&Batch { containers: vec![facts("web2", "")], ..Batch::default() }).unwrap();
    assert_eq!(chain(&path, 120), ["/usr/bin/tool", "/bin/sh", "/sbin/init"]);
    let conn = Connection::open(&path).unwrap();
    let line: String = conn
        .query_row(
            "SELECT concat_ws(' ', boot_id, t.pid, p.exec_id, start_ns, launched, p.uid,
               login_uid IS NULL, t.unit, t.app, container, realm, name, image, depth)
             FROM connections AS t JOIN processes AS p ON p.id = process_id
             JOIN boots ON boots.id = boot JOIN places AS l ON l.id = place_id
             JOIN containers USING (container) WHERE t.contime = 120",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(
        line,
        "boot-1 30 1 110 110 1000 1 tool.service flatpak org.tool c0ffee c0ffee web2 nginx 2"
    );
    let sql = "SELECT login_uid * 10 + session FROM processes WHERE pid = 20";
    assert_eq!(number(&path, sql), 10_003);
    // Rows that stand for several runs are nobody's.
    assert_eq!(number(&path, "SELECT process_id FROM connections WHERE contime = 121"), 0);

    // The same run after a restart of the daemon; another one after that of the machine.
    drop(writer);
    for (boot, runs) in [("boot-1", 3), ("boot-2", 6)] {
        let options = Options { boot: boot.into(), ..Options::default() };
        let mut writer = Writer::open(&path, &options).unwrap().0;
        writer.write(&rows(vec![row_of(130, &tool, &Digests::new())])).unwrap();
        assert_eq!(number(&path, "SELECT count(*) FROM processes WHERE id <> 0"), runs, "{boot}");
    }
    assert_sound(&path);
}

#[test]
fn what_is_found_out_later_is_added_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    // A daemon that was started later knows neither who launched it nor what it runs.
    let unknown = Digests::from([(ImageId(2), Digest::Missing(Unhashed::Gone))]);
    writer.write(&rows(vec![row_of(10, &alone(2, "/bin/tool", 5), &unknown)])).unwrap();
    assert_eq!(chain(&path, 10), ["/bin/tool"]);
    let shell = alone(1, "/bin/sh", 1);
    let tool = Arc::new(run(2, &image(2, "/bin/tool"), 5, Some(&shell)));
    let known = Digests::from([(ImageId(1), sha(1)), (ImageId(2), sha(2))]);
    writer.write(&rows(vec![row_of(11, &tool, &known)])).unwrap();
    assert_eq!(chain(&path, 10), ["/bin/tool", "/bin/sh"]);
    // Neither is forgotten by one that knows less.
    let other = Arc::new(run(2, &image(2, "/bin/tool"), 5, Some(&alone(3, "/sbin/init", 0))));
    for process in [alone(2, "/bin/tool", 5), other] {
        writer.write(&rows(vec![row_of(2 * DAY, &process, &unknown)])).unwrap();
        assert_eq!(chain(&path, 10), ["/bin/tool", "/bin/sh"]);
        assert_sound(&path);
    }
    let sql = "SELECT count(*) FROM processes JOIN executables AS e ON e.id = exe_id
               WHERE pid = 2 AND sha256 <> '(gone)'";
    assert_eq!(number(&path, sql), 1);
    // The shell is kept for it, although nobody has mentioned it for long.
    expire(&mut writer, 2 * DAY, 7);
    assert_sound(&path);
    assert_eq!(chain(&path, 2 * DAY), ["/bin/tool", "/bin/sh"]);
    // It has the higher number, and yet goes last.
    expire(&mut writer, 4 * DAY, 1);
    expire(&mut writer, 5 * DAY, 1);
    assert_eq!(number(&path, "SELECT count(*) FROM processes"), 1);
}

#[test]
fn a_chain_without_end_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let mut writer = open(&path);
    let image = image(1, "/bin/bomb");
    let digests = Digests::from([(ImageId(1), sha(1))]);
    let mut process = Arc::new(run(1, &image, 1, None));
    for pid in 2..500 {
        // As the engine cuts lineages, here without their far half.
        let mut parent = (*process).clone();
        if let Some(above) = &mut parent.parent {
            let mut above_it = (**above).clone();
            above_it.parent = None;
            *above = Arc::new(above_it);
        }
        process = Arc::new(run(pid, &image, i64::from(pid), Some(&Arc::new(parent))));
        writer.write(&rows(vec![row_of(i64::from(pid), &process, &digests)])).unwrap();
    }
    assert_eq!(number(&path, "SELECT max(depth) FROM processes"), 47);
    assert_eq!(number(&path, "SELECT count(*) FROM processes WHERE id <> 0"), 499);
    let longest = (2..500).map(|pid| chain(&path, pid).len()).max();
    assert_eq!(longest, Some(48));
    // A row of a known run costs nothing but itself.
    let changes = number(&path, "SELECT sum(last_seen) FROM processes");
    writer.write(&rows(vec![row_of(600, &process, &digests)])).unwrap();
    assert_eq!(number(&path, "SELECT sum(last_seen) FROM processes"), changes);
    assert_sound(&path);
    expire(&mut writer, DAY, 100);
    assert_eq!(number(&path, "SELECT count(*) FROM processes"), 1);
    assert_sound(&path);
}

/// A process of the model: its parent is an earlier one.
#[derive(Debug, Clone)]
struct Made {
    parent: usize,
    image: u64,
    place: usize,
    script: bool,
}

#[derive(Debug, Clone)]
enum Step {
    /// Rows of processes: which, seconds since the row before, seconds that it comes late, and how
    /// much of its lineage is known.
    Write(Vec<(usize, i64, i64, usize)>),
    Resolve(u64, u8),
    Expire(i64),
    /// One step of it, by so many rows: others are written before the next.
    Nibble(i64, usize),
    Restart,
}

/// Of each row, by its second: pid, executable, container, unit, and the parent's pid. That they are
/// joined from a view of blocks is why all are asked for at once.
type Told = BTreeMap<i64, (u32, String, String, String, u32)>;

fn told(path: &Path) -> Told {
    let conn = Connection::open(path).unwrap();
    let sql = "SELECT contime, p.pid, exe, coalesce(container, ''), t.unit,
                 (SELECT pid FROM processes WHERE id = p.parent_id)
               FROM connections AS t JOIN processes AS p ON p.id = process_id
               JOIN executables AS e ON e.id = p.exe_id";
    let mut stmt = conn.prepare(sql).unwrap();
    let rows = stmt.query_map([], |row| {
        let told = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
        Ok((row.get(0)?, told))
    });
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    let told: Told = rows.iter().cloned().collect();
    assert_eq!(told.len(), rows.len(), "a row is told twice");
    told
}

fn late() -> impl Strategy<Value = i64> {
    prop_oneof![3 => Just(0_i64), 1 => 0_i64..20_000]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec((0_usize..30, 0_i64..4_000, late(), 1_usize..6), 1..6)
            .prop_map(Step::Write),
        2 => (0_u64..12, 0_u8..3).prop_map(|(image, byte)| Step::Resolve(image, byte)),
        1 => (0_i64..30_000).prop_map(Step::Expire),
        3 => (0_i64..30_000, 1_usize..9).prop_map(|(ago, rows)| Step::Nibble(ago, rows)),
        1 => Just(Step::Restart),
    ]
}

fn made() -> impl Strategy<Value = (prop::sample::Index, u64, usize, bool)> {
    (any::<prop::sample::Index>(), 0_u64..8, 0_usize..4, any::<bool>())
}

const PATHS: [&str; 4] = ["/bin/a", "/bin/b", "/opt/c", "(unknown)"];
const UNITS: [(&str, &str); 4] = [("", ""), ("", "a.service"), ("c1", "a.service"), ("c1", "")];

fn processes(made: &[Made]) -> Vec<Arc<Process>> {
    let mut all: Vec<Arc<Process>> = Vec::new();
    for (at, made) in made.iter().enumerate() {
        let image = image(made.image, PATHS[usize::try_from(made.image).unwrap() % 4]);
        let parent = all.get(made.parent).cloned();
        let mut process = run(
            u32::try_from(at).unwrap() + 1,
            &image,
            i64::try_from(at).unwrap(),
            parent.as_ref(),
        );
        let (container, unit) = UNITS[made.place];
        process.place = place(container, unit, "");
        if made.script {
            process.script.set(script(8 + made.image % 4, "/srv/x.py")).unwrap();
        }
        all.push(Arc::new(process));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]
    #[test]
    fn whatever_happens_every_kept_row_has_its_lineage(
        made in prop::collection::vec(made(), 1..30),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let made: Vec<Made> = made.into_iter().enumerate().map(|(at, (parent, image, place, script))| {
            // The first has none.
            Made { parent: if at == 0 { usize::MAX } else { parent.index(at) }, image, place, script }
        }).collect();
        let processes = processes(&made);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let mut writer = open(&path);
        let (mut now, mut digests) = (DAY, Digests::new());
        // What is older may be there or not.
        let mut floor = i64::MIN;
        let mut written: Vec<(i64, usize)> = Vec::new();
        for step in steps {
            match step {
                Step::Write(rows) => {
                    let mut batch = Batch::default();
                    for (which, later, late, known) in rows {
                        now += later;
                        let which = which % processes.len();
                        // One row a second, so that rows can be told apart.
                        let mut at = now - late;
                        while written.iter().any(|(other, _)| *other == at) {
                            at -= 1;
                        }
                        let mut row: Row = row_of(at, &processes[which], &digests);
                        row.lineage = row.lineage.iter().take(known).cloned().collect();
                        written.push((at, which));
                        batch.rows.push(row);
                        now += 1;
                    }
                    writer.write(&batch).unwrap();
                }
                Step::Resolve(image, byte) => {
                    let digest = if byte == 0 { Digest::Missing(Unhashed::Gone) } else { sha(byte) };
                    if digests.insert(ImageId(image), digest).is_none() {
                        let resolved = vec![(ImageId(image), digest)];
                        writer.write(&Batch { resolved, ..Batch::default() }).unwrap();
                    }
                }
                Step::Expire(ago) => {
                    floor = floor.max(now - ago);
                    expire(&mut writer, now - ago, 7);
                }
                Step::Nibble(ago, rows) => {
                    floor = floor.max(now - ago);
                    writer.expire(now - ago, rows).unwrap();
                }
                Step::Restart => {
                    drop(writer);
                    writer = open(&path);
                }
            }
            assert_sound(&path);
        }
        // What is kept says of each row what the model says, as far as it was ever told.
        let kept = written.iter().filter(|(at, _)| *at >= floor).count();
        let told = told(&path);
        prop_assert_eq!(told.range(floor..).count(), kept);
        for (at, which) in written {
            let Some((pid, exe, container, unit, parent)) = told.get(&at) else {
                prop_assert!(at < floor, "the row of {} is gone", at);
                continue;
            };
            let process = &processes[which];
            prop_assert_eq!(*pid, process.key.tgid);
            prop_assert_eq!(exe, process.image.path.as_str());
            prop_assert_eq!(container, &*process.place.container);
            prop_assert_eq!(unit, &*process.place.unit);
            let known = process.parent.as_ref().map_or(0, |parent| parent.key.tgid);
            prop_assert!(*parent == known || *parent == 0, "{} is no parent of {}", parent, pid);
        }
    }
}
