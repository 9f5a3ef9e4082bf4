//! Start and end.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::watch;

use crate::accept;
use crate::app::{App, Kept};
use crate::live::Hub;
use crate::pool::Pool;
use crate::routes;
use crate::settings::{Settings, Tls};
use crate::state::{Acknowledged, Sessions, StateDir};
use crate::tls;

/// Threads for what blocks besides the history: asking the daemon, reading small files.
const BLOCKING: usize = 4;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// Others could listen in.
    #[error(
        "{0} can be reached from other machines, so connections have to be encrypted: set tls in \
         section [web] of the configuration to \"own\" or to your certificate, or listen on \
         127.0.0.1"
    )]
    NeedsTls(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {addr}: {source}; choose another with --listen")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Token and sessions cannot be kept.
    #[error("cannot use {}: {source}", path.display())]
    State {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No certificate.
    #[error("cannot encrypt: {0}")]
    Tls(io::Error),
    /// The system has no threads or file descriptors left.
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
}

/// A server that runs until it is stopped.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    fingerprint: Option<String>,
    token_file: PathBuf,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts serving.
    ///
    /// # Errors
    /// See [`WebError`].
    pub fn start(settings: Settings) -> Result<Self, WebError> {
        let listen = settings.listen;
        if settings.tls == Tls::Off && !listen.ip().to_canonical().is_loopback() {
            return Err(WebError::NeedsTls(listen));
        }
        let at = |source| WebError::Listen { addr: listen, source };
        let listener = TcpListener::bind(listen).map_err(at)?;
        listener.set_nonblocking(true).map_err(at)?;
        let addr = listener.local_addr().map_err(at)?;
        let path = settings.state_dir.clone();
        let kept = |source| WebError::State { path: path.clone(), source };
        let dir = StateDir::open(&settings.state_dir).map_err(kept)?;
        let secret = dir.token().map_err(kept)?;
        let encryption = tls::encryption(&settings.tls, &dir, &settings.hosts, addr.ip());
        let encryption = encryption.map_err(WebError::Tls)?;
        let fingerprint = encryption.as_ref().map(|it| it.fingerprint.clone());
        let pool = Pool::start(&settings.database)?;
        let live =
            Hub::start(&settings.live_socket, &settings.database, Arc::clone(&settings.users))?;
        let sessions = Sessions::load(&dir);
        let acknowledged = Acknowledged::load(&dir);
        let kept = Kept { secret, sessions, acknowledged };
        let of = (addr.port(), encryption.is_some());
        let app = Arc::new(App::new(settings, kept, (pool, live), of));
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(BLOCKING)
            .thread_name("web-blocking")
            .build()?;
        let thread = thread::Builder::new().name("web".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => listener,
                    Err(error) => {
                        tracing::error!(%error, "cannot serve");
                        return;
                    }
                };
                let served = (Arc::clone(&app), routes::router(Arc::clone(&app)));
                let acceptor = encryption.map(|it| it.acceptor);
                accept::serve(listener, acceptor, served, stopped).await;
            });
            app.pool.close();
            app.live.close();
            runtime.shutdown_background();
        })?;
        Ok(Self { addr, fingerprint, token_file: dir.file("token"), stop, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What to open in a browser of this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.fingerprint.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// SHA-256 of the certificate, as browsers show it; `None` without encryption.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&str> {
        self.fingerprint.as_deref()
    }

    /// Where the token is.
    #[must_use]
    pub fn token_file(&self) -> &std::path::Path {
        &self.token_file
    }

    /// Whether it ended by itself.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it. Whatever is being answered is cut off.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the server ended by a fault");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
