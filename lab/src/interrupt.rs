//! Ctrl-C and SIGTERM end the lab between two scenarios, so that its namespaces are removed.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;

static ASKED: AtomicBool = AtomicBool::new(false);

fn signals() -> SigSet {
    SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM])
}

/// Has these signals noted from now on. To be called before there are other threads. Programs that
/// are started have them blocked, too: see [`as_usual`].
pub(crate) fn listen() -> Result<()> {
    let signals = signals();
    signals.thread_block().context("blocking signals")?;
    thread::spawn(move || {
        if signals.wait().is_ok() {
            ASKED.store(true, Ordering::Relaxed);
        }
    });
    Ok(())
}

/// Starts something that is to end by such a signal.
pub(crate) fn as_usual<T>(start: impl FnOnce() -> Result<T>) -> Result<T> {
    signals().thread_unblock().context("unblocking signals")?;
    let started = start();
    signals().thread_block().context("blocking signals")?;
    started
}

/// An error once a signal has come.
pub(crate) fn check() -> Result<()> {
    ensure!(!ASKED.load(Ordering::Relaxed), "interrupted");
    Ok(())
}
