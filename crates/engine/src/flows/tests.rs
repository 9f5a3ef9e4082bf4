//! What must hold of flows however readings, rows and ends fall.

use super::*;
use crate::processes::Processes;
use crate::testing::{NAMELESS, key, reading};
use proptest::prelude::*;

fn begun(reading: &Reading) -> Flows {
    let mut flows = Flows::default();
    let process = Processes::new(16, NAMELESS).get(ProcKey::KERNEL).unwrap();
    flows.begin(reading, process);
    flows
}

proptest! {
    /// However readings, rows and ends of flows fall, every byte is written once, and what is
    /// to be written does not pile up.
    #[test]
    fn every_byte_is_written_once(
        steps in prop::collection::vec((0..4u32, 0..5000u64, 0..8u8), 1..200)
    ) {
        let process = Processes::new(16, NAMELESS).get(ProcKey::KERNEL).unwrap();
        let sum = |flows: &mut Flows| {
            let taken = flows.take_unwritten();
            assert!(taken.iter().all(|t| !t.unwritten().is_empty()));
            taken.iter().map(|t| t.unwritten().counters.send).sum::<u64>()
        };
        let (mut total, mut written) = (0, 0);
        let mut sent = [0; 4];
        let mut flows = Flows::default();
        for (slot, grown, what) in steps {
            let own = &mut sent[slot as usize];
            if !flows.knows(Slot(slot)) {
                *own = 0;
                let fresh = reading(slot, key(1, 1), 0, 0);
                flows.begin(&fresh, Arc::clone(&process));
            }
            *own += grown;
            total += grown;
            flows.grow(&reading(slot, key(1, 1), *own, 0), 1);
            match what {
                0 => written += sum(&mut flows),
                1..4 => {
                    flows.end(Slot(slot));
                }
                _ => {}
            }
            prop_assert!(flows.moved.len() <= flows.live());
        }
        for slot in 0..4 {
            flows.end(Slot(slot));
        }
        written += sum(&mut flows);
        prop_assert_eq!(written, total);
        prop_assert!(flows.take_unwritten().is_empty());
        prop_assert_eq!(flows.live(), 0);
    }
}

#[test]
fn a_slot_in_use_by_many_in_turn_is_listed_once() {
    let mut flows = Flows::default();
    let process = Processes::new(16, NAMELESS).get(ProcKey::KERNEL).unwrap();
    for _ in 0..1000 {
        flows.begin(&reading(3, key(1, 1), 0, 0), Arc::clone(&process));
        flows.grow(&reading(3, key(1, 1), 10, 0), 1);
        flows.end(Slot(3));
    }
    assert!(flows.moved.is_empty());
    assert_eq!(flows.take_unwritten().len(), 1000);
}

#[test]
fn a_flow_whose_end_was_missed_keeps_its_bytes() {
    let mut flows = begun(&reading(3, key(1, 1), 0, 0));
    flows.grow(&reading(3, key(1, 1), 100, 0), 1);
    let process = Processes::new(16, NAMELESS).get(ProcKey::KERNEL).unwrap();
    flows.begin(&reading(3, key(2, 1), 0, 0), process);
    assert_eq!((flows.live(), flows.take_unwritten().len()), (1, 1));
}

#[test]
fn without_a_writer_memory_is_bounded_and_the_loss_counted() {
    let mut flows = Flows::default();
    let process = Processes::new(16, NAMELESS).get(ProcKey::KERNEL).unwrap();
    for _ in 0..ENDED_MAX + 7 {
        flows.begin(&reading(3, key(1, 1), 0, 0), Arc::clone(&process));
        flows.grow(&reading(3, key(1, 1), 10, 1), 1);
        flows.end(Slot(3));
    }
    assert_eq!(flows.waiting(), ENDED_MAX);
    assert_eq!((flows.lost_rows, flows.lost_bytes), (7, 77));
}

