//! Worker processes that share one listening or datagram socket.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::fd::OwnedFd;

use super::Plan;
use super::V4;
use crate::Doing;
use crate::End;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::peer::datagram;
use crate::peer::datagram::Medium;
use crate::peer::stream;
use crate::peer::stream::Reading;
use crate::sys::process;
use crate::sys::socket;

const WORKERS: usize = 4;
/// Bytes of a request and of its answer.
const ASK: u64 = 777;
const ANSWER: u64 = 1313;

/// Four workers accept connections of one listener; the parent connects.
pub(super) fn tcp(plan: &Plan) -> Result<Report> {
    let listener = stream::listener(plan.here(V4)?)?;
    let address = socket::local(&listener)?;
    let workers = Workers::start(|| accepting(&listener))?;
    let mut end = End::here("client", libc::AF_INET, libc::IPPROTO_TCP);
    end.remote = Some(address);
    for _ in 0..plan.rounds {
        let fd = stream::connected(address)?;
        stream::send_all(&fd, &mut end, ASK, 65_536)?;
        stream::recv_all(&fd, &mut end, ANSWER, Reading::Plain)?;
    }
    socket::shutdown(&listener);
    let mut ends = workers.finish()?;
    ends.push(end);
    Ok(Report::new("", ends))
}

/// Accepts until the listener is shut down.
fn accepting(listener: &OwnedFd) -> Result<End> {
    let mut end = End::here("worker", libc::AF_INET, libc::IPPROTO_TCP);
    end.local = Some(socket::local(listener)?);
    loop {
        match socket::accept(listener) {
            Ok(fd) => {
                stream::recv_all(&fd, &mut end, ASK, Reading::Plain)?;
                stream::send_all(&fd, &mut end, ANSWER, 65_536)?;
            }
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return Ok(end),
            Err(error) => return Err(error).doing("accepting"),
        }
    }
}

/// Four workers answer the datagrams of one socket.
pub(super) fn udp(plan: &Plan) -> Result<Report> {
    let (shared, _count) = datagram::open(Medium::Udp, "worker", plan.here(V4)?)?;
    let address = socket::local(&shared)?;
    let workers = Workers::start(|| answering(&shared))?;
    let (fd, end) = datagram::open(Medium::Udp, "client", plan.here(V4)?)?;
    socket::connect(&fd, address).doing("connecting a UDP socket")?;
    let mut end = end.between(socket::local(&fd)?, address);
    for _ in 0..plan.rounds {
        end.sent(socket::send(&fd, &[b'q'; 101], 0).doing("sending a datagram")?);
        end.received(socket::recv(&fd, &mut [0; 2048], 0).doing("receiving a datagram")?);
    }
    socket::shutdown(&shared);
    let mut ends = workers.finish()?;
    ends.push(end);
    Ok(Report::new("", ends))
}

/// Answers until the socket is shut down, which reads as an empty datagram.
fn answering(shared: &OwnedFd) -> Result<End> {
    let mut end = End::here("worker", libc::AF_INET, libc::IPPROTO_UDP);
    end.local = Some(socket::local(shared)?);
    loop {
        let (got, from) = socket::recv_from(shared, &mut [0; 2048], 0).doing("receiving")?;
        if got == 0 {
            return Ok(end);
        }
        end.received(got);
        end.sent(socket::send_to(shared, &[b'a'; 211], from).doing("answering")?);
    }
}

/// Forked processes that report through one pipe.
struct Workers {
    pids: Vec<i32>,
    reports: File,
}

impl Workers {
    fn start(work: impl Fn() -> Result<End>) -> Result<Self> {
        let (reports, writer) = process::pipe()?;
        let mut pids = Vec::new();
        for _ in 0..WORKERS {
            let report = || -> Result<()> {
                let line = format!("{}\n", serde_json::to_string(&work()?)?);
                // Lines shorter than a page are written whole.
                (&writer).write_all(line.as_bytes()).doing("reporting")
            };
            pids.push(process::fork(|| i32::from(report().is_err())).doing("forking")?);
        }
        Ok(Self { pids, reports })
    }

    fn finish(self) -> Result<Vec<End>> {
        let mut failed = 0;
        for pid in &self.pids {
            failed += process::wait(*pid).doing("waiting for a worker")?;
        }
        if failed != 0 {
            return Err(Error::Unexpected("a worker failed".to_owned()));
        }
        let mut ends = Vec::new();
        for line in BufReader::new(self.reports).lines() {
            ends.push(serde_json::from_str(&line.doing("reading reports")?)?);
        }
        Ok(ends)
    }
}
