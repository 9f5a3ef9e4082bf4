//! What remote hosts are called.
//!
//! Names are kept for whoever was told them: the process, and the network namespace for others who
//! have no better. There is no table in which the last one who asked wins for everybody. Which name
//! a flow has is decided when it begins and while its first bytes come, never later: what an address
//! is called tomorrow says nothing about today's connection.

mod book;
mod choice;
mod ear;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use femtosnitch_model::{
    Direction, Endpoint, FlowKey, Looked, NameEvent, NameSource, Naming, Payload, ProcKey,
    Resolved, Witness,
};
use femtosnitch_names::HostName;
use femtosnitch_names::dns::Dialect;
use lru::LruCache;

use book::{Book, Known, Scope};
use ear::{Ear, Heard};

/// First bytes of connections that are remembered.
const MAX_SAID: usize = 8_192;

/// How long an answer counts as fresh even if its sender gave it less: programs keep addresses
/// longer than they should. Seconds.
const LEAST_TTL: i64 = 300;

/// And how long at most, whatever its sender gave it: addresses move.
const MOST_TTL: i64 = 86_400;

/// Whom to believe, and what counts.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NameRules {
    /// The system's resolvers.
    pub resolvers: Vec<IpAddr>,
    /// Whether PTR records count.
    pub ptr: bool,
}

/// What was heard of names, for `status`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct NameGauges {
    /// Replies that were understood.
    pub replies: u64,
    /// ClientHellos of TLS and QUIC that were understood.
    pub hellos: u64,
    /// Answers of C libraries and of systemd-resolved.
    pub lookups: u64,
    /// Bytes that should have told a name and were not understood.
    pub garbled: u64,
    /// Addresses that have names now, each for everybody who was told one.
    pub known: usize,
}

/// Who was told something.
#[derive(Clone, Copy)]
struct Listener {
    owner: ProcKey,
    netns: u32,
}

/// Until when an answer counts as fresh that was given for so many seconds.
fn fresh_until(up: i64, ttl: i64) -> i64 {
    up.saturating_add(ttl.clamp(LEAST_TTL, MOST_TTL))
}

/// A name in the first bytes of a connection.
#[derive(Debug, Clone)]
struct Said {
    domain: Arc<str>,
    witness: Witness,
    /// The hello may hide another name behind this one.
    hides: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Hosts {
    rules: NameRules,
    ear: Ear,
    book: Book,
    said: LruCache<(u64, Endpoint), Said>,
    gauges: NameGauges,
}

/// A name, and whether it is the last word on it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) naming: Naming,
    pub(crate) settled: bool,
}

impl Hosts {
    pub(crate) fn new(rules: NameRules) -> Self {
        Self {
            rules,
            ear: Ear::default(),
            book: Book::default(),
            said: LruCache::unbounded(),
            gauges: NameGauges::default(),
        }
    }

    pub(crate) fn set_rules(&mut self, rules: NameRules) {
        self.rules = rules;
    }

    pub(crate) fn gauges(&self) -> NameGauges {
        NameGauges { known: self.book.len(), ..self.gauges }
    }

    /// Takes in what was heard at `up`, in seconds on a clock that never steps.
    pub(crate) fn hear(&mut self, event: &NameEvent, up: i64) {
        match event {
            NameEvent::Payload(payload) => {
                let heard = self.ear.listen(payload);
                heard.into_iter().for_each(|heard| self.take(heard, payload, up));
            }
            NameEvent::Looked(looked) => self.looked(looked, up),
            NameEvent::Resolved(resolved) => self.resolved(resolved, up),
        }
    }

