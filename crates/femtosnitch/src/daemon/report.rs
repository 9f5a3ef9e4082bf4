//! What the daemon knows about itself: gathered from all threads, told to `status` and the log.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use femtosnitch_api::{Database, Event, Flows, GeoIp, Hook, HookState, LiveHandle, Memory, Status};
use femtosnitch_engine::Engine;
use femtosnitch_model::Unhashed;
use femtosnitch_probe::{self as probe, Probe, SnapshotReport};
use femtosnitch_store::{OpenReport, Quarantined, Salvaged, SinkState};
use femtosnitch_sys::{clock, mem};

use super::settings::{InForce, Loaded};
use crate::config::Paths;

/// Warnings kept for `status`.
const WARNINGS: usize = 32;
/// Finding out the memory in use costs more than all the rest.
const MEMORY: Duration = Duration::from_secs(10);

/// How a trial of the hooks went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trial {
    Passed,
    /// What was not counted.
    Failed(String),
    /// Why there is none.
    Impossible(String),
}

/// See the module's documentation.
pub(super) struct Report {
    since: f64,
    config: InForce,
    database: std::path::PathBuf,
    state: Mutex<State>,
    flows_read: AtomicU64,
    send_bytes: AtomicU64,
    recv_bytes: AtomicU64,
    events_lost_handled: AtomicU64,
    hashed: AtomicU64,
    hashed_bytes: AtomicU64,
    gone: AtomicU64,
    unreadable: AtomicU64,
    changed: AtomicU64,
    changes_lost: AtomicU64,
    executables_lost: AtomicU64,
    resolved_garbled: AtomicU64,
    log_rows: AtomicU64,
    log_rows_lost: AtomicU64,
    slots_lost: AtomicU64,
    retires_failed: AtomicU64,
    trials: AtomicU64,
    trials_failed: AtomicU64,
}

#[derive(Default)]
struct State {
    front: String,
    hooks: Vec<Hook>,
    warnings: VecDeque<String>,
    untold: Vec<String>,
    sink: SinkState,
    geoip: GeoIp,
    last_write: Option<f64>,
    memory: Memory,
    memory_at: Option<Instant>,
    found: usize,
    trial: Option<Trial>,
}

pub(super) fn now() -> f64 {
    Duration::from_nanos(clock::wall_ns()).as_secs_f64()
}

impl Report {
    pub(super) fn new(paths: &Paths, config: InForce) -> Self {
        Self {
            since: now(),
            config,
            database: paths.database(),
            state: Mutex::default(),
            flows_read: AtomicU64::new(0),
            send_bytes: AtomicU64::new(0),
            recv_bytes: AtomicU64::new(0),
            events_lost_handled: AtomicU64::new(0),
            hashed: AtomicU64::new(0),
            hashed_bytes: AtomicU64::new(0),
            gone: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            changed: AtomicU64::new(0),
            changes_lost: AtomicU64::new(0),
            executables_lost: AtomicU64::new(0),
            resolved_garbled: AtomicU64::new(0),
            log_rows: AtomicU64::new(0),
            log_rows_lost: AtomicU64::new(0),
            slots_lost: AtomicU64::new(0),
            retires_failed: AtomicU64::new(0),
            trials: AtomicU64::new(0),
            trials_failed: AtomicU64::new(0),
        }
    }

    /// Another configuration is in force.
    pub(super) fn reloaded(&self, loaded: Loaded) {
        self.config.replaced(loaded);
    }

