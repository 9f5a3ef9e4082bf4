//! What is written in one go.

use femtosnitch_model::ContainerFacts;
use femtosnitch_model::Digest;
use femtosnitch_model::ImageId;
use femtosnitch_model::Row;

use crate::Described;
use crate::Gap;
use crate::Heartbeat;
use crate::ImportMark;
use crate::Note;

/// Rows and news about earlier rows, written in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Traffic. Rows keep their `contime` however late they are written.
    pub rows: Vec<Row>,
    /// Digests that became known for images whose rows were (or are) [`Digest::Pending`].
    pub resolved: Vec<(ImageId, Digest)>,
    /// Times in which nobody looked.
    pub gaps: Vec<Gap>,
    /// What was found out about executables.
    pub described: Vec<Described>,
    /// What was found out about containers; '' where nothing was.
    pub containers: Vec<ContainerFacts>,
    /// What the history should tell besides.
    pub notes: Vec<Note>,
    /// Until when this batch, and those before it, tell all that was seen.
    pub heartbeat: Option<Heartbeat>,
    /// How far an import has come with these rows.
    pub import: Option<ImportMark>,
}

impl Batch {
    /// True if there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.resolved.is_empty()
            && self.gaps.is_empty()
            && self.extras() == 0
            && self.heartbeat.is_none()
            && self.import.is_none()
    }

    /// Pieces of news that are neither rows nor digests nor gaps.
    pub(crate) fn extras(&self) -> usize {
        self.described.len() + self.containers.len() + self.notes.len()
    }

    /// The latest second that it tells of, `None` if it tells of no time.
    pub(crate) fn latest(&self) -> Option<i64> {
        let rows = self.rows.iter().map(|row| row.contime).max();
        rows.max(self.heartbeat.map(|heartbeat| heartbeat.at))
    }
}

/// What a write did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteReport {
    /// Rows written.
    pub rows: u64,
    /// Executables whose pending digest was replaced.
    pub resolved: u64,
    /// Numbers that had no room in the history (bytes beyond 5 PB a row) and were stored as the
    /// largest that has.
    pub saturated: u64,
    /// Executables written without waiting for their digest because too many were pending.
    pub unawaited: u64,
    /// Events told: programs first seen, programs changed, losses.
    pub events: u64,
    /// Runs of programs of which it will not be told whether they had changed, because too many
    /// were waiting for their digest.
    pub undecided: u64,
}

impl std::ops::AddAssign for WriteReport {
    fn add_assign(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.resolved = self.resolved.saturating_add(other.resolved);
        self.saturated = self.saturated.saturating_add(other.saturated);
        self.unawaited = self.unawaited.saturating_add(other.unawaited);
        self.events = self.events.saturating_add(other.events);
        self.undecided = self.undecided.saturating_add(other.undecided);
    }
}
