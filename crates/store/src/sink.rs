//! A writer that outlives full disks and damaged files.

use std::path::Path;
use std::path::PathBuf;

use crate::Batch;
use crate::ChainHead;
use crate::Dropped;
use crate::ExpireReport;
use crate::Gap;
use crate::OpenReport;
use crate::Options;
use crate::Quarantined;
use crate::Retention;
use crate::Salvaged;
use crate::Spool;
use crate::StoreError;
use crate::WriteReport;
use crate::Writer;

/// After so many damaged histories it is the disk, and nothing is taken over any more.
const MOST_SALVAGED: u64 = 3;

/// How the sink is doing after a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkState {
    /// Why nothing is being written at the moment; `None` if all is written.
    pub waiting: Option<String>,
    /// Rows kept in memory until then.
    pub queued_rows: usize,
    /// What did not fit in memory, since the sink was opened.
    pub dropped: Dropped,
    /// What was written, since the sink was opened.
    pub written: WriteReport,
    /// Databases found damaged and moved aside, since the sink was opened.
    pub quarantines: u64,
    /// The latest of them.
    pub quarantined: Option<Quarantined>,
    /// What was saved of the latest of them, or one before, so far; `None` if there was none.
    pub salvaged: Option<Salvaged>,
    /// When nobody looked before this sink did; `None` also while that is not known yet.
    pub unwatched: Option<Gap>,
}

/// Takes batches at any time; writes them in order as soon as the database takes them.
#[derive(Debug)]
pub struct Sink {
    path: PathBuf,
    options: Options,
    writer: Option<Writer>,
    spool: Spool,
    /// When watching began, until that is written.
    watch_from: Option<i64>,
    state: SinkState,
}

impl Sink {
    /// Opens the history for writing, keeping at most `max_rows` rows in memory while that fails.
    /// If it fails for a reason that may pass (a full disk, a lock), the sink starts out waiting;
    /// the report is `None` then.
    ///
    /// # Errors
    /// Reasons that need somebody to act, as [`Writer::open`].
    pub fn open(
        path: &Path,
        options: &Options,
        max_rows: usize,
    ) -> Result<(Self, Option<OpenReport>), StoreError> {
        let mut sink = Self {
            path: path.to_owned(),
            options: options.clone(),
            writer: None,
            spool: Spool::new(max_rows),
            watch_from: None,
            state: SinkState::default(),
        };
        match Writer::open(path, options) {
            Ok((writer, report)) => {
                sink.writer = Some(writer);
                sink.note(&report);
                Ok((sink, Some(report)))
            }
            Err(error) if error.is_passing() => {
                sink.wait_for(&error);
                Ok((sink, None))
            }
            Err(error) => Err(error),
        }
    }

    /// Somebody looks from `now` (unix seconds) on: [`Writer::begin_watch`], as soon as the database
    /// takes it and before any batch.
    pub fn begin_watch(&mut self, now: i64) -> SinkState {
        self.watch_from = Some(now);
        self.flush()
    }

    /// Writes this batch after all that wait before it, or keeps it. Never fails: the state says
    /// what happened. May take as long as a write does, and 2 s more if another program holds a
    /// lock.
    pub fn push(&mut self, batch: Batch) -> SinkState {
        self.spool.push(batch);
        self.flush()
    }

    /// Writes what waits; call it before the end, and from time to time.
    pub fn flush(&mut self) -> SinkState {
        match self.drain() {
            Ok(()) => {
                if self.state.waiting.take().is_some() {
                    tracing::info!(database = %self.path.display(), "writing again");
                }
            }
            Err(error) => self.wait_for(&error),
        }
        self.state()
    }

    /// How it is, without trying anything.
    #[must_use]
    pub fn state(&self) -> SinkState {
        SinkState {
            queued_rows: self.spool.rows(),
            dropped: self.spool.dropped(),
            ..self.state.clone()
        }
    }

    /// [`Sink::retain`] with [`Retention::since`].
    ///
    /// # Errors
    /// As [`Sink::retain`].
    pub fn expire(&mut self, before: i64, max_rows: usize) -> Result<ExpireReport, StoreError> {
        self.retain(&Retention::since(before), max_rows)
    }

