//! Copying through the terminal (OSC 52), which works over SSH, too, where the terminal allows it.

/// What terminals take at most: some stop at 100,000 bytes, and ours are names and digests.
const MOST: usize = 32 * 1024;

/// The sequence that puts `text` on the clipboard; `None` if it is too long for terminals.
pub(crate) fn sequence(text: &str) -> Option<String> {
    (text.len() <= MOST).then(|| format!("\x1b]52;c;{}\x07", base64(text.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |place: usize| chunk.get(place).copied().map_or(0, u32::from);
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = bits >> (18 - 6 * place) & 63;
            let digit = usize::try_from(digit).ok().and_then(|digit| DIGITS.get(digit));
            let padded = usize::try_from(place).is_ok_and(|place| place > chunk.len());
            out.push(if padded { '=' } else { digit.copied().map_or('=', char::from) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_rfc_4648_has_it() {
        for (text, wanted) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), wanted);
        }
        assert_eq!(base64(&[0xff, 0xef, 0xbe]), "/+++");
    }

    #[test]
    fn whatever_is_copied_stays_within_its_sequence() {
        let copied = sequence("\x1b]0;title\x07").unwrap();
        assert_eq!(copied.matches('\x1b').count(), 1);
        assert_eq!(copied.matches('\x07').count(), 1);
        assert!(sequence(&"x".repeat(MOST + 1)).is_none());
    }
}
