//! The hook for senders that nobody asks for, attached once it is wanted.

use std::mem::offset_of;
use std::sync::atomic::Ordering::Relaxed;

use super::Probe;
use crate::abi::Bss;
use crate::plan::{HookState, Senders};

impl Probe {
    /// Attaches what finds out about senders that nobody asks for, if some program's datagrams
    /// made that wanted since the start. True if that was tried just now: see [`Probe::hooks`].
    pub fn look_for_senders(&mut self) -> bool {
        let wanted = self.bss.u32(offset_of!(Bss, fs_senders_wanted));
        self.senders == Senders::Auto
            && wanted.is_some_and(|wanted| wanted.load(Relaxed) != 0)
            && self.attach_senders()
    }

    pub(super) fn attach_senders(&mut self) -> bool {
        const PROGRAM: &str = "fs_received";
        // Once, whatever comes of it.
        self.senders = Senders::Never;
        let Some(attached) = self.loaded.attach_later(PROGRAM) else { return false };
        let (state, why) = match attached {
            Ok(link) => {
                self.links.push(link);
                (HookState::Attached, "senders of datagrams that nobody asked for".to_owned())
            }
            Err(error) => (HookState::Refused, error.to_string()),
        };
        if let Some(hook) = self.hooks.iter_mut().find(|hook| hook.program == PROGRAM) {
            (hook.state, hook.why) = (state, why);
        }
        true
    }
}
