//! The capture thread: reads the kernel side, feeds the engine, hands on what it wants done.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use femtosnitch_api::{Event, LiveHandle};
use femtosnitch_engine::{Effect, Engine, Moment};
use femtosnitch_model::{ProcEvent, ProcInfo, Reading};
use femtosnitch_probe::{Probe, ProbeError};
use femtosnitch_sys::clock::SleepDetector;
use femtosnitch_sys::{clock, mem, wait};

use super::containers::Containers;
use super::identity::{Identity, scripts};
use super::libraries::Libraries;
use super::losses::Losses;
use super::report::Report;
use super::resolved::Listener;
use super::resolvers::Resolvers;
use super::selftest::SelfTest;
use super::walk::Walk;
use super::writer::Batches;
use super::{Message, lookup};

mod ends;
mod feed;
mod handover;
mod messages;
mod upkeep;

/// Process events are read this long after the first, so that a storm of them costs few wake-ups.
const GATHER: Duration = Duration::from_millis(2);
/// How often flows without a socket, idle extra flows, and sockets that make no call are looked for.
const TIDY: Duration = Duration::from_secs(30);
/// When what a start needs is not needed any more.
const SETTLE: Duration = Duration::from_secs(10);
/// How often TCP sockets are looked at for reads that are not watched yet: never more often than
/// the first, and not so often that many sockets make it expensive (0.4 µs each).
const LOOK: Duration = Duration::from_secs(5);
const LOOK_PER_FLOW: Duration = Duration::from_millis(4);
/// How long the end may wait for digests.
const LAST_DIGESTS: Duration = Duration::from_secs(1);
/// How often it is looked whether any are missing still.
const LOOK_FOR_LAST: Duration = Duration::from_millis(5);
/// How often the hooks are tried.
const TRIAL: Duration = Duration::from_secs(60);
/// How often the status is brought up to date.
const STATUS: Duration = Duration::from_secs(1);

/// Everything the thread owns.
pub(super) struct Capture {
    pub(super) probe: Probe,
    pub(super) engine: Engine,
    pub(super) identity: Identity,
    pub(super) libraries: Libraries,
    /// The thread that listens to systemd-resolved ends with us.
    pub(super) _resolved: Option<Listener>,
    pub(super) batches: Batches,
    pub(super) live: LiveHandle,
    pub(super) report: Arc<Report>,
    pub(super) sample_interval: Duration,
    pub(super) write_interval: Duration,
    pub(super) max_flows: usize,
    pub(super) walk: Walk,
    pub(super) self_test: Option<SelfTest>,
    pub(super) containers: Containers,
    pub(super) losses: Losses,
    pub(super) resolvers: Resolvers,
}

/// Wakes the capture thread.
#[derive(Clone)]
pub(super) struct Waker(Arc<PipeWriter>);

impl Waker {
    pub(super) fn wake(&self) {
        // A full pipe wakes as well; a closed one means that nobody is left to be woken.
        drop((&*self.0).write(&[0]));
    }
}

pub(super) fn waker() -> io::Result<(Waker, PipeReader)> {
    let (reader, writer) = io::pipe()?;
    Ok((Waker(Arc::new(writer)), reader))
}

/// When things are due, on the clock that never steps.
struct Agenda {
    sample: Instant,
    write: Instant,
    tidy: Instant,
    look: Instant,
    trial: Instant,
    status: Instant,
    tick: u64,
    last_sample: Instant,
    settle: Instant,
    /// What a start needs was forgotten.
    settled: bool,
    sleep: SleepDetector,
}

impl Capture {
    /// Runs until it is told to stop, or fails; what was counted is written either way. `started`
    /// hears when what already ran is known.
    pub(super) fn run(
        mut self,
        inbox: &Receiver<Message>,
        wake: &PipeReader,
        started: &Sender<()>,
    ) -> anyhow::Result<()> {
        let ended = self.watch(inbox, wake, started);
        let finished = self.finish(inbox);
        ended.and(finished)
    }

