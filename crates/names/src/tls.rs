//! Which host a TLS client says it wants: the `server_name` of its ClientHello.
//!
//! Formats: RFC 8446 §4.1.2 and §5.1 (RFC 5246 for older ones), 6066 §3, 7301, 9849 (ECH).

mod extensions;
mod hello;
mod records;

pub(crate) use hello::Handshake;
pub use records::Hello;

use crate::HostName;

/// The longest ClientHello. Browsers' have some 2 KiB with keys that withstand quantum computers;
/// a resumed session's ticket can add a few more.
pub const MAX_HELLO: usize = 16 * 1024;

/// Protocols of a hello that are kept. Clients offer two or three.
pub const MAX_ALPN: usize = 16;

/// What a ClientHello says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The host, if it is named, and by what RFC 6066 allows.
    pub server_name: Option<HostName>,
    /// Whether there is a name that is none: an address, or bytes that no host's name has.
    pub bad_name: bool,
    /// Protocols that the client offers, at most [`MAX_ALPN`]: `h2`, `http/1.1`. What is no
    /// letter, digit or one of `-_./+:` is `\DDD`.
    pub alpn: Vec<String>,
    /// Whether the hello carries Encrypted Client Hello (or pretends to: RFC 9849 §6.2). The name
    /// may then be that of a front that many hosts share; which is wanted, nobody can see.
    pub ech: bool,
}

/// How far the reading has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// More bytes are needed.
    More,
    /// The whole hello was read.
    Done(Found),
    /// These are no ClientHello.
    NotTls,
    /// A hello beyond the bound.
    TooLong,
}