#[test]
fn a_slot_used_again_starts_from_zero() {
    let mut flows = begun(&reading(3, key(1, 1), 0, 0));
    flows.grow(&reading(3, key(1, 1), 100, 0), 1);
    flows.end(Slot(3));
    let process = Processes::new(16, NAMELESS).get(ProcKey::KERNEL).unwrap();
    flows.begin(&reading(3, key(2, 1), 0, 0), process);
    flows.grow(&reading(3, key(2, 1), 40, 0), 2);
    let sent: Vec<u64> =
        flows.take_unwritten().iter().map(|t| t.unwritten().counters.send).collect();
    assert_eq!(sent, [40, 100]);
}

#[test]
fn extras_follow_their_socket_and_are_asked_for_once() {
    let mut first = reading(3, key(1, 1), 0, 0);
    let mut flows = begun(&first);
    first.slot = Slot(4);
    first.kind = FlowKind::Extra;
    let process = Processes::new(16, NAMELESS).get(ProcKey::KERNEL).unwrap();
    flows.begin(&first, process);
    assert_eq!(flows.closing_extras(3), [(Slot(4), FlowKind::Extra)]);
    assert!(flows.closing_extras(3).is_empty());
    assert!(flows.idle(1_000_000).is_empty(), "on its way out already");
}

#[test]
fn a_flow_is_gone_after_two_sweeps_without_its_socket() {
    let mut flows = begun(&reading(3, key(1, 1), 0, 0));
    assert!(!flows.swept(Slot(3), false));
    assert!(!flows.swept(Slot(3), true));
    assert!(!flows.swept(Slot(3), false));
    assert!(flows.swept(Slot(3), false));
    assert!(!flows.swept(Slot(9), false), "never heard of");
}

#[test]
fn what_can_begin_anew_is_given_up_when_idle() {
    let mut flow = reading(4, key(1, 1), 10, 0);
    for (kind, protocol, given_up) in [
        (FlowKind::Extra, 6, true),
        (FlowKind::ManyPeers, 17, true),
        (FlowKind::Bucket, 0, true),
        (FlowKind::Executable { dev: 1, ino: 2 }, 0, true),
        (FlowKind::Orphan, 17, true),
        (FlowKind::Orphan, 6, false),
        (FlowKind::First, 17, false),
        (FlowKind::CatchAll, 0, false),
    ] {
        flow.kind = kind;
        flow.flow.protocol = protocol;
        let mut flows = begun(&flow);
        flows.grow(&flow, 1000);
        assert!(flows.idle(1000 + IDLE).is_empty(), "{kind:?}");
        assert!(flows.idle(5).is_empty(), "clock set back");
        assert_eq!(flows.idle(1001 + IDLE).len(), usize::from(given_up), "{kind:?}");
    }
}

#[test]
fn the_end_of_an_idle_bucket_does_not_touch_its_successor() {
    let mut bucket = reading(4, key(1, 1), 10, 0);
    bucket.kind = FlowKind::Bucket;
    let mut flows = begun(&bucket);
    let process = Processes::new(16, NAMELESS).get(ProcKey::KERNEL).unwrap();
    bucket.slot = Slot(5);
    flows.begin(&bucket, process);
    flows.end(Slot(4));
    assert_eq!(flows.closing_buckets(&[key(1, 1)]), [(Slot(5), FlowKind::Bucket)]);
}

#[test]
fn a_socket_without_calls_is_told_of_once_and_its_bytes_never() {
    let mut rings = reading(3, key(1, 1), 0, 0);
    rings.flow = FlowKey { family: FlowKey::AF_XDP, protocol: 0, ..rings.flow };
    rings.headers.raw = true;
    let mut flows = begun(&rings);
    flows.grow(&rings, 1);
    let taken = flows.take_unwritten();
    assert_eq!(taken.len(), 1);
    assert_eq!((taken[0].unwritten().connections.begun, taken[0].wire()), (1, None));
    flows.grow(&rings, 2);
    assert!(flows.take_unwritten().is_empty(), "told of already");
    rings.closed = true;
    flows.grow(&rings, 3);
    flows.end(rings.slot);
    let ends = flows.take_unwritten();
    let connections = ends[0].unwritten().connections;
    assert_eq!((connections.begun, connections.ended), (0, 1));
}
