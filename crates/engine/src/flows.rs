//! What moved: the last reading of every flow, and what is not in the history yet.

use std::collections::HashMap;
use std::sync::Arc;

use femtosnitch_model::{
    Counters, Direction, FlowKey, FlowKind, Headers, Naming, ProcKey, Process, Reading, SctpTotals,
    Slot, TcpTotals, Wire,
};

use crate::filter::Verdict;
use crate::news::News;
use crate::sctp;
use crate::wire;

/// A flow that need not live as long as its socket is given back when it did not move for this
/// many seconds.
const IDLE: i64 = 60;

/// A connection's first bytes, and with them its name, come within so many readings that show that
/// it moved.
const NAME_WITHIN: u8 = 5;

/// Ended flows that may wait for a writer that does not come: beyond, rows are lost and counted.
const ENDED_MAX: usize = 200_000;

/// A flow, its owner, and the part of its traffic that is not written yet.
#[derive(Debug, Clone)]
pub(crate) struct Tracked {
    pub(crate) slot: Slot,
    pub(crate) kind: FlowKind,
    pub(crate) flow: FlowKey,
    pub(crate) process: Arc<Process>,
    /// Real user id of the mover when the flow began: a daemon may have dropped its launcher's.
    pub(crate) uid: u32,
    pub(crate) direction: Direction,
    /// What the other end is called.
    pub(crate) naming: Naming,
    /// In how many more readings that may become known better.
    pub(crate) unnamed: u8,
    headers: Headers,
    /// As last read.
    seen: Counters,
    tcp: Option<Box<TcpTotals>>,
    sctp: Option<Box<SctpTotals>>,
    /// Since the last row, of one that was taken out to be written. Of others it is in
    /// [`Flows::moved`]: few flows move all the time.
    unwritten: Option<Box<Unwritten>>,
    /// Where there, if it moved.
    place: Option<u32>,
    /// Application bytes since the socket's bytes on the wire were last shared out.
    unshared: u64,
    last_at: i64,
    closing: bool,
    /// The last sweep found no socket for it.
    orphaned: bool,
    /// An AF_XDP socket that was told of.
    told: bool,
    /// What the filters said, once it is decided, and which: they may be replaced.
    judged: Option<(u32, Verdict)>,
}

/// What a flow did since its last row.
#[derive(Debug, Clone, Copy)]
struct Unwritten {
    slot: Slot,
    news: News,
    /// When the first of it was read.
    first_at: i64,
}

impl Tracked {
    /// What it did since the last row, once it was taken out.
    pub(crate) fn unwritten(&self) -> News {
        self.unwritten.as_ref().map(|unwritten| unwritten.news).unwrap_or_default()
    }

    /// When the first of that was read.
    pub(crate) fn first_at(&self) -> i64 {
        self.unwritten.as_ref().map(|unwritten| unwritten.first_at).unwrap_or_default()
    }

    /// Bytes on the wire since the last row, where they can be told.
    pub(crate) fn wire(&self) -> Option<Wire> {
        let known = self.sctp.is_some() || wire::is_known(self.kind, &self.flow, self.headers);
        known.then_some(self.unwritten().wire)
    }

    /// Smoothed round-trip time, if TCP has one.
    pub(crate) fn rtt_us(&self) -> Option<u32> {
        self.tcp.as_ref().map(|tcp| tcp.srtt_us).filter(|rtt| *rtt > 0)
    }

    /// What the filters with this number said, if they have decided.
    pub(crate) fn verdict(&self, filters: u32) -> Option<Verdict> {
        self.judged.filter(|(by, _)| *by == filters).map(|(_, verdict)| verdict)
    }

    /// The same; asks them if they have not. What they decide once holds for the whole flow.
    pub(crate) fn judge(&mut self, filters: u32, ask: impl FnOnce(&Self) -> Verdict) -> Verdict {
        if let Some(verdict) = self.verdict(filters) {
            return verdict;
        }
        let verdict = ask(self);
        // The name that decided may still become a better one.
        let holds = verdict.is_final() && self.unnamed == 0;
        self.judged = Some((filters, verdict)).filter(|_| holds);
        verdict
    }

