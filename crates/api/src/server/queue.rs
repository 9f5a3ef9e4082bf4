//! What those who publish share with the thread that serves.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Limits, outbox};
use crate::{Event, Status};

/// Something to hand out to every reader.
#[derive(Debug)]
pub(super) enum Item {
    /// Lines one after another, and where each ends.
    Lines(Vec<u8>, Vec<usize>),
    /// Here, this many events found no room.
    Gap(u64),
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    status: Option<Status>,
    /// Counts changes of `status`.
    version: u64,
}

#[derive(Debug)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    limit: usize,
    /// Wakes the serving thread.
    pub(super) wake: EventFd,
    stopping: AtomicBool,
    readers: AtomicUsize,
    missed: AtomicU64,
}

impl Shared {
    pub(super) fn new(limits: Limits) -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            queue: Mutex::default(),
            limit: limits.reader_buffer,
            wake: EventFd::from_value_and_flags(0, flags)?,
            stopping: AtomicBool::new(false),
            readers: AtomicUsize::new(0),
            missed: AtomicU64::new(0),
        })
    }

    pub(super) fn readers(&self) -> usize {
        self.readers.load(Ordering::Relaxed)
    }

    pub(super) fn set_readers(&self, count: usize) {
        self.readers.store(count, Ordering::Relaxed);
    }

    pub(super) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    pub(super) fn count_missed(&self, events: u64) {
        self.missed.fetch_add(events, Ordering::Relaxed);
    }

    pub(super) fn publish(&self, events: &[Event]) {
        if events.is_empty() || self.stopping() {
            return;
        }
        // Serialised without holding the lock; several publishers may overrun the bound by what
        // each of them brings, at most once.
        let room = self.limit.saturating_sub(self.queue().bytes);
        let mut text = Vec::new();
        let mut ends = Vec::new();
        for event in events {
            let start = text.len();
            outbox::append(event, &mut text);
            if text.len() > room {
                text.truncate(start);
                break;
            }
            ends.push(text.len());
        }
        let gap = (events.len() - ends.len()) as u64;
        let mut queue = self.queue();
        if !ends.is_empty() {
            queue.bytes += text.len();
            queue.items.push_back(Item::Lines(text, ends));
        }
        match queue.items.back_mut() {
            _ if gap == 0 => {}
            Some(Item::Gap(before)) => *before += gap,
            _ => queue.items.push_back(Item::Gap(gap)),
        }
        drop(queue);
        self.wake();
    }

    pub(super) fn set_status(&self, status: Status) {
        let mut queue = self.queue();
        if queue.status.as_ref() == Some(&status) {
            return;
        }
        queue.status = Some(status);
        queue.version += 1;
        drop(queue);
        if self.readers() > 0 {
            self.wake();
        }
    }

    /// Everything queued.
    pub(super) fn take(&self) -> VecDeque<Item> {
        let mut queue = self.queue();
        queue.bytes = 0;
        std::mem::take(&mut queue.items)
    }

    /// The status if it is newer than `seen`, and its number.
    pub(super) fn status_after(&self, seen: u64) -> Option<(u64, Status)> {
        let queue = self.queue();
        let status = queue.status.as_ref().filter(|_| queue.version > seen)?;
        Some((queue.version, status.clone()))
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn wake(&self) {
        // It fails only when the counter is full, and then the thread has been woken already.
        self.wake.write(1).ok();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while holding it; if it did, the queue would still be well-formed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_becomes_one_gap_behind_what_does() {
        let shared = Shared::new(Limits { max_readers: 1, reader_buffer: 100 }).unwrap();
        let events = vec![Event::Missed { events: 1 }; 5];
        for _ in 0..3 {
            shared.publish(&events);
        }
        let items = shared.take();
        assert!(
            matches!(&items[0], Item::Lines(text, ends) if text.len() == 87 && ends.len() == 3)
        );
        assert!(matches!(&items[1], Item::Gap(12)));
        assert_eq!(items.len(), 2);
        shared.publish(&events[..1]);
        assert!(matches!(&shared.take()[0], Item::Lines(_, ends) if ends.len() == 1));
    }

    #[test]
    fn only_a_changed_status_counts() {
        let shared = Shared::new(Limits::default()).unwrap();
        assert!(shared.status_after(0).is_none());
        for pid in [1, 1, 2, 2] {
            shared.set_status(Status { pid, ..Status::default() });
        }
        assert_eq!(shared.status_after(0).unwrap().0, 2);
        assert!(shared.status_after(2).is_none());
    }
}
