//! What was lost since the history was told last.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// What goes on being lost is summed up for so long.
const PAUSE: Duration = Duration::from_secs(3600);

/// Counters of `status` that mean a loss, and of what.
const LOSSES: &[(&str, &str)] = &[
    ("process_events_lost", "exec, fork or exit events; running processes were looked up again"),
    ("flows_overflow", "calls counted for their process without a peer"),
    ("socket_storage_failed", "calls counted for their process without a peer"),
    ("flow_table_failed", "flows counted for their process without a peer"),
    ("overflow_shared", "calls counted for their executable without a process"),
    ("overflow_failed", "calls counted without an executable"),
    ("tcp_reads_missed", "TCP reads not counted"),
    ("runs_missed", "runs of hooks, at most, that the kernel left out"),
    ("owners_missed", "programs whose launch nobody saw"),
    ("processes_refused", "processes for which the table had no room"),
    ("executables_lost", "executed files that the kernel could not hand over"),
    ("file_changes_lost", "times that changes of files were lost; all count as changed"),
    ("bytes_dropped", "bytes that the history has no row of"),
];

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Losses {
    told: HashMap<&'static str, (u64, Instant)>,
}

impl Losses {
    /// One line for each kind of loss that was not told of yet: the first time at once, later once
    /// an hour, and all of it the `last` time.
    pub(super) fn news(
        &mut self,
        counters: &BTreeMap<String, u64>,
        now: Instant,
        last: bool,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        for &(name, what) in LOSSES {
            let count = counters.get(name).copied().unwrap_or_default();
            let (before, again) = self.told.get(name).copied().unwrap_or((0, now));
            if count > before && (last || now >= again) {
                self.told.insert(name, (count, now + PAUSE));
                lines.push(format!("{} {what} ({name})", count - before));
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_is_told_once() {
        let mut losses = Losses::default();
        let mut news = |lost: u64, now, last| {
            let counters = BTreeMap::from([("tcp_reads_missed".to_owned(), lost)]);
            losses.news(&counters, now, last)
        };
        let start = Instant::now();
        let line = |count: u64| [format!("{count} TCP reads not counted (tcp_reads_missed)")];
        assert_eq!(news(0, start, false), [""; 0]);
        assert_eq!(news(3, start, false), line(3));
        assert_eq!(news(5, start, false), [""; 0]);
        assert_eq!(news(6, start + PAUSE, false), line(3));
        assert_eq!(news(7, start + PAUSE, true), line(1));
        assert_eq!(news(7, start + PAUSE * 3, true), [""; 0]);
    }
}
