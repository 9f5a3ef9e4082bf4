//! Many sockets, or many datagrams, for as long as wanted.

use std::io::Read;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::Stopwatch;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::emit;
use crate::peer::datagram;
use crate::peer::datagram::Medium;
use crate::peer::stream;
use crate::sys::process;
use crate::sys::socket;

fn any() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// A loop-back address of this process alone, as process identifiers stay below 2^22: one address
/// has some 28,000 ports to give away, fewer than several such processes want.
pub(super) fn own() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, 64 | high, middle, low], 0))
}

/// Opens `count` sockets (an even number: pairs that talk to each other), moves `bytes` once
/// over each pair, prints a report and then moves `bytes` over `active` pairs every second
/// until standard input closes; then prints the report of everything.
///
/// # Errors
/// If the limit of open files is too low, or traffic gets lost.
pub fn idle_sockets(count: u64, bytes: usize, active: usize, tcp: bool) -> Result<()> {
    let wanted = count + 64;
    let limit = process::raise_open_files(wanted).doing("raising the limit of open files")?;
    if limit < wanted {
        return Err(Error::Unexpected(format!(
            "{count} sockets need a limit of {wanted} open files, but {limit} is the most allowed: \
             raise it (ulimit -n) or ask for fewer"
        )));
    }
    let watch = Stopwatch::start()?;
    let protocol = if tcp { libc::IPPROTO_TCP } else { libc::IPPROTO_UDP };
    let mut end = End::here("both", libc::AF_INET, protocol);
    let mut pairs = Vec::new();
    let address = own();
    let listener = stream::listener(address)?;
    for _ in 0..count / 2 {
        let pair = if tcp { tcp_pair(&listener)? } else { udp_pair(address)? };
        touch(&pair, &mut end, bytes)?;
        pairs.push(pair);
    }
    let moved = pairs.len() as u64;
    emit(&watch.report("idle-sockets", moved, end.clone())?)?;
    let told_to_stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            drop(std::io::stdin().read_to_end(&mut Vec::new()));
            told_to_stop.store(true, Ordering::Relaxed);
        });
        let mut next = Instant::now();
        while !told_to_stop.load(Ordering::Relaxed) {
            if active > 0 && Instant::now() >= next {
                next += Duration::from_secs(1);
                pairs.iter().take(active).try_for_each(|pair| touch(pair, &mut end, bytes))?;
            }
            thread::sleep(Duration::from_millis(20));
        }
        emit(&watch.report("idle-sockets", moved, end.clone())?)
    })
}

fn udp_pair(address: SocketAddr) -> Result<(OwnedFd, OwnedFd)> {
    // Opened plainly: 4 MiB receive buffers are of no use to idle sockets.
    let open = || -> Result<OwnedFd> {
        let fd = socket::open(libc::AF_INET, libc::SOCK_DGRAM, 0).doing("opening a UDP socket")?;
        socket::bind(&fd, address).doing("binding a UDP socket")?;
        Ok(fd)
    };
    let (left, right) = (open()?, open()?);
    socket::connect(&left, socket::local(&right)?).doing("connecting")?;
    socket::connect(&right, socket::local(&left)?).doing("connecting")?;
    Ok((left, right))
}

fn tcp_pair(listener: &OwnedFd) -> Result<(OwnedFd, OwnedFd)> {
    let left = stream::connected(socket::local(listener)?)?;
    Ok((left, socket::accept(listener).doing("accepting")?))
}

fn touch((left, right): &(OwnedFd, OwnedFd), end: &mut End, bytes: usize) -> Result<()> {
    end.sent(socket::send(left, &vec![b'i'; bytes], 0).doing("sending")?);
    end.received(socket::recv(right, &mut vec![0; bytes.max(1)], 0).doing("receiving")?);
    Ok(())
}

/// Sends `total` datagrams of `size` bytes, `rate` a second (0: as fast as it goes), to a
/// socket of the same process that nobody reads.
///
/// # Errors
/// If a send fails.
pub fn flood(total: u64, size: usize, rate: u64) -> Result<Report> {
    /// Datagrams between two looks at the clock.
    const BATCH: u64 = 64;
    let (sink, _count) = datagram::open(Medium::Udp, "sink", any())?;
    let (fd, mut end) = datagram::open(Medium::Udp, "flooder", any())?;
    let to = socket::local(&sink)?;
    end.remote = Some(to);
    let data = vec![b'f'; size];
    let watch = Stopwatch::start()?;
    for number in 0..total {
        end.sent(socket::send_to(&fd, &data, to).doing("sending")?);
        if rate > 0 && number % BATCH == 0 {
            let due = Duration::from_secs_f64(number as f64 / rate as f64);
            thread::sleep(due.saturating_sub(watch.wall.elapsed()));
        }
    }
    let mut report = watch.report("udp-flood", total, end)?;
    report.extra = -i64::try_from(total.saturating_mul(size as u64)).unwrap_or(i64::MAX);
    Ok(report)
}
