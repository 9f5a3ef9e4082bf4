//! The ranges that are set aside, each with what says so: those of IANA's registries "IPv4" and
//! "IPv6 Special-Purpose Address Space" as of October 2025 (without the global services AS112 and
//! AMT of IPv4), multicast, and what is not handed out at all. Of several ranges that hold an
//! address the first counts.

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use super::Kind;
use super::Scope;

/// A range.
pub(super) struct Row<A, K> {
    network: A,
    length: u32,
    pub(super) kind: K,
    /// The text that sets it aside.
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads or checks the table"))]
    pub(super) source: &'static str,
}

/// What to make of an IPv6 range.
#[derive(Clone, Copy)]
pub(super) enum Meaning {
    Global,
    Special(Kind),
    /// The scope is in the address.
    Multicast,
    /// The last four bytes are what it is.
    Ipv4,
    SixToFour,
    Teredo,
}

impl<K> Row<Ipv4Addr, K> {
    pub(super) fn holds(&self, address: Ipv4Addr) -> bool {
        let differ = self.network.to_bits() ^ address.to_bits();
        differ.leading_zeros() >= self.length
    }
}

impl<K> Row<Ipv6Addr, K> {
    pub(super) fn holds(&self, address: Ipv6Addr) -> bool {
        let differ = self.network.to_bits() ^ address.to_bits();
        differ.leading_zeros() >= self.length
    }
}

const fn v4(
    network: [u8; 4],
    length: u32,
    kind: Kind,
    source: &'static str,
) -> Row<Ipv4Addr, Kind> {
    let [a, b, c, d] = network;
    Row { network: Ipv4Addr::new(a, b, c, d), length, kind, source }
}

/// `network`: the first four groups; `last`: the eighth, the others are 0.
const fn long(
    network: [u16; 4],
    last: u16,
    length: u32,
    kind: Meaning,
    source: &'static str,
) -> Row<Ipv6Addr, Meaning> {
    let [a, b, c, d] = network;
    Row { network: Ipv6Addr::new(a, b, c, d, 0, 0, 0, last), length, kind, source }
}

const fn v6(
    network: [u16; 4],
    length: u32,
    kind: Meaning,
    source: &'static str,
) -> Row<Ipv6Addr, Meaning> {
    long(network, 0, length, kind, source)
}

/// IPv4-mapped addresses: the only range that its sixth group tells.
const MAPPED: Row<Ipv6Addr, Meaning> = Row {
    network: Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0),
    length: 96,
    kind: Meaning::Ipv4,
    source: "RFC 4291",
};

pub(super) const V4: [Row<Ipv4Addr, Kind>; 21] = [
    v4([0, 0, 0, 0], 32, Kind::Unspecified, "RFC 1122"),
    v4([0, 0, 0, 0], 8, Kind::ThisNetwork, "RFC 791"),
    v4([10, 0, 0, 0], 8, Kind::Private, "RFC 1918"),
    v4([100, 64, 0, 0], 10, Kind::Shared, "RFC 6598"),
    v4([127, 0, 0, 0], 8, Kind::Loopback, "RFC 1122"),
    v4([169, 254, 0, 0], 16, Kind::LinkLocal, "RFC 3927"),
    v4([172, 16, 0, 0], 12, Kind::Private, "RFC 1918"),
    v4([192, 0, 0, 0], 24, Kind::Protocol, "RFC 6890"),
    v4([192, 0, 2, 0], 24, Kind::Documentation, "RFC 5737"),
    v4([192, 88, 99, 0], 24, Kind::SixToFour, "RFC 7526"),
    v4([192, 168, 0, 0], 16, Kind::Private, "RFC 1918"),
    v4([198, 18, 0, 0], 15, Kind::Benchmarking, "RFC 2544"),
    v4([198, 51, 100, 0], 24, Kind::Documentation, "RFC 5737"),
    v4([203, 0, 113, 0], 24, Kind::Documentation, "RFC 5737"),
    v4([224, 0, 0, 0], 24, Kind::Multicast(Scope::Link), "RFC 5771"),
    v4([239, 255, 0, 0], 16, Kind::Multicast(Scope::Realm), "RFC 2365"),
    v4([239, 192, 0, 0], 14, Kind::Multicast(Scope::Organization), "RFC 2365"),
    v4([239, 0, 0, 0], 8, Kind::Multicast(Scope::Admin), "RFC 2365"),
    v4([224, 0, 0, 0], 4, Kind::Multicast(Scope::Global), "RFC 5771"),
    v4([255, 255, 255, 255], 32, Kind::Broadcast, "RFC 919"),
    v4([240, 0, 0, 0], 4, Kind::Reserved, "RFC 1112"),
];

const fn special(kind: Kind) -> Meaning {
    Meaning::Special(kind)
}

pub(super) const V6: [Row<Ipv6Addr, Meaning>; 25] = [
    v6([0, 0, 0, 0], 128, special(Kind::Unspecified), "RFC 4291"),
    long([0, 0, 0, 0], 1, 128, special(Kind::Loopback), "RFC 4291"),
    MAPPED,
    v6([0x64, 0xff9b, 0, 0], 96, Meaning::Ipv4, "RFC 6052"),
    v6([0x64, 0xff9b, 1, 0], 48, special(Kind::Translation), "RFC 8215"),
    v6([0x100, 0, 0, 0], 64, special(Kind::Discard), "RFC 6666"),
    v6([0x100, 0, 0, 1], 64, special(Kind::Discard), "RFC 9780"),
    v6([0x2001, 0, 0, 0], 32, Meaning::Teredo, "RFC 4380"),
    v6([0x2001, 2, 0, 0], 48, special(Kind::Benchmarking), "RFC 5180"),
    v6([0x2001, 3, 0, 0], 32, Meaning::Global, "RFC 7450"),
    v6([0x2001, 4, 0x112, 0], 48, Meaning::Global, "RFC 7535"),
    v6([0x2001, 0x10, 0, 0], 28, special(Kind::Identifier), "RFC 4843"),
    v6([0x2001, 0x20, 0, 0], 28, special(Kind::Identifier), "RFC 7343"),
    v6([0x2001, 0x30, 0, 0], 28, special(Kind::Identifier), "RFC 9374"),
    v6([0x2001, 0, 0, 0], 23, special(Kind::Protocol), "RFC 2928"),
    v6([0x2001, 0xdb8, 0, 0], 32, special(Kind::Documentation), "RFC 3849"),
    v6([0x2002, 0, 0, 0], 16, Meaning::SixToFour, "RFC 3056"),
    v6([0x3fff, 0, 0, 0], 20, special(Kind::Documentation), "RFC 9637"),
    v6([0x2000, 0, 0, 0], 3, Meaning::Global, "RFC 4291"),
    v6([0x5f00, 0, 0, 0], 16, special(Kind::SegmentRouting), "RFC 9602"),
    v6([0xfc00, 0, 0, 0], 7, special(Kind::UniqueLocal), "RFC 4193"),
    v6([0xfe80, 0, 0, 0], 10, special(Kind::LinkLocal), "RFC 4291"),
    v6([0xfec0, 0, 0, 0], 10, special(Kind::SiteLocal), "RFC 3879"),
    v6([0xff00, 0, 0, 0], 8, Meaning::Multicast, "RFC 4291"),
    v6([0, 0, 0, 0], 0, special(Kind::Reserved), "RFC 4291"),
];
