//! The daemon: starts its threads in the right order, and stops them in the right order.
//!
//! | thread | owns | sleeps until |
//! |---|---|---|
//! | `capture` | the probe and the engine | the next sample, or process events |
//! | `identity` | open executables, fanotify | a file to take hold of, a change |
//! | `hash-N`, `hash-large-0` | nothing | a file to hash |
//! | `libraries` | the watch over C libraries | a program not seen before |
//! | `resolved` | nothing | systemd-resolved has something to tell |
//! | `writer` | the database | a batch, or the next step of retention |
//! | `serve` | the live socket's readers | something to tell them |
//!
//! Messages go one way round: capture → identity → hash → capture, and capture → writer.

mod capture;
mod containers;
mod evidence;
mod identity;
mod libraries;
mod locations;
mod lookup;
mod losses;
mod place;
mod report;
mod resolved;
mod resolvers;
mod retention;
mod selftest;
mod settings;
mod textlog;
mod walk;
mod writer;

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context, bail};
use femtosnitch_api::{Limits as LiveLimits, LiveServer};
use femtosnitch_engine::{Engine, Limits};
use femtosnitch_model::{ContainerFacts, Digest, Facts, FileId, ProcKey, Resolved};
use femtosnitch_probe::{Front, FrontChoice, Options, Probe, Senders, Splices};
use femtosnitch_store::{self as store, Sink};
use femtosnitch_sys::caps::{self, Cap};
use femtosnitch_sys::lock::InstanceLock;
use femtosnitch_sys::{cgroup, owner, procfs, thread};

use crate::config::{self, Config, Paths};
use capture::Capture;
use containers::Containers;
use evidence::Evidence;
use identity::Identity;
use libraries::Libraries;
use losses::Losses;
use report::Report;
use resolved::Listener;
use resolvers::Resolvers;
use retention::Keep;
pub use settings::Hangup;
pub(crate) use settings::privacy;
use settings::{InForce, Loaded, Settings};
use textlog::TextLog;
use walk::Walk;
use writer::WriterHandle;

/// What the daemon keeps of root's powers: BPF, capture, other namespaces' files, fanotify, reading
/// files as a user to whom alone they are served, other namespaces' mounts, and giving its own to the
/// group.
const KEEP: [Cap; 10] = [
    Cap::Bpf,
    Cap::Perfmon,
    Cap::NetAdmin,
    Cap::SysAdmin,
    Cap::SysPtrace,
    Cap::SysChroot,
    Cap::DacReadSearch,
    Cap::Setuid,
    Cap::Setgid,
    Cap::Chown,
];

/// Without these nothing works; the others cost detail.
const NEED: [Cap; 4] = [Cap::Bpf, Cap::Perfmon, Cap::NetAdmin, Cap::SysAdmin];

/// Files whose digests are remembered.
const FILES: usize = 65_536;

/// To the capture thread.
pub(crate) enum Message {
    /// A file was hashed, or cannot be.
    Digest(FileId, Digest),
    /// What else was found out about a file that was hashed.
    Facts(FileId, Facts),
    /// What a container is called, if that is known.
    Container(Arc<str>, Option<ContainerFacts>),
    /// A process runs this script, of which this is the version.
    Script(ProcKey, Vec<u8>, Option<FileId>),
    /// So many C libraries are watched.
    Libraries(usize),
    /// What systemd-resolved answered somebody.
    Resolved(Resolved),
    /// Another configuration.
    Settings(Box<(Settings, Loaded)>),
    /// One that is of no use, and why.
    Refused(String),
    /// Count what there is, write it, end.
    Stop,
}

/// The daemon, running.
pub struct Running {
    paths: Paths,
    /// What it was started with.
    config: Config,
    messages: Sender<Message>,
    waker: capture::Waker,
    capture: JoinHandle<anyhow::Result<()>>,
    writer: WriterHandle,
    /// They end once capture has.
    helpers: Vec<JoinHandle<()>>,
    look: locations::Asks,
    report: Arc<Report>,
    _lock: InstanceLock,
}

