//! Who is running.

use std::sync::{Arc, OnceLock};

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
    /// Who launched it, as it was at that moment; `None` where that is not known, or where a
    /// lineage is longer than anybody reads ([`Process::LINEAGE`]).
    pub parent: Option<Arc<Self>>,
    /// Launches between this one and the end of what is kept of its lineage.
    pub depth: u32,
    /// Real user id.
    pub uid: u32,
    /// Who logged in (`/proc/PID/loginuid`): outlives `su` and `sudo`. `None` if nobody did, as of
    /// services.
    pub login_uid: Option<u32>,
    /// The audit session of that login (`/proc/PID/sessionid`).
    pub session: Option<u32>,
    /// When it was launched, seconds since 1970-01-01 UTC.
    pub launched: i64,
    /// When the program that it runs was executed, by it or by whom it was forked from.
    pub executed: i64,
    /// Path in the cgroup v2 hierarchy, '' where unknown.
    pub cgroup: Arc<str>,
    /// What that path says.
    pub place: Arc<Place>,
    /// The script that it runs, where it is an interpreter; found out later.
    pub script: OnceLock<Arc<Image>>,
}

impl Process {
    /// Launches that are kept of a lineage, at most.
    pub const LINEAGE: u32 = 32;

    /// What the launching process ran at that moment.
    #[must_use]
    pub fn parent_image(&self) -> Option<&Arc<Image>> {
        self.parent.as_ref().map(|parent| &parent.image)
    }

    /// What the launching process' own launcher ran.
    #[must_use]
    pub fn grandparent_image(&self) -> Option<&Arc<Image>> {
        self.parent.as_ref()?.parent_image()
    }

    /// Whoever launched it, who launched that, and so on.
    pub fn ancestors(&self) -> impl Iterator<Item = &Arc<Self>> {
        std::iter::successors(self.parent.as_ref(), |process| process.parent.as_ref())
    }
}

/// Where a program ran, as far as its cgroup tells; '' where it does not. A name that somebody else
/// than root can have made up says so, as in `user 1000/podman 4d5e…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Container id.
    pub container: Arc<str>,
    /// systemd unit, of the system or of a user.
    pub unit: Arc<str>,
    /// Application as desktops, Flatpak and Snap name it, with the kind of name.
    pub app: Arc<str>,
    /// Whose files a path means: the container, or the application that brings a root of its own;
    /// '' for the system's.
    pub realm: Arc<str>,
}

impl Default for Place {
    fn default() -> Self {
        let none: Arc<str> = "".into();
        Self {
            container: Arc::clone(&none),
            unit: Arc::clone(&none),
            app: Arc::clone(&none),
            realm: none,
        }
    }
}
