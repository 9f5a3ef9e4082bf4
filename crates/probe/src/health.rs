//! What the kernel side counts about itself: everything that can be lost has a counter.

use crate::skel::types::fs_count as raw;

/// One of the kernel side's own counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Stable name, as `status --json` shows it.
    pub name: &'static str,
    /// How many, since the daemon started.
    pub value: u64,
    /// True if it tells of detail or accuracy lost, rather than of normal work.
    pub loss: bool,
    /// One sentence for a person.
    pub meaning: &'static str,
}

/// All counters of the kernel side.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// In a fixed order.
    pub counts: Vec<Count>,
    /// Flow slots handed out at least once.
    pub flows_ever: u64,
}

pub(crate) struct Described {
    pub(crate) index: u32,
    pub(crate) name: &'static str,
    pub(crate) loss: bool,
    pub(crate) meaning: &'static str,
}

pub(crate) const DESCRIBED: &[Described] = &[
    Described {
        index: raw::FS_COUNT_EVENT_LOST.0,
        name: "process_events_lost",
        loss: true,
        meaning: "exec, fork or exit events that found the event buffer full",
    },
    Described {
        index: raw::FS_COUNT_STORAGE_FAILED.0,
        name: "socket_storage_failed",
        loss: true,
        meaning: "calls on sockets that found no room: counted for their process without a peer",
    },
    Described {
        index: raw::FS_COUNT_FLOWS_FULL.0,
        name: "flows_overflow",
        loss: true,
        meaning: "calls that found all flows in use, or all that their user may have: counted for \
                  their process without a peer",
    },
    Described {
        index: raw::FS_COUNT_BUCKETS_SHARED.0,
        name: "overflow_shared",
        loss: true,
        meaning: "calls that found all overflow counters of processes in use: counted for their \
                  executable without a process",
    },
    Described {
        index: raw::FS_COUNT_BUCKETS_FULL.0,
        name: "overflow_failed",
        loss: true,
        meaning: "calls that found all overflow counters in use: counted without an executable",
    },
    Described {
        index: raw::FS_COUNT_MANY_PEERS.0,
        name: "peers_overflow",
        loss: true,
        meaning: "calls to further peers of one socket: counted together for their process",
    },
    Described {
        index: raw::FS_COUNT_EXTRA_FAILED.0,
        name: "flow_table_failed",
        loss: true,
        meaning: "flows that could not be entered: counted for their process without a peer",
    },
    Described {
        index: raw::FS_COUNT_PAYLOADS.0,
        name: "payloads_copied",
        loss: false,
        meaning: "calls whose bytes were copied because they may tell a name",
    },
    Described {
        index: raw::FS_COUNT_PAYLOADS_LOST.0,
        name: "payloads_lost",
        loss: true,
        meaning: "such bytes that found the buffer for names full: some names stay unknown",
    },
    Described {
        index: raw::FS_COUNT_PAYLOADS_HIDDEN.0,
        name: "payloads_hidden",
        loss: false,
        meaning: "calls that may have told a name but do not show where their bytes are: io_uring, \
                  recvmmsg(2), 32-bit programs",
    },
    Described {
        index: raw::FS_COUNT_LOOKUPS.0,
        name: "lookups_seen",
        loss: false,
        meaning: "names that programs asked their C library for, with success",
    },
    Described {
        index: raw::FS_COUNT_LOOKUPS_UNREADABLE.0,
        name: "lookups_unreadable",
        loss: true,
        meaning: "such names whose answer could not be read: they may stay unknown",
    },
    Described {
        index: raw::FS_COUNT_STASH_SPILLED.0,
        name: "peers_spilled",
        loss: false,
        meaning: "peers that took the slower way because threads shared a socket",
    },
    Described {
        index: raw::FS_COUNT_PEER_UNKNOWN.0,
        name: "peers_missed",
        loss: true,
        meaning: "datagram calls whose peer the kernel did not say",
    },
    Described {
        index: raw::FS_COUNT_READ_FAILED.0,
        name: "names_failed",
        loss: true,
        meaning: "names or arguments that could not be read at exec",
    },
    Described {
        index: raw::FS_COUNT_READS_UNCOUNTED.0,
        name: "tcp_reads_missed",
        loss: true,
        meaning: "TCP reads by splice or io_uring on sockets that found no room: not counted",
    },
    Described {
        index: raw::FS_COUNT_COMPLETED.0,
        name: "tcp_completed",
        loss: false,
        meaning: "TCP sockets with bytes that no call told of, added at their end",
    },
    Described {
        index: raw::FS_COUNT_KERNEL_CALLS.0,
        name: "kernel_calls",
        loss: false,
        meaning: "calls by kernel threads, counted under (kernel)",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_of_the_kernel_side_is_described_once() {
        let mut seen: Vec<u32> = DESCRIBED.iter().map(|d| d.index).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..raw::FS_COUNT_MAX.0).collect::<Vec<_>>());
    }
}
