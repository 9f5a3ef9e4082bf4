//! What the engine as a whole must do.

mod filters;

use super::*;
use crate::testing::{NAMELESS, NOW, info, key, reading};
use femtosnitch_model::{Sha256, Unhashed};

const LIMITS: Limits = Limits { processes: 100, files: 100 };

fn engine(filters: Filters) -> Engine {
    let mut engine = Engine::new(LIMITS, filters, Privacy::default(), NAMELESS);
    engine.found(
        &[
            info(key(1, 1), "/sbin/init", key(0, 0), key(0, 0)),
            info(key(7, 3), "/usr/bin/curl", key(1, 1), key(0, 0)),
        ],
        NOW,
    );
    engine.take_effects();
    engine
}

fn read(engine: &mut Engine, reading: &Reading) {
    engine.reading(reading, NOW, &mut |_| None);
}

#[test]
fn the_first_bytes_ask_for_the_digests_of_the_whole_lineage() {
    let mut engine = engine(Filters::default());
    read(&mut engine, &reading(5, key(7, 3), 10, 20));
    let hashed = engine
        .take_effects()
        .into_iter()
        .filter(|effect| matches!(effect, Effect::Hash(_)))
        .count();
    assert_eq!(hashed, 2);
    read(&mut engine, &reading(5, key(7, 3), 20, 20));
    assert!(engine.take_effects().is_empty());
}

#[test]
fn a_row_names_who_and_how_much_and_is_completed_later() {
    let mut engine = engine(Filters::default());
    read(&mut engine, &reading(5, key(7, 3), 10, 20));
    let batch = engine.batch(false);
    let [row] = batch.rows.as_slice() else { panic!("{batch:?}") };
    assert_eq!((row.send, row.recv, row.events, row.contime), (10, 20, 2, 1_000));
    assert_eq!(row.exe.image.path, "/usr/bin/curl");
    assert_eq!(row.parent.as_ref().unwrap().image.path, "/sbin/init");
    assert_eq!(row.exe.digest, Digest::Pending);

    let digest = Digest::Known(Sha256([9; 32]));
    engine.digest_done(row.exe.image.file.unwrap(), digest);
    let batch = engine.batch(false);
    assert!(batch.rows.is_empty());
    assert_eq!(batch.resolved, [(row.exe.image.id, digest)]);
}

#[test]
fn a_closed_socket_is_read_released_and_its_rest_written() {
    let mut engine = engine(Filters::default());
    let mut last = reading(5, key(7, 3), 10, 20);
    last.closed = true;
    read(&mut engine, &last);
    let effects = engine.take_effects();
    assert!(effects.contains(&Effect::Release(Slot(5), FlowKind::First)), "{effects:?}");
    assert!(engine.released(Slot(5)));
    assert!(!engine.released(Slot(5)));
    assert_eq!(engine.gauges().flows, 0);
    assert_eq!(engine.batch(false).rows.len(), 1);
}

#[test]
fn a_flow_found_closed_twice_is_released_once() {
    let mut engine = engine(Filters::default());
    let mut last = reading(5, key(7, 3), 10, 20);
    last.closed = true;
    read(&mut engine, &last);
    read(&mut engine, &last);
    let released =
        engine.take_effects().into_iter().filter(|e| matches!(e, Effect::Release(..))).count();
    assert_eq!(released, 1);
}

#[test]
fn an_owner_nobody_knows_is_called_so_and_keeps_its_bytes() {
    let mut engine = engine(Filters::default());
    read(&mut engine, &reading(5, key(99, 1), 10, 0));
    let batch = engine.batch(false);
    assert_eq!(batch.rows[0].exe.image.path, "(unknown)");
    assert_eq!(batch.rows[0].exe.digest, Digest::Missing(Unhashed::Unknown));
    assert_eq!(engine.gauges().owners_unknown, 1);
}

#[test]
fn an_owner_whose_launch_was_missed_is_looked_up() {
    let mut engine = engine(Filters::default());
    let found = info(key(99, 1), "/bin/late", key(1, 1), key(0, 0));
    engine.reading(&reading(5, key(99, 1), 10, 0), NOW, &mut |_| Some(found.clone()));
    assert_eq!(engine.batch(false).rows[0].exe.image.path, "/bin/late");
}

