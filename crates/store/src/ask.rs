//! One way to ask: any number of groupings of filtered traffic, from the coarsest sums that tell.

mod axis;
mod blocks;
mod cells;
mod groups;
mod mix;
mod part;
mod pick;
mod plan;
mod rows;
mod run;
mod seen;
mod sets;
mod table;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

pub(crate) use axis::Axis;
pub(crate) use axis::Cache;
pub(crate) use groups::Groupings;
pub(crate) use groups::Groups;
pub(crate) use pick::Pick;
pub(crate) use plan::Need;
pub(crate) use rows::Column;
pub(crate) use rows::Rows;
pub(crate) use rows::SumColumns;
pub(crate) use rows::at;
pub(crate) use rows::each_row;
pub(crate) use run::Question;
pub(crate) use run::Sink;
pub(crate) use run::Stop;
pub(crate) use run::Told;
pub(crate) use seen::Lookups;

/// Ends a question from elsewhere: another thread, or somebody who went away. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// The question ends soon, with [`crate::StoreError::Cancelled`].
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
