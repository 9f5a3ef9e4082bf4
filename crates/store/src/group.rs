//! Adding up. SQLite groups by sorting every row; a hash table over the interned numbers is
//! several times faster and needs memory for the groups only.

use std::collections::HashMap;

use rusqlite::Row;
use serde::Serialize;

use crate::classify::Sql;

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
    /// Columns of `traffic`.
    pub(crate) const COLUMNS: &'static str =
        "send, recv, wire_send, wire_recv, events, begun, failed, retrans, rtt_us";

    /// Reads one row of traffic, whose sums begin at column `first`.
    pub(crate) fn read(row: &Row<'_>, first: usize) -> Sql<Self> {
        let count = |at: usize| -> Sql<Option<u64>> {
            let value: Option<i64> = row.get(first + at)?;
            // The writer stores no negative numbers.
            Ok(value.map(|value| u64::try_from(value).unwrap_or(0)))
        };
        Ok(Self {
            send: count(0)?.unwrap_or(0),
            recv: count(1)?.unwrap_or(0),
            wire_send: count(2)?,
            wire_recv: count(3)?,
            events: count(4)?.unwrap_or(0),
            connections: count(5)?.unwrap_or(0),
            failed: count(6)?.unwrap_or(0),
            retrans: count(7)?.unwrap_or(0),
            rtt_us: count(8)?,
        })
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

fn add_measured(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

/// Sums by the numbers in the first columns of the rows.
#[derive(Debug, Default)]
pub(crate) struct Groups(pub(crate) HashMap<Box<[i64]>, Sums>);

impl Groups {
    /// Adds a row with `keys` columns of keys, followed by the sums. `buffer` saves an allocation
    /// per row.
    pub(crate) fn add(&mut self, row: &Row<'_>, keys: usize, buffer: &mut Vec<i64>) -> Sql<()> {
        buffer.clear();
        for column in 0..keys {
            buffer.push(row.get(column)?);
        }
        let sums = Sums::read(row, keys)?;
        match self.0.get_mut(buffer.as_slice()) {
            Some(group) => group.add(sums),
            None => {
                self.0.insert(buffer.as_slice().into(), sums);
            }
        }
        Ok(())
    }
}
