//! The running capture.

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use femtosnitch_model::{FlowKind, NameEvent, ProcEvent, Reading, Slot};
use libbpf_rs::{Link, MapCore, MapFlags, MapHandle, RingBuffer, RingBufferBuilder};

use crate::ProbeError;
use crate::abi::{self, Bss, RawUsage};
use crate::error::to_io;
use crate::event;
use crate::ledger::{Ledger, Way};
use crate::load::{Loaded, Sizes, load};
use crate::mapping::Mapping;
use crate::payload;
use crate::plan::{Front, FrontChoice, Given, Hook, HookState, Senders, Splices, plan};
use crate::support::Facts;
use crate::watcher::Watcher;

mod barrier;
mod losses;
mod on_demand;
/// How capture is to be set up.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Which hooks to use.
    pub front: FrontChoice,
    /// Flows kept in the kernel at a time, 128 bytes each.
    pub max_flows: u32,
    /// Per-process counters for when there are more.
    pub max_buckets: u32,
    /// New peers that one socket may get flows for per minute.
    pub max_peers_per_socket: u32,
    /// When to find out about senders that nobody asks for.
    pub senders: Senders,
    /// When to watch TCP where it is read by other means than calls that receive.
    pub splices: Splices,
    /// Size of the process event buffer: a power of two, and a multiple of the page size.
    pub event_buffer: u32,
    /// Size of the buffer for bytes that may tell names, likewise; 0: none are copied.
    pub names_buffer: u32,
}

/// What the walk over the processes that were there already found.
#[derive(Debug, Default, Clone, Copy)]
pub struct SnapshotReport {
    /// Processes told to the sink.
    pub processes: usize,
    /// Whether the TCP sockets they hold were noted, so that only later bytes count.
    pub sockets_noted: bool,
}

/// Capture, attached from [`Probe::start`] until it is dropped.
pub struct Probe {
    ledger: Ledger,
    bss: Mapping,
    ring: RingBuffer<'static>,
    inbox: Arc<Mutex<Vec<ProcEvent>>>,
    names: Arc<Mutex<Vec<NameEvent>>>,
    garbled: Arc<AtomicU64>,
    free_flows: MapHandle,
    free_buckets: MapHandle,
    extras: MapHandle,
    buckets: MapHandle,
    exe_buckets: MapHandle,
    orphans: MapHandle,
    sockets: MapHandle,
    hooks: Vec<Hook>,
    front: Front,
    max_flows: u32,
    /// Programs that wait for being wanted.
    waiting: Vec<on_demand::Program>,
    /// Whether it was tried to find out where SCTP keeps things.
    sctp_tried: bool,
    // Dropped last: what is above reads maps that the kernel side writes.
    links: Vec<Link>,
    loaded: Loaded,
}

