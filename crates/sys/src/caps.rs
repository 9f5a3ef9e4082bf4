//! Capabilities: which the service has, and giving up those it needs no longer.

use std::fmt;
use std::io;

/// A capability that some part of femtosnitch uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Cap {
    /// Give a file to another group.
    Chown = 0,
    /// Open any file whatever its permissions.
    DacOverride = 1,
    /// Read any file, search any directory.
    DacReadSearch = 2,
    /// Leave the access time of others' files alone.
    Fowner = 3,
    /// Become another group.
    Setgid = 6,
    /// Become another user.
    Setuid = 7,
    /// Change the bounding set.
    Setpcap = 8,
    /// Attach network programs.
    NetAdmin = 12,
    /// Enter a mount namespace.
    SysChroot = 18,
    /// Look at other users' processes.
    SysPtrace = 19,
    /// Watch files with fanotify, enter namespaces, mount.
    SysAdmin = 21,
    /// Raise limits.
    SysResource = 24,
    /// Attach tracing programs.
    Perfmon = 38,
    /// Load BPF programs.
    Bpf = 39,
}

impl Cap {
    const ALL: [Self; 14] = [
        Self::Chown,
        Self::DacOverride,
        Self::DacReadSearch,
        Self::Fowner,
        Self::Setgid,
        Self::Setuid,
        Self::Setpcap,
        Self::NetAdmin,
        Self::SysChroot,
        Self::SysPtrace,
        Self::SysAdmin,
        Self::SysResource,
        Self::Perfmon,
        Self::Bpf,
    ];

    /// Name as `systemd.exec(5)` and `capsh(1)` spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chown => "CAP_CHOWN",
            Self::DacOverride => "CAP_DAC_OVERRIDE",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::Fowner => "CAP_FOWNER",
            Self::Setgid => "CAP_SETGID",
            Self::Setuid => "CAP_SETUID",
            Self::Setpcap => "CAP_SETPCAP",
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::SysChroot => "CAP_SYS_CHROOT",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::SysResource => "CAP_SYS_RESOURCE",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        }
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of capabilities, those that have no name here included.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct CapSet(u64);

impl CapSet {
    /// Whether it has this one.
    #[must_use]
    pub fn has(self, cap: Cap) -> bool {
        self.0 & (1 << cap as u8) != 0
    }

    /// Those of `wanted` that it lacks.
    #[must_use]
    pub fn lacks(self, wanted: &[Cap]) -> Vec<Cap> {
        wanted.iter().copied().filter(|&cap| !self.has(cap)).collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Cap> for CapSet {
    fn from_iter<I: IntoIterator<Item = Cap>>(caps: I) -> Self {
        Self(caps.into_iter().fold(0, |set, cap| set | 1 << cap as u8))
    }
}

impl fmt::Debug for CapSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> = Cap::ALL.into_iter().filter(|&cap| self.has(cap)).collect();
        let others = self.0 & !named.iter().copied().collect::<Self>().0;
        let names: Vec<_> = named.iter().map(|cap| cap.name()).collect();
        write!(f, "{}", names.join(" "))?;
        if others == 0 { Ok(()) } else { write!(f, " +{others:#x}") }
    }
}

/// What [`reduce_to`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduced {
    /// In effect from now on.
    pub kept: CapSet,
    /// Wanted, but the process never had them.
    pub missing: Vec<Cap>,
    /// How many were given up.
    pub dropped: u32,
    /// A program that the process starts cannot gain more either. `false` without
    /// `CAP_SETPCAP`: then only `NoNewPrivileges` prevents that.
    pub bounded: bool,
}

/// The capabilities in effect for the calling thread.
///
/// # Errors
/// None is known.
pub fn effective() -> io::Result<CapSet> {
    Ok(CapSet(get()?.effective()))
}

/// Gives up, for ever, every capability of the calling thread but those wanted: effective,
/// permitted, inheritable, ambient and bounding set. Threads that already run keep theirs, so
/// call it before starting any.
///
/// # Errors
/// When the kernel refuses; nothing that matters has been given up then.
pub fn reduce_to(wanted: &[Cap]) -> io::Result<Reduced> {
    let before = get()?;
    let want: CapSet = wanted.iter().copied().collect();
    let keep = want.0 & before.permitted();
    let bounded = bound(want.0)?;
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64)?;
    set(Sets::new(keep))?;
    let kept = effective()?;
    Ok(Reduced {
        kept,
        missing: kept.lacks(wanted),
        dropped: (before.permitted() & !keep).count_ones(),
        bounded,
    })
}

