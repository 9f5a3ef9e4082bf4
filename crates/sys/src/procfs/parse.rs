//! Parsers of `/proc/PID/*`: pure, and without trust in what a process calls itself.

/// What the kernel appends to the path of a file that is no longer there.
pub(super) const DELETED: &[u8] = b" (deleted)";

const PF_KTHREAD: u64 = 0x0020_0000;

/// From `/proc/PID/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Process (or thread) id.
    pub pid: u32,
    /// Name, raw: may hold spaces, parentheses, newlines and bytes that are no text.
    pub comm: Vec<u8>,
    /// `R`, `S`, `D`, `Z`, …
    pub state: u8,
    /// Parent as of now (after re-parenting), 0 for none.
    pub ppid: u32,
    /// It is a kernel thread.
    pub kernel_thread: bool,
    /// Start, in clock ticks since boot.
    pub start_ticks: u64,
}

/// Parses `/proc/PID/stat`; `None` if it does not look like one.
#[must_use]
pub fn parse_stat(text: &[u8]) -> Option<Stat> {
    // The name may hold `) R 1 `, so it ends at the last parenthesis: only numbers follow.
    let open = text.iter().position(|&byte| byte == b'(')?;
    let close = text.iter().rposition(|&byte| byte == b')')?;
    let pid = number(text.get(..open)?.trim_ascii_end())?;
    let comm = text.get(open + 1..close)?.to_vec();
    let rest = text.get(close + 1..)?;
    let mut fields = rest.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let state = *fields.next()?.first()?;
    let ppid = number(fields.next()?)?;
    let flags: u64 = number(fields.nth(4)?)?;
    let start_ticks = number(fields.nth(12)?)?;
    Some(Stat {
        pid: u32::try_from(pid).ok()?,
        comm,
        state,
        ppid: u32::try_from(ppid).ok()?,
        kernel_thread: flags & PF_KTHREAD != 0,
        start_ticks,
    })
}

/// What `id` is in the namespace that a `uid_map` or `gid_map` describes: lines of the first id
/// inside, the first id outside, and how many.
#[must_use]
pub(super) fn inside(map: &[u8], id: u32) -> Option<u32> {
    map.split(|&byte| byte == b'\n').find_map(|line| {
        let mut numbers = line.split(u8::is_ascii_whitespace).filter(|it| !it.is_empty());
        let mut next = || number(numbers.next()?);
        let (inside, outside, count) = (next()?, next()?, next()?);
        let offset = u64::from(id).checked_sub(outside).filter(|offset| *offset < count)?;
        u32::try_from(inside.checked_add(offset)?).ok()
    })
}

/// From `/proc/PID/status`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Thread group id: what user space calls the pid.
    pub tgid: u32,
    /// Parent as of now, 0 for none.
    pub ppid: u32,
    /// Real user id.
    pub uid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Real group id.
    pub gid: u32,
}

/// Parses `/proc/PID/status`; `None` if a field is missing. The kernel escapes newlines in the
/// name there, so no process can forge a line.
#[must_use]
pub fn parse_status(text: &[u8]) -> Option<Status> {
    let field = |name: &[u8], nth: usize| {
        let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(name))?;
        let mut values = line.split(u8::is_ascii_whitespace).filter(|value| !value.is_empty());
        u32::try_from(number(values.nth(nth)?)?).ok()
    };
    Some(Status {
        tgid: field(b"Tgid:", 0)?,
        ppid: field(b"PPid:", 0)?,
        uid: field(b"Uid:", 0)?,
        euid: field(b"Uid:", 1)?,
        gid: field(b"Gid:", 0)?,
    })
}

/// The version 2 path in `/proc/PID/cgroup`, without the ` (deleted)` of a removed cgroup.
#[must_use]
pub fn parse_cgroup(text: &[u8]) -> Option<&[u8]> {
    let path = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"0::"))?;
    Some(path.strip_suffix(DELETED).unwrap_or(path))
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stat_line(comm: &[u8]) -> Vec<u8> {
        let tail =
            b") S 41 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 0 0 18446744073709551615\n";
        [b"42 (".as_slice(), comm, tail].concat()
    }

    #[test]
    fn a_hostile_name_does_not_shift_the_fields() {
        for comm in [b"sh".as_slice(), b"a) R 1 (b", b"x y\n)", b"", b"\xff\xfe(((", b")"] {
            let stat = parse_stat(&stat_line(comm)).unwrap();
            assert_eq!(stat.comm, comm);
            assert_eq!((stat.pid, stat.ppid, stat.state), (42, 41, b'S'));
            assert_eq!(stat.start_ticks, 987_654);
            assert!(!stat.kernel_thread);
        }
    }

    #[test]
    fn kernel_threads_are_known_by_their_flag() {
        let line = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n";
        assert!(parse_stat(line).unwrap().kernel_thread);
    }

    #[test]
    fn cut_text_is_refused() {
        let line = stat_line(b"sh");
        let start = line.windows(6).position(|text| text == b"987654").unwrap();
        assert_eq!(parse_stat(&line[..start]), None);
        for text in [b"".as_slice(), b")(", b"1 (", b"x (a) S 1", b"-1 (a) S 1"] {
            assert_eq!(parse_stat(text), None);
        }
    }

    #[test]
    fn ids_are_translated() {
        let map = b"         0       1000          1\n         1     100000      65536\n";
        assert_eq!(inside(map, 1000), Some(0));
        assert_eq!(inside(map, 100_000), Some(1));
        assert_eq!(inside(map, 165_535), Some(65_536));
        assert_eq!(inside(map, 165_536), None);
        assert_eq!(inside(map, 1001), None);
        assert_eq!(inside(b"x y\n4294967295 7 2\n", 8), None);
    }

    #[test]
    fn status_lines_are_found_by_name() {
        let text = b"Name:\tUid:\\n7\nUmask:\t0022\nTgid:\t9\nPid:\t10\nPPid:\t1\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n";
        let want = Status { tgid: 9, ppid: 1, uid: 1000, euid: 0, gid: 5 };
        assert_eq!(parse_status(text), Some(want));
        assert_eq!(parse_status(b"Name:\tx\nTgid:\t9\n"), None);
    }

    #[test]
    fn the_unified_path_is_found_among_hybrid_ones() {
        let text = b"3:cpu:/x\n1:name=systemd:/y\n0::/system.slice/a.service (deleted)\n";
        assert_eq!(parse_cgroup(text), Some(b"/system.slice/a.service".as_slice()));
        assert_eq!(parse_cgroup(b"0::/\n"), Some(b"/".as_slice()));
        assert_eq!(parse_cgroup(b"3:cpu:/x\n"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text: Vec<u8>) {
            let told = (parse_stat(&text), parse_status(&text), parse_cgroup(&text));
            prop_assert!(told.2.is_none_or(|path| path.len() < text.len()));
        }

        #[test]
        fn any_name_survives(comm: Vec<u8>) {
            prop_assert_eq!(parse_stat(&stat_line(&comm)).map(|stat| stat.comm), Some(comm));
        }
    }
}
