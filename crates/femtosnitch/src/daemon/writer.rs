//! The writer thread: the only one that touches the database.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::bail;
use femtosnitch_store::{Batch, Gap, Locator, Sink, SinkState};
use femtosnitch_sys::clock::{self, StepDetector};
use femtosnitch_sys::thread;

use super::evidence::{Evidence, Wanted};
use super::report::Report;
use super::retention::{Keep, Shared};
use super::textlog::{TextLog, TextLogAsks};
use crate::config;

/// Batches on their way. More wait in the engine, where they are summed up.
const ON_THE_WAY: usize = 2;
/// Rows deleted in one step of retention: some milliseconds.
const STEP_ROWS: usize = 2_000;
/// Rows of a damaged history taken over in one step: some tens of milliseconds.
const SALVAGE_ROWS: usize = 2_000;
/// Between two steps while there is more to delete.
const STEP_PAUSE: Duration = Duration::from_millis(250);
/// Between two looks at whether there is anything to delete.
const RETENTION_PAUSE: Duration = Duration::from_secs(60);
/// Between two tries to write what could not be written.
const RETRY: Duration = Duration::from_secs(2);
/// The clock is not believed at once after such a time without the daemon.
const FAR_AHEAD: Duration = Duration::from_secs(24 * 3600);
/// A clock that leaps further than this is not believed at once: history would be gone for good.
const LEAP: Duration = Duration::from_secs(3600);
/// How long such a clock has to stand before history is deleted by it.
const TRUST_AFTER: Duration = Duration::from_secs(3600);

/// The capture thread's end.
pub(super) struct Batches {
    sender: SyncSender<Batch>,
    waiting: Arc<AtomicUsize>,
    gaps: Vec<Gap>,
}

impl Batches {
    /// True if a batch would have to wait.
    pub(super) fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Acquire) >= ON_THE_WAY
    }

    /// Tells the history of a time in which nobody looked, together with the next batch.
    pub(super) fn note_gap(&mut self, gap: Gap) {
        self.gaps.push(gap);
    }

    /// Waits only for the last batch, when `is_behind` was not heeded.
    pub(super) fn send(&mut self, mut batch: Batch) {
        batch.gaps.append(&mut self.gaps);
        self.waiting.fetch_add(1, Ordering::AcqRel);
        // Only a panic ends the other side first; its result tells.
        drop(self.sender.send(batch));
    }
}

/// The main thread's end.
pub(super) struct WriterHandle {
    thread: JoinHandle<anyhow::Result<()>>,
    batches: Mutex<Option<Batches>>,
    keep: Shared,
    evidence: Wanted,
    log: TextLogAsks,
}

impl WriterHandle {
    /// For the capture thread; once.
    pub(super) fn batches(&self) -> Batches {
        let taken = self.batches.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.unwrap_or_else(|| {
            // Never reached: the daemon starts one capture thread.
            let (sender, _) = sync_channel(0);
            Batches { sender, waiting: Arc::new(AtomicUsize::new(0)), gaps: Vec::new() }
        })
    }

    pub(super) fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// It is heeded when the next batch was written.
    pub(super) fn set_retention(&self, keep: Keep) {
        self.keep.set(keep);
    }

    /// Likewise.
    pub(super) fn set_tamper_evidence(&self, on: bool) {
        self.evidence.set(on);
    }

    /// The log of connections changes with the next batch.
    pub(super) fn set_log(&self, log: config::Log) {
        self.log.send(log);
    }

    /// Waits until everything is written. The capture thread has to be gone.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self.thread.join() {
            Ok(result) => result,
            Err(_) => bail!("the writer thread panicked; this is a defect, please report it"),
        }
    }
}

/// True if the clock may be wrong since boot: it is far ahead of what was written last, and no time
/// service vouches for it. A machine that was off for long looks the same; it can wait.
fn doubtful(state: &SinkState) -> bool {
    let leap = i64::try_from(FAR_AHEAD.as_secs()).unwrap_or(i64::MAX);
    let ahead = state.unwatched.as_ref().is_some_and(|gap| gap.ended() - gap.began() > leap);
    ahead && !clock::is_synchronized()
}

fn wall_seconds() -> i64 {
    i64::try_from(clock::wall_ns() / 1_000_000_000).unwrap_or(i64::MAX)
}

/// Starts the thread.
pub(super) fn start(
    mut sink: Sink,
    (keep, evidence): (Keep, Evidence),
    locator: Locator,
    log: TextLog,
    report: Arc<Report>,
) -> std::io::Result<WriterHandle> {
    let state = sink.begin_watch(wall_seconds());
    let distrust_until = doubtful(&state).then(|| Instant::now() + TRUST_AFTER);
    report.written(state);
    let (sender, inbox) = sync_channel(ON_THE_WAY);
    let waiting = Arc::new(AtomicUsize::new(0));
    let keep = Shared::new(keep);
    let asks = log.asks();
    let wanted = evidence.wanted();
    let writer = Writer {
        sink,
        locator,
        log,
        inbox,
        waiting: Arc::clone(&waiting),
        keep: keep.clone(),
        evidence,
        report,
        clock: StepDetector::new(LEAP),
        distrust_until,
    };
    let thread = thread::spawn("writer", move || writer.run())?;
    let batches = Mutex::new(Some(Batches { sender, waiting, gaps: Vec::new() }));
    Ok(WriterHandle { thread, batches, keep, evidence: wanted, log: asks })
}

