//! Cgroups made for a test, at the root of their hierarchy: only there do the system's own lie.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;

use super::programs::script;

/// A hierarchy of cgroups, where it is mounted.
pub(super) struct Hierarchy(PathBuf);

impl Hierarchy {
    /// That of version 2.
    pub(super) fn unified() -> Result<Option<Self>> {
        Self::find(|kind, _options| kind == "cgroup2")
    }

    /// That of the controller `pids`, in version 1.
    pub(super) fn pids() -> Result<Option<Self>> {
        Self::find(|kind, options| kind == "cgroup" && options.split(',').any(|o| o == "pids"))
    }

    /// This process is where nothing can be told of it, in version 2.
    pub(super) fn unified_is_root() -> Result<bool> {
        let own = std::fs::read_to_string("/proc/self/cgroup")?;
        Ok(own.lines().any(|line| line == "0::/"))
    }

    fn find(wanted: impl Fn(&str, &str) -> bool) -> Result<Option<Self>> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").context("reading the mounts")?;
        let place = mounts.lines().find_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (at, kind, options) = (words.next()?, words.next()?, words.next()?);
            wanted(kind, options).then(|| PathBuf::from(at))
        });
        Ok(place.map(Self))
    }
}

/// A cgroup, removed when dropped with those above it that were made for it.
pub(super) struct Cgroup {
    path: PathBuf,
    made: Vec<PathBuf>,
}

impl Cgroup {
    pub(super) fn make(hierarchy: &Hierarchy, below: &str) -> Result<Self> {
        let mut cgroup = Self { path: hierarchy.0.clone(), made: Vec::new() };
        for name in below.split('/') {
            cgroup.path.push(name);
            if !cgroup.path.exists() {
                let path = &cgroup.path;
                std::fs::create_dir(path).with_context(|| format!("making {}", path.display()))?;
                cgroup.made.push(path.clone());
            }
        }
        Ok(cgroup)
    }

    /// Runs a program in it.
    pub(super) fn inside(&self, program: &Path) -> Command {
        let procs = self.path.join("cgroup.procs");
        script("echo $$ > \"$1\"; exec \"$2\"", [procs.as_path(), program])
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for path in self.made.iter().rev() {
            // Whoever was in it is gone a moment after it was waited for.
            for _ in 0..100 {
                match std::fs::remove_dir(path) {
                    Err(_) if path.exists() => std::thread::sleep(Duration::from_millis(20)),
                    _ => break,
                }
            }
        }
    }
}
