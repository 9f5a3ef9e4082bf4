//! Names of hosts, from bytes that anybody on the network may have written.
//!
//! - [`dns`]: which addresses a resolver's reply gave for the name that was asked for.
//! - [`tls`]: which host a TLS client says it wants, from the first bytes of its connection.
//! - [`quic`]: the same, from a QUIC client's first datagrams.
//!
//! Nothing here does I/O, reads a clock, or panics, and whatever is kept has a bound that is
//! a constant with a reason. What a name may contain is in [`HostName`] and [`dns::Name`]: neither
//! holds a byte that could harm a terminal, a log or a query.

#![forbid(unsafe_code)]

mod cursor;
pub mod dns;
mod escape;
mod name;
pub mod quic;
pub mod tls;

pub use name::{BadName, HostName, is_within, reversed};