    /// What a reading says that the one before did not.
    fn look(&mut self, reading: &Reading) -> News {
        let counters = reading.total.since(self.seen);
        self.seen = reading.total;
        let more = [
            reading.headers.send_more.wrapping_sub(self.headers.send_more),
            reading.headers.recv_more.wrapping_sub(self.headers.recv_more),
        ];
        self.headers = reading.headers;
        if self.flow.local.port == 0 {
            // A connection is seen before it has its port.
            self.flow.local.port = reading.flow.local.port;
        }
        if reading.flow.local.addr.is_some() {
            // Of a socket that is bound to none it shows with a packet.
            self.flow.local.addr = reading.flow.local.addr;
        }
        let mut news = News { counters, ..News::default() };
        let own = matches!(self.kind, FlowKind::First | FlowKind::Orphan);
        if self.flow.family == FlowKey::AF_XDP && own {
            // Not one byte of it is ever seen: that there is such a socket is the news.
            news.connections.begun = u32::from(!std::mem::replace(&mut self.told, true));
            news.connections.ended = u32::from(reading.closed);
        }
        if let Some(now) = &reading.tcp {
            let before = self.tcp.replace(now.clone());
            news.connections = News::of_connection(before.as_deref(), now, reading.closed);
            let before = before.unwrap_or_default();
            news.wire = wire::tcp(&self.flow, &before, now);
            news.retrans = u64::from(now.retrans.wrapping_sub(before.retrans));
        } else if let Some(now) = &reading.sctp {
            let before = self.sctp.replace(now.clone());
            let before = before.as_deref();
            news.wire = sctp::wire(&self.flow, self.direction, counters, more, before, now);
        } else if self.flow.protocol != FlowKey::TCP
            && wire::is_known(self.kind, &self.flow, self.headers)
        {
            news.wire = wire::datagrams(&self.flow, self.headers, counters, more);
        }
        news
    }
}

/// All flows, by slot.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    slots: Vec<Option<Box<Tracked>>>,
    live: usize,
    /// Unwritten traffic, each flow's once: never more than are in use.
    moved: Vec<Unwritten>,
    /// Flows that ended with unwritten traffic; their slots may be in use again.
    ended: Vec<Tracked>,
    /// Extra flows of each socket, since only its first is told when it closes.
    extras: HashMap<u64, Vec<Slot>>,
    buckets: HashMap<ProcKey, Slot>,
    /// Bytes on the wire of sockets that several use, not shared out yet: the socket's first flow
    /// has them all.
    sharing: HashMap<u64, (Slot, Wire)>,
    /// Rows that found no room, and the bytes in them.
    pub(crate) lost_rows: u64,
    pub(crate) lost_bytes: u64,
}

