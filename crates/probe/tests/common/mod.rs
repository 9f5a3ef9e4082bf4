//! How tests set the capture up.

use femtosnitch_probe::{FrontChoice, Options, Senders, Splices};

/// Small tables, and everything else as usual.
pub(crate) const OPTIONS: Options = Options {
    front: FrontChoice::Auto,
    max_flows: 4096,
    max_buckets: 64,
    max_peers_per_socket: 64,
    senders: Senders::Auto,
    splices: Splices::Auto,
    event_buffer: 1 << 20,
    names_buffer: 1 << 19,
};