    /// The configuration cannot be read again.
    pub(super) fn refused(&self, reason: &str) {
        tracing::warn!("the configuration was not changed: {reason}");
        self.config.refused(reason);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the log, `status` and whoever watches.
    pub(super) fn warn(&self, text: &str) {
        tracing::warn!("{text}");
        let mut state = self.state();
        state.warnings.push_back(text.to_owned());
        state.untold.push(text.to_owned());
        if state.warnings.len() > WARNINGS {
            state.warnings.pop_front();
        }
        if state.untold.len() > WARNINGS {
            state.untold.remove(0);
        }
    }

    /// A trial of the hooks is over. Told when it differs from the one before.
    pub(super) fn self_test(&self, trial: &Trial) {
        match trial {
            Trial::Passed => self.trials.fetch_add(1, Ordering::Relaxed),
            Trial::Failed(_) => self.trials_failed.fetch_add(1, Ordering::Relaxed),
            Trial::Impossible(_) => 0,
        };
        let before = self.state().trial.replace(trial.clone());
        if before.as_ref() == Some(trial) {
            return;
        }
        match trial {
            Trial::Failed(what) => self.warn(&format!(
                "the self-test FAILED, traffic is not counted as it moves: {what}; please report \
                 this with the output of femtosnitch status --json"
            )),
            Trial::Impossible(why) => self.warn(&format!(
                "the self-test is not possible, a silent hook would go unnoticed: {why}"
            )),
            Trial::Passed if before.is_some() => tracing::info!("the self-test passes again"),
            Trial::Passed => {}
        }
    }

    /// One more hook was attached, or refused, while running.
    pub(super) fn hooks_changed(&self, probe: &Probe) {
        let hooks = described(probe);
        let before = std::mem::replace(&mut self.state().hooks, hooks.clone());
        for (hook, before) in hooks.iter().zip(&before).filter(|(now, before)| now != before) {
            tracing::info!(hook = hook.target, why = hook.why, "now {:?}", hook.state);
            if hook.state == HookState::Refused && before.state != HookState::Refused {
                self.warn(&format!("the kernel refused {}: {}", hook.target, hook.why));
            }
        }
    }

    pub(super) fn history_opened(&self, report: Option<&OpenReport>) {
        let Some(report) = report else {
            self.warn("the history cannot be written yet; traffic is kept in memory meanwhile");
            return;
        };
        if let Some(quarantined) = &report.quarantined {
            self.warn(&damaged(quarantined));
        }
        if let (Some(version), Some(backup)) = (report.migrated_from, &report.backup) {
            tracing::info!(version, backup = %backup.display(), "the history was brought up to date");
        }
    }

    pub(super) fn hooks(&self, probe: &Probe) {
        let hooks = described(probe);
        // Hooks that serve one purpose are refused together: one warning for each purpose.
        let mut refused: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for hook in &hooks {
            tracing::debug!(hook = hook.target, state = ?hook.state, why = hook.why);
            if hook.state == HookState::Refused {
                refused.entry(&hook.why).or_default().push(&hook.target);
            }
        }
        for (why, targets) in refused {
            self.warn(&format!("the kernel refused {}: {why}", targets.join(", ")));
        }
        let mut state = self.state();
        state.hooks = hooks;
        probe.front().name().clone_into(&mut state.front);
    }

    pub(super) fn snapshot(&self, report: &SnapshotReport) {
        self.state().found = report.processes;
        if !report.sockets_noted {
            self.warn("older TCP connections could not be noted: what they read by splice before the start counts too");
        }
    }

    /// One line for the log.
    pub(super) fn summary(&self) -> String {
        let state = self.state();
        let attached = state.hooks.iter().filter(|h| h.state == HookState::Attached).count();
        format!(
            "ready: {} front, {attached} hooks, {} processes found, history in {}",
            state.front,
            state.found,
            self.database.display()
        )
    }

    pub(super) fn moved(&self, flows: u64, send: u64, recv: u64) {
        self.flows_read.fetch_add(flows, Ordering::Relaxed);
        self.send_bytes.fetch_add(send, Ordering::Relaxed);
        self.recv_bytes.fetch_add(recv, Ordering::Relaxed);
    }

    /// True if process events were lost since the last time this was asked.
    pub(super) fn events_were_lost(&self, probe: &Probe) -> bool {
        let lost = probe.events_lost();
        let before = self.events_lost_handled.swap(lost, Ordering::Relaxed);
        if lost > before {
            self.warn(&format!(
                "{} process events were lost; running processes are looked up again \
                 (a larger capture.event_buffer helps)",
                lost - before
            ));
        }
        lost > before
    }

    pub(super) fn hashed(&self, bytes: u64) {
        self.hashed.fetch_add(1, Ordering::Relaxed);
        self.hashed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn unhashed(&self, reason: Unhashed) {
        let counter = match reason {
            Unhashed::Gone => &self.gone,
            Unhashed::Changed => &self.changed,
            Unhashed::Unreadable | Unhashed::NoAnswer | Unhashed::TooLarge => &self.unreadable,
            Unhashed::Kernel | Unhashed::Unknown | Unhashed::Interrupted => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn changes_lost(&self) {
        self.changes_lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Files that were executed and that the kernel could not hand to us.
    pub(super) fn executables_lost(&self, count: u64) {
        self.executables_lost.fetch_add(count, Ordering::Relaxed);
    }

    /// systemd-resolved said something that was not understood.
    pub(super) fn resolved_garbled(&self) {
        self.resolved_garbled.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn resolved_garbled_count(&self) -> u64 {
        self.resolved_garbled.load(Ordering::Relaxed)
    }

    /// Rows that reached the log of connections.
    pub(super) fn logged(&self, rows: u64) {
        self.log_rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Rows that did not.
    pub(super) fn log_rows_lost(&self, rows: u64) {
        self.log_rows_lost.fetch_add(rows, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(super) fn log_counts(&self) -> (u64, u64) {
        (self.log_rows.load(Ordering::Relaxed), self.log_rows_lost.load(Ordering::Relaxed))
    }

    #[cfg(test)]
    pub(super) fn warnings(&self) -> Vec<String> {
        self.state().warnings.iter().cloned().collect()
    }

    pub(super) fn slot_lost(&self, error: &std::io::Error) {
        if self.slots_lost.fetch_add(1, Ordering::Relaxed) == 0 {
            self.warn(&format!("a flow could not be given back to the kernel: {error}"));
        }
    }

    /// A flow is kept longer than needed; it is tried again.
    pub(super) fn retire_failed(&self, error: &std::io::Error) {
        if self.retires_failed.fetch_add(1, Ordering::Relaxed) == 0 {
            self.warn(&format!("flows could not be ended, which is tried again: {error}"));
        }
    }

    /// The writer's state after a batch. A change is told once.
    pub(super) fn written(&self, sink: SinkState) {
        let mut news = Vec::new();
        {
            let mut state = self.state();
            if sink.waiting.is_none() {
                if state.sink.waiting.is_some() {
                    tracing::info!("the history is written again");
                }
                state.last_write = Some(now());
            } else if state.sink.waiting != sink.waiting
                && let Some(reason) = &sink.waiting
            {
                news.push(format!("the history cannot be written: {reason}"));
            }
            if sink.quarantines > state.sink.quarantines
                && let Some(quarantined) = &sink.quarantined
            {
                news.push(damaged(quarantined));
            }
            if sink.salvaged != state.sink.salvaged
                && let Some(salvaged) = sink.salvaged.as_ref().filter(|it| it.finished)
            {
                news.push(saved(salvaged));
            }
            if sink.dropped.rows > state.sink.dropped.rows {
                news.push(format!(
                    "{} rows in all had to be dropped because the history could not be written",
                    sink.dropped.rows
                ));
            }
            state.sink = sink;
        }
        for text in news {
            self.warn(&text);
        }
    }

    /// The databases of places in use. What is newly wrong with one is told once.
    pub(super) fn located(&self, geoip: GeoIp) {
        let before = self.state().geoip.problems.clone();
        for problem in geoip.problems.iter().filter(|problem| !before.contains(problem)) {
            self.warn(problem);
        }
        self.state().geoip = geoip;
    }

    /// Everything, for `status`; also tells watchers the warnings that are new.
    pub(super) fn status(&self, probe: &Probe, engine: &Engine, live: &LiveHandle) -> Status {
        let untold = std::mem::take(&mut self.state().untold);
        if !untold.is_empty() {
            let time = now();
            let tell = |text| Event::Warning { time, text };
            live.publish(&untold.into_iter().map(tell).collect::<Vec<_>>());
        }
        let gauges = engine.gauges();
        let counters = self.counters(probe, engine, live);
        let mut state = self.state();
        if state.memory_at.is_none_or(|at| at.elapsed() >= MEMORY) {
            state.memory_at = Some(Instant::now());
            if let Ok(memory) = mem::memory() {
                state.memory = Memory { rss: memory.rss, pss: memory.pss };
            }
        }
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: self.since,
            now: now(),
            front: state.front.clone(),
            hooks: state.hooks.clone(),
            counters,
            flows: Flows { live: gauges.flows as u64, max: probe.max_flows() },
            database: Database {
                path: self.database.display().to_string(),
                bytes: database_bytes(&self.database),
                rows: None,
                last_write: state.last_write,
                state: state.sink.waiting.clone().unwrap_or_else(|| "ok".to_owned()),
            },
            geoip: state.geoip.clone(),
            warnings: state.warnings.iter().cloned().collect(),
            config: self.config.get(),
            memory: state.memory,
            self_test: match &state.trial {
                None => String::new(),
                Some(Trial::Passed) => "passed".to_owned(),
                Some(Trial::Failed(what)) => format!("failed: {what}"),
                Some(Trial::Impossible(why)) => format!("not possible: {why}"),
            },
        }
    }

    /// Every counter by its name, as `status` shows them.
    pub(super) fn counters(
        &self,
        probe: &Probe,
        engine: &Engine,
        live: &LiveHandle,
    ) -> BTreeMap<String, u64> {
        let (gauges, names) = (engine.gauges(), engine.name_gauges());
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let state = self.state();
        let sink = &state.sink;
        let own = [
            ("flows_read", load(&self.flows_read)),
            ("send_bytes", load(&self.send_bytes)),
            ("recv_bytes", load(&self.recv_bytes)),
            ("processes", gauges.processes as u64),
            ("processes_refused", gauges.processes_refused),
            ("owners_missed", gauges.owners_unknown),
            ("images", gauges.images as u64),
            ("files", gauges.files as u64),
            ("files_hashed", load(&self.hashed)),
            ("files_hashed_bytes", load(&self.hashed_bytes)),
            ("hashes_missed_gone", load(&self.gone)),
            ("hashes_missed_unreadable", load(&self.unreadable)),
            ("hashes_missed_changed", load(&self.changed)),
            ("file_changes_lost", load(&self.changes_lost)),
            ("executables_lost", load(&self.executables_lost)),
            ("flow_slots_lost", load(&self.slots_lost)),
            ("flow_retires_failed", load(&self.retires_failed)),
            ("self_tests", load(&self.trials)),
            ("self_tests_failed", load(&self.trials_failed)),
            ("flows_unretired", gauges.flows_unretired as u64),
            ("rows_written", sink.written.rows),
            ("rows_ignored", gauges.rows_ignored),
            ("rows_queued", sink.queued_rows as u64),
            ("rows_dropped", sink.dropped.rows.saturating_add(gauges.rows_lost)),
            ("bytes_dropped", sink.dropped.bytes.saturating_add(gauges.bytes_lost)),
            ("news_dropped", sink.dropped.news),
            ("changes_undecided", sink.written.undecided),
            ("rows_salvaged", sink.salvaged.as_ref().map_or(0, |it| it.rows)),
            ("pieces_unreadable", sink.salvaged.as_ref().map_or(0, |it| it.lost)),
            ("name_replies", names.replies),
            ("name_hellos", names.hellos),
            ("name_lookups", names.lookups),
            ("names_garbled", names.garbled),
            ("resolved_garbled", load(&self.resolved_garbled)),
            ("names_known", names.known as u64),
            ("log_rows", load(&self.log_rows)),
            ("log_rows_lost", load(&self.log_rows_lost)),
            ("live_readers", live.readers() as u64),
            ("live_events_missed", live.missed()),
        ];
        let mut counters: BTreeMap<String, u64> =
            own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let health = probe.health();
        counters.extend(health.counts.into_iter().map(|c| (c.name.to_owned(), c.value)));
        counters.insert("flows_ever".to_owned(), health.flows_ever);
        counters
    }
}

fn described(probe: &Probe) -> Vec<Hook> {
    probe
        .hooks()
        .iter()
        .map(|hook| Hook {
            program: hook.program.to_owned(),
            target: hook.target.to_owned(),
            state: match hook.state {
                probe::HookState::Attached => HookState::Attached,
                probe::HookState::NotNeeded => HookState::NotNeeded,
                probe::HookState::Refused => HookState::Refused,
            },
            why: hook.why.clone(),
        })
        .collect()
}

fn damaged(quarantined: &Quarantined) -> String {
    format!(
        "the history was damaged ({}); it was moved to {} and a new one begun",
        quarantined.reason,
        quarantined.path.display()
    )
}

fn saved(salvaged: &Salvaged) -> String {
    let Salvaged { path, rows, lost, given_up, .. } = salvaged;
    let path = path.display();
    match given_up {
        Some(reason) => {
            format!("{rows} rows were saved of {path}; the rest is unreadable: {reason}")
        }
        None => format!("{rows} rows were saved of {path}; {lost} pieces of it are unreadable"),
    }
}

/// Size on disk with the write-ahead log.
fn database_bytes(path: &Path) -> u64 {
    ["", "-wal", "-shm"]
        .iter()
        .filter_map(|suffix| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            std::fs::metadata(name).ok()
        })
        .map(|meta| meta.len())
        .sum()
}
