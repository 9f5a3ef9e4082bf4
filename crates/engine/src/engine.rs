//! The engine: joins processes, digests and flows.

use std::sync::Arc;

use femtosnitch_model::{
    Counters, Digest, FileId, FlowKey, FlowKind, ImageId, ProcEvent, ProcInfo, ProcKey, Process,
    Reading, Slot,
};

use crate::Effect;
use crate::digests::Digests;
use crate::filter::Ignore;
use crate::flows::{Flows, Growth};
use crate::processes::{Processes, nobody};
use crate::rows::{Batch, Rows};

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
}

/// A flow that grew, for the live feed.
#[derive(Debug)]
pub struct Moved<'a> {
    /// Who.
    pub process: &'a Process,
    /// The conversation.
    pub flow: &'a FlowKey,
    /// What it stands for.
    pub kind: FlowKind,
    /// Container id or ''.
    pub container: &'a str,
    /// Real user id of whoever moved the bytes when the flow began.
    pub uid: u32,
    /// Since the reading before.
    pub delta: Counters,
    /// What is known of the executable's contents.
    pub digest: Digest,
    /// The same of the parent's.
    pub parent_digest: Option<Digest>,
}

/// Sizes and losses, for `status`.
#[derive(Debug, Default, Clone, Copy)]
pub struct Gauges {
    /// Flows alive.
    pub flows: usize,
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
    rows: Rows,
    ignore: Ignore,
    nobody: Arc<Process>,
    container_of: fn(&str) -> Option<String>,
    no_container: Arc<str>,
    gone: Vec<ProcKey>,
    effects: Vec<Effect>,
}

