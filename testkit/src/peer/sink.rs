//! Peers of many TCP connections, or of none.

use std::net::SocketAddr;

use super::hello;
use super::obey;
use super::stream;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Result;
use crate::emit;
use crate::sys::socket;

/// Connections that may wait with data in their first packet.
const WAITING: i32 = 64;
/// Allows fast open at both ends.
const BOTH: &str = "3";

/// `peer sink`: order `N REPLY` accepts N connections, one after the other, answers the first
/// bytes of each with REPLY bytes (if not 0) and reads it to its end. `fast` lets the first
/// packet carry data, which it allows for the whole namespace.
///
/// # Errors
/// If a connection breaks.
pub fn serve(bind: SocketAddr, fast: bool) -> Result<()> {
    if fast {
        std::fs::write("/proc/sys/net/ipv4/tcp_fastopen", BOTH).supported("TCP Fast Open")?;
    }
    let listener = stream::listener(bind)?;
    if fast {
        socket::set_option(&listener, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, WAITING)
            .supported("TCP Fast Open")?;
    }
    let address = socket::local(&listener)?;
    hello(address)?;
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let mut total = End::here("server", family, libc::IPPROTO_TCP);
    total.local = Some(address);
    let mut room = vec![0; 65_536];
    obey(|order| {
        let &[count, reply] = order else {
            return Err(Error::Unexpected("wanted: N REPLY".to_owned()));
        };
        for _ in 0..count {
            let fd = socket::accept(&listener).doing("accepting")?;
            let mut answered = reply == 0;
            loop {
                let got = socket::recv(&fd, &mut room, 0).doing("receiving")?;
                if got == 0 {
                    break;
                }
                total.received(got);
                if !answered {
                    answered = true;
                    stream::send_all(&fd, &mut total, reply, 65_536)?;
                }
            }
        }
        Ok(())
    })?;
    emit(&[total])
}

/// `peer closed`: has a TCP port without listening there, so that whoever connects is refused.
///
/// # Errors
/// If the address cannot be had.
pub fn refuse(bind: SocketAddr) -> Result<()> {
    let domain = if bind.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let fd = socket::open(domain, libc::SOCK_STREAM, 0).doing("opening a TCP socket")?;
    socket::bind(&fd, bind).doing("binding a TCP socket")?;
    hello(socket::local(&fd)?)?;
    obey(|_order| Ok(()))?;
    emit::<[End; 0]>(&[])
}
