//! Messages in a TCP stream, each behind its length (RFC 1035 §4.2.2).

use crate::cursor::Cursor;

/// The messages that begin in `stream`, which begins with a message's length. Of the last one
/// only the beginning may be there; what is given is then as short. Empty ones are left out.
pub fn frames(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut cursor = Cursor::new(stream);
    std::iter::from_fn(move || {
        let length = usize::from(cursor.u16()?);
        cursor.take(length.min(cursor.left().len()))
    })
    .filter(|message| !message.is_empty())
}

#[cfg(test)]
mod tests {
    use super::frames;

    #[test]
    fn each_message_and_the_beginning_of_the_last() {
        let all = |stream| frames(stream).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(all(b"\0\x02ab\0\0\0\x01c\0\x05de"), [&b"ab"[..], b"c", b"de"]);
        assert!(all(b"\0").is_empty());
        assert!(all(b"\0\x09").is_empty());
    }
}
