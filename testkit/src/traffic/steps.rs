//! A connection that moves bytes when told to, for tests that do something in between.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use serde::Deserialize;
use serde::Serialize;

use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::emit;
use crate::peer::Peer;
use crate::peer::stream;
use crate::peer::stream::Reading;
use crate::sys::process;

/// The answer to one step: what moved so far.
#[derive(Debug, Serialize, Deserialize)]
pub struct Moved {
    /// Bytes the client sent since it started.
    pub sent: u64,
    /// Bytes the client received since it started.
    pub recv: u64,
    /// The server's address.
    pub server: SocketAddr,
}

/// `steps`: opens a TCP connection to a peer process, says so by one line of JSON, then for
/// every line `UP DOWN` on standard input moves that much and prints [`Moved`]; when standard
/// input closes, prints the [`Report`]. `leaderless`: the process' first thread ends once the
/// connection is there, and another goes on. `reading`: how the client receives.
///
/// # Errors
/// If the connection breaks or a line is not two numbers.
pub fn steps(tag: &str, chunk: usize, leaderless: bool, reading: Reading) -> Result<()> {
    let size = chunk.to_string();
    let args = ["--bind", "127.0.0.1:0", "--chunk", &size, "--tag", tag];
    let peer = Peer::start("stream", &args)?;
    let fd = stream::connected(peer.address)?;
    let end = stream::end("client", &fd)?;
    if leaderless {
        let rest = move || i32::from(obey(peer, fd, end, chunk, reading).is_err());
        return process::without_leader(rest).doing("starting a thread");
    }
    obey(peer, fd, end, chunk, reading)
}

fn obey(mut peer: Peer, fd: OwnedFd, mut end: End, chunk: usize, reading: Reading) -> Result<()> {
    let server = peer.address;
    emit(&Moved { sent: 0, recv: 0, server })?;
    for line in std::io::stdin().lines() {
        let line = line.doing("reading steps")?;
        let (up, down) = amounts(&line)
            .ok_or_else(|| Error::Unexpected(format!("step {line:?}: wanted UP DOWN")))?;
        peer.order(&[up, down])?;
        stream::send_all(&fd, &mut end, up, chunk)?;
        stream::recv_all(&fd, &mut end, down, reading)?;
        peer.done()?;
        emit(&Moved { sent: end.sent, recv: end.recv, server })?;
    }
    let mut ends = vec![end];
    ends.extend(peer.finish()?);
    emit(&Report::new("steps", ends))
}

fn amounts(line: &str) -> Option<(u64, u64)> {
    let (up, down) = line.trim().split_once(' ')?;
    Some((up.parse().ok()?, down.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_two_numbers() {
        assert_eq!(amounts("12 0\n"), Some((12, 0)));
        assert_eq!(amounts("12"), None);
        assert_eq!(amounts("a b"), None);
    }
}
