//! Who may ask what: every request passes here before it is routed.

mod headers;
mod hosts;
mod origin;
mod rate;
mod refusals;

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, COOKIE, HOST};
use axum::http::{Method, Request, StatusCode};

use crate::answer::Refusal;
use crate::app::App;
use crate::params;

pub(crate) use headers::harden;
pub(crate) use hosts::Hosts;
pub(crate) use rate::Rates;
pub(crate) use refusals::Refusals;

/// The longest address, with everything behind `?`.
const LONGEST_ADDRESS: usize = 8 << 10;

/// The two ends of the connection that a request came by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// Nobody we know.
    Anybody,
    /// A browser with this session.
    Session(String),
    /// A program with the token.
    Token,
}

/// Refuses what must not be answered; else says who asks.
pub(crate) fn admit(app: &App, ends: Ends, request: &Request<Body>) -> Result<Who, Refusal> {
    let headers = request.headers();
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST | Method::DELETE) {
        let message = "only GET, HEAD, POST and DELETE mean something here";
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "bad_method", message));
    }
    let mut named = headers.get_all(HOST).iter();
    let (Some(host), None) = (named.next(), named.next()) else {
        return Err(Refusal::bad("bad_host", "say in one Host header whom you ask"));
    };
    let host = host.to_str().unwrap_or_default();
    let authority = request.uri().authority().map(|authority| authority.as_str());
    if !app.hosts.allow(host, ends.local) || authority.is_some_and(|it| it != host) {
        return Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "bad_host",
            "this server does not answer under that name; add it to hosts in section [web] of the \
             configuration if it is yours",
        ));
    }
    let address = request.uri().path_and_query().map_or(0, |it| it.as_str().len());
    if address > LONGEST_ADDRESS {
        let message = format!("the address is longer than {LONGEST_ADDRESS} bytes");
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "too_long", message));
    }
    let path = request.uri().path();
    origin::check(request, host, is_for_programs(path))?;
    let who = who(app, request);
    let asker = who.as_ref().unwrap_or(&Who::Anybody);
    app.rates.admit(asker, ends.remote.ip())?;
    let who = who?;
    if who == Who::Anybody && is_for_programs(path) && !is_for_anybody(request.method(), path) {
        return Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "login",
            "log in first: open /login in a browser, or send the header `Authorization: Bearer \
             TOKEN`; the token is in the file that `femtosnitch web` names when it starts",
        ));
    }
    Ok(who)
}

/// Data, not a page.
pub(crate) fn is_for_programs(path: &str) -> bool {
    path == "/metrics" || path == "/api" || path.starts_with("/api/")
}

/// To log in.
fn is_for_anybody(method: &Method, path: &str) -> bool {
    path == "/api/v1/session" && *method == Method::POST
}

fn who(app: &App, request: &Request<Body>) -> Result<Who, Refusal> {
    if let Some(given) = request.headers().get(AUTHORIZATION) {
        let given = given.to_str().unwrap_or_default();
        let token = given.split_once(' ').filter(|(how, _)| how.eq_ignore_ascii_case("bearer"));
        if token.is_some_and(|(_, token)| app.secret.is(token.trim())) {
            return Ok(Who::Token);
        }
        app.rates.mistake();
        return Err(wrong_token());
    }
    let now = params::now();
    let sessions = app.sessions();
    let name = app.cookie_name();
    let found = cookies(request, name).find(|id| sessions.has(id, now));
    Ok(found.map_or(Who::Anybody, |id| Who::Session(id.to_owned())))
}

/// For a token that is not ours.
pub(crate) fn wrong_token() -> Refusal {
    let message = "that is not the token of this installation; it is in the file that \
                   `femtosnitch web` names when it starts";
    Refusal::new(StatusCode::UNAUTHORIZED, "wrong_token", message)
}

/// The values of a cookie.
fn cookies<'a>(request: &'a Request<Body>, name: &'a str) -> impl Iterator<Item = &'a str> {
    let headers = request.headers().get_all(COOKIE).iter();
    let pairs = headers.filter_map(|header| header.to_str().ok()).flat_map(|all| all.split(';'));
    pairs.filter_map(move |pair| {
        pair.trim().split_once('=').filter(|(given, _)| *given == name).map(|(_, value)| value)
    })
}
