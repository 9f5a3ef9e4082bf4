//! When nobody looked, so that "nothing happened" and "nobody looked" differ.

use std::fmt;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::params;
use serde::Serialize;
use serde::Serializer;

use crate::Batch;
use crate::Reader;
use crate::StoreError;
use crate::Writer;
use crate::chain::Kind;
use crate::chain::Ledger;
use crate::classify::At;
use crate::classify::Sql;

/// Why nobody looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GapReason {
    /// The daemon was stopped, and wrote all it had.
    Stopped,
    /// The daemon, or the machine, ended without a goodbye.
    Killed,
    /// The machine slept.
    Suspended,
    /// Somebody looked, but rows of this time fitted neither on the disk nor in memory.
    Dropped,
    /// What another version wrote.
    Other(String),
}

impl GapReason {
    /// As it is stored and shown.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Suspended => "suspended",
            Self::Dropped => "dropped",
            Self::Other(name) => name,
        }
    }
}

impl From<&str> for GapReason {
    fn from(name: &str) -> Self {
        let known = [Self::Stopped, Self::Killed, Self::Suspended, Self::Dropped];
        let found = known.into_iter().find(|reason| reason.name() == name);
        found.unwrap_or_else(|| Self::Other(name.to_owned()))
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for GapReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// A time in which nobody looked: at least a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    began: i64,
    ended: i64,
    reason: GapReason,
}

impl Gap {
    /// From `began` until `ended` (unix seconds, not included); `None` if that is no time at all.
    #[must_use]
    pub fn new(began: i64, ended: i64, reason: GapReason) -> Option<Self> {
        (ended > began).then_some(Self { began, ended, reason })
    }

    /// The first unix second in which nobody looked.
    #[must_use]
    pub fn began(&self) -> i64 {
        self.began
    }

    /// The unix second in which somebody looked again.
    #[must_use]
    pub fn ended(&self) -> i64 {
        self.ended
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &GapReason {
        &self.reason
    }

    /// Takes in a gap of the same reason and whatever lies between the two. False if the reasons
    /// differ.
    pub(crate) fn extend(&mut self, other: &Self) -> bool {
        if self.reason != other.reason {
            return false;
        }
        self.began = self.began.min(other.began);
        self.ended = self.ended.max(other.ended);
        true
    }
}

/// A time in which nobody looked, as it is told: one may last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unwatched {
    /// The first unix second of it.
    pub began: i64,
    /// The unix second in which somebody looked again; `None` if it lasts.
    pub ended: Option<i64>,
    /// Why.
    pub reason: GapReason,
}

impl From<Gap> for Unwatched {
    fn from(gap: Gap) -> Self {
        Self { began: gap.began, ended: Some(gap.ended), reason: gap.reason }
    }
}

/// A sign of life of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    /// Whatever was seen before this unix second is in the history.
    pub at: i64,
    /// The daemon ended then, having written all it had.
    pub clean: bool,
}

impl Writer {
    /// Somebody looks from `now` (unix seconds) on. Records, and returns, the gap since the last
    /// sign of life, if there was one and the clock has not been set back behind it.
    ///
    /// # Errors
    /// As [`Writer::write`]. Call it again then: nothing was recorded.
    pub fn begin_watch(&mut self, now: i64) -> Result<Option<Gap>, StoreError> {
        begin(&mut self.db.conn, &mut self.ledger, now).at(&self.path)
    }

    /// Says that all that was seen until `now` (unix seconds) is written; `clean` if that was all.
    /// [`Batch::heartbeat`] says so together with what was seen.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn heartbeat(&mut self, now: i64, clean: bool) -> Result<(), StoreError> {
        let heartbeat = Some(Heartbeat { at: now, clean });
        self.write(&Batch { heartbeat, ..Batch::default() }).map(drop)
    }

    /// Records that nobody looked between two unix seconds. [`Batch::gaps`] does so together with
    /// what was seen.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] if `ended` is not after `began`, else as [`Writer::write`].
    pub fn note_gap(
        &mut self,
        began: i64,
        ended: i64,
        reason: GapReason,
    ) -> Result<(), StoreError> {
        let gap = Gap::new(began, ended, reason).ok_or_else(|| {
            StoreError::BadQuery(format!(
                "a gap that begins at {began} cannot end at {ended}; give a later second"
            ))
        })?;
        self.write(&Batch { gaps: vec![gap], ..Batch::default() }).map(drop)
    }
}

