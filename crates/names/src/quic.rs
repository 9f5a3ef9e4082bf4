//! Which host a QUIC client says it wants: the ClientHello in its Initial packets.
//!
//! These are encrypted with keys that follow from what is in the first of them, so that anybody
//! can read them. Versions 1 (RFC 9000, 9001) and 2 (RFC 9369). The hello may come in pieces, out
//! of order, in several datagrams. A datagram has to be whole: of one that was cut the cipher's
//! tag is missing, and nothing of it is believed.

mod frames;
mod header;
mod keys;
mod stream;

use header::{Initial, Packet};
use keys::{Keys, Plain};
use stream::Stream;

use crate::tls::Found;

/// Datagrams that are looked at. Hellos of 16 KiB need 14; some clients repeat each.
pub const MAX_DATAGRAMS: usize = 32;

/// Packets of a datagram that are looked at. Clients put Initial, 0-RTT and Handshake together.
const MAX_PACKETS: usize = 8;

/// The longest UDP payload.
const MAX_DATAGRAM: usize = 65_535;

/// How far the reading has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// More datagrams are needed.
    More,
    /// The whole hello was read.
    Done(Found),
    /// No QUIC of a version that is known, or no ClientHello in it.
    NotQuic,
    /// A hello beyond the bounds, or not whole after [`MAX_DATAGRAMS`].
    TooLong,
}

/// Reads the datagrams that a client sends first, in any order. Keeps at most the longest hello
/// that [`crate::tls`] reads, and no more datagrams than one.
#[derive(Debug, Default)]
pub struct Initials {
    keys: Option<Keys>,
    stream: Stream,
    /// The highest packet number so far, by which others are completed (RFC 9000 §17.1).
    highest: Option<u64>,
    datagrams: usize,
    end: Option<State>,
}

impl Initials {
    /// Of a new pair of addresses.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a datagram's payload. After anything but [`State::More`] it says the same again.
    pub fn push(&mut self, datagram: &[u8]) -> State {
        if let Some(end) = &self.end {
            return end.clone();
        }
        self.datagrams += 1;
        let state = self.read(datagram);
        let state = match state {
            State::More if self.datagrams >= MAX_DATAGRAMS => State::TooLong,
            state => state,
        };
        if state != State::More {
            *self = Self { end: Some(state.clone()), ..Self::default() };
        }
        state
    }

    /// What can be told of a hello of which no more will come; see [`crate::tls::Hello::so_far`].
    #[must_use]
    pub fn so_far(&self) -> Option<Found> {
        match &self.end {
            Some(State::Done(found)) => Some(found.clone()),
            Some(_) => None,
            None => self.stream.so_far(),
        }
    }

    fn read(&mut self, datagram: &[u8]) -> State {
        let mut rest = datagram.get(..MAX_DATAGRAM).unwrap_or(datagram);
        for number in 0..MAX_PACKETS {
            let packet;
            (packet, rest) = match header::next(rest) {
                Some(next) => next,
                // A connection begins with a header that can be read.
                None if number == 0 && self.keys.is_none() => return State::NotQuic,
                None => break,
            };
            let Packet::Initial(initial) = packet else { continue };
            let Some(Plain { number, frames }) = self.decrypt(&initial) else { continue };
            self.highest = self.highest.max(Some(number));
            match self.stream.take(&frames) {
                State::More => {}
                end => return end,
            }
        }
        State::More
    }

    /// What a packet holds, if it is the client's. The keys stay those of the first ID that the
    /// client chose for the server, whatever ID the server then asks for; but after a Retry they
    /// are those of the ID in it (RFC 9001 §5.2), and both sides can change to the other version
    /// (RFC 9369 §4.1).
    fn decrypt(&mut self, initial: &Initial<'_>) -> Option<Plain> {
        let version = initial.version;
        if let Some(keys) = &self.keys {
            let same = keys.version() == version;
            let plain = same.then(|| keys.open(initial, self.highest)).flatten();
            if plain.is_some() {
                return plain;
            }
        }
        let first = self.keys.as_ref().filter(|keys| keys.version() != version).map(Keys::id);
        let ids = [Some(initial.id), first.as_deref()];
        for keys in ids.into_iter().flatten().filter_map(|id| Keys::derive(version, id)) {
            if let Some(plain) = keys.open(initial, self.highest) {
                self.keys = Some(keys);
                return Some(plain);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
