//! Says in which country and network an address is, or for what it is set aside.
//!
//! - [`special`]: what the registries of IANA set addresses aside for, pure. It is asked before
//!   any database: some of those give a country to ranges that nobody has.
//! - [`Database`]: one file in the MaxMind DB format, of whichever publisher.
//! - [`Databases`]: those in use, found, and read again when they change.
//!
//! Nothing is fetched here: files are the user's, the distribution's, or came with femtosnitch.

#![forbid(unsafe_code)]

mod about;
mod answer;
mod database;
mod databases;
mod error;
mod file;
mod keep;
mod places;
mod record;
pub mod special;
mod text;

pub use about::About;
pub use answer::{Answer, Country};
pub use database::Database;
pub use databases::{Choice, Databases, Problem, Search};
pub use error::Error;
pub use keep::{Bytes, Keep};
pub use places::{Place, Places};
