//! A mount that is gone when it is no longer needed.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use anyhow::Context;
use anyhow::Result;
use anyhow::ensure;

/// Unmounts when it is dropped.
pub(super) struct Mounted {
    _unmount: Unmount,
}

impl Mounted {
    /// Mounts a file system of this kind.
    pub(super) fn new(kind: &str, source: &str, options: &str, at: &Path) -> Result<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", kind, "-o", options, source]).arg(at);
        let done = mount.output().context("running mount(8)")?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr).trim());
        Ok(Self { _unmount: Unmount::later(at) })
    }

    /// Shows a file or directory at another place as well.
    pub(super) fn bound(source: &Path, at: &Path) -> Result<Self> {
        let mut mount = Command::new("mount");
        mount.arg("--bind").arg(source).arg(at);
        let done = mount.output().context("running mount(8)")?;
        ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr).trim());
        Ok(Self { _unmount: Unmount::later(at) })
    }
}

/// Unmounts what somebody else mounts, when it is dropped.
pub(super) struct Unmount(PathBuf);

impl Unmount {
    pub(super) fn later(at: &Path) -> Self {
        Self(at.to_owned())
    }
}

impl Drop for Unmount {
    fn drop(&mut self) {
        // Lazily: a daemon that was not stopped may still have a file open.
        drop(Command::new("umount").arg("-l").arg(&self.0).stderr(Stdio::null()).status());
    }
}
