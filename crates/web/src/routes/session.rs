//! Logging in and out.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::{Shared, body, nothing, see_other};
use crate::answer::{Answer, Refusal, Refused, with_type};
use crate::app::App;
use crate::guard::{Who, wrong_token};
use crate::params::{Params, now};

const LEAD_ON: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
    <meta http-equiv=\"refresh\" content=\"0;url=/\"><title>femtosnitch</title>\
    <a href=\"/\">femtosnitch</a></html>\n";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    token: String,
}

/// Whether one is logged in: the guard lets nobody else come here.
pub(super) async fn show() -> Response {
    nothing()
}

pub(super) async fn log_in(State(app): Shared, request: Request) -> Answer {
    app.rates.may_log_in()?;
    let headers = request.headers().clone();
    let Given { token } = body(request).await?;
    if !app.secret.is(token.trim()) {
        app.rates.mistake();
        return Err(wrong_token());
    }
    begin(&app, &headers, nothing())
}

pub(super) async fn log_out(State(app): Shared, request: Request) -> Answer {
    if let Some(Who::Session(id)) = request.extensions().get::<Who>() {
        app.sessions().end(id).map_err(unkept)?;
    }
    let mut response = nothing();
    set_cookie(&app, &mut response, request.headers(), ("", 0));
    Ok(response)
}

/// Logs in whoever has a key that works once, as `femtosnitch web --open` gives it to a browser.
pub(super) async fn open(app: Arc<App>, mut params: Params) -> Answer {
    let key = params.one("key")?.unwrap_or_default();
    params.end()?;
    app.rates.may_log_in()?;
    let good = app.used_keys().take(&app.secret, &key, now());
    if !good {
        app.rates.mistake();
        // Not an error to look at: the page tells how else to come in.
        let mut response = see_other("/login?why=key");
        response.extensions_mut().insert(Refused("wrong_key"));
        return Ok(response);
    }
    // A page that leads on by itself: browsers hold back the cookie from a redirection that began
    // at another site, as a file is.
    begin(&app, &HeaderMap::new(), with_type(LEAD_ON, "text/html; charset=utf-8"))
}

fn begin(app: &App, headers: &HeaderMap, mut response: Response) -> Answer {
    let (id, life) = app.sessions().begin(now()).map_err(unkept)?;
    set_cookie(app, &mut response, headers, (&id, life));
    Ok(response)
}

fn set_cookie(app: &App, response: &mut Response, headers: &HeaderMap, (id, life): (&str, i64)) {
    // A proxy in front that encrypts shows in where the page says it comes from.
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let encrypted = app.is_encrypted() || origin.is_some_and(|it| it.starts_with("https://"));
    let secure = if encrypted { "; Secure" } else { "" };
    let name = app.cookie_name();
    let cookie = format!("{name}={id}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
}

fn unkept(error: std::io::Error) -> Refusal {
    let message = format!("the session cannot be kept: {error}");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "state", message)
}
