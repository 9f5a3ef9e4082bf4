//! What is said of a file: whose it is, and in which state.

use std::fmt;
use std::io;

/// Which package manager, or which store that works like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manager {
    /// Debian and its descendants.
    Dpkg,
    /// Fedora, RHEL, openSUSE and theirs.
    Rpm,
    /// Arch Linux and its descendants.
    Pacman,
    /// Alpine Linux.
    Apk,
    /// A Nix store, on NixOS or elsewhere.
    Nix,
    /// The Guix store.
    Guix,
    /// Flatpak, system-wide installations only.
    Flatpak,
    /// Snap.
    Snap,
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dpkg => "dpkg",
            Self::Rpm => "rpm",
            Self::Pacman => "pacman",
            Self::Apk => "apk",
            Self::Nix => "nix",
            Self::Guix => "guix",
            Self::Flatpak => "flatpak",
            Self::Snap => "snap",
        })
    }
}

/// The package that a path belongs to. Its texts are at most 256 printable ASCII characters each;
/// what a database holds besides shows as `?`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Who manages it.
    pub manager: Manager,
    /// Name without version; for Flatpak the application's or runtime's identifier.
    pub package: String,
    /// Version as the manager writes it, with epoch and release where it has them. For Flatpak
    /// the commit, for Snap the revision. Empty where the database tells none.
    pub version: String,
    /// Architecture as the manager spells it, or empty.
    pub architecture: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        if self.version.is_empty() { Ok(()) } else { write!(f, " {}", self.version) }
    }
}

/// How a file compares with what its package shipped. Contents only: mode, owner and extended
/// attributes are not compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// Its contents have the digest that the package's database holds, or it lies in an image
    /// that cannot be written to. A digest may be MD5 (dpkg) or SHA-1 (apk): nobody is known to
    /// make another file for a given digest of these, but whoever made the package can make two.
    Intact,
    /// Its contents have another digest.
    Modified,
    /// Every database of this root was read, and none has a package with this path.
    NotPackaged,
    /// It cannot be told.
    Unknown(Reason),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intact => f.write_str("intact"),
            Self::Modified => f.write_str("modified"),
            Self::NotPackaged => f.write_str("not packaged"),
            Self::Unknown(reason) => write!(f, "unknown: {reason}"),
        }
    }
}

/// Why a state is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// This root has no package database at all.
    NoDatabase,
    /// The package was built without checksums.
    NoChecksums,
    /// The package has checksums, but not of this file (a configuration file, or one that is
    /// made at installation).
    NotRecorded,
    /// The checksum is of a kind that is not known here.
    UnknownDigest,
    /// The database is not as it should be.
    Damaged(Manager),
    /// The database exceeds a limit that no real one comes near.
    TooLarge(Manager),
    /// The database could not be read.
    Unreadable(Manager, io::ErrorKind),
    /// The package manager is at work, or was stopped while it was: files and database may be of
    /// different versions.
    Busy(Manager),
    /// The file could not be read.
    File(io::ErrorKind),
    /// The file is a directory, a device or the like.
    NotRegular,
    /// The file is larger than what is read for a comparison.
    FileTooLarge,
    /// The file differs, but has no name any more: it may be what the package shipped before it
    /// was upgraded, and still be running.
    Deleted,
    /// The file was written to while it was read.
    FileChanged,
    /// A store that is never changed by convention and has no checksums of single files.
    Convention {
        /// Nobody but root can have changed the file: it is root's and has no write permission,
        /// or its file system is mounted read-only.
        protected: bool,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDatabase => f.write_str("there is no package database"),
            Self::NoChecksums => f.write_str("no checksums"),
            Self::NotRecorded => f.write_str("no checksum of this file"),
            Self::UnknownDigest => f.write_str("a checksum of an unknown kind"),
            Self::Damaged(manager) => write!(f, "the database of {manager} is damaged"),
            Self::TooLarge(manager) => write!(f, "the database of {manager} is too large"),
            Self::Unreadable(manager, kind) => {
                write!(f, "the database of {manager} cannot be read ({kind})")
            }
            Self::Busy(manager) => write!(f, "{manager} is at work"),
            Self::File(kind) => write!(f, "the file cannot be read ({kind})"),
            Self::NotRegular => f.write_str("not a regular file"),
            Self::FileTooLarge => f.write_str("the file is too large"),
            Self::Deleted => f.write_str("deleted or replaced since"),
            Self::FileChanged => f.write_str("the file kept changing"),
            Self::Convention { protected: true } => {
                f.write_str("no checksums of single files, but only root can write to it")
            }
            Self::Convention { protected: false } => {
                f.write_str("no checksums of single files, and others than root can write to it")
            }
        }
    }
}

/// What is known of one file at one path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The package that owns the path, whatever the state; `None` if there is none or none was
    /// found.
    pub owner: Option<Owner>,
    /// How the file compares.
    pub state: State,
}

impl Answer {
    pub(crate) fn of(owner: Owner, state: State) -> Self {
        Self { owner: Some(owner), state }
    }

    pub(crate) fn unknown(reason: Reason) -> Self {
        Self { owner: None, state: State::Unknown(reason) }
    }
}

/// `curl 7.88.1-10 (intact)`, or the state alone.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            Some(owner) => write!(f, "{owner} ({})", self.state),
            None => self.state.fmt(f),
        }
    }
}
