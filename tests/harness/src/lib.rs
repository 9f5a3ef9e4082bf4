//! What the end-to-end suite and the lab share: programs that may hang, digests of our own.
#![forbid(unsafe_code)]

pub mod command;
pub mod digest;
