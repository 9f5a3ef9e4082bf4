//! What the caller decides.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use femtosnitch_store::Users;

use crate::export::Export;

/// How connections are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Not at all: only allowed where nobody outside this machine can connect.
    Off,
    /// By a certificate of our own, kept beside the token.
    Own,
    /// By these files in PEM form.
    Files {
        /// The certificate and those above it.
        cert: PathBuf,
        /// Its key.
        key: PathBuf,
    },
}

/// Reads a time as people write it; the second argument is the time now in unix seconds. `None` in
/// the result is no bound.
pub type ReadTime = fn(&str, i64) -> Result<Option<i64>, String>;

/// What others can take up of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; more are closed at once.
    pub connections: usize,
    /// Those who watch live at a time.
    pub viewers: usize,
    /// Downloads of rows at a time; each has a thread.
    pub exports: usize,
    /// Requests of one asker at once, and a quarter of it every second.
    pub burst: u32,
    /// Time for the head of a request, and between two requests.
    pub head_time: Duration,
    /// How long somebody may take nothing of an answer.
    pub write_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            viewers: 128,
            exports: 2,
            burst: 200,
            head_time: Duration::from_secs(15),
            write_time: Duration::from_secs(30),
        }
    }
}

/// What a server needs to know.
#[derive(Clone)]
pub struct Settings {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Names besides those of this machine's own addresses under which browsers may ask, without a
    /// port (`snitch.example.org`).
    pub hosts: Vec<String>,
    /// Encryption.
    pub tls: Tls,
    /// The history.
    pub database: PathBuf,
    /// The daemon's live feed.
    pub live_socket: PathBuf,
    /// Where token, sessions and what was acknowledged are kept; made if it is not there.
    pub state_dir: PathBuf,
    /// Version of the program, to show.
    pub version: String,
    /// Names of users.
    pub users: Arc<dyn Users + Send + Sync>,
    /// How times are read.
    pub read_time: ReadTime,
    /// What others can take up.
    pub limits: Limits,
    /// How rows are written.
    pub export: Export,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { listen, hosts, tls, database, state_dir, .. } = self;
        f.debug_struct("Settings")
            .field("listen", listen)
            .field("hosts", hosts)
            .field("tls", tls)
            .field("database", database)
            .field("state_dir", state_dir)
            .finish_non_exhaustive()
    }
}