impl Probe {
    /// Loads and attaches. From the moment this returns every byte and every process event is
    /// seen; call [`Probe::snapshot`] next for what was there before.
    ///
    /// `cgroup` is the root of the cgroup v2 hierarchy.
    ///
    /// # Errors
    /// If the kernel lacks or refuses something without which the numbers would be wrong.
    pub fn start(options: Options, cgroup: Option<BorrowedFd<'_>>) -> Result<Self, ProbeError> {
        quiet_libbpf();
        let facts = Facts::gather()?;
        let given = Given { cgroup: cgroup.is_some(), names: options.names_buffer > 0 };
        let plan = plan(&facts, options.front, given)?;
        let sizes = Sizes {
            flows: options.max_flows,
            buckets: options.max_buckets,
            new_peers: options.max_peers_per_socket,
            ring_bytes: options.event_buffer,
            names_bytes: options.names_buffer,
        };
        let loaded = load(plan, sizes)?;

        let mapping = |source| ProbeError::Setup { what: "mapping the counters", source };
        let (flows, dirty, alive) =
            (loaded.map("flows")?, loaded.map("dirty")?, loaded.map("alive")?);
        let flows = flows.as_fd().try_clone_to_owned().map_err(mapping)?;
        let tcp = loaded.map("tcp_totals")?.as_fd().try_clone_to_owned().map_err(mapping)?;
        let (buckets, slots) = (sizes.buckets, sizes.slots());
        let ledger = Ledger::new([flows, tcp], dirty.as_fd(), alive.as_fd(), buckets, slots);
        let ledger = ledger.map_err(mapping)?;
        let bss = Mapping::new(loaded.map(".bss")?.as_fd(), 0, size_of::<Bss>())
            .map_err(|source| ProbeError::Setup { what: "mapping the program's state", source })?;

        let inbox = Arc::new(Mutex::new(Vec::new()));
        let garbled = Arc::new(AtomicU64::new(0));
        let names = Arc::new(Mutex::new(Vec::new()));
        let mut rings = RingBufferBuilder::new();
        let (events, payloads) = (loaded.map("events")?, loaded.map("payloads")?);
        add_ring(&mut rings, &events, event::parse, &inbox, &garbled)?;
        add_ring(&mut rings, &payloads, payload::parse, &names, &garbled)?;
        let ring = rings.build().map_err(ProbeError::setup("opening the event buffers"))?;
        // Before anything is counted, and again in snapshot() for what came between: a read that is
        // seen first would take all that such a socket ever received for new. If this kernel has
        // no such walk the report of the snapshot says so.
        loaded.walk("fs_iter_files", None).ok();
        let (links, hooks) = loaded.attach(cgroup)?;
        let mut probe = Self {
            ledger,
            bss,
            ring,
            inbox,
            names,
            garbled,
            free_flows: loaded.map("free_flows")?,
            free_buckets: loaded.map("free_buckets")?,
            extras: loaded.map("extras")?,
            buckets: loaded.map("buckets")?,
            exe_buckets: loaded.map("exe_buckets")?,
            orphans: loaded.map("orphans")?,
            sockets: loaded.map("sockets")?,
            hooks,
            front: loaded.front(),
            max_flows: sizes.flows,
            waiting: on_demand::waiting(options.senders),
            sctp_tried: false,
            links,
            loaded,
        };
        probe.attach_at_once(options.senders, options.splices);
        Ok(probe)
    }

    /// What was chosen, program by program.
    #[must_use]
    pub fn hooks(&self) -> &[Hook] {
        &self.hooks
    }

    /// The front in use.
    #[must_use]
    pub fn front(&self) -> Front {
        self.front
    }

    /// Tells of every process that exists, and notes how far TCP sockets were read, so that
    /// connections older than the daemon count from now on only.
    ///
    /// # Errors
    /// If the kernel's walk over its tasks fails.
    pub fn snapshot(
        &mut self,
        sink: &mut dyn FnMut(ProcEvent),
    ) -> Result<SnapshotReport, ProbeError> {
        let sockets_noted = self.note_sockets();
        Ok(SnapshotReport { processes: self.walk_tasks(sink)?, sockets_noted })
    }

    /// Tells of every process that exists; also used after events were lost.
    ///
    /// # Errors
    /// If the kernel's walk over its tasks fails.
    pub fn walk_tasks(&mut self, sink: &mut dyn FnMut(ProcEvent)) -> Result<usize, ProbeError> {
        let walking = |source| ProbeError::Setup { what: "walking the running processes", source };
        let bytes = self.loaded.walk("fs_iter_tasks", None).map_err(walking)?;
        let mut rest = bytes.as_slice();
        let mut found = 0;
        while let Some((info, used)) = event::parse_proc(rest) {
            sink(ProcEvent::Found(Box::new(info)));
            found += 1;
            rest = rest.get(used..).unwrap_or_default();
        }
        if !rest.is_empty() {
            self.garbled.fetch_add(1, Relaxed);
        }
        Ok(found)
    }

    fn note_sockets(&self) -> bool {
        self.is_attached("fs_iter_files") && self.loaded.walk("fs_iter_files", None).is_ok()
    }

    /// Looks for AF_XDP sockets that nothing else tells of: those that make no call, and are older
    /// than the hooks or on a kernel without function tracing. A walk over all open files.
    ///
    /// # Errors
    /// If the kernel's walk fails.
    pub fn look_for_rings(&self) -> io::Result<()> {
        if !self.is_attached("fs_iter_rings") {
            return Ok(());
        }
        self.loaded.walk("fs_iter_rings", None).map(drop)
    }

    /// True if only a look finds such sockets.
    #[must_use]
    pub fn rings_are_hidden(&self) -> bool {
        !self.is_attached("fs_xdp_bind")
    }