impl Engine {
    /// `container_of` recognises a container in a cgroup path.
    #[must_use]
    pub fn new(limits: Limits, ignore: Ignore, container_of: fn(&str) -> Option<String>) -> Self {
        let nobody = Process {
            key: ProcKey::default(),
            image: nobody(ImageId(u64::MAX)),
            parent: None,
            grandparent: None,
            uid: 0,
            cgroup: "".into(),
        };
        Self {
            processes: Processes::new(limits.processes),
            digests: Digests::new(limits.files),
            flows: Flows::default(),
            rows: Rows::default(),
            ignore,
            nobody: Arc::new(nobody),
            container_of,
            no_container: "".into(),
            gone: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Replaces the user's filters (a reload of the configuration).
    pub fn set_ignore(&mut self, ignore: Ignore) {
        self.ignore = ignore;
    }

    /// The user's filters.
    #[must_use]
    pub fn ignore(&self) -> &Ignore {
        &self.ignore
    }

    /// What is to be done, in order. Call after each of the other functions.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Processes that were there before, found in one walk over all of them.
    pub fn found(&mut self, infos: &[ProcInfo]) {
        self.effects.extend(self.processes.found(infos, &mut self.digests));
    }

    /// A second walk, after process events were lost: what it does not find has ended.
    pub fn found_again(&mut self, infos: &[ProcInfo], now: Moment) {
        self.found(infos);
        self.processes.end_all_but(infos, now.tick);
    }

    /// Something happened to a process.
    pub fn process(&mut self, event: &ProcEvent, now: Moment) {
        match event {
            ProcEvent::Exec(info) => {
                let effect = self.processes.executed(info, &mut self.digests, now.tick);
                self.effects.extend(effect);
            }
            ProcEvent::Found(info) => self.found(std::slice::from_ref(info)),
            ProcEvent::Fork { child, parent, uid } => self.processes.forked(*child, *parent, *uid),
            ProcEvent::Exit(key) => self.processes.exited(*key, now.tick),
        }
    }

    /// True if a reading's owner is known; if not, `look_up` in [`Engine::reading`] is asked.
    #[must_use]
    pub fn knows(&self, key: ProcKey) -> bool {
        self.processes.get(key).is_some()
    }

    /// A flow was read. `look_up` finds out about an owner whose launch was not seen.
    pub fn reading(
        &mut self,
        reading: &Reading,
        now: Moment,
        look_up: &mut dyn FnMut(ProcKey) -> Option<ProcInfo>,
    ) -> Option<Moved<'_>> {
        if !self.flows.knows(reading.slot) {
            let process = self.owner(reading, now, look_up);
            for image in
                [Some(&process.image), process.parent.as_ref(), process.grandparent.as_ref()]
            {
                self.effects.extend(image.and_then(|image| self.digests.want(image)));
            }
            let container = match (self.container_of)(&process.cgroup) {
                Some(id) => id.into(),
                None => Arc::clone(&self.no_container),
            };
            self.flows.begin(reading, process, container);
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
        let Growth { tracked, delta } = self.flows.grow(reading, now.wall)?;
        if delta.is_zero() {
            return None;
        }
        Some(Moved {
            process: &tracked.process,
            flow: &tracked.flow,
            kind: tracked.kind,
            container: &tracked.container,
            uid: tracked.uid,
            delta,
            digest: self.digests.of(&tracked.process.image),
            parent_digest: tracked.process.parent.as_ref().map(|image| self.digests.of(image)),
        })
    }

    fn owner(
        &mut self,
        reading: &Reading,
        now: Moment,
        look_up: &mut dyn FnMut(ProcKey) -> Option<ProcInfo>,
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
        if let Some(info) = look_up(reading.owner) {
            let (process, effect) = self.processes.looked_up(&info, &mut self.digests);
            self.effects.extend(effect);
            return process;
        }
        self.processes.stand_in(reading.owner, reading.uid, now.tick)
    }

    /// The last reading of a flow that was retired or whose socket is gone.
    pub fn last_reading(&mut self, reading: &Reading, now: Moment) {
        self.flows.grow(reading, now.wall);
        self.effects.push(Effect::Release(reading.slot, reading.kind));
    }

    /// The slot goes back to the kernel side; called for each [`Effect::Release`]. False if it is
    /// not in use, and must not be given back.
    pub fn released(&mut self, slot: Slot) -> bool {
        self.flows.end(slot).is_some()
    }

    /// Housekeeping, once a sample: forgets what ended.
    pub fn tick(&mut self, now: Moment) {
        // A bucket may still have grown in the sample in which its owner ended.
        let gone = std::mem::replace(&mut self.gone, self.processes.forget_ended(now.tick));
        let buckets = self.flows.closing_buckets(&gone);
        if !buckets.is_empty() {
            self.effects.push(Effect::Retire(buckets));
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

    /// An executable's inode was changed.
    pub fn file_changed(&mut self, dev: u64, ino: u64) {
        self.digests.changed(dev, ino);
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
        self.rows.build(unwritten, &self.digests, &self.ignore, last)
    }

    /// Sizes and losses.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges {
            flows: self.flows.live(),
            processes: self.processes.len(),
            images: self.processes.images(),
            files: self.digests.len(),
            owners_unknown: self.processes.unknown,
            processes_refused: self.processes.refused,
            rows_ignored: self.rows.ignored,
            rows_lost: self.flows.lost_rows,
            bytes_lost: self.flows.lost_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{info, key, reading};
    use femtosnitch_model::{Sha256, Unhashed};

    const NOW: Moment = Moment { wall: 1_000, tick: 1 };
    const LIMITS: Limits = Limits { processes: 100, files: 100 };

    fn engine(ignore: Ignore) -> Engine {
        let mut engine = Engine::new(LIMITS, ignore, |_| None);
        engine.found(&[
            info(key(1, 1), "/sbin/init", key(0, 0), key(0, 0)),
            info(key(7, 3), "/usr/bin/curl", key(1, 1), key(0, 0)),
        ]);
        engine.take_effects();
        engine
    }

    fn read(engine: &mut Engine, reading: &Reading) {
        engine.reading(reading, NOW, &mut |_| None);
    }

    #[test]
    fn the_first_bytes_ask_for_the_digests_of_the_whole_lineage() {
        let mut engine = engine(Ignore::default());
        read(&mut engine, &reading(5, key(7, 3), 10, 20));
        let hashed = engine
            .take_effects()
            .into_iter()
            .filter(|effect| matches!(effect, Effect::Hash(_)))
            .count();
        assert_eq!(hashed, 2);
        read(&mut engine, &reading(5, key(7, 3), 20, 20));
        assert!(engine.take_effects().is_empty());
    }

    #[test]
    fn a_row_names_who_and_how_much_and_is_completed_later() {
        let mut engine = engine(Ignore::default());
        read(&mut engine, &reading(5, key(7, 3), 10, 20));
        let batch = engine.batch(false);
        let [row] = batch.rows.as_slice() else { panic!("{batch:?}") };
        assert_eq!((row.send, row.recv, row.events, row.contime), (10, 20, 2, 1_000));
        assert_eq!(row.exe.image.path, "/usr/bin/curl");
        assert_eq!(row.parent.as_ref().unwrap().image.path, "/sbin/init");
        assert_eq!(row.exe.digest, Digest::Pending);

        let digest = Digest::Known(Sha256([9; 32]));
        engine.digest_done(row.exe.image.file.unwrap(), digest);
        let batch = engine.batch(false);
        assert!(batch.rows.is_empty());
        assert_eq!(batch.resolved, [(row.exe.image.id, digest)]);
    }

    #[test]
    fn a_closed_socket_is_read_released_and_its_rest_written() {
        let mut engine = engine(Ignore::default());
        let mut last = reading(5, key(7, 3), 10, 20);
        last.closed = true;
        read(&mut engine, &last);
        let effects = engine.take_effects();
        assert!(effects.contains(&Effect::Release(Slot(5), FlowKind::First)), "{effects:?}");
        assert!(engine.released(Slot(5)));
        assert!(!engine.released(Slot(5)));
        assert_eq!(engine.gauges().flows, 0);
        assert_eq!(engine.batch(false).rows.len(), 1);
    }

    #[test]
    fn a_flow_found_closed_twice_is_released_once() {
        let mut engine = engine(Ignore::default());
        let mut last = reading(5, key(7, 3), 10, 20);
        last.closed = true;
        read(&mut engine, &last);
        read(&mut engine, &last);
        let released =
            engine.take_effects().into_iter().filter(|e| matches!(e, Effect::Release(..))).count();
        assert_eq!(released, 1);
    }

    #[test]
    fn an_owner_nobody_knows_is_called_so_and_keeps_its_bytes() {
        let mut engine = engine(Ignore::default());
        read(&mut engine, &reading(5, key(99, 1), 10, 0));
        let batch = engine.batch(false);
        assert_eq!(batch.rows[0].exe.image.path, "(unknown)");
        assert_eq!(batch.rows[0].exe.digest, Digest::Missing(Unhashed::Unknown));
        assert_eq!(engine.gauges().owners_unknown, 1);
    }

    #[test]
    fn an_owner_whose_launch_was_missed_is_looked_up() {
        let mut engine = engine(Ignore::default());
        let found = info(key(99, 1), "/bin/late", key(1, 1), key(0, 0));
        engine.reading(&reading(5, key(99, 1), 10, 0), NOW, &mut |_| Some(found.clone()));
        assert_eq!(engine.batch(false).rows[0].exe.image.path, "/bin/late");
    }

    #[test]
    fn a_full_table_does_not_make_a_known_process_unknown() {
        let mut engine = engine(Ignore::default());
        for pid in 100..400 {
            let info = info(key(pid, 1), "/bin/holder", key(1, 1), key(0, 0));
            engine.process(&ProcEvent::Exec(Box::new(info)), NOW);
        }
        let found = info(key(999, 1), "/bin/late", key(1, 1), key(0, 0));
        engine.reading(&reading(5, key(999, 1), 10, 0), NOW, &mut |_| Some(found.clone()));
        let row = engine.batch(false).rows.remove(0);
        assert_eq!((row.exe.image.path.as_str(), row.pid), ("/bin/late", 999));
    }

    #[test]
    fn a_row_has_the_uid_of_whoever_moved_the_bytes() {
        let mut engine = engine(Ignore::default());
        let mut dropped = reading(5, key(7, 3), 10, 0);
        dropped.uid = 65_534;
        read(&mut engine, &dropped);
        assert_eq!(engine.batch(false).rows[0].uid, 65_534);
    }

    #[test]
    fn kernel_threads_have_a_name_of_their_own() {
        let mut engine = engine(Ignore::default());
        read(&mut engine, &reading(5, ProcKey::KERNEL, 10, 0));
        let batch = engine.batch(false);
        assert_eq!(batch.rows[0].exe.image.path, "(kernel)");
        assert_eq!(batch.rows[0].exe.digest, Digest::Missing(Unhashed::Kernel));
    }

    #[test]
    fn a_row_waits_for_the_digest_that_decides_about_it() {
        let sha = Sha256([9; 32]);
        let mut engine = engine(Ignore { sha256: vec![sha], ..Ignore::default() });
        read(&mut engine, &reading(5, key(7, 3), 10, 20));
        assert!(engine.batch(false).rows.is_empty());
        let file = engine.processes.get(key(7, 3)).unwrap().image.file.unwrap();
        engine.digest_done(file, Digest::Known(sha));
        assert!(engine.batch(false).rows.is_empty());
        assert_eq!(engine.gauges().rows_ignored, 1);
    }

    #[test]
    fn a_row_does_not_wait_for_ever_and_never_at_the_end() {
        let ignore = || Ignore { sha256: vec![Sha256([9; 32])], ..Ignore::default() };
        let mut patient = engine(ignore());
        read(&mut patient, &reading(5, key(7, 3), 10, 20));
        let waited = (0..10).take_while(|_| patient.batch(false).rows.is_empty()).count();
        assert_eq!(waited, 3);
        let mut stopping = engine(ignore());
        read(&mut stopping, &reading(5, key(7, 3), 10, 20));
        assert_eq!(stopping.batch(true).rows.len(), 1);
    }

    #[test]
    fn what_found_no_bucket_of_its_process_still_has_its_executable() {
        let mut engine = engine(Ignore::default());
        let file = engine.processes.get(key(7, 3)).unwrap().image.file.unwrap();
        let mut shared = reading(1, ProcKey::default(), 10, 0);
        shared.kind = FlowKind::Executable { dev: file.dev, ino: file.ino };
        shared.uid = 1000;
        read(&mut engine, &shared);
        shared.slot = Slot(2);
        shared.kind = FlowKind::Executable { dev: file.dev, ino: file.ino + 999 };
        read(&mut engine, &shared);
        let rows = engine.batch(false).rows;
        assert_eq!((rows[0].exe.image.path.as_str(), rows[0].pid), ("/usr/bin/curl", 0));
        assert_eq!((rows[0].uid, rows[0].parent.is_none()), (1000, true), "of many processes");
        assert_eq!((rows[1].exe.image.path.as_str(), rows[1].pid), ("(unknown)", 0));
    }

    #[test]
    fn a_bucket_is_retired_after_its_owner_is_gone() {
        let mut engine = engine(Ignore::default());
        let mut bucket = reading(1, key(7, 3), 10, 0);
        bucket.kind = FlowKind::Bucket;
        read(&mut engine, &bucket);
        engine.take_effects();
        engine.process(&ProcEvent::Exit(key(7, 3)), NOW);
        let mut retired = Vec::new();
        for tick in 2..10 {
            engine.tick(Moment { wall: 1_000, tick });
            retired.extend(engine.take_effects());
        }
        assert_eq!(retired, [Effect::Retire(vec![(Slot(1), FlowKind::Bucket)])]);
        bucket.total.send = 15;
        engine.last_reading(&bucket, NOW);
        engine.released(Slot(1));
        assert_eq!(engine.batch(false).rows[0].send, 15);
    }
}
