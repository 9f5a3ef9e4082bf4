//! Sums of traffic.

use serde::Serialize;

use crate::blocks::Stored;

/// Sums of traffic, each as in [`crate::Answer`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Application bytes sent.
    pub send: u64,
    /// Application bytes received.
    pub recv: u64,
    /// Bytes sent at the IP layer, `None` where not measured.
    pub wire_send: Option<u64>,
    /// Bytes received at the IP layer, `None` where not measured.
    pub wire_recv: Option<u64>,
    /// Send and receive calls.
    pub events: u64,
    /// Connections begun.
    pub connections: u64,
    /// Attempts that never became a connection.
    pub failed: u64,
    /// TCP segments sent again.
    pub retrans: u64,
    /// The best round-trip time in microseconds, `None` if none was measured.
    pub rtt_us: Option<u64>,
}

impl Sums {
    /// What groups are ranked by: bytes and then (as refused connections have none) connections.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.send.saturating_add(self.recv), self.connections)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.send = self.send.saturating_add(other.send);
        self.recv = self.recv.saturating_add(other.recv);
        self.wire_send = add_measured(self.wire_send, other.wire_send);
        self.wire_recv = add_measured(self.wire_recv, other.wire_recv);
        self.events = self.events.saturating_add(other.events);
        self.connections = self.connections.saturating_add(other.connections);
        self.failed = self.failed.saturating_add(other.failed);
        self.retrans = self.retrans.saturating_add(other.retrans);
        self.rtt_us = match (self.rtt_us, other.rtt_us) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

impl From<&Stored> for Sums {
    fn from(row: &Stored) -> Self {
        // The writer stores no negative numbers.
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        Self {
            send: count(row.send),
            recv: count(row.recv),
            wire_send: row.wire_send.map(count),
            wire_recv: row.wire_recv.map(count),
            events: count(row.events),
            connections: count(row.begun),
            failed: count(row.failed),
            retrans: count(row.retrans),
            rtt_us: row.rtt_us.map(count),
        }
    }
}

/// Bytes on the wire, as blocks and sums store them: 0 where they were not measured, else how much
/// more than the payload (zigzag), and one more.
pub(crate) fn wire(code: u64, payload: u64) -> Option<u64> {
    let zigzag = code.checked_sub(1)?;
    Some(payload.wrapping_add((zigzag >> 1) ^ (zigzag & 1).wrapping_neg()))
}

fn add_measured(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}
