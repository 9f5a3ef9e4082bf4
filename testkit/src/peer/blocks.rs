//! A server of blocks (nbd), for the kernel as its client. Without negotiation: the device was
//! told its size by other means.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::time::Duration;

use super::hello;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Result;
use crate::emit;

const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;
/// Commands: the lower half of a request's second word.
const READ: u32 = 0;
const WRITE: u32 = 1;
const DISCONNECT: u32 = 2;
/// Size of a request and of the head of a reply.
const REQUEST_SIZE: usize = 28;
const REPLY_SIZE: usize = 16;

/// Serves one connection with so many bytes of memory until it is told goodbye, then prints what
/// moved.
///
/// # Errors
/// If the connection breaks, or the client wants what there is not.
pub fn serve(bind: SocketAddr, bytes: usize) -> Result<()> {
    let listener = TcpListener::bind(bind).doing("binding the server of blocks")?;
    hello(listener.local_addr().doing("asking for the own address")?)?;
    let (mut stream, remote) = listener.accept().doing("accepting")?;
    stream.set_read_timeout(Some(Duration::from_secs(300))).doing("SO_RCVTIMEO")?;
    let local = stream.local_addr().doing("asking for the own address")?;
    let end = End::here("server", libc::AF_INET, libc::IPPROTO_TCP).between(local, remote);
    let mut store = Store { blocks: vec![0; bytes], end };
    while store.answer(&mut stream)? {}
    emit(&[store.end])
}

struct Store {
    blocks: Vec<u8>,
    end: End,
}

impl Store {
    /// One request; false if it was the last.
    fn answer(&mut self, stream: &mut TcpStream) -> Result<bool> {
        let mut request = [0; REQUEST_SIZE];
        stream.read_exact(&mut request).doing("reading a request")?;
        self.end.received(REQUEST_SIZE);
        let Some(Request { command, handle, from, len }) = Request::parse(&request) else {
            return Err(Error::Unexpected(format!("not a request: {request:?}")));
        };
        if command == DISCONNECT {
            return Ok(false);
        }
        let part = self.blocks.get_mut(from..from.saturating_add(len));
        let part = part.ok_or_else(|| Error::Unexpected(format!("no bytes {from}+{len}")))?;
        let mut reply = [&REPLY.to_be_bytes()[..], &[0; 4], &handle].concat();
        match command {
            READ => reply.extend_from_slice(part),
            WRITE => {
                stream.read_exact(part).doing("reading blocks")?;
                self.end.received(len);
            }
            other => return Err(Error::Unexpected(format!("no command {other} was offered"))),
        }
        stream.write_all(&reply).doing("replying")?;
        self.end.sent(reply.len());
        Ok(true)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Request {
    command: u32,
    handle: [u8; 8],
    from: usize,
    len: usize,
}

impl Request {
    fn parse(bytes: &[u8; REQUEST_SIZE]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let handle: [u8; 8] = bytes.get(8..REPLY_SIZE)?.try_into().ok()?;
        let from = u64::from_be_bytes(bytes.get(REPLY_SIZE..24)?.try_into().ok()?);
        (word(0)? == REQUEST).then_some(Self {
            command: word(4)? & 0xffff,
            handle,
            from: usize::try_from(from).ok()?,
            len: usize::try_from(word(24)?).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_the_kernel_writes_them() {
        let mut bytes = [0; REQUEST_SIZE];
        let words = [&REQUEST.to_be_bytes()[..], &[0, 0, 0, 1], &[7; 8], &[0; 6], &[16, 0]];
        let flat = words.concat().into_iter().chain([0, 0, 2, 0]);
        bytes.iter_mut().zip(flat).for_each(|(slot, byte)| *slot = byte);
        let wanted = Request { command: WRITE, handle: [7; 8], from: 4096, len: 512 };
        assert_eq!(Request::parse(&bytes), Some(wanted));
        bytes[0] = 0;
        assert_eq!(Request::parse(&bytes), None);
    }
}
