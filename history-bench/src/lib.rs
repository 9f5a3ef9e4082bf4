//! Months of realistic history, and what writing, asking and forgetting it costs.
//!
//! [`generator`] makes the rows, [`bench`] has them written to femtosnitch's store and to a
//! database with picosnitch's schema, and measures both. Only the store's public interface is used,
//! besides SQLite's own account of sizes.
#![forbid(unsafe_code)]

pub mod ask;
pub mod bench;
pub mod census;
pub mod evidence;
pub mod generator;
pub mod load;
pub mod purging;
pub mod questions;
pub mod reference;
pub mod report;
pub mod statistics;
pub mod writing;
