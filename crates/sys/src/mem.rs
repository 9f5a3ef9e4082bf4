//! What this process costs, and waiting for the other processors.

use std::io;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// Memory of this process, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident, shared pages counted in full.
    pub rss: u64,
    /// Resident, shared pages divided among their users: what the process really costs.
    pub pss: u64,
}

/// Memory of this process as of now. Walks the page tables: some 0.1 ms for each 10 MB.
///
/// # Errors
/// When `/proc/self/smaps_rollup` cannot be read (no `/proc`).
pub fn memory() -> io::Result<Memory> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    parse_rollup(&text).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "/proc/self/smaps_rollup is not as expected")
    })
}

fn parse_rollup(text: &str) -> Option<Memory> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        kib.checked_mul(1024)
    };
    Some(Memory { rss: field("Rss:")?, pss: field("Pss:")? })
}

/// Processor time that this process (all threads, in user space and in the kernel) has used.
///
/// # Errors
/// None is known.
pub fn cpu_time() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = [usage.user_time(), usage.system_time()]
        .into_iter()
        .map(|time| i128::from(time.tv_sec()) * 1_000_000 + i128::from(time.tv_usec()))
        .sum::<i128>();
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or_default()))
}

/// Makes the C library's allocator give back what is not used: one arena instead of one a thread,
/// and large blocks mapped by themselves. For a program whose threads wait more than they
/// allocate; call it before the first is started. Does nothing with other C libraries.
pub fn be_frugal() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_THRESHOLD, 64 * 1024),
        (libc::M_TRIM_THRESHOLD, 64 * 1024),
    ] {
        // SAFETY: only sets parameters; no other thread allocates yet, and it would do no harm.
        unsafe { libc::mallopt(parameter, value) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_costs_something() {
        let memory = memory().unwrap();
        assert!(memory.pss > 0 && memory.pss <= memory.rss, "{memory:?}");
        let before = cpu_time().unwrap();
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_millis(30) {
            std::hint::spin_loop();
        }
        assert!(cpu_time().unwrap() > before);
    }

    #[test]
    fn rollups_are_parsed_and_nonsense_is_not() {
        let text =
            "55-7f ---p 0 00:00 0 [rollup]\nRss:   1884 kB\nPss:    1007 kB\nPss_Dirty: 1 kB\n";
        let want = Memory { rss: 1884 * 1024, pss: 1007 * 1024 };
        assert_eq!(parse_rollup(text), Some(want));
        for text in
            ["", "Rss: 1 kB", "Rss: 1 MB\nPss: 1 kB", "Rss: 99999999999999999999 kB\nPss: 1 kB"]
        {
            assert_eq!(parse_rollup(text), None);
        }
    }
}
