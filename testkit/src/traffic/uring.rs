//! TCP by io_uring.

use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use io_uring::IoUring;
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

/// Sends and receives through a ring, both ways; `polled` leaves submission to a kernel thread.
pub(super) fn stream(plan: &Plan, polled: bool) -> Result<Report> {
    let mut peer = streams::peer(plan, V4, "plain")?;
    let socket = stream::connected(peer.address)?;
    let mut end = stream::end("client", &socket)?;
    let mut builder = IoUring::builder();
    if polled {
        builder.setup_sqpoll(50);
    }
    let ring = builder.build(8).doing("making an io_uring")?;
    let mut ring = Ring { ring, socket };
    peer.order(&[plan.bytes, plan.back()])?;
    let data = vec![b'u'; plan.chunk];
    let mut left = plan.bytes;
    while left > 0 {
        let sent = ring.send(data.get(..stream::step(left, data.len())).unwrap_or_default())?;
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
        loop {
            self.ring.submit_and_wait(1).doing("submitting to the io_uring")?;
            if let Some(done) = self.ring.completion().next() {
                return usize::try_from(done.result()).map_err(|_negative| Error::Io {
                    what: "a call through io_uring".to_owned(),
                    source: std::io::Error::from_raw_os_error(-done.result()),
                });
            }
        }
    }
}