/// A flow as a reading found it.
pub(crate) struct Growth<'a> {
    pub(crate) tracked: &'a mut Tracked,
    pub(crate) news: News,
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
    pub(crate) fn begin(&mut self, reading: &Reading, process: Arc<Process>) {
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
            uid: reading.uid,
            direction: reading.direction,
            naming: Naming::default(),
            unnamed: NAME_WITHIN,
            headers: Headers { send_more: 0, recv_more: 0, ..reading.headers },
            seen: Counters::default(),
            tcp: None,
            sctp: None,
            unwritten: None,
            place: None,
            unshared: 0,
            last_at: 0,
            closing: false,
            orphaned: false,
            told: false,
            judged: None,
        });
        if let Some(place) = self.slots.get_mut(index) {
            *place = Some(tracked);
            self.live += 1;
        }
    }

    /// A flow whose other end's name may become known better, one reading fewer from now on.
    pub(crate) fn unnamed(&mut self, slot: Slot) -> Option<&mut Tracked> {
        let tracked = self.slots.get_mut(slot.0 as usize)?.as_deref_mut()?;
        tracked.unnamed = tracked.unnamed.checked_sub(1)?;
        Some(tracked)
    }

    /// Takes in a reading of a tracked flow.
    pub(crate) fn grow(&mut self, reading: &Reading, now: i64) -> Option<Growth<'_>> {
        let tracked = self.slots.get_mut(reading.slot.0 as usize)?.as_deref_mut()?;
        let news = tracked.look(reading);
        tracked.unshared = tracked.unshared.saturating_add(news.counters.send);
        tracked.unshared = tracked.unshared.saturating_add(news.counters.recv);
        let mut own = news;
        if news.wire.is_zero() {
            // Nothing to share.
        } else if reading.tcp.is_some() && self.extras.contains_key(&reading.flow.cookie) {
            own.wire = Wire::default();
            let shared = self.sharing.entry(reading.flow.cookie);
            shared.or_insert((reading.slot, Wire::default())).1 += news.wire;
        } else {
            tracked.unshared = 0;
        }
        self.note(reading.slot, own, now);
        let tracked = self.slots.get_mut(reading.slot.0 as usize)?.as_deref_mut()?;
        Some(Growth { tracked, news })
    }

    /// Adds to what is not written yet.
    fn note(&mut self, slot: Slot, news: News, now: i64) {
        let Some(Some(tracked)) = self.slots.get_mut(slot.0 as usize) else { return };
        if news.is_empty() {
            return;
        }
        let place = tracked.place.map_or(self.moved.len(), |place| place as usize);
        if place == self.moved.len() {
            tracked.place = u32::try_from(place).ok();
            self.moved.push(Unwritten { slot, news: News::default(), first_at: now });
        }
        if let Some(unwritten) = self.moved.get_mut(place) {
            unwritten.news += news;
        }
        tracked.last_at = now;
    }

    /// Shares out what a socket had on the wire among those who use it, by application bytes.
    fn settle(&mut self, cookie: u64) {
        let Some((first, wire)) = self.sharing.remove(&cookie) else { return };
        let mut slots = vec![first];
        slots.extend(self.extras.get(&cookie).into_iter().flatten());
        let parts: Vec<u64> =
            slots.iter().map(|slot| self.get(*slot).map_or(0, |t| t.unshared)).collect();
        let send = wire::share(wire.send, &parts);
        let recv = wire::share(wire.recv, &parts);
        for ((slot, send), recv) in slots.into_iter().zip(send).zip(recv) {
            let Some(Some(tracked)) = self.slots.get_mut(slot.0 as usize) else { continue };
            tracked.unshared = 0;
            let now = tracked.last_at;
            self.note(slot, News { wire: Wire { send, recv }, ..News::default() }, now);
        }
    }

    /// A flow ended. What is unwritten of it stays until the next row.
    pub(crate) fn end(&mut self, slot: Slot) -> Option<FlowKind> {
        if !self.sharing.is_empty()
            && let Some(cookie) = self.get(slot).map(|tracked| tracked.flow.cookie)
        {
            self.settle(cookie);
        }
        let mut tracked = self.slots.get_mut(slot.0 as usize)?.take()?;
        self.live = self.live.saturating_sub(1);
        if let Some(place) = tracked.place.take() {
            tracked.unwritten = self.unlist(place).map(Box::new);
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
            let Counters { send, recv, .. } = tracked.unwritten().counters;
            self.lost_rows += u64::from(tracked.unwritten.is_some());
            self.lost_bytes += send.saturating_add(recv);
        } else if tracked.unwritten.is_some() {
            self.ended.push(*tracked);
        }
        Some(kind)
    }

    /// Takes an entry out of what moved; the last one takes its place.
    fn unlist(&mut self, place: u32) -> Option<Unwritten> {
        let index = place as usize;
        if index >= self.moved.len() {
            return None;
        }
        let unwritten = self.moved.swap_remove(index);
        if let Some(other) = self.moved.get(index)
            && let Some(Some(tracked)) = self.slots.get_mut(other.slot.0 as usize)
        {
            tracked.place = Some(place);
        }
        Some(unwritten)
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
        let idle: Vec<Slot> = self
            .slots
            .iter()
            .flatten()
            .filter(|tracked| match tracked.kind {
                FlowKind::Orphan => tracked.flow.protocol != FlowKey::TCP,
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
                && (matches!(tracked.flow.family, FlowKey::AF_PACKET | FlowKey::AF_XDP)
                    || tracked.process.key == ProcKey::KERNEL)
        })
    }

    /// Everything unwritten, each flow once.
    pub(crate) fn take_unwritten(&mut self) -> Vec<Tracked> {
        let sharing: Vec<u64> = self.sharing.keys().copied().collect();
        for cookie in sharing {
            self.settle(cookie);
        }
        let mut out = Vec::with_capacity(self.moved.len() + self.ended.len());
        for unwritten in std::mem::take(&mut self.moved) {
            if let Some(Some(tracked)) = self.slots.get_mut(unwritten.slot.0 as usize) {
                tracked.place = None;
                let unwritten = Some(Box::new(unwritten));
                out.push(Tracked { unwritten, ..Tracked::clone(tracked) });
            }
        }
        out.append(&mut self.ended);
        out
    }
}

#[cfg(test)]
mod tests;
