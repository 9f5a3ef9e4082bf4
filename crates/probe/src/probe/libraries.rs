//! C libraries whose answers are watched.

use std::collections::HashMap;
use std::io;

use libbpf_rs::Link;

use super::Probe;
use crate::library::Library;
use crate::plan::HookState;

/// Libraries watched at a time. Each costs the kernel ten probes.
const LIBRARIES: usize = 256;
/// The programs at a function's entry and end.
const PROGRAMS: [(&str, bool); 2] = [("fs_asked", false), ("fs_told", true)];

/// By what the caller calls each.
pub(super) type Libraries = HashMap<u64, Watch>;

/// A watch over a library, which ends when this is dropped: that takes the kernel a tenth of a second
/// and more.
#[must_use]
pub struct Watch {
    #[expect(dead_code, reason = "dropping them is their use")]
    links: Vec<Link>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

impl Probe {
    /// True if what C libraries tell can be watched at all: names are wanted, and the kernel can.
    #[must_use]
    pub fn can_watch_libraries(&self) -> bool {
        PROGRAMS.iter().all(|(program, _)| self.loaded.has(program))
    }

    /// From here on what this library tells is a [`femtosnitch_model::NameEvent::Looked`]. `id` is
    /// the caller's, by which it may be forgotten again; one that is watched already stays as it is.
    /// False if no more than 256 can be watched, or none at all. Takes the kernel some hundred
    /// microseconds.
    ///
    /// # Errors
    /// If the kernel refuses, or the file is gone.
    pub fn watch_library(&mut self, id: u64, library: &Library) -> io::Result<bool> {
        if self.libraries.contains_key(&id) {
            return Ok(true);
        }
        if !self.can_watch_libraries() || self.libraries.len() >= LIBRARIES {
            return Ok(false);
        }
        let path = library.path();
        let mut links = Vec::new();
        // The entries last: an end without its beginning is nothing, a beginning without its end
        // takes room.
        for (program, at_end) in PROGRAMS.iter().rev() {
            let attached = self.loaded.attach_library(program, *at_end, &path, library.places());
            links.extend(attached?);
        }
        self.libraries.insert(id, Watch { links });
        self.tell_of_libraries();
        Ok(true)
    }

    /// No longer watches it. Dropping what this gives lets go of the library's file system, and takes
    /// time: not for a thread that has none.
    pub fn forget_library(&mut self, id: u64) -> Option<Watch> {
        let watch = self.libraries.remove(&id);
        if watch.is_some() {
            self.tell_of_libraries();
        }
        watch
    }

    /// Ends all watches without waiting for it.
    pub(super) fn forget_libraries(&mut self) {
        for watch in std::mem::take(&mut self.libraries).into_values() {
            // Side by side the kernel waits for them once. Without a thread they end here.
            let ends = std::thread::Builder::new().name("forget".to_owned());
            drop(ends.stack_size(64 << 10).spawn(move || drop(watch)));
        }
    }

    /// How many C libraries are watched.
    #[must_use]
    pub fn libraries(&self) -> usize {
        self.libraries.len()
    }

    fn tell_of_libraries(&mut self) {
        let count = self.libraries.len();
        let (state, why) = if count == 0 {
            (HookState::NotNeeded, "attached once a C library is found".to_owned())
        } else {
            (HookState::Attached, format!("what C libraries tell: {count} of them"))
        };
        for hook in &mut self.hooks {
            if PROGRAMS.iter().any(|(program, _)| *program == hook.program) {
                hook.state = state;
                hook.why.clone_from(&why);
            }
        }
    }
}
