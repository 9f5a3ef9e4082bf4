//! From unwritten traffic to rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use femtosnitch_model::{
    Digest, Executable, Facts, FileId, FlowKind, Image, ImageId, Launch, Lineage, Process, Quality,
    Row,
};

use crate::digests::Digests;
use crate::facts::{Described, Known};
use crate::filter::{Filters, Subject, Verdict};
use crate::flows::Tracked;
use crate::ignored::Ignored;
use crate::privacy::Shown;

/// How many batches a row may wait for a digest that decides whether it is wanted at all.
const PATIENCE: u8 = 3;

/// What goes to the store in one transaction.
#[derive(Debug, Default)]
pub struct Batch {
    /// New rows.
    pub rows: Vec<Row>,
    /// Digests of images that earlier rows named as pending.
    pub resolved: Vec<(ImageId, Digest)>,
    /// What else is known of executables that rows, these or earlier ones, name.
    pub described: Vec<Described>,
}

/// Makes rows, and remembers which of them still lack a digest.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    held: Vec<Held>,
    pending: HashMap<FileId, HashSet<ImageId>>,
    resolved: Vec<(ImageId, Digest)>,
    facts: Known,
    pub(crate) ignored: Ignored,
}

/// A row that waits for a digest, and how often it may still be put off.
#[derive(Debug)]
struct Held {
    row: Row,
    kind: FlowKind,
    tries: u8,
}

/// What decides about rows.
pub(crate) struct Rules<'a> {
    pub(crate) filters: &'a Filters,
    /// Which those are.
    pub(crate) number: u32,
    pub(crate) shown: &'a mut Shown,
}

impl Rows {
    pub(crate) fn build(
        &mut self,
        unwritten: Vec<Tracked>,
        digests: &Digests,
        rules: Rules<'_>,
        last: bool,
    ) -> Batch {
        let waiting = std::mem::take(&mut self.held);
        let mut lineages = Lineages::default();
        let mut rows = Vec::with_capacity(unwritten.len() + waiting.len());
        for Held { mut row, kind, tries } in waiting {
            row.exe.digest = digests.of(&row.exe.image);
            if let Some(launch) = row.lineage.first() {
                row.lineage = lineages.of(&Arc::clone(&launch.process), digests, rules.shown);
            }
            let verdict = rules.filters.judge(&Subject::of_row(&row, kind));
            self.consider(Held { row, kind, tries }, verdict, &rules, last, &mut rows);
        }
        for tracked in unwritten {
            let (kind, decided) = (tracked.kind, tracked.verdict(rules.number));
            let row = Self::row(tracked, digests, &mut lineages, rules.shown);
            let judge = || rules.filters.judge(&Subject::of_row(&row, kind));
            let verdict = decided.unwrap_or_else(judge);
            self.consider(Held { row, kind, tries: PATIENCE }, verdict, &rules, last, &mut rows);
        }
        // Only now: what is not kept may decide.
        rows.iter_mut().for_each(|row| rules.shown.row(row));
        rows.extend(self.ignored.take(|| rules.shown.new_id()));
        let mut seen = HashSet::new();
        for row in &rows {
            for launch in &row.lineage {
                if !seen.insert(launch.process.key) {
                    // Whoever is above it was seen then.
                    break;
                }
                self.facts.recorded(&launch.process);
            }
            let own = [Some(&row.exe), row.parent.as_ref(), row.grandparent.as_ref()];
            let launches = row.lineage.iter();
            let launches = launches.flat_map(|launch| [Some(&launch.exe), launch.script.as_ref()]);
            for executable in own.into_iter().chain(launches).flatten() {
                self.remember_pending(executable);
            }
        }
        let described = self.facts.take(digests);
        Batch { rows, resolved: std::mem::take(&mut self.resolved), described }
    }

    fn consider(
        &mut self,
        held: Held,
        verdict: Verdict,
        rules: &Rules<'_>,
        last: bool,
        out: &mut Vec<Row>,
    ) {
        match verdict {
            Verdict::Hide(rule) => self.ignored.add(rule, rules.filters, &held.row),
            Verdict::Wait if held.tries > 0 && !last => {
                self.held.push(Held { tries: held.tries - 1, ..held });
            }
            Verdict::Wait | Verdict::Open | Verdict::Record => out.push(held.row),
        }
    }

