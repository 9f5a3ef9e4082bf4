//! Signals as something to wait for, instead of something that interrupts.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal as Raw, kill, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// What the service reacts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: end.
    Terminate,
    /// SIGINT: end (Ctrl-C).
    Interrupt,
    /// SIGHUP: read the configuration again.
    Hangup,
}

/// Receives the signals of this process.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
}

/// Asks the process with this id to end.
///
/// # Errors
/// As `kill(2)`.
pub fn terminate(pid: u32) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(kill(Pid::from_raw(pid), Raw::SIGTERM)?)
}

/// Stops this process, as Ctrl-Z does, and returns when it is continued.
///
/// # Errors
/// As `raise(3)`.
pub fn suspend() -> io::Result<()> {
    Ok(raise(Raw::SIGTSTP)?)
}

/// Asks the kernel for SIGTERM when the thread that started this process ends.
///
/// # Errors
/// As `prctl(2)`.
pub fn end_with_parent() -> io::Result<()> {
    Ok(set_pdeathsig(Raw::SIGTERM)?)
}

/// Runs something that starts a program for which signals are to be as usual. One that arrives
/// meanwhile ends this process.
///
/// # Errors
/// As `pthread_sigmask(3)`.
pub fn as_usual<T>(start: impl FnOnce() -> T) -> io::Result<T> {
    let before = SigSet::thread_get_mask()?;
    SigSet::empty().thread_set_mask()?;
    let started = start();
    before.thread_set_mask()?;
    Ok(started)
}

impl Signals {
    /// Blocks SIGTERM, SIGINT and SIGHUP for the calling thread and every thread it starts from
    /// then on: call it first of all. Programs it starts inherit that too.
    ///
    /// # Errors
    /// When the system is out of descriptors.
    pub fn block() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Raw::SIGTERM, Raw::SIGINT, Raw::SIGHUP] {
            set.add(signal);
        }
        set.thread_block()?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self { fd })
    }

    /// The next signal that has arrived, without waiting.
    ///
    /// # Errors
    /// As `read(2)`.
    pub fn next(&self) -> io::Result<Option<Signal>> {
        loop {
            let info = match self.fd.read_signal() {
                Ok(Some(info)) => info,
                Ok(None) => return Ok(None),
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let number = i32::try_from(info.ssi_signo).unwrap_or_default();
            match Raw::try_from(number) {
                Ok(Raw::SIGTERM) => return Ok(Some(Signal::Terminate)),
                Ok(Raw::SIGINT) => return Ok(Some(Signal::Interrupt)),
                Ok(Raw::SIGHUP) => return Ok(Some(Signal::Hangup)),
                _ => {}
            }
        }
    }

    /// The next signal, waiting up to `timeout` (`None`: for ever).
    ///
    /// # Errors
    /// As `poll(2)` and `read(2)`.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<Option<Signal>> {
        crate::wait::readable(&[self.as_fd()], timeout)?;
        self.next()
    }
}

impl AsFd for Signals {
    /// Readable when a signal has arrived.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::pthread::{pthread_kill, pthread_self};

    #[test]
    fn blocked_signals_arrive_as_values() {
        // Blocking and sending concern this test's thread only.
        let signals = Signals::block().unwrap();
        assert_eq!(signals.next().unwrap(), None);
        assert_eq!(signals.wait(Some(Duration::from_millis(5))).unwrap(), None);
        let all = [
            (Raw::SIGHUP, Signal::Hangup),
            (Raw::SIGTERM, Signal::Terminate),
            (Raw::SIGINT, Signal::Interrupt),
        ];
        for (raw, want) in all {
            pthread_kill(pthread_self(), raw).unwrap();
            assert_eq!(signals.wait(None).unwrap(), Some(want));
        }
        assert_eq!(signals.next().unwrap(), None);
    }
}
