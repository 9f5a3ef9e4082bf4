//! From bytes that were copied to what they say. What comes in pieces waits here for the rest.

use std::hash::Hash;
use std::net::IpAddr;

use femtosnitch_model::{Endpoint, Payload, PayloadKind, Witness};
use femtosnitch_names::HostName;
use femtosnitch_names::dns::{self, Answer, Dialect, Name};
use femtosnitch_names::quic::{self, Initials};
use femtosnitch_names::tls::{self, Found, Hello};
use lru::LruCache;

/// Hellos that wait for their end, of TLS and of QUIC, at 16 and 32 KiB at most.
const MAX_HELLOS: usize = 256;

/// DNS over TCP that waits for the rest of a message, at 64 KiB at most.
const MAX_STREAMS: usize = 64;

/// The longest message with its length in front.
const MAX_STREAM: usize = 2 + dns::MAX_MESSAGE;

/// What was said.
#[derive(Debug)]
pub(super) enum Heard {
    /// A reply of a resolver.
    Reply { dialect: Dialect, answers: Vec<Answer>, pointers: Vec<(IpAddr, Name)> },
    /// A ClientHello. It `hides` if the name in it may be there to hide another.
    Hello { name: Option<HostName>, hides: bool, witness: Witness },
    /// Neither, although it should have been.
    Garbled,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Ear {
    openings: LruCache<u64, Hello>,
    flights: LruCache<(u64, Endpoint), Initials>,
    streams: LruCache<(u64, Endpoint), Vec<u8>>,
}

impl Default for Ear {
    fn default() -> Self {
        Self {
            openings: LruCache::unbounded(),
            flights: LruCache::unbounded(),
            streams: LruCache::unbounded(),
        }
    }
}

impl Ear {
    pub(super) fn listen(&mut self, payload: &Payload) -> Vec<Heard> {
        match payload.kind {
            PayloadKind::Reply => {
                let Some(dialect) = Dialect::of_port(payload.remote.port) else { return vec![] };
                vec![reply(&payload.bytes, dialect)]
            }
            PayloadKind::ReplyStream => self.stream(payload),
            PayloadKind::Opening => self.opening(payload).into_iter().collect(),
            PayloadKind::Datagram => self.flight(payload).into_iter().collect(),
        }
    }

    fn stream(&mut self, payload: &Payload) -> Vec<Heard> {
        let key = (payload.cookie, payload.remote);
        let bytes = entry(&mut self.streams, key, MAX_STREAMS);
        bytes.extend(&payload.bytes);
        let mut heard = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((message, after)) = after.split_at_checked(length) else { break };
            if !message.is_empty() {
                heard.push(reply(message, Dialect::Unicast));
            }
            rest = after;
        }
        // Of what a call moved the end was not copied: where the next message begins is not known.
        let is_lost = payload.bytes.len() < payload.moved || rest.len() > MAX_STREAM;
        let rest = if is_lost { Vec::new() } else { rest.to_vec() };
        if rest.is_empty() {
            self.streams.pop(&key);
        } else {
            *bytes = rest;
        }
        if is_lost {
            heard.push(Heard::Garbled);
        }
        heard
    }

    fn opening(&mut self, payload: &Payload) -> Option<Heard> {
        let hello = entry(&mut self.openings, payload.cookie, MAX_HELLOS);
        let state = hello.push(&payload.bytes);
        let heard = match state {
            tls::State::More if payload.bytes.len() < payload.moved => {
                // The rest was not copied; whether it hides something is then not known.
                let found = hello.so_far().unwrap_or_default();
                said(Found { ech: true, ..found }, Witness::Tls)
            }
            tls::State::More => return None,
            tls::State::Done(found) => said(found, Witness::Tls),
            tls::State::NotTls | tls::State::TooLong => Heard::Garbled,
        };
        self.openings.pop(&payload.cookie);
        Some(heard)
    }

    fn flight(&mut self, payload: &Payload) -> Option<Heard> {
        let key = (payload.cookie, payload.remote);
        let initials = entry(&mut self.flights, key, MAX_HELLOS);
        let heard = match initials.push(&payload.bytes) {
            quic::State::More => return None,
            quic::State::Done(found) => Some(said(found, Witness::Quic)),
            // Many protocols begin with such a byte.
            quic::State::NotQuic => None,
            quic::State::TooLong => Some(Heard::Garbled),
        };
        self.flights.pop(&key);
        heard
    }
}

fn reply(bytes: &[u8], dialect: Dialect) -> Heard {
    match dns::parse(bytes, dialect) {
        Ok(reply) => Heard::Reply { dialect, answers: reply.answers, pointers: reply.pointers },
        // Multicast DNS carries questions to the same port.
        Err(dns::Error::NotReply) => Heard::Reply { dialect, answers: vec![], pointers: vec![] },
        Err(_) => Heard::Garbled,
    }
}

fn said(found: Found, witness: Witness) -> Heard {
    Heard::Hello { name: found.server_name, hides: found.ech, witness }
}

/// The value under `key`, a new one if there is none; beyond `max` the oldest is given up.
fn entry<K: Hash + Eq, V: Default>(map: &mut LruCache<K, V>, key: K, max: usize) -> &mut V {
    if map.len() >= max && !map.contains(&key) {
        map.pop_lru();
    }
    map.get_or_insert_mut(key, V::default)
}