impl Running {
    /// Starts everything; when this returns every hook is attached and the history is open.
    ///
    /// # Errors
    /// If anything is missing without which the daemon would not do its work. Nothing is left
    /// behind then.
    pub fn start(paths: &Paths, hangup: Hangup) -> anyhow::Result<Self> {
        let (config, config_path) = Config::load(paths)?;
        // First, since whoever lacks them may not make directories either.
        check_capabilities()?;
        procfs::comm(std::process::id()).context(
            "/proc is not what the kernel tells of processes; `mount -t proc proc /proc`, or start \
             the daemon where it is mounted",
        )?;
        let gid = reader_group(paths, &config)?;
        owner::ensure_dir(&paths.run_dir(), 0o750, gid)
            .with_context(|| format!("cannot make {}", paths.run_dir().display()))?;
        let lock = InstanceLock::acquire(&paths.lock_file())?;

        let loaded = Loaded::new(config_path.as_deref(), report::now(), &config, &config);
        let report = Arc::new(Report::new(paths, InForce::new(loaded, hangup)));
        let boot = procfs::boot_id().unwrap_or_else(|error| {
            report.warn(&format!(
                "the kernel does not say which boot this is ({error}): in the history processes of \
                 this boot may be taken for those of another"
            ));
            String::new()
        });
        let (locator, look) = locations::locator(paths, &config.geoip, &report);
        let tamper_evidence = config.store.tamper_evidence;
        let locate = Some(Arc::clone(&locator));
        let options = store::Options { group: gid, boot, locator: locate, tamper_evidence };
        let (sink, opened) = Sink::open(&paths.database(), &options, config.store.spool_rows)?;
        report.history_opened(opened.as_ref());

        let cgroup = cgroup_root(&report);
        let probe =
            Probe::start(probe_options(&config), cgroup.as_ref().map(|root| root.fd.as_fd()))?;
        report.hooks(&probe);
        let limits = Limits { processes: config.identity.processes as usize, files: FILES };
        let Settings { filters, privacy, sample_interval, write_interval, names } =
            Settings::of(&config);
        let engine = Engine::new(limits, filters, privacy, place::NAMES);

        reduce_capabilities(&report)?;
        // Capabilities belong to a thread: from here on none is started with more.
        let live = LiveServer::start(
            &paths.live_socket(),
            env!("CARGO_PKG_VERSION"),
            LiveLimits {
                max_readers: config.live.max_readers as usize,
                reader_buffer: config.live.reader_buffer as usize,
            },
            0o660,
            gid,
        )?;

        let (messages, inbox) = channel();
        let (waker, wake) = capture::waker()?;
        let (identity, mut helpers) = Identity::start(
            config.identity.hash_threads,
            messages.clone(),
            waker.clone(),
            &report,
        )?;
        let tellers = Tellers::start(&probe, &config, paths, (&messages, &waker), &report)?;
        helpers.extend(tellers.threads);
        let log = TextLog::new(&paths.log_dir(), gid, config.log.clone(), &report);
        let keep = (Keep::from(&config.store), Evidence::new(tamper_evidence));
        let writer = writer::start(sink, keep, locator, log, Arc::clone(&report))?;
        let capture = Capture {
            probe,
            engine,
            identity,
            libraries: tellers.libraries,
            _resolved: tellers.resolved,
            batches: writer.batches(),
            live,
            report: Arc::clone(&report),
            sample_interval,
            write_interval,
            max_flows: config.capture.max_flows as usize,
            walk: Walk::default(),
            self_test: None,
            containers: Containers::default(),
            losses: Losses::default(),
            resolvers: Resolvers::new(names),
        };
        let capture = start_capture(capture, inbox, wake)?;
        let paths = paths.clone();
        Ok(Self {
            paths,
            config,
            messages,
            waker,
            capture,
            writer,
            helpers,
            look,
            report,
            _lock: lock,
        })
    }

