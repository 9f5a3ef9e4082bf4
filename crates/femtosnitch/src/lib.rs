//! femtosnitch tells which executable sent and received every byte.
//!
//! This is the composition root: command line, configuration and wiring. What can be done without
//! them lives in the rooms below.
#![forbid(unsafe_code)]

pub mod cli;
pub mod cmd;
pub mod config;
pub mod daemon;
pub mod export;
pub mod live_view;
pub mod text;
