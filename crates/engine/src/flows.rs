//! What moved: the last reading of every flow, and what is not in the history yet.

use std::collections::HashMap;
use std::sync::Arc;

use femtosnitch_model::{Counters, FlowKey, FlowKind, ProcKey, Process, Reading, Slot};

/// A flow that need not live as long as its socket is given back when it did not move for this
/// many seconds.
const IDLE: i64 = 60;

/// Ended flows that may wait for a writer that does not come: beyond, rows are lost and counted.
const ENDED_MAX: usize = 200_000;

/// A flow, its owner, and the part of its traffic that is not written yet.
#[derive(Debug, Clone)]
pub(crate) struct Tracked {
    pub(crate) slot: Slot,
    pub(crate) kind: FlowKind,
    pub(crate) flow: FlowKey,
    pub(crate) process: Arc<Process>,
    pub(crate) container: Arc<str>,
    /// Real user id of the mover when the flow began: a daemon may have dropped its launcher's.
    pub(crate) uid: u32,
    /// As last read.
    seen: Counters,
    /// Grown since the last row.
    pub(crate) unwritten: Counters,
    /// When the first of `unwritten` was read.
    pub(crate) first_at: i64,
    last_at: i64,
    /// Where in [`Flows::moved`] it stands, while there is something unwritten.
    place: Option<usize>,
    closing: bool,
    /// The last sweep found no socket for it.
    orphaned: bool,
}

/// All flows, by slot.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    slots: Vec<Option<Box<Tracked>>>,
    live: usize,
    /// Slots with unwritten traffic, each once: never more than are in use.
    moved: Vec<Slot>,
    /// Flows that ended with unwritten traffic; their slots may be in use again.
    ended: Vec<Tracked>,
    /// Extra flows of each socket, since only its first is told when it closes.
    extras: HashMap<u64, Vec<Slot>>,
    buckets: HashMap<ProcKey, Slot>,
    /// Rows that found no room, and the bytes in them.
    pub(crate) lost_rows: u64,
    pub(crate) lost_bytes: u64,
}

/// A flow as a reading found it.
pub(crate) struct Growth<'a> {
    pub(crate) tracked: &'a Tracked,
    pub(crate) delta: Counters,
}

impl Flows {
    pub(crate) fn live(&self) -> usize {
        self.live
    }

