//! `femtosnitch check`: is this configuration right?

use std::io::{self, Write};
use std::process::ExitCode;

use crate::cli::CheckArgs;
use crate::config::{Config, Paths};

/// Says `FILE: ok`, or fails with everything that is wrong.
///
/// # Errors
/// If the configuration is not entirely right, or if the answer cannot be printed.
pub fn run(paths: &Paths, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let checked = match &args.file {
        Some(file) => {
            Config::load_file(file)?;
            Some(file.clone())
        }
        None => Config::load(paths)?.1,
    };
    let mut out = io::stdout().lock();
    match checked {
        Some(file) => writeln!(out, "{}: ok", file.display())?,
        None => writeln!(
            out,
            "{}: not there, so the defaults apply: ok",
            paths.config_toml().display()
        )?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