    /// One line that says what runs.
    #[must_use]
    pub fn summary(&self) -> String {
        self.report.summary()
    }

    /// Reads the configuration again. Filters, privacy, resolvers, databases of places, the log of
    /// connections, retention, tamper evidence and intervals change at once; the rest waits for a restart, which is told. A broken file changes
    /// nothing.
    pub fn reload(&self) {
        let message = match Config::load(&self.paths) {
            Ok((config, path)) => {
                let loaded = Loaded::new(path.as_deref(), report::now(), &self.config, &config);
                self.writer.set_retention(Keep::from(&config.store));
                self.writer.set_tamper_evidence(config.store.tamper_evidence);
                self.writer.set_log(config.log.clone());
                self.look.send(locations::search(&self.paths, &config.geoip));
                Message::Settings(Box::new((Settings::of(&config), loaded)))
            }
            Err(error) => Message::Refused(error.to_string()),
        };
        // The other end may be on its way out; then there is nothing to change.
        drop(self.messages.send(message));
        self.waker.wake();
    }

    /// True if a thread without which nothing works ended by itself.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.capture.is_finished()
            || self.writer.is_finished()
            || self.helpers.iter().any(JoinHandle::is_finished)
    }

    /// Stops counting, writes everything, ends all threads.
    ///
    /// # Errors
    /// If a thread failed, or if rows could not be written.
    pub fn stop(self) -> anyhow::Result<()> {
        // Before capture tells them to end; if it is gone already its own result says why.
        let died = died(self.helpers);
        drop(self.messages.send(Message::Stop));
        self.waker.wake();
        let captured = self.capture.join();
        let written = self.writer.finish();
        match captured {
            Ok(result) => result?,
            Err(_) => bail!("the capture thread panicked; this is a defect, please report it"),
        }
        written?;
        match died {
            Some(what) => bail!("{what}; this is a defect, please report it"),
            None => Ok(()),
        }
    }
}

/// Who tells names, besides the bytes on the wire.
struct Tellers {
    libraries: Libraries,
    resolved: Option<Listener>,
    threads: Vec<JoinHandle<()>>,
}

impl Tellers {
    fn start(
        probe: &Probe,
        config: &Config,
        paths: &Paths,
        (messages, waker): (&Sender<Message>, &capture::Waker),
        report: &Arc<Report>,
    ) -> anyhow::Result<Self> {
        let watcher = probe.watcher().context("cannot watch C libraries")?;
        let (libraries, finder) =
            Libraries::start(watcher, messages.clone(), waker.clone(), report)?;
        let mut threads: Vec<_> = finder.into_iter().collect();
        let mut resolved = None;
        if config.names.capture {
            let monitor = paths.below(Path::new(resolved::MONITOR));
            let (listener, thread) =
                resolved::start(monitor, messages.clone(), waker.clone(), report)?;
            threads.push(thread);
            resolved = Some(listener);
        }
        Ok(Self { libraries, resolved, threads })
    }
}

/// What to say of threads that ended before they were told to. The others are not waited for: one
/// may hang in a read from a file server.
fn died(threads: Vec<JoinHandle<()>>) -> Option<String> {
    let (mut panicked, mut ended) = (Vec::new(), Vec::new());
    for handle in threads.into_iter().filter(JoinHandle::is_finished) {
        let name = handle.thread().name().unwrap_or("a").to_owned();
        if handle.join().is_err() { panicked.push(name) } else { ended.push(name) }
    }
    // A panic takes others with it.
    let (names, how) =
        if panicked.is_empty() { (ended, "ended by itself") } else { (panicked, "panicked") };
    let told = names.iter().map(|name| format!("the {name} thread {how}"));
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn start_capture(
    capture: Capture,
    inbox: Receiver<Message>,
    wake: std::io::PipeReader,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let (started, is_started) = channel();
    let handle = thread::spawn("capture", move || capture.run(&inbox, &wake, &started))?;
    // The snapshot of what already runs is part of being ready.
    if is_started.recv().is_err() {
        return match handle.join() {
            Ok(Err(error)) => Err(error),
            _ => bail!("the capture thread ended before it began"),
        };
    }
    Ok(handle)
}

/// The group that may read, if the configuration names one and the system has it.
pub(crate) fn reader_group(paths: &Paths, config: &Config) -> anyhow::Result<Option<u32>> {
    let Some(name) = &config.access.group else { return Ok(None) };
    let file = PathBuf::from("/etc/group");
    match owner::group_id(&file, name) {
        Ok(gid) => Ok(gid),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| {
            format!("cannot look up access.group of {}", paths.config_toml().display())
        }),
    }
}

