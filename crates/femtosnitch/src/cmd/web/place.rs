//! As whom the dashboard's server runs, and where it keeps what it keeps.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Context;
use femtosnitch_sys::caps;
use nix::unistd::{AccessFlags, Uid, access};

use crate::config::Paths;

/// It needs none, whoever started it.
pub(super) fn give_up_capabilities() -> anyhow::Result<()> {
    caps::no_new_privileges().context("cannot give up new privileges")?;
    caps::reduce_to(&[]).context("cannot give up capabilities")?;
    Ok(())
}

/// Where token and sessions are kept: the service manager's directory, the system's own if we may
/// write there, else the user's.
pub(super) fn state_dir(paths: &Paths) -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    if let Some(dir) = absolute("STATE_DIRECTORY") {
        return Ok(dir);
    }
    let system = paths.web_state_dir();
    let ours = Uid::effective().is_root() || access(&system, AccessFlags::W_OK).is_ok();
    if ours || paths.root() != Path::new("/") {
        return Ok(system);
    }
    let base = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .context("there is no place for the token: set HOME or XDG_STATE_HOME")?;
    Ok(base.join("femtosnitch"))
}
