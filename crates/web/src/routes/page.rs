//! The page at its own addresses, its files, and nothing at any other.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Response};

use super::see_other;
use crate::answer::Refusal;
use crate::assets;
use crate::guard::{Who, is_for_programs};

/// The addresses that the page knows (web/src/App.svelte, which a test compares).
const PAGES: [&str; 8] =
    ["/", "/history", "/map", "/flow", "/events", "/system", "/program", "/login"];

/// A file of the page, or the page, which finds out by itself what to show; whoever is not logged
/// in is sent to where that is done.
pub(super) async fn page(request: Request) -> Response {
    let path = request.uri().path();
    if is_trick(path) || is_for_programs(path) {
        return Refusal::not_found().into_response();
    }
    if let Some(file) = assets::file(path, request.headers()) {
        return file;
    }
    if !PAGES.contains(&path) {
        // What looks like a file is asked for by programs.
        return match takes_html(request.headers()) && !path.contains('.') {
            true => assets::lost(),
            false => Refusal::not_found().into_response(),
        };
    }
    let known = request.extensions().get::<Who>().is_some_and(|who| *who != Who::Anybody);
    if !known && path != "/login" {
        let wanted = request.uri().path_and_query().map_or("/", |it| it.as_str());
        let wanted: String = form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
        let to =
            if wanted == "%2F" { "/login".to_owned() } else { format!("/login?next={wanted}") };
        return see_other(&to);
    }
    assets::page(request.headers())
}

/// Whether a path is written so that one program reads it otherwise than another: nothing of ours
/// has such a name.
fn is_trick(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return true };
    let odd = |segment: &str| matches!(segment, "" | "." | "..");
    let hidden = || {
        let path = path.to_ascii_lowercase();
        ["%2e", "%2f", "%5c", "%00", "%25"].iter().any(|code| path.contains(code))
    };
    !rest.is_empty() && rest.split('/').any(odd) || path.contains('\\') || hidden()
}

/// A browser that shows what it gets, as opposed to a program, or a page in want of a file.
fn takes_html(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(ACCEPT).iter().filter_map(|kinds| kinds.to_str().ok());
    kinds.any(|kinds| kinds.contains("text/html"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_can_be_read_in_two_ways_is_a_trick() {
        for path in [
            "",
            "history",
            "//",
            "/a//b",
            "/history/",
            "/.",
            "/..",
            "/../state/token",
            "/a/./b",
            "/a/../b",
            "/%2E%2e/x",
            "/a%2fb",
            "/a%5Cb",
            "/a\\b",
            "/a%00.js",
            "/%252e",
        ] {
            assert!(is_trick(path), "{path}");
        }
        for path in PAGES.iter().chain(&["/assets/x-1_2.js", "/.env", "/a..b", "/%C3%A9"]) {
            assert!(!is_trick(path), "{path}");
        }
    }

    #[test]
    fn the_page_knows_the_same_addresses() {
        let source = include_str!("../../../../web/src/App.svelte");
        let mut named = BTreeSet::new();
        for before in ["path: '", "route.path === '"] {
            named.extend(source.split(before).skip(1).map(|rest| rest.split('\'').next().unwrap()));
        }
        assert_eq!(named, BTreeSet::from(PAGES));
    }
}
