//! `femtosnitch run`: the daemon, the dashboard and the live view together, for trying it out.

mod dashboard;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use femtosnitch_sys::signal::Signals;
use femtosnitch_sys::{mem, owner};
use tracing_subscriber::EnvFilter;

use crate::cli::{RunArgs, TopArgs};
use crate::config::Paths;
use crate::daemon::{Hangup, Running};

use super::top;
use dashboard::Dashboard;

/// Captures, serves and shows until `q` or a signal, then writes everything.
///
/// # Errors
/// If the daemon cannot start or fails, or if the output fails.
pub fn run(paths: &Paths, _args: &RunArgs) -> anyhow::Result<ExitCode> {
    mem::be_frugal();
    let signals = Signals::block().context("cannot receive signals")?;
    log_away_from_the_table(paths)?;
    let running = Running::start(paths, Hangup::Ends)?;
    tracing::info!("{}", running.summary());
    let args = TopArgs { once: false, json: false, count: None, wire: false };
    let dashboard = match Dashboard::start(paths) {
        Ok(dashboard) => Some(dashboard),
        Err(error) => {
            tracing::warn!("the dashboard does not run: {error:#}");
            None
        }
    };
    let url = dashboard.as_ref().map(|it| it.address().to_owned());
    let shown = top::watch(paths, &args, signals, (&|| running.has_failed(), url));
    drop(dashboard);
    running.stop()?;
    tracing::info!("stopped; everything is written");
    shown?;
    let root = paths.root().display();
    let root =
        if paths.root().as_os_str() == "/" { String::new() } else { format!(" --root {root}") };
    writeln!(
        io::stdout(),
        "Everything is written. Ask the history with: femtosnitch query{root} --by exe,raddr"
    )?;
    Ok(ExitCode::SUCCESS)
}

/// On a terminal the table needs the screen to itself: messages go to a file.
fn log_away_from_the_table(paths: &Paths) -> anyhow::Result<()> {
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info"))
        .with_ansi(false)
        .with_target(false);
    if !io::stdout().is_terminal() {
        log.with_writer(io::stderr).init();
        return Ok(());
    }
    let dir = paths.log_dir();
    owner::ensure_dir(&dir, 0o750, None)
        .with_context(|| format!("cannot make {}", dir.display()))?;
    log.with_writer(Arc::new(log_file(paths)?)).init();
    Ok(())
}

fn log_file(paths: &Paths) -> anyhow::Result<File> {
    let path = paths.log_dir().join("run.log");
    File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))
}
