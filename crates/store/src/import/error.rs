//! What can go wrong with somebody else's database, and what to do about it.

use std::path::Path;
use std::path::PathBuf;

use crate::StoreError;
use crate::classify;

/// Why an import cannot begin or go on. The message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such file.
    #[error("{path}: there is no such file; give the path of picosnitch's database")]
    Missing {
        /// The database.
        path: PathBuf,
    },
    /// Not picosnitch's, as far as can be told.
    #[error("{path}: not a picosnitch database ({reason}); nothing was taken over")]
    Foreign {
        /// The database.
        path: PathBuf,
        /// What it is, or what it lacks.
        reason: String,
    },
    /// A version that is not known here.
    #[error(
        "{path}: a picosnitch database of version {found}, and only versions 3 and 4 are known; \
         look for a newer femtosnitch if it is a later one. Nothing was taken over"
    )]
    Version {
        /// The database.
        path: PathBuf,
        /// What it says of itself.
        found: i64,
    },
    /// Rows of it are in the history, but not its last one.
    #[error(
        "{path}: rows of it are in the history already, so it seems to be an older copy of a \
         database that was taken over; take over the newest copy. Nothing was taken over"
    )]
    Twice {
        /// The database.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "{path}: damaged ({reason}); what was taken over until here stays. `sqlite3 {path} .recover \
         | sqlite3 saved.db` may save the rest, which can be taken over then"
    )]
    Damaged {
        /// The database.
        path: PathBuf,
        /// SQLite's own words, or what is wrong.
        reason: String,
    },
    /// It cannot be read.
    #[error("{path}: cannot be read ({reason}); {advice}")]
    Unreadable {
        /// The database.
        path: PathBuf,
        /// SQLite's or the system's own words.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// femtosnitch's own history.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The same error of a statement on `path`, somebody else's database.
pub(super) fn of_source(path: &Path, error: &rusqlite::Error) -> ImportError {
    let unreadable =
        |path, reason, advice: &'static str| ImportError::Unreadable { path, reason, advice };
    match classify::classify(path, error) {
        StoreError::Missing { path } => ImportError::Missing { path },
        StoreError::Corrupt { path, reason } | StoreError::Internal { path, reason } => {
            ImportError::Damaged { path, reason }
        }
        StoreError::Permission { path, reason } => unreadable(path, reason, "run as root"),
        StoreError::Busy { path, reason } => {
            unreadable(path, reason, "stop picosnitch and try again")
        }
        StoreError::Io { path, reason } | StoreError::Full { path, reason } => {
            unreadable(path, reason, "look for disk errors in `dmesg`")
        }
        other => ImportError::Store(other),
    }
}
