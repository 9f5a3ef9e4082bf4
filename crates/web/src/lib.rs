//! The dashboard's server: the history and the live feed by HTTP, and the page that shows them.
//!
//! One thread serves (tokio, one connection a task), a few ask the history, one listens to the
//! daemon while somebody watches. Nothing here needs privileges: the history is read as a member
//! of its group reads it. Every request passes `guard` before it is routed.
#![forbid(unsafe_code)]

mod accept;
mod answer;
mod app;
mod assets;
mod export;
mod guard;
mod live;
mod params;
mod pool;
mod routes;
mod server;
mod settings;
mod state;
mod tls;

pub use export::{Export, ExportFormat, RowSink};
pub use server::{Server, WebError};
pub use settings::{Limits, ReadTime, Settings, Tls};
pub use state::{LONGEST_KEY_LIFE, has_token, open_key};
