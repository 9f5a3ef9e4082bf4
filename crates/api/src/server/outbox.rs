//! What waits for one reader.

use std::collections::VecDeque;
use std::io::{self, Write};

use super::queue::RESERVE;
use crate::Event;

/// Memory that an idle reader may keep.
const KEEP: usize = 64 * 1024;

/// Whole lines, up to a bound. Events beyond it leave a gap, which is closed by a line that says
/// how many are missing.
#[derive(Debug)]
pub(super) struct Outbox {
    bytes: VecDeque<u8>,
    limit: usize,
    missed: u64,
}

impl Outbox {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), limit, missed: 0 }
    }

    /// Takes an event's line; `false` if it was left out.
    pub(super) fn event(&mut self, line: &[u8]) -> bool {
        self.close_gap();
        let fits = self.missed == 0 && self.fits(line);
        if fits {
            self.bytes.extend(line);
        } else {
            self.missed += 1;
        }
        fits
    }

    /// Takes the line of an event that is no flow, and before it says how many are missing; for
    /// both there is some room beyond the bound. `false` if it was left out.
    pub(super) fn mark(&mut self, line: &[u8]) -> bool {
        let gap = match self.missed {
            0 => Vec::new(),
            events => self::line(&Event::Missed { events }),
        };
        let room = (self.limit + RESERVE).saturating_sub(self.bytes.len());
        let fits = gap.len() + line.len() <= room;
        if fits {
            self.missed = 0;
            self.bytes.extend(gap);
            self.bytes.extend(line);
        } else {
            self.missed += 1;
        }
        fits
    }

    /// Leaves out events that others have already dropped.
    pub(super) fn lose(&mut self, events: u64) {
        self.missed += events;
    }

    /// Takes a line that is no event and that may be left out without being counted.
    pub(super) fn aside(&mut self, line: &[u8]) -> bool {
        let fits = self.fits(line);
        if fits {
            self.bytes.extend(line);
        }
        fits
    }

    /// Closes the gap once half of the room is free: earlier would make a gap of every event.
    pub(super) fn close_gap(&mut self) {
        if self.missed == 0 || self.bytes.len() > self.limit / 2 {
            return;
        }
        let line = line(&Event::Missed { events: self.missed });
        if self.fits(&line) {
            self.bytes.extend(line);
            self.missed = 0;
        }
    }

    pub(super) fn fits(&self, line: &[u8]) -> bool {
        line.len() <= self.limit.saturating_sub(self.bytes.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes as much as the reader takes without waiting.
    pub(super) fn flush(&mut self, mut to: impl Write) -> io::Result<()> {
        loop {
            self.close_gap();
            let (front, _) = self.bytes.as_slices();
            if front.is_empty() {
                if self.bytes.capacity() > KEEP {
                    self.bytes.shrink_to(KEEP);
                }
                return Ok(());
            }
            match to.write(front) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => drop(self.bytes.drain(..len)),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(err) => return Err(err),
            }
        }
    }
}

/// An event as it goes over the wire.
pub(super) fn line(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    append(event, &mut out);
    out
}

/// The same at the end of `out`.
pub(super) fn append(event: &Event, out: &mut Vec<u8>) {
    let start = out.len();
    match serde_json::to_writer(&mut *out, event) {
        Ok(()) => out.push(b'\n'),
        // No type of ours can fail to serialise; if one ever does, a torn line must not go out.
        Err(_) => out.truncate(start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_stands_where_events_are_missing() {
        let mut outbox = Outbox::new(100);
        let text = |n: u8| [n; 29].into_iter().chain([b'\n']).collect::<Vec<u8>>();
        let taken: Vec<bool> = (b'a'..=b'f').map(|n| outbox.event(&text(n))).collect();
        assert_eq!(taken, [true, true, true, false, false, false]);
        let mut out = Vec::new();
        outbox.flush(&mut out).unwrap();
        let mut want = [text(b'a'), text(b'b'), text(b'c')].concat();
        want.extend(b"{\"type\":\"missed\",\"events\":3}\n");
        assert_eq!(out, want);
        assert!(outbox.event(&text(b'g')) && outbox.missed == 0);
    }

    #[test]
    fn a_mark_finds_room_behind_a_gap_of_flows() {
        let mut outbox = Outbox::new(64);
        assert!(outbox.event(&[b'a'; 60]) && !outbox.event(&[b'b'; 60]));
        assert!(outbox.mark(b"mark\n") && outbox.mark(b"more\n"));
        assert!(!outbox.event(b"c"));
        let mut out = Vec::new();
        outbox.flush(&mut out).unwrap();
        let gap = b"{\"type\":\"missed\",\"events\":1}\n";
        assert_eq!(out, [&[b'a'; 60][..], gap, b"mark\nmore\n", gap].concat());
        // A reader that takes nothing costs no more than the reserve.
        let taken = (0..RESERVE).filter(|_| outbox.mark(b"mark\n")).count();
        assert!(taken > 0 && outbox.bytes.len() <= 64 + RESERVE);
    }

    #[test]
    fn a_line_larger_than_the_room_is_missed_alone() {
        let mut outbox = Outbox::new(64);
        assert!(!outbox.event(&[b'x'; 65]));
        assert!(outbox.event(b"y\n"));
        let mut out = Vec::new();
        outbox.flush(&mut out).unwrap();
        assert_eq!(out, b"{\"type\":\"missed\",\"events\":1}\ny\n");
    }

    #[test]
    fn a_reader_that_takes_a_little_loses_nothing_of_a_line() {
        struct Slow(Vec<u8>, bool);
        impl Write for Slow {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.1 = !self.1;
                if self.1 {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                let len = bytes.len().min(7);
                self.0.extend(&bytes[..len]);
                Ok(len)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut slow = Slow(Vec::new(), false);
        let (mut outbox, mut sent, mut lost) = (Outbox::new(200), 0u64, 0u64);
        for _ in 0..500 {
            if outbox.event(b"{\"type\":\"missed\",\"events\":0}\n") {
                sent += 1
            } else {
                lost += 1
            }
            outbox.flush(&mut slow).unwrap();
        }
        while !outbox.is_empty() {
            outbox.flush(&mut slow).unwrap();
        }
        let mut told = 0;
        let mut whole = 0;
        for text in std::str::from_utf8(&slow.0).unwrap().lines() {
            match serde_json::from_str(text).unwrap() {
                Event::Missed { events: 0 } => whole += 1,
                Event::Missed { events } => told += events,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((whole, told), (sent, lost));
        assert!(lost > 0 && sent > 0);
    }
}
