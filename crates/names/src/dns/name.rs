//! A name in a DNS message: read from wherever its pointers lead, compared by its bytes.

use std::fmt;
use std::sync::Arc;

use super::Error;
use crate::cursor::Cursor;
use crate::escape;
use crate::name::{BadName, HostName, is_within, reversed};

/// The longest name on the wire, its last, empty label included (RFC 1035 §2.3.4).
pub(super) const MAX_WIRE: usize = 255;

/// As many pointers as a name can have labels; each leads further to the front, so that there is
/// no loop, but without a bound a message could be one chain of 30,000.
const MAX_JUMPS: usize = 127;

/// A name in small letters, labels divided by dots, none at the end; the root is `.`. Bytes that
/// are no letters, digits, `-` or `_` are `\DDD`, a dot within a label included (RFC 4343 §2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// The text, at most 1,003 characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a host's name, if it is one.
    pub fn host(&self) -> Result<HostName, BadName> {
        HostName::parse(self.0.as_bytes())
    }

    /// As the history has it: `com.example.www`.
    #[must_use]
    pub fn reversed(&self) -> String {
        reversed(&self.0)
    }

    /// Whether this is `domain` or below it; see [`is_within`].
    #[must_use]
    pub fn is_within(&self, domain: &str) -> bool {
        is_within(&self.0, domain)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name's labels, each behind its length, in small letters, without the empty one at the end.
#[derive(Clone, Copy)]
pub(super) struct Wire {
    bytes: [u8; MAX_WIRE],
    length: usize,
}

impl Wire {
    /// Reads the name that begins at `start` of the message, and says where what follows it
    /// begins.
    pub(super) fn read(message: &[u8], start: usize) -> Result<(Self, usize), Error> {
        let mut wire = Self { bytes: [0; MAX_WIRE], length: 0 };
        let mut at = start;
        // Where the present run of labels began: a pointer has to lead before it.
        let mut run = start;
        let mut after = None;
        let mut jumps = 0;
        loop {
            let mut cursor = Cursor::new(message.get(at..).ok_or(Error::Cut)?);
            let first = cursor.u8().ok_or(Error::Cut)?;
            match first >> 6 {
                0 if first == 0 => return Ok((wire, after.unwrap_or(at + 1))),
                0 => {
                    let label = cursor.take(first.into()).ok_or(Error::Cut)?;
                    wire.push(first, label)?;
                    at += 1 + label.len();
                }
                3 => {
                    let second = cursor.u8().ok_or(Error::Cut)?;
                    let target = usize::from(u16::from_be_bytes([first & 0x3f, second]));
                    after.get_or_insert(at + 2);
                    jumps += 1;
                    if target >= run || jumps > MAX_JUMPS {
                        return Err(Error::Pointer);
                    }
                    run = target;
                    at = target;
                }
                _ => return Err(Error::Label),
            }
        }
    }

    fn push(&mut self, count: u8, label: &[u8]) -> Result<(), Error> {
        // One byte is kept for the empty label at the end.
        let end = self.length + 1 + label.len();
        let free = self.bytes.get_mut(self.length..end).filter(|_| end < MAX_WIRE);
        let (first, rest) = free.and_then(|free| free.split_first_mut()).ok_or(Error::LongName)?;
        *first = count;
        for (to, from) in rest.iter_mut().zip(label) {
            *to = from.to_ascii_lowercase();
        }
        self.length = end;
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    pub(super) fn to_name(self) -> Name {
        let mut text = String::with_capacity(self.length.max(1));
        let mut cursor = Cursor::new(self.bytes());
        while let Some(label) = cursor.counted_u8() {
            if !text.is_empty() {
                text.push('.');
            }
            escape::append(&mut text, label, b"");
        }
        if text.is_empty() {
            text.push('.');
        }
        Name(text.into())
    }
}

impl PartialEq for Wire {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &[u8], start: usize) -> Result<String, Error> {
        Wire::read(message, start).map(|(wire, _)| wire.to_name().as_str().to_owned())
    }

    #[test]
    fn labels_and_pointers() {
        let message = b"\x03wWw\x07eXample\x03com\x00\x01a\xc0\x04\xc0\x11";
        assert_eq!(text(message, 0).unwrap(), "www.example.com");
        assert_eq!(text(message, 17).unwrap(), "a.example.com");
        assert_eq!(text(message, 21).unwrap(), "a.example.com");
        assert_eq!(Wire::read(message, 17).unwrap().1, 21);
        assert_eq!(Wire::read(message, 0).unwrap().1, 17);
        assert_eq!(text(b"\0", 0).unwrap(), ".");
    }

    #[test]
    fn harmful_bytes_are_escaped() {
        assert_eq!(text(b"\x04a.\x1b\"\x01\xe9\0", 0).unwrap(), "a\\046\\027\\034.\\233");
    }

    #[test]
    fn pointers_lead_to_the_front_only() {
        assert_eq!(text(b"\xc0\x00", 0), Err(Error::Pointer));
        assert_eq!(text(b"\xc0\x02\x00", 0), Err(Error::Pointer));
        // Its own run of labels: would grow for ever.
        assert_eq!(text(b"\x01a\xc0\x00", 0), Err(Error::Pointer));
        assert_eq!(text(b"\x41a\0", 0), Err(Error::Label));
        assert_eq!(text(b"\x05abc", 0), Err(Error::Cut));
        assert_eq!(text(b"\xc0", 0), Err(Error::Cut));
        // A chain of pointers, each to the one before.
        let mut message = vec![0, 0];
        for target in (0..400_u16).step_by(2) {
            message.extend((0xc000 | target).to_be_bytes());
        }
        assert_eq!(text(&message, 254).unwrap(), ".");
        assert_eq!(text(&message, 256), Err(Error::Pointer));
    }

    #[test]
    fn a_name_has_255_bytes() {
        let labels = |last: usize| {
            let mut message = Vec::new();
            for length in [63, 63, 63, last] {
                message.push(u8::try_from(length).unwrap());
                message.extend(vec![b'a'; length]);
            }
            message.push(0);
            message
        };
        assert_eq!(labels(61).len(), 255);
        assert_eq!(text(&labels(61), 0).unwrap().len(), 253);
        assert_eq!(text(&labels(62), 0), Err(Error::LongName));
        let worst = [&[62][..], &[0xff; 62][..], &[0][..]].concat();
        assert_eq!(text(&worst, 0).unwrap().len(), 62 * 4);
    }
}
