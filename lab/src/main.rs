//! `femtosnitch-lab`: measures how exact femtosnitch is, against counters that are not its own.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks there")]

mod comparison;
mod daemon;
mod document;
mod ground;
mod guests;
mod interrupt;
mod judge;
mod laboratory;
mod netstat;
mod peers;
mod scale;
mod scoreboard;
mod table;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Runs every scenario and tells where femtosnitch differs from the truth (needs root).
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The femtosnitch to judge
    #[arg(long)]
    femtosnitch: PathBuf,
    /// The traffic generator
    #[arg(long)]
    testkit: PathBuf,
    /// Scenarios with this in their name only; may be given several times
    #[arg(long)]
    filter: Vec<String>,
    /// Lists the scenarios
    #[arg(long)]
    list: bool,
    /// File for all measurements as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Document whose table between the markers is replaced
    #[arg(long)]
    document: Option<PathBuf>,
    /// With --document: runs nothing, but replaces the table of other kernels by what the labs there
    /// wrote as JSON
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "document")]
    guests: Vec<PathBuf>,
    /// Leaves the scale scenarios out
    #[arg(long)]
    no_scale: bool,
    /// Also has the other tools watch that are installed (nethogs, bpftrace's tcplife)
    #[arg(long)]
    peers: bool,
    /// Seconds that each scenario may take
    #[arg(long, default_value_t = 60)]
    patience: u64,
}

fn main() -> ExitCode {
    match laboratory::run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("femtosnitch-lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}
