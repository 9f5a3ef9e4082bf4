//! One connection as far as the feed tells of it.

use std::sync::Arc;

use crate::feed::{Direction, End, Flow, Who};

use super::traffic::Amounts;

/// Seconds for which a connection that is over is still shown.
const LINGER: f64 = 10.0;
/// Seconds after which what has no end of its own (datagrams) counts as over.
const IDLE: f64 = 60.0;

const TCP: u16 = 6;
const MPTCP: u16 = 262;
const SCTP: u16 = 132;

/// How a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// It is there.
    Open,
    /// A socket that waits.
    Listening,
    /// It has no end of its own, and nothing moved for some seconds.
    Idle,
    /// It is over, and how: in the words of `query --by outcome`.
    Over(&'static str),
}

impl State {
    /// In a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Listening => "listening",
            Self::Idle => "idle",
            Self::Over(outcome) => outcome,
        }
    }
}

/// A connection: a process and two ends.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The process.
    pub who: Arc<Who>,
    /// Its program's number.
    pub(super) group: u32,
    /// What the remote host is called, '' if that is not known.
    pub domain: Arc<str>,
    /// Where it is, '' if that is not known.
    pub country: Arc<str>,
    /// Who began.
    pub direction: Direction,
    /// When it was first seen, Unix seconds.
    pub first: f64,
    /// Whether that was its beginning: else it is older.
    pub begun: bool,
    /// When something happened last.
    pub last: f64,
    /// Since it was first seen.
    pub total: Amounts,
    /// In the sample of this number.
    pub(super) moved: (u64, Amounts),
    /// TCP's smoothed round-trip time as last told, in microseconds.
    pub rtt_us: Option<u32>,
    /// Segments sent again.
    pub retrans: u64,
    /// When it was over, and how.
    over: Option<(f64, &'static str)>,
}

impl Connection {
    pub(super) fn new(flow: &Flow, group: u32, country: Arc<str>, time: f64) -> Self {
        Self {
            who: Arc::clone(&flow.who),
            group,
            domain: Arc::clone(&flow.domain),
            country,
            direction: flow.direction,
            first: time,
            begun: flow.begun > 0,
            last: time,
            total: Amounts::default(),
            moved: (0, Amounts::default()),
            rtt_us: None,
            retrans: 0,
            over: None,
        }
    }

    /// Takes in what happened in the sample `now`, which ended at `time`.
    pub(super) fn add(&mut self, flow: &Flow, now: u64, time: f64) {
        if self.over.is_some() && (flow.begun > 0 || flow.send > 0 || flow.recv > 0) {
            // The same ends again.
            let country = Arc::clone(&self.country);
            *self = Self::new(flow, self.group, country, time);
        }
        let amounts = Amounts::of(flow);
        self.total.add(&amounts);
        if self.moved.0 != now {
            self.moved = (now, Amounts::default());
        }
        self.moved.1.add(&amounts);
        self.last = time;
        if !flow.domain.is_empty() {
            self.domain = Arc::clone(&flow.domain);
        }
        if flow.direction != Direction::Unknown {
            self.direction = flow.direction;
        }
        self.begun |= flow.begun > 0;
        self.rtt_us = flow.rtt_us.or(self.rtt_us);
        self.retrans = self.retrans.saturating_add(flow.retrans);
        if flow.ended > 0 && flow.ended >= flow.begun {
            self.over = Some((time, outcome(flow)));
        }
        if !Arc::ptr_eq(&self.who, &flow.who) {
            self.who = Arc::clone(&flow.who);
        }
    }

    /// How it is.
    #[must_use]
    pub fn state(&self, ends: &End, time: f64) -> State {
        match self.over {
            Some((_, outcome)) => State::Over(outcome),
            None if self.direction == Direction::Listening => State::Listening,
            None if !has_end(ends) && time - self.last > LINGER => State::Idle,
            None => State::Open,
        }
    }

    /// Whether it counts as a connection that is open now.
    #[must_use]
    pub fn is_open(&self, ends: &End, time: f64) -> bool {
        matches!(self.state(ends, time), State::Open)
    }

