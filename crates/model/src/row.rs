//! What reaches the history.

use std::net::IpAddr;
use std::sync::Arc;

use crate::{Connections, Digest, Direction, Image, Lineage, NameSource, Process, Quality};

/// An executable as the history names it.
#[derive(Debug, Clone)]
pub struct Executable {
    /// Path, name and command line.
    pub image: Arc<Image>,
    /// Contents; [`Digest::Pending`] rows are completed later under the same [`crate::ImageId`].
    pub digest: Digest,
}

/// A program run in a row's lineage.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The run. Equal ones are one and the same for as long as the machine is up.
    pub process: Arc<Process>,
    /// What it ran.
    pub exe: Executable,
    /// The script that it ran, where it was an interpreter and that is known by now. The image has
    /// the script's path and nothing else.
    pub script: Option<Executable>,
}

/// What is known of an executable besides its digest. All of it is as of the moment when it was
/// found out; '' where unknown or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The package that its path belongs to, with the manager: `dpkg curl`.
    pub package: String,
    /// Version of the package.
    pub version: String,
    /// `intact`, `modified`, `not packaged`, or `unknown: …` with the reason.
    pub state: String,
    /// Build-id of the ELF file, in hexadecimal.
    pub build_id: String,
    /// What running it grants: `setuid root`, `cap_net_raw=ep`.
    pub privileges: String,
    /// The digest that fs-verity enforces, as `sha256:…`.
    pub verity: String,
    /// Who changed the file last before this version was executed, as far as was seen: a path.
    pub written_by: String,
}

/// What a container is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerFacts {
    /// As in [`crate::Place::container`].
    pub container: Arc<str>,
    /// Its name.
    pub name: String,
    /// The image that it was made from.
    pub image: String,
    /// Kubernetes' name for the pod, `namespace/name`; its uid, if that is all that is known.
    pub pod: String,
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
    /// The process, who launched it, and so on; empty where it stands for several.
    pub lineage: Lineage,
    /// Who: as in `lineage`, if that is not empty, and so are the next two.
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
    /// How that is known.
    pub name_source: NameSource,
    /// Network namespace inode.
    pub netns: u32,
    /// Container id, '' where none was recognised.
    pub container: Arc<str>,
}
