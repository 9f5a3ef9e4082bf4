//! The pure core: from readings of the kernel's counters and process events to rows of the
//! history. Events in, effects out; no I/O, no clock, no threads, so all of it is tested without
//! root.
//!
//! [`Engine`] joins three tables, each with an owner of its own: who runs ([`processes`]), what
//! the files contain ([`digests`]), and what moved ([`flows`]).
#![forbid(unsafe_code)]

mod digests;
mod effect;
mod engine;
mod facts;
mod filter;
mod flows;
mod hosts;
mod ignored;
mod images;
mod lineage;
mod news;
mod places;
mod privacy;
mod processes;
mod redact;
mod rows;
mod sctp;
mod table;
#[cfg(test)]
mod testing;
mod wire;

pub use effect::{Effect, FileRequest};
pub use engine::{Engine, Gauges, Limits, Moment, Moved};
pub use facts::Described;
pub use filter::{ContainerRule, Filters, Glob, Lists, Protocol, UserRule};
pub use hosts::{NameGauges, NameRules};
pub use places::PlaceNames;
pub use privacy::Privacy;
pub use redact::Redactor;
pub use rows::Batch;
