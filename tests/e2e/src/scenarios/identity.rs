//! Which file ran: path and digest, whatever is done to hide it.

mod aliases;
mod contents;
mod hostile;
mod inodes;
mod layers;
mod nameless;
mod steady;
mod userspace;
mod work;

pub(super) use aliases::bind_mount;
pub(super) use aliases::hard_link;
pub(super) use aliases::mount_namespace;
pub(super) use aliases::renamed;
pub(super) use contents::overwritten;
pub(super) use contents::replaced;
pub(super) use contents::short_lived;
pub(super) use hostile::csv as hostile_csv;
pub(super) use hostile::json as hostile_json;
pub(super) use hostile::long_paths;
pub(super) use hostile::names as hostile_names;
pub(super) use inodes::subvolumes;
pub(super) use inodes::used_again;
pub(super) use layers::overlay;
pub(super) use nameless::descriptor;
pub(super) use nameless::memory;
pub(super) use steady::state as steady_state;
pub(super) use userspace::of_a_user;
pub(super) use userspace::silent;
pub(super) use userspace::silent_shared;
