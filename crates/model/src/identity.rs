//! Which file a process is running, and what its contents are.

use std::fmt;

/// A time as the file system keeps it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 UTC.
    pub sec: i64,
    /// Nanoseconds within the second.
    pub nsec: u32,
}

/// One version of one file: if any of these differ, the contents may.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Device number of the superblock (`s_dev`) as `makedev(3)` encodes it for user space. On
    /// btrfs and overlayfs `stat(2)` may report another one.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Tells inodes apart where their numbers do not (btrfs' subvolumes, overlayfs' layers), as
    /// far as the kernel side saw them; else 0. Means nothing by itself.
    pub object: u64,
    /// Inode generation, where the file system has one.
    pub generation: u32,
    /// Size in bytes.
    pub size: u64,
    /// Last change of the contents.
    pub mtime: Timestamp,
    /// Last change of the inode; no unprivileged program can set it.
    pub ctime: Timestamp,
    /// How often a change of this inode was noticed that its time stamps may be too coarse to
    /// show; 0 as the kernel side reports it.
    pub epoch: u32,
}

/// File systems whose files need special care.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileSystem {
    /// None of those, or unknown.
    #[default]
    Other,
    /// A program serves the files (FUSE): perhaps to one user only, and perhaps never.
    Fuse,
    /// overlayfs, for whose files `stat(2)` may have another device and inode number than the
    /// kernel.
    Overlay,
}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha256(pub [u8; 32]);

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why there is no digest. Shown in brackets where the digest would stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unhashed {
    /// A kernel thread: there is no file.
    Kernel,
    /// The file was no longer there when it was wanted.
    Gone,
    /// The file could not be opened or read.
    Unreadable,
    /// Another file was found at the path, or the file changed while it was read.
    Changed,
    /// Nobody knows which file it is (the exec was not seen and the process is gone).
    Unknown,
    /// femtosnitch was stopped before the file was hashed.
    Interrupted,
    /// The program that serves the file did not answer in time.
    NoAnswer,
    /// The file is larger than any program, sparse perhaps: reading it would take hours.
    TooLarge,
}

impl fmt::Display for Unhashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "(kernel)",
            Self::Gone => "(gone)",
            Self::Unreadable => "(unreadable)",
            Self::Changed => "(changed)",
            Self::Unknown => "(unknown)",
            Self::Interrupted => "(interrupted)",
            Self::NoAnswer => "(no answer)",
            Self::TooLarge => "(too large)",
        })
    }
}

/// What is known of a file's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    /// Being worked on.
    Pending,
    /// The contents' SHA-256.
    Known(Sha256),
    /// There will be none, and why.
    Missing(Unhashed),
}

impl fmt::Display for Digest {
    /// The form in which it is stored and shown: lower-case hex, or a bracketed reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("(pending)"),
            Self::Known(sha) => sha.fmt(f),
            Self::Missing(reason) => reason.fmt(f),
        }
    }
}
