//! femtosnitch's history in SQLite. All SQL of the product lives here.
//!
//! One [`Writer`] (the daemon's, usually behind a [`Sink`] that keeps batches while the disk
//! refuses them) and any number of read-only [`Reader`]s, which may run while it writes.
//!
//! Some relations can always be selected, by us and by whoever has queries of their own:
//! `connections`, `executables`, `domains`, `addresses`, and `locations`, where those are;
//! `processes` and `places`, what ran where and by whom it was launched; `events`, what became new
//! or different and when nobody looked.
//! Rows with id 0 mean "unknown" or "none", and a NULL in `wire_send`/`wire_recv`/`rtt_us` means
//! "not measured".
#![forbid(unsafe_code)]

mod ask;
mod batch;
mod blocks;
mod chain;
mod checkpoint;
mod classify;
mod dimension;
mod error;
mod events;
mod expire;
mod export;
mod facts;
mod filter;
mod gaps;
mod group;
mod import;
mod intern;
mod levels;
mod locate;
mod migrate;
mod open;
mod parties;
mod pending;
mod place;
mod processes;
mod program;
mod programs;
mod quarantine;
mod query;
mod reader;
mod report;
mod rollups;
mod salvage;
mod schema;
mod seal;
mod sink;
mod spool;
mod texts;
mod tree;
mod verify;
mod writer;

pub use ask::Cancel;
pub use batch::{Batch, WriteReport};
pub use chain::{ChainHead, ChainVerdict, Unvouched};
pub use dimension::{Dimension, UnknownDimension};
pub use error::StoreError;
pub use events::{Event, EventKind, Note, NoteKind, UnknownEventKind};
pub use expire::{ExpireReport, Retention};
pub use export::{ExportContainer, ExportExe, ExportRow, Exported, Slice};
pub use facts::Described;
pub use filter::{BadFilter, Filter};
pub use gaps::{Gap, GapReason, Heartbeat, Unwatched};
pub use group::Sums;
pub use import::{Blank, CommandLine, Import, ImportError, ImportMark, Imported, Keep};
pub use import::{Picosnitch, Skip, Survey};
pub use levels::{Kept, Levels};
pub use locate::{Locate, Locator};
pub use open::{OpenReport, Options};
pub use program::{Program, ProgramVersion};
pub use quarantine::Quarantined;
pub use query::{Answer, Key, NoUsers, Query, Users};
pub use reader::{Reader, Stats};
pub use report::{Breakdown, Bucket, Detail, Others, Point, Report, Series, Span};
pub use salvage::Salvaged;
pub use schema::SCHEMA_VERSION;
pub use sink::{Sink, SinkState};
pub use spool::{Dropped, Spool};
pub use tree::{Node, keep_largest};
pub use verify::Finding;
pub use verify::Progress;
pub use verify::Verdict;
pub use writer::Writer;
