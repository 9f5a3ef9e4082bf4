//! A web server with one file of known size.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use super::hello;
use super::until_input_closes;
use crate::Doing;
use crate::End;
use crate::Result;
use crate::emit;
use crate::report::plain;

/// Longest request that is read.
const MAX_REQUEST: usize = 65_536;
/// Into how many parts a second is divided where there is a limit to the rate.
const STEPS: usize = 100;

/// Serves `bytes` bytes over HTTP/1.0 for every request, one connection after the other, and
/// prints after each what went over it (application bytes, headers included). Ends when
/// standard input closes. `rate`: no faster than so many bytes a second, evenly; 0 for no limit.
///
/// # Errors
/// If the address cannot be had. A connection that breaks is reported with what it moved.
pub fn serve(bind: SocketAddr, bytes: usize, rate: usize) -> Result<()> {
    let listener = TcpListener::bind(bind).doing("binding the web server")?;
    hello(listener.local_addr().doing("asking for the own address")?)?;
    until_input_closes();
    let body = vec![b'z'; bytes];
    for connection in listener.incoming() {
        let connection = connection.doing("accepting")?;
        emit(&answer(connection, &body, rate)?)?;
    }
    Ok(())
}

fn answer(mut connection: TcpStream, body: &[u8], rate: usize) -> Result<End> {
    connection.set_read_timeout(Some(Duration::from_secs(60))).doing("SO_RCVTIMEO")?;
    let (local, remote) = (connection.local_addr()?, connection.peer_addr()?);
    let v4 = plain(local).is_ipv4();
    let family = if v4 { libc::AF_INET } else { libc::AF_INET6 };
    let mut end = End::here("httpd", family, libc::IPPROTO_TCP).between(local, remote);
    let mut request = Vec::new();
    let mut room = [0; 4096];
    while !request.ends_with(b"\r\n\r\n") && request.len() < MAX_REQUEST {
        let got = connection.read(&mut room).unwrap_or(0);
        if got == 0 {
            return Ok(end);
        }
        end.received(got);
        request.extend_from_slice(room.get(..got).unwrap_or_default());
    }
    let head = format!(
        "HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (begin, mut gone) = (Instant::now(), 0_usize);
    for mut part in [head.as_bytes(), body] {
        while !part.is_empty() {
            let mut now = part;
            if rate > 0 {
                // As much as is due in the next step, and not before.
                now = part.get(..(rate / STEPS).max(1)).unwrap_or(part);
                let due = Duration::from_secs_f64(gone as f64 / rate as f64);
                std::thread::sleep(due.saturating_sub(begin.elapsed()));
            }
            let Ok(sent) = connection.write(now) else { return Ok(end) };
            gone += sent;
            end.sent(sent);
            part = part.get(sent..).unwrap_or_default();
        }
    }
    Ok(end)
}
