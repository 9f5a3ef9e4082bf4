//! Error queues and link-layer frames.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::Plan;
use super::V4;
use super::datagrams;
use crate::Doing;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::peer::datagram;
use crate::peer::datagram::Medium;
use crate::sys::socket;
use crate::sys::vectored;

/// `SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE`.
const SEND_TIMESTAMPS: i32 = (1 << 1) | (1 << 4);
/// How long an entry of the error queue may take.
const SOON: Duration = Duration::from_secs(60);

/// Datagrams to a port where nobody listens; each comes back through the error queue.
pub(super) fn errors(plan: &Plan) -> Result<Report> {
    // A port that was free a moment ago and is closed again.
    let (gone, _count) = datagram::open(Medium::Udp, "nobody", plan.here(V4)?)?;
    let target = socket::local(&gone)?;
    drop(gone);
    let (fd, end) = datagram::open(Medium::Udp, "client", plan.here(V4)?)?;
    socket::connect(&fd, target).doing("connecting a UDP socket")?;
    socket::set_option(&fd, libc::SOL_IP, libc::IP_RECVERR, 1).doing("IP_RECVERR")?;
    let mut end = end.between(socket::local(&fd)?, target);
    for _ in 0..plan.rounds {
        match socket::send(&fd, &[b'r'; 200], 0) {
            Ok(sent) => end.sent(sent),
            // The error of the one before; nothing was sent.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error).doing("sending to nobody"),
        }
        read_back(&fd, 200)?;
    }
    let unread = i64::try_from(end.sent).unwrap_or(0);
    let expected = 200 * plan.rounds;
    if end.sent != expected {
        return Err(Error::Unexpected(format!("sent {} instead of {expected}", end.sent)));
    }
    let mut report = Report::new("", vec![end]);
    report.extra = -unread;
    Ok(report)
}

/// Every datagram is read back from the error queue with the time it was sent.
pub(super) fn timestamps(plan: &Plan) -> Result<Report> {
    let mut peer = datagrams::peer(plan, "udp", V4, "plain")?;
    let (fd, mut end) = datagrams::client(plan, &peer, V4)?;
    socket::set_option(&fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, SEND_TIMESTAMPS)
        .doing("SO_TIMESTAMPING")?;
    for _ in 0..plan.rounds {
        peer.order(&[1, 0])?;
        end.sent(socket::send(&fd, &[b't'; 300], 0).doing("sending a datagram")?);
        peer.done()?;
        read_back(&fd, 300)?;
    }
    datagrams::report(end, [peer])
}

/// Waits for an entry of the error queue that carries at least `payload` bytes.
fn read_back(fd: &OwnedFd, payload: usize) -> Result<()> {
    let since = Instant::now();
    loop {
        let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
        match vectored::recv_control(fd, &mut [0; 2048], flags) {
            Ok(size) if size >= payload => return Ok(()),
            Ok(size) => {
                return Err(Error::Unexpected(format!("error queue gave {size} bytes back")));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && since.elapsed() < SOON => {
                thread::sleep(Duration::from_micros(200));
            }
            Err(error) => return Err(error).doing("reading the error queue"),
        }
    }
}

/// Frames with an experimental EtherType to everybody.
pub(super) fn frames(plan: &Plan) -> Result<Report> {
    let mut peer = datagrams::peer(plan, "packet", V4, "plain")?;
    let fd = socket::open(libc::AF_PACKET, libc::SOCK_DGRAM, 0).doing("opening AF_PACKET")?;
    let everybody = datagram::frames_at(plan.here(V4)?)?;
    let mut end = crate::End::here("client", libc::AF_PACKET, 0);
    for _ in 0..plan.rounds {
        peer.order(&[1, 0])?;
        let sent = socket::send_to(&fd, &[b'p'; 150], everybody);
        end.sent(sent.doing("sending a frame")?);
        peer.done()?;
    }
    datagrams::report(end, [peer])
}
