//! AF_PACKET's ring of frames to send.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::ptr;

use super::length;
use super::sized;
use super::socket;
use super::zerocopy::Mapping;

/// `TP_STATUS_AVAILABLE` and `TP_STATUS_SEND_REQUEST`.
const AVAILABLE: u32 = 0;
const SEND_REQUEST: u32 = 1;
/// `TPACKET_V2`, and where its frames have their data: after `tpacket2_hdr`.
const VERSION: i32 = 1;
const DATA: usize = 32;
/// Room of one frame, header included.
const FRAME: usize = 2048;
/// Frames of the ring.
const FRAMES: usize = 8;

/// A `PACKET_TX_RING` of a socket.
#[derive(Debug)]
pub struct Ring<F> {
    fd: F,
    memory: Mapping,
    next: usize,
}

impl<F: AsFd> Ring<F> {
    /// Gives a bound AF_PACKET socket a ring.
    ///
    /// # Errors
    /// What `setsockopt(2)` or `mmap(2)` said.
    pub fn new(fd: F) -> io::Result<Self> {
        socket::set_option(&fd, libc::SOL_PACKET, libc::PACKET_VERSION, VERSION)?;
        // struct tpacket_req: one block with all frames.
        let request = [FRAME * FRAMES, 1, FRAME, FRAMES];
        let mut bytes = Vec::new();
        for number in request {
            bytes.extend(length(number)?.to_ne_bytes());
        }
        socket::set_bytes(&fd, libc::SOL_PACKET, libc::PACKET_TX_RING, &bytes)?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let memory = Mapping::of(&fd, FRAME * FRAMES, access)?;
        Ok(Self { fd, memory, next: 0 })
    }

    /// Queues a frame; false if the ring is full.
    ///
    /// # Errors
    /// If it does not fit into a slot.
    pub fn queue(&mut self, frame: &[u8]) -> io::Result<bool> {
        if frame.len() > FRAME - DATA {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: `next` is below FRAMES, so the slot lies within the mapping.
        let slot = unsafe { self.memory.start().add(self.next * FRAME) };
        let status = slot.cast::<u32>();
        // SAFETY: the slot begins with its status and slots are aligned; the kernel writes it too.
        if unsafe { status.read_volatile() } != AVAILABLE {
            return Ok(false);
        }
        // SAFETY: the frame fits into the slot after its header, and is no part of the mapping.
        unsafe { ptr::copy_nonoverlapping(frame.as_ptr(), slot.add(DATA), frame.len()) };
        // SAFETY: the length is the header's second word.
        unsafe { status.add(1).write_volatile(length(frame.len())?) };
        std::sync::atomic::fence(std::sync::atomic::Ordering::Release);
        // SAFETY: as for reading it.
        unsafe { status.write_volatile(SEND_REQUEST) };
        self.next = (self.next + 1) % FRAMES;
        Ok(true)
    }

    /// Sends all queued frames; their bytes.
    ///
    /// # Errors
    /// What `send(2)` said.
    pub fn send(&self) -> io::Result<usize> {
        // SAFETY: no data is passed: the frames are in the ring.
        sized(unsafe { libc::send(self.fd.as_fd().as_raw_fd(), ptr::null(), 0, 0) })
    }
}
