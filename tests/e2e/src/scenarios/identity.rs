//! Which file ran: path and digest, whatever is done to hide it.

mod contents;
mod inodes;
mod layers;
mod nameless;
mod userspace;

pub(super) use contents::overwritten;
pub(super) use contents::replaced;
pub(super) use contents::short_lived;
pub(super) use inodes::subvolumes;
pub(super) use inodes::used_again;
pub(super) use layers::overlay;
pub(super) use nameless::descriptor;
pub(super) use nameless::memory;
pub(super) use userspace::of_a_user;
pub(super) use userspace::silent;
pub(super) use userspace::silent_shared;
