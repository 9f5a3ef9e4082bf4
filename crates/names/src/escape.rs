//! Bytes as text that is safe to show: what is not plain is `\DDD`, its value in decimal, as
//! RFC 4343 §2.1 writes it.

/// Appends `bytes`; letters become small. `more` names plain bytes besides letters, digits, `-`
/// and `_`.
pub(crate) fn append(text: &mut String, bytes: &[u8], more: &[u8]) {
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || more.contains(&byte) {
            text.push(char::from(byte.to_ascii_lowercase()));
        } else {
            text.push('\\');
            for digit in [byte / 100, byte / 10 % 10, byte % 10] {
                text.push(char::from(b'0' + digit));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_plain_bytes_stay() {
        let mut text = String::new();
        super::append(&mut text, b"aB-9_.\x1b[\\\xff\0/", b"/");
        assert_eq!(text, "ab-9_\\046\\027\\091\\092\\255\\000/");
    }
}
