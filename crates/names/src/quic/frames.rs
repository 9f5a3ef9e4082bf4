//! The frames that an Initial packet may have, down to the handshake's bytes (RFC 9000 §19).

use super::header::varint;
use crate::cursor::Cursor;

/// A frame that no Initial packet has, or one that is not whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The next CRYPTO frame's offset and bytes; nothing behind the last one.
pub(super) fn next_crypto<'a>(
    cursor: &mut Cursor<'a>,
) -> Result<Option<(u64, &'a [u8])>, Malformed> {
    while !cursor.is_empty() {
        match read(cursor).ok_or(Malformed)? {
            Frame::Crypto(offset, bytes) => return Ok(Some((offset, bytes))),
            Frame::Other => {}
            Frame::Close => return Ok(None),
        }
    }
    Ok(None)
}

enum Frame<'a> {
    Crypto(u64, &'a [u8]),
    Other,
    /// Nothing comes after it.
    Close,
}

fn read<'a>(cursor: &mut Cursor<'a>) -> Option<Frame<'a>> {
    match varint(cursor)? {
        // PADDING and PING.
        0 | 1 => Some(Frame::Other),
        kind @ (2 | 3) => ack(cursor, kind == 3).map(|()| Frame::Other),
        6 => {
            let offset = varint(cursor)?;
            let length = usize::try_from(varint(cursor)?).ok()?;
            Some(Frame::Crypto(offset, cursor.take(length)?))
        }
        0x1c => Some(Frame::Close),
        _ => None,
    }
}

/// Passes an ACK.
fn ack(cursor: &mut Cursor<'_>, congestion: bool) -> Option<()> {
    let (_largest, _delay) = (varint(cursor)?, varint(cursor)?);
    let ranges = varint(cursor)?;
    varint(cursor)?;
    // Each takes a byte at least, so that a number too large ends with the packet.
    for _ in 0..ranges {
        let (_gap, _length) = (varint(cursor)?, varint(cursor)?);
    }
    if congestion {
        for _ in 0..3 {
            varint(cursor)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_are_passed() {
        let frames = b"\x01\0\0\x02\x05\x40\x64\x01\0\x02\x01\x03\x09\0\0\0\x01\x02\x03\
            \x06\x40\x10\x02hi\0\x06\0\0\x1c\xff\xff\xff";
        let mut cursor = Cursor::new(frames);
        assert_eq!(next_crypto(&mut cursor), Ok(Some((16, &b"hi"[..]))));
        assert_eq!(next_crypto(&mut cursor), Ok(Some((0, &b""[..]))));
        assert_eq!(next_crypto(&mut cursor), Ok(None));
    }

    #[test]
    fn frames_that_are_refused() {
        for frames in [
            &b"\x08"[..],
            b"\x06",
            b"\x06\0\x05hi",
            b"\x02\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0",
            b"\x03\0\0\0\0\0\0",
            b"\x1d",
        ] {
            assert_eq!(next_crypto(&mut Cursor::new(frames)), Err(Malformed), "{frames:?}");
        }
    }
}
