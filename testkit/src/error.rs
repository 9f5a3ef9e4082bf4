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

    /// The same for something that not every kernel can do.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if the kernel's answer is that it cannot.
    fn supported(self, what: &str) -> Result<T>;
}

/// What a kernel answers to what it does not know.
const CANNOT: [i32; 7] = [
    libc::EPROTONOSUPPORT,
    libc::ESOCKTNOSUPPORT,
    libc::EAFNOSUPPORT,
    libc::ENOPROTOOPT,
    libc::EOPNOTSUPP,
    libc::ENOSYS,
    libc::ENOENT,
];

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: &str) -> Result<T> {
        self.map_err(|source| Error::Io { what: what.to_owned(), source })
    }

    fn supported(self, what: &str) -> Result<T> {
        match self {
            Err(error) if error.raw_os_error().is_some_and(|code| CANNOT.contains(&code)) => {
                Err(Error::Unsupported(format!("{what}: {error}")))
            }
            other => other.doing(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_cannot_do_is_told_from_what_failed() {
        let said = |code| Err::<(), _>(io::Error::from_raw_os_error(code)).supported("x");
        assert!(matches!(said(libc::EPROTONOSUPPORT), Err(Error::Unsupported(_))));
        assert!(matches!(said(libc::EPERM), Err(Error::Io { .. })));
    }
}
