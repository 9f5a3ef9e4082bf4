//! `femtosnitch daemon`

use std::process::ExitCode;

use crate::cli::DaemonArgs;
use crate::config::Paths;

/// Not in this build yet.
///
/// # Errors
/// Always.
pub fn run(_paths: &Paths, _args: &DaemonArgs) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`daemon` is not part of this build")
}
