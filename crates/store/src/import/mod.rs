//! Takes over the history of another tool: picosnitch's database.
//!
//! Facts about that database (its versions 3 and 4, and what lay between) come from its published
//! schema; it is only ever read, and nothing that it says is trusted.

mod error;
mod find;
mod layout;
mod mark;
mod overlap;
mod source;
mod translate;
mod words;

use std::path::Path;

use crate::Batch;
use crate::Writer;
use crate::classify::At;

pub use error::ImportError;
pub use mark::ImportMark;
pub use source::Picosnitch;
pub use source::Survey;
pub use translate::Blank;
pub use translate::CommandLine;
pub use translate::Keep;
pub use translate::Skip;

pub(crate) use mark::write as write_mark;
use translate::Translator;

/// Rows read, translated and written in one go: some 2 MiB of memory.
const PAGE: usize = 5_000;

/// What an import did since it began, or went on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Rows of the source that were looked at.
    pub seen: u64,
    /// Rows written to the history.
    pub taken: u64,
    /// Rows that were left out, by the reason, if any were.
    pub skipped: Vec<(Skip, u64)>,
    /// What was taken without a part that made no sense, by the part.
    pub blanked: Vec<(Blank, u64)>,
}

/// A picosnitch database on its way into the history. Each step is one transaction that also notes
/// how far the import has come, so that it may be killed at any time and begun again.
#[derive(Debug)]
pub struct Import {
    source: Picosnitch,
    translator: Translator,
    /// The last row that was looked at, and what it looked like.
    position: i64,
    mark: Option<String>,
    seen: u64,
    taken: u64,
}

impl Import {
    /// Goes on where an earlier import of this database ended, or begins. `now` (unix seconds) tells
    /// which rows are of a future that cannot be.
    ///
    /// # Errors
    /// If either database cannot be read, and [`ImportError::Twice`].
    pub fn begin(
        source: Picosnitch,
        writer: &Writer,
        keep: Keep,
        now: i64,
    ) -> Result<Self, ImportError> {
        let marks = mark::all(&writer.db.conn).at(writer.path())?;
        let found = mark::find(&source, &marks)?;
        if found.is_none() {
            overlap::refuse(&source, &writer.db.conn, writer.path())?;
        }
        let (position, mark) = found.map_or((i64::MIN, None), |(at, mark)| (at, Some(mark)));
        let translator = Translator::new(keep, now);
        Ok(Self { source, translator, position, mark, seen: 0, taken: 0 })
    }

    /// Whether an earlier import is continued.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.mark.is_some()
    }

    /// Rows that are still to be looked at and when they are from. Reads all of them in version 3,
    /// which has no indexes.
    ///
    /// # Errors
    /// If the source cannot be read.
    pub fn survey(&self, older_than: Option<i64>) -> Result<Survey, ImportError> {
        self.source.survey(self.position, older_than)
    }

    /// Takes over the next rows, 5,000 at most. False once there are none left.
    ///
    /// # Errors
    /// If the source cannot be read further, or the history not written. What was taken over until
    /// then stays, and a later import goes on from there.
    pub fn step(&mut self, writer: &mut Writer) -> Result<bool, ImportError> {
        let mut rows = Vec::new();
        let page = self.source.page(self.position, PAGE, &mut self.translator, &mut rows)?;
        let finished = page.ended;
        if page.rows == 0 && self.mark.is_none() {
            return Ok(false);
        }
        let (position, source) = match &self.mark {
            Some(mark) if page.rows == 0 => (self.position, mark.clone()),
            _ => (page.last, page.print),
        };
        let taken = rows.len() as u64;
        let import = Some(ImportMark {
            replaces: self.mark.clone(),
            source: source.clone(),
            position,
            rows: taken,
            finished,
        });
        writer.write(&Batch { rows, import, ..Batch::default() })?;
        (self.position, self.mark) = (position, Some(source));
        self.seen = self.seen.saturating_add(page.rows as u64);
        self.taken = self.taken.saturating_add(taken);
        Ok(!finished)
    }

    /// Rows looked at so far.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// What was done so far.
    #[must_use]
    pub fn done(&self) -> Imported {
        Imported {
            seen: self.seen,
            taken: self.taken,
            skipped: self.translator.skipped(),
            blanked: self.translator.blanked(),
        }
    }

    /// The database that is taken over.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.source.path()
    }
}
