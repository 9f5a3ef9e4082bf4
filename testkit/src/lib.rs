//! Traffic of exactly known volume, and the namespaces it moves through.
//!
//! Every generator runs its two ends as two processes and reports what each of them moved
//! ([`Report`]), so that a monitor can be compared with the truth process by process. The
//! binary `femtosnitch-testkit` offers them as subcommands; the library holds the report
//! types and the namespace helpers that the end-to-end tests use.

pub mod bench;
mod error;
pub mod fuse;
pub mod nameless;
pub mod names;
pub mod netns;
pub mod peer;
mod report;
pub mod sys;
pub mod tiny;
pub mod traffic;

pub use error::Doing;
pub use error::Error;
pub use error::Result;
pub use report::End;
pub use report::Report;
pub use report::emit;

/// Exit code of the binary where a kind of traffic is not supported ([`Error::Unsupported`]); the
/// reason is on standard error.
pub const UNSUPPORTED: u8 = 77;
