//! Rows of traffic, many in one row of the database: a column is a text with a character a row.
//!
//! Rows as such would cost three times as much, and take ten times as long to read. SQLite can
//! still take the texts apart, so that `connections` remains a view that everybody can select.

mod build;
mod digits;
mod read;

use rusqlite::Row;

use crate::classify::Sql;

pub(crate) use build::Builder;
pub(crate) use build::COLUMNS;
pub(crate) use build::fitted;
pub(crate) use read::Block;
pub(crate) use read::Field;
pub(crate) use read::Which;
pub(crate) use read::one;
pub(crate) use read::scan;

/// Rows of a full block. More would make the views slower, which find a row's character by
/// counting; fewer cost more for each.
pub(crate) const BLOCK_ROWS: usize = 512;
/// No block has rows of two days (UTC), so that what lies in a time is found by where it begins.
pub(crate) const BLOCK_SPAN: i64 = 86_400;

/// A row of traffic as the database has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) contime: i64,
    pub(crate) actor: i64,
    pub(crate) process: i64,
    /// `None`: the process' own.
    pub(crate) pid: Option<i64>,
    pub(crate) peer: i64,
    /// The port that the peer leaves open ([`crate::parties::Loose`]).
    pub(crate) port: i64,
    pub(crate) send: i64,
    pub(crate) recv: i64,
    pub(crate) wire_send: Option<i64>,
    pub(crate) wire_recv: Option<i64>,
    pub(crate) events: i64,
    pub(crate) begun: i64,
    pub(crate) ended: i64,
    pub(crate) failed: i64,
    pub(crate) error: i64,
    pub(crate) rtt_us: Option<i64>,
    pub(crate) retrans: i64,
}

impl Stored {
    /// Columns of `staged`, as [`Stored::read`] wants them.
    pub(crate) const COLUMNS: &'static str = "contime, actor_id, process_id, pid, peer_id, port, \
        send, recv, wire_send, wire_recv, events, begun, ended, failed, error, rtt_us, retrans";

    /// Reads a row of `staged`, whose columns begin at `first`.
    pub(crate) fn read(row: &Row<'_>, first: usize) -> Sql<Self> {
        let get = |at: usize| row.get::<_, i64>(first + at);
        let maybe = |at: usize| row.get::<_, Option<i64>>(first + at);
        Ok(Self {
            contime: get(0)?,
            actor: get(1)?,
            process: get(2)?,
            pid: maybe(3)?,
            peer: get(4)?,
            port: get(5)?,
            send: get(6)?,
            recv: get(7)?,
            wire_send: maybe(8)?,
            wire_recv: maybe(9)?,
            events: get(10)?,
            begun: get(11)?,
            ended: get(12)?,
            failed: get(13)?,
            error: get(14)?,
            rtt_us: maybe(15)?,
            retrans: get(16)?,
        })
    }

    /// Numbers that are others than those of `other`.
    pub(crate) fn differences(&self, other: &Self) -> u64 {
        let differ = [
            self.send != other.send,
            self.recv != other.recv,
            self.wire_send != other.wire_send,
            self.wire_recv != other.wire_recv,
            self.events != other.events,
            self.begun != other.begun,
            self.ended != other.ended,
            self.failed != other.failed,
            self.rtt_us != other.rtt_us,
            self.retrans != other.retrans,
        ];
        differ.into_iter().map(u64::from).sum()
    }

    /// The place in the list of outcomes ([`crate::dimension`]).
    pub(crate) fn outcome(&self) -> u64 {
        outcome(self.ended, self.failed, self.error)
    }
}

/// What became of a connection: the place in the list of outcomes. ECONNREFUSED 111, ETIMEDOUT 110,
/// EHOSTUNREACH 113, ENETUNREACH 101, ECONNRESET 104.
pub(crate) fn outcome(ended: i64, failed: i64, error: i64) -> u64 {
    match (error, failed, ended) {
        (111, ..) => 2,
        (110, ..) => 3,
        (113 | 101, ..) => 4,
        (104, ..) => 5,
        (_, 1.., _) => 6,
        (error, ..) if error != 0 => 7,
        (_, _, 1..) => 1,
        _ => 0,
    }
}
