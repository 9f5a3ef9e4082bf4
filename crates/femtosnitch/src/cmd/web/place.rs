//! As whom the dashboard's server runs, and where it keeps what it keeps.

use std::path::{Path, PathBuf};
use std::{env, io, process, thread};

use anyhow::Context;
use femtosnitch_sys::{caps, signal};
use femtosnitch_web::has_token;
use nix::unistd::{AccessFlags, Uid, access};

use crate::config::Paths;

/// Of a thread that only waits.
const STACK: usize = 64 << 10;

/// It needs none, whoever started it.
pub(super) fn give_up_capabilities() -> anyhow::Result<()> {
    caps::no_new_privileges().context("cannot give up new privileges")?;
    caps::reduce_to(&[]).context("cannot give up capabilities")?;
    Ok(())
}

/// Ends when what started this does. A parent of another user that has given up its capabilities,
/// as the daemon has, may not send a signal, not even by its death: then our input ends with it.
pub(super) fn end_with_parent() -> io::Result<()> {
    signal::end_with_parent()?;
    let input = || {
        // Nothing comes but the end.
        drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
        drop(signal::terminate(process::id()));
    };
    thread::Builder::new().name("parent".to_owned()).stack_size(STACK).spawn(input).map(drop)
}

/// Where token and sessions are kept: the service manager's directory, the system's own if we may
/// write there, else the user's.
pub(super) fn state_dir(paths: &Paths) -> anyhow::Result<PathBuf> {
    if let Some(dir) = absolute("STATE_DIRECTORY") {
        return Ok(dir);
    }
    let system = paths.web_state_dir();
    let ours = Uid::effective().is_root() || access(&system, AccessFlags::W_OK).is_ok();
    if ours || paths.root() != Path::new("/") {
        return Ok(system);
    }
    let dir = absolute("XDG_STATE_HOME").map(|base| base.join(OURS)).or_else(in_home);
    dir.context("there is no place for the token: set HOME or XDG_STATE_HOME")
}

/// Where the token of a server is that runs already and is not ours: in `dir`, or where `run` keeps
/// it, which does not know of an `XDG_STATE_HOME`.
pub(super) fn of_token(dir: PathBuf) -> anyhow::Result<PathBuf> {
    let shown = dir.display().to_string();
    let found = [Some(dir), in_home()].into_iter().flatten().find(|dir| has_token(dir));
    found.with_context(|| {
        format!(
            "the dashboard runs already, and the key to it is not yours: there is no token in \
             {shown}. Ask as whoever started it: with sudo if root or a service did, as yourself \
             if you did by `sudo femtosnitch run`"
        )
    })
}

/// Below a directory for what programs keep.
const OURS: &str = "femtosnitch";

fn in_home() -> Option<PathBuf> {
    absolute("HOME").map(|home| home.join(".local/state").join(OURS))
}

fn absolute(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute())
}
