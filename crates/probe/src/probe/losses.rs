//! What the kernel side counts about itself.

use std::collections::BTreeMap;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering::Relaxed;

use super::Probe;
use crate::abi::Bss;
use crate::health::{Count, DESCRIBED, Health};

impl Probe {
    /// The kernel side's counters about itself.
    #[must_use]
    pub fn health(&self) -> Health {
        let mut counts: Vec<Count> = DESCRIBED
            .iter()
            .map(|described| Count {
                name: described.name,
                value: self.count(described.index as usize),
                loss: described.loss,
                meaning: described.meaning,
            })
            .collect();
        counts.push(Count {
            name: "runs_missed",
            value: self.missed_runs(),
            loss: true,
            meaning: "runs of a hook that the kernel skipped because it was interrupted by itself",
        });
        counts.push(Count {
            name: "events_garbled",
            value: self.garbled.load(Relaxed),
            loss: true,
            meaning: "process events that could not be understood, a defect of femtosnitch",
        });
        let flows_ever =
            self.bss.u32(offset_of!(Bss, fs_fresh_flows)).map_or(0, |n| n.load(Relaxed));
        Health { counts, flows_ever: u64::from(flows_ever) }
    }

    /// An upper bound: where a program has a second, what one of them missed the other may have
    /// seen.
    fn missed_runs(&self) -> u64 {
        let mut missed: BTreeMap<String, u64> = BTreeMap::new();
        for program in self.loaded.object.progs().filter(libbpf_rs::Program::autoload) {
            let by_this = recursion_misses(program.as_fd()).unwrap_or(0);
            let name = program.name().to_string_lossy();
            let by_both = missed.entry(name.trim_end_matches("_again").to_owned());
            by_both.and_modify(|by_other| *by_other = by_this.min(*by_other)).or_insert(by_this);
        }
        missed.into_values().fold(0, u64::saturating_add)
    }
}

fn recursion_misses(fd: BorrowedFd<'_>) -> io::Result<u64> {
    use std::os::fd::AsRawFd;
    let mut info = libbpf_rs::libbpf_sys::bpf_prog_info::default();
    let mut len = u32::try_from(size_of_val(&info)).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `len` bytes into `info`, which has that many.
    let result = unsafe {
        libbpf_rs::libbpf_sys::bpf_obj_get_info_by_fd(
            fd.as_raw_fd(),
            (&raw mut info).cast(),
            &raw mut len,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(info.recursion_misses) }
}
