//! What moves now, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::Shared;
use crate::answer::{Answer, Refusal, with_type};
use crate::app::App;
use crate::guard::Who;
use crate::live::Watch;
use crate::params::{Params, now};

/// Something is sent this often, so that whoever went away is noticed.
const BEAT: Duration = Duration::from_secs(15);

struct Viewer {
    app: Arc<App>,
    who: Who,
    watch: Watch,
    next_beat: Instant,
    begun: bool,
    _permit: OwnedSemaphorePermit,
}

pub(super) async fn live(State(app): Shared, request: Request) -> Answer {
    let mut params = Params::new(request.uri().query(), app.settings.read_time)?;
    let exe = params.one("exe")?.filter(|exe| !exe.is_empty());
    params.end()?;
    let permit = Arc::clone(&app.viewers).try_acquire_owned().map_err(|_| Refusal::busy())?;
    let watch = app.live.watch(exe).ok_or_else(Refusal::busy)?;
    let who = request.extensions().get::<Who>().cloned().unwrap_or(Who::Anybody);
    let next_beat = Instant::now() + BEAT;
    let viewer = Viewer { app, who, watch, next_beat, begun: false, _permit: permit };
    let body = Body::from_stream(stream::unfold(viewer, |mut viewer| async move {
        let bytes = viewer.next().await?;
        Some((Ok::<_, Infallible>(bytes), viewer))
    }));
    let mut response = with_type(body, "text/event-stream");
    // Asks proxies (nginx) to pass on each event as it comes.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

impl Viewer {
    /// What to send next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.begun {
            self.begun = true;
            // How long to wait before coming back.
            let mut first = b"retry: 2000\n\n".to_vec();
            first.extend_from_slice(&self.watch.first);
            return Some(first.into());
        }
        tokio::select! {
            received = self.watch.rest.recv() => match received {
                Ok(bytes) => Some(bytes),
                Err(RecvError::Lagged(events)) => {
                    Some(format!("event: missed\ndata: {{\"events\":{events}}}\n\n").into())
                }
                Err(RecvError::Closed) => None,
            },
            () = tokio::time::sleep_until(self.next_beat) => {
                self.next_beat = Instant::now() + BEAT;
                self.may_go_on().then(|| Bytes::from_static(b": still here\n\n"))
            }
        }
    }

    /// Whoever logs out sees no more.
    fn may_go_on(&self) -> bool {
        match &self.who {
            Who::Session(id) => self.app.sessions().has(id, now()),
            Who::Token => true,
            Who::Anybody => false,
        }
    }
}
