//! Who is running.

use std::sync::Arc;

use crate::FileId;

/// One program run: a process from one `execve(2)` to the next. Never reused while the machine
/// is up, unlike a pid.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcKey {
    /// Thread group id (what user space calls the pid), in the initial pid namespace.
    pub tgid: u32,
    /// The kernel's `self_exec_id`: grows by one with every exec, inherited by fork.
    pub exec_id: u32,
    /// `start_boottime` of the thread group leader, nanoseconds since boot.
    pub start_ns: u64,
}

impl ProcKey {
    /// All kernel threads together.
    pub const KERNEL: Self = Self { tgid: 0, exec_id: 0, start_ns: 0 };
}

/// Names one [`Image`] within one run of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageId(pub u64);

/// What a process runs: a version of a file with a command line. Shared by all processes that
/// run the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Image {
    /// Unique within one run of the daemon.
    pub id: ImageId,
    /// Path within the process' mount namespace root, escaped ([`crate::escape_bytes`]);
    /// bracketed where there is none, as `(kernel)` or `(unknown)`.
    pub path: String,
    /// The process' own name (`comm` of the leader when it was executed).
    pub name: String,
    /// Arguments joined by spaces, escaped; may be cut.
    pub cmdline: String,
    /// The file, where the kernel said which.
    pub file: Option<FileId>,
}

/// A program run with the lineage it had when it was launched.
#[derive(Debug, Clone)]
pub struct Process {
    /// Which run.
    pub key: ProcKey,
    /// What it runs.
    pub image: Arc<Image>,
    /// What the launching process ran at that moment.
    pub parent: Option<Arc<Image>>,
    /// What the launching process' own launcher ran.
    pub grandparent: Option<Arc<Image>>,
    /// Real user id.
    pub uid: u32,
    /// Path in the cgroup v2 hierarchy, '' where unknown.
    pub cgroup: Arc<str>,
}
