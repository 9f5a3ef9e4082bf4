//! What those who publish share with the thread that serves.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{Limits, outbox};
use crate::{Event, Status};

/// Bytes beyond the bound for what is no flow: that a sample is complete is told however much moves,
/// else readers would show nothing just then.
pub(super) const RESERVE: usize = 16 << 10;

/// Events as they go over the wire.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Lines {
    /// Adds an event, if there are `room` bytes for it and all before.
    fn add(&mut self, event: &Event, room: usize) -> bool {
        let start = self.text.len();
        outbox::append(event, &mut self.text);
        if self.text.len() > room {
            self.text.truncate(start);
            return false;
        }
        self.ends.push(self.text.len());
        true
    }

    /// One by one.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(start, end)| self.text.get(start..*end).unwrap_or_default())
    }
}

/// Something to hand out to every reader.
#[derive(Debug)]
pub(super) enum Item {
    Lines(Lines),
    /// Of what is no flow, where flows found no room.
    Marks(Lines),
    /// Here, this many events found no room.
    Gap(u64),
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    /// Of the reserve.
    reserved: usize,
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
        let (room, reserve) = {
            let queue = self.queue();
            let reserve = RESERVE.saturating_sub(queue.reserved);
            (self.limit.saturating_sub(queue.bytes), reserve)
        };
        let (mut lines, mut marks) = (Lines::default(), Lines::default());
        let (mut full, mut gap) = (false, 0_u64);
        for event in events {
            full = full || !lines.add(event, room);
            let is_told = !full || (!matches!(event, Event::Flow(_)) && marks.add(event, reserve));
            gap += u64::from(!is_told);
        }
        let mut queue = self.queue();
        queue.bytes += lines.text.len();
        queue.reserved += marks.text.len();
        if !lines.ends.is_empty() {
            queue.items.push_back(Item::Lines(lines));
        }
        match queue.items.back_mut() {
            _ if gap == 0 => {}
            Some(Item::Gap(before)) => *before += gap,
            _ => queue.items.push_back(Item::Gap(gap)),
        }
        if !marks.ends.is_empty() {
            queue.items.push_back(Item::Marks(marks));
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
        (queue.bytes, queue.reserved) = (0, 0);
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
    use crate::FlowEvent;

    fn flow(exe: &str) -> Event {
        Event::Flow(Box::new(FlowEvent { exe: exe.to_owned(), ..FlowEvent::default() }))
    }

    #[test]
    fn flows_that_do_not_fit_become_one_gap_and_the_end_of_the_sample_is_told() {
        let size = outbox::line(&flow("/a")).len();
        let shared = Shared::new(Limits { max_readers: 1, reader_buffer: size * 3 }).unwrap();
        let tick = Event::Tick { time: 1.0, interval: 1.0, flows: 5, send: 0, recv: 0 };
        let sample: Vec<Event> = (0..5).map(|_| flow("/a")).chain([tick.clone()]).collect();
        for _ in 0..2 {
            shared.publish(&sample);
        }
        let items: Vec<Item> = shared.take().into();
        let [Item::Lines(flows), Item::Gap(2), Item::Marks(one), Item::Gap(5), Item::Marks(other)] =
            items.as_slice()
        else {
            panic!("{items:?}")
        };
        assert_eq!((flows.iter().count(), one.iter().count()), (3, 1));
        assert_eq!(one.iter().next(), Some(outbox::line(&tick).as_slice()));
        assert_eq!(other.iter().next(), one.iter().next());
        // A small one that would fit does not overtake those that do not.
        let large = flow(&"x".repeat(size * 3));
        shared.publish(&[large, flow("/a")]);
        assert!(matches!(shared.take().make_contiguous(), [Item::Gap(2)]));
        // Not even what is no flow takes memory without a bound.
        let told = RESERVE / outbox::line(&tick).len();
        shared.publish(&vec![flow("/a"); 4]);
        for _ in 0..told + 100 {
            shared.publish(&[flow("/a"), tick.clone()]);
        }
        let marks = shared.take().iter().filter(|item| matches!(item, Item::Marks(_))).count();
        assert_eq!(marks, told);
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
