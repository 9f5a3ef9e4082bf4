//! What a remote host is called, and how that is known.

use std::net::IpAddr;
use std::sync::Arc;

use crate::{Endpoint, ProcKey};

/// Where a name was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Witness {
    /// A reply by one of the system's resolvers.
    Dns,
    /// A reply by some other server, which may say anything.
    OtherDns,
    /// Multicast DNS: anybody in the local network can say such things.
    Mdns,
    /// Link-local multicast name resolution, likewise.
    Llmnr,
    /// What `getaddrinfo(3)` or one of its relatives gave a program.
    Getaddrinfo,
    /// systemd-resolved told what it answered.
    Resolved,
    /// The client's word in the first bytes of its TLS connection (RFC 6066 §3).
    Tls,
    /// The same in the first packets of QUIC.
    Quic,
    /// Whoever owns the address says so (RFC 1035 §3.5).
    Ptr,
}

/// How a row's domain is known.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameSource {
    witness: Option<Witness>,
    by_others: bool,
}

impl NameSource {
    /// There is no name.
    pub const NONE: Self = Self { witness: None, by_others: false };

    /// The process itself was told, or said, the name.
    #[must_use]
    pub const fn own(witness: Witness) -> Self {
        Self { witness: Some(witness), by_others: false }
    }

    /// Other programs of the same network namespace were told the name.
    #[must_use]
    pub const fn by_others(witness: Witness) -> Self {
        Self { witness: Some(witness), by_others: true }
    }

    /// Where the name was seen.
    #[must_use]
    pub const fn witness(self) -> Option<Witness> {
        self.witness
    }

    /// Whether the remote host, the local network, or the program itself can have made the name up:
    /// such a name may be shown, but must not hide anything.
    #[must_use]
    pub const fn is_claim(self) -> bool {
        !matches!(self.witness, Some(Witness::Dns | Witness::Resolved))
    }

    /// The number it is stored as; 0 for none.
    #[must_use]
    pub const fn code(self) -> u8 {
        let code = match self.witness {
            None => return 0,
            Some(Witness::Dns) => 1,
            Some(Witness::OtherDns) => 2,
            Some(Witness::Mdns) => 3,
            Some(Witness::Llmnr) => 4,
            Some(Witness::Getaddrinfo) => 5,
            Some(Witness::Resolved) => 6,
            Some(Witness::Tls) => 7,
            Some(Witness::Quic) => 8,
            Some(Witness::Ptr) => 9,
        };
        if self.by_others { code + 32 } else { code }
    }

    /// The one with this number; none for a number of a later version.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        let all = Self::all().find(|source| source.code() == code);
        all.unwrap_or_default()
    }

    /// Every one of them.
    pub fn all() -> impl Iterator<Item = Self> {
        use Witness::{Dns, Getaddrinfo, Llmnr, Mdns, OtherDns, Ptr, Quic, Resolved, Tls};
        let witnesses = [Dns, OtherDns, Mdns, Llmnr, Getaddrinfo, Resolved, Tls, Quic, Ptr];
        let known = witnesses.into_iter().flat_map(|it| [Self::own(it), Self::by_others(it)]);
        std::iter::once(Self::NONE).chain(known)
    }

    /// As it is shown and asked for; '' for none.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (self.witness, self.by_others) {
            (None, _) => "",
            (Some(Witness::Dns), false) => "dns",
            (Some(Witness::Dns), true) => "host-dns",
            (Some(Witness::OtherDns), false) => "other-dns",
            (Some(Witness::OtherDns), true) => "host-other-dns",
            (Some(Witness::Mdns), false) => "mdns",
            (Some(Witness::Mdns), true) => "host-mdns",
            (Some(Witness::Llmnr), false) => "llmnr",
            (Some(Witness::Llmnr), true) => "host-llmnr",
            (Some(Witness::Getaddrinfo), false) => "getaddrinfo",
            (Some(Witness::Getaddrinfo), true) => "host-getaddrinfo",
            (Some(Witness::Resolved), false) => "resolved",
            (Some(Witness::Resolved), true) => "host-resolved",
            (Some(Witness::Tls), false) => "tls",
            (Some(Witness::Tls), true) => "host-tls",
            (Some(Witness::Quic), false) => "quic",
            (Some(Witness::Quic), true) => "host-quic",
            (Some(Witness::Ptr), false) => "ptr",
            (Some(Witness::Ptr), true) => "host-ptr",
        }
    }
}

