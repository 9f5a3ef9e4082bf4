//! What every package database can be asked.

use std::io;

use crate::answer::{Manager, Owner, Reason};
use crate::digest::Digest;
use crate::path::Links;
use crate::root::Root;

/// Largest database file that is read as a whole.
pub(crate) const MAX_DATABASE: u64 = 64 << 20;

/// A package that lists a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) owner: Owner,
    /// What the file should have, or why that is not known.
    pub(crate) expected: Result<Digest, Reason>,
}

/// Where a database is looked for and how its paths are spelt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) root: &'a Root,
    pub(crate) links: &'a Links,
}

/// A package database in a root.
pub(crate) trait Source: Send {
    /// Whose it is.
    fn manager(&self) -> Manager;

    /// Roughly how many packages it has, cheaply: whoever has most is asked first.
    fn packages(&self, place: Place<'_>) -> usize;

    /// All packages that list this canonical path.
    ///
    /// # Errors
    /// Why the database cannot tell.
    fn claims(&mut self, place: Place<'_>, path: &[u8]) -> Result<Vec<Claim>, Reason>;

    /// Whether the package manager is at work now.
    fn busy(&self, root: &Root) -> bool;

    /// Bytes of memory that it takes, roughly.
    fn memory(&self) -> usize;
}

/// Why reading a database failed.
pub(crate) fn unreadable(manager: Manager) -> impl Fn(io::Error) -> Reason {
    move |error| match error.kind() {
        io::ErrorKind::FileTooLarge => Reason::TooLarge(manager),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Reason::Damaged(manager),
        kind => Reason::Unreadable(manager, kind),
    }
}
