//! Bytes moved to and from a host once its address is known.

use std::net::IpAddr;
use std::net::SocketAddr;

use super::hold;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::emit;
use crate::peer::stream;
use crate::sys::socket;

/// What a client does with an address.
#[derive(Debug, Clone, Copy)]
pub struct Fetch {
    /// Port of the web server there.
    pub port: u16,
    /// Whether to wait for a line of standard input before.
    pub hold: bool,
}

impl Fetch {
    /// Fetches from the first of `found`; the report of everything.
    pub(super) fn from(self, found: &[IpAddr], before: Vec<End>) -> Result<()> {
        let none = || Error::Unexpected("the name has no address".to_owned());
        let address = *found.first().ok_or_else(none)?;
        if self.hold {
            hold()?;
        }
        let mut ends = before;
        ends.push(request(SocketAddr::new(address, self.port))?);
        emit(&Report::new("names", ends))
    }
}

/// Fetches from an address that nobody had to ask for.
///
/// # Errors
/// If there is no web server.
pub fn fetch(to: SocketAddr) -> Result<()> {
    Fetch { port: to.port(), hold: false }.from(&[to.ip()], Vec::new())
}

/// One request over HTTP/1.0, whatever the answer.
fn request(to: SocketAddr) -> Result<End> {
    let fd = stream::connected(to)?;
    let mut end = stream::end("client", &fd)?;
    let request = b"GET / HTTP/1.0\r\n\r\n";
    end.sent(socket::send(&fd, request, 0).doing("sending a request")?);
    read_all(&fd, &mut end)?;
    Ok(end)
}

/// Reads until the other end closes.
pub(super) fn read_all(fd: &std::os::fd::OwnedFd, end: &mut End) -> Result<()> {
    let mut room = vec![0; 65_536];
    loop {
        match socket::recv(fd, &mut room, 0).doing("receiving an answer")? {
            0 => return Ok(()),
            got => end.received(got),
        }
    }
}
