//! Safe wrappers of the Linux interfaces that femtosnitch needs: one small module for each.
//!
//! This room knows nothing of traffic, rows or configuration, and depends on no other room. What
//! parses text from the kernel is a pure function of bytes, so that it can be tested with hostile
//! input; what calls the kernel is as thin as it can be.

pub mod caps;
pub mod cgroup;
pub mod clock;
pub mod copies;
pub mod fanotify;
pub mod file;
pub mod foreign;
pub mod hash;
pub mod limits;
pub mod lock;
pub mod mapped;
pub mod mapped_file;
pub mod mem;
pub mod mounts;
pub mod notify;
pub mod owner;
pub mod peer;
pub mod procfs;
pub mod signal;
pub mod socket;
pub mod thread;
pub mod verity;
pub mod wait;