impl Reader {
    /// Gaps that touch the time from `since` until `until` (not included; `None` for no bound), in
    /// the order in which they began.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn gaps(&self, since: Option<i64>, until: Option<i64>) -> Result<Vec<Gap>, StoreError> {
        self.consistently(|conn| {
            let mut stmt = conn.prepare(
                "SELECT began, ended, reason FROM gaps WHERE ended > ?1 AND began < ?2
                 ORDER BY began, ended",
            )?;
            let bounds = params![since.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX)];
            stmt.query_map(bounds, |row| {
                let reason: String = row.get(2)?;
                Ok(Gap { began: row.get(0)?, ended: row.get(1)?, reason: reason.as_str().into() })
            })?
            .collect()
        })
        .at(self.path())
    }

    /// When nobody looked, [`Reader::gaps`] and what lasts at `now` (unix seconds): since a daemon
    /// that said goodbye. The second answer is so only if no daemon runs, which the caller can find
    /// out: since one that did not.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn unwatched(
        &self,
        (since, until): (Option<i64>, Option<i64>),
        now: i64,
    ) -> Result<(Vec<Unwatched>, Option<Unwatched>), StoreError> {
        let mut gaps: Vec<Unwatched> =
            self.gaps(since, until)?.into_iter().map(Unwatched::from).collect();
        let last = self.heartbeat()?.filter(|last| {
            last.at < until.unwrap_or(now).min(now) && since.is_none_or(|since| since < now)
        });
        let lasts = |began, reason| Unwatched { began, ended: None, reason };
        match last {
            Some(Heartbeat { at, clean: true }) => {
                gaps.push(lasts(at, GapReason::Stopped));
                Ok((gaps, None))
            }
            Some(Heartbeat { at, clean: false }) => Ok((gaps, Some(lasts(at, GapReason::Killed)))),
            None => Ok((gaps, None)),
        }
    }

    /// The last sign of life, `None` if no daemon of this or a later version has run yet.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn heartbeat(&self) -> Result<Option<Heartbeat>, StoreError> {
        self.consistently(last).at(self.path())
    }
}

fn begin(conn: &mut Connection, ledger: &mut Ledger, now: i64) -> Sql<Option<Gap>> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let gap = last(&tx)?.and_then(|last| {
        let reason = if last.clean { GapReason::Stopped } else { GapReason::Killed };
        Gap::new(last.at, now, reason)
    });
    note(&tx, gap.as_slice(), Some(Heartbeat { at: now, clean: false }))?;
    ledger.link(&tx, Kind::Open)?;
    tx.commit()?;
    Ok(gap)
}

fn last(conn: &Connection) -> Sql<Option<Heartbeat>> {
    conn.query_row("SELECT at, clean FROM heartbeat", [], |row| {
        Ok(Heartbeat { at: row.get(0)?, clean: row.get(1)? })
    })
    .optional()
}

/// Writes what a batch says of watching.
pub(crate) fn note(tx: &Transaction<'_>, gaps: &[Gap], heartbeat: Option<Heartbeat>) -> Sql<()> {
    for gap in gaps {
        // The same gap once, however often it is told.
        tx.prepare_cached("INSERT OR IGNORE INTO gaps(began, ended, reason) VALUES (?1, ?2, ?3)")?
            .execute(params![gap.began, gap.ended, gap.reason.name()])?;
    }
    if let Some(Heartbeat { at, clean }) = heartbeat {
        tx.prepare_cached("INSERT OR REPLACE INTO heartbeat(id, at, clean) VALUES (1, ?1, ?2)")?
            .execute(params![at, clean])?;
    }
    Ok(())
}

/// Forgets gaps that ended before anything that is kept began. There are few of them.
pub(crate) fn expire(tx: &Transaction<'_>, before: i64) -> Sql<usize> {
    tx.prepare_cached("DELETE FROM gaps WHERE began < ?1 AND ended <= ?1")?.execute([before])
}
