//! The `femtosnitch` program.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    femtosnitch::cli::main()
}
