//! The command line of `femtosnitch verify`.

use clap::Args;

/// `femtosnitch verify`
#[derive(Debug, Args)]
#[command(after_help = "Example:
  femtosnitch verify

  femtosnitch verify --head 3f0c…

Adds up all recorded rows and compares that with the sums that questions are answered from; where
rows are gone by age, sums of minutes, hours and days with each other. The daemon may run meanwhile.
With `[store] tamper_evidence`, it also walks the chain of hashes and says what was changed by anybody
but femtosnitch; with --head, whether a hash that was noted down elsewhere is still part of it.
Exits with 1 if anything is wrong.")]
pub struct VerifyArgs {
    /// Leave out SQLite's own check of every page of the file
    #[arg(long)]
    pub quick: bool,
    /// A hash of the chain that was noted down elsewhere, or a file with such hashes, one a line: it
    /// has to be part of the chain still
    #[arg(long, value_name = "HASH|FILE")]
    pub head: Vec<String>,
    /// Print JSON for programs
    #[arg(long)]
    pub json: bool,
}
