//! Waiting until no program can be in the middle of something.

use std::io;
use std::time::Duration;

/// Waits until every BPF program that runs now has ended. All of ours run within RCU read-side
/// sections, and the global command waits for one grace period (membarrier(2)).
///
/// With one processor the kernel does not wait, and with `nohz_full` it refuses. A program that
/// was interrupted then still has to be given time: they take microseconds, so this is plenty.
pub(super) fn wait_for_programs() -> io::Result<()> {
    const PLENTY: Duration = Duration::from_millis(50);
    // SAFETY: a system call with three integers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
    let error = io::Error::last_os_error();
    let waited = match result {
        0 => std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1),
        _ if error.raw_os_error() == Some(libc::EINVAL) => false,
        _ => return Err(error),
    };
    if !waited {
        std::thread::sleep(PLENTY);
    }
    Ok(())
}