/// Where hooks that see peers of datagrams are attached; what is missing without is told.
fn cgroup_root(report: &Report) -> Option<cgroup::CgroupRoot> {
    let found = cgroup::root();
    match &found {
        Ok(root) if root.whole_machine => {}
        Ok(_) => report
            .warn("running in a cgroup namespace: peers of datagrams outside of it stay unknown"),
        Err(error) => report.warn(&format!(
            "no cgroup v2 hierarchy ({error}): peers of unconnected datagrams stay unknown"
        )),
    }
    found.ok()
}

fn check_capabilities() -> anyhow::Result<()> {
    let lacking = caps::effective()?.lacks(&NEED);
    if lacking.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = lacking.into_iter().map(Cap::name).collect();
    bail!(
        "missing {}: capturing needs root (try: sudo femtosnitch daemon) or a service manager \
         that grants these capabilities",
        names.join(", ")
    )
}

/// After everything that needs more was opened, before the threads that handle others' data.
fn reduce_capabilities(report: &Report) -> anyhow::Result<()> {
    let reduced = caps::reduce_to(&KEEP).context("cannot give up capabilities")?;
    caps::no_new_privileges()?;
    let missing: Vec<&str> = reduced.missing.iter().map(|cap| cap.name()).collect();
    if !missing.is_empty() {
        report.warn(&format!(
            "without {} some executables of other users cannot be read",
            missing.join(", ")
        ));
    }
    tracing::debug!(kept = ?reduced.kept, dropped = reduced.dropped, "capabilities given up");
    Ok(())
}

fn probe_options(config: &Config) -> Options {
    Options {
        front: match config.capture.front {
            config::Front::Auto => FrontChoice::Auto,
            config::Front::Tracepoint => FrontChoice::Only(Front::Tracepoint),
            config::Front::Fexit => FrontChoice::Only(Front::Fexit),
        },
        max_flows: config.capture.max_flows,
        max_buckets: config.capture.max_overflow,
        max_peers_per_socket: config.capture.max_peers_per_socket,
        senders: match config.capture.senders {
            config::Senders::Auto => Senders::Auto,
            config::Senders::Always => Senders::Always,
            config::Senders::Never => Senders::Never,
        },
        splices: match config.capture.splices {
            config::Splices::Auto => Splices::Auto,
            config::Splices::Always => Splices::Always,
        },
        event_buffer: config.capture.event_buffer,
        names_buffer: if config.names.capture { config.names.buffer } else { 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_that_died_is_named() {
        let (keep, wait) = channel::<()>();
        let threads = vec![
            thread::spawn("alive", move || wait.recv().unwrap_or_default()).unwrap(),
            thread::spawn("broken", || panic!("expected by the test")).unwrap(),
            thread::spawn("tired", || ()).unwrap(),
        ];
        while threads.iter().filter(|thread| thread.is_finished()).count() < 2 {
            std::thread::yield_now();
        }
        assert_eq!(died(threads).unwrap(), "the broken thread panicked");
        drop(keep);
        let tired = thread::spawn("tired", || ()).unwrap();
        while !tired.is_finished() {
            std::thread::yield_now();
        }
        assert_eq!(died(vec![tired]).unwrap(), "the tired thread ended by itself");
        assert_eq!(died(Vec::new()), None);
    }
}
