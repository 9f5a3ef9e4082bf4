//! The handshake's bytes in order, from CRYPTO frames in any.

use super::State;
use super::frames::next_crypto;
use crate::cursor::Cursor;
use crate::tls::{Found, Handshake, MAX_HELLO, State as TlsState};

/// Bytes that are kept: the longest hello with its header.
const MAX_STREAM: usize = 4 + MAX_HELLO;

/// Pieces of a hello. What was there first stays.
#[derive(Debug, Default)]
pub(super) struct Stream {
    bytes: Vec<Option<u8>>,
    /// As many from the front were handed on.
    given: usize,
    handshake: Handshake,
}

impl Stream {
    /// Takes the frames of a packet.
    pub(super) fn take(&mut self, frames: &[u8]) -> State {
        let mut cursor = Cursor::new(frames);
        loop {
            match next_crypto(&mut cursor) {
                Ok(Some((offset, bytes))) => {
                    if self.put(offset, bytes).is_none() {
                        return State::TooLong;
                    }
                }
                Ok(None) => break,
                Err(_) => return State::NotQuic,
            }
        }
        let ready = self.bytes.get(self.given..).unwrap_or_default();
        let ready: Vec<u8> = ready.iter().map_while(|byte| *byte).collect();
        self.given += ready.len();
        self.handshake.push(&ready);
        match self.handshake.state() {
            TlsState::More => State::More,
            TlsState::Done(found) => State::Done(found.clone()),
            TlsState::NotTls => State::NotQuic,
            TlsState::TooLong => State::TooLong,
        }
    }

    pub(super) fn so_far(&self) -> Option<Found> {
        self.handshake.so_far()
    }

    /// Nothing if it is beyond the bound.
    fn put(&mut self, offset: u64, bytes: &[u8]) -> Option<()> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(bytes.len()).filter(|end| *end <= MAX_STREAM)?;
        if self.bytes.len() < end {
            self.bytes.resize(end, None);
        }
        for (kept, byte) in self.bytes.get_mut(start..end)?.iter_mut().zip(bytes) {
            kept.get_or_insert(*byte);
        }
        Some(())
    }
}
