//! The kernel side's arrays, as far as they are in use.

use std::marker::PhantomData;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::Relaxed;

use femtosnitch_model::Slot;

use crate::abi::{self, RawFlow, RawTcp, Wire};
use crate::mapping::Mapping;

/// An array of the kernel side with one `T` a slot, mapped piece by piece as slots are handed out:
/// a table for many sockets then costs the daemon only what the machine really has.
#[derive(Debug)]
pub(crate) struct Segments<T> {
    fd: OwnedFd,
    slots: u32,
    mapped: Vec<Option<Mapping>>,
    of: PhantomData<T>,
}

impl<T: Wire> Segments<T> {
    /// Slots in a piece: a multiple of every page size, since a `T` has 64 bytes or 128.
    const SLOTS: u32 = 2048;

    pub(crate) fn new(fd: OwnedFd, slots: u32) -> Self {
        Self { fd, slots, mapped: Vec::new(), of: PhantomData }
    }

    /// A slot as it is now, each word of it at some moment.
    pub(crate) fn read(&mut self, slot: Slot) -> Option<T> {
        self.read_as(slot)
    }

    /// The same, where the slot holds something else of that size.
    pub(crate) fn read_as<U: Wire>(&mut self, slot: Slot) -> Option<U> {
        const { assert!(size_of::<U>() == size_of::<T>()) };
        let (piece, base) = self.at(slot)?;
        let mut bytes = [0u8; 128];
        let bytes = bytes.get_mut(..size_of::<T>())?;
        for (i, chunk) in bytes.chunks_exact_mut(8).enumerate() {
            let word = piece.u64(base + i * 8)?.load(Relaxed);
            chunk.copy_from_slice(&word.to_ne_bytes());
        }
        abi::read(bytes)
    }

    /// The piece that holds a slot, and where in it.
    fn at(&mut self, slot: Slot) -> Option<(&Mapping, usize)> {
        if slot.0 >= self.slots {
            return None;
        }
        let index = (slot.0 / Self::SLOTS) as usize;
        if self.mapped.len() <= index {
            self.mapped.resize_with(index + 1, || None);
        }
        let piece = self.mapped.get_mut(index)?;
        if piece.is_none() {
            let first = slot.0 - slot.0 % Self::SLOTS;
            let flows = Self::SLOTS.min(self.slots - first);
            let bytes = |flows: u32| flows as usize * size_of::<T>();
            match Mapping::new(self.fd.as_fd(), bytes(first), bytes(flows)) {
                Ok(mapping) => *piece = Some(mapping),
                Err(error) => {
                    tracing::warn!(%error, "cannot map more counters");
                    return None;
                }
            }
        }
        let base = (slot.0 % Self::SLOTS) as usize * size_of::<T>();
        Some((piece.as_ref()?, base))
    }
}

// Each slot is read word by word; every counter must be one aligned word or half of one.
const _: () = assert!(size_of::<RawFlow>() == 128);
const _: () = assert!(size_of::<RawTcp>() == 64);
