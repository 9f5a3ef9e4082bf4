//! What the engine wants done.

use femtosnitch_model::{FileId, FileSystem, FlowKind, Slot};

/// Where a file to be hashed may be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRequest {
    /// Which version of which file.
    pub file: FileId,
    /// Path within the mount namespace of `tgid`, as the kernel gave it; empty if none.
    pub path: Vec<u8>,
    /// A process that ran it.
    pub tgid: u32,
    /// The mount it was executed through, 0 unknown.
    pub mnt_id: u32,
    /// Inode number of the mount namespace of `tgid`, 0 unknown.
    pub mntns: u32,
    /// Names that it had then, 0 none or unknown.
    pub links: u32,
    /// What kind of file system the file is on.
    pub system: FileSystem,
}

/// One thing to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A file not seen before was executed: take hold of it while it is there.
    Hold(FileRequest),
    /// Its digest is wanted now.
    Hash(FileRequest),
    /// These flows' owners or sockets are gone, or the flows have long been idle: have the kernel
    /// side forget them, then hand in a last reading of each.
    Retire(Vec<(Slot, FlowKind)>),
    /// Everything is known of this flow: give the slot back.
    Release(Slot, FlowKind),
}
