//! What goes back: JSON, or an error in the same form everywhere.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use femtosnitch_store::StoreError;
use serde::Serialize;

/// A request that is not answered as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// One word for programs.
    pub(crate) code: &'static str,
    /// For people: what to do.
    pub(crate) message: String,
}

/// Goes with an answer that refuses something, for the log: the code of the refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) &'static str);

pub(crate) type Answer = Result<Response, Refusal>;

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn not_found() -> Self {
        let message = "there is nothing at this address; /api/v1/openapi.json tells what there is";
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn busy() -> Self {
        let message = "too many questions at a time; ask again in a moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message)
    }

    /// Whether it is for what was asked, or how often; not for a state of ours.
    fn is_refused(&self) -> bool {
        self.status.is_client_error() || self.code == "busy"
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Told<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    message: &'a str,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let told = Told { code: self.code, message: &self.message };
        let body = serde_json::to_vec(&Envelope { error: told }).unwrap_or_default();
        let mut response = json(body);
        *response.status_mut() = self.status;
        if self.is_refused() {
            response.extensions_mut().insert(Refused(self.code));
        }
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let (status, code) = match &error {
            StoreError::BadQuery(_) => (StatusCode::BAD_REQUEST, "bad_query"),
            StoreError::Missing { .. } => (StatusCode::SERVICE_UNAVAILABLE, "no_history"),
            StoreError::Permission { .. } => (StatusCode::SERVICE_UNAVAILABLE, "not_allowed"),
            StoreError::Cancelled => (StatusCode::SERVICE_UNAVAILABLE, "cancelled"),
            StoreError::Internal { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "history_unreadable"),
        };
        Self::new(status, code, error.to_string())
    }
}

/// JSON that nobody keeps.
pub(crate) fn json(body: Vec<u8>) -> Response {
    with_type(body, "application/json")
}

pub(crate) fn with_type(body: impl Into<Body>, mime: &'static str) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(mime));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A value as JSON.
pub(crate) fn encode(value: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(value).map_err(|error| {
        let message = format!("the answer cannot be written ({error}); please report this");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    })
}