/// Makes sure that no program started from here gains privileges (set-user-id and the like).
///
/// # Errors
/// None is known.
pub fn no_new_privileges() -> io::Result<()> {
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1).map(|_| ())
}

/// Drops everything but `keep` from the bounding set; `false` if that is not allowed.
fn bound(keep: u64) -> io::Result<bool> {
    for cap in 0..64 {
        match prctl(libc::PR_CAPBSET_READ, cap) {
            // The kernel knows no further ones.
            Err(_) => break,
            Ok(0) => continue,
            Ok(_) if keep & (1 << cap) != 0 => continue,
            Ok(_) => {}
        }
        match prctl(libc::PR_CAPBSET_DROP, cap) {
            Err(err) if err.raw_os_error() == Some(libc::EPERM) => return Ok(false),
            other => other?,
        };
    }
    Ok(true)
}

fn prctl(option: i32, argument: u64) -> io::Result<i32> {
    // SAFETY: none of the options used here takes a pointer; unused arguments must be zero.
    let done = unsafe { libc::prctl(option, argument, 0u64, 0u64, 0u64) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(done) }
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `_LINUX_CAPABILITY_VERSION_3`, the calling thread.
const THIS_THREAD: Header = Header { version: 0x2008_0522, pid: 0 };

/// `struct __user_cap_data_struct [2]`: lower halves, then upper ones.
#[repr(C)]
#[derive(Default)]
struct Sets([[u32; 3]; 2]);

impl Sets {
    /// The same for effective and permitted, nothing inheritable.
    fn new(caps: u64) -> Self {
        let [low, high] = [caps & u64::from(u32::MAX), caps >> 32]
            .map(|half| u32::try_from(half).unwrap_or_default());
        Self([[low, low, 0], [high, high, 0]])
    }

    fn effective(&self) -> u64 {
        let Self([[low, _, _], [high, _, _]]) = self;
        u64::from(*high) << 32 | u64::from(*low)
    }

    fn permitted(&self) -> u64 {
        let Self([[_, low, _], [_, high, _]]) = self;
        u64::from(*high) << 32 | u64::from(*low)
    }
}

fn get() -> io::Result<Sets> {
    let mut sets = Sets::default();
    let mut header = THIS_THREAD;
    // SAFETY: version 3 of the call reads the header and writes two data structs.
    let done = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, &raw mut sets) };
    if done == 0 { Ok(sets) } else { Err(io::Error::last_os_error()) }
}

fn set(sets: Sets) -> io::Result<()> {
    let mut header = THIS_THREAD;
    // SAFETY: version 3 of the call reads the header and two data structs.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, &raw const sets) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Capabilities belong to a thread: what a test gives up, no other test misses.
    #[test]
    fn what_is_not_wanted_is_gone_for_good() {
        if !effective().unwrap().has(Cap::Setpcap) {
            panic!("this test needs root");
        }
        std::thread::spawn(|| {
            let before = effective().unwrap();
            let wanted = [Cap::Bpf, Cap::Perfmon, Cap::DacReadSearch];
            let done = reduce_to(&wanted).unwrap();
            assert_eq!(done.kept, wanted.into_iter().collect());
            assert_eq!((done.missing, done.bounded), (vec![], true));
            assert_eq!(done.dropped, before.len() - 3);
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let mask = "000000c000000004";
            for set in ["CapPrm", "CapEff", "CapBnd"] {
                assert!(status.contains(&format!("{set}:\t{mask}")), "{status}");
            }
            assert!(status.contains("CapInh:\t0000000000000000"));
            let denied = crate::cgroup::mount_private().unwrap_err();
            assert_eq!(denied.raw_os_error(), Some(libc::EPERM));
            // A second time: nothing comes back, and what is missing is named.
            let again = reduce_to(&[Cap::Bpf, Cap::SysAdmin]).unwrap();
            assert_eq!(again.missing, [Cap::SysAdmin]);
            assert_eq!((again.dropped, again.bounded), (2, false));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn sets_are_listed_by_name() {
        let set: CapSet = [Cap::Bpf, Cap::Chown].into_iter().collect();
        assert_eq!(format!("{set:?}"), "CAP_CHOWN CAP_BPF");
        assert_eq!(format!("{:?}", CapSet(1 << 38 | 1 << 5)), "CAP_PERFMON +0x20");
        assert_eq!(set.lacks(&[Cap::Bpf, Cap::NetAdmin]), [Cap::NetAdmin]);
        assert!(CapSet::default().is_empty());
    }
}
