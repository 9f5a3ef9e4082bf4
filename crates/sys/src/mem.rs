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

/// Takes the program's own code and constants out of memory, as far as they are unchanged parts of
/// files: what is used comes back by itself, from the page cache. A start touches most of the code of
/// a program that then needs little of it. Tells how many bytes of addresses that was about.
///
/// # Errors
/// When `/proc/self/smaps` cannot be read.
pub fn forget_code() -> io::Result<usize> {
    let text = std::fs::read_to_string("/proc/self/smaps")?;
    let mut forgotten = 0;
    for (start, end) in clean_code(&text) {
        let length = end.saturating_sub(start);
        // SAFETY: a private mapping of a file without the right to write and without a changed page:
        // whoever reads there next reads the same from the file.
        let done = unsafe {
            libc::madvise(std::ptr::with_exposed_provenance_mut(start), length, libc::MADV_DONTNEED)
        };
        forgotten += if done == 0 { length } else { 0 };
    }
    Ok(forgotten)
}

/// Start and end of private mappings of files that may not be written to, and of which no page was
/// changed (by relocation, or by a debugger: a changed one is anonymous).
fn clean_code(smaps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut mapping = None;
    for line in smaps.lines() {
        if let Some(header) = header(line) {
            mapping = header;
        } else if line.strip_prefix("Anonymous:").is_some_and(|size| size.trim() == "0 kB") {
            found.extend(mapping.take());
        }
    }
    found
}

/// `None` for a line that begins no mapping; `Some(None)` for a mapping that does not qualify.
#[expect(clippy::option_option, reason = "two questions about one line")]
fn header(line: &str) -> Option<Option<(usize, usize)>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    let rights = fields.next()?;
    let is_file = fields.nth(3).is_some_and(|path| path.starts_with('/'));
    let fits = matches!(rights, "r-xp" | "r--p") && is_file && start < end;
    Some(fits.then_some((start, end)))
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
    fn code_comes_back_by_itself() {
        let sum = || (0..1_000_u64).map(|n| n.to_string().len()).sum::<usize>();
        let before = sum();
        assert!(forget_code().unwrap() > 1 << 16);
        assert_eq!(sum(), before);
    }

    #[test]
    fn only_unchanged_parts_of_files_are_forgotten() {
        let mapping = |range: &str, rights: &str, path: &str, dirty: &str| {
            format!("{range} {rights} 00000000 fe:00 9 {path}\nSize: 4 kB\nAnonymous: {dirty} kB\n")
        };
        let text = [
            mapping("1000-2000", "r-xp", "/bin/x", "0"),
            mapping("2000-3000", "r--p", "/bin/x", "8"),
            mapping("3000-4000", "rw-p", "/bin/x", "0"),
            mapping("4000-5000", "r-xp", "[vdso]", "0"),
            mapping("5000-6000", "r--s", "/bin/x", "0"),
            mapping("6000-7000", "r--p", "/bin/x", "0"),
        ];
        assert_eq!(clean_code(&text.concat()), [(0x1000, 0x2000), (0x6000, 0x7000)]);
        assert_eq!(clean_code("rubbish\nAnonymous: 0 kB\n"), []);
    }

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
