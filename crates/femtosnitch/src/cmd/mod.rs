//! The subcommands. Each `run` returns the exit code, or why the operation failed.

pub mod check;
pub mod daemon;
pub mod export;
pub mod import;
pub mod query;
pub mod reload;
pub mod run;
pub mod status;
pub mod top;
pub mod tui;
pub mod verify;
pub mod web;
