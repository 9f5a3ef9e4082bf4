//! Where a program ran: in which container, unit, application, and running which script.
//!
//! Three parts, none of which talks to a container runtime or to systemd:
//!
//! - [`Origin`]: what the path of a cgroup tells, pure. A name in it is worth as much as whoever
//!   could give it ([`Claim`]).
//! - [`Store`]: name and image of a container, from the files its runtime keeps.
//! - [`script::running`]: which file an interpreter was started with, pure.

#![forbid(unsafe_code)]

mod appimage;
mod cgroup;
mod metadata;
mod origin;
pub mod script;
mod text;

pub use appimage::{AppImage, app_image};
pub use cgroup::parse_proc_cgroup;
pub use metadata::{Metadata, Pod, Store, Unknown};
pub use origin::{App, AppKind, Claim, Container, Manager, Origin, Runtime, Session, Unit};
pub use text::clean;
