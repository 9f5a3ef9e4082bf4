//! The tree of processes adds up, and has everybody in the right place.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::print_stdout, reason = "tests")]

mod common;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use common::runs::*;
use common::*;
use femtosnitch_model::ImageId;
use femtosnitch_model::Process;
use femtosnitch_store::Cancel;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Node;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::keep_largest;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rusqlite::Connection;

fn tree(path: &std::path::Path, query: &Query) -> Vec<Node> {
    Reader::open(path).unwrap().tree(query, &NoUsers, &Cancel::default()).unwrap()
}

/// One line a node: depth, path, runs, what it sent itself and with all below.
fn lines(nodes: &[Node]) -> Vec<String> {
    fn add(nodes: &[Node], depth: usize, lines: &mut Vec<String>) {
        for node in nodes {
            let (own, total) = (node.own.send, node.total.send);
            let indent = " ".repeat(depth);
            lines.push(format!("{indent}{} x{} {own} {total}", node.exe, node.runs));
            add(&node.children, depth + 1, lines);
        }
    }
    let mut lines_of = Vec::new();
    add(nodes, 0, &mut lines_of);
    lines_of
}

#[test]
fn equal_siblings_are_one_node_and_others_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let init = alone(1, "/sbin/init", 0);
    let shell = |pid, launched| {
        let mut shell = run(pid, &image(2, "/bin/sh"), launched, Some(&init));
        shell.login_uid = Some(1000);
        Arc::new(shell)
    };
    let shells = [shell(10, 50), shell(11, 40)];
    let curl = |pid: u32, parent: usize, image_id: u64, uid: u32, unit: &str| {
        let image = image(image_id, "/usr/bin/curl");
        let mut process = run(pid, &image, i64::from(pid), Some(&shells[parent]));
        (process.uid, process.place) = (uid, place("c1", unit, ""));
        Arc::new(process)
    };
    // By two shells (one node), with two contents, by two users.
    let curls = [
        curl(100, 0, 3, 1000, "a.service"),
        curl(101, 0, 3, 1000, "b.service"),
        curl(102, 1, 3, 1000, "a.service"),
        curl(103, 1, 4, 1000, "a.service"),
        curl(104, 1, 3, 0, "a.service"),
    ];
    let digests = Digests::from([1, 2, 3, 4].map(|id: u8| (ImageId(id.into()), sha(id))));
    let mut all: Vec<_> = curls.iter().map(|curl| row_of(200, curl, &digests)).collect();
    all.push(row_of(201, &shells[0], &digests));
    all.push(row(202, &exe(9, "/bin/many", sha(9))));
    open(&path).write(&rows(all)).unwrap();

    let nodes = tree(&path, &Query::default());
    assert_eq!(
        lines(&nodes),
        [
            "/sbin/init x1 0 600",
            " /bin/sh x2 100 600",
            "  /usr/bin/curl x3 300 300",
            "  /usr/bin/curl x1 100 100",
            "  /usr/bin/curl x1 100 100",
            "/bin/many x0 100 100",
        ]
    );
    let shell = &nodes[0].children[0];
    let shown = (shell.pid, shell.cmdline.as_str(), shell.launched, shell.login.as_str());
    assert_eq!(shown, (None, "", Some(40), "1000"));
    let three = &shell.children[0];
    assert_eq!((three.unit.as_str(), three.container.as_str()), ("", "c1"));
    assert_eq!((three.user.as_str(), three.sha256.clone()), ("1000", sha(3).to_string()));
    let root = shell.children.iter().find(|node| node.user == "0").unwrap();
    assert_eq!((root.pid, root.cmdline.as_str()), (Some(104), "curl --flag"));
    assert_eq!((root.unit.as_str(), root.login.as_str()), ("a.service", ""));
    let many = &nodes[1];
    assert_eq!((many.pid, many.launched, many.user.as_str()), (None, None, ""));

    // Filters and limits.
    let filtered = tree(&path, &filtered(&["uid=0"]));
    assert_eq!(lines(&filtered)[2], "  /usr/bin/curl x1 100 100");
    assert_eq!(lines(&filtered)[0], "/sbin/init x1 0 100");
    let limited = tree(&path, &Query { limit: Some(3), ..Query::default() });
    assert_eq!(lines(&limited).len(), 3);
    assert_eq!(lines(&limited)[2], "  /usr/bin/curl x3 300 300");
    let mut all = nodes;
    assert_eq!(keep_largest(&mut all, 1), 5);
    assert_eq!(lines(&all), ["/sbin/init x1 0 600"]);
    assert_eq!(keep_largest(&mut all, 1), 0);
}

