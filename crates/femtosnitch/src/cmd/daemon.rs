//! `femtosnitch daemon`: capture in the foreground, until a signal.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use femtosnitch_sys::mem;
use femtosnitch_sys::notify::Notifier;
use femtosnitch_sys::signal::{Signal, Signals};
use tracing_subscriber::EnvFilter;

use crate::cli::DaemonArgs;
use crate::config::Paths;
use crate::daemon::{Hangup, Running};

/// How often it is checked that all threads are alive.
const WATCH: Duration = Duration::from_secs(5);

/// Runs the daemon; returns once everything is written.
///
/// # Errors
/// If it cannot start, or fails later.
pub fn run(paths: &Paths, args: &DaemonArgs) -> anyhow::Result<ExitCode> {
    mem::be_frugal();
    let signals = Signals::block().context("cannot receive signals")?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(args.log_level.as_str()))
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .init();
    let notifier = Notifier::from_env();
    let running = Running::start(paths, Hangup::Reloads)?;
    tracing::info!("{}", running.summary());
    tell_manager(notifier.ready());
    loop {
        match signals.wait(Some(WATCH))? {
            Some(Signal::Terminate | Signal::Interrupt) => break,
            Some(Signal::Hangup) => {
                tell_manager(notifier.reloading());
                running.reload();
                tell_manager(notifier.ready());
            }
            None if running.has_failed() => break,
            None => {}
        }
    }
    tell_manager(notifier.stopping());
    running.stop()?;
    tracing::info!("stopped; everything is written");
    Ok(ExitCode::SUCCESS)
}

/// A service manager that does not listen is no reason to stop.
fn tell_manager(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
