//! Sums by executable, for scripts.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use super::badges::{Badge, News};
use super::model::{MOST_PEERS, Model};
use super::traffic::{Amounts, Rates};

/// What one executable moved.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Executable {
    /// Its path, or a bracketed reason; as recorded.
    pub exe: String,
    /// Bytes a second received and sent over [`super::WINDOWS`].
    pub rates: [Rates; 3],
    /// The same at the IP layer; `None` where nothing was measured.
    pub wire_rates: [Rates; 3],
    /// Bytes received and sent since the view was started.
    pub total: Amounts,
    /// Connections that are open.
    pub connections: u64,
    /// Remote addresses, up to [`MOST_PEERS`].
    pub peers: usize,
    /// Whether there may be more of them.
    pub more_peers: bool,
    /// What to know of it.
    pub badges: Vec<Badge>,
}

impl Executable {
    /// Bytes a second over the shortest span, both ways.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let [now, ..] = &self.rates;
        now.iter().map(|rate| rate.unwrap_or(0.0)).sum()
    }

    fn moved(&self) -> u64 {
        self.total.payload.iter().fold(0, |sum, more| sum.saturating_add(*more))
    }
}

/// All executables, those that move most first.
#[must_use]
pub fn executables(model: &Model, news: &News) -> Vec<Executable> {
    #[derive(Default)]
    struct Sum<'a> {
        sum: Executable,
        peers: HashSet<&'a IpAddr>,
        badges: BTreeSet<Badge>,
    }
    let windows = model.clock().windows();
    let mut sums: HashMap<&str, Sum<'_>> = HashMap::new();
    for group in model.groups() {
        let entry = sums.entry(&group.who.exe).or_default();
        let sum = &mut entry.sum;
        for (wire, rates) in [(false, &mut sum.rates), (true, &mut sum.wire_rates)] {
            for (rates, window) in rates.iter_mut().zip(windows) {
                for (sum, rate) in rates.iter_mut().zip(group.traffic.rates(window, wire)) {
                    *sum = rate.map(|rate| sum.unwrap_or(0.0) + rate).or(*sum);
                }
            }
        }
        sum.total.add(&group.traffic.total);
        sum.connections += u64::from(group.open);
        sum.more_peers |= group.peers.len() >= MOST_PEERS;
        entry.peers.extend(&group.peers);
        entry.badges.extend(news.badges(&group.who));
    }
    let mut all: Vec<Executable> = sums
        .into_iter()
        .map(|(exe, Sum { sum, peers, badges })| Executable {
            exe: exe.to_owned(),
            peers: peers.len(),
            badges: badges.into_iter().collect(),
            ..sum
        })
        .collect();
    all.sort_by(|a, b| {
        let by_rate = b.rate().total_cmp(&a.rate());
        by_rate.then_with(|| b.moved().cmp(&a.moved())).then_with(|| a.exe.cmp(&b.exe))
    });
    all
}
