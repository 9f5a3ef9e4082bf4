//! TLS records, from bytes as they come, down to the handshake within.

use super::hello::Handshake;
use super::{Found, State};

/// The type of a handshake's record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// A record's header: type, version, length.
const HEADER: usize = 5;

/// The longest unencrypted record (RFC 8446 §5.1).
const MAX_RECORD: usize = 16 * 1024;

/// Reads the first bytes of a TCP connection, in pieces of any size. Keeps at most
/// [`MAX_HELLO`](super::MAX_HELLO) of them.
#[derive(Debug, Default)]
pub struct Hello {
    handshake: Handshake,
    /// The next record's header, as far as it is there.
    header: Vec<u8>,
    /// Bytes that the present record still has.
    left: usize,
    broken: bool,
}

impl Hello {
    /// Of a new connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the bytes that follow those before. After anything but [`State::More`] it says the
    /// same again.
    pub fn push(&mut self, mut bytes: &[u8]) -> State {
        while !bytes.is_empty() && self.goes_on() {
            if self.left == 0 {
                bytes = self.read_header(bytes);
            } else {
                let (now, rest) = bytes.split_at(self.left.min(bytes.len()));
                self.handshake.push(now);
                self.left -= now.len();
                bytes = rest;
            }
        }
        if self.broken { State::NotTls } else { self.handshake.state().clone() }
    }

    /// What can be told of a hello of which no more will come, as when only a connection's first
    /// bytes were copied. Nothing if the name is not among them. Whether ECH would follow is then
    /// not known: [`Found::ech`] says only what was seen.
    #[must_use]
    pub fn so_far(&self) -> Option<Found> {
        if self.broken { None } else { self.handshake.so_far() }
    }

    fn goes_on(&self) -> bool {
        !self.broken && *self.handshake.state() == State::More
    }

    /// Takes what belongs to the header, and gives back what does not.
    fn read_header<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let missing = HEADER - self.header.len().min(HEADER);
        let (now, rest) = bytes.split_at(missing.min(bytes.len()));
        self.header.extend_from_slice(now);
        // Known by its first two bytes, that others need not be waited for.
        let begins = match self.header.as_slice() {
            [kind, 3, ..] | [kind] => *kind == HANDSHAKE,
            _ => false,
        };
        if !begins {
            self.broken = true;
        } else if let [_, _, _, high, low] = self.header.as_slice() {
            self.left = u16::from_be_bytes([*high, *low]).into();
            // An empty one is forbidden, and would let a client send headers without end.
            self.broken = self.left == 0 || self.left > MAX_RECORD;
            self.header.clear();
        }
        rest
    }
}
