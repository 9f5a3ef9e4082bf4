//! Threads with names, so that `ps -T`, `perf` and a backtrace tell them apart.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread called `name` (the kernel keeps its first 15 bytes).
///
/// # Errors
/// When the system refuses another thread (a limit was reached).
pub fn spawn<T, F>(name: &str, run: F) -> io::Result<JoinHandle<T>>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    Builder::new().name(name.to_owned()).spawn(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_the_name() {
        let read = || std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        assert_eq!(spawn("drain", read).unwrap().join().unwrap(), "drain\n");
    }
}
