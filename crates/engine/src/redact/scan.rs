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

pub(super) fn everything(text: &str) -> String {
    let text = logins(text);
    let text = headers(&text);
    let text = parameters(&text);
    let text = fields(&text);
    let text = private_keys(&text);
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

/// Where the next such header's name begins and ends, and whether a kind follows.
fn next_header(lower: &str, from: usize) -> Option<(usize, usize, bool)> {
    let kinds = AUTHORIZATION.iter().map(|name| (name, true));
    let all = kinds.chain(HEADERS.iter().map(|name| (name, false)));
    let found = all.filter_map(|(name, has_kind)| {
        let mut at = from;
        loop {
            let start = at + lower.get(at..)?.find(name)?;
            let before = lower.get(..start).and_then(|it| it.chars().next_back());
            let attached = lower.get(..start).is_some_and(|it| it.ends_with("-h"));
            if attached || before.is_none_or(|ch| !ch.is_alphanumeric() && !"-_".contains(ch)) {
                return Some((start, start + name.len(), has_kind));
            }
            at = start + name.len();
        }
    });
    found.min()
}

/// `?token=SECRET`, `&sig=SECRET`, and fields of a form.
fn parameters(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        let name = before.trim_end_matches('=');
        let begins = name.rfind(|ch: char| is_end(ch) || matches!(ch, '?' | '&' | '#' | ';'));
        let (sign, name) = match begins {
            Some(begins) => {
                let tail = name.get(begins..).unwrap_or_default();
                let mut chars = tail.chars();
                (chars.next(), chars.as_str())
            }
            None => (None, name),
        };
        let end = after.find(|ch| is_end(ch) || matches!(ch, '&' | '#'));
        let (value, tail) = after.split_at(end.unwrap_or(after.len()));
        let among_others = matches!(sign, Some('?' | '&' | '#')) || tail.starts_with('&');
        if among_others && !value.is_empty() && is_secret_parameter(name) {
            out.push_str(HIDDEN);
            rest = tail;
        } else {
            rest = after;
        }
    }
    out.push_str(rest);
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