    fn take(&mut self, heard: Heard, from: &Payload, up: i64) {
        match heard {
            Heard::Garbled => self.gauges.garbled += 1,
            Heard::Hello { name, hides, witness } => {
                self.gauges.hellos += 1;
                let Some(name) = name else { return };
                let said = Said { domain: name.reversed().into(), witness, hides };
                self.said.put((from.cookie, from.remote), said);
                while self.said.len() > MAX_SAID {
                    self.said.pop_lru();
                }
            }
            Heard::Reply { dialect, answers, pointers } => {
                self.gauges.replies += 1;
                let witness = match dialect {
                    Dialect::Multicast => Witness::Mdns,
                    Dialect::LinkLocal => Witness::Llmnr,
                    Dialect::Unicast if self.is_believed(from) => Witness::Dns,
                    Dialect::Unicast => Witness::OtherDns,
                };
                let listener = Listener { owner: from.owner, netns: from.netns };
                let mut domains: HashMap<String, Arc<str>> = HashMap::new();
                for answer in answers {
                    let domain = domains.entry(answer.name.reversed());
                    let domain = domain.or_insert_with_key(|name| name.as_str().into());
                    let domain = Arc::clone(domain);
                    let until = fresh_until(up, i64::from(answer.ttl));
                    let known = Known::new(domain, witness, from.uid, until);
                    self.enter(listener, answer.address, known);
                }
                let pointers = if self.rules.ptr { pointers } else { Vec::new() };
                for (address, name) in pointers {
                    let domain = name.reversed().into();
                    let known = Known::new(domain, Witness::Ptr, from.uid, fresh_until(up, 0));
                    self.enter(listener, address, known);
                }
            }
        }
    }

    fn enter(&mut self, listener: Listener, address: IpAddr, known: Known) {
        let address = address.to_canonical();
        // What a block list answers leads nowhere.
        if address.is_unspecified() {
            return;
        }
        if !address.is_loopback() {
            self.book.enter(Scope::Netns(listener.netns), address, known.clone());
        }
        self.book.enter(Scope::of(listener.owner), address, known);
    }

    fn looked(&mut self, looked: &Looked, up: i64) {
        self.gauges.lookups += 1;
        let name = looked.name.strip_suffix(b".").unwrap_or(&looked.name);
        // Of a number it is no name, and of anything else hardly one of the network's.
        let Ok(name) = HostName::parse(name) else { return };
        let domain: Arc<str> = name.reversed().into();
        let listener = Listener { owner: looked.owner, netns: looked.netns };
        let known = Known::new(domain, Witness::Getaddrinfo, looked.uid, fresh_until(up, 0));
        for address in &looked.addresses {
            self.enter(listener, *address, known.clone());
        }
    }

    fn resolved(&mut self, resolved: &Resolved, up: i64) {
        self.gauges.lookups += 1;
        let Ok(name) = HostName::parse(&resolved.name) else { return };
        // It does not say how it found out; these two it asks the local network for.
        let witness = if !resolved.name.contains(&b'.') {
            Witness::Llmnr
        } else if resolved.name.to_ascii_lowercase().ends_with(b".local") {
            Witness::Mdns
        } else {
            Witness::Resolved
        };
        let domain: Arc<str> = name.reversed().into();
        let until = fresh_until(up, 0);
        for address in &resolved.addresses {
            let address = address.to_canonical();
            if !address.is_unspecified() && !address.is_loopback() {
                let known = Known::new(Arc::clone(&domain), witness, 0, until);
                self.book.enter(Scope::Netns(resolved.netns), address, known);
            }
        }
    }

    /// Whether a reply is by one of the system's resolvers.
    fn is_believed(&self, from: &Payload) -> bool {
        let server = from.remote.addr;
        from.roots_network && server.is_some_and(|server| self.rules.resolvers.contains(&server))
    }

    /// What the other end of a flow is called, as far as is known at `up`.
    pub(crate) fn name(
        &mut self,
        owner: ProcKey,
        uid: u32,
        flow: &FlowKey,
        direction: Direction,
        up: i64,
    ) -> Found {
        let Some(address) = flow.remote.addr else { return Found::default() };
        if matches!(direction, Direction::Incoming | Direction::Listening) {
            // Who came by itself was not asked for by a name.
            return Found { settled: true, ..Found::default() };
        }
        let said = self.said.get(&(flow.cookie, flow.remote)).cloned();
        let own = self.book.names(Scope::of(owner), address);
        let others = self.book.names(Scope::Netns(flow.netns), address);
        let others = others.iter().filter(|known| known.is_for(uid));
        let chosen = choice::choose(said.as_ref(), own, &others.collect::<Vec<_>>(), up);
        let naming = chosen.map(|(domain, source)| Naming { domain, source });
        let settled = said.is_some();
        Found { naming: naming.unwrap_or_default(), settled }
    }
}

impl Said {
    fn source(&self) -> NameSource {
        NameSource::own(self.witness)
    }
}
