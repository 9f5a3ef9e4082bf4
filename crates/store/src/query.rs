//! Questions to the history, and answers.

use std::ops::Range;

use serde::Serialize;

use crate::Dimension;
use crate::Filter;
use crate::group::Sums;

/// Traffic of a time span, filtered, grouped and added up.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// From this unix second on; `None` from the beginning.
    pub since: Option<i64>,
    /// Up to, but not including, this unix second; `None` to the end.
    pub until: Option<i64>,
    /// One answer per combination of these; empty for one grand total.
    pub by: Vec<Dimension>,
    /// Of those of one dimension that are not negated one must hold, of the others all.
    pub filters: Vec<Filter>,
    /// At most this many answers, the largest.
    pub limit: Option<usize>,
}

impl Query {
    /// The time that it is about.
    pub(crate) fn time(&self) -> Range<i64> {
        self.since.unwrap_or(i64::MIN)..self.until.unwrap_or(i64::MAX)
    }
}

/// The value of one dimension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum Key {
    /// Ports, ids, IPPROTO_* and AF_* numbers, times.
    Number(i64),
    /// Everything else; '' where unknown or none. Text from the outside as recorded: show it
    /// through [`femtosnitch_model::printable`].
    Text(String),
}

/// The traffic of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// One per [`Query::by`], in that order.
    pub keys: Vec<Key>,
    /// Application bytes sent.
    pub send: u64,
    /// Application bytes received.
    pub recv: u64,
    /// Bytes sent at the IP layer by what was measured; `None` if nothing was.
    pub wire_send: Option<u64>,
    /// Bytes received at the IP layer by what was measured; `None` if nothing was.
    pub wire_recv: Option<u64>,
    /// Send and receive calls.
    pub events: u64,
    /// Connections begun: connect(2) was called, one was accepted, or a socket listens. 0 for
    /// traffic of protocols without connections, and of connections older than the time asked for.
    pub connections: u64,
    /// Attempts that never became a connection.
    pub failed: u64,
    /// TCP segments sent again.
    pub retrans: u64,
    /// The best smoothed round-trip time seen, in microseconds; `None` if none was measured.
    pub rtt_us: Option<u64>,
}

impl Answer {
    pub(crate) fn new(keys: Vec<Key>, sums: &Sums) -> Self {
        Self {
            keys,
            send: sums.send,
            recv: sums.recv,
            wire_send: sums.wire_send,
            wire_recv: sums.wire_recv,
            events: sums.events,
            connections: sums.connections,
            failed: sums.failed,
            retrans: sums.retrans,
            rtt_us: sums.rtt_us,
        }
    }

    /// Its traffic, without whose it is.
    #[must_use]
    pub fn sums(&self) -> Sums {
        Sums {
            send: self.send,
            recv: self.recv,
            wire_send: self.wire_send,
            wire_recv: self.wire_recv,
            events: self.events,
            connections: self.connections,
            failed: self.failed,
            retrans: self.retrans,
            rtt_us: self.rtt_us,
        }
    }
}

/// User names, which only the caller can know.
pub trait Users {
    /// Name of a user id, if it has one.
    fn name(&self, uid: u32) -> Option<String>;
    /// User id of a name, if there is one.
    fn uid(&self, name: &str) -> Option<u32>;
}

/// Knows no names: users are shown, and asked for, by number.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoUsers;

impl Users for NoUsers {
    fn name(&self, _uid: u32) -> Option<String> {
        None
    }

    fn uid(&self, _name: &str) -> Option<u32> {
        None
    }
}
