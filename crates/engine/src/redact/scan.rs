//! Secrets within a text: logins in addresses, parameters, headers, fields of JSON, keys.

use super::names::is_secret_parameter;
use super::{HIDDEN, shapes};

/// Headers that are secret, and begin with what kind of secret it is.
const AUTHORIZATION: [&str; 2] = ["proxy-authorization:", "authorization:"];
/// Those kinds.
const KINDS: [&str; 7] = ["bearer", "basic", "token", "apikey", "negotiate", "digest", "ntlm"];
/// Headers that are secret as a whole.
const HEADERS: [&str; 9] = [
    "x-api-key:",
    "api-key:",
    "apikey:",
    "private-token:",
    "job-token:",
    "x-auth-token:",
    "x-vault-token:",
    "cookie:",
    "x-amz-security-token:",
];
const KEY_BEGINS: &str = "PRIVATE KEY-----";

/// Most lines have nothing of all that, and are only looked through.
pub(super) fn everything(mut text: String) -> String {
    if text.contains("://") {
        text = logins(&text);
    }
    if text.contains(':') {
        text = headers(&text);
    }
    if text.contains('=') {
        text = parameters(&text);
    }
    if text.contains("\":") {
        text = fields(&text);
    }
    if text.contains(KEY_BEGINS) {
        text = private_keys(&text);
    }
    shapes::hide(&text)
}

fn is_end(ch: char) -> bool {
    ch.is_whitespace() || matches!(ch, '"' | '\'' | '`')
}

/// `scheme://user:password@host`
fn logins(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after.find(|ch| is_end(ch) || matches!(ch, '/' | '?' | '#'));
        let (authority, tail) = after.split_at(end.unwrap_or(after.len()));
        match authority.rsplit_once('@') {
            Some((login, host)) => {
                match login.split_once(':') {
                    Some((user, password)) if !password.is_empty() => {
                        out.push_str(user);
                        out.push(':');
                        out.push_str(HIDDEN);
                    }
                    _ => out.push_str(login),
                }
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(authority),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// `Authorization: Bearer SECRET`
fn headers(text: &str) -> String {
    // ASCII only, so that places in both are the same.
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((start, end, has_kind)) = next_header(&lower, at) {
        out.push_str(text.get(at..end).unwrap_or_default());
        at = end;
        let quote = lower.get(..start).and_then(|before| before.chars().next_back());
        let quote = quote.filter(|ch| matches!(ch, '"' | '\'' | '`'));
        let rest = text.get(at..).unwrap_or_default();
        let gap = rest.len() - rest.trim_start().len();
        out.push_str(rest.get(..gap).unwrap_or_default());
        at += gap;
        let mut value = rest.get(gap..).unwrap_or_default();
        let word = value.get(..value.find(is_end).unwrap_or(value.len())).unwrap_or_default();
        if has_kind && KINDS.contains(&word.to_ascii_lowercase().as_str()) {
            let after = value.get(word.len()..).unwrap_or_default();
            let gap = after.len() - after.trim_start().len();
            let kept = word.len() + gap;
            out.push_str(value.get(..kept).unwrap_or_default());
            at += kept;
            value = value.get(kept..).unwrap_or_default();
        }
        let end = match quote {
            Some(quote) => value.find(quote),
            None => value.find(is_end),
        };
        let end = end.unwrap_or(value.len());
        if end > 0 {
            out.push_str(HIDDEN);
            at += end;
        }
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// An argument that is such a header: secret to its end.
pub(super) fn header(arg: &str) -> Option<String> {
    let lower = arg.to_ascii_lowercase();
    let (start, end, has_kind) = next_header(&lower, 0)?;
    if !matches!(lower.get(..start)?, "" | "-h" | "--header=") {
        return None;
    }
    let value = arg.get(end..)?.trim_start();
    let kind = value.split(is_end).next().filter(|_| has_kind).unwrap_or_default();
    let is_kind = KINDS.contains(&kind.to_ascii_lowercase().as_str());
    let secret = value.get(if is_kind { kind.len() } else { 0 }..)?.trim_start();
    let hidden = if secret.is_empty() { "" } else { HIDDEN };
    Some(format!("{}{hidden}", arg.get(..arg.len() - secret.len())?))
}

/// Where the next such header's name begins and ends, and whether a kind follows. Looks at colons
/// only, so that a long line costs no more than its length.
fn next_header(lower: &str, from: usize) -> Option<(usize, usize, bool)> {
    let colons = lower.get(from..)?.match_indices(':');
    colons.map(|(at, _)| from + at + 1).find_map(|end| {
        let so_far = lower.get(from..end)?;
        let name = AUTHORIZATION.iter().chain(&HEADERS).find(|name| so_far.ends_with(**name))?;
        let start = end - name.len();
        let before = lower.get(..start)?;
        let alone = |ch: char| !ch.is_alphanumeric() && !"-_".contains(ch);
        let fits = before.ends_with("-h") || before.chars().next_back().is_none_or(alone);
        fits.then_some((start, end, AUTHORIZATION.contains(name)))
    })
}

/// `?token=SECRET`, `&sig=SECRET`, and fields of a form.
fn parameters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut done, mut end) = (0, 0);
    while let Some(sign) = text.get(done..).and_then(|rest| rest.find('=')) {
        let (before, value) = (text.get(done..done + sign).unwrap_or_default(), done + sign + 1);
        out.push_str(before);
        out.push('=');
        done = value;
        // The same end for all values before it is looked for once.
        if end < value {
            let rest = text.get(value..).unwrap_or_default();
            let ends = rest.find(|ch| is_end(ch) || matches!(ch, '&' | '#'));
            end = value + ends.unwrap_or(rest.len());
        }
        let begins = before.rfind(|ch: char| is_end(ch) || matches!(ch, '?' | '&' | '#' | ';'));
        let mut name = before.get(begins.unwrap_or(0)..).unwrap_or_default().chars();
        let first = begins.and_then(|_| name.next());
        let follows = text.get(end..).is_some_and(|tail| tail.starts_with('&'));
        let among_others = matches!(first, Some('?' | '&' | '#')) || follows;
        if among_others && end > value && is_secret_parameter(name.as_str()) {
            out.push_str(HIDDEN);
            done = end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// `"password": "SECRET"`
fn fields(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((name, before, value_on)) = next_field(rest) {
        out.push_str(rest.get(..before).unwrap_or_default());
        let end = value_on.find('"').unwrap_or(value_on.len());
        let (value, tail) = value_on.split_at(end);
        out.push_str(if !value.is_empty() && is_secret_parameter(name) { HIDDEN } else { value });
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The name of the next field, where its value begins, and the text from there on.
fn next_field(text: &str) -> Option<(&str, usize, &str)> {
    let mut from = 0;
    loop {
        let colon = from + text.get(from..)?.find("\":")?;
        let name = text.get(..colon)?.rsplit('"').next()?;
        let after = text.get(colon + 2..)?;
        if let Some(value) = after.trim_start().strip_prefix('"') {
            return Some((name, text.len() - value.len(), value));
        }
        from = colon + 2;
    }
}

/// A key as text, to the end.
fn private_keys(text: &str) -> String {
    match text.split_once(KEY_BEGINS) {
        Some((before, key)) if !key.is_empty() => format!("{before}{KEY_BEGINS}{HIDDEN}"),
        _ => text.to_owned(),
    }
}
