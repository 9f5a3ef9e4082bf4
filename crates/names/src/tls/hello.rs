//! The ClientHello of a handshake, without the records (or QUIC frames) it came in.

use super::extensions::Extensions;
use super::{Found, MAX_HELLO, State};
use crate::cursor::Cursor;

/// The type of a ClientHello, and the bytes of its header (RFC 8446 §4).
const CLIENT_HELLO: u8 = 1;
const HEADER: usize = 4;

/// Collects a handshake's first message.
#[derive(Debug)]
pub(crate) struct Handshake {
    /// Header and body, as far as they came.
    bytes: Vec<u8>,
    state: State,
}

impl Default for Handshake {
    fn default() -> Self {
        Self { bytes: Vec::new(), state: State::More }
    }
}

impl Handshake {
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Takes the bytes that follow those before.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.state != State::More {
            return;
        }
        // What follows the hello is not ours to keep.
        let room = (HEADER + MAX_HELLO).saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.state = match self.bytes.as_slice() {
            [kind, ..] if *kind != CLIENT_HELLO => State::NotTls,
            [_, a, b, c, body @ ..] => match length(*a, *b, *c) {
                Some(length) => body
                    .get(..length)
                    .map_or(State::More, |body| read(body).map_or(State::NotTls, State::Done)),
                None => State::TooLong,
            },
            _ => State::More,
        };
        if self.state != State::More {
            self.bytes = Vec::new();
        }
    }

    /// What the beginning of a hello tells, if it tells the name.
    pub(crate) fn so_far(&self) -> Option<Found> {
        match &self.state {
            State::Done(found) => Some(found.clone()),
            State::More => {
                let seen = begin(self.bytes.get(HEADER..)?)?;
                let found = seen.read_whole_ones();
                (found.server_name.is_some() || found.bad_name).then_some(found)
            }
            State::NotTls | State::TooLong => None,
        }
    }
}

fn length(a: u8, b: u8, c: u8) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    (length <= MAX_HELLO).then_some(length)
}

/// A whole body. Nothing if its lengths do not add up.
fn read(body: &[u8]) -> Option<Found> {
    let mut cursor = fixed(body)?;
    if cursor.is_empty() {
        // Before TLS 1.2 a client could do without extensions.
        return Some(Found::default());
    }
    let extensions = cursor.counted_u16()?;
    if !cursor.is_empty() {
        return None;
    }
    Extensions::new(extensions).read()
}

/// The extensions of a body that may end anywhere.
fn begin(body: &[u8]) -> Option<Extensions<'_>> {
    let mut cursor = fixed(body)?;
    let length = usize::from(cursor.u16()?);
    Some(Extensions::new(cursor.left().get(..length).unwrap_or(cursor.left())))
}

/// Passes what comes before the extensions.
fn fixed(body: &[u8]) -> Option<Cursor<'_>> {
    let mut cursor = Cursor::new(body);
    let [major, _] = cursor.array()?;
    cursor.take(32)?;
    let session = cursor.counted_u8()?;
    let ciphers = cursor.counted_u16()?;
    let compressions = cursor.counted_u8()?;
    let sound = major == 3
        && session.len() <= 32
        && !ciphers.is_empty()
        && ciphers.len() % 2 == 0
        && !compressions.is_empty();
    sound.then_some(cursor)
}
