//! The list of a program's connections.

use std::sync::Arc;

use crate::feed::{Direction, End, Who};
use crate::text::protocol_name;

use super::connection::State;
use super::model::Model;
use super::rows::Row;
use super::traffic::{Rates, per_second};

/// A connection as it is listed.
#[derive(Debug, Clone, PartialEq)]
pub struct Peer {
    /// The two ends and the process: what stays the same.
    pub ends: End,
    /// The process.
    pub who: Arc<Who>,
    /// What the other end is called, '' if that is not known.
    pub domain: Arc<str>,
    /// Where it is.
    pub country: Arc<str>,
    /// Who began.
    pub direction: Direction,
    /// Bytes a second, received and sent, in the last sample.
    pub rates: Rates,
    /// Bytes received and sent since it was first seen.
    pub total: [Option<u64>; 2],
    /// Seconds since it was first seen.
    pub age: u64,
    /// Whether it is older than that.
    pub older: bool,
    /// How it is.
    pub state: State,
    /// TCP's smoothed round-trip time in microseconds.
    pub rtt_us: Option<u32>,
}

/// Columns that connections can be sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PeerBy {
    /// Bytes a second, then in total.
    #[default]
    Busy,
    /// Name or address.
    Peer,
    /// Country.
    Country,
    /// Remote port.
    Port,
    /// Protocol.
    Protocol,
    /// Who began.
    Direction,
    /// Received or sent (0, 1) a second.
    Rate(usize),
    /// Received or sent in total.
    Total(usize),
    /// Age.
    Age,
    /// State.
    State,
    /// Round-trip time.
    Rtt,
}

impl Peer {
    /// The other end's name, or its address.
    #[must_use]
    pub fn name(&self) -> String {
        if self.domain.is_empty() { self.address() } else { self.domain.to_string() }
    }

    /// The other end's address; '' of a socket that waits, where there is none.
    #[must_use]
    pub fn address(&self) -> String {
        self.ends.raddr.map_or_else(String::new, |addr| addr.to_string())
    }

    fn rate(&self) -> f64 {
        self.rates.iter().map(|rate| rate.unwrap_or(0.0)).sum()
    }

    fn moved(&self) -> u64 {
        self.total.iter().map(|total| total.unwrap_or(0)).sum()
    }

    /// Whether it is looked for.
    #[must_use]
    pub fn matches(&self, words: &[String]) -> bool {
        if words.is_empty() {
            return true;
        }
        let Self { domain, country, state, ends, .. } = self;
        let (address, port) = (self.address(), ends.rport);
        let protocol = protocol_name(ends.protocol);
        let (state, lport, pid) = (state.name(), ends.lport, self.who.pid);
        let text = format!(
            "{domain}\n{address}\n{country}\n:{port}\n{protocol}\n{state}\n:{lport}\n{pid}"
        );
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    }
}

/// Connections of what a row is of, in no order.
#[must_use]
pub(super) fn peers(model: &Model, row: &Row, wire: bool) -> Vec<Peer> {
    let of_row = |who: &Who| row.pid.is_none_or(|pid| pid == who.pid);
    let groups = |group: usize| row.groups.contains(&group);
    let known = model.connections().filter(|(_, it)| groups(it.group as usize) && of_row(&it.who));
    known
        .map(|(ends, it)| {
            let moved = model.moved_now(it).on(wire);
            let total = it.total.on(wire);
            let mut rates = [None; 2];
            for (rate, (moved, total)) in rates.iter_mut().zip(moved.into_iter().zip(total)) {
                *rate = total.map(|_| per_second(moved.unwrap_or(0), model.interval));
            }
            #[expect(clippy::cast_possible_truncation, reason = "saturates on purpose")]
            #[expect(clippy::cast_sign_loss, reason = "negative ages count as none")]
            let age = (model.time - it.first) as u64;
            Peer {
                ends: *ends,
                who: Arc::clone(&it.who),
                domain: Arc::clone(&it.domain),
                country: Arc::clone(&it.country),
                direction: it.direction,
                rates,
                total,
                age,
                older: !it.begun,
                state: it.state(ends, model.time),
                rtt_us: it.rtt_us,
            }
        })
        .collect()
}

/// The order of two connections, the first first.
#[must_use]
pub(super) fn compare(a: &Peer, b: &Peer, by: PeerBy, descending: bool) -> std::cmp::Ordering {
    let name = |it: &Peer| (it.domain.is_empty(), Arc::clone(&it.domain), it.ends.raddr);
    let float = |a: Option<f64>, b: Option<f64>| a.unwrap_or(-1.0).total_cmp(&b.unwrap_or(-1.0));
    let rate = |it: &Peer, side: usize| it.rates.get(side).copied().flatten();
    let total = |it: &Peer, side: usize| it.total.get(side).copied().flatten();
    let order = match by {
        PeerBy::Busy => a.rate().total_cmp(&b.rate()),
        PeerBy::Peer => name(a).cmp(&name(b)),
        PeerBy::Country => a.country.cmp(&b.country),
        PeerBy::Port => a.ends.rport.cmp(&b.ends.rport),
        PeerBy::Protocol => a.ends.protocol.cmp(&b.ends.protocol),
        PeerBy::Direction => a.direction.cmp(&b.direction),
        PeerBy::Rate(side) => float(rate(a, side), rate(b, side)),
        PeerBy::Total(side) => total(a, side).cmp(&total(b, side)),
        PeerBy::Age => a.age.cmp(&b.age),
        PeerBy::State => a.state.cmp(&b.state),
        PeerBy::Rtt => a.rtt_us.cmp(&b.rtt_us),
    };
    if descending { order.reverse() } else { order }
        .then_with(|| b.moved().cmp(&a.moved()))
        .then_with(|| name(a).cmp(&name(b)))
        .then_with(|| (a.ends.rport, a.ends.lport).cmp(&(b.ends.rport, b.ends.lport)))
        .then_with(|| a.who.pid.cmp(&b.who.pid))
}
