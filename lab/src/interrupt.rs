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

/// Has these signals noted from now on. To be called before there are other threads; programs that
/// are started have their signals as usual, because the standard library unblocks them.
pub(crate) fn listen() -> Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block().context("blocking signals")?;
    thread::spawn(move || {
        if signals.wait().is_ok() {
            ASKED.store(true, Ordering::Relaxed);
        }
    });
    Ok(())
}

/// An error once a signal has come.
pub(crate) fn check() -> Result<()> {
    ensure!(!ASKED.load(Ordering::Relaxed), "interrupted");
    Ok(())
}
