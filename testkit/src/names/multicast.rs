//! Multicast DNS: one that tells what nobody asked, and one that listens.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use super::fetch::Fetch;
use super::message;
use crate::Doing;
use crate::Result;
use crate::emit;
use crate::peer::datagram;
use crate::peer::datagram::Medium;
use crate::sys::socket;

/// Where multicast DNS is spoken (RFC 6762 §3).
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;

/// Tells everybody that `name` is at `address`, from the interface that has `from`.
///
/// # Errors
/// If it cannot be sent.
pub fn tell(from: Ipv4Addr, name: &str, address: IpAddr) -> Result<()> {
    let (fd, _count) = datagram::open(Medium::Udp, "teller", SocketAddr::from((from, PORT)))?;
    let told = message::announcement(name, address)?;
    socket::set_bytes(&fd, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &from.octets())
        .doing("IP_MULTICAST_IF")?;
    socket::send_to(&fd, &told, SocketAddr::from((GROUP, PORT))).doing("telling everybody")?;
    Ok(())
}

/// Waits for one such message on the interface that has `here`, then fetches from `to`, which it
/// knew before.
///
/// # Errors
/// If nothing is told, or there is no web server.
pub fn overhear(here: Ipv4Addr, to: SocketAddr) -> Result<()> {
    let (fd, mut end) = datagram::open(Medium::Udp, "resolver", SocketAddr::from((GROUP, PORT)))?;
    let membership = [GROUP.octets(), here.octets()].concat();
    socket::set_bytes(&fd, libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, &membership)
        .doing("joining the group of multicast DNS")?;
    emit(&"listening")?;
    let (got, _from) = socket::recv_from(&fd, &mut [0; 4096], 0).doing("overhearing")?;
    end.received(got);
    Fetch { port: to.port(), hold: false }.from(&[to.ip()], vec![end])
}
