//! Tamper evidence of the history: on or off, and its head in the log from time to time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use femtosnitch_store::Sink;

/// Between two heads in the log.
const TELL_EVERY: Duration = Duration::from_secs(24 * 3600);

/// What the configuration says; shared with whoever reads it again.
#[derive(Debug, Clone)]
pub(super) struct Wanted(Arc<AtomicBool>);

impl Wanted {
    /// It is heeded when the next batch was written.
    pub(super) fn set(&self, on: bool) {
        self.0.store(on, Ordering::Release);
    }
}

/// The writer thread's part.
#[derive(Debug)]
pub(super) struct Evidence {
    wanted: Wanted,
    on: bool,
    next: Instant,
}

impl Evidence {
    /// `on`: as the sink was opened.
    pub(super) fn new(on: bool) -> Self {
        Self { wanted: Wanted(Arc::new(AtomicBool::new(on))), on, next: Instant::now() }
    }

    pub(super) fn wanted(&self) -> Wanted {
        self.wanted.clone()
    }

    /// Heeds what is wanted; tells the head once a day, and the first time at once.
    pub(super) fn look(&mut self, sink: &mut Sink) {
        let wanted = self.wanted.0.load(Ordering::Acquire);
        if wanted != self.on && sink.set_tamper_evidence(wanted) {
            self.on = wanted;
            self.next = Instant::now();
            tracing::info!(on = wanted, "tamper evidence of the history was switched");
        }
        if self.on && Instant::now() >= self.next {
            self.next = Instant::now() + TELL_EVERY;
            self.tell(sink);
        }
    }

    /// Writes the head into the log, which is a copy of it outside the history.
    pub(super) fn tell(&self, sink: &mut Sink) {
        if let Some(head) = self.on.then(|| sink.chain_head()).flatten() {
            tracing::info!(head = head.hash, link = head.link, "tamper evidence of the history");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_store::{Options, Reader};

    #[test]
    fn it_follows_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.db");
        let (mut sink, _) = Sink::open(&path, &Options::default(), 1_000).unwrap();
        let mut evidence = Evidence::new(false);
        let wanted = evidence.wanted();
        let on = || Reader::open(&path).unwrap().chain_head().unwrap().map(|head| head.on);
        evidence.look(&mut sink);
        assert_eq!(on(), None);
        wanted.set(true);
        evidence.look(&mut sink);
        assert_eq!(on(), Some(true));
        assert!(evidence.next > Instant::now());
        wanted.set(false);
        evidence.look(&mut sink);
        assert_eq!(on(), Some(false));
    }
}
