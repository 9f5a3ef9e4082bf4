//! The engine: joins processes, digests and flows.

use std::sync::Arc;

use femtosnitch_model::{
    Connections, Counters, Digest, Direction, Facts, FileId, FlowKey, FlowKind, Image, ImageId,
    NameEvent, Naming, ProcEvent, ProcInfo, ProcKey, Process, Quality, Reading, Slot, Wire,
};

use crate::Effect;
use crate::digests::Digests;
use crate::filter::{Filters, Subject, Verdict};
use crate::flows::{Flows, Growth, Tracked};
use crate::hosts::{Hosts, NameGauges, NameRules};
use crate::places::PlaceNames;
use crate::privacy::{Privacy, Shown};
use crate::processes::{Processes, alone, nobody};
use crate::rows::{Batch, Rows, Rules};

/// A batch is due early once this many ended flows wait: many short connections.
const ENDED_DUE: usize = 20_000;

/// Bounds of the engine's tables.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Program runs kept.
    pub processes: usize,
    /// Files whose digests are kept.
    pub files: usize,
}

/// When something is taken in. The engine has no clock of its own.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Seconds since 1970-01-01 UTC; may be set back or forth.
    pub wall: i64,
    /// Counts samples; only grows.
    pub tick: u64,
    /// When the machine was started, on the same clock as `wall`.
    pub boot: i64,
}

impl Moment {
    /// Seconds since the machine was started; never steps.
    pub(crate) fn up(self) -> i64 {
        self.wall.saturating_sub(self.boot)
    }
}

/// A flow that grew, for the live feed.
#[derive(Debug)]
pub struct Moved<'a> {
    /// Who.
    pub process: &'a Process,
    /// What it runs, with the command line as far as it may be shown.
    pub image: Arc<Image>,
    /// The rule that keeps this out of the history, as the user wrote it.
    pub hidden_by: Option<Arc<str>>,
    /// The conversation, as far as it may be shown.
    pub flow: FlowKey,
    /// What it stands for.
    pub kind: FlowKind,
    /// Container id or ''.
    pub container: &'a str,
    /// Real user id of whoever moved the bytes when the flow began.
    pub uid: u32,
    /// Since the reading before; may be nothing if a connection began or ended.
    pub delta: Counters,
    /// Bytes on the wire since then; of all who share a TCP socket together.
    pub wire: Wire,
    /// Who began the conversation.
    pub direction: Direction,
    /// What the other end is called, if that may be shown.
    pub naming: Naming,
    /// What became of the connection since then.
    pub connections: Connections,
    /// How well its data travelled since then.
    pub quality: Quality,
    /// What is known of the executable's contents.
    pub digest: Digest,
    /// The same of the parent's.
    pub parent_digest: Option<Digest>,
    /// The same of the script that it runs.
    pub script_digest: Option<Digest>,
    /// What else is known of the executable.
    pub facts: Option<&'a Facts>,
}

/// Sizes and losses, for `status`.
#[derive(Debug, Default, Clone, Copy)]
pub struct Gauges {
    /// Flows alive.
    pub flows: usize,
    /// Flows that the kernel side could not forget yet.
    pub flows_unretired: usize,
    /// Program runs known.
    pub processes: usize,
    /// Distinct images.
    pub images: usize,
    /// Files with a digest or on the way to one.
    pub files: usize,
    /// Owners that nothing could be found out about.
    pub owners_unknown: u64,
    /// Program runs that did not fit.
    pub processes_refused: u64,
    /// Rows that the user's filters dropped.
    pub rows_ignored: u64,
    /// Rows lost because nobody took them for too long.
    pub rows_lost: u64,
    /// Application bytes in those.
    pub bytes_lost: u64,
}

/// See the crate's documentation.
pub struct Engine {
    processes: Processes,
    digests: Digests,
    flows: Flows,
    hosts: Hosts,
    rows: Rows,
    filters: Filters,
    /// How often those were replaced.
    filters_number: u32,
    shown: Shown,
    nobody: Arc<Process>,
    gone: Vec<ProcKey>,
    /// Sockets whose traffic is not the machine's.
    own: Vec<u64>,
    /// To be retired once more.
    unretired: Vec<(Slot, FlowKind)>,
    effects: Vec<Effect>,
}

