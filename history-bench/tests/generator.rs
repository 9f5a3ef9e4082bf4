//! What the generator promises of its history.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::HashMap;
use std::collections::HashSet;

use femtosnitch_history_bench::generator::ADDRESSES;
use femtosnitch_history_bench::generator::EXECUTABLES;
use femtosnitch_history_bench::generator::Generator;
use femtosnitch_history_bench::generator::NAMES;
use femtosnitch_history_bench::generator::Shape;
use femtosnitch_model::Direction;
use femtosnitch_model::Row;

fn shape(rows: u64) -> Shape {
    // A batch every ten minutes.
    Shape { interval: 600, batches: 30 * 144, ..Shape::month(rows, 30) }
}

fn rows(shape: Shape) -> Vec<Row> {
    Generator::new(shape).flat_map(|batch| batch.rows).collect()
}

#[test]
fn the_same_shape_is_the_same_history() {
    let said = |shape: Shape| {
        let text = rows(shape).iter().map(|row| format!("{row:?}")).collect::<Vec<_>>();
        text.join("\n")
    };
    let one = said(shape(1_500));
    assert_eq!(one, said(shape(1_500)));
    assert_ne!(one, said(Shape { seed: 2, ..shape(1_500) }));
}

#[test]
fn a_later_part_is_of_the_same_machine() {
    let hosts = |shape: Shape| {
        let rows = rows(shape).into_iter().filter(|row| row.direction == Direction::Outgoing);
        rows.map(|row| (row.domain, row.raddr)).collect::<HashSet<_>>()
    };
    let earlier = hosts(shape(10_000));
    let later = hosts(Shape { since: shape(0).until(), ..shape(10_000) });
    let elsewhere = hosts(Shape { seed: 2, ..shape(10_000) });
    let common = |other| earlier.intersection(other).count() * 100 / earlier.len();
    assert!(common(&later) > 25, "{} %", common(&later));
    assert!(common(&elsewhere) < 10, "{} %", common(&elsewhere));
}

#[test]
fn rows_come_in_order_and_are_all_there() {
    let shape = shape(20_000);
    let mut count = 0;
    let mut days = HashSet::new();
    let mut end = shape.since;
    for batch in Generator::new(shape) {
        let until = batch.heartbeat.unwrap().at;
        assert!(batch.rows.is_sorted_by_key(|row| row.contime));
        for row in &batch.rows {
            assert!((end..until).contains(&row.contime), "{} not in {end}..{until}", row.contime);
            days.insert((row.contime - shape.since) / 86_400);
        }
        count += batch.rows.len();
        end = until;
    }
    assert_eq!((count, days.len(), end), (20_000, 30, shape.until()));
}

#[test]
fn few_names_have_most_of_the_traffic() {
    let rows = rows(shape(100_000));
    let mut names: HashMap<&str, usize> = HashMap::new();
    for row in rows.iter().filter(|row| row.rport == 443 && !row.domain.is_empty()) {
        *names.entry(&row.domain).or_default() += 1;
    }
    let mut counts: Vec<usize> = names.into_values().collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    let all: usize = counts.iter().sum();
    let share = |first: usize| counts[..first].iter().sum::<usize>() * 100 / all;
    assert!((2..=12).contains(&share(1)), "{} %", share(1));
    assert!((30..=70).contains(&share(100)), "{} %", share(100));
    assert!((1_500..=NAMES).contains(&counts.len()), "{} names", counts.len());
}

#[test]
fn there_is_as_much_of_everything_as_said() {
    let rows = rows(shape(200_000));
    let count = |key: fn(&Row) -> String| rows.iter().map(key).collect::<HashSet<_>>().len();
    let programs = count(|row| row.exe.image.path.clone());
    assert!((250..=EXECUTABLES).contains(&programs), "{programs}");
    let images = count(|row| row.exe.image.cmdline.clone());
    assert!((500..2_500).contains(&images), "{images}");
    let addresses = count(|row| format!("{:?}", row.raddr));
    assert!((5_000..ADDRESSES + 100).contains(&addresses), "{addresses}");
    assert!(count(|row| row.container.to_string()) > 8);
    assert!(count(|row| row.uid.to_string()) > 6);
    let refused = rows.iter().filter(|row| row.connections.failed > 0).count();
    assert!((500..5_000).contains(&refused), "{refused}");
    let v6 = rows.iter().filter(|row| row.raddr.unwrap().is_ipv6()).count();
    assert!((5_000..30_000).contains(&v6), "{v6}");
}

#[test]
fn a_connection_begins_once_and_keeps_its_ends() {
    let mut connections: HashMap<_, (u32, u32, usize)> = HashMap::new();
    for row in rows(shape(50_000)).iter().filter(|row| row.protocol == 6) {
        let run = row.lineage.first().unwrap().process.key;
        let known = connections.entry((run, row.lport, row.raddr, row.rport)).or_default();
        known.0 += row.connections.begun;
        known.1 += row.connections.ended;
        known.2 += 1;
        assert_eq!(row.pid, run.tgid);
        assert!(row.wire_send.is_none_or(|wire| wire > row.send));
    }
    let twice = connections.values().filter(|it| it.0 != 1 || it.1 > 1).count();
    // A server's port may meet the same client's port again.
    assert!(twice * 1_000 < connections.len(), "{twice} of {}", connections.len());
    let mean = connections.values().map(|it| it.2).sum::<usize>() as f64 / connections.len() as f64;
    assert!((2.0..5.0).contains(&mean), "{mean} rows a connection");
}
