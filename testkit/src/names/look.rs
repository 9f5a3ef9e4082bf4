//! A name looked up by the C library.

use std::net::ToSocketAddrs as _;
use std::thread;
use std::time::Duration;

use super::fetch::Fetch;
use crate::Doing;
use crate::Result;

/// Asks `getaddrinfo(3)` for `name`, after a while, and fetches from its first address.
///
/// # Errors
/// If there is no such name, or no web server there.
pub fn look(name: &str, after: Duration, fetch: Fetch) -> Result<()> {
    thread::sleep(after);
    let found = (name, fetch.port).to_socket_addrs().doing("getaddrinfo")?;
    let found: Vec<_> = found.map(|address| address.ip()).collect();
    fetch.from(&found, Vec::new())
}
