//! Tokens that are known by how they look.

use super::HIDDEN;

/// How a kind of token begins, and how many characters follow at least.
const TOKENS: [(&str, usize); 21] = [
    ("github_pat_", 16),
    ("ghp_", 16),
    ("gho_", 16),
    ("ghu_", 16),
    ("ghs_", 16),
    ("ghr_", 16),
    ("glpat-", 12),
    ("xoxa-", 8),
    ("xoxb-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("sk_live_", 8),
    ("sk_test_", 8),
    ("rk_live_", 8),
    ("sk-ant-", 16),
    ("sk-proj-", 16),
    ("npm_", 30),
    ("hf_", 30),
    ("AIza", 30),
    ("dckr_pat_", 16),
];
/// Identifiers of Amazon's keys: four letters and this many capitals and digits.
const AMAZON: [&str; 2] = ["AKIA", "ASIA"];
const AMAZON_LENGTH: usize = 16;
/// A JSON object in base64, as the parts of a JWT begin.
const JWT: &str = "eyJ";
const JWT_PART: usize = 4;

fn in_token(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || matches!(ch, '_' | '-')
}

pub(super) fn hide(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        // Tokens begin where a run of their characters does.
        let start = rest.find(in_token).unwrap_or(rest.len());
        let (before, run) = rest.split_at(start);
        out.push_str(before);
        match length(run) {
            Some(length) => {
                out.push_str(HIDDEN);
                rest = run.get(length..).unwrap_or_default();
            }
            None => {
                let end = run.find(|ch| !in_token(ch)).unwrap_or(run.len());
                let (word, after) = run.split_at(end);
                out.push_str(word);
                rest = after;
            }
        }
    }
    out
}

/// The length of the token that a text begins with.
fn length(text: &str) -> Option<usize> {
    // Most words are none.
    let may_begin = |start: &str| text.as_bytes().first() == start.as_bytes().first();
    if !TOKENS.iter().map(|(start, _)| *start).chain(AMAZON).chain([JWT]).any(may_begin) {
        return None;
    }
    if text.starts_with(JWT) {
        return jwt(text);
    }
    let end = text.find(|ch| !in_token(ch)).unwrap_or(text.len());
    let word = text.get(..end)?;
    let amazon = AMAZON.iter().filter_map(|start| word.strip_prefix(start)).any(|key| {
        let capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        key.len() == AMAZON_LENGTH && key.bytes().all(capital)
    });
    let known = TOKENS
        .iter()
        .any(|(start, least)| word.strip_prefix(start).is_some_and(|key| key.len() >= *least));
    (amazon || known).then_some(end)
}

/// Three parts with dots between them. The first two are looked at before the rest is, so that a
/// line of beginnings costs no more than its length.
fn jwt(text: &str) -> Option<usize> {
    let mut at = 0;
    for _ in 0..2 {
        let rest = text.get(at..)?;
        let end = rest.find(|ch| !in_token(ch))?;
        if end < JWT_PART || !rest.get(end..)?.starts_with('.') {
            return None;
        }
        at += end + 1;
    }
    let rest = text.get(at..)?;
    Some(at + rest.find(|ch| !in_token(ch) && ch != '.').unwrap_or(rest.len()))
}
