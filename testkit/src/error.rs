//! What can go wrong while making traffic.

use std::io;

/// Why a generator gave up. Traffic that is not exactly what was asked for is an error too.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// This kernel, or the plan, has no such traffic: neither right nor wrong.
    #[error("not supported here: {0}")]
    Unsupported(String),
    /// The traffic, a peer process or an argument was not as expected.
    #[error("{0}")]
    Unexpected(String),
}

/// Shorthand of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Self::Io { what: "system call".to_owned(), source }
    }
}

impl From<serde_json::Error> for Error {
    fn from(source: serde_json::Error) -> Self {
        Self::Unexpected(format!("JSON: {source}"))
    }
}

/// Names the step that failed.
pub trait Doing<T> {
    /// Turns an I/O error into an [`Error::Io`] that says what was being done.
    ///
    /// # Errors
    /// The error it was called on, named.
    fn doing(self, what: &str) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: &str) -> Result<T> {
        self.map_err(|source| Error::Io { what: what.to_owned(), source })
    }
}
