//! TCP by io_uring.

use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use io_uring::IoUring;
use io_uring::Probe;
use io_uring::cqueue;
use io_uring::opcode;
use io_uring::squeue;
use io_uring::types::Fd;

use super::Plan;
use super::V4;
use super::streams;
use crate::Doing;
use crate::Error;
use crate::Report;
use crate::Result;
use crate::peer::stream;

/// A ring and the socket that it works on.
struct Ring {
    ring: IoUring,
    socket: OwnedFd,
}

/// How a ring sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// Submitted by a system call.
    Plain,
    /// Submitted by a kernel thread.
    Polled,
    /// Without copying.
    ZeroCopy,
}

/// Sends and receives through a ring, both ways.
pub(super) fn stream(plan: &Plan, sending: Sending) -> Result<Report> {
    let mut peer = streams::peer(plan, V4, "plain")?;
    let socket = stream::connected(peer.address)?;
    let mut end = stream::end("client", &socket)?;
    let mut builder = IoUring::builder();
    if sending == Sending::Polled {
        builder.setup_sqpoll(50);
    }
    let ring = builder.build(8).doing("making an io_uring")?;
    let mut ring = Ring { ring, socket };
    if sending == Sending::ZeroCopy {
        ring.can(opcode::SendZc::CODE, "IORING_OP_SEND_ZC")?;
    }
    peer.order(&[plan.bytes, plan.back()])?;
    let data = vec![b'u'; plan.chunk];
    let mut left = plan.bytes;
    while left > 0 {
        let part = data.get(..stream::step(left, data.len())).unwrap_or_default();
        let sent = if sending == Sending::ZeroCopy { ring.lend(part) } else { ring.send(part) }?;
        end.sent(sent);
        left -= sent as u64;
    }
    let mut room = vec![0; plan.chunk];
    let mut left = plan.back();
    while left > 0 {
        let wanted = stream::step(left, room.len());
        let got = ring.recv(room.get_mut(..wanted).unwrap_or_default())?;
        end.received(got);
        left -= got as u64;
    }
    peer.done()?;
    let mut ends = vec![end];
    ends.extend(peer.finish()?);
    Ok(Report::new("", ends))
}

impl Ring {
    fn fd(&self) -> Fd {
        Fd(self.socket.as_fd().as_raw_fd())
    }

    fn send(&mut self, data: &[u8]) -> Result<usize> {
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.complete(&opcode::Send::new(self.fd(), data.as_ptr(), size).build())
    }

    /// Sends without copying; the data is ours again when this returns.
    fn lend(&mut self, data: &[u8]) -> Result<usize> {
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        self.complete(&opcode::SendZc::new(self.fd(), data.as_ptr(), size).build())
    }

    /// Asks the kernel whether it knows an operation.
    fn can(&self, code: u8, name: &str) -> Result<()> {
        let mut probe = Probe::new();
        self.ring.submitter().register_probe(&mut probe).supported("asking an io_uring")?;
        let unknown = || Error::Unsupported(name.to_owned());
        if probe.is_supported(code) { Ok(()) } else { Err(unknown()) }
    }

    fn recv(&mut self, room: &mut [u8]) -> Result<usize> {
        let size = u32::try_from(room.len()).unwrap_or(u32::MAX);
        let got = self.complete(&opcode::Recv::new(self.fd(), room.as_mut_ptr(), size).build())?;
        if got == 0 {
            return Err(Error::Unexpected("connection ended early".to_owned()));
        }
        Ok(got)
    }

    /// Submits one entry and waits for it; its result.
    fn complete(&mut self, entry: &squeue::Entry) -> Result<usize> {
        // SAFETY: the buffer and the socket behind `entry` are borrowed by our callers until
        // this returns, and it returns only after the kernel is done with them.
        let pushed = unsafe { self.ring.submission().push(entry) };
        pushed.map_err(|full| Error::Unexpected(full.to_string()))?;
        let mut result = None;
        loop {
            self.ring.submit_and_wait(1).doing("submitting to the io_uring")?;
            while let Some(done) = self.ring.completion().next() {
                // A notification that lent memory is free follows its result.
                let result = *result.get_or_insert(done.result());
                if !cqueue::more(done.flags()) {
                    return usize::try_from(result).map_err(|_negative| Error::Io {
                        what: "a call through io_uring".to_owned(),
                        source: std::io::Error::from_raw_os_error(-result),
                    });
                }
            }
        }
    }
}
