//! The thread that serves readers. It sleeps in `poll(2)` while there is nothing to say.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Limits;
use super::outbox::{self, Outbox};
use super::queue::{Item, Shared};
use crate::Event;
use crate::socket::Bound;

/// No reader gets a status more often.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// After failing to accept (out of descriptors), this long nobody is accepted.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// At the end, readers have this long to take what is left.
const FAREWELL: Duration = Duration::from_millis(250);
/// Below this a buffer could not even hold a line about its gaps.
const SMALLEST_BUFFER: usize = 4096;

struct Reader {
    stream: UnixStream,
    outbox: Outbox,
    /// Number of the status it got last, 0 for none, and when.
    status: u64,
    status_at: Option<Instant>,
    gone: bool,
}

pub(super) struct Server {
    bound: Bound,
    shared: Arc<Shared>,
    hello: Vec<u8>,
    limits: Limits,
    readers: Vec<Reader>,
    /// The newest status as a line, and its number.
    status: (u64, Vec<u8>),
    accept_after: Option<Instant>,
}

impl Server {
    pub(super) fn new(bound: Bound, shared: Arc<Shared>, hello: &Event, limits: Limits) -> Self {
        let limits = Limits { reader_buffer: limits.reader_buffer.max(SMALLEST_BUFFER), ..limits };
        let (readers, status) = (Vec::new(), (0, Vec::new()));
        let hello = outbox::line(hello);
        Self { bound, shared, hello, limits, readers, status, accept_after: None }
    }

    pub(super) fn run(mut self) {
        while !self.shared.stopping() {
            let timeout = self.timeout(Instant::now());
            let Ok(ready) = self.wait(timeout) else {
                // Only memory exhaustion gets here; try again when it may have passed.
                std::thread::sleep(ACCEPT_PAUSE);
                continue;
            };
            if ready {
                self.accept();
            }
            self.hand_out();
            self.offer_status(Instant::now());
            self.flush();
        }
        self.farewell();
    }

    /// Sleeps until there is something to do; whether somebody wants to be accepted.
    fn wait(&mut self, timeout: PollTimeout) -> io::Result<bool> {
        let mut fds = Vec::with_capacity(self.readers.len() + 2);
        fds.push(PollFd::new(self.shared.wake.as_fd(), PollFlags::POLLIN));
        let accepting = self.accept_after.is_none_or(|after| after <= Instant::now());
        let wanted = if accepting { PollFlags::POLLIN } else { PollFlags::empty() };
        fds.push(PollFd::new(self.bound.listener.as_fd(), wanted));
        for reader in &self.readers {
            // What a reader says is left in its socket, so that chatter costs nothing here; that
            // it hung up is told without asking.
            let idle = reader.outbox.is_empty();
            let wanted = if idle { PollFlags::empty() } else { PollFlags::POLLOUT };
            fds.push(PollFd::new(reader.stream.as_fd(), wanted));
        }
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let told: Vec<PollFlags> =
            fds.iter().map(|fd| fd.revents().unwrap_or(PollFlags::empty())).collect();
        let mut told = told.into_iter();
        if told.next().is_some_and(|flags| !flags.is_empty()) {
            // Empty already is fine too.
            self.shared.wake.read().ok();
        }
        let ready = told.next().is_some_and(|flags| flags.contains(PollFlags::POLLIN));
        let dead = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        for (reader, flags) in self.readers.iter_mut().zip(told) {
            reader.gone |= flags.intersects(dead);
        }
        Ok(ready)
    }

    /// Until when to sleep: for ever, unless something was postponed.
    fn timeout(&self, now: Instant) -> PollTimeout {
        let statuses = self.readers.iter().filter(|reader| self.owes_status(reader));
        let due = statuses.filter_map(|reader| Some(reader.status_at? + STATUS_EVERY));
        let next = due.chain(self.accept_after.filter(|after| *after > now)).min();
        next.map_or(PollTimeout::NONE, |at| {
            let left = at.saturating_duration_since(now) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        })
    }

    fn owes_status(&self, reader: &Reader) -> bool {
        reader.status < self.status.0 && reader.outbox.fits(&self.status.1)
    }

    fn accept(&mut self) {
        loop {
            let stream = match self.bound.listener.accept() {
                Ok((stream, _)) => stream,
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return,
                Err(err) if err.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => {
                    self.accept_after = Some(Instant::now() + ACCEPT_PAUSE);
                    return;
                }
            };
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            if self.readers.len() >= self.limits.max_readers {
                self.send_away(&stream);
                continue;
            }
            let mut outbox = Outbox::new(self.limits.reader_buffer);
            outbox.aside(&self.hello);
            self.readers.push(Reader { stream, outbox, status: 0, status_at: None, gone: false });
            self.shared.set_readers(self.readers.len());
        }
    }

    fn send_away(&self, mut stream: &UnixStream) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = format!(
            "the live socket already has {} readers, the most it takes; close one of them, or \
             raise the limit in the configuration",
            self.limits.max_readers
        );
        let warning = Event::Warning { time: since.as_secs_f64(), text };
        let lines = [self.hello.as_slice(), &outbox::line(&warning)].concat();
        // A fresh socket has room for this; if not, closing says enough.
        stream.write_all(&lines).ok();
    }

    /// Gives every reader what was published.
    fn hand_out(&mut self) {
        let mut missed = 0;
        for item in self.shared.take() {
            for reader in &mut self.readers {
                match &item {
                    Item::Gap(events) => {
                        reader.outbox.lose(*events);
                        missed += events;
                    }
                    Item::Lines(lines) => {
                        let lost = lines.iter().filter(|line| !reader.outbox.event(line));
                        missed += lost.count() as u64;
                    }
                    Item::Marks(lines) => {
                        let lost = lines.iter().filter(|line| !reader.outbox.mark(line));
                        missed += lost.count() as u64;
                    }
                }
            }
        }
        if missed > 0 {
            self.shared.count_missed(missed);
        }
    }

    /// Gives the newest status to readers that lack it and had the last one long enough ago.
    fn offer_status(&mut self, now: Instant) {
        if self.readers.is_empty() {
            return;
        }
        if let Some((number, status)) = self.shared.status_after(self.status.0) {
            self.status = (number, outbox::line(&Event::Status(Box::new(status))));
        }
        let (number, line) = &self.status;
        for reader in self.readers.iter_mut().filter(|reader| reader.status < *number) {
            let due = reader.status_at.is_none_or(|at| now >= at + STATUS_EVERY);
            if due && reader.outbox.aside(line) {
                (reader.status, reader.status_at) = (*number, Some(now));
            }
        }
    }

    fn flush(&mut self) {
        for reader in &mut self.readers {
            reader.gone = reader.gone || reader.outbox.flush(&reader.stream).is_err();
        }
        let before = self.readers.len();
        self.readers.retain(|reader| !reader.gone);
        if self.readers.len() != before {
            self.shared.set_readers(self.readers.len());
        }
    }

    fn farewell(&mut self) {
        let until = Instant::now() + FAREWELL;
        self.hand_out();
        self.flush();
        while self.readers.iter().any(|reader| !reader.outbox.is_empty()) {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
            if left.is_zero() || self.wait(timeout).is_err() {
                break;
            }
            self.flush();
        }
        self.shared.set_readers(0);
    }
}
