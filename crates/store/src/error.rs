//! What can go wrong, and what to do about it.

use std::io;
use std::path::PathBuf;

/// Why the history could not be opened, written or read. The message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space left; the same call may work later.
    #[error(
        "{path}: the disk is full ({reason}); free some space on that file system, writing goes \
         on by itself"
    )]
    Full {
        /// The database.
        path: PathBuf,
        /// SQLite's or the system's own words.
        reason: String,
    },
    /// Another program holds a lock; the same call may work later.
    #[error(
        "{path}: locked by another program ({reason}); close whatever has the database open for \
         writing (`fuser {path}` names it)"
    )]
    Busy {
        /// The database.
        path: PathBuf,
        /// SQLite's own words.
        reason: String,
    },
    /// Another writer has this database open.
    #[error(
        "{path}: another femtosnitch daemon is writing here; stop it, or give this one another \
         --root"
    )]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// The file is damaged, or is no database at all.
    #[error(
        "{path}: the database is damaged ({reason}); the daemon moves it aside when it next \
         starts or writes, and `sqlite3 FILE .recover` may save what is in it"
    )]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// SQLite's own words, or which check failed.
        reason: String,
    },
    /// The device or file system failed; the same call may work later.
    #[error("{path}: cannot be read or written ({reason}); look for disk errors in `dmesg`")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// SQLite's or the system's own words.
        reason: String,
    },
    /// Access denied.
    #[error(
        "{path}: permission denied ({reason}); run as root or as a member of the group that owns \
         the file"
    )]
    Permission {
        /// The file or directory.
        path: PathBuf,
        /// SQLite's or the system's own words.
        reason: String,
    },
    /// There is no database.
    #[error(
        "{path}: there is no history yet; start `femtosnitch daemon`, or check that --root is the \
         one it uses"
    )]
    Missing {
        /// Where it should have been.
        path: PathBuf,
    },
    /// Written by a later version of femtosnitch.
    #[error(
        "{path}: written by a newer femtosnitch (schema {found}, this program knows up to \
         {known}); upgrade femtosnitch, or move the file away to start a new history"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest one this program can read.
        known: i64,
    },
    /// Written by an earlier version and not migrated yet (readers cannot do that).
    #[error(
        "{path}: written by an older femtosnitch (schema {found}, this program reads {known}); \
         start the daemon of this version once, it converts the history"
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The one this program reads.
        known: i64,
    },
    /// A healthy SQLite database of some other program.
    #[error(
        "{path}: a database, but not femtosnitch's; move it away or give another --root (a \
         picosnitch history is taken over with `femtosnitch import`)"
    )]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// A query asked for something that does not exist.
    #[error("{0}")]
    BadQuery(String),
    /// Whoever asked does not want to know any more ([`crate::Cancel`]).
    #[error("the question was withdrawn")]
    Cancelled,
    /// SQLite refused a statement: a fault in femtosnitch.
    #[error("{path}: unexpected database error ({reason}); please report this")]
    Internal {
        /// The database.
        path: PathBuf,
        /// SQLite's own words.
        reason: String,
    },
}

impl StoreError {
    /// True if trying the same again later may succeed without anybody changing femtosnitch's
    /// files or configuration.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Busy { .. } | Self::Io { .. })
    }

    /// True if the database should be moved aside.
    #[must_use]
    pub fn is_corruption(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }

    /// Sorts a system error about `path` into the right kind.
    pub(crate) fn from_io(path: impl Into<PathBuf>, error: &io::Error) -> Self {
        let (path, reason) = (path.into(), error.to_string());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full { path, reason }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Permission { path, reason }
            }
            _ => Self::Io { path, reason },
        }
    }
}