    /// Ended flows waiting to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.ended.len()
    }

    pub(crate) fn knows(&self, slot: Slot) -> bool {
        self.get(slot).is_some()
    }

    fn get(&self, slot: Slot) -> Option<&Tracked> {
        self.slots.get(slot.0 as usize)?.as_deref()
    }

    /// Begins to track a flow.
    pub(crate) fn begin(&mut self, reading: &Reading, process: Arc<Process>, container: Arc<str>) {
        // Nothing happens unless its end was missed: then its bytes are kept.
        self.end(reading.slot);
        let index = reading.slot.0 as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        match reading.kind {
            FlowKind::Extra | FlowKind::ManyPeers => {
                self.extras.entry(reading.flow.cookie).or_default().push(reading.slot);
            }
            FlowKind::Bucket => {
                self.buckets.insert(reading.owner, reading.slot);
            }
            FlowKind::First
            | FlowKind::Orphan
            | FlowKind::Executable { .. }
            | FlowKind::CatchAll => {}
        }
        let tracked = Box::new(Tracked {
            slot: reading.slot,
            kind: reading.kind,
            flow: reading.flow,
            process,
            container,
            uid: reading.uid,
            seen: Counters::default(),
            unwritten: Counters::default(),
            first_at: 0,
            last_at: 0,
            place: None,
            closing: false,
            orphaned: false,
        });
        if let Some(place) = self.slots.get_mut(index) {
            *place = Some(tracked);
            self.live += 1;
        }
    }

    /// Takes in a reading of a tracked flow.
    pub(crate) fn grow(&mut self, reading: &Reading, now: i64) -> Option<Growth<'_>> {
        let tracked = self.slots.get_mut(reading.slot.0 as usize)?.as_deref_mut()?;
        let delta = reading.total.since(tracked.seen);
        tracked.seen = reading.total;
        if !delta.is_zero() {
            if tracked.unwritten.is_zero() {
                tracked.first_at = now;
                tracked.place = Some(self.moved.len());
                self.moved.push(reading.slot);
            }
            tracked.unwritten += delta;
            tracked.last_at = now;
        }
        Some(Growth { tracked, delta })
    }

    /// A flow ended. What is unwritten of it stays until the next row.
    pub(crate) fn end(&mut self, slot: Slot) -> Option<FlowKind> {
        let tracked = self.slots.get_mut(slot.0 as usize)?.take()?;
        self.live = self.live.saturating_sub(1);
        if let Some(place) = tracked.place {
            self.unlist(place);
        }
        match tracked.kind {
            FlowKind::Extra | FlowKind::ManyPeers => {
                if let Some(slots) = self.extras.get_mut(&tracked.flow.cookie) {
                    slots.retain(|other| *other != slot);
                    if slots.is_empty() {
                        self.extras.remove(&tracked.flow.cookie);
                    }
                }
            }
            FlowKind::Bucket => {
                // One that was idle may have a successor already.
                if self.buckets.get(&tracked.process.key) == Some(&slot) {
                    self.buckets.remove(&tracked.process.key);
                }
            }
            FlowKind::First
            | FlowKind::Orphan
            | FlowKind::Executable { .. }
            | FlowKind::CatchAll => {}
        }
        let kind = tracked.kind;
        if self.ended.len() >= ENDED_MAX {
            self.lost_rows += u64::from(!tracked.unwritten.is_zero());
            self.lost_bytes += tracked.unwritten.send.saturating_add(tracked.unwritten.recv);
        } else if !tracked.unwritten.is_zero() {
            self.ended.push(*tracked);
        }
        Some(kind)
    }

    /// Takes a slot off the list of those that moved; the last one takes its place.
    fn unlist(&mut self, place: usize) {
        if place >= self.moved.len() {
            return;
        }
        self.moved.swap_remove(place);
        if let Some(slot) = self.moved.get(place)
            && let Some(Some(tracked)) = self.slots.get_mut(slot.0 as usize)
        {
            tracked.place = Some(place);
        }
    }

    /// The extra flows of a socket that closed, each once.
    pub(crate) fn closing_extras(&mut self, cookie: u64) -> Vec<(Slot, FlowKind)> {
        let slots = self.extras.get(&cookie).cloned().unwrap_or_default();
        slots.into_iter().filter_map(|slot| self.start_closing(slot)).collect()
    }

    /// The buckets of processes that are gone.
    pub(crate) fn closing_buckets(&mut self, gone: &[ProcKey]) -> Vec<(Slot, FlowKind)> {
        let slots: Vec<_> = gone.iter().filter_map(|key| self.buckets.get(key).copied()).collect();
        slots.into_iter().filter_map(|slot| self.start_closing(slot)).collect()
    }

    pub(crate) fn has_bucket(&self, owner: ProcKey) -> bool {
        self.buckets.contains_key(&owner)
    }

    /// Flows that have long been idle and can begin anew: all but the sockets' own. A connection
    /// without storage is kept, since how far it was read would be forgotten with it.
    pub(crate) fn idle(&mut self, now: i64) -> Vec<(Slot, FlowKind)> {
        const TCP: u16 = 6;
        let idle: Vec<Slot> = self
            .slots
            .iter()
            .flatten()
            .filter(|tracked| match tracked.kind {
                FlowKind::Orphan => tracked.flow.protocol != TCP,
                FlowKind::First | FlowKind::CatchAll => false,
                FlowKind::Extra
                | FlowKind::ManyPeers
                | FlowKind::Bucket
                | FlowKind::Executable { .. } => true,
            })
            // A clock that was set back makes a flow look young, never old.
            .filter(|tracked| now.saturating_sub(tracked.last_at) > IDLE)
            .map(|tracked| tracked.slot)
            .collect();
        idle.into_iter().filter_map(|slot| self.start_closing(slot)).collect()
    }

    /// Notes that a flow is on its way out; `None` if it was noted before: a slot that is given
    /// back twice would belong to two sockets.
    pub(crate) fn start_closing(&mut self, slot: Slot) -> Option<(Slot, FlowKind)> {
        let tracked = self.slots.get_mut(slot.0 as usize)?.as_deref_mut()?;
        if tracked.closing {
            return None;
        }
        tracked.closing = true;
        Some((slot, tracked.kind))
    }

    /// First flows of sockets: the ones that a sweep may find without a socket.
    pub(crate) fn first_flows(&self) -> Vec<Slot> {
        self.slots
            .iter()
            .flatten()
            .filter(|tracked| tracked.kind == FlowKind::First)
            .map(|tracked| tracked.slot)
            .collect()
    }

    /// A sweep found the flow's socket, or not. True if it is gone: a slot that went to another
    /// socket while its own still lived would be the end of exactness, so one sweep is not
    /// believed alone.
    pub(crate) fn swept(&mut self, slot: Slot, has_socket: bool) -> bool {
        let Some(Some(tracked)) = self.slots.get_mut(slot.0 as usize) else { return false };
        let gone = tracked.orphaned && !has_socket && tracked.kind == FlowKind::First;
        tracked.orphaned = !has_socket;
        gone
    }

    /// True if some flow's end is not told by the kernel side.
    pub(crate) fn any_ends_unseen(&self) -> bool {
        self.slots.iter().flatten().any(|tracked| {
            tracked.kind == FlowKind::First
                && (tracked.flow.family == FlowKey::AF_PACKET
                    || tracked.process.key == ProcKey::KERNEL)
        })
    }

    /// Everything unwritten, each flow once.
    pub(crate) fn take_unwritten(&mut self) -> Vec<Tracked> {
        let mut out = Vec::with_capacity(self.moved.len() + self.ended.len());
        for slot in std::mem::take(&mut self.moved) {
            if let Some(Some(tracked)) = self.slots.get_mut(slot.0 as usize) {
                tracked.place = None;
                out.push(Tracked::clone(tracked));
                tracked.unwritten = Counters::default();
            }
        }
        out.append(&mut self.ended);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processes::Processes;
    use crate::testing::{key, reading};
    use proptest::prelude::*;

    fn begun(reading: &Reading) -> Flows {
        let mut flows = Flows::default();
        let process = Processes::new(16).get(ProcKey::KERNEL).unwrap();
        flows.begin(reading, process, "".into());
        flows
    }

    proptest! {
        /// However readings, rows and ends of flows fall, every byte is written once, and what is
        /// to be written does not pile up.
        #[test]
        fn every_byte_is_written_once(
            steps in prop::collection::vec((0..4u32, 0..5000u64, 0..8u8), 1..200)
        ) {
            let process = Processes::new(16).get(ProcKey::KERNEL).unwrap();
            let sum = |flows: &mut Flows| {
                let taken = flows.take_unwritten();
                assert!(taken.iter().all(|t| !t.unwritten.is_zero()));
                taken.iter().map(|t| t.unwritten.send).sum::<u64>()
            };
            let (mut total, mut written) = (0, 0);
            let mut sent = [0; 4];
            let mut flows = Flows::default();
            for (slot, grown, what) in steps {
                let own = &mut sent[slot as usize];
                if !flows.knows(Slot(slot)) {
                    *own = 0;
                    let fresh = reading(slot, key(1, 1), 0, 0);
                    flows.begin(&fresh, Arc::clone(&process), "".into());
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
        let process = Processes::new(16).get(ProcKey::KERNEL).unwrap();
        for _ in 0..1000 {
            flows.begin(&reading(3, key(1, 1), 0, 0), Arc::clone(&process), "".into());
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
        let process = Processes::new(16).get(ProcKey::KERNEL).unwrap();
        flows.begin(&reading(3, key(2, 1), 0, 0), process, "".into());
        assert_eq!((flows.live(), flows.take_unwritten().len()), (1, 1));
    }

    #[test]
    fn without_a_writer_memory_is_bounded_and_the_loss_counted() {
        let mut flows = Flows::default();
        let process = Processes::new(16).get(ProcKey::KERNEL).unwrap();
        for _ in 0..ENDED_MAX + 7 {
            flows.begin(&reading(3, key(1, 1), 0, 0), Arc::clone(&process), "".into());
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
        let process = Processes::new(16).get(ProcKey::KERNEL).unwrap();
        flows.begin(&reading(3, key(2, 1), 0, 0), process, "".into());
        flows.grow(&reading(3, key(2, 1), 40, 0), 2);
        let sent: Vec<u64> = flows.take_unwritten().iter().map(|t| t.unwritten.send).collect();
        assert_eq!(sent, [40, 100]);
    }

    #[test]
    fn extras_follow_their_socket_and_are_asked_for_once() {
        let mut first = reading(3, key(1, 1), 0, 0);
        let mut flows = begun(&first);
        first.slot = Slot(4);
        first.kind = FlowKind::Extra;
        let process = Processes::new(16).get(ProcKey::KERNEL).unwrap();
        flows.begin(&first, process, "".into());
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
        let process = Processes::new(16).get(ProcKey::KERNEL).unwrap();
        bucket.slot = Slot(5);
        flows.begin(&bucket, process, "".into());
        flows.end(Slot(4));
        assert_eq!(flows.closing_buckets(&[key(1, 1)]), [(Slot(5), FlowKind::Bucket)]);
    }
}
