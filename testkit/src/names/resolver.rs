//! A resolver that knows a few names, for machines that have no other.

use std::io::Read as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use super::message;
use crate::Doing;
use crate::Error;
use crate::Result;
use crate::peer::hello;
use crate::peer::until_input_closes;

/// Nobody takes longer to ask.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers questions about `records` (`NAME=ADDRESS`) over UDP and TCP, and no other. Ends when
/// standard input closes.
///
/// # Errors
/// If the address cannot be had, or a record is none.
pub fn serve_dns(listen: SocketAddr, records: &[String]) -> Result<()> {
    let records: Vec<(String, IpAddr)> =
        records.iter().map(|it| record(it)).collect::<Result<_>>()?;
    let listener = TcpListener::bind(listen).doing("binding the resolver to a TCP port")?;
    let address = listener.local_addr().doing("asking for the own address")?;
    let socket = UdpSocket::bind(address).doing("binding the resolver to a UDP port")?;
    hello(address)?;
    until_input_closes();
    let others = records.clone();
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // Who hangs up early is no reason to stop.
            drop(answer_stream(connection, &others));
        }
    });
    let mut room = [0; 1024];
    loop {
        let (got, from) = socket.recv_from(&mut room).doing("waiting for a question")?;
        let question = room.get(..got).unwrap_or_default();
        if let Some(reply) = answer(question, &records)? {
            socket.send_to(&reply, from).doing("answering")?;
        }
    }
}

fn record(text: &str) -> Result<(String, IpAddr)> {
    let odd = || Error::Unexpected(format!("{text:?} is not NAME=ADDRESS"));
    let (name, address) = text.split_once('=').ok_or_else(odd)?;
    Ok((name.to_owned(), address.parse().map_err(|_bad| odd())?))
}

/// The reply to a question that can be answered.
fn answer(question: &[u8], records: &[(String, IpAddr)]) -> Result<Option<Vec<u8>>> {
    let Some((id, name)) = message::asked(question) else { return Ok(None) };
    let known = records.iter().find(|(known, _)| *known == name);
    known.map(|(name, address)| message::reply(id, name, *address)).transpose()
}

fn answer_stream(mut connection: TcpStream, records: &[(String, IpAddr)]) -> Result<()> {
    connection.set_read_timeout(Some(PATIENCE)).doing("SO_RCVTIMEO")?;
    let mut length = [0; 2];
    connection.read_exact(&mut length).doing("waiting for a question")?;
    let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
    connection.read_exact(&mut question).doing("reading a question")?;
    let Some(reply) = answer(&question, records)? else { return Ok(()) };
    let length = u16::try_from(reply.len()).unwrap_or(u16::MAX).to_be_bytes();
    connection.write_all(&[&length[..], &reply].concat()).doing("answering")
}
