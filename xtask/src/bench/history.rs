//! The benchmark of the history: months of realistic rows, written, asked and forgotten.

use anyhow::Result;

use crate::process;
use crate::workspace;

/// What cargo builds for it.
const PACKAGE: &str = "femtosnitch-history-bench";
/// Rows of a quick run.
const QUICK: u64 = 1_000_000;

/// How to run it.
pub(super) struct History<'a> {
    /// Fewer rows, and nothing to compare with.
    pub(super) quick: bool,
    /// Rows, if not as many as usual.
    pub(super) rows: Option<u64>,
    /// Leaves docs/history.md as it is.
    pub(super) no_write: bool,
    /// Handed over.
    pub(super) arguments: &'a [String],
}

/// Builds and runs it. The results are printed, and kept in docs/history.md if they are complete.
pub(super) fn run(options: &History<'_>) -> Result<()> {
    process::run(workspace::cargo()?.args(["build", "--release", "--package", PACKAGE]))?;
    let target = workspace::target()?;
    let mut command = std::process::Command::new(target.join("release").join(PACKAGE));
    command.arg("run").arg("--json").arg(target.join("history.json"));
    if let Some(rows) = options.rows.or(options.quick.then_some(QUICK)) {
        command.arg("--rows").arg(rows.to_string());
    }
    if options.quick {
        command.arg("--no-reference");
    } else if !options.no_write {
        command.arg("--document").arg(workspace::root()?.join("docs/history.md"));
    }
    process::run(command.args(options.arguments))?;
    println!("measurements: {}", target.join("history.json").display());
    Ok(())
}
