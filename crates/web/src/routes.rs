//! What there is to ask for.

mod download;
mod events;
mod history;
mod live;
mod metrics;
mod page;
mod program;
mod session;
mod status;
mod words;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;

use crate::answer::{Answer, Refusal, json};
use crate::app::App;
use crate::params::Params;

/// Bytes of a request's body.
const LONGEST_BODY: usize = 64 << 10;
/// How long a body may take.
const BODY_TIME: std::time::Duration = std::time::Duration::from_secs(10);

/// What there is, described.
const OPENAPI: &str = include_str!("routes/openapi.json");

type Shared = State<Arc<App>>;

/// A route that answers `GET` by its parameters.
fn ask<F, Fut>(handler: F) -> MethodRouter<Arc<App>>
where
    F: Fn(Arc<App>, Params) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send,
{
    get(move |State(app): Shared, request: Request| async move {
        match Params::new(request.uri().query(), app.settings.read_time) {
            Ok(params) => handler(app, params).await,
            Err(refusal) => Err(refusal),
        }
    })
}

/// All routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    let api = Router::new()
        .route("/dimensions", ask(history::dimensions))
        .route("/report", ask(history::report))
        .route("/report.csv", ask(download::report_csv))
        .route("/report.json", ask(download::report_json))
        .route("/values", ask(history::values))
        .route("/detail", ask(history::detail))
        .route("/tree", ask(history::tree))
        .route("/program", ask(program::program))
        .route("/heatmap", ask(program::heatmap))
        .route("/events", ask(events::events))
        .route("/events/ack", post(events::acknowledge))
        .route("/gaps", ask(events::gaps))
        .route("/status", ask(status::status))
        .route("/live", get(live::live))
        .route("/export", ask(download::export))
        .route("/openapi.json", get(|| async { json(OPENAPI.as_bytes().to_vec()) }))
        .route("/session", get(session::show).post(session::log_in).delete(session::log_out));
    Router::new()
        .nest("/api/v1", api)
        .route("/metrics", ask(metrics::metrics))
        .route("/open", ask(session::open))
        .fallback(get(page::page))
        .method_not_allowed_fallback(|| async {
            let message = "that cannot be done here; /api/v1/openapi.json tells what can";
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "bad_method", message)
        })
        .with_state(app)
}

/// Leads a browser elsewhere.
fn see_other(to: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(to) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    let headers = response.headers_mut();
    headers.insert("cache-control", HeaderValue::from_static("no-store"));
    response
}

/// The body of a request, which must be JSON of this form.
async fn body<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Refusal> {
    debug_assert_ne!(*request.method(), Method::GET, "has a body");
    let collected = Limited::new(request.into_body(), LONGEST_BODY).collect();
    let bytes = match tokio::time::timeout(BODY_TIME, collected).await {
        Ok(Ok(bytes)) => bytes.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let message = format!("the body is longer than {LONGEST_BODY} bytes");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_long", message));
        }
        Ok(Err(_)) => return Err(Refusal::bad("bad_body", "the body cannot be read")),
        Err(_) => {
            let message = "the body did not come in time";
            return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message));
        }
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        Refusal::bad("bad_body", format!("the body is not what this route takes: {error}"))
    })
}

/// An answer without contents.
fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
