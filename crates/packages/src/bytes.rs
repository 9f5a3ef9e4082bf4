//! Reading numbers and texts out of bytes that may end anywhere.

/// Longest text that is taken over from a database.
const TEXT: usize = 256;

/// Name, version or the like: printable ASCII as it is, `?` for anything else, so that it is
/// harmless on a terminal.
pub(crate) fn clean(text: &[u8]) -> String {
    let shown = |&byte: &u8| if byte.is_ascii_graphic() { char::from(byte) } else { '?' };
    text.iter().take(TEXT).map(shown).collect()
}

/// The bytes `[at, at + len)`.
pub(crate) fn slice(bytes: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(len)?)
}

/// As many bytes as a number has, at an offset.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    slice(bytes, at, N)?.try_into().ok()
}

/// Big-endian.
pub(crate) fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

/// Big-endian.
pub(crate) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

/// Little-endian.
pub(crate) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// A number of bytes or the like, which fits on every machine with 32 bits or more.
pub(crate) fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Bytes from hexadecimal digits, an even number of them.
pub(crate) fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2)
        .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?))
        .collect()
}

/// Bytes from base64 with padding, as apk writes digests.
pub(crate) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let body = text.strip_suffix(b"==").or(text.strip_suffix(b"=")).unwrap_or(text);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0u32);
    for &byte in body {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_become_bytes_or_nothing() {
        assert_eq!(from_hex(b"00fFa1"), Some(vec![0, 255, 161]));
        assert_eq!((from_hex(b"0"), from_hex(b"0g"), from_hex(b"")), (None, None, Some(vec![])));
        assert_eq!(from_base64(b"Zm9vYg=="), Some(b"foob".to_vec()));
        assert_eq!(from_base64(b"Zm9vYmE="), Some(b"fooba".to_vec()));
        assert_eq!(from_base64(b"Zm9vYmFy"), Some(b"foobar".to_vec()));
        assert_eq!((from_base64(b"Zm9"), from_base64(b"Zm9*")), (None, None));
    }

    #[test]
    fn texts_lose_what_a_terminal_would_obey() {
        assert_eq!(clean(b"a\x1b[31m\xff b"), "a?[31m??b");
        assert_eq!(clean(&[b'x'; 5000]).len(), TEXT);
    }
}
