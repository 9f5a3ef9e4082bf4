//! Benchmarks: what watching costs, and what the history does. Every figure is paired with the same run without femtosnitch,
//! or is a count; nothing fails because a machine was slow.

mod dashboard;
mod history;
mod identity;
mod monitor;
mod names;
mod paired;
mod resources;
mod statistics;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use anyhow::bail;
use clap::Args;

use crate::workspace;

/// What `cargo xtask bench` takes.
#[derive(Args)]
pub(crate) struct Options {
    /// Fewer and shorter rounds
    #[arg(long)]
    quick: bool,
    /// Print only; leave docs/performance.md (history.md, dashboard.md) as it is
    #[arg(long)]
    no_write: bool,
    /// The history in place of watching: size, questions, writing, forgetting; needs no root
    #[arg(long, group = "of_history")]
    history: bool,
    /// The dashboard in place of watching: how soon views have their data, and, as root, what
    /// viewers cost
    #[arg(long, group = "of_history")]
    dashboard: bool,
    /// Rows of that history [default: 10 million]
    #[arg(long, requires = "of_history")]
    rows: Option<u64>,
    /// Directory of the history that the dashboard is asked about; one with as many rows that is
    /// there is used again [default: in the target directory]
    #[arg(long, requires = "dashboard")]
    dir: Option<PathBuf>,
    /// Handed to the benchmark of the history, e.g. `-- --dir /var/tmp/bench`
    #[arg(last = true, requires = "history")]
    arguments: Vec<String>,
}

/// Runs everything, prints it, and keeps it in docs/performance.md; or the benchmark of the history
/// or the dashboard.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.history {
        return history::run(&history::History {
            quick: options.quick,
            rows: options.rows,
            no_write: options.no_write,
            arguments: &options.arguments,
        });
    }
    if options.dashboard {
        return dashboard::run(&dashboard::Dashboard {
            quick: options.quick,
            rows: options.rows,
            no_write: options.no_write,
            dir: options.dir.as_deref(),
        });
    }
    let binaries = workspace::build_release()?;
    let mut text = String::from(
        "# Performance\n\n\
         Written by `make bench` (`cargo xtask bench`); run it to repeat every figure here.\n\n",
    );
    text.push_str(&machine()?);
    let others = others()?;
    if others > 0 {
        let warning = format!(
            "**{others} other femtosnitch watched too, and so also what is called *without*: stop \
             it and repeat.**\n\n"
        );
        print!("{warning}");
        text.push_str(&warning);
    }
    for section in [
        paired::run(&binaries, options.quick)?,
        kernel_side()?,
        resources::run(&binaries, options.quick)?,
        identity::run(&binaries, options.quick)?,
        names::run(&binaries, options.quick)?,
    ] {
        println!("{section}");
        text.push_str(&section);
        text.push('\n');
    }
    if !options.no_write {
        let path = workspace::root()?.join("docs/performance.md");
        std::fs::write(&path, text)?;
        println!("kept in {}", path.display());
    }
    Ok(())
}

/// How many femtosnitch run that we did not start.
fn others() -> Result<usize> {
    let names = std::fs::read_dir("/proc")?
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("comm")).ok());
    Ok(names.filter(|name| name.trim_end() == "femtosnitch").count())
}

/// What the measurements are of.
fn machine() -> Result<String> {
    let mut text = String::new();
    let first_line = |command: &str, argument: &str| {
        let output = Command::new(command).arg(argument).output();
        output.map_or_else(
            |_| "unknown".to_owned(),
            |output| {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                text.lines().next().unwrap_or("unknown").to_owned()
            },
        )
    };
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    writeln!(
        text,
        "{} · Linux {} · {} · {cores} cores · {} · {}\n",
        first_line("date", "-uI"),
        first_line("uname", "-r"),
        model.trim_start_matches([' ', '\t', ':']),
        first_line("rustc", "--version"),
        first_line("clang", "--version"),
    )?;
    Ok(text)
}

/// The programs and the drain, by themselves.
fn kernel_side() -> Result<String> {
    let mut command = workspace::cargo()?;
    command.args(["bench", "--quiet", "--package", "femtosnitch-probe", "--bench", "kernel"]);
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("the benchmark of the kernel side failed; it needs root");
    }
    Ok(format!(
        "## In the kernel, and the drain\n\n\
         By the kernel's own clock (`bpf_stats_enabled`), whose two readings are part of each \
         figure: subtract what `fs_empty` shows, a program that does nothing. Means, so a pause of \
         the machine shows most where runs are few. Verified instructions are those that the \
         verifier walked, along every path.\n\
         The drain reads every flow that moved since the one before; idle flows cost an eighth \
         of a load each.\n\n{}",
        String::from_utf8_lossy(&output.stdout)
    ))
}
