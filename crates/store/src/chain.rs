//! Tamper evidence: each transaction of the writer leaves a link that vouches for every row that it
//! wrote, chained by SHA-256 to the link before.
//!
//! Temporary triggers on the writer's connection note what a transaction touches, so that no code
//! that writes has to know of it; while it is off there is neither a trigger nor a table.
//!
//! Links of batches last until their rows are sealed. The link of the seal then takes over what
//! they say besides, and they go; a lasting link is chained to the lasting one before, and has the
//! hash of the latest batch in between as its `tip`.

mod clean;
mod covers;
mod head;
mod items;
mod ledger;
mod link;
mod stock;
mod verify;
mod words;

pub use head::ChainHead;
pub use verify::ChainVerdict;
pub use verify::Unvouched;

pub(crate) use items::add_function;
pub(crate) use ledger::Ledger;
pub(crate) use link::Kind;
