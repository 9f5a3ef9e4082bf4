//! Capture: loads the BPF programs, keeps them attached, and reads what they count.
//!
//! The kernel side (`bpf/`) keeps one *flow* per (socket, owner, peer) in an array that user space
//! maps: counters only grow, reading them costs no system call, and a byte per flow says whether
//! it moved since the last look. Process events come through a ring buffer. Events are hints, the
//! counters are the ledger: a lost event costs detail, never bytes.
//!
//! This is the only room that knows libbpf; nothing of it shows in the public types.

mod abi;
mod error;
mod event;
mod health;
mod ledger;
mod library;
mod load;
mod mapping;
mod payload;
mod plan;
mod probe;
mod sctp;
mod segments;
mod skel;
mod support;
mod watcher;

pub use error::ProbeError;
pub use health::{Count, Health};
pub use library::Library;
pub use plan::{Front, FrontChoice, Hook, HookState, Senders, Splices};
pub use probe::{Options, Probe, SnapshotReport};
pub use watcher::{Watch, Watcher};
