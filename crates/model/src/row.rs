//! What reaches the history.

use std::net::IpAddr;
use std::sync::Arc;

use crate::{Connections, Digest, Direction, Image, Quality};

/// An executable as the history names it.
#[derive(Debug, Clone)]
pub struct Executable {
    /// Path, name and command line.
    pub image: Arc<Image>,
    /// Contents; [`Digest::Pending`] rows are completed later under the same [`crate::ImageId`].
    pub digest: Digest,
}

/// Traffic of one process over one flow during (at most) one write interval.
#[derive(Debug, Clone)]
pub struct Row {
    /// When the first of these bytes were seen, seconds since 1970-01-01 UTC.
    pub contime: i64,
    /// Application bytes sent.
    pub send: u64,
    /// Application bytes received.
    pub recv: u64,
    /// Bytes sent at the IP layer, `None` where not measured.
    pub wire_send: Option<u64>,
    /// Bytes received at the IP layer, `None` where not measured.
    pub wire_recv: Option<u64>,
    /// Send and receive calls.
    pub events: u64,
    /// Who began the conversation.
    pub direction: Direction,
    /// What became of the connection meanwhile; a row may carry nothing else.
    pub connections: Connections,
    /// How well its data travelled.
    pub quality: Quality,
    /// Who.
    pub exe: Executable,
    /// Who launched it.
    pub parent: Option<Executable>,
    /// Who launched that.
    pub grandparent: Option<Executable>,
    /// Real user id of the process.
    pub uid: u32,
    /// Process id in the initial namespace.
    pub pid: u32,
    /// `AF_*`.
    pub family: u16,
    /// `IPPROTO_*`, 0 unknown.
    pub protocol: u16,
    /// Local address, `None` where unknown.
    pub laddr: Option<IpAddr>,
    /// Remote address, `None` where unknown.
    pub raddr: Option<IpAddr>,
    /// Local port.
    pub lport: u16,
    /// Remote port.
    pub rport: u16,
    /// Remote name in reverse notation (`com.example.www`), '' where unknown.
    pub domain: Arc<str>,
    /// Network namespace inode.
    pub netns: u32,
    /// Container id, '' where none was recognised.
    pub container: Arc<str>,
}
