//! What the values in filters mean.

use std::net::IpAddr;

use femtosnitch_model::FlowKey;
use femtosnitch_model::protocol_name;
use ipnet::IpNet;

use super::Match;
use super::reversed;

/// A number, or two as `8000..8999`, both included.
pub(super) fn number(text: &str) -> Option<Match> {
    let read = |text: &str| text.parse::<u32>().ok().map(i64::from);
    match text.split_once("..") {
        Some((first, last)) => {
            let (first, last) = (read(first)?, read(last)?);
            (first <= last).then_some(Match::Range(first, last))
        }
        None => read(text).map(Match::Number),
    }
}

/// The network that `text` writes; a mapped IPv4 address becomes IPv4, as in the history.
pub(super) fn address(text: &str) -> Option<Match> {
    if text.is_empty() {
        return Some(Match::Text(String::new()));
    }
    if let Ok(net) = text.parse::<IpNet>() {
        return Some(Match::Net(canonical(net.trunc())));
    }
    text.parse::<IpAddr>().ok().map(|addr| Match::Net(addr.to_canonical().into()))
}

fn canonical(net: IpNet) -> IpNet {
    let addr = net.addr().to_canonical();
    match (net, addr) {
        (IpNet::V6(_), IpAddr::V4(_)) => net
            .prefix_len()
            .checked_sub(96)
            .and_then(|prefix| IpNet::new(addr, prefix).ok())
            .unwrap_or(net),
        _ => net,
    }
}

/// A country's code, or for what addresses are set aside.
pub(super) fn country(text: &str) -> Option<Match> {
    let set_aside = || text.strip_prefix('(')?.strip_suffix(')');
    let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let known = text.is_empty() || is_code || set_aside().is_some_and(|kind| !kind.is_empty());
    let text = if is_code { text.to_ascii_uppercase() } else { text.to_ascii_lowercase() };
    known.then_some(Match::Text(text))
}

/// The number of an autonomous system.
pub(super) fn system(text: &str) -> Option<Match> {
    if text.is_empty() {
        return Some(Match::System(0));
    }
    let digits = match text.get(..2) {
        Some(prefix) if prefix.eq_ignore_ascii_case("AS") => text.get(2..)?,
        _ => text,
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number).map(Match::System)
}

/// A name, and all below it; `None` for what is none.
pub(super) fn domain(text: &str) -> Option<Match> {
    let name = text.strip_suffix('.').unwrap_or(text).to_lowercase();
    let odd = name.contains(['*', '/', ' ', ':'])
        || (!name.is_empty() && name.split('.').any(str::is_empty));
    (!odd).then(|| Match::Domain(reversed(&name)))
}

/// A protocol by its name.
pub(super) fn protocol(name: &str) -> Option<Match> {
    let name = name.to_ascii_lowercase();
    let mut families = [FlowKey::AF_PACKET, FlowKey::AF_XDP].into_iter();
    if let Some(family) = families.find(|family| protocol_name(*family, 0) == name) {
        return Some(Match::Family(family));
    }
    // 262, MPTCP, is the largest there is.
    (0..=262_u16)
        .find(|&number| protocol_name(FlowKey::AF_INET, number) == name)
        .map(|number| Match::Number(number.into()))
}

/// A family by its name.
pub(super) fn family(name: &str) -> Option<Match> {
    let number = match name.to_ascii_lowercase().as_str() {
        "inet" | "ipv4" => FlowKey::AF_INET,
        "inet6" | "ipv6" => FlowKey::AF_INET6,
        "packet" => FlowKey::AF_PACKET,
        "xdp" => FlowKey::AF_XDP,
        _ => return None,
    };
    Some(Match::Number(number.into()))
}
