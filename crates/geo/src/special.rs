//! For what an address is set aside, by the registries of IANA for special purposes and for
//! multicast. Pure: what the routes of this machine make of it is not asked.

mod table;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use table::Meaning;

/// For what an address is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// No address: `0.0.0.0`, `::`.
    Unspecified,
    /// A host on "this network", before it knows its address: the rest of 0.0.0.0/8.
    ThisNetwork,
    /// This host.
    Loopback,
    /// Networks of one's own, IPv4.
    Private,
    /// Between a provider and its customers (CGNAT).
    Shared,
    /// This link.
    LinkLocal,
    /// Networks of one's own, IPv6.
    UniqueLocal,
    /// What networks of one's own were in IPv6 until 2004.
    SiteLocal,
    /// A group.
    Multicast(Scope),
    /// Everybody on this link.
    Broadcast,
    /// Examples in texts.
    Documentation,
    /// Measuring devices.
    Benchmarking,
    /// To be thrown away on the way.
    Discard,
    /// Given to protocols, like the anycast addresses of PCP and TURN.
    Protocol,
    /// Names of hosts or devices that no route leads to (ORCHID, drones).
    Identifier,
    /// Steps of a path within a network (SRv6).
    SegmentRouting,
    /// IPv4 behind a translator of this network, at a place only its operator knows.
    Translation,
    /// 6to4 without a global IPv4 address in it; its former relays.
    SixToFour,
    /// Teredo without a global IPv4 address in it.
    Teredo,
    /// Nobody's yet.
    Reserved,
}

impl Kind {
    /// One short word that stays the same, to be shown and stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::ThisNetwork => "this-network",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Shared => "shared",
            Self::LinkLocal => "link-local",
            Self::UniqueLocal => "unique-local",
            Self::SiteLocal => "site-local",
            Self::Multicast(_) => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Discard => "discard",
            Self::Protocol => "protocol",
            Self::Identifier => "identifier",
            Self::SegmentRouting => "srv6",
            Self::Translation => "nat64",
            Self::SixToFour => "6to4",
            Self::Teredo => "teredo",
            Self::Reserved => "reserved",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How far a multicast group reaches (RFC 7346; of IPv4 as RFC 2365 has it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// This host's own interface.
    Interface,
    /// This link.
    Link,
    /// As far as the technology of the link goes; IPv4's "local scope".
    Realm,
    /// As far as somebody has set it up.
    Admin,
    /// This site.
    Site,
    /// This organisation.
    Organization,
    /// Everywhere.
    Global,
    /// A scope that is not defined.
    Undefined,
}

impl Scope {
    /// One short word that stays the same.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Interface => "interface",
            Self::Link => "link",
            Self::Realm => "realm",
            Self::Admin => "admin",
            Self::Site => "site",
            Self::Organization => "organization",
            Self::Global => "global",
            Self::Undefined => "undefined",
        }
    }

    /// Of IPv6: the low half of the second byte.
    fn of(group: Ipv6Addr) -> Self {
        match group.octets()[1] & 0xf {
            0x1 => Self::Interface,
            0x2 => Self::Link,
            0x3 => Self::Realm,
            0x4 => Self::Admin,
            0x5 => Self::Site,
            0x8 => Self::Organization,
            0xe => Self::Global,
            _ => Self::Undefined,
        }
    }
}

/// What an address is, and by which one it is to be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// For what it is set aside; `None`: global, it is somebody's.
    pub kind: Option<Kind>,
    /// By which address to look it up: itself, or the IPv4 address in it. `None` if it is set
    /// aside: such an address is everywhere or nowhere.
    pub located_by: Option<IpAddr>,
}

impl Class {
    fn special(kind: Kind) -> Self {
        Self { kind: Some(kind), located_by: None }
    }

    fn global(address: IpAddr) -> Self {
        Self { kind: None, located_by: Some(address) }
    }
}

/// What `address` is. Of those with an IPv4 address in them
/// - IPv4-mapped ones (`::ffff:0:0/96`) are IPv4, as a socket for both shows it;
/// - those of NAT64's well-known prefix (`64:ff9b::/96`) are the host behind the translator;
/// - 6to4 ones (`2002::/16`) are where their router is, the address in bytes 2–5;
/// - Teredo ones (`2001::/32`) are where the client's NAT is, the last four bytes inverted; the
///   server, which is in them as well, only helped.
///
/// 6to4 and Teredo without a global IPv4 address in them lead nowhere, and are a kind of their own.
/// Also global are the services that are in many places at once (AS112, AMT): of those a database
/// knows who runs them.
#[must_use]
pub fn classify(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

/// For what `address` is set aside; `None`: it is global.
#[must_use]
pub fn kind(address: IpAddr) -> Option<Kind> {
    classify(address).kind
}

fn classify_v4(address: Ipv4Addr) -> Class {
    let row = table::V4.iter().find(|row| row.holds(address));
    row.map_or(Class::global(address.into()), |row| Class::special(row.kind))
}

fn classify_v6(address: Ipv6Addr) -> Class {
    let [.., a, b, c, d] = address.octets();
    let last = Ipv4Addr::new(a, b, c, d);
    let tunnel = |outer, kind| match classify_v4(outer) {
        Class { kind: None, located_by } => Class { kind: None, located_by },
        Class { kind: Some(_), .. } => Class::special(kind),
    };
    let row = table::V6.iter().find(|row| row.holds(address));
    // The last row holds every address.
    match row.map_or(Meaning::Special(Kind::Reserved), |row| row.kind) {
        Meaning::Global => Class::global(address.into()),
        Meaning::Special(kind) => Class::special(kind),
        Meaning::Multicast => Class::special(Kind::Multicast(Scope::of(address))),
        Meaning::Ipv4 => classify_v4(last),
        Meaning::SixToFour => {
            let [_, _, a, b, c, d, ..] = address.octets();
            tunnel(Ipv4Addr::new(a, b, c, d), Kind::SixToFour)
        }
        Meaning::Teredo => tunnel(Ipv4Addr::from_bits(!last.to_bits()), Kind::Teredo),
    }
}
