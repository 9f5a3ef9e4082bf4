//! What moves now: one reader of the daemon's feed, summed up once for everybody who watches.

mod hub;
mod news;
mod programs;

pub(crate) use hub::{Daemon, Hub, Watch, told};