    /// One step of retention ([`Writer::retain`]). Does nothing while the sink waits.
    ///
    /// # Errors
    /// As [`Writer::retain`]. A damaged database has been replaced when this returns.
    pub fn retain(
        &mut self,
        keep: &Retention,
        max_rows: usize,
    ) -> Result<ExpireReport, StoreError> {
        let Some(writer) = self.writer.as_mut() else {
            return Ok(ExpireReport { done: true, ..ExpireReport::default() });
        };
        let result = writer.retain(keep, max_rows);
        if let Err(StoreError::Corrupt { reason, .. }) = &result {
            self.replace(reason)?;
        }
        result
    }

    /// Takes over some more of what can still be read of a damaged history ([`Writer::salvage`]).
    /// True if there is more; the state tells how far it is. Does nothing while the sink waits.
    ///
    /// # Errors
    /// As [`Writer::salvage`]. A damaged database has been replaced when this returns.
    pub fn salvage(&mut self, max_rows: usize) -> Result<bool, StoreError> {
        let Some(writer) = self.writer.as_mut() else { return Ok(false) };
        match writer.salvage(max_rows) {
            Ok(None) => Ok(false),
            Ok(salvaged) => {
                self.state.salvaged = salvaged;
                Ok(writer.salvage.is_some())
            }
            Err(error) => {
                if let StoreError::Corrupt { reason, .. } = &error {
                    self.replace(reason)?;
                }
                Err(error)
            }
        }
    }

    /// Switches tamper evidence on or off ([`Writer::set_tamper_evidence`]). False if the database
    /// does not take it now: call it again later.
    pub fn set_tamper_evidence(&mut self, on: bool) -> bool {
        self.options.tamper_evidence = on;
        let Some(writer) = self.writer.as_mut() else { return true };
        match writer.set_tamper_evidence(on) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, on, "tamper evidence could not be switched yet");
                false
            }
        }
    }

    /// The hash to note down ([`Writer::mark_chain`]); `None` while it is off, or the sink waits.
    pub fn chain_head(&mut self) -> Option<ChainHead> {
        let head = self.writer.as_mut()?.mark_chain();
        head.unwrap_or_else(|error| {
            tracing::warn!(%error, "no link could be added to the chain");
            None
        })
    }

    fn drain(&mut self) -> Result<(), StoreError> {
        let mut replaced = false;
        while self.watch_from.is_some() || !self.spool.is_empty() {
            let writer = match self.writer.as_mut() {
                Some(writer) => writer,
                None => {
                    let (writer, report) = Writer::open(&self.path, &self.options)?;
                    self.writer = Some(writer);
                    self.note(&report);
                    continue;
                }
            };
            let written = match (self.watch_from, self.spool.front()) {
                (Some(now), _) => writer.begin_watch(now).map(|gap| {
                    self.watch_from = None;
                    self.state.unwatched = gap;
                }),
                (None, Some(batch)) => writer.write(batch).map(|report| {
                    self.state.written += report;
                    self.spool.pop();
                }),
                (None, None) => return Ok(()),
            };
            match written {
                Ok(()) => {}
                // Once: a new file that is damaged again is the disk's fault.
                Err(StoreError::Corrupt { reason, .. }) if !replaced => {
                    replaced = true;
                    self.replace(&reason)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn replace(&mut self, reason: &str) -> Result<(), StoreError> {
        if let Some(writer) = self.writer.take() {
            let (mut writer, report) = writer.replace(reason)?;
            if self.state.quarantines >= MOST_SALVAGED {
                writer.salvage = None;
            }
            self.writer = Some(writer);
            self.note(&report);
        }
        Ok(())
    }

    fn note(&mut self, report: &OpenReport) {
        if let Some(quarantined) = &report.quarantined {
            self.state.quarantines += 1;
            self.state.quarantined = Some(quarantined.clone());
        }
    }

    fn wait_for(&mut self, error: &StoreError) {
        let reason = error.to_string();
        if self.state.waiting.as_ref() != Some(&reason) {
            tracing::warn!(%reason, "history is kept in memory");
        }
        self.state.waiting = Some(reason);
    }
}