impl std::fmt::Display for NameSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A name, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// In reverse notation (`com.example.www`), '' for none.
    pub domain: Arc<str>,
    /// How it is known.
    pub source: NameSource,
}

impl Default for Naming {
    fn default() -> Self {
        // Of no domain there is one, shared by all.
        Self { domain: Arc::default(), source: NameSource::NONE }
    }
}

/// What kind of bytes were copied for the sake of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadKind {
    /// A datagram received from a port where names are told (DNS, mDNS, LLMNR).
    Reply,
    /// Part of what was received over TCP from port 53.
    ReplyStream,
    /// Part of the first bytes that were sent over a connection.
    Opening,
    /// One of the first datagrams that were sent.
    Datagram,
}

/// Bytes of a call, as the program had them in its memory when the call ended. The program may have
/// changed them meanwhile, to deceive.
#[derive(Debug, Clone)]
pub struct Payload {
    /// What they are.
    pub kind: PayloadKind,
    /// Who made the call.
    pub owner: ProcKey,
    /// Real user id of that process.
    pub uid: u32,
    /// The socket's cookie.
    pub cookie: u64,
    /// `IPPROTO_*`.
    pub protocol: u16,
    /// The other end.
    pub remote: Endpoint,
    /// Inode number of the socket's network namespace.
    pub netns: u32,
    /// Whether that namespace is one that root made; in any other its user can be every server. False
    /// if it is not known.
    pub roots_network: bool,
    /// As many as the call moved.
    pub moved: usize,
    /// The first of them.
    pub bytes: Vec<u8>,
}

/// What a program was told when it asked its C library for a name.
#[derive(Debug, Clone)]
pub struct Looked {
    /// Who asked.
    pub owner: ProcKey,
    /// Real user id of that process.
    pub uid: u32,
    /// Inode number of its network namespace.
    pub netns: u32,
    /// The name it asked for.
    pub name: Vec<u8>,
    /// What it was told.
    pub addresses: Vec<IpAddr>,
}

/// What systemd-resolved answered, to whomever.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Inode number of the network namespace that it runs in.
    pub netns: u32,
    /// The name it was asked for, as presentation format writes it, in lower case.
    pub name: Vec<u8>,
    /// What it answered.
    pub addresses: Vec<IpAddr>,
}

/// News of names.
#[derive(Debug, Clone)]
pub enum NameEvent {
    /// Bytes that may tell one.
    Payload(Payload),
    /// An answer of the C library's.
    Looked(Looked),
    /// An answer of systemd-resolved's.
    Resolved(Resolved),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_has_a_number_and_a_name_of_its_own() {
        let all: Vec<_> = NameSource::all().collect();
        for source in &all {
            assert_eq!(NameSource::from_code(source.code()), *source);
            let alike = |other: &&NameSource| other.name() == source.name();
            assert_eq!(all.iter().filter(alike).count(), 1, "{source}");
        }
        assert_eq!(NameSource::from_code(255), NameSource::NONE);
    }

    #[test]
    fn only_the_systems_resolvers_are_believed() {
        let believed: Vec<_> = NameSource::all().filter(|it| !it.is_claim()).collect();
        let names: Vec<_> = believed.iter().map(|source| source.name()).collect();
        assert_eq!(names, ["dns", "host-dns", "resolved", "host-resolved"]);
    }
}
