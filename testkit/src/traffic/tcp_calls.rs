//! Less common calls on TCP sockets.

use super::Plan;
use super::V4;
use super::streams;
use crate::Doing;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::peer::stream;
use crate::peer::stream::Reading;
use crate::sys::process;
use crate::sys::socket;
use crate::sys::zerocopy;

/// A page of every machine that this runs on.
const PAGE: usize = 4096;
/// What [`vmsplice`] refers to.
static PAGES: [u8; 16 * PAGE] = [b'v'; 16 * PAGE];

/// The receiver throws away what comes.
pub(super) fn discarded(plan: &Plan) -> Result<Report> {
    streams::exchange(plan, V4, "discard", |fd, end| streams::both_ways(plan, fd, end))
}

/// Memory to a pipe to a socket, never copied.
pub(super) fn vmsplice(plan: &Plan) -> Result<Report> {
    streams::exchange(plan, V4, "plain", |fd, end| {
        let (reader, writer) = process::pipe()?;
        let mut left = plan.bytes;
        while left > 0 {
            let part = PAGES.get(..stream::step(left, PAGES.len())).unwrap_or_default();
            let mut piped = zerocopy::vmsplice(&writer, part).doing("vmsplice")?;
            left -= piped as u64;
            while piped > 0 {
                let sent = socket::splice(&reader, fd, piped).doing("splice to a socket")?;
                end.sent(sent);
                piped -= sent;
            }
        }
        stream::recv_all(fd, end, plan.back(), Reading::Plain)
    })
}

/// The receiver maps pages; segments are whole pages for that, and so are the sender's calls.
pub(super) fn mapped(plan: &Plan) -> Result<Report> {
    /// What TCP's timestamps take of a segment.
    const TIMESTAMPS: i32 = 12;
    let mut plan = plan.clone();
    plan.chunk = PAGES.len();
    let mut peer = streams::peer(&plan, V4, "mapped")?;
    let fd = socket::open(libc::AF_INET, libc::SOCK_STREAM, 0).doing("opening a TCP socket")?;
    if !plan.is_routed() {
        let most = i32::try_from(4 * PAGE).unwrap_or(0) + TIMESTAMPS;
        socket::set_option(&fd, libc::IPPROTO_TCP, libc::TCP_MAXSEG, most).doing("TCP_MAXSEG")?;
    }
    socket::connect(&fd, peer.address).doing("connecting")?;
    let mut end = stream::end("client", &fd)?;
    peer.order(&[plan.bytes, plan.back()])?;
    streams::send_without_copying(&fd, &mut end, plan.bytes, plan.chunk)?;
    stream::recv_all(&fd, &mut end, plan.back(), Reading::Plain)?;
    streams::completions(&fd)?;
    peer.done()?;
    let mut ends = vec![end];
    ends.extend(peer.finish()?);
    Ok(Report::new("", ends))
}

/// Every so many bytes one is urgent.
pub(super) fn urgent(plan: &Plan) -> Result<Report> {
    let mut peer = streams::peer(plan, V4, "urgent")?;
    let fd = stream::connected(peer.address)?;
    let mut end = stream::end("client", &fd)?;
    for _ in 0..plan.rounds {
        peer.order(&[801, 307])?;
        stream::send_all(&fd, &mut end, 800, plan.chunk)?;
        end.sent(socket::send(&fd, b"!", libc::MSG_OOB).doing("sending an urgent byte")?);
        stream::recv_all(&fd, &mut end, 307, Reading::Plain)?;
        peer.done()?;
    }
    let mut ends = vec![end];
    ends.extend(peer.finish()?);
    Ok(Report::new("", ends))
}

/// Each direction ends by itself.
pub(super) fn half_closed(plan: &Plan) -> Result<Report> {
    streams::exchange(plan, V4, "to-end", |fd, end| {
        stream::send_all(fd, end, plan.bytes, plan.chunk)?;
        socket::finish_sending(fd).doing("ending one direction")?;
        stream::recv_all(fd, end, plan.back(), Reading::ToEnd)
    })
}

/// The first packet of a connection carries data once the server's cookie is known.
pub(super) fn fast_open(plan: &Plan) -> Result<Report> {
    const ASK: usize = 717;
    const ANSWER: u64 = 1_414;
    /// `TCPI_OPT_SYN_DATA`, a bit of the sixth byte of `TCP_INFO`.
    const SYN_DATA: u8 = 32;
    if !plan.is_routed() {
        super::icmp::quiet_network("65536")?;
    }
    let bind = plan.listen(V4).to_string();
    let mut peer = plan.start("sink", &["--bind", &bind, "--fast-open"])?;
    let mut end = crate::End::here("client", libc::AF_INET, libc::IPPROTO_TCP);
    end.remote = Some(peer.address);
    let mut early = 0_u64;
    for _ in 0..plan.rounds {
        peer.order(&[1, ANSWER])?;
        let fd = socket::open(libc::AF_INET, libc::SOCK_STREAM, 0).doing("opening TCP")?;
        let sent = socket::send_flagged(&fd, &[b'f'; ASK], peer.address, libc::MSG_FASTOPEN);
        end.sent(sent.supported("MSG_FASTOPEN")?);
        stream::recv_all(&fd, &mut end, ANSWER, Reading::Plain)?;
        let mut info = [0; 8];
        socket::get_bytes(&fd, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info).doing("TCP_INFO")?;
        let [.., options, _scale, _limited] = info;
        early += u64::from(options & SYN_DATA != 0);
        drop(fd);
        peer.done()?;
    }
    if early + 1 < plan.rounds {
        let why = format!("only {early} of {} connections began with data", plan.rounds);
        return Err(Error::Unexpected(why));
    }
    let mut ends = vec![end];
    ends.extend(peer.finish()?);
    let mut report = Report::new("", ends);
    report.figures.insert("early_connections".to_owned(), early as f64);
    Ok(report)
}