    fn watch(
        &mut self,
        inbox: &Receiver<Message>,
        wake: &PipeReader,
        started: &Sender<()>,
    ) -> anyhow::Result<()> {
        let mut before = Vec::new();
        self.learn_resolvers();
        self.begin_self_test();
        let report = self.probe.snapshot(&mut |event| before.extend(info_of(event)))?;
        lookup::add_arguments(&mut before);
        self.engine.found(&before, moment(0));
        for info in &before {
            self.find_script(info, true);
        }
        drop(before);
        self.report.snapshot(&report);
        self.look_around();
        self.try_hooks(0)?;
        self.carry_out(0);
        self.publish_status();
        started.send(()).ok();

        let now = Instant::now();
        let mut agenda = Agenda {
            sample: now + self.sample_interval,
            write: now + self.write_interval,
            tidy: now + TIDY,
            look: now + LOOK,
            trial: now + TRIAL,
            status: now + STATUS,
            tick: 1,
            last_sample: now,
            settle: now + SETTLE,
            settled: false,
            sleep: SleepDetector::default(),
        };
        loop {
            let rest = agenda.sample.saturating_duration_since(Instant::now());
            let ready = wait::readable(&[self.probe.as_fd(), wake.as_fd()], Some(rest))?;
            if ready.get(1).copied().unwrap_or(false) {
                drain_pipe(wake)?;
            }
            while let Ok(message) = inbox.try_recv() {
                if matches!(message, Message::Stop) {
                    return Ok(());
                }
                match message {
                    Message::Settings(settings) => self.reconfigure(*settings, &mut agenda),
                    message => self.take_message(message),
                }
            }
            if ready.first().copied().unwrap_or(false) {
                if !self.libraries.are_in_a_hurry() {
                    std::thread::sleep(GATHER);
                }
                self.process_events(agenda.tick)?;
                self.carry_out(agenda.tick);
            }
            if Instant::now() >= agenda.sample {
                self.sample(&mut agenda)?;
            }
        }
    }

    fn sample(&mut self, agenda: &mut Agenda) -> anyhow::Result<()> {
        self.note_sleep(agenda.sleep.check());
        let now = Instant::now();
        let interval = now.duration_since(agenda.last_sample);
        agenda.last_sample = now;
        agenda.tick += 1;
        // From now, not from when it was due: after a stall nothing is to be caught up with.
        agenda.sample = now + self.sample_interval;
        self.read_flows(agenda.tick, Some(interval))?;
        if self.probe.attach_what_is_wanted() {
            self.report.hooks_changed(&self.probe);
        }
        // Closed flows are gone before anybody asks which sockets still exist.
        self.carry_out(agenda.tick);
        self.engine.tick(moment(agenda.tick));
        if now >= agenda.settle && !std::mem::replace(&mut agenda.settled, true) {
            forget_code();
        }
        if now >= agenda.tidy {
            agenda.tidy = now + TIDY;
            if self.probe.rings_are_hidden() {
                self.look_around();
            }
            self.learn_resolvers();
            self.engine.retire_idle(moment(agenda.tick));
            self.sweep(agenda.tick);
        } else if self.engine.gauges().flows * 4 > self.max_flows * 3 {
            self.sweep(agenda.tick);
        }
        if now >= agenda.look && self.probe.looks_for_splices() {
            let flows = u32::try_from(self.engine.gauges().flows).unwrap_or(u32::MAX);
            agenda.look = now + LOOK.max(LOOK_PER_FLOW * flows);
            if let Err(error) = self.probe.look_for_splices() {
                tracing::debug!(%error, "cannot look for splices");
            }
        }
        self.carry_out(agenda.tick);
        if now >= agenda.trial {
            agenda.trial = now + TRIAL;
            self.try_hooks(agenda.tick)?;
        }
        if now >= agenda.write || self.engine.is_full() {
            agenda.write = now + self.write_interval;
            self.hand_over(false);
            // Digests that were forgotten are asked for again.
            self.carry_out(agenda.tick);
        }
        if now >= agenda.status {
            agenda.status = now + STATUS;
            self.publish_status();
        }
        Ok(())
    }

    /// One look at everything that moved.
    fn read_flows(&mut self, tick: u64, interval: Option<Duration>) -> anyhow::Result<()> {
        let mut readings: Vec<Reading> = Vec::new();
        self.probe.drain(&mut |reading| readings.push(reading));
        // Afterwards: whoever moved those bytes has told of itself before.
        self.process_events(tick)?;
        let now = moment(tick);
        let time = wall_seconds();
        let watched = self.live.has_readers();
        let mut feed = feed::Feed::new(time);
        let (mut flows, mut send, mut recv) = (0u64, 0u64, 0u64);
        // Whoever shares a socket is known before what TCP counted for all of them is shared out.
        let (sockets, others): (Vec<_>, Vec<_>) = readings.iter().partition(|r| r.tcp.is_some());
        for reading in others.into_iter().chain(sockets) {
            if let Some(test) = &mut self.self_test {
                test.see(reading);
            }
            let moved = self.engine.reading(reading, now, &mut lookup::owner);
            let Some(moved) = moved else { continue };
            flows += 1;
            send += moved.delta.send;
            recv += moved.delta.recv;
            if watched {
                feed.add(&moved);
            }
            if !moved.container.is_empty() && moved.hidden_by.is_none() {
                let place = (&moved.process.place.container, &moved.process.cgroup);
                let wanted = self.containers.seen(place.0, place.1, Instant::now());
                wanted.into_iter().for_each(|wanted| self.identity.container(wanted));
            }
        }
        self.report.moved(flows, send, recv);
        if watched {
            let mut events = feed.events();
            let interval = interval.unwrap_or_default().as_secs_f64();
            events.push(Event::Tick { time, interval, flows, send, recv });
            self.live.publish(&events);
        }
        Ok(())
    }

