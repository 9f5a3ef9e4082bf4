//! Which of several names a flow gets, and on whose word.
//!
//! 1. What the program asked for of late, and got this address for: the last such name, unless the
//!    first bytes of the connection say another of them.
//! 2. What those bytes say. A hello that may hide another name behind that one (ECH) counts only
//!    if somebody was told that this name has this address.
//! 3. What the program asked for longer ago.
//! 4. What others in the network namespace were told.
//!
//! How a name is known is the best evidence there is for it having this address, wherever from.

use std::sync::Arc;

use femtosnitch_model::{NameSource, Witness};

use super::Said;
use super::book::Known;

/// Both lists stand oldest first.
pub(super) fn choose(
    said: Option<&Said>,
    own: &[Known],
    others: &[&Known],
    up: i64,
) -> Option<(Arc<str>, NameSource)> {
    let domain = choose_name(said, own, others, up)?;
    let source = best_evidence(&domain, said, own, others);
    Some((domain, source))
}

fn choose_name(said: Option<&Said>, own: &[Known], others: &[&Known], up: i64) -> Option<Arc<str>> {
    let own: Vec<&Known> = own.iter().filter(|known| !is_weak(known.witness)).collect();
    let fresh = |known: &&&Known| known.is_fresh(up);
    if own.iter().any(|known| known.is_fresh(up)) {
        let same = |known: &&&Known| said.is_some_and(|said| said.domain == known.domain);
        let matching = own.iter().filter(fresh).rfind(same);
        let last = matching.or_else(|| own.iter().rfind(fresh))?;
        return Some(in_full(last, &own));
    }
    if let Some(said) = said {
        let told = |known: &&Known| known.domain == said.domain;
        if !said.hides || own.iter().any(told) || others.iter().any(told) {
            return Some(Arc::clone(&said.domain));
        }
    }
    // Of what others were told the stronger counts first: it is nobody's own question.
    let strongest = |known: &&&Known| (rank(known.witness, false), known.number);
    let theirs = others.iter().filter(fresh).max_by_key(strongest);
    let theirs = theirs.or_else(|| others.iter().max_by_key(strongest));
    let known = own.last().or(theirs)?;
    Some(Arc::clone(&known.domain))
}

/// What nobody asked for.
fn is_weak(witness: Witness) -> bool {
    witness == Witness::Ptr
}

/// A name without a dot is completed by the resolver's search list, which the replies then show.
fn in_full(known: &Known, own: &[&Known]) -> Arc<str> {
    if known.domain.contains('.') {
        return Arc::clone(&known.domain);
    }
    // Reversed: `host` is the end of `org.example.host`.
    let longer = own.iter().rfind(|other| {
        let before = other.domain.strip_suffix(&*known.domain);
        before.is_some_and(|before| before.ends_with('.'))
    });
    Arc::clone(&longer.map_or(known, |it| it).domain)
}

fn best_evidence(
    domain: &str,
    said: Option<&Said>,
    own: &[Known],
    others: &[&Known],
) -> NameSource {
    let own = own.iter().map(|known| (known, true));
    let all = own.chain(others.iter().map(|known| (*known, false)));
    let told = all
        .filter(|(known, _)| &*known.domain == domain)
        .max_by_key(|(known, own)| rank(known.witness, *own));
    let said = said.filter(|said| &*said.domain == domain);
    match (told, said) {
        // What this connection says itself is better than what others were told, if neither is sure.
        (Some((known, own)), Some(said)) if rank(known.witness, own) < rank(said.witness, true) => {
            said.source()
        }
        (Some((known, true)), _) => NameSource::own(known.witness),
        (Some((known, false)), _) => NameSource::by_others(known.witness),
        (None, Some(said)) => said.source(),
        (None, None) => NameSource::NONE,
    }
}

/// The higher the better.
fn rank(witness: Witness, own: bool) -> u8 {
    match (witness, own) {
        (Witness::Dns, true) => 13,
        (Witness::Resolved, true) => 12,
        (Witness::Dns, false) => 11,
        (Witness::Resolved, false) => 10,
        (Witness::Getaddrinfo, true) => 9,
        (Witness::OtherDns, true) => 8,
        (Witness::Tls | Witness::Quic, true) => 7,
        (Witness::Getaddrinfo, false) => 6,
        (Witness::OtherDns, false) => 5,
        (Witness::Tls | Witness::Quic, false) => 4,
        (Witness::Mdns | Witness::Llmnr, true) => 3,
        (Witness::Mdns | Witness::Llmnr, false) => 2,
        (Witness::Ptr, true) => 1,
        (Witness::Ptr, false) => 0,
    }
}
