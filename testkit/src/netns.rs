//! Named network namespaces joined by a veth pair, removed when dropped. Needs root and `ip`.

use std::fs::File;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use crate::Doing;
use crate::Error;
use crate::Result;
use crate::sys::process;

/// Namespaces made so far by this process, so that names never collide.
static MADE: AtomicU32 = AtomicU32::new(0);

/// One end of a [`Pair`].
#[derive(Debug)]
pub struct Side {
    /// The namespace's name as `ip netns` knows it.
    pub name: String,
    /// Its IPv4 address on the pair.
    pub v4: Ipv4Addr,
    /// Its IPv6 address on the pair.
    pub v6: Ipv6Addr,
}

/// Two network namespaces with a cable between them.
#[derive(Debug)]
pub struct Pair {
    /// One end.
    pub left: Side,
    /// The other end.
    pub right: Side,
}

impl Pair {
    /// Makes two namespaces, the pair between them, addresses on both ends and loopback up.
    ///
    /// # Errors
    /// If `ip` is missing or refuses; nothing is left behind.
    pub fn create() -> Result<Self> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let stem = format!("fs{}n{number}", std::process::id());
        let side = |letter: char, host: u8| Side {
            name: format!("{stem}{letter}"),
            v4: Ipv4Addr::new(10, 231, 77, host),
            v6: Ipv6Addr::new(0xfd5e, 0x77, 0, 0, 0, 0, 0, host.into()),
        };
        // Made before anything else, so that a failure half-way removes what exists.
        let pair = Self { left: side('a', 1), right: side('b', 2) };
        let [left, right] = [&pair.left.name, &pair.right.name];
        ip(&["netns", "add", left])?;
        ip(&["netns", "add", right])?;
        ip(&[
            "link", "add", "veth0", "netns", left, "type", "veth", "peer", "name", "veth0",
            "netns", right,
        ])?;
        for side in [&pair.left, &pair.right] {
            let (v4, v6) = (format!("{}/24", side.v4), format!("{}/64", side.v6));
            let here = ["-n", &side.name];
            ip(&[&here[..], &["addr", "add", &v4, "dev", "veth0"]].concat())?;
            // Without duplicate detection the address can be used at once.
            ip(&[&here[..], &["addr", "add", &v6, "dev", "veth0", "nodad"]].concat())?;
            ip(&[&here[..], &["link", "set", "lo", "up"]].concat())?;
            ip(&[&here[..], &["link", "set", "veth0", "up"]].concat())?;
        }
        Ok(pair)
    }
}

impl Side {
    /// Makes `command` run in this namespace.
    ///
    /// # Errors
    /// If the namespace is gone.
    pub fn enter(&self, command: &mut Command) -> Result<()> {
        enter(&self.name, command)
    }
}

/// Makes `command` run in a named network namespace.
///
/// # Errors
/// If there is none of that name.
pub fn enter(name: &str, command: &mut Command) -> Result<()> {
    let path = format!("/run/netns/{name}");
    let namespace = File::open(&path).doing(&path)?;
    process::enter_network(command, namespace);
    Ok(())
}

impl Drop for Pair {
    fn drop(&mut self) {
        for side in [&self.left, &self.right] {
            // Absent if making them failed half-way.
            drop(ip(&["netns", "del", &side.name]));
        }
    }
}

/// Runs `ip` with these arguments.
///
/// # Errors
/// If it is not installed or fails, with what it said.
pub fn ip(args: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(args).output().doing("running ip (install iproute2)")?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::Unexpected(format!("ip {}: {}", args.join(" "), said.trim())))
}