    fn is_attached(&self, name: &str) -> bool {
        self.hooks.iter().any(|hook| hook.program == name && hook.state == HookState::Attached)
    }

    /// Reads the process events that are waiting, oldest first.
    ///
    /// # Errors
    /// If libbpf cannot read the ring buffer, which would be a defect.
    pub fn events(&mut self, sink: &mut dyn FnMut(ProcEvent)) -> Result<(), ProbeError> {
        self.ring.consume().map_err(ProbeError::setup("reading process events"))?;
        let events =
            std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner));
        events.into_iter().for_each(sink);
        Ok(())
    }

    /// What may tell names, oldest first, as of the last call of [`Probe::events`].
    pub fn take_names(&mut self) -> Vec<NameEvent> {
        let mut names =
            std::mem::take(&mut *self.names.lock().unwrap_or_else(PoisonError::into_inner));
        names.retain(payload::tells_something);
        names
    }

    /// What watches C libraries, whose answers are then among [`Probe::take_names`]. `None` if names
    /// are not wanted, or the kernel cannot: see [`Probe::hooks`].
    ///
    /// # Errors
    /// If there are no descriptors left.
    pub fn watcher(&self) -> io::Result<Option<Watcher>> {
        self.loaded.watcher().transpose()
    }

    /// How many libraries are watched, for [`Probe::hooks`].
    pub fn libraries_watched(&mut self, count: usize) {
        let (state, why) = if count == 0 {
            (HookState::NotNeeded, "attached once a C library is found".to_owned())
        } else {
            (HookState::Attached, format!("names that C libraries tell, {count} of them"))
        };
        for hook in &mut self.hooks {
            if matches!(hook.program, "fs_asked" | "fs_told") {
                hook.state = state;
                hook.why.clone_from(&why);
            }
        }
    }

    /// Visits every flow that moved since the last drain. Costs nothing for the others.
    pub fn drain(&mut self, visit: &mut dyn FnMut(Reading)) {
        let fresh = |offset| self.bss.u32(offset).map_or(0, |n| n.load(SeqCst));
        let buckets = fresh(offset_of!(Bss, fs_fresh_buckets));
        let flows = fresh(offset_of!(Bss, fs_fresh_flows));
        self.ledger.drain(buckets, flows, visit);
    }

    /// Looks at one flow, moved or not.
    pub fn read(&mut self, slot: Slot) -> Option<Reading> {
        self.ledger.read(slot)
    }

    /// Makes the kernel side forget extra flows and buckets, and waits until none of its programs
    /// can be about to add to them. Afterwards their totals are final; read them, then
    /// [`Probe::release`] the slots.
    ///
    /// # Errors
    /// If the kernel cannot wait (`membarrier(2)`): then the slots must not be released.
    pub fn retire(&mut self, slots: &[(Slot, FlowKind)]) -> io::Result<()> {
        for (slot, kind) in slots {
            // Not found: the entry was gone already.
            match self.ledger.way_to(*slot, *kind) {
                Some(Way::Extras(key)) => drop(self.extras.delete(abi::bytes_of(&key))),
                Some(Way::Buckets(key)) => drop(self.buckets.delete(abi::bytes_of(&key))),
                Some(Way::Executables(key)) => drop(self.exe_buckets.delete(abi::bytes_of(&key))),
                Some(Way::Orphans(cookie))
                    if self.orphans.delete(&cookie.to_ne_bytes()).is_ok() =>
                {
                    self.subtract_one(offset_of!(Bss, fs_orphans));
                }
                Some(Way::Orphans(_)) | None => {}
            }
        }
        barrier::wait_for_programs()
    }

    /// Gives a slot back to the kernel side. Only for flows whose total is final: closed ones, and
    /// retired ones.
    ///
    /// # Errors
    /// If the kernel refuses, which would be a defect; the slot is then lost until a restart.
    pub fn release(&mut self, slot: Slot, kind: FlowKind) -> io::Result<()> {
        let (queue, usage) = match kind {
            FlowKind::CatchAll => return Ok(()),
            FlowKind::Bucket => (&self.free_buckets, abi::USAGE_BUCKETS),
            FlowKind::Executable { .. } => (&self.free_buckets, abi::USAGE_EXES),
            FlowKind::First | FlowKind::Orphan | FlowKind::Extra | FlowKind::ManyPeers => {
                (&self.free_flows, abi::USAGE_FLOWS)
            }
        };
        if let Some(uid) = self.ledger.uid(slot) {
            let usage = offset_of!(Bss, fs_usage) + usage * size_of::<RawUsage>();
            self.subtract_one(usage + offset_of!(RawUsage, all));
            let of_uid = (uid % abi::UIDS) as usize * size_of::<u32>();
            self.subtract_one(usage + offset_of!(RawUsage, of_uid) + of_uid);
        }
        self.ledger.forget(slot);
        queue.update(&[], &slot.0.to_ne_bytes(), MapFlags::ANY).map_err(|error| to_io(&error))
    }

    /// From a number that the kernel side adds to.
    fn subtract_one(&self, offset: usize) {
        if let Some(number) = self.bss.u32(offset) {
            number.fetch_sub(1, SeqCst);
        }
    }

    /// Finds out which flows still have a socket; [`Probe::has_socket`] then answers for those
    /// that existed when this was called.
    ///
    /// # Errors
    /// If this kernel has no such walk.
    pub fn sweep(&mut self) -> io::Result<()> {
        self.ledger.clear_alive();
        self.look_for_splices()
    }

    /// The answer of the last [`Probe::sweep`].
    #[must_use]
    pub fn has_socket(&self, slot: Slot) -> bool {
        self.ledger.is_alive(slot)
    }

    /// Process events that found the buffer full, since the start.
    #[must_use]
    pub fn events_lost(&self) -> u64 {
        self.count(abi::COUNT_EVENT_LOST)
    }

    /// Flows that may be alive at a time.
    #[must_use]
    pub fn max_flows(&self) -> u64 {
        u64::from(self.max_flows)
    }

    fn count(&self, index: usize) -> u64 {
        if index >= abi::COUNTS {
            return 0;
        }
        let offset = offset_of!(Bss, fs_counts) + index * size_of::<u64>();
        self.bss.u64(offset).map_or(0, |count| count.load(Relaxed))
    }

    /// Stops counting, so that the totals read afterwards are the last. What TCP has moved by then
    /// without a call that told of it is added.
    pub fn detach(&mut self) {
        self.links.clear();
        if let Some(last) = self.bss.u32(offset_of!(Bss, fs_last_look)) {
            last.store(1, SeqCst);
            // A kernel without this walk has watched for splices all the time.
            self.look_for_splices().ok();
        }
        for hook in &mut self.hooks {
            if hook.state == HookState::Attached {
                "femtosnitch is stopping".clone_into(&mut hook.why);
                hook.state = HookState::NotNeeded;
            }
        }
    }
}

