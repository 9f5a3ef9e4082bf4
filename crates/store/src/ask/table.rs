//! Sums of many groups, by column: what is added is added a column at a time.

use crate::group::Sums;

use super::batch::Batch;
use super::batch::Column;
use super::batch::at;
use super::batch::wire;

/// Bits of what was measured.
const WIRE_SEND: u8 = 1;
const WIRE_RECV: u8 = 2;

/// Sums, by place.
#[derive(Debug, Default)]
pub(super) struct Table {
    send: Vec<u64>,
    recv: Vec<u64>,
    wire_send: Vec<u64>,
    wire_recv: Vec<u64>,
    events: Vec<u64>,
    connections: Vec<u64>,
    failed: Vec<u64>,
    retrans: Vec<u64>,
    /// [`u64::MAX`]: none was measured.
    rtt: Vec<u64>,
    measured: Vec<u8>,
}

fn place(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// Adds what `value` says of each row to where it belongs.
fn add(to: &mut [u64], (rows, places): (&[u32], &[u32]), column: &[u64]) {
    if column.is_empty() {
        return;
    }
    for (row, at_place) in rows.iter().zip(places) {
        if let Some(sum) = to.get_mut(place(*at_place)) {
            *sum = sum.saturating_add(at(column, *row));
        }
    }
}

impl Table {
    pub(super) fn clear(&mut self) {
        for column in self.counts() {
            column.clear();
        }
        self.rtt.clear();
        self.measured.clear();
    }

    fn counts(&mut self) -> [&mut Vec<u64>; 8] {
        [
            &mut self.send,
            &mut self.recv,
            &mut self.wire_send,
            &mut self.wire_recv,
            &mut self.events,
            &mut self.connections,
            &mut self.failed,
            &mut self.retrans,
        ]
    }

    /// Makes room for so many.
    pub(super) fn grow(&mut self, len: usize) {
        for column in self.counts() {
            column.resize(len, 0);
        }
        self.rtt.resize(len, u64::MAX);
        self.measured.resize(len, 0);
    }

    /// Adds the rows of `batch` to the places beside them. All columns have to be loaded.
    pub(super) fn add(&mut self, batch: &Batch, (rows, places): (&[u32], &[u32])) {
        let which = (rows, places);
        add(&mut self.send, which, batch.sums(Column::Send));
        add(&mut self.recv, which, batch.sums(Column::Recv));
        add(&mut self.events, which, batch.sums(Column::Events));
        add(&mut self.connections, which, batch.sums(Column::Connections));
        add(&mut self.failed, which, batch.sums(Column::Failed));
        add(&mut self.retrans, which, batch.sums(Column::Retrans));
        let measured = &mut self.measured;
        for (to, code, payload, bit) in [
            (&mut self.wire_send, Column::WireSend, Column::Send, WIRE_SEND),
            (&mut self.wire_recv, Column::WireRecv, Column::Recv, WIRE_RECV),
        ] {
            let (codes, payload) = (batch.sums(code), batch.sums(payload));
            if codes.is_empty() {
                continue;
            }
            for (row, at_place) in rows.iter().zip(places) {
                if let Some(bytes) = wire(at(codes, *row), at(payload, *row))
                    && let Some(sum) = to.get_mut(place(*at_place))
                    && let Some(bits) = measured.get_mut(place(*at_place))
                {
                    *sum = sum.saturating_add(bytes);
                    *bits |= bit;
                }
            }
        }
        let codes = batch.sums(Column::Rtt);
        if !codes.is_empty() {
            for (row, at_place) in rows.iter().zip(places) {
                if let Some(least) = self.rtt.get_mut(place(*at_place)) {
                    // None, which is 0, becomes the largest number.
                    *least = (*least).min(at(codes, *row).wrapping_sub(1));
                }
            }
        }
    }

    /// What groups are ranked by, as [`Sums::size`].
    pub(super) fn size(&self, place: usize) -> (u64, u64) {
        let number = |column: &[u64]| column.get(place).copied().unwrap_or(0);
        (number(&self.send).saturating_add(number(&self.recv)), number(&self.connections))
    }

    pub(super) fn get(&self, place: usize) -> Sums {
        let number = |column: &[u64]| column.get(place).copied().unwrap_or(0);
        let bits = self.measured.get(place).copied().unwrap_or(0);
        let rtt = self.rtt.get(place).copied().filter(|least| *least != u64::MAX);
        Sums {
            send: number(&self.send),
            recv: number(&self.recv),
            wire_send: (bits & WIRE_SEND != 0).then(|| number(&self.wire_send)),
            wire_recv: (bits & WIRE_RECV != 0).then(|| number(&self.wire_recv)),
            events: number(&self.events),
            connections: number(&self.connections),
            failed: number(&self.failed),
            retrans: number(&self.retrans),
            rtt_us: rtt,
        }
    }
}
