//! Text from the outside: cut, and shown without harm.

use std::fmt::Write;

/// Longest text, in bytes, that leaves this crate for a person to read.
pub(crate) const SHOWN: usize = 256;

/// What stands for the rest of a text that was cut.
const CUT: char = '…';

/// Text for a person: at most 256 bytes, the rest replaced by `…`; control characters, Unicode's
/// invisible and bidirectional ones (as `\u{202e}`) and bytes that are no text (as `\xff`)
/// escaped; a backslash doubled, so that no text looks like an escaped other one.
#[must_use]
pub fn clean(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().min(SHOWN));
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().chars().map(shown);
        let invalid = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
        for piece in valid.chain(invalid) {
            if out.len() + piece.len() > SHOWN - CUT.len_utf8() {
                out.push(CUT);
                return out;
            }
            out.push_str(&piece);
        }
    }
    out
}

fn shown(ch: char) -> String {
    let mut out = String::new();
    if ch == '\\' {
        out.push_str("\\\\");
    } else if is_harmful(ch) {
        // Writing to a String cannot fail.
        write!(out, "\\u{{{:x}}}", u32::from(ch)).ok();
    } else {
        out.push(ch);
    }
    out
}

fn is_harmful(ch: char) -> bool {
    ch.is_control()
        || matches!(ch,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Undoes `\xNN` as systemd escapes unit names (systemd.unit(5)); `None` if that is not what it is.
pub(crate) fn unescape(name: &str) -> Option<Vec<u8>> {
    let mut pieces = name.split('\\');
    let mut out = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.strip_prefix('x')?.split_at_checked(2)?;
        if !code.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        out.push(u8::from_str_radix(code, 16).ok()?);
        out.extend_from_slice(rest.as_bytes());
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_could_harm_is_escaped_and_stays_apart() {
        for (raw, want) in [
            ("plain é 名".as_bytes(), "plain é 名"),
            (b"a\x1b[31mb\n", "a\\u{1b}[31mb\\u{a}"),
            (b"a\\u{a}", "a\\\\u{a}"),
            (b"a\xffb", "a\\xffb"),
            ("exe\u{202e}gpj".as_bytes(), "exe\\u{202e}gpj"),
        ] {
            assert_eq!(clean(raw), want);
        }
        assert_eq!(clean(&[b'x'; 253]), "x".repeat(253));
        assert_eq!(clean(&[b'x'; 5000]), "x".repeat(253) + "…");
    }

    #[test]
    fn unit_names_are_unescaped() {
        assert_eq!(unescape("google\\x2dchrome").as_deref(), Some(b"google-chrome".as_slice()));
        for odd in ["a\\x2", "a\\xzz", "a\\y2d", "a\\", "a\\x+1", "\\xé"] {
            assert_eq!(unescape(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_bounded_and_harmless(bytes: Vec<u8>) {
            let text = clean(&bytes);
            prop_assert!(text.len() <= SHOWN && !text.chars().any(is_harmful));
        }
    }
}
