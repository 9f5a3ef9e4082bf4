//! The page, as it was built into this program.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::state::hex;

/// What `npm run build` in web/ leaves; empty if that did not run before this was compiled.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// What is shown in its place.
const NOT_BUILT: &str = include_str!("assets/not_built.html");

/// A file of the page, if there is one of this name.
pub(crate) fn file(path: &str, headers: &HeaderMap) -> Option<Response> {
    let name = path.strip_prefix('/').unwrap_or(path);
    let found = Dist::get(name)?;
    // Vite puts a hash into the names of all that it makes.
    let lasting = name.starts_with("assets/");
    Some(serve(found.data, &found.metadata.sha256_hash(), mime(name), lasting, headers))
}

/// The page itself.
pub(crate) fn page(headers: &HeaderMap) -> Response {
    match Dist::get("index.html") {
        Some(found) => {
            let digest = found.metadata.sha256_hash();
            serve(found.data, &digest, "text/html; charset=utf-8", false, headers)
        }
        None => {
            let mut response = (StatusCode::NOT_FOUND, NOT_BUILT).into_response();
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, html);
            response
        }
    }
}

/// The page at an address that it does not know, which it says.
pub(crate) fn lost() -> Response {
    let mut response = page(&HeaderMap::new());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().remove(ETAG);
    response
}

fn serve(
    data: std::borrow::Cow<'static, [u8]>,
    digest: &[u8],
    mime: &'static str,
    lasting: bool,
    headers: &HeaderMap,
) -> Response {
    let tag = format!("\"{}\"", hex(digest.get(..16).unwrap_or_default()));
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(','));
    let mut response = if known.any(|known| known.trim().trim_start_matches("W/") == tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = data.into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(mime));
        response
    };
    let keep = if lasting { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

fn mime(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