#[test]
fn a_program_run_that_is_over_is_not_called_by_the_name_of_the_next() {
    let mut engine = engine(Filters::default());
    let next = info(key(7, 4), "/usr/bin/next", key(1, 1), key(0, 0));
    engine.process(&ProcEvent::Exec(Box::new(next.clone())), NOW);
    for tick in 2..10 {
        engine.tick(Moment { tick, ..NOW });
    }
    let mut asked = 0;
    engine.reading(&reading(5, key(7, 3), 10, 0), NOW, &mut |_| {
        asked += 1;
        Some(ProcInfo { key: key(7, 3), ..next.clone() })
    });
    assert_eq!(engine.batch(false).rows[0].exe.image.path, "(unknown)");
    assert_eq!((asked, engine.gauges().owners_unknown), (0, 1));
}

#[test]
fn a_long_running_process_keeps_its_digest_among_many_files() {
    let mut engine = engine(Filters::default());
    read(&mut engine, &reading(5, key(7, 3), 10, 20));
    let file = engine.processes.get(key(7, 3)).unwrap().image.file.unwrap();
    let digest = Digest::Known(Sha256([9; 32]));
    engine.digest_done(file, digest);
    for pid in 100..1_100 {
        let mut info = info(key(pid, 1), "/bin/short", key(1, 1), key(0, 0));
        info.file = Some(FileId { ino: u64::from(pid), ..FileId::default() });
        engine.process(&ProcEvent::Exec(Box::new(info)), NOW);
        engine.process(&ProcEvent::Exit(key(pid, 1)), NOW);
    }
    assert!(engine.gauges().files <= 100);
    assert_eq!(engine.batch(false).rows[0].exe.digest, digest);
}

#[test]
fn a_forgotten_digest_is_asked_for_again_and_its_rows_are_completed() {
    let mut engine = engine(Filters::default());
    read(&mut engine, &reading(5, key(7, 3), 10, 20));
    let file = engine.processes.get(key(7, 3)).unwrap().image.file.unwrap();
    engine.digest_done(file, Digest::Known(Sha256([9; 32])));
    engine.digests = Digests::new(100);
    engine.take_effects();
    let batch = engine.batch(false);
    assert_eq!(batch.rows[0].exe.digest, Digest::Pending);
    let asked = |effect: &Effect| matches!(effect, Effect::Hash(r) if r.file == file);
    let effects = engine.take_effects();
    assert!(effects.iter().any(asked), "{effects:?}");
    let digest = Digest::Known(Sha256([9; 32]));
    engine.digest_done(file, digest);
    assert_eq!(engine.batch(false).resolved, [(batch.rows[0].exe.image.id, digest)]);
}

#[test]
fn buckets_of_those_who_find_no_room_are_given_back() {
    let mut engine = engine(Filters::default());
    for pid in 100..400 {
        let info = info(key(pid, 1), "/bin/holder", key(1, 1), key(0, 0));
        engine.process(&ProcEvent::Exec(Box::new(info)), NOW);
    }
    engine.take_effects();
    let mut bucket = reading(1, key(900, 1), 10, 0);
    bucket.kind = FlowKind::Bucket;
    read(&mut engine, &bucket);
    bucket.slot = Slot(2);
    bucket.owner = key(901, 1);
    let found = info(bucket.owner, "/bin/late", key(1, 1), key(0, 0));
    engine.reading(&bucket, NOW, &mut |_| Some(found.clone()));
    engine.process(&ProcEvent::Exit(bucket.owner), NOW);
    engine.take_effects();
    engine.tick(Moment { tick: 2, ..NOW });
    engine.tick(Moment { tick: 3, ..NOW });
    let both = vec![(Slot(1), FlowKind::Bucket), (Slot(2), FlowKind::Bucket)];
    assert_eq!(engine.take_effects(), [Effect::Retire(both)]);
}

#[test]
fn a_full_table_does_not_make_a_known_process_unknown() {
    let mut engine = engine(Filters::default());
    for pid in 100..400 {
        let info = info(key(pid, 1), "/bin/holder", key(1, 1), key(0, 0));
        engine.process(&ProcEvent::Exec(Box::new(info)), NOW);
    }
    let found = info(key(999, 1), "/bin/late", key(1, 1), key(0, 0));
    engine.reading(&reading(5, key(999, 1), 10, 0), NOW, &mut |_| Some(found.clone()));
    let row = engine.batch(false).rows.remove(0);
    assert_eq!((row.exe.image.path.as_str(), row.pid), ("/bin/late", 999));
}

