//! Runs femtosnitch on the kernel at hand, makes traffic of known volume, and compares what
//! femtosnitch wrote with what moved, byte by byte.

#![forbid(unsafe_code)]

mod daemon;
mod expect;
mod helpers;
mod live;
// The writer of databases that the tests of crates/geo have.
#[path = "../../../crates/geo/tests/it/mmdb.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "writes for tests only")]
mod mmdb;
mod root;
mod runner;
mod scenarios;
mod terminal;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// End-to-end tests of femtosnitch. They need root.
#[derive(Debug, Parser)]
struct Args {
    /// The femtosnitch binary to test
    #[arg(long)]
    femtosnitch: PathBuf,
    /// The femtosnitch-testkit binary, which makes the traffic
    #[arg(long)]
    testkit: PathBuf,
    /// Runs only scenarios whose name contains this
    #[arg(long, default_value = "")]
    filter: String,
    /// Lists the scenarios instead of running them
    #[arg(long)]
    list: bool,
    /// Leaves out what tells nothing of the kernel, unless --filter asks for it
    #[arg(long)]
    kernel_only: bool,
    /// Skips what needs network namespaces (a kernel without them, a locked-down container)
    #[arg(long)]
    skip_network_namespaces: bool,
    /// Short-lived processes in `thousand-shortlived`
    #[arg(long, env = "FEMTOSNITCH_E2E_PROCESSES")]
    processes: Option<u64>,
    /// Times that the daemon is killed in `kill-9`
    #[arg(long, env = "FEMTOSNITCH_E2E_KILLS")]
    kills: Option<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = if args.list { runner::list(&args.filter) } else { runner::run(&args) };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            runner::complain(&format!("femtosnitch-e2e: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