impl Engine {
    /// Begins with nothing known.
    #[must_use]
    pub fn new(limits: Limits, filters: Filters, privacy: Privacy, names: PlaceNames) -> Self {
        let mut processes = Processes::new(limits.processes, names);
        processes.set_privacy(privacy.clone());
        let nobody = alone(ProcKey::default(), nobody(ImageId(u64::MAX)), 0, 0);
        Self {
            processes,
            digests: Digests::new(limits.files),
            flows: Flows::default(),
            hosts: Hosts::new(NameRules::default()),
            rows: Rows::default(),
            filters,
            filters_number: 0,
            shown: Shown::new(privacy),
            nobody: Arc::new(nobody),
            gone: Vec::new(),
            own: Vec::new(),
            unretired: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Replaces what the user wants recorded, and how (a reload of the configuration). What is not
    /// written yet is judged anew.
    pub fn configure(&mut self, filters: Filters, privacy: Privacy) {
        if filters != self.filters {
            self.filters = filters;
            self.filters_number = self.filters_number.wrapping_add(1);
            self.rows.ignored.forget_rules();
        }
        self.processes.set_privacy(privacy.clone());
        self.shown.change(privacy, self.processes.next_image());
    }

    /// Sets whose word counts for names.
    pub fn set_name_rules(&mut self, rules: NameRules) {
        self.hosts.set_rules(rules);
    }

    /// Something that may tell a name was heard. Before the readings of the flows that it is of.
    pub fn heard(&mut self, event: &NameEvent, now: Moment) {
        self.hosts.hear(event, now.up());
    }

    /// What was heard of names.
    #[must_use]
    pub fn name_gauges(&self) -> NameGauges {
        self.hosts.gauges()
    }

    /// Sockets (by cookie) that the daemon tests itself with: nothing of them is recorded.
    pub fn set_own(&mut self, cookies: &[u64]) {
        cookies.clone_into(&mut self.own);
    }

    /// What is to be done, in order. Call after each of the other functions.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Processes that were there before, found in one walk over all of them.
    pub fn found(&mut self, infos: &[ProcInfo], now: Moment) {
        self.effects.extend(self.processes.found(infos, &mut self.digests, now));
    }

    /// A second walk, after process events were lost: what it does not find has ended.
    pub fn found_again(&mut self, infos: &[ProcInfo], now: Moment) {
        self.found(infos, now);
        self.processes.end_all_but(infos, now.tick);
    }

    /// Something happened to a process.
    pub fn process(&mut self, event: &ProcEvent, now: Moment) {
        match event {
            ProcEvent::Exec(info) => {
                let effect = self.processes.executed(info, &mut self.digests, now);
                self.effects.extend(effect);
            }
            ProcEvent::Found(info) => self.found(std::slice::from_ref(info), now),
            ProcEvent::Fork { child, parent, uid } => {
                self.processes.forked(*child, *parent, *uid, now);
            }
            ProcEvent::Exit(key) => {
                if !self.processes.exited(*key, now.tick) {
                    // It found no room in the table, but may have a bucket.
                    self.gone.extend(self.flows.has_bucket(*key).then_some(*key));
                }
            }
        }
    }

    /// True if this program run is known.
    #[must_use]
    pub fn knows(&self, key: ProcKey) -> bool {
        self.processes.get(key).is_some()
    }

    /// A flow was read. `look_up` finds out about an owner whose launch was not seen, of what is
    /// running by now: it is not asked where that is known to be another program.
    pub fn reading(
        &mut self,
        reading: &Reading,
        now: Moment,
        look_up: &mut dyn FnMut(&Reading) -> Option<ProcInfo>,
    ) -> Option<Moved<'_>> {
        if !self.flows.knows(reading.slot) {
            let process = self.owner(reading, now, look_up);
            self.processes.want_digests(&process, &mut self.digests, &mut self.effects);
            self.flows.begin(reading, process);
        }
        if reading.closed
            && matches!(reading.kind, FlowKind::First | FlowKind::Orphan)
            && self.flows.start_closing(reading.slot).is_some()
        {
            let extras = self.flows.closing_extras(reading.flow.cookie);
            if !extras.is_empty() {
                self.effects.push(Effect::Retire(extras));
            }
            self.effects.push(Effect::Release(reading.slot, reading.kind));
        }
        if self.own.contains(&reading.flow.cookie) {
            return None;
        }
        self.name(reading.slot, now);
        let Growth { tracked, news } = self.flows.grow(reading, now.wall)?;
        if news.is_empty() {
            return None;
        }
        let digest = self.digests.of(&tracked.process.image);
        let verdict = tracked.judge(self.filters_number, |tracked| {
            self.filters.judge(&Subject::of_flow(tracked, digest))
        });
        let hidden_by = match verdict {
            Verdict::Hide(rule) => Some(self.rows.ignored.text(rule, &self.filters)),
            Verdict::Record | Verdict::Open | Verdict::Wait => None,
        };
        let tracked: &Tracked = tracked;
        Some(Moved {
            process: &tracked.process,
            image: self.shown.image(&tracked.process.image),
            hidden_by,
            flow: self.shown.privacy.flow(&tracked.flow),
            kind: tracked.kind,
            container: &tracked.process.place.container,
            uid: tracked.uid,
            delta: news.counters,
            wire: news.wire,
            direction: tracked.direction,
            naming: self.shown.privacy.naming(&tracked.naming),
            connections: news.connections,
            quality: Quality { rtt_us: tracked.rtt_us(), retrans: news.retrans },
            digest,
            parent_digest: tracked.process.parent_image().map(|image| self.digests.of(image)),
            script_digest: tracked.process.script.get().map(|image| self.digests.of(image)),
            facts: self.rows.facts_of(&tracked.process.image),
        })
    }

    /// What the other end is called, as long as that may become known better.
    fn name(&mut self, slot: Slot, now: Moment) {
        let Some(tracked) = self.flows.unnamed(slot) else { return };
        if !matches!(tracked.kind, FlowKind::First | FlowKind::Orphan | FlowKind::Extra) {
            tracked.unnamed = 0;
            return;
        }
        let (owner, uid) = (tracked.process.key, tracked.uid);
        let found = self.hosts.name(owner, uid, &tracked.flow, tracked.direction, now.up());
        tracked.naming = found.naming;
        if found.settled {
            tracked.unnamed = 0;
        }
    }

    fn owner(
        &mut self,
        reading: &Reading,
        now: Moment,
        look_up: &mut dyn FnMut(&Reading) -> Option<ProcInfo>,
    ) -> Arc<Process> {
        match reading.kind {
            FlowKind::CatchAll => return Arc::clone(&self.nobody),
            FlowKind::Executable { dev, ino } => {
                return self.processes.all_that_run(dev, ino, reading.uid);
            }
            _ => {}
        }
        if let Some(process) = self.processes.get(reading.owner) {
            return process;
        }
        // Whoever executed another program since must not lend its name to the bytes of this one.
        if !self.processes.has_moved_on(reading.owner)
            && let Some(info) = look_up(reading)
        {
            let (process, effect) = self.processes.looked_up(&info, &mut self.digests, now);
            self.effects.extend(effect);
            return process;
        }
        let process = self.processes.stand_in(reading.owner, reading.uid, now);
        if !self.knows(reading.owner) {
            // It found no room in the table, so nothing else gives its bucket back.
            self.gone.push(reading.owner);
        }
        process
    }

    /// The last reading of a flow that was retired or whose socket is gone.
    pub fn last_reading(&mut self, reading: &Reading, now: Moment) {
        self.name(reading.slot, now);
        self.flows.grow(reading, now.wall);
        self.effects.push(Effect::Release(reading.slot, reading.kind));
    }

    /// The slot goes back to the kernel side; called for each [`Effect::Release`]. False if it is
    /// not in use, and must not be given back.
    pub fn released(&mut self, slot: Slot) -> bool {
        self.flows.end(slot).is_some()
    }

    /// The kernel side could not forget these, or not read one: they are asked for again with the
    /// next [`Engine::tick`]. Until then their slots stay theirs, and what they move is counted.
    pub fn retire_failed(&mut self, slots: &[(Slot, FlowKind)]) {
        self.unretired.extend(slots);
    }

    /// Housekeeping, once a sample: forgets what ended.
    pub fn tick(&mut self, now: Moment) {
        // A bucket may still have grown in the sample in which its owner ended.
        let gone = std::mem::replace(&mut self.gone, self.processes.forget_ended(now.tick));
        let mut retire = std::mem::take(&mut self.unretired);
        retire.extend(self.flows.closing_buckets(&gone));
        if !retire.is_empty() {
            self.effects.push(Effect::Retire(retire));
        }
    }

    /// Housekeeping, now and then: gives up flows that are idle and can begin anew.
    pub fn retire_idle(&mut self, now: Moment) {
        let idle = self.flows.idle(now.wall);
        if !idle.is_empty() {
            self.effects.push(Effect::Retire(idle));
        }
    }

    /// Flows to ask a sweep about, if one is worth its cost: `pressed` says that flows run short.
    #[must_use]
    pub fn flows_to_sweep(&self, pressed: bool) -> Vec<Slot> {
        if pressed || self.flows.any_ends_unseen() { self.flows.first_flows() } else { Vec::new() }
    }

    /// What a sweep found out about one of those. True if the flow has to be read once more, as
    /// closed.
    pub fn swept(&mut self, slot: Slot, has_socket: bool) -> bool {
        self.flows.swept(slot, has_socket)
    }

    /// A process that runs an interpreter was found to run this script, of which `file` is the
    /// version. Of no use if the process is not known any more.
    pub fn script_found(&mut self, key: ProcKey, path: &[u8], file: Option<FileId>) {
        let effect = self.processes.script_found(key, path, file, &mut self.digests);
        self.effects.extend(effect);
    }

    /// A file was hashed, or cannot be.
    pub fn digest_done(&mut self, file: FileId, digest: Digest) {
        self.digests.done(file, digest);
        // Also for a file that is remembered no more: its rows still wait.
        self.rows.digest_done(file, digest);
    }

    /// Files whose digest is on its way.
    #[must_use]
    pub fn digests_outstanding(&self) -> usize {
        self.digests.outstanding()
    }

    /// An executable's inode was changed; by the process `writer`, if it was written to.
    pub fn file_changed(&mut self, dev: u64, ino: u64, writer: Option<u32>) {
        self.digests.changed(dev, ino);
        if let Some(path) = writer.and_then(|pid| self.processes.path_of_pid(pid)) {
            self.rows.written(dev, ino, path);
        }
    }

    /// What else was found out about a file that was hashed.
    pub fn facts_found(&mut self, file: FileId, facts: Facts) {
        self.rows.facts_found(file, facts);
    }

    /// Notifications of changes were lost.
    pub fn all_files_changed(&mut self) {
        self.digests.everything_changed();
    }

    /// True if so much waits that a batch should not wait for its time.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.flows.waiting() > ENDED_DUE
    }

    /// Takes everything that is not written yet. `last` for the batch before the end: nothing
    /// waits any longer.
    pub fn batch(&mut self, last: bool) -> Batch {
        let unwritten = self.flows.take_unwritten();
        if unwritten.is_empty() && self.rows.waiting() == 0 {
            return Batch::default();
        }
        if !last {
            // What was forgotten of long-running programs; at the end nobody would answer.
            for tracked in &unwritten {
                self.processes.want_digests(&tracked.process, &mut self.digests, &mut self.effects);
            }
        }
        let rules =
            Rules { filters: &self.filters, number: self.filters_number, shown: &mut self.shown };
        self.rows.build(unwritten, &self.digests, rules, last)
    }

    /// Sizes and losses.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges {
            flows: self.flows.live(),
            flows_unretired: self.unretired.len(),
            processes: self.processes.len(),
            images: self.processes.images(),
            files: self.digests.len(),
            owners_unknown: self.processes.unknown,
            processes_refused: self.processes.refused(),
            rows_ignored: self.rows.ignored.rows,
            rows_lost: self.flows.lost_rows,
            bytes_lost: self.flows.lost_bytes,
        }
    }
}

#[cfg(test)]
mod tests;
