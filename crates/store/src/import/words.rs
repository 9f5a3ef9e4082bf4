//! Texts as picosnitch stores them, taken apart.

use std::borrow::Cow;

use femtosnitch_model::Digest;
use femtosnitch_model::Sha256;
use femtosnitch_model::Unhashed;

/// Arguments, separated by NUL, that a POSIX shell would make of a line that Python's `shlex.join`
/// wrote; the line itself if that did not write it.
pub(super) fn arguments(line: &[u8]) -> Cow<'_, [u8]> {
    match unquote(line) {
        Some(args) => Cow::Owned(args),
        None => Cow::Borrowed(line),
    }
}

fn unquote(line: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(line.len());
    let mut quote = None;
    for &byte in line {
        match quote {
            Some(end) if byte == end => quote = None,
            Some(_) => out.push(byte),
            None => match byte {
                b'\'' | b'"' => quote = Some(byte),
                b' ' => out.push(0),
                // Outside of quotes these are nothing that it writes.
                b'\\' | b'$' | b'`' | 0 => return None,
                _ => out.push(byte),
            },
        }
    }
    quote.is_none().then_some(out)
}

/// What a stored hash says: `None` if it is neither one nor any text that stands for one.
pub(super) fn digest(text: &[u8]) -> Option<Digest> {
    if text.is_empty() {
        return Some(Digest::Missing(Unhashed::Unknown));
    }
    if text.starts_with(b"!!!") {
        // One text for each attempt, the last of which says most.
        let says = |word: &str| text.windows(word.len()).any(|part| part == word.as_bytes());
        return Some(Digest::Missing(if says("Timeout") {
            Unhashed::NoAnswer
        } else if says("PID Recycled") {
            Unhashed::Gone
        } else {
            Unhashed::Unreadable
        }));
    }
    let mut sha = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in sha.iter_mut().zip(text.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        let digit = |ch: u8| char::from(ch).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(Digest::Known(Sha256(sha)))
}

/// A name in reverse notation; '' if an address stands in its place, `None` if it is no name.
pub(super) fn domain(text: &[u8]) -> Option<String> {
    let text = str::from_utf8(text).ok()?.trim_matches('.');
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Some(String::new());
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (text.len() <= 253 && text.bytes().all(fits)).then(|| text.to_ascii_lowercase())
}

/// The beginning, and whether there was more. Never ends within a character.
pub(super) fn cut(text: &[u8], longest: usize) -> (&[u8], bool) {
    let Some(start) = text.get(..longest).filter(|_| text.len() > longest) else {
        return (text, false);
    };
    let ends_well = |at: &usize| text.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    let end = (longest.saturating_sub(3)..=longest).rev().find(ends_well).unwrap_or(longest);
    (start.get(..end).unwrap_or(start), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_arguments_come_back() {
        let args = |line: &str| String::from_utf8(arguments(line.as_bytes()).into_owned()).unwrap();
        assert_eq!(args("curl -s 'a b' x"), "curl\0-s\0a b\0x");
        assert_eq!(args(r#"sh -c 'echo '"'"'hi'"'"''"#), "sh\0-c\0echo 'hi'");
        assert_eq!(args("''"), "");
        assert_eq!(args(r"'a\b$c'"), r"a\b$c");
        // Not by shlex: left as they are.
        for odd in ["it's", r"a\ b", "a $b"] {
            assert_eq!(args(odd), odd);
        }
    }

    #[test]
    fn errors_are_no_hashes() {
        let of = |text: &str| digest(text.as_bytes()).map(|digest| digest.to_string());
        assert_eq!(of(&"aB".repeat(32)), Some("ab".repeat(32)));
        assert_eq!(of("").as_deref(), Some("(unknown)"));
        let read = "!!! FD Read Error !!! PID Read Error !!! FUSE Read Error";
        assert_eq!(of(read).as_deref(), Some("(unreadable)"));
        let gone = "!!! FD Stat Error !!! PID Recycled Error !!! FUSE Read Error";
        assert_eq!(of(gone).as_deref(), Some("(gone)"));
        let late = "!!! FD Read Error !!! PID Read Error !!! FUSE Subprocess Timeout";
        assert_eq!(of(late).as_deref(), Some("(no answer)"));
        for wrong in ["ab", "(kernel)", &"xy".repeat(32), &"é".repeat(32)] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_are_no_names() {
        let of = |text: &str| domain(text.as_bytes());
        assert_eq!(of("com.Example.www").as_deref(), Some("com.example.www"));
        assert_eq!(of("com.example.").as_deref(), Some("com.example"));
        for none in ["", "192.0.2.7", "2001:db8::1"] {
            assert_eq!(of(none).as_deref(), Some(""));
        }
        for wrong in ["a b", "\u{1b}[2J", "é", &"a".repeat(254)] {
            assert_eq!(of(wrong), None);
        }
    }

    #[test]
    fn characters_are_not_cut_in_two() {
        assert_eq!(cut(b"abc", 3), (&b"abc"[..], false));
        assert_eq!(cut(b"abcd", 3), (&b"abc"[..], true));
        assert_eq!(cut("abé".as_bytes(), 3), (&b"ab"[..], true));
        assert_eq!(cut(&[0x80; 9], 5), (&[0x80; 5][..], true));
    }
}
