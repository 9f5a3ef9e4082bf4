//! Retention: the oldest goes first, a little at a time, while everything runs.

mod levels;
mod names;

use std::time::Duration;

use rusqlite::TransactionBehavior;

use crate::StoreError;
use crate::Writer;
use crate::chain::Kind;
use crate::classify::At;
use crate::classify::Sql;
use crate::events;
use crate::gaps;
use levels::Cut;
use names::Before;

pub(crate) use names::Sweep;

/// Free pages are kept for new rows up to this share of the file (one in …) …
const KEEP_FREE_SHARE: i64 = 16;
/// … and up to this many pages in any case (1 MB).
const KEEP_FREE_PAGES: i64 = 256;
/// Pages given back to the file system per step (1 MB).
const VACUUM_PAGES: i64 = 256;
/// A step that comes while the journal is emptied waits for so long, and then does nothing.
const PATIENCE: Duration = Duration::from_millis(20);

/// What is kept of the history: what is older than these unix seconds goes. Rows and minutes go by
/// full hours, hours and days by full days (UTC), so that what is left is complete. Sums of hours are
/// kept at least as long as rows and minutes, those of days as long as those of hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Single rows.
    pub rows: i64,
    /// Sums of minutes. They are made of rows when these go; as long as there are rows, they are
    /// what minutes are read from.
    pub minutes: i64,
    /// Sums of hours.
    pub hours: i64,
    /// Sums of days.
    pub days: i64,
    /// If the history takes more bytes than this, the oldest rows go first, down to those of the
    /// last day, then sums of minutes, hours and days.
    pub max_bytes: Option<u64>,
}

impl Retention {
    /// Nothing that is older than `before`.
    #[must_use]
    pub fn since(before: i64) -> Self {
        Self { rows: before, minutes: before, hours: before, days: before, max_bytes: None }
    }
}

/// What one step of retention did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpireReport {
    /// Rows deleted.
    pub connections: usize,
    /// Sums of a minute, an hour or a day deleted.
    pub sums: usize,
    /// Executables, domains, addresses, locations, containers, processes, places, programs, what
    /// was known of them, and what rows and sums refer to them by, deleted since nothing refers to
    /// them any more.
    pub names: usize,
    /// Events forgotten.
    pub events: usize,
    /// Gaps forgotten.
    pub gaps: usize,
    /// Pages of 4096 bytes given back to the file system.
    pub pages: i64,
    /// Nothing is left to do: call again in a while. Otherwise call again soon.
    pub done: bool,
}

impl Writer {
    /// [`Writer::retain`] with [`Retention::since`].
    ///
    /// # Errors
    /// As [`Writer::retain`].
    pub fn expire(&mut self, before: i64, max_rows: usize) -> Result<ExpireReport, StoreError> {
        self.retain(&Retention::since(before), max_rows)
    }

    /// One small step of forgetting what is older than `keep` says: about `max_rows` rows (one
    /// block of them at least), or some sums, or, once those are gone, a look at `max_rows` names;
    /// and up to 1 MB of file given back.
    ///
    /// # Errors
    /// As [`Writer::write`]. The deletion and the giving back are separate: the first may have been
    /// done when the second fails.
    pub fn retain(
        &mut self,
        keep: &Retention,
        max_rows: usize,
    ) -> Result<ExpireReport, StoreError> {
        let report = self.step(keep, max_rows.max(1));
        if !matches!(report, Ok(ExpireReport { names: 0, .. })) {
            self.interner.clear();
            if let Some(salvage) = &mut self.salvage {
                salvage.forget();
            }
            self.waiting.undecided.forget_processes();
        }
        report.at(&self.path)
    }

    fn step(&mut self, keep: &Retention, max_rows: usize) -> Sql<ExpireReport> {
        let most = i64::try_from(max_rows).unwrap_or(i64::MAX);
        let mut report = ExpireReport::default();
        // Each step fills the journal, and whoever writes next would have to empty it.
        if self.journal.as_ref().is_some_and(|journal| !journal.settle(PATIENCE)) {
            return Ok(report);
        }
        let tx = self.db.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut unsealed = self.unsealed;
        let cut = Cut::new(&tx, keep)?;
        let mut all = cut.step(&tx, (&mut unsealed, &mut self.interner), max_rows, &mut report)?;
        let before = cut.kept(&tx)?;
        let mut sweep = self.sweep;
        // Names may only be judged while nothing older refers to them; a row written late may have
        // brought some back between two steps.
        if all {
            report.gaps = gaps::expire(&tx, before.names)?;
            report.events = events::expire(&tx, before.names, most)?;
            // Events refer to names as well.
            all = report.events < max_rows;
        }
        if all {
            (report.names, sweep) = sweep.step(&tx, before, most)?;
        }
        self.ledger.link(&tx, Kind::Expire)?;
        let cleaned = all && self.ledger.clean(&tx, before.rows)?;
        tx.commit()?;
        (self.sweep, self.unsealed) = (sweep, unsealed);
        report.pages = self.give_back()?;
        report.done = all && !cleaned && self.sweep.is_idle() && report.pages == 0;
        Ok(report)
    }

    fn give_back(&self) -> Sql<i64> {
        let number = |sql: &str| self.db.conn.query_row(sql, [], |row| row.get::<_, i64>(0));
        let free = number("PRAGMA freelist_count")?;
        let keep = (number("PRAGMA page_count")? / KEEP_FREE_SHARE).max(KEEP_FREE_PAGES);
        let pages = free.saturating_sub(keep).min(VACUUM_PAGES);
        if pages <= 0 {
            return Ok(0);
        }
        // Each row that this pragma returns is one page; it must be read to the end.
        let mut stmt = self.db.conn.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
        let mut rows = stmt.query([])?;
        while rows.next()?.is_some() {}
        Ok(pages)
    }
}
