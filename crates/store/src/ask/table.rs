//! Sums of many groups, all of one beside each other: what is added to it is added at once.

use crate::group::Sums;
use crate::group::wire;

use super::rows::Column;
use super::rows::Rows;
use super::rows::each_row;

/// Bits of what was measured, and of whether anything was added.
const WIRE_SEND: u8 = 1;
const WIRE_RECV: u8 = 2;
const ANY: u8 = 4;

/// The sums of a group.
#[derive(Debug, Clone, Copy)]
struct Line {
    send: u64,
    recv: u64,
    wire_send: u64,
    wire_recv: u64,
    events: u64,
    connections: u64,
    failed: u64,
    retrans: u64,
    /// [`u64::MAX`]: none was measured.
    rtt: u64,
    bits: u8,
}

const EMPTY: Line = Line {
    send: 0,
    recv: 0,
    wire_send: 0,
    wire_recv: 0,
    events: 0,
    connections: 0,
    failed: 0,
    retrans: 0,
    rtt: u64::MAX,
    bits: 0,
};

fn add(to: &mut u64, more: u64) {
    *to = to.saturating_add(more);
}

/// Sums, by place.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Line>);

impl Table {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Makes room for so many.
    pub(super) fn grow(&mut self, len: usize) {
        self.0.resize(len, EMPTY);
    }

    /// Forgets places to which nothing was added; shows the others to `each`.
    pub(super) fn settle(&mut self, mut each: impl FnMut(usize)) {
        let mut places = 0..self.0.len();
        self.0.retain(|line| {
            let any = line.bits & ANY != 0;
            places.next().filter(|_| any).into_iter().for_each(&mut each);
            any
        });
    }

    fn line(&self, place: usize) -> Line {
        self.0.get(place).copied().unwrap_or(EMPTY)
    }

    fn line_mut(&mut self, places: &[u32], nth: usize) -> Option<&mut Line> {
        let place = usize::try_from(*places.get(nth)?).ok()?;
        self.0.get_mut(place)
    }

    /// Adds the rows of `batch` to the places beside them: all columns.
    pub(super) fn add(&mut self, batch: &Rows, (rows, places): (&[u32], &[u32])) {
        each_row!((batch, rows), |nth,
                                  send: Send,
                                  recv: Recv,
                                  wire_send: WireSend,
                                  wire_recv: WireRecv,
                                  events: Events,
                                  connections: Connections,
                                  failed: Failed,
                                  retrans: Retrans,
                                  rtt: Rtt| {
            let Some(line) = self.line_mut(places, nth) else { continue };
            line.bits |= ANY;
            add(&mut line.send, send);
            add(&mut line.recv, recv);
            add(&mut line.events, events);
            add(&mut line.connections, connections);
            add(&mut line.failed, failed);
            add(&mut line.retrans, retrans);
            if let Some(bytes) = wire(wire_send, send) {
                add(&mut line.wire_send, bytes);
                line.bits |= WIRE_SEND;
            }
            if let Some(bytes) = wire(wire_recv, recv) {
                add(&mut line.wire_recv, bytes);
                line.bits |= WIRE_RECV;
            }
            // None, which is 0, becomes the largest number.
            line.rtt = line.rtt.min(rtt.wrapping_sub(1));
        });
    }

    /// Likewise no more than what groups are ranked by.
    pub(super) fn add_ranks(&mut self, batch: &Rows, (rows, places): (&[u32], &[u32])) {
        each_row!((batch, rows), |nth, send: Send, recv: Recv, connections: Connections| {
            let Some(line) = self.line_mut(places, nth) else { continue };
            line.bits |= ANY;
            add(&mut line.send, send);
            add(&mut line.recv, recv);
            add(&mut line.connections, connections);
        });
    }

    /// What groups are ranked by, as [`Sums::size`].
    pub(super) fn size(&self, place: usize) -> (u64, u64) {
        let line = self.line(place);
        (line.send.saturating_add(line.recv), line.connections)
    }

    pub(super) fn get(&self, place: usize) -> Sums {
        let Line { send, recv, wire_send, wire_recv, .. } = self.line(place);
        let Line { events, connections, failed, retrans, rtt, bits, .. } = self.line(place);
        Sums {
            send,
            recv,
            wire_send: (bits & WIRE_SEND != 0).then_some(wire_send),
            wire_recv: (bits & WIRE_RECV != 0).then_some(wire_recv),
            events,
            connections,
            failed,
            retrans,
            rtt_us: (rtt != u64::MAX).then_some(rtt),
        }
    }
}
