//! `femtosnitch run`

use std::process::ExitCode;

use crate::cli::RunArgs;
use crate::config::Paths;

/// Not in this build yet.
///
/// # Errors
/// Always.
pub fn run(_paths: &Paths, _args: &RunArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`run` is not part of this build")
}
