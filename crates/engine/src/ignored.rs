//! What filters hide, summed up: one row for each rule, so that totals stay true.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use femtosnitch_model::{
    Connections, Digest, Direction, Executable, Image, ImageId, Lineage, NameSource, Quality, Row,
    Unhashed,
};

use crate::filter::{Filters, Rule};

/// The path of such rows.
pub(crate) const IGNORED: &str = "(ignored)";
/// Of whoever is nobody in particular: what `(uid_t) -1` means to system calls.
const NO_USER: u32 = u32::MAX;

/// What the rules hid since the last batch.
#[derive(Debug, Default)]
pub(crate) struct Ignored {
    sums: BTreeMap<Arc<str>, Sum>,
    images: HashMap<Arc<str>, Arc<Image>>,
    texts: HashMap<Rule, Arc<str>>,
    /// Rows hidden so far.
    pub(crate) rows: u64,
}

#[derive(Debug, Default)]
struct Sum {
    contime: i64,
    send: u64,
    recv: u64,
    wire_send: Option<u64>,
    wire_recv: Option<u64>,
    events: u64,
}

impl Ignored {
    /// A rule as the user wrote it.
    pub(crate) fn text(&mut self, rule: Rule, filters: &Filters) -> Arc<str> {
        let text = self.texts.entry(rule).or_insert_with(|| filters.text(rule));
        Arc::clone(text)
    }

    /// Counts a row in place of recording it.
    pub(crate) fn add(&mut self, rule: Rule, filters: &Filters, row: &Row) {
        let rule = self.text(rule, filters);
        self.rows += 1;
        let (first, sum) = (!self.sums.contains_key(&rule), self.sums.entry(rule).or_default());
        sum.contime = if first { row.contime } else { sum.contime.min(row.contime) };
        sum.send = sum.send.saturating_add(row.send);
        sum.recv = sum.recv.saturating_add(row.recv);
        sum.events = sum.events.saturating_add(row.events);
        // As sums over rows do: what was not measured adds nothing.
        let add = |sum: &mut Option<u64>, more: Option<u64>| {
            *sum = more.map(|more| sum.unwrap_or(0).saturating_add(more)).or(*sum);
        };
        add(&mut sum.wire_send, row.wire_send);
        add(&mut sum.wire_recv, row.wire_recv);
    }

    /// The rows for a batch. `new_id` numbers images.
    pub(crate) fn take(&mut self, mut new_id: impl FnMut() -> ImageId) -> Vec<Row> {
        let sums = std::mem::take(&mut self.sums);
        let says_nothing = |sum: &Sum| {
            let wire = sum.wire_send.unwrap_or(0).saturating_add(sum.wire_recv.unwrap_or(0));
            sum.send == 0 && sum.recv == 0 && sum.events == 0 && wire == 0
        };
        let told = sums.into_iter().filter(|(_, sum)| !says_nothing(sum));
        told.map(|(rule, sum)| {
            let image = self.images.entry(Arc::clone(&rule)).or_insert_with(|| {
                Arc::new(Image {
                    id: new_id(),
                    path: IGNORED.to_owned(),
                    name: rule.to_string(),
                    cmdline: String::new(),
                    file: None,
                })
            });
            row(Arc::clone(image), &sum)
        })
        .collect()
    }

    /// Rules may be others from here on.
    pub(crate) fn forget_rules(&mut self) {
        self.images.clear();
        self.texts.clear();
    }
}

fn row(image: Arc<Image>, sum: &Sum) -> Row {
    Row {
        contime: sum.contime,
        send: sum.send,
        recv: sum.recv,
        wire_send: sum.wire_send,
        wire_recv: sum.wire_recv,
        events: sum.events,
        direction: Direction::default(),
        connections: Connections::default(),
        quality: Quality::default(),
        // No lineage, so that it is no program that could be new.
        lineage: Lineage::default(),
        exe: Executable { image, digest: Digest::Missing(Unhashed::Unknown) },
        parent: None,
        grandparent: None,
        uid: NO_USER,
        pid: 0,
        family: 0,
        protocol: 0,
        laddr: None,
        raddr: None,
        lport: 0,
        rport: 0,
        domain: "".into(),
        name_source: NameSource::NONE,
        netns: 0,
        container: "".into(),
    }
}
