//! Programs that find a host by its name, or tell a server which one they want, each in a way of
//! its own; and servers for those that ordinary servers would not do for.
//!
//! Every client reports what it moved ([`crate::Report`]): the end `resolver` is its talk with a
//! name server, the end `client` that with the host.

mod ask;
mod fetch;
mod hello;
mod look;
mod message;
mod multicast;
mod quic;
mod quic_count;
mod resolver;
mod tls;

pub use ask::Ask;
pub use ask::Over;
pub use ask::Taking;
pub use ask::ask;
pub use fetch::Fetch;
pub use fetch::fetch;
pub use hello::Opening;
pub use hello::open_with;
pub use look::look;
pub use message::Asked;
pub use message::query;
pub use message::reply;
pub use multicast::overhear;
pub use multicast::tell;
pub use quic::quic;
pub use quic::serve_quic;
pub use resolver::serve_dns;
pub use tls::serve_tls;
pub use tls::tls;

use std::io::BufRead as _;

use crate::Doing;
use crate::Result;
use crate::emit;

/// Says that the name is resolved and waits for a line of standard input.
fn hold() -> Result<()> {
    emit(&"resolved")?;
    std::io::stdin().lock().read_line(&mut String::new()).doing("waiting for a line")?;
    Ok(())
}
