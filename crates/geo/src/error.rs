//! Why a database cannot be used.

use std::io;
use std::path::PathBuf;

/// What is wrong with a file, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there, or not to be read.
    #[error("cannot read {}: {source}; correct the path or its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory, a device, a pipe.
    #[error("{} is not a plain file; name the .mmdb file itself", path.display())]
    NotPlain {
        /// What was named.
        path: PathBuf,
    },
    /// Larger than is read into memory.
    #[error("{} is larger than {} MiB; use a country or ASN database in place of a larger one", path.display(), limit >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Largest size that is read, in bytes.
        limit: u64,
    },
    /// Somebody wrote to it meanwhile.
    #[error("{} changed while it was read; replace it by renaming a finished file over it", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Not in the format, cut short, or damaged.
    #[error("{} is no sound MaxMind DB file ({why}); fetch it again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and how.
        why: String,
    },
    /// Sound, but about something else.
    #[error("{} has no {wanted} in it; use a database that has", path.display())]
    NothingInIt {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
}
