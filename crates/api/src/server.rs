//! The daemon's end of the feed.

mod outbox;
mod queue;
mod serve;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::socket::Bound;
use crate::{Event, Status};
use queue::Shared;

/// Bounds on what readers may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Readers at a time; one more is told so and sent away.
    pub max_readers: usize,
    /// Bytes held back for a reader that does not keep up (at least 4 KiB), and for all of them
    /// together before they are handed out; 16 KiB more for what is no flow. Up to twice as much
    /// memory is taken.
    pub reader_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_readers: 16, reader_buffer: 8 << 20 }
    }
}

/// Why the feed could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Something answers there.
    #[error("another daemon already listens at {}; stop it first, or use another --root", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else is in the way.
    #[error("{} is in the way of the live socket and is not a socket; move it away", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The socket could not be made.
    #[error("cannot listen at {}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The thread that serves readers could not be started.
    #[error("cannot start the thread that serves the live socket: {0}")]
    Thread(#[source] io::Error),
}

/// Starts the feed.
#[derive(Debug)]
pub struct LiveServer;

impl LiveServer {
    /// Listens at `path` with this mode (0660: owner and group may read) and group, and serves
    /// readers from a thread of its own, `serve`, which sleeps while there is nothing to say.
    /// `version` is the daemon's, for [`Event::Hello`]. A socket left behind by a daemon that was
    /// killed is replaced.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn start(
        path: &Path,
        version: &str,
        limits: Limits,
        mode: u32,
        gid: Option<u32>,
    ) -> Result<LiveHandle, ServerError> {
        let bound = Bound::new(path, mode, gid)?;
        let shared = Arc::new(Shared::new(limits).map_err(ServerError::Thread)?);
        let hello = Event::Hello {
            version: version.to_owned(),
            api: crate::API_VERSION,
            pid: std::process::id(),
        };
        let server = serve::Server::new(bound, Arc::clone(&shared), &hello, limits);
        let thread = std::thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || server.run())
            .map_err(ServerError::Thread)?;
        let thread = Mutex::new(Some(thread));
        Ok(LiveHandle { inner: Arc::new(Inner { shared, thread }) })
    }
}

/// Speaks to all readers. Clones speak to the same ones; with the last clone the feed ends.
#[derive(Debug, Clone)]
pub struct LiveHandle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl LiveHandle {
    /// Whether anybody would hear. One atomic load: ask before making events.
    #[must_use]
    pub fn has_readers(&self) -> bool {
        self.readers() > 0
    }

    /// How many readers are connected.
    #[must_use]
    pub fn readers(&self) -> usize {
        self.inner.shared.readers()
    }

    /// Events that some reader did not get, summed over readers, since the start. Each of them
    /// was told so.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.inner.shared.missed()
    }

    /// Tells all readers, in this order. Never waits: what finds no room is counted as missed.
    pub fn publish(&self, events: &[Event]) {
        if self.has_readers() {
            self.inner.shared.publish(events);
        }
    }

    /// Remembers how the daemon is doing, for readers that come and, at most once a second, for
    /// those that are there.
    pub fn set_status(&self, status: Status) {
        self.inner.shared.set_status(status);
    }

    /// Hands out what was published (readers have a quarter of a second to take it), closes all
    /// connections and removes the socket. Afterwards nothing is published any more.
    pub fn stop(&self) {
        self.inner.stop();
    }
}

impl Inner {
    fn stop(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            self.shared.stop();
            // A panic of that thread has already been reported by the panic hook.
            thread.join().ok();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}
