//! Replies of a resolver, as many as wanted.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use super::Stopwatch;
use super::load::own;
use crate::Doing;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::names::reply;
use crate::peer::datagram;
use crate::peer::datagram::Medium;
use crate::sys::socket;

/// The port of resolvers: what comes from another is not looked at.
const PORT: u16 = 53;
/// Replies between two looks at the clock.
const BATCH: u64 = 64;

/// Sends `total` replies with one address each, about `names` names in turn, from port 53 of a
/// loop-back address of its own, `rate` a second (0: as fast as it goes), and takes each before
/// the next.
///
/// # Errors
/// If port 53 cannot be had (it takes root, and no resolver that has it on every address), or a
/// reply is lost.
pub fn dns_replies(total: u64, rate: u64, names: u32) -> Result<Report> {
    let from = SocketAddr::new(own().ip(), PORT);
    let (resolver, _count) = datagram::open(Medium::Udp, "resolver", from)?;
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (fd, mut end) = datagram::open(Medium::Udp, "both", any)?;
    let to = socket::local(&fd)?;
    let replies: Vec<Vec<u8>> = (0..names.max(1)).map(numbered).collect::<Result<_>>()?;
    let mut room = [0; 512];
    let watch = Stopwatch::start()?;
    for (number, reply) in (0..total).zip(replies.iter().cycle()) {
        end.sent(socket::send_to(&resolver, reply, to).doing("sending a reply")?);
        let (got, _from) = socket::recv_from(&fd, &mut room, 0).doing("taking a reply")?;
        if got != reply.len() {
            return Err(Error::Unexpected(format!("{got} bytes of a reply of {}", reply.len())));
        }
        end.received(got);
        if rate > 0 && number % BATCH == 0 {
            let due = Duration::from_secs_f64(number as f64 / rate as f64);
            thread::sleep(due.saturating_sub(watch.wall.elapsed()));
        }
    }
    watch.report("dns-replies", total, end)
}

/// The reply about a name with this number, at an address of a network for benchmarks (RFC 2544).
fn numbered(number: u32) -> Result<Vec<u8>> {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) | (number & 0x1_ffff));
    reply(1, &format!("host{number}.example.test"), IpAddr::V4(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_reply_of_its_own() {
        let mut all: Vec<_> = (0..50).map(|number| numbered(number).unwrap()).collect();
        all.dedup();
        assert_eq!(all.len(), 50);
    }
}
