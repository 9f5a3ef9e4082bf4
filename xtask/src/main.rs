//! Chores of the repository that need more than a shell line: `cargo xtask --help`.
//!
//! Each chore is a module with one `run`; a new one is a variant of [`Chore`] and an arm in `main`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks there")]

mod apt;
mod bench;
mod cpio;
mod geoip;
mod initramfs;
mod kernels;
mod lab;
mod layers;
mod modules;
mod parallel;
mod plain;
mod process;
mod qemu;
mod tally;
mod tidy;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

/// Chores of the femtosnitch repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

/// What can be asked for.
#[derive(Subcommand)]
enum Chore {
    /// Unit tests of every crate, counted
    Unit,
    /// End-to-end tests on this machine's kernel (root)
    E2e(layers::E2eOptions),
    /// End-to-end tests on other kernels, booted in QEMU
    Vm(vm::Options),
    /// What watching costs: ratios to the same run without (root)
    Bench(bench::Options),
    /// How exact it is: every kind of traffic against counters of the kernel (root)
    Lab(lab::Options),
    /// The default database of countries, from the npm registry into target/share
    Geoip,
    /// Rules of the house that no compiler checks
    Tidy,
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Unit => layers::unit(),
        Chore::E2e(options) => layers::e2e(&options),
        Chore::Vm(options) => vm::run(&options),
        Chore::Bench(options) => bench::run(&options),
        Chore::Lab(options) => lab::run(&options),
        Chore::Geoip => geoip::run(),
        Chore::Tidy => tidy::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
