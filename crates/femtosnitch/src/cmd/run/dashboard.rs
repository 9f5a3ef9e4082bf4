//! The dashboard beside the daemon: a process of its own, with as few rights as will do.

use std::env;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use femtosnitch_sys::signal;
use nix::unistd::{Uid, User};

use crate::config::{Config, Paths};
use crate::daemon::reader_group;

/// Our own file, also after it was replaced.
const OURSELVES: &str = "/proc/self/exe";
/// What `femtosnitch web` says first.
const SAYS: &str = "The dashboard is at ";

/// A server that ends with this.
pub(super) struct Dashboard {
    child: Child,
    address: String,
}

impl Dashboard {
    /// Starts it and waits until it serves.
    pub(super) fn start(paths: &Paths) -> anyhow::Result<Self> {
        let (config, _) = Config::load(paths)?;
        let mut command = Command::new(OURSELVES);
        command.arg("--root").arg(paths.root()).args(["web", "--child"]);
        // It ends with its input: signals may not reach what runs as another user.
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        if io::stdout().is_terminal() {
            // The table has the screen to itself.
            command.stderr(super::log_file(paths)?);
        }
        // Where a group may read the history, whoever asked for root does so as themselves. Else
        // only root may: then it runs as root, without any capability.
        let group = reader_group(paths, &config)?;
        if let (Some(gid), Some(user)) = (group, asked_for_root())
            && paths.root() == Path::new("/")
        {
            command.uid(user.uid.as_raw()).gid(gid).env("HOME", user.dir);
            command.env_remove("XDG_STATE_HOME").env_remove("STATE_DIRECTORY");
        }
        let mut child = command.spawn().context("cannot start it")?;
        let out = child.stdout.take().context("cannot hear it")?;
        let mut said = BufReader::new(out).lines().map_while(Result::ok);
        let found = said.find_map(|line| Some(line.strip_prefix(SAYS)?.to_owned()));
        let Some(url) = found else {
            let ended = child.wait().context("cannot wait for it")?;
            anyhow::bail!("{ended}; its messages say why");
        };
        let token = said.next().unwrap_or_default();
        let file = token.rsplit_once(" is in ").map(|(_, file)| file).unwrap_or_default();
        Ok(Self { child, address: format!("{url} (token in {file})") })
    }

    /// Where it is, and where its token is.
    pub(super) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        // It may have ended by the same Ctrl-C. Waiting closes its input first.
        drop(signal::terminate(self.child.id()));
        drop(self.child.wait());
    }
}

/// Who ran sudo.
fn asked_for_root() -> Option<User> {
    let uid = env::var("SUDO_UID").ok()?.parse().ok().filter(|uid| *uid != 0)?;
    User::from_uid(Uid::from_raw(uid)).ok().flatten()
}
