//! AF_XDP sockets that send: memory for frames, a ring of those to send, a ring of those sent.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::ptr;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use super::address::RawAddr;
use super::process;
use super::sized;
use super::socket;
use super::zerocopy::Mapping;

/// `SOL_XDP` and its options.
const SOL_XDP: i32 = 283;
const XDP_MMAP_OFFSETS: i32 = 1;
const XDP_TX_RING: i32 = 3;
const XDP_UMEM_REG: i32 = 4;
const XDP_UMEM_FILL_RING: i32 = 5;
const XDP_UMEM_COMPLETION_RING: i32 = 6;
/// Where a socket's rings are mapped.
const TX_RING: i64 = 0x8000_0000;
const COMPLETION_RING: i64 = 0x1_8000_0000;
/// Frames of the memory, and slots of each ring: a power of two.
const FRAMES: u32 = 32;
/// Room of one frame.
const FRAME: usize = 4096;
/// A slot of the ring to send: where the frame is, how long it is, no options.
const SLOT: usize = 16;
/// A slot of the ring of what was sent: where the frame was.
const DONE: usize = 8;

/// A ring that is shared with the kernel.
#[derive(Debug)]
struct Ring {
    memory: Mapping,
    producer: usize,
    consumer: usize,
    slots: usize,
}

impl Ring {
    /// `offsets`: the kernel's `struct xdp_ring_offset`.
    fn new(fd: &OwnedFd, offsets: &[u8], slot: usize, place: i64) -> io::Result<Self> {
        let number = |nth: usize| {
            let bytes = offsets.get(nth * 8..nth * 8 + 8)?.try_into().ok()?;
            usize::try_from(u64::from_ne_bytes(bytes)).ok()
        };
        let (Some(producer), Some(consumer), Some(slots)) = (number(0), number(1), number(2))
        else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let len = slots + FRAMES as usize * slot;
        if producer.max(consumer) + size_of::<u32>() > slots {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let memory = Mapping::at(fd, len, libc::PROT_READ | libc::PROT_WRITE, place)?;
        Ok(Self { memory, producer, consumer, slots })
    }

    fn index(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: checked to lie before the slots; the kernel aligns it and uses it atomically too.
        unsafe { &*self.memory.start().add(offset).cast::<AtomicU32>() }
    }
}

/// A bound AF_XDP socket.
#[derive(Debug)]
pub struct Xdp {
    fd: OwnedFd,
    frames: Mapping,
    to_send: Ring,
    sent: Ring,
    // The frames are its pages.
    _memory: File,
}

impl Xdp {
    /// Opens a socket that sends through an interface, copying.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn open(ifindex: u32) -> io::Result<Self> {
        let fd = socket::open(libc::AF_XDP, libc::SOCK_RAW, 0)?;
        let memory = process::memory_file()?;
        let len = FRAMES as usize * FRAME;
        memory.set_len(len as u64)?;
        let frames = Mapping::of(&memory, len, libc::PROT_READ | libc::PROT_WRITE)?;
        // struct xdp_umem_reg as far as every kernel knows it.
        let mut about = Vec::new();
        about.extend((frames.start() as u64).to_ne_bytes());
        about.extend((len as u64).to_ne_bytes());
        about.extend(super::length(FRAME)?.to_ne_bytes());
        about.extend(0_u32.to_ne_bytes());
        socket::set_bytes(&fd, SOL_XDP, XDP_UMEM_REG, &about)?;
        for ring in [XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_TX_RING] {
            socket::set_bytes(&fd, SOL_XDP, ring, &FRAMES.to_ne_bytes())?;
        }
        // struct xdp_mmap_offsets: receive, send, fill, completion.
        let mut offsets = [0; 128];
        socket::get_bytes(&fd, SOL_XDP, XDP_MMAP_OFFSETS, &mut offsets)?;
        let [_receive, send, _fill, completion] = offsets.as_chunks::<32>().0 else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let to_send = Ring::new(&fd, send, SLOT, TX_RING)?;
        let sent = Ring::new(&fd, completion, DONE, COMPLETION_RING)?;
        socket::bind(&fd, RawAddr::rings(ifindex))?;
        Ok(Self { fd, frames, to_send, sent, _memory: memory })
    }

    /// Puts a frame into the ring; false if that is full.
    ///
    /// # Errors
    /// If it is too large.
    pub fn queue(&mut self, frame: &[u8]) -> io::Result<bool> {
        if frame.len() > FRAME {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let next = self.to_send.index(self.to_send.producer).load(Ordering::Relaxed);
        let done = self.sent.index(self.sent.producer).load(Ordering::Acquire);
        if next.wrapping_sub(done) >= FRAMES {
            return Ok(false);
        }
        // Nobody reads what was sent; the kernel wants room there nevertheless.
        self.sent.index(self.sent.consumer).store(done, Ordering::Release);
        let slot = (next % FRAMES) as usize;
        let at = slot * FRAME;
        // SAFETY: `slot` is below FRAMES and the frame fits; the kernel is done with it.
        unsafe {
            ptr::copy_nonoverlapping(frame.as_ptr(), self.frames.start().add(at), frame.len());
        }
        // SAFETY: the ring has FRAMES slots of this size.
        let place = unsafe { self.to_send.memory.start().add(self.to_send.slots + slot * SLOT) };
        let len = super::length(frame.len())?;
        // SAFETY: a slot's first half, ours until the producer index says otherwise.
        unsafe { place.cast::<u64>().write(at as u64) };
        // SAFETY: its second half: length, options.
        unsafe { place.add(8).cast::<[u32; 2]>().write([len, 0]) };
        self.to_send.index(self.to_send.producer).store(next.wrapping_add(1), Ordering::Release);
        Ok(true)
    }

    /// Wakes the kernel; `sendto(2)` without data, which says nothing of how much is sent.
    ///
    /// # Errors
    /// What it said; `EAGAIN` and `EBUSY` mean that it wants to be woken again.
    pub fn wake(&self) -> io::Result<usize> {
        let raw = self.fd.as_fd().as_raw_fd();
        // SAFETY: no data and no address are passed.
        sized(unsafe { libc::sendto(raw, ptr::null(), 0, libc::MSG_DONTWAIT, ptr::null(), 0) })
    }

    /// Frames that the kernel is done with.
    #[must_use]
    pub fn sent(&self) -> u32 {
        self.sent.index(self.sent.producer).load(Ordering::Acquire)
    }
}
