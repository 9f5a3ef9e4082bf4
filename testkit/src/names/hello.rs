//! Connections whose first bytes are hand-made.

use std::net::SocketAddr;

use clap::ValueEnum;

use super::fetch::read_all;
use crate::Doing;
use crate::Report;
use crate::Result;
use crate::emit;
use crate::peer::stream;
use crate::sys::socket;

/// What a connection begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Opening {
    /// A ClientHello that wants another host than it says (RFC 9849), under a front's name.
    Ech,
    /// A ClientHello whose name is an address, which no client may send.
    Address,
    /// A record's header as TLS has it, then nonsense.
    Garbage,
    /// A ClientHello that says it goes on, and does not.
    Cut,
}

/// So that a web server sees the end of the request, and answers.
const ENOUGH: &[u8] = b"\r\n\r\n";

/// Sends such bytes to a web server and reads its answer; nothing may come of them.
///
/// # Errors
/// If there is no web server.
pub fn open_with(to: SocketAddr, opening: Opening) -> Result<()> {
    let fd = stream::connected(to)?;
    let mut end = stream::end("client", &fd)?;
    let first = bytes(opening);
    end.sent(socket::send(&fd, &first, 0).doing("sending a hello")?);
    end.sent(socket::send(&fd, ENOUGH, 0).doing("sending the rest")?);
    read_all(&fd, &mut end)?;
    emit(&Report::new("names", vec![end]))
}

fn bytes(opening: Opening) -> Vec<u8> {
    match opening {
        // Of what kind the encrypted part is, and its length, do not matter to who cannot read it.
        Opening::Ech => record(&hello("front.example", &extension(0xfe0d, &[0; 200]))),
        Opening::Address => record(&hello("10.1.2.3", &[])),
        Opening::Garbage => record(&[0xab; 300]),
        Opening::Cut => {
            let mut whole = record(&hello("cut.example", &extension(21, &[0; 200])));
            // Before the name.
            whole.truncate(46);
            whole
        }
    }
}

/// Behind its length in as many bytes.
fn counted(size: usize, bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len().to_be_bytes();
    let length = length.get(length.len() - size..).unwrap_or_default();
    [length, bytes].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &counted(2, data)].concat()
}

/// A handshake's first message (RFC 8446 §4.1.2) for the host `name`.
fn hello(name: &str, more: &[u8]) -> Vec<u8> {
    let host = [&[0][..], &counted(2, name.as_bytes())].concat();
    let extensions = [extension(0, &counted(2, &host)), more.to_vec()].concat();
    let body = [
        &[3, 3][..],
        &[7; 32],
        &counted(1, &[]),
        &counted(2, &[0x13, 0x01]),
        &counted(1, &[0]),
        &counted(2, &extensions),
    ]
    .concat();
    [&[1][..], &counted(3, &body)].concat()
}

fn record(handshake: &[u8]) -> Vec<u8> {
    [&[22, 3, 1][..], &counted(2, handshake)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_right() {
        let whole = bytes(Opening::Ech);
        assert_eq!(whole.len(), 5 + usize::from(u16::from_be_bytes([whole[3], whole[4]])));
        let message = usize::from(u16::from_be_bytes([whole[7], whole[8]]));
        assert_eq!((whole[5], whole[6], message), (1, 0, whole.len() - 9));
        assert!(whole.windows(13).any(|part| part == b"front.example"));
        assert!(!bytes(Opening::Cut).windows(3).any(|part| part == b"cut"));
    }
}
