//! Plain types that every room of femtosnitch speaks: who ([`ProcKey`], [`Process`], [`Image`]),
//! what ([`FileId`], [`Digest`]), where ([`FlowKey`]), how much ([`Counters`]), and the rows that
//! reach the history ([`Row`]).
//!
//! Nothing here does I/O, reads a clock or knows libbpf, SQLite or JSON.
#![forbid(unsafe_code)]

mod capture;
mod connection;
mod counters;
mod flow;
mod identity;
mod lineage;
mod location;
mod naming;
mod process;
mod program;
mod row;
mod text;
mod wire;

pub use capture::{FlowKind, ProcEvent, ProcInfo, Reading, Slot};
pub use connection::{Connections, Direction, Quality};
pub use counters::Counters;
pub use flow::{Endpoint, FlowKey, protocol_name};
pub use identity::{Digest, FileId, FileSystem, Sha256, Timestamp, Unhashed};
pub use lineage::{Launches, Lineage};
pub use location::Location;
pub use naming::{Looked, NameEvent, NameSource, Naming, Payload, PayloadKind, Resolved, Witness};
pub use process::{Image, ImageId, Place, ProcKey, Process};
pub use program::program_path;
pub use row::{ContainerFacts, Executable, Facts, Launch, Row};
pub use text::{escape_bytes, escape_harmful, is_harmful, printable, unescape};
pub use wire::{Headers, SctpTotals, TcpTotals, Wire};
