//! The command line of `femtosnitch verify`.

use clap::Args;

/// `femtosnitch verify`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  femtosnitch verify

Adds up all recorded rows and compares that with the sums that questions are answered from; where
rows are gone by age, sums of minutes, hours and days with each other. The daemon may run meanwhile.
Exits with 1 if anything is wrong.")]
pub struct VerifyArgs {
    /// Leave out SQLite's own check of every page of the file
    #[arg(long)]
    pub quick: bool,
    /// Print JSON for programs
    #[arg(long)]
    pub json: bool,
}