#[test]
fn a_history_that_goes_in_circles_is_drawn_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.db");
    let parent = alone(1, "/bin/a", 1);
    let child = Arc::new(run(2, &image(2, "/bin/b"), 2, Some(&parent)));
    let writer = open(&path).write(&rows(vec![row_of(10, &child, &Digests::new())]));
    writer.unwrap();
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch("UPDATE processes SET parent_id = (SELECT max(id) FROM processes)").unwrap();
    let total: u64 = tree(&path, &Query::default()).iter().map(|node| node.total.send).sum();
    assert_eq!(total, 100);
    conn.execute_batch("UPDATE processes SET parent_id = 99").unwrap();
    assert_eq!(tree(&path, &Query::default())[0].total.send, 100);
    conn.execute_batch("DELETE FROM processes WHERE id <> 0").unwrap();
    assert_eq!(tree(&path, &Query::default())[0].total.send, 100);
}

type Step = (String, String, String, u32);

/// Where a run hangs: what each of its ancestors and it runs.
fn route(process: &Arc<Process>, digests: &Digests) -> Vec<Step> {
    let step = |process: &Arc<Process>| {
        let script = process.script.get().map_or(String::new(), |script| script.path.clone());
        let sha256 = digests[&process.image.id].to_string();
        (process.image.path.clone(), sha256, script, process.uid)
    };
    let mut route: Vec<_> = std::iter::once(process).chain(process.ancestors()).map(step).collect();
    route.reverse();
    route
}

/// Runs, own and total bytes sent, by route.
type Drawn = BTreeMap<Vec<Step>, (u64, u64, u64)>;

fn drawn(nodes: &[Node], above: &[Step], found: &mut Drawn) {
    let mut before = u64::MAX;
    for node in nodes {
        let mut route = above.to_vec();
        let uid = node.user.parse().unwrap();
        route.push((node.exe.clone(), node.sha256.clone(), node.script.clone(), uid));
        let size = node.total.send + node.total.recv;
        assert!(size <= before, "not the largest first");
        before = size;
        drawn(&node.children, &route, found);
        let earlier = found.insert(route, (node.runs, node.own.send, node.total.send));
        assert_eq!(earlier, None, "two nodes are the same");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]
    #[test]
    fn the_tree_is_that_of_plain_arithmetic(
        made in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<bool>(), 0_u64..6, 0_u32..2, any::<bool>()), 1..40),
        traffic in prop::collection::vec((any::<prop::sample::Index>(), 0_u64..1000), 0..60),
        limit in 0_usize..50,
    ) {
        let digests: Digests = (0..6).map(|id: u8| (ImageId(id.into()), sha(id % 4))).collect();
        let mut processes: Vec<Arc<Process>> = Vec::new();
        for (at, (parent, has_parent, id, uid, with_script)) in made.iter().enumerate() {
            let parent = if *has_parent && at > 0 { Some(&processes[parent.index(at)]) } else { None };
            // Five and one, four and nothing: the same contents, with and without the same path.
            let image = image(*id, ["/bin/a", "/bin/b", "/bin/c"][usize::try_from(id % 3).unwrap()]);
            let at = u32::try_from(at).unwrap();
            let mut process = run(at + 1, &image, at.into(), parent);
            process.uid = *uid;
            if *with_script {
                process.script.set(script(50, "/srv/x")).unwrap();
            }
            processes.push(Arc::new(process));
        }
        let mut digests_and_script = digests.clone();
        digests_and_script.insert(ImageId(50), sha(50));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let mut expected: Drawn = BTreeMap::new();
        let mut runs: BTreeMap<Vec<Step>, BTreeSet<u32>> = BTreeMap::new();
        let mut batch = Vec::new();
        for (which, sent) in &traffic {
            let process = which.get(&processes);
            let mut row = row_of(100, process, &digests_and_script);
            (row.send, row.recv) = (*sent, 0);
            batch.push(row);
            for above in std::iter::once(process).chain(process.ancestors()) {
                let route = route(above, &digests);
                runs.entry(route.clone()).or_default().insert(above.key.tgid);
                let (_, own, total) = expected.entry(route).or_default();
                *total += sent;
                *own += if above.key == process.key { *sent } else { 0 };
            }
        }
        for (route, (count, ..)) in &mut expected {
            *count = runs[route].len() as u64;
        }
        open(&path).write(&rows(batch)).unwrap();
        let nodes = tree(&path, &Query::default());
        let mut found = Drawn::new();
        drawn(&nodes, &[], &mut found);
        prop_assert_eq!(&found, &expected);

        let limited = tree(&path, &Query { limit: Some(limit), ..Query::default() });
        let mut left = Drawn::new();
        drawn(&limited, &[], &mut left);
        prop_assert_eq!(left.len(), limit.min(found.len()));
        let smallest = left.values().map(|(.., total)| *total).min();
        for (route, amounts) in &found {
            match left.get(route) {
                Some(kept) => prop_assert_eq!(kept, amounts),
                None => prop_assert!(smallest.is_none_or(|smallest| amounts.2 <= smallest)),
            }
        }
    }
}
