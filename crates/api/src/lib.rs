//! The live feed: what the daemon tells its faces while it runs.
//!
//! A UNIX socket carries one JSON object a line, from the daemon to any number of readers; what
//! readers write is never read. The first line is [`Event::Hello`], then comes [`Event::Status`],
//! then whatever happens. A reader that cannot keep up is not cut off: events that find no room
//! are left out and [`Event::Missed`] stands in their place, with their number.
#![forbid(unsafe_code)]

mod client;
mod event;
mod server;
mod socket;
mod status;

pub use client::{ClientError, LiveClient};
pub use event::{Event, FlowEvent};
pub use server::{Limits, LiveHandle, LiveServer, ServerError};
pub use status::{
    ConfigStatus, Database, Flows, GeoDatabase, GeoIp, Hook, HookState, Memory, Status,
};

/// Version of the feed, told in [`Event::Hello`]. It grows when a reader of an older version would
/// misunderstand; new events and new fields do not count, since readers pass over them.
pub const API_VERSION: u32 = 1;
