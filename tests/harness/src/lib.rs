//! What the end-to-end suite and the lab share: programs that may hang, digests of our own, what `status` says.
#![forbid(unsafe_code)]

pub mod command;
pub mod digest;
pub mod status;