    fn process_events(&mut self, tick: u64) -> anyhow::Result<()> {
        let now = moment(tick);
        let mut events = Vec::new();
        self.probe.events(&mut |event| events.push(event))?;
        // After the execs were taken from the buffer: what was changed before them is known then.
        self.take_changes();
        for event in events {
            self.engine.process(&event, now);
            if let ProcEvent::Exec(info) = &event {
                self.libraries.executed_again(info);
                self.find_script(info, false);
            }
        }
        for event in self.probe.take_names() {
            self.engine.heard(&event, now);
        }
        if self.walk.is_due(Instant::now(), || self.report.events_were_lost(&self.probe)) {
            let walked = self.look_again(now);
            if let Err(error) = &walked {
                self.report.warn(&format!("processes could not be looked up again: {error}"));
            }
            self.walk.made(Instant::now(), walked.is_ok());
        }
        Ok(())
    }

    fn learn_resolvers(&mut self) {
        if let Some(rules) = self.resolvers.news() {
            self.engine.set_name_rules(rules);
        }
    }

    fn take_changes(&mut self) {
        let news = self.identity.changes(&self.report);
        if news.all {
            self.engine.all_files_changed();
        }
        for ((dev, ino), writer) in news.changed {
            self.engine.file_changed(dev, ino, writer);
        }
    }

    fn find_script(&mut self, info: &ProcInfo, was_running: bool) {
        match scripts::of(info, was_running) {
            None => {}
            Some(scripts::Found::Name(name)) => self.engine.script_found(info.key, &name, None),
            Some(scripts::Found::File(request)) => self.identity.script(request),
        }
    }

    /// Makes up for lost events.
    fn look_again(&mut self, now: Moment) -> Result<(), ProbeError> {
        let mut alive = Vec::new();
        self.probe.walk_tasks(&mut |event| alive.extend(info_of(event)))?;
        for info in alive.iter_mut().filter(|info| !self.engine.knows(info.key)) {
            lookup::add_arguments(std::slice::from_mut(info));
        }
        self.engine.found_again(&alive, now);
        Ok(())
    }

    /// Does what the engine wants, and what follows from that, until nothing is left to do.
    fn carry_out(&mut self, tick: u64) {
        loop {
            let effects = self.engine.take_effects();
            if effects.is_empty() {
                return;
            }
            let mut retire = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Hold(request) => {
                        self.libraries.executed(&request);
                        self.identity.hold(request);
                    }
                    Effect::Hash(request) => self.identity.hash(request),
                    Effect::Retire(slots) => retire.extend(slots),
                    Effect::Release(slot, kind) => {
                        if self.engine.released(slot)
                            && let Err(error) = self.probe.release(slot, kind)
                        {
                            self.report.slot_lost(&error);
                        }
                    }
                }
            }
            self.retire(&retire, tick);
        }
    }

    fn publish_status(&self) {
        self.live.set_status(self.report.status(&self.probe, &self.engine, &self.live));
    }

    /// The end: nothing is counted any more, everything counted is written.
    fn finish(&mut self, inbox: &Receiver<Message>) -> anyhow::Result<()> {
        self.probe.detach();
        self.libraries.stop();
        self.walk.hurry();
        // Later than every sample: nothing is forgotten any more.
        let read = self.read_flows(u64::MAX / 2, None);
        self.carry_out(u64::MAX / 2);
        let deadline = Instant::now() + LAST_DIGESTS;
        while self.engine.digests_outstanding() + self.identity.facts_outstanding() > 0
            && Instant::now() < deadline
        {
            match inbox.recv_timeout(LOOK_FOR_LAST) {
                Ok(message) => self.take_message(message),
                // A question may be over without an answer of its own.
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        while let Ok(message) = inbox.try_recv() {
            self.take_message(message);
        }
        self.hand_over(true);
        self.live.stop();
        self.identity.stop();
        read
    }
}

fn info_of(event: ProcEvent) -> Option<ProcInfo> {
    match event {
        ProcEvent::Found(info) => Some(*info),
        ProcEvent::Exec(_) | ProcEvent::Fork { .. } | ProcEvent::Exit(_) => None,
    }
}

/// Starting took most of the program, watching takes little of it.
fn forget_code() {
    if let Err(error) = mem::forget_code() {
        tracing::debug!(%error, "code stays in memory");
    }
}

fn drain_pipe(mut pipe: &PipeReader) -> io::Result<()> {
    pipe.read(&mut [0; 64]).map(drop)
}

fn moment(tick: u64) -> Moment {
    let seconds = clock::wall_ns() / 1_000_000_000;
    let wall = i64::try_from(seconds).unwrap_or(i64::MAX);
    let up = i64::try_from(clock::boottime_ns() / 1_000_000_000).unwrap_or(0);
    Moment { wall, tick, boot: wall.saturating_sub(up) }
}

fn wall_seconds() -> f64 {
    Duration::from_nanos(clock::wall_ns()).as_secs_f64()
}
