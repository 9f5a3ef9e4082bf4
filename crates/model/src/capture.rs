//! What the kernel side of capture reports: readings of its counters, and process events.

use crate::{
    Counters, Direction, FileId, FileSystem, FlowKey, Headers, ProcKey, SctpTotals, TcpTotals,
};

/// Number of a flow in the kernel's ledger. Reused after it was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// What a flow stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowKind {
    /// The first (owner, peer) of a socket; lives as long as the socket.
    First,
    /// The same, where the kernel had no room to keep it with the socket.
    Orphan,
    /// A further (owner, peer) of a socket.
    Extra,
    /// One owner's traffic with the many further peers of one socket.
    ManyPeers,
    /// All of one owner's traffic that found no flow.
    Bucket,
    /// Traffic that found not even a bucket of its owner: of all processes of one user that run
    /// one executable.
    Executable {
        /// Device of the executable, as stat(2) has it.
        dev: u64,
        /// Its inode number.
        ino: u64,
    },
    /// Traffic that found no bucket at all: of everybody.
    CatchAll,
}

/// One look at a flow.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Which.
    pub slot: Slot,
    /// Who moves the bytes. Meaningless for [`FlowKind::Executable`] and [`FlowKind::CatchAll`].
    pub owner: ProcKey,
    /// The conversation.
    pub flow: FlowKey,
    /// What it stands for.
    pub kind: FlowKind,
    /// Bytes and calls since the slot was given to this flow.
    pub total: Counters,
    /// The socket is closed: `total` is final.
    pub closed: bool,
    /// Real user id of the owner when the flow began.
    pub uid: u32,
    /// cgroup v2 id of the owner when the flow began.
    pub cgroup_id: u64,
    /// Who began the conversation.
    pub direction: Direction,
    /// What is known of headers.
    pub headers: Headers,
    /// What TCP counted, of the socket's first flow only: for all flows of the socket together.
    pub tcp: Option<Box<TcpTotals>>,
    /// The same of SCTP, where it can be told.
    pub sctp: Option<Box<SctpTotals>>,
}

/// Something happened to a process.
#[derive(Debug, Clone)]
pub enum ProcEvent {
    /// A program was executed.
    Exec(Box<ProcInfo>),
    /// A process that was there before the daemon.
    Found(Box<ProcInfo>),
    /// A process was forked; it runs what its parent runs.
    Fork {
        /// The new process.
        child: ProcKey,
        /// Who called fork.
        parent: ProcKey,
        /// Real user id of the child.
        uid: u32,
    },
    /// The last thread of a process ended.
    Exit(ProcKey),
}

/// What the kernel knew of a process when it was executed (or found).
#[derive(Debug, Clone)]
pub struct ProcInfo {
    /// Which run.
    pub key: ProcKey,
    /// Its `real_parent` at this moment.
    pub parent: ProcKey,
    /// The `real_parent` of that.
    pub grandparent: ProcKey,
    /// The executable; `None` for a process on its way out.
    pub file: Option<FileId>,
    /// Path from the root of the mount namespace, or `memfd:NAME` without a slash; empty if none.
    pub path: Vec<u8>,
    /// The path is longer than the kernel side walks; its beginning is missing.
    pub path_cut: bool,
    /// The file lies outside all mounts.
    pub memfd: bool,
    /// No name leads to the file.
    pub unlinked: bool,
    /// What kind of file system the file is on.
    pub system: FileSystem,
    /// Arguments, NUL-separated; empty for [`ProcEvent::Found`].
    pub args: Vec<u8>,
    /// There were more.
    pub args_cut: bool,
    /// What execve(2) was given, where the kernel has executed an interpreter in its place: a
    /// script (`#!`), or a binary of a foreign format. As the caller gave it, perhaps relative.
    pub script: Option<Vec<u8>>,
    /// Path in the cgroup v2 hierarchy.
    pub cgroup: Vec<u8>,
    /// The thread group leader's name.
    pub comm: Vec<u8>,
    /// Real user id.
    pub uid: u32,
    /// Who logged in, `None` if nobody did.
    pub login_uid: Option<u32>,
    /// The audit session of that login.
    pub session: Option<u32>,
    /// Inode number of the mount namespace.
    pub mntns: u32,
    /// The mount that it was executed through (`mnt_id` of `/proc/PID/mountinfo`), 0 unknown.
    pub mnt_id: u32,
    /// Names that the file had; 0 none or unknown.
    pub links: u32,
}
