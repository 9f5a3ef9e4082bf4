//! The extensions of a ClientHello that say what is wanted.

use super::{Found, MAX_ALPN};
use crate::HostName;
use crate::cursor::Cursor;
use crate::escape;

/// Types of extensions (IANA, TLS ExtensionType Values).
const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

/// The type of a host's name (RFC 6066 §3).
const HOST_NAME: u8 = 0;

pub(super) struct Extensions<'a>(Cursor<'a>);

/// Which were met: of each there may be one.
#[derive(Default)]
struct Met {
    name: bool,
    alpn: bool,
}

impl<'a> Extensions<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(Cursor::new(bytes))
    }

    /// All of them. Nothing if one is broken, or twice there.
    pub(super) fn read(mut self) -> Option<Found> {
        let (mut found, mut met) = (Found::default(), Met::default());
        while !self.0.is_empty() {
            let (kind, bytes) = (self.0.u16()?, self.0.counted_u16()?);
            take(kind, bytes, &mut found, &mut met)?;
        }
        Some(found)
    }

    /// Those that are there to their end.
    pub(super) fn read_whole_ones(mut self) -> Found {
        let (mut found, mut met) = (Found::default(), Met::default());
        while let (Some(kind), Some(bytes)) = (self.0.u16(), self.0.counted_u16()) {
            if take(kind, bytes, &mut found, &mut met).is_none() {
                return Found::default();
            }
        }
        found
    }
}

fn take(kind: u16, bytes: &[u8], found: &mut Found, met: &mut Met) -> Option<()> {
    match kind {
        SERVER_NAME if !std::mem::replace(&mut met.name, true) => server_name(bytes, found),
        ALPN if !std::mem::replace(&mut met.alpn, true) => protocols(bytes, found),
        SERVER_NAME | ALPN => None,
        ENCRYPTED_CLIENT_HELLO => {
            found.ech = true;
            Some(())
        }
        _ => Some(()),
    }
}

fn server_name(bytes: &[u8], found: &mut Found) -> Option<()> {
    let mut cursor = Cursor::new(bytes);
    let mut list = Cursor::new(cursor.counted_u16()?);
    if !cursor.is_empty() || list.is_empty() {
        return None;
    }
    let mut met = false;
    while !list.is_empty() {
        // Another type than a host's name would have a form of its own; none was ever defined.
        if list.u8()? != HOST_NAME || met {
            return None;
        }
        met = true;
        match HostName::parse(list.counted_u16()?) {
            Ok(name) => found.server_name = Some(name),
            Err(_) => found.bad_name = true,
        }
    }
    Some(())
}

fn protocols(bytes: &[u8], found: &mut Found) -> Option<()> {
    let mut cursor = Cursor::new(bytes);
    let mut list = Cursor::new(cursor.counted_u16()?);
    if !cursor.is_empty() || list.is_empty() {
        return None;
    }
    while !list.is_empty() {
        let protocol = list.counted_u8().filter(|protocol| !protocol.is_empty())?;
        if found.alpn.len() < MAX_ALPN {
            let mut text = String::new();
            escape::append(&mut text, protocol, b"./+:");
            found.alpn.push(text);
        }
    }
    Some(())
}
