//! Text that comes from the outside: kept without loss, shown without harm.

use std::fmt::Write;

/// Turns bytes from the kernel (paths, arguments) into text without losing any: valid UTF-8
/// stays, a stray byte becomes `\xNN`, a backslash becomes `\\` so that the two never collide.
#[must_use]
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for ch in chunk.valid().chars() {
            if ch == '\\' {
                out.push_str("\\\\");
            } else {
                out.push(ch);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            write!(out, "\\x{byte:02x}").ok();
        }
    }
    out
}

/// The bytes that [`escape_bytes`] made this text of.
#[must_use]
pub fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, used) = match (first, after) {
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            (b'\\', [b'x', high, low, ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 4),
                _ => (*first, 1),
            },
            _ => (*first, 1),
        };
        out.push(byte);
        rest = rest.get(used..).unwrap_or_default();
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The same text with everything replaced that could move a cursor, set a title or reorder what
/// a person reads: control characters and Unicode's bidirectional and invisible format controls.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|ch| if is_harmful(ch) { '\u{fffd}' } else { ch }).collect()
}

/// The same text with each such character's bytes as `\xNN`, as [`escape_bytes`] writes bytes that
/// are no text: nothing is lost ([`unescape`]).
#[must_use]
pub fn escape_harmful(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        if is_harmful(ch) {
            for byte in ch.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a String cannot fail.
                write!(out, "\\x{byte:02x}").ok();
            }
        } else {
            out.push(ch);
        }
    }
    out
}

/// Whether a character could move a cursor, set a title or reorder what a person reads.
#[must_use]
pub fn is_harmful(ch: char) -> bool {
    ch.is_control()
        || matches!(ch,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_stay_apart() {
        assert_eq!(escape_bytes(b"/bin/caf\xc3\xa9"), "/bin/café");
        assert_eq!(escape_bytes(b"a\xffb"), "a\\xffb");
        assert_eq!(escape_bytes(b"a\\xffb"), "a\\\\xffb");
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes: Vec<u8>, text in "[\\\\x0-9a-f]{0,20}") {
            let escaped = escape_bytes(&bytes);
            prop_assert_eq!(unescape(&escape_harmful(&escaped)), &bytes[..]);
            prop_assert!(!escape_harmful(&escaped).chars().any(is_harmful));
            prop_assert_eq!(unescape(&escaped), bytes);
            prop_assert_eq!(unescape(&escape_bytes(text.as_bytes())), text.as_bytes());
        }
    }

    #[test]
    fn terminal_and_bidi_controls_are_replaced() {
        assert_eq!(printable("a\x1b]0;x\x07b"), "a\u{fffd}]0;x\u{fffd}b");
        assert_eq!(printable("exe\u{202e}gpj"), "exe\u{fffd}gpj");
        assert_eq!(printable("naïve 名"), "naïve 名");
    }

    proptest! {
        #[test]
        fn different_bytes_give_different_text(a: Vec<u8>, b: Vec<u8>) {
            prop_assert_eq!(a == b, escape_bytes(&a) == escape_bytes(&b));
        }

        #[test]
        fn printable_text_has_no_controls(text: String) {
            prop_assert!(!printable(&text).chars().any(is_harmful));
        }
    }
}
