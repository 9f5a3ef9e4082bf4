//! Names by address, for whoever was told them.

use std::net::IpAddr;
use std::sync::Arc;

use femtosnitch_model::{ProcKey, Witness};
use lru::LruCache;

/// Addresses with names, each for everybody who was told one. Beyond, those that were neither told
/// nor asked for longest are forgotten: some 300 bytes each.
const MAX_ADDRESSES: usize = 16_384;

/// Names of an address within one scope. Many hosts behind one address (a provider of many sites)
/// are told of by many programs.
const MAX_NAMES: usize = 16;

/// Users below this are the system's own (login.defs(5), UID_MIN): what they are told is everybody's.
const FIRST_USER: u32 = 1_000;

/// Who was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// A process, whatever it executes.
    Process { tgid: u32, start_ns: u64 },
    /// Everybody in a network namespace.
    Netns(u32),
}

impl Scope {
    pub(super) fn of(owner: ProcKey) -> Self {
        Self::Process { tgid: owner.tgid, start_ns: owner.start_ns }
    }
}

/// A name of an address.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) domain: Arc<str>,
    pub(super) witness: Witness,
    /// Until when it is fresh, in seconds on the clock of [`super::Hosts::hear`].
    pub(super) until: i64,
    /// Grows with every entry.
    pub(super) number: u64,
    uid: u32,
}

impl Known {
    pub(super) fn new(domain: Arc<str>, witness: Witness, uid: u32, until: i64) -> Self {
        let uid = if uid < FIRST_USER { 0 } else { uid };
        Self { domain, witness, until, number: 0, uid }
    }

    /// Whether a user may be shown what this one was told: their own, and the system's. Anybody
    /// else could have asked a server of their own.
    pub(super) fn is_for(&self, uid: u32) -> bool {
        self.uid == 0 || self.uid == uid
    }

    pub(super) fn is_fresh(&self, up: i64) -> bool {
        up <= self.until
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Book {
    addresses: LruCache<(Scope, IpAddr), Vec<Known>>,
    entries: u64,
}

impl Default for Book {
    fn default() -> Self {
        Self { addresses: LruCache::unbounded(), entries: 0 }
    }
}

impl Book {
    pub(super) fn len(&self) -> usize {
        self.addresses.len()
    }

    pub(super) fn enter(&mut self, scope: Scope, address: IpAddr, mut known: Known) {
        self.entries += 1;
        known.number = self.entries;
        let names = self.addresses.get_or_insert_mut((scope, address), Vec::new);
        let same = |other: &Known| {
            other.domain == known.domain && other.witness == known.witness && other.uid == known.uid
        };
        names.retain(|other| !same(other));
        if names.len() >= MAX_NAMES {
            // They stand in the order in which they were told.
            names.remove(0);
        }
        names.push(known);
        while self.addresses.len() > MAX_ADDRESSES {
            self.addresses.pop_lru();
        }
    }

    /// Oldest first.
    pub(super) fn names(&self, scope: Scope, address: IpAddr) -> &[Known] {
        self.addresses.peek(&(scope, address)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(n).into()
    }

    #[test]
    fn neither_addresses_nor_their_names_grow_without_end() {
        let mut book = Book::default();
        let name = |n: u32| Known::new(n.to_string().into(), Witness::Dns, 0, 0);
        for n in 0..40_000 {
            book.enter(Scope::Netns(1), address(n), name(0));
            book.enter(Scope::Netns(2), address(1), name(n));
        }
        assert_eq!(book.len(), MAX_ADDRESSES);
        let names = book.names(Scope::Netns(2), address(1));
        assert_eq!((names.len(), &*names[MAX_NAMES - 1].domain), (MAX_NAMES, "39999"));
        assert!(book.names(Scope::Netns(1), address(3)).is_empty());
    }

    #[test]
    fn a_name_told_again_stands_once_and_last() {
        let mut book = Book::default();
        for (name, until) in [("a", 1), ("b", 2), ("a", 3)] {
            let known = Known::new(name.into(), Witness::Dns, 7, until);
            book.enter(Scope::Netns(1), address(1), known);
        }
        let names = book.names(Scope::Netns(1), address(1));
        let told: Vec<_> = names.iter().map(|known| (&*known.domain, known.until)).collect();
        assert_eq!(told, [("b", 2), ("a", 3)]);
    }

    #[test]
    fn what_users_are_told_is_theirs_and_what_the_system_is_told_everybodys() {
        let known = |uid| Known::new("a".into(), Witness::Dns, uid, 0);
        assert!(known(1_000).is_for(1_000) && !known(1_000).is_for(1_001));
        assert!(!known(1_000).is_for(0) && known(101).is_for(1_001) && known(0).is_for(5));
    }
}