impl AsFd for Probe {
    /// Becomes readable when the kernel side wants its events read soon.
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the ring buffer owns the descriptor and lives as long as the borrow.
        unsafe { BorrowedFd::borrow_raw(self.ring.epoll_fd()) }
    }
}

/// Adds a buffer whose records `parse` understands and `inbox` gathers.
fn add_ring<'map, T: 'static>(
    rings: &mut RingBufferBuilder<'map, 'static>,
    map: &'map MapHandle,
    parse: fn(&[u8]) -> Option<T>,
    inbox: &Arc<Mutex<Vec<T>>>,
    garbled: &Arc<AtomicU64>,
) -> Result<(), ProbeError> {
    let (inbox, garbled) = (Arc::clone(inbox), Arc::clone(garbled));
    let added = rings.add(map, move |bytes| {
        match parse(bytes) {
            Some(event) => inbox.lock().unwrap_or_else(PoisonError::into_inner).push(event),
            None => {
                garbled.fetch_add(1, Relaxed);
            }
        }
        0
    });
    added.map(drop).map_err(ProbeError::setup("opening an event buffer"))
}

/// libbpf's own messages go to the log instead of stderr.
fn quiet_libbpf() {
    libbpf_rs::set_print(Some((libbpf_rs::PrintLevel::Debug, |level, text| {
        let text = text.trim_end();
        match level {
            libbpf_rs::PrintLevel::Debug => tracing::trace!(target: "libbpf", "{text}"),
            _ => tracing::debug!(target: "libbpf", "{text}"),
        }
    })));
}
