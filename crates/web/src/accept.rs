//! Connections: how many, how slow they may be, and what becomes of each request.

mod patient;

use std::convert::Infallible;
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use axum::response::{IntoResponse, Response};
use femtosnitch_model::printable;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::answer::Refused;
use crate::app::App;
use crate::guard::{self, Ends, Who};
use patient::Patient;

/// For agreeing on encryption.
const TLS_TIME: Duration = Duration::from_secs(10);
/// Headers of a request.
const MOST_HEADERS: usize = 64;
/// Bytes of its head.
const LONGEST_HEAD: usize = 16 << 10;
/// After a failure to accept (no file descriptors left).
const PAUSE: Duration = Duration::from_millis(200);
/// Longest path that is logged.
const LOGGED_PATH: usize = 100;

/// Serves until `stop` says so.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    (app, router): (Arc<App>, Router),
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(app.settings.limits.connections));
    let mut was_full = false;
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            if !was_full {
                tracing::warn!(most = app.settings.limits.connections, %remote, "too many connections: closed");
            }
            was_full = true;
            turned_away(&app, remote, "full");
            continue;
        };
        was_full = false;
        let (app, router, tls) = (Arc::clone(&app), router.clone(), tls.clone());
        tokio::spawn(async move {
            connection(stream, remote, tls, (app, router)).await;
            drop(permit);
        });
    }
}

async fn connection(
    stream: TcpStream,
    remote: SocketAddr,
    tls: Option<TlsAcceptor>,
    served: (Arc<App>, Router),
) {
    let Ok(local) = stream.local_addr() else { return };
    // Answers are small and wanted now.
    drop(stream.set_nodelay(true));
    let ends = Ends { local, remote };
    let Some(tls) = tls else { return converse(stream, ends, served).await };
    match tokio::time::timeout(TLS_TIME, tls.accept(stream)).await {
        Ok(Ok(stream)) => converse(stream, ends, served).await,
        Ok(Err(error)) => {
            tracing::debug!(%remote, %error, "no encrypted connection");
            turned_away(&served.0, remote, "not_encrypted");
        }
        Err(_) => turned_away(&served.0, remote, "slow"),
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ends: Ends,
    (app, router): (Arc<App>, Router),
) {
    let limits = app.settings.limits;
    let (asked, state) = (Arc::clone(&app), app);
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, router) = (Arc::clone(&asked), router.clone());
        async move { Ok::<_, Infallible>(answer(&app, router, ends, request.map(Body::new)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(Patient::new(stream, limits.write_time)), service);
    let Err(error) = connection.await else { return };
    tracing::debug!(remote = %ends.remote, %error, "connection ended");
    // What never became a request: hyper answers that itself. Others just went away.
    if error.is_parse() {
        turned_away(&state, ends.remote, "malformed");
    } else if error.is_timeout() || is_timeout(&error) {
        turned_away(&state, ends.remote, "slow");
    }
}

/// Whether a write took too long.
fn is_timeout(error: &hyper::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::TimedOut)
}

/// Tells of a connection that was ended since of its other end.
fn turned_away(app: &App, remote: SocketAddr, code: &str) {
    app.refusals.note(|missed| {
        let remote = remote.ip();
        tracing::info!(%remote, code, missed, "turned away");
    });
}

async fn answer(app: &App, router: Router, ends: Ends, mut request: Request<Body>) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = match guard::admit(app, ends, &request) {
        Ok(who) => {
            request.extensions_mut().insert::<Who>(who);
            match router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
        Err(refusal) => {
            let mut response = refusal.into_response();
            // Whatever else it sends is not worth reading.
            response
                .headers_mut()
                .insert(header::CONNECTION, header::HeaderValue::from_static("close"));
            response
        }
    };
    if let Some(&Refused(code)) = response.extensions().get() {
        // Neither what is behind `?` nor any header: there may be secrets in them.
        let path: String = path.chars().take(LOGGED_PATH).collect();
        let status = response.status().as_u16();
        app.refusals.note(|missed| {
            let (remote, path) = (ends.remote.ip(), printable(&path));
            tracing::info!(%remote, %method, path, status, code, missed, "refused");
        });
    }
    guard::harden(response.headers_mut());
    response
}
