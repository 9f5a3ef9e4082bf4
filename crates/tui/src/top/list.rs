//! What both panes have: rows with an order, a filter and a cursor.

use crate::widgets::{Cursor, LineEditor};

/// The pane that keys go to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Focus {
    /// The programs.
    #[default]
    Programs,
    /// The connections of the selected one.
    Peers,
}

/// A pane's order, filter and cursor. `B` is what rows can be sorted by.
#[derive(Debug, Clone, Default)]
pub struct List<B> {
    /// The row that keys act on.
    pub cursor: Cursor,
    /// By what rows are sorted.
    pub by: B,
    /// The smallest first.
    pub ascending: bool,
    /// What rows have to have in them.
    pub filter: LineEditor,
}

impl<B: Copy + Default + PartialEq> List<B> {
    /// Words of the filter, in lower case.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        self.filter.text().split_whitespace().map(str::to_lowercase).collect()
    }

    /// Sorts by the column `step` (1 or -1) columns beside the present one; before the first is the
    /// default order.
    pub fn sort_beside(&mut self, columns: &[B], step: isize) {
        let Some(last) = columns.len().checked_sub(1) else { return };
        let at = columns.iter().position(|by| *by == self.by);
        let next = match at {
            Some(0) if step < 0 => {
                self.by = B::default();
                return;
            }
            Some(at) => at.saturating_add_signed(step).min(last),
            None if step > 0 => 0,
            None => last,
        };
        if let Some(by) = columns.get(next) {
            self.by = *by;
        }
    }

    /// Sorts by a column; the other way round if it was that one already.
    pub fn sort_by(&mut self, by: B) {
        if self.by == by {
            self.ascending = !self.ascending;
        } else {
            (self.by, self.ascending) = (by, false);
        }
    }
}
