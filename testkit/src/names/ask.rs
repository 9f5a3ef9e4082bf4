//! A name asked for without a library: own messages over own sockets, as static programs do.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use clap::ValueEnum;

use super::fetch::Fetch;
use super::message;
use super::message::Asked;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Result;
use crate::peer::stream;
use crate::sys::socket;
use crate::sys::vectored;

/// Room for a reply without EDNS, and more.
const ROOM: usize = 4096;

/// How a resolver is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Over {
    /// By datagrams.
    Udp,
    /// Over a connection, each message behind its length.
    Tcp,
}

/// The call that takes a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Taking {
    /// `recvfrom(2)` on a socket that is not connected.
    From,
    /// `recvmsg(2)`.
    Message,
    /// `read(2)`.
    Read,
    /// `recvmmsg(2)`: two replies by one call.
    Batch,
}

/// A question, to whom, and how.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The resolver.
    pub server: SocketAddr,
    /// The name.
    pub name: String,
    /// What of it.
    pub asked: Asked,
    /// How it is asked.
    pub over: Over,
    /// How the reply is taken, of datagrams.
    pub taking: Taking,
}

/// Asks and fetches from the first address.
///
/// # Errors
/// If there is no answer, or no web server there.
pub fn ask(ask: &Ask, fetch: Fetch) -> Result<()> {
    let (found, end) = match ask.over {
        Over::Udp => by_datagrams(ask)?,
        Over::Tcp => over_a_connection(ask)?,
    };
    fetch.from(&found, vec![end])
}

/// The number of a question.
fn number() -> u16 {
    // Any will do, and the low half of a process' number is another for the next one.
    u16::try_from(std::process::id() & 0xfffe).unwrap_or_default()
}

fn by_datagrams(ask: &Ask) -> Result<(Vec<IpAddr>, End)> {
    let domain = if ask.server.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let fd = socket::open(domain, libc::SOCK_DGRAM, 0).doing("opening a UDP socket")?;
    let mut end = End::here("resolver", domain, libc::IPPROTO_UDP);
    end.remote = Some(ask.server);
    let id = number();
    let question = message::query(id, &ask.name, ask.asked)?;
    let mut send = |fd: &OwnedFd, question: &[u8]| -> Result<()> {
        let sent = match ask.taking {
            Taking::From => socket::send_to(fd, question, ask.server),
            _ => socket::send(fd, question, 0),
        };
        end.sent(sent.doing("asking a resolver")?);
        Ok(())
    };
    if ask.taking != Taking::From {
        socket::connect(&fd, ask.server).doing("connecting to a resolver")?;
    }
    send(&fd, &question)?;
    if ask.taking == Taking::Batch {
        // First the one that matters least, as `getaddrinfo(3)` would have it: both at once.
        send(&fd, &message::query(id | 1, &ask.name, Asked::Aaaa)?)?;
    }
    let replies = take(fd, ask.taking)?;
    replies.iter().for_each(|reply| end.received(reply.len()));
    let ours = replies.iter().find(|reply| reply.starts_with(&id.to_be_bytes()));
    let ours = ours.ok_or_else(|| Error::Unexpected("no reply to the question".to_owned()))?;
    Ok((message::addresses(ours, id)?, end))
}

/// The reply, or both.
fn take(fd: OwnedFd, taking: Taking) -> Result<Vec<Vec<u8>>> {
    let mut room = vec![0; ROOM];
    let got = match taking {
        Taking::From => socket::recv_from(&fd, &mut room, 0).map(|(got, _from)| got),
        Taking::Message => vectored::recv_control(&fd, &mut room, 0),
        Taking::Read => File::from(fd).read(&mut room),
        Taking::Batch => return batch(&fd),
    };
    room.truncate(got.doing("taking a reply")?);
    Ok(vec![room])
}

fn batch(fd: &OwnedFd) -> Result<Vec<Vec<u8>>> {
    let mut replies: Vec<Vec<u8>> = Vec::new();
    // Usually one call takes both.
    while replies.len() < 2 {
        socket::wait_for(fd, libc::POLLIN).doing("waiting for replies")?;
        let mut rooms = vec![vec![0; ROOM]; 2 - replies.len()];
        let sizes = vectored::recv_batch(fd, &mut rooms).doing("taking replies")?;
        replies.extend(rooms.into_iter().zip(sizes).map(|(mut room, size)| {
            room.truncate(size);
            room
        }));
    }
    Ok(replies)
}

fn over_a_connection(ask: &Ask) -> Result<(Vec<IpAddr>, End)> {
    let fd = stream::connected(ask.server)?;
    let mut end = stream::end("resolver", &fd)?;
    let id = number();
    let question = message::query(id, &ask.name, ask.asked)?;
    let length = u16::try_from(question.len()).unwrap_or_default().to_be_bytes();
    let whole = [&length[..], &question].concat();
    end.sent(socket::send(&fd, &whole, 0).doing("asking a resolver")?);
    // As C libraries do: first the length, by a call of its own.
    let length = exactly(&fd, &mut end, 2)?;
    let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let reply = exactly(&fd, &mut end, length)?;
    Ok((message::addresses(&reply, id)?, end))
}

fn exactly(fd: &OwnedFd, end: &mut End, size: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    let mut filled = 0;
    while filled < size {
        let room = bytes.get_mut(filled..).unwrap_or_default();
        let got = socket::recv(fd, room, 0).doing("taking a reply")?;
        if got == 0 {
            return Err(Error::Unexpected("the resolver hung up".to_owned()));
        }
        end.received(got);
        filled += got;
    }
    Ok(bytes)
}