#[test]
fn a_row_has_the_uid_of_whoever_moved_the_bytes() {
    let mut engine = engine(Filters::default());
    let mut dropped = reading(5, key(7, 3), 10, 0);
    dropped.uid = 65_534;
    read(&mut engine, &dropped);
    assert_eq!(engine.batch(false).rows[0].uid, 65_534);
}

#[test]
fn kernel_threads_have_a_name_of_their_own() {
    let mut engine = engine(Filters::default());
    read(&mut engine, &reading(5, ProcKey::KERNEL, 10, 0));
    let batch = engine.batch(false);
    assert_eq!(batch.rows[0].exe.image.path, "(kernel)");
    assert_eq!(batch.rows[0].exe.digest, Digest::Missing(Unhashed::Kernel));
}

#[test]
fn what_found_no_bucket_of_its_process_still_has_its_executable() {
    let mut engine = engine(Filters::default());
    let file = engine.processes.get(key(7, 3)).unwrap().image.file.unwrap();
    let mut shared = reading(1, ProcKey::default(), 10, 0);
    shared.kind = FlowKind::Executable { dev: file.dev, ino: file.ino };
    shared.uid = 1000;
    read(&mut engine, &shared);
    shared.slot = Slot(2);
    shared.kind = FlowKind::Executable { dev: file.dev, ino: file.ino + 999 };
    read(&mut engine, &shared);
    let rows = engine.batch(false).rows;
    assert_eq!((rows[0].exe.image.path.as_str(), rows[0].pid), ("/usr/bin/curl", 0));
    assert_eq!((rows[0].uid, rows[0].parent.is_none()), (1000, true), "of many processes");
    assert_eq!((rows[1].exe.image.path.as_str(), rows[1].pid), ("(unknown)", 0));
}

#[test]
fn a_bucket_is_retired_after_its_owner_is_gone() {
    let mut engine = engine(Filters::default());
    let mut bucket = reading(1, key(7, 3), 10, 0);
    bucket.kind = FlowKind::Bucket;
    read(&mut engine, &bucket);
    engine.take_effects();
    engine.process(&ProcEvent::Exit(key(7, 3)), NOW);
    let mut retired = Vec::new();
    for tick in 2..10 {
        engine.tick(Moment { tick, ..NOW });
        retired.extend(engine.take_effects());
    }
    assert_eq!(retired, [Effect::Retire(vec![(Slot(1), FlowKind::Bucket)])]);
    bucket.total.send = 15;
    engine.last_reading(&bucket, NOW);
    engine.released(Slot(1));
    assert_eq!(engine.batch(false).rows[0].send, 15);
}

#[test]
fn a_bucket_that_could_not_be_retired_is_tried_again() {
    let mut engine = engine(Filters::default());
    let mut bucket = reading(1, key(7, 3), 10, 0);
    bucket.kind = FlowKind::Bucket;
    read(&mut engine, &bucket);
    engine.process(&ProcEvent::Exit(key(7, 3)), NOW);
    engine.take_effects();
    let mut tick = 1;
    let mut wanted = || loop {
        tick += 1;
        engine.tick(Moment { tick, ..NOW });
        let effects = engine.take_effects();
        if let [Effect::Retire(slots)] = effects.as_slice() {
            engine.retire_failed(slots);
            return (tick, slots.clone(), engine.gauges().flows_unretired);
        }
        assert!(effects.is_empty() && tick < 20, "{effects:?}");
    };
    let slots = vec![(Slot(1), FlowKind::Bucket)];
    let (first, ..) = wanted();
    assert_eq!(wanted(), (first + 1, slots.clone(), 1));
    assert_eq!(wanted(), (first + 2, slots, 1));
    bucket.total.send = 15;
    engine.last_reading(&bucket, NOW);
    assert!(engine.released(Slot(1)));
    assert_eq!(engine.batch(false).rows[0].send, 15);
}

#[test]
fn what_the_daemon_tests_itself_with_is_not_recorded() {
    let mut engine = engine(Filters::default());
    engine.set_own(&[5]);
    let mut own = reading(5, key(7, 3), 10, 0);
    read(&mut engine, &own);
    own.closed = true;
    read(&mut engine, &own);
    assert!(engine.take_effects().contains(&Effect::Release(Slot(5), FlowKind::First)));
    assert!(engine.batch(false).rows.is_empty());
    read(&mut engine, &reading(6, key(7, 3), 10, 0));
    assert_eq!(engine.batch(false).rows.len(), 1);
}
