//! Says which package an executable is of, and whether it still is what the package shipped.
//!
//! The package databases are read directly; no package manager is run, nothing is locked and
//! nothing is written. Each database is parsed as if an attacker had written it: one in a
//! container's root may have been. What it says is therefore as trustworthy as whoever may write
//! to that root: on the host, root.
//!
//! Two smaller modules look at the same open file: [`elf`] for its build-id, [`privilege`] for
//! what running it grants.

#![forbid(unsafe_code)]

mod answer;
mod apk;
mod bytes;
mod change;
mod digest;
mod dpkg;
pub mod elf;
mod image;
mod index;
mod packages;
mod pacman;
mod path;
pub mod privilege;
mod root;
mod rpm;
mod source;

pub use answer::{Answer, Manager, Owner, Reason, State};
pub use change::Change;
pub use packages::Packages;
