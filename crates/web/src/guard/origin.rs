//! Pages of others may not ask in the name of whoever reads them, nor change anything.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};

use crate::answer::Refusal;

/// What browsers say about where a request comes from.
const FETCH_SITE: &str = "sec-fetch-site";

/// Refuses what another page made a browser send. `data` is asked for by our own page alone; the
/// page itself may be linked to from anywhere.
pub(super) fn check(request: &Request<Body>, host: &str, data: bool) -> Result<(), Refusal> {
    let headers = request.headers();
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if (changes || data) && is_foreign(headers, host) {
        let message = "asked for by the page of another site, which may not do that";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "cross_site", message));
    }
    if changes && !is_json(headers) {
        // What a form of another site can send is never of this type.
        let message = "send Content-Type: application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "bad_type", message));
    }
    Ok(())
}

fn is_foreign(headers: &HeaderMap, host: &str) -> bool {
    let mut sites = headers.get_all(FETCH_SITE).iter();
    // `same-site` is another port of this machine: somebody else's.
    if !sites.all(|site| matches!(site.as_bytes(), b"same-origin" | b"none")) {
        return true;
    }
    let ours = |origin: &str| {
        origin.parse::<Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(|it| it.as_str().eq_ignore_ascii_case(host))
        })
    };
    !headers.get_all(ORIGIN).iter().all(|origin| origin.to_str().is_ok_and(ours))
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(first), None) = (types.next(), types.next()) else { return false };
    let essence = first.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
