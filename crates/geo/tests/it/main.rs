//! Databases as files: both schemas, damaged ones, replaced ones. The files are written here
//! (`mmdb`); no publisher's data is in the repository.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests, and helpers that only tests use"
)]

mod answers;
mod compare;
mod fixture;
mod hostile;
mod mmdb;
mod refresh;
mod speed;
