//! DNS messages by hand (RFC 1035, 9460), as a program without a resolver library makes them.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use clap::ValueEnum;

use crate::Error;
use crate::Result;

/// Header of a message.
const HEADER: usize = 12;
/// The name of the first question, which every answer of ours is about.
const FIRST_NAME: [u8; 2] = [0xc0, 12];
/// Keys of addresses among the parameters of a service (RFC 9460 §14.3.2).
const HINTS: [(u16, usize); 2] = [(4, 4), (6, 16)];

/// What of a name is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Asked {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// How to reach an HTTPS server: the hints that come with it are used.
    Https,
}

impl Asked {
    const fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Aaaa => 28,
            Self::Https => 65,
        }
    }
}

fn header(id: u16, flags: u16, answers: u16) -> Vec<u8> {
    [id, flags, 1, answers, 0, 0].into_iter().flat_map(u16::to_be_bytes).collect()
}

fn push_name(message: &mut Vec<u8>, name: &str) -> Result<()> {
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length));
        let length = length.ok_or_else(|| Error::Unexpected(format!("no host name: {name:?}")))?;
        message.push(length);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    Ok(())
}

fn push_question(message: &mut Vec<u8>, name: &str, asked: Asked) -> Result<()> {
    push_name(message, name)?;
    message.extend([asked.number(), 1].into_iter().flat_map(u16::to_be_bytes));
    Ok(())
}

/// A question to a resolver.
///
/// # Errors
/// If `name` is none.
pub fn query(id: u16, name: &str, asked: Asked) -> Result<Vec<u8>> {
    // Recursion is desired.
    let mut message = header(id, 0x0100, 0);
    push_question(&mut message, name, asked)?;
    Ok(message)
}

/// A resolver's reply with one address.
///
/// # Errors
/// If `name` is none.
pub fn reply(id: u16, name: &str, address: IpAddr) -> Result<Vec<u8>> {
    let (asked, bytes) = flat(address);
    // A reply, recursion desired and available.
    let mut message = header(id, 0x8180, 1);
    push_question(&mut message, name, asked)?;
    message.extend(FIRST_NAME);
    push_record(&mut message, asked, &bytes);
    Ok(message)
}

/// Number and name of a question.
pub(super) fn asked(message: &[u8]) -> Option<(u16, String)> {
    let id = message.first_chunk::<2>()?;
    let mut rest = message.get(HEADER..)?;
    let mut labels = Vec::new();
    while let Some((length @ 1..64, after)) = rest.split_first() {
        let (label, after) = after.split_at_checked(usize::from(*length))?;
        labels.push(str::from_utf8(label).ok()?);
        rest = after;
    }
    rest.starts_with(&[0]).then(|| (u16::from_be_bytes(*id), labels.join(".")))
}

/// A multicast DNS answer to no question (RFC 6762 §8.3).
///
/// # Errors
/// If `name` is none.
pub(super) fn announcement(name: &str, address: IpAddr) -> Result<Vec<u8>> {
    let (asked, bytes) = flat(address);
    let mut message: Vec<u8> =
        [0, 0x8400, 0, 1, 0, 0].into_iter().flat_map(u16::to_be_bytes).collect();
    push_name(&mut message, name)?;
    push_record(&mut message, asked, &bytes);
    Ok(message)
}

fn flat(address: IpAddr) -> (Asked, Vec<u8>) {
    match address {
        IpAddr::V4(v4) => (Asked::A, v4.octets().to_vec()),
        IpAddr::V6(v6) => (Asked::Aaaa, v6.octets().to_vec()),
    }
}

/// The rest of a record, behind its name: it may be kept for two minutes.
fn push_record(message: &mut Vec<u8>, asked: Asked, data: &[u8]) {
    message.extend([asked.number(), 1, 0, 120].into_iter().flat_map(u16::to_be_bytes));
    message.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend_from_slice(data);
}

/// The addresses in a reply, of whichever name: our servers add none.
///
/// # Errors
/// If it is no reply to `id`, tells of an error, or ends early.
pub(super) fn addresses(message: &[u8], id: u16) -> Result<Vec<IpAddr>> {
    let odd = || Error::Unexpected(format!("not a reply that makes sense: {message:02x?}"));
    let word = |at: usize| -> Result<u16> {
        let bytes = message.get(at..at + 2).ok_or_else(odd)?;
        Ok(bytes.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte)))
    };
    if word(0)? != id || word(2)? & 0x800f != 0x8000 {
        return Err(odd());
    }
    let mut at = HEADER;
    for _ in 0..word(4)? {
        at = after_name(message, at).ok_or_else(odd)? + 4;
    }
    let mut found = Vec::new();
    for _ in 0..word(6)? {
        let fixed = after_name(message, at).ok_or_else(odd)?;
        let (kind, size) = (word(fixed)?, usize::from(word(fixed + 8)?));
        let data = message.get(fixed + 10..fixed + 10 + size).ok_or_else(odd)?;
        match kind {
            1 | 28 => found.extend(address(data)),
            65 => found.extend(hints(data).ok_or_else(odd)?),
            _ => {}
        }
        at = fixed + 10 + size;
    }
    Ok(found)
}

fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length @ 1..64 => at += 1 + usize::from(length),
            _ => return Some(at + 2),
        }
    }
}

fn address(data: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(data).ok().map(|octets| Ipv4Addr::from(octets).into());
    v4.or_else(|| <[u8; 16]>::try_from(data).ok().map(|octets| Ipv6Addr::from(octets).into()))
}

/// Addresses among the parameters of an HTTPS record (RFC 9460 §2.2).
fn hints(data: &[u8]) -> Option<Vec<IpAddr>> {
    let mut at = after_name(data, 2)?;
    let mut found = Vec::new();
    while at < data.len() {
        let [key, size] = [at, at + 2].map(|at| {
            let bytes = data.get(at..at + 2)?;
            Some(bytes.iter().fold(0, |sum, byte| sum << 8 | u16::from(*byte)))
        });
        let (key, size) = (key?, usize::from(size?));
        let value = data.get(at + 4..at + 4 + size)?;
        if let Some((_, each)) = HINTS.iter().find(|(known, _)| *known == key) {
            found.extend(value.chunks(*each).filter_map(address));
        }
        at += 4 + size;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reply_says_is_read_back() {
        for text in ["10.1.2.3", "fd5e::1"] {
            let address: IpAddr = text.parse().unwrap();
            let message = reply(7, "www.example.test", address).unwrap();
            assert_eq!(addresses(&message, 7).unwrap(), [address]);
            assert!(addresses(&message, 8).is_err());
            for end in 0..message.len() {
                assert!(addresses(&message[..end], 7).is_err(), "{end}");
            }
        }
        assert!(addresses(&query(7, "a.test", Asked::A).unwrap(), 7).is_err());
    }

    #[test]
    fn what_a_question_asks_is_read_back() {
        let question = query(7, "www.example.test", Asked::A).unwrap();
        assert_eq!(asked(&question), Some((7, "www.example.test".to_owned())));
        for end in 0..question.len() - 4 {
            assert_eq!(asked(&question[..end]), None, "{end}");
        }
    }

    #[test]
    fn hints_are_addresses() {
        let record = b"\0\x01\0\0\x01\0\x03\x02h2\0\x04\0\x08\x0a\0\0\x01\x0a\0\0\x02";
        let wanted: [IpAddr; 2] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        assert_eq!(hints(record).unwrap(), wanted);
        assert!(hints(&record[..record.len() - 1]).is_none());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert!(query(1, "", Asked::A).is_err());
        assert!(query(1, "a..b", Asked::A).is_err());
    }
}
