//! Names of hosts, by every way in which a program finds one: each row has the right name, how it
//! is known, and its bytes to the last.

mod claims;
mod libraries;
mod loopback;
mod opening;
mod others;
mod own;
mod town;
mod wanted;

pub(super) use claims::mdns;
pub(super) use claims::nameless;
pub(super) use claims::off;
pub(super) use claims::other_resolver;
pub(super) use claims::own_network;
pub(super) use claims::owners_word;
pub(super) use libraries::container;
pub(super) use libraries::curl;
pub(super) use libraries::hosts_file;
pub(super) use libraries::musl;
pub(super) use libraries::static_program;
pub(super) use libraries::unmounted;
pub(super) use loopback::loopback;
pub(super) use opening::quic;
pub(super) use opening::tls;
pub(super) use opening::tls_by_curl;
pub(super) use opening::tls_in_two;
pub(super) use others::neighbours;
pub(super) use own::alias;
pub(super) use own::batch;
pub(super) use own::calls;
pub(super) use own::hints;
pub(super) use own::over_tcp;
pub(super) use own::two_names;
