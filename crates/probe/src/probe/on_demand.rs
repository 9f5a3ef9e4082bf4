//! Hooks that cost every program something and that few need: attached once they are wanted.

use std::io;
use std::mem::offset_of;
use std::path::Path;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::Probe;
use crate::abi::Bss;
use crate::plan::{HookState, Senders, Splices};
use crate::sctp;

/// There while SCTP's module is loaded. Of one that comes later it is learned when it is first used.
const SCTP_TYPES: &str = "/sys/kernel/btf/sctp";

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// Finds out about senders that nobody asks for.
    Senders,
    /// Sees TCP being read by splice and zero copy.
    Splices,
    /// Sees which address of this machine an IPv4 datagram has.
    Own4,
    /// The same of IPv6.
    Own6,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Senders => "fs_received",
            Self::Splices => "fs_tcp_read",
            Self::Own4 => "fs_sent4",
            Self::Own6 => "fs_sent6",
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::Senders => "senders of datagrams that nobody asked for",
            Self::Splices => "TCP reads that no receive call ends: splice, zero copy",
            Self::Own4 | Self::Own6 => "own address of sockets that are bound to none",
        }
    }

    /// Where the kernel side says that it is wanted.
    fn wanted(self) -> usize {
        match self {
            Self::Senders => offset_of!(Bss, fs_senders_wanted),
            Self::Splices => offset_of!(Bss, fs_reads_wanted),
            Self::Own4 | Self::Own6 => offset_of!(Bss, fs_own_wanted),
        }
    }
}

/// Those that may come to be wanted.
pub(super) fn waiting(senders: Senders) -> Vec<Program> {
    match senders {
        Senders::Never => vec![Program::Splices],
        Senders::Auto | Senders::Always => {
            vec![Program::Senders, Program::Splices, Program::Own4, Program::Own6]
        }
    }
}

impl Probe {
    /// Attaches what some program's way of receiving made wanted since the last time. True if that
    /// was tried just now: see [`Probe::hooks`].
    pub fn attach_what_is_wanted(&mut self) -> bool {
        if self.bss.u32(offset_of!(Bss, fs_sctp_wanted)).is_some_and(|w| w.load(Relaxed) != 0) {
            self.learn_sctp();
        }
        let is_wanted = |program: &Program| {
            self.bss.u32(program.wanted()).is_some_and(|wanted| wanted.load(Relaxed) != 0)
        };
        let wanted: Vec<Program> = self.waiting.iter().copied().filter(is_wanted).collect();
        // Each of them, not the first that was tried.
        wanted.into_iter().filter(|program| self.attach_later(*program)).count() > 0
    }

    pub(super) fn attach_at_once(&mut self, senders: Senders, splices: Splices) {
        if Path::new(SCTP_TYPES).exists() {
            self.learn_sctp();
        }
        if senders == Senders::Always {
            for program in [Program::Senders, Program::Own4, Program::Own6] {
                self.attach_later(program);
            }
        }
        // Without a look at all sockets nobody would find out that it is wanted.
        if splices == Splices::Always || !self.is_attached("fs_iter_sockets") {
            self.attach_later(Program::Splices);
        }
    }

    /// Once: tells the kernel side where SCTP's module keeps what it has counted.
    fn learn_sctp(&mut self) {
        if std::mem::replace(&mut self.sctp_tried, true) {
            return;
        }
        let offsets = match sctp::offsets() {
            Ok(offsets) => offsets,
            Err(error) => {
                tracing::warn!(%error, "bytes on the wire and peers of SCTP stay unknown");
                return;
            }
        };
        let first = offset_of!(Bss, fs_sctp_at);
        for (number, offset) in offsets.into_iter().enumerate() {
            if let Some(place) = self.bss.u32(first + number * size_of::<u32>()) {
                place.store(offset, Relaxed);
            }
        }
        // After all of them.
        if let Some(known) = self.bss.u32(offset_of!(Bss, fs_sctp_known)) {
            known.store(1, SeqCst);
        }
    }

    /// True while it is not known that TCP is read in ways that have to be watched.
    #[must_use]
    pub fn looks_for_splices(&self) -> bool {
        self.waiting.contains(&Program::Splices)
    }

    /// Has the kernel side look whether TCP is read in such ways: some 0.4 µs for each socket. What
    /// two looks find, [`Probe::attach_what_is_wanted`] acts upon.
    ///
    /// # Errors
    /// If this kernel has no such walk.
    pub fn look_for_splices(&self) -> io::Result<()> {
        self.loaded.walk("fs_iter_sockets", Some(&self.sockets)).map(drop)
    }

    /// Once, whatever comes of it. False if the program was not even loaded.
    fn attach_later(&mut self, program: Program) -> bool {
        self.waiting.retain(|other| *other != program);
        let watch = |on: u32| {
            if program == Program::Splices
                && let Some(watched) = self.bss.u32(offset_of!(Bss, fs_reads_watched))
            {
                watched.store(on, SeqCst);
            }
        };
        // Before it is: what is then counted by neither is made up for, see tcp.bpf.h.
        watch(1);
        let Some(attached) = self.loaded.attach_later(program.name()) else {
            watch(0);
            return false;
        };
        let (state, why) = match attached {
            Ok(link) => {
                self.links.push(link);
                (HookState::Attached, program.purpose().to_owned())
            }
            Err(error) => {
                watch(0);
                (HookState::Refused, error.to_string())
            }
        };
        if let Some(hook) = self.hooks.iter_mut().find(|hook| hook.program == program.name()) {
            (hook.state, hook.why) = (state, why);
        }
        true
    }
}
