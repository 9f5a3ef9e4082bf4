//! Long headers: where a packet is in its datagram, and what of it is needed to decrypt it.

use super::keys::Version;
use crate::cursor::Cursor;

/// The longest connection ID (RFC 9000 §17.2).
const MAX_ID: usize = 20;

/// A packet, as far as it matters.
pub(super) enum Packet<'a> {
    Initial(Initial<'a>),
    /// 0-RTT or Handshake.
    Other,
}

/// An Initial packet, still encrypted.
pub(super) struct Initial<'a> {
    pub(super) version: Version,
    /// The ID that the client gives the server.
    pub(super) id: &'a [u8],
    /// From its first byte to its last.
    pub(super) bytes: &'a [u8],
    /// Where its packet number begins.
    pub(super) number_at: usize,
}

/// The packet at the front, and what follows it. Nothing if there is none that a client sends
/// with a long header of a version that is known, whole.
pub(super) fn next(datagram: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let mut cursor = Cursor::new(datagram);
    let first = cursor.u8()?;
    if first & 0x80 == 0 {
        return None;
    }
    let version = Version::of(cursor.u32()?)?;
    let id = cursor.counted_u8()?;
    let own = cursor.counted_u8()?;
    if id.len() > MAX_ID || own.len() > MAX_ID {
        return None;
    }
    // Version 2 counts the types on by one (RFC 9369 §3.2).
    let kind = match version {
        Version::One => first >> 4 & 3,
        Version::Two => (first >> 4).wrapping_sub(1) & 3,
    };
    match kind {
        0 => {
            let token = usize::try_from(varint(&mut cursor)?).ok()?;
            cursor.take(token)?;
        }
        // The server's Retry has no length.
        3 => return None,
        _ => {}
    }
    let length = usize::try_from(varint(&mut cursor)?).ok()?;
    let number_at = datagram.len() - cursor.left().len();
    cursor.take(length)?;
    let (bytes, rest) = datagram.split_at_checked(number_at + length)?;
    let initial = Initial { version, id, bytes, number_at };
    Some((if kind == 0 { Packet::Initial(initial) } else { Packet::Other }, rest))
}

/// A number of one, two, four or eight bytes (RFC 9000 §16).
pub(super) fn varint(cursor: &mut Cursor<'_>) -> Option<u64> {
    let first = cursor.u8()?;
    let more = (1_usize << (first >> 6)) - 1;
    let rest = cursor.take(more)?;
    Some(rest.iter().fold(u64::from(first & 0x3f), |sum, byte| sum << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_each_length() {
        // RFC 9000 §A.1.
        let cases: [(&[u8], u64); 5] = [
            (b"\xc2\x19\x7c\x5e\xff\x14\xe8\x8c", 151_288_809_941_952_652),
            (b"\x9d\x7f\x3e\x7d", 494_878_333),
            (b"\x7b\xbd", 15_293),
            (b"\x25", 37),
            (b"\x40\x25", 37),
        ];
        for (bytes, number) in cases {
            assert_eq!(varint(&mut Cursor::new(bytes)), Some(number));
            assert_eq!(varint(&mut Cursor::new(&bytes[..bytes.len() - 1])), None);
        }
    }
}