struct Writer {
    sink: Sink,
    locator: Locator,
    log: TextLog,
    inbox: Receiver<Batch>,
    waiting: Arc<AtomicUsize>,
    keep: Shared,
    evidence: Evidence,
    report: Arc<Report>,
    clock: StepDetector,
    distrust_until: Option<Instant>,
}

impl Writer {
    fn run(mut self) -> anyhow::Result<()> {
        let mut next_step = Instant::now() + RETENTION_PAUSE;
        let mut keep = self.keep.get();
        // Something may be left to take over of a history that was damaged.
        let mut salvage = Instant::now() + STEP_PAUSE;
        let mut retry = false;
        // So that `status` knows before the first batch. Nothing is cached that could be outdated.
        self.locator.lock().unwrap_or_else(PoisonError::into_inner).refresh();
        self.evidence.look(&mut self.sink);
        loop {
            let mut pause = next_step.min(salvage).saturating_duration_since(Instant::now());
            if retry {
                pause = pause.min(RETRY);
            }
            match self.inbox.recv_timeout(pause) {
                Ok(batch) => {
                    retry = self.write(Some(batch));
                    self.waiting.fetch_sub(1, Ordering::AcqRel);
                }
                Err(RecvTimeoutError::Timeout) if retry => retry = self.write(None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.last_words(),
            }
            self.evidence.look(&mut self.sink);
            if Instant::now() >= salvage {
                let more = self.salvage();
                salvage = Instant::now() + if more { STEP_PAUSE } else { RETENTION_PAUSE };
            }
            let changed = std::mem::replace(&mut keep, self.keep.get()) != keep;
            if changed || Instant::now() >= next_step {
                let more = self.expire(keep);
                next_step = Instant::now() + if more { STEP_PAUSE } else { RETENTION_PAUSE };
            }
        }
    }

    /// Writes a batch, or what waits. True if something still waits.
    fn write(&mut self, batch: Option<Batch>) -> bool {
        let state = match batch {
            Some(batch) => {
                // First: it does not wait for the database.
                self.log.append(&batch.rows, &self.locator);
                self.sink.push(batch)
            }
            None => self.sink.flush(),
        };
        let waits = state.waiting.is_some();
        self.report.written(state);
        waits
    }

    fn last_words(mut self) -> anyhow::Result<()> {
        let state = self.sink.flush();
        self.evidence.tell(&mut self.sink);
        let (rows, waiting) = (state.queued_rows, state.waiting.clone());
        self.report.written(state);
        match waiting {
            Some(reason) if rows > 0 => bail!("{rows} rows could not be written: {reason}"),
            _ => Ok(()),
        }
    }

    /// Takes over some more of a damaged history. True if there is more.
    fn salvage(&mut self) -> bool {
        match self.sink.salvage(SALVAGE_ROWS) {
            Ok(more) => {
                if self.sink.state().salvaged.is_some() {
                    self.report.written(self.sink.state());
                }
                more
            }
            Err(error) => {
                self.report.warn(&format!("a damaged history is taken over later: {error}"));
                false
            }
        }
    }

    /// One step of retention. True if there is more to delete.
    fn expire(&mut self, keep: Keep) -> bool {
        if let Some(step) = self.clock.check() {
            let hours = step / 3_600_000_000_000;
            self.report.warn(&format!(
                "the clock was set by {hours} hours: for an hour no history is deleted as too old"
            ));
            self.distrust_until = Some(Instant::now() + TRUST_AFTER);
        }
        let doubted = self.distrust_until.is_some_and(|until| Instant::now() < until);
        let now = (!doubted).then(wall_seconds);
        let Some(keep) = keep.at(now) else { return false };
        match self.sink.retain(&keep, STEP_ROWS) {
            Ok(step) => !step.done,
            Err(error) => {
                self.report.warn(&format!("old history could not be deleted: {error}"));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_store::GapReason;

    #[test]
    fn a_clock_far_ahead_is_doubted_unless_it_is_vouched_for() {
        let after = |seconds: i64| SinkState {
            unwatched: Gap::new(1_000, 1_000 + seconds, GapReason::Killed),
            ..SinkState::default()
        };
        assert!(!doubtful(&SinkState::default()));
        assert!(!doubtful(&after(3_600)));
        assert_eq!(doubtful(&after(90_000)), !clock::is_synchronized());
    }

    #[test]
    fn a_gap_goes_with_the_next_batch() {
        let (sender, inbox) = sync_channel(ON_THE_WAY);
        let mut batches =
            Batches { sender, waiting: Arc::new(AtomicUsize::new(0)), gaps: Vec::new() };
        let gap = Gap::new(10, 20, GapReason::Suspended).unwrap();
        batches.note_gap(gap.clone());
        assert!(!batches.is_behind());
        batches.send(Batch::default());
        batches.send(Batch::default());
        assert!(batches.is_behind());
        assert_eq!(inbox.recv().unwrap().gaps, [gap]);
        assert_eq!(inbox.recv().unwrap().gaps, []);
    }
}