    fn remember_pending(&mut self, executable: &Executable) {
        if executable.digest != Digest::Pending {
            return;
        }
        if let Some(file) = executable.image.file {
            self.pending.entry(file).or_default().insert(executable.image.id);
        }
    }

    /// A digest became known: the rows that lack it are completed with the next batch.
    pub(crate) fn digest_done(&mut self, file: FileId, digest: Digest) {
        let images = self.pending.remove(&file).unwrap_or_default();
        self.resolved.extend(images.into_iter().map(|image| (image, digest)));
    }

    /// What else was found out about a file.
    pub(crate) fn facts_found(&mut self, file: FileId, facts: Facts) {
        self.facts.found(file, facts);
    }

    /// What else is known of an image.
    pub(crate) fn facts_of(&self, image: &Image) -> Option<&Facts> {
        self.facts.of(image)
    }

    /// Somebody wrote to a file.
    pub(crate) fn written(&mut self, dev: u64, ino: u64, path: &str) {
        self.facts.written(dev, ino, path);
    }

    /// Rows, digests and what else is known that wait for the next batch.
    pub(crate) fn waiting(&self) -> usize {
        self.held.len() + self.resolved.len() + self.facts.waiting()
    }

    fn row(tracked: Tracked, digests: &Digests, lineages: &mut Lineages, shown: &mut Shown) -> Row {
        let executable =
            |image: &Arc<Image>| Executable { image: Arc::clone(image), digest: digests.of(image) };
        let (wire, rtt_us) = (tracked.wire(), tracked.rtt_us());
        let (unwritten, contime) = (tracked.unwritten(), tracked.first_at());
        let Tracked { flow, process, kind, naming, .. } = tracked;
        let counters = unwritten.counters;
        let exe = executable(&process.image);
        let parent = process.parent_image().map(executable);
        let grandparent = process.grandparent_image().map(executable);
        let lineage = match kind {
            // Nobody's, or several processes'.
            FlowKind::CatchAll | FlowKind::Executable { .. } => Lineage::default(),
            _ => lineages.of(&process, digests, shown),
        };
        let pid = if kind == FlowKind::CatchAll { 0 } else { process.key.tgid };
        Row {
            contime,
            send: counters.send,
            recv: counters.recv,
            wire_send: wire.map(|wire| wire.send),
            wire_recv: wire.map(|wire| wire.recv),
            events: counters.calls(),
            direction: tracked.direction,
            connections: unwritten.connections,
            quality: Quality { rtt_us, retrans: unwritten.retrans },
            lineage,
            exe,
            parent,
            grandparent,
            uid: tracked.uid,
            pid,
            family: flow.family,
            protocol: flow.protocol,
            laddr: flow.local.addr,
            raddr: flow.remote.addr,
            lport: flow.local.port,
            rport: flow.remote.port,
            domain: naming.domain,
            name_source: naming.source,
            netns: flow.netns,
            container: Arc::clone(&process.place.container),
        }
    }
}

/// Lineages for one batch, each made once.
#[derive(Default)]
struct Lineages(HashMap<*const Process, Lineage>);

impl Lineages {
    /// The process and all that is known of who launched it.
    fn of(&mut self, process: &Arc<Process>, digests: &Digests, shown: &mut Shown) -> Lineage {
        // What is in the map keeps its process, so that no address is used twice.
        if let Some(known) = self.0.get(&Arc::as_ptr(process)) {
            return known.clone();
        }
        let mut executable = |image: &Arc<Image>| {
            let digest = digests.of(image);
            Executable { image: shown.image(image), digest }
        };
        let launch = Launch {
            process: Arc::clone(process),
            exe: executable(&process.image),
            script: process.script.get().map(executable),
        };
        let above = process.parent.as_ref().map(|parent| self.of(parent, digests, shown));
        let lineage = Lineage::below(launch, above.unwrap_or_default());
        self.0.insert(Arc::as_ptr(process), lineage.clone());
        lineage
    }
}