    /// Whether there is nothing more to show of it.
    pub(super) fn is_gone(&self, ends: &End, time: f64) -> bool {
        match self.over {
            Some((when, _)) => time - when > LINGER,
            None => !has_end(ends) && time - self.last > IDLE,
        }
    }

    /// Whether its end may have been told by events that did not get here (the last at `missed`), and
    /// nothing has been heard of it for long.
    pub(super) fn may_be_over(&self, missed: f64, time: f64) -> bool {
        self.last <= missed && time - self.last > IDLE
    }

    /// Whether it makes room where there is none.
    pub(super) fn may_go(&self, ends: &End, time: f64) -> bool {
        self.over.is_some() || (!has_end(ends) && time - self.last > LINGER)
    }
}

/// Whether the end of such a connection is told.
fn has_end(ends: &End) -> bool {
    matches!(ends.protocol, TCP | MPTCP | SCTP)
}

/// As the store words it. ECONNREFUSED 111, ETIMEDOUT 110, EHOSTUNREACH 113, ENETUNREACH 101,
/// ECONNRESET 104.
fn outcome(flow: &Flow) -> &'static str {
    match (flow.error, flow.failed) {
        (111, _) => "refused",
        (110, _) => "timeout",
        (113 | 101, _) => "unreachable",
        (104, _) => "reset",
        (_, 1..) => "aborted",
        (0, _) => "closed",
        _ => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(protocol: u16) -> Flow {
        Flow {
            who: Arc::default(),
            ends: End { protocol, ..End::default() },
            domain: Arc::from(""),
            direction: Direction::Outgoing,
            error: 0,
            send: 0,
            recv: 0,
            wire: [None, None],
            begun: 0,
            ended: 0,
            failed: 0,
            rtt_us: None,
            retrans: 0,
        }
    }

    fn new(first: &Flow, time: f64) -> Connection {
        let mut connection = Connection::new(first, 0, Arc::from(""), time);
        connection.add(first, 1, time);
        connection
    }

    #[test]
    fn a_tcp_connection_stays_open_until_its_end_is_told() {
        let begin = Flow { begun: 1, send: 5, ..flow(TCP) };
        let mut it = new(&begin, 100.0);
        assert!(it.begun && it.is_open(&begin.ends, 9_000.0) && !it.is_gone(&begin.ends, 9_000.0));
        it.add(&Flow { ended: 1, recv: 7, error: 104, ..flow(TCP) }, 2, 101.0);
        assert_eq!(it.state(&begin.ends, 101.0), State::Over("reset"));
        assert!(!it.is_gone(&begin.ends, 105.0) && it.is_gone(&begin.ends, 112.0));
        assert_eq!(it.total.payload, [7, 5]);
        // Its ports are used again.
        it.add(&begin, 3, 106.0);
        assert_eq!((it.first, it.total.payload), (106.0, [0, 5]));
        assert!(it.is_open(&begin.ends, 106.0));
    }

    #[test]
    fn datagrams_end_by_themselves() {
        let it = new(&Flow { send: 5, ..flow(17) }, 100.0);
        let ends = flow(17).ends;
        assert!(!it.begun && it.is_open(&ends, 105.0));
        assert_eq!(it.state(&ends, 120.0), State::Idle);
        assert!(!it.is_gone(&ends, 120.0) && it.is_gone(&ends, 161.0));
    }

    #[test]
    fn what_failed_says_how() {
        for (error, failed, told) in [
            (111, 1, "refused"),
            (110, 1, "timeout"),
            (113, 1, "unreachable"),
            (0, 0, "closed"),
            (0, 1, "aborted"),
            (32, 0, "error"),
        ] {
            let failed = Flow { begun: 1, ended: 1, failed, error, ..flow(TCP) };
            assert_eq!(new(&failed, 1.0).state(&failed.ends, 1.0), State::Over(told));
        }
        let listens = Flow { begun: 1, direction: Direction::Listening, ..flow(TCP) };
        assert_eq!(new(&listens, 1.0).state(&listens.ends, 1.0), State::Listening);
    }
}
