//! The list of programs: executables or processes, flat or below what launched them.

use std::collections::{HashMap, HashSet, hash_map::DefaultHasher};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use crate::feed::Who;

use super::badges::{Badge, News};
use super::model::{MOST_PEERS, Model};
use super::traffic::{Amounts, Rates, Traffic};

/// What stays the same for a row while its numbers change.
pub type RowId = u64;

/// Of what rows are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// One for each process, else one for each executable.
    pub processes: bool,
    /// Below what launched them.
    pub tree: bool,
    /// At the IP layer.
    pub wire: bool,
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// See [`RowId`].
    pub id: RowId,
    /// What is shown as its name: a path, or a bracketed reason.
    pub exe: Box<str>,
    /// The process, or one of the program's; `None` for what only launched others.
    pub who: Option<Arc<Who>>,
    /// Processes of it that moved something lately.
    pub processes: u32,
    /// Bytes a second, received and sent, over each of the spans.
    pub rates: [Rates; 3],
    /// Bytes received and sent since the view was started.
    pub total: [Option<u64>; 2],
    /// Connections that are open.
    pub open: u32,
    /// Remote addresses.
    pub peers: usize,
    /// Whether there are more than are counted.
    pub more_peers: bool,
    /// What to know of it.
    pub badges: Vec<Badge>,
    /// What the default order goes by: bytes a second, smoothed.
    pub smooth: f64,
    /// In a tree, for each level whether more follow on it ([`crate::theme::Branches::before`]).
    pub levels: Vec<bool>,
    /// The programs whose connections are its own: places in [`Model::groups`].
    pub groups: Vec<usize>,
    /// The process, if it is one.
    pub pid: Option<u32>,
}

/// Columns that rows can be sorted by, and how they are called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum By {
    /// The busiest of late, as in the dashboard.
    #[default]
    Busy,
    /// The name.
    Program,
    /// The process id.
    Pid,
    /// Received or sent (0, 1) over a span (0 to 2).
    Rate(usize, usize),
    /// Received or sent in total.
    Total(usize),
    /// Connections.
    Open,
    /// Remote addresses.
    Peers,
    /// Badges.
    Badges,
}

/// Adds up what belongs into one row.
#[derive(Default)]
struct Sum<'a> {
    row: Option<Row>,
    total: Amounts,
    peers: Vec<&'a HashSet<IpAddr>>,
}

impl<'a> Sum<'a> {
    fn add(&mut self, part: &Part<'a>, model: &Model, shape: Shape, make: impl FnOnce() -> Row) {
        let windows = model.clock().windows();
        let row = self.row.get_or_insert_with(make);
        for (sum, window) in row.rates.iter_mut().zip(windows) {
            for (sum, rate) in sum.iter_mut().zip(part.traffic.rates(window, shape.wire)) {
                *sum = rate.map(|rate| sum.unwrap_or(0.0) + rate).or(*sum);
            }
        }
        self.total.add(&part.traffic.total);
        row.open += part.open;
        row.smooth += part.traffic.smooth;
        row.processes += part.processes;
        self.peers.push(part.peers);
        if !row.groups.contains(&part.group) {
            row.groups.push(part.group);
        }
    }

    fn finish(self, shape: Shape) -> Option<Row> {
        let mut row = self.row?;
        row.total = self.total.on(shape.wire);
        row.more_peers = self.peers.iter().any(|it| it.len() >= MOST_PEERS);
        row.peers = match self.peers.as_slice() {
            [] => 0,
            [one] => one.len(),
            many => many.iter().copied().flatten().collect::<HashSet<_>>().len(),
        };
        Some(row)
    }
}

/// What becomes a row of a tree, its number, and what is above it, from the outermost on.
type Leaf<'a> = (Part<'a>, RowId, Vec<(RowId, &'a str)>);

/// What rows are added up of.
struct Part<'a> {
    who: &'a Arc<Who>,
    traffic: &'a Traffic,
    peers: &'a HashSet<IpAddr>,
    open: u32,
    group: usize,
    /// Processes that it is of.
    processes: u32,
    pid: Option<u32>,
}

/// All rows that there are, in no order; in a tree with `levels` as yet empty and in `parents` which
/// row is below which.
pub fn rows(model: &Model, shape: Shape, news: &News) -> Vec<Row> {
    let mut sums: HashMap<RowId, Sum<'_>> = HashMap::new();
    for part in parts(model, shape) {
        let who = part.who;
        let id = id(who, part.pid, shape);
        let make = || leaf(id, who, part.pid, news);
        sums.entry(id).or_default().add(&part, model, shape, make);
    }
    sums.into_values().filter_map(|sum| sum.finish(shape)).collect()
}

/// The rows of a tree: those of [`rows`] below rows for what launched them, each level in the order
/// of `compare`.
pub(super) fn tree(
    model: &Model,
    shape: Shape,
    news: &News,
    compare: &dyn Fn(&Row, &Row) -> std::cmp::Ordering,
    keep: &dyn Fn(&Row) -> bool,
) -> Vec<Row> {
    let mut sums: HashMap<RowId, Sum<'_>> = HashMap::new();
    let mut below: HashMap<Option<RowId>, Vec<RowId>> = HashMap::new();
    let mut put = |parent: Option<RowId>, id: RowId| {
        let list = below.entry(parent).or_default();
        if !list.contains(&id) {
            list.push(id);
        }
    };
    let leaves: Vec<Leaf<'_>> = parts(model, shape)
        .map(|part| {
            let mut above: Vec<(RowId, &str)> = Vec::new();
            for exe in [&part.who.grandparent, &part.who.parent] {
                if !exe.is_empty() {
                    let outer = above.last().map(|(id, _)| *id);
                    above.push((hash(&(outer, exe)), exe));
                }
            }
            let outer = above.last().map(|(id, _)| *id);
            let id = hash(&(outer, id(part.who, part.pid, shape)));
            (part, id, above)
        })
        .collect();
    for (part, id, above) in &leaves {
        let make = || leaf(*id, part.who, part.pid, news);
        let mut probe = Sum::default();
        probe.add(part, model, shape, make);
        if probe.row.as_ref().is_some_and(|row| !keep(row)) {
            continue;
        }
        let mut outer = None;
        for (id, exe) in above {
            put(outer, *id);
            let make = || Row { exe: (*exe).into(), ..empty(*id) };
            sums.entry(*id).or_default().add(part, model, shape, make);
            outer = Some(*id);
        }
        put(outer, *id);
        sums.entry(*id).or_default().add(part, model, shape, make);
    }
    let mut found: HashMap<RowId, Row> =
        sums.into_iter().filter_map(|(id, sum)| Some((id, sum.finish(shape)?))).collect();
    let mut out = Vec::new();
    let mut waiting = vec![(None, Vec::new())];
    // A row, then all below it, then the next of its level.
    while let Some((at, levels)) = waiting.pop() {
        if let Some(row) = at.and_then(|id| found.remove(&id)) {
            out.push(Row { levels: levels.clone(), ..row });
        }
        let mut next = below.remove(&at).unwrap_or_default();
        let row = |id: &RowId| found.get(id);
        next.sort_by(|a, b| match (row(a), row(b)) {
            (Some(a), Some(b)) => compare(a, b),
            _ => std::cmp::Ordering::Equal,
        });
        let last = next.len().saturating_sub(1);
        for (nth, id) in next.into_iter().enumerate().rev() {
            let mut levels = levels.clone();
            levels.push(nth < last);
            waiting.push((Some(id), levels));
        }
    }
    out
}

fn parts(model: &Model, shape: Shape) -> impl Iterator<Item = Part<'_>> {
    let groups = model.groups().iter().enumerate().filter(move |_| !shape.processes);
    let lately: HashMap<usize, u32> =
        model.processes().fold(HashMap::new(), |mut count, (group, process)| {
            *count.entry(group).or_default() += u32::from(process.is_at_work());
            count
        });
    let groups = groups.map(move |(group, it)| Part {
        who: &it.who,
        traffic: &it.traffic,
        peers: &it.peers,
        open: it.open,
        group,
        processes: lately.get(&group).copied().unwrap_or(0),
        pid: None,
    });
    let processes = model.processes().filter(move |_| shape.processes);
    groups.chain(processes.map(|(group, it)| Part {
        who: &it.who,
        traffic: &it.traffic,
        peers: &it.peers,
        open: it.open,
        group,
        processes: 1,
        pid: Some(it.who.pid),
    }))
}

fn id(who: &Who, pid: Option<u32>, shape: Shape) -> RowId {
    hash(&(&who.exe, &who.script, &who.container, pid, shape.processes))
}

fn hash(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

fn leaf(id: RowId, who: &Arc<Who>, pid: Option<u32>, news: &News) -> Row {
    Row {
        exe: who.exe.clone(),
        who: Some(Arc::clone(who)),
        badges: news.badges(who),
        pid,
        ..empty(id)
    }
}

fn empty(id: RowId) -> Row {
    Row {
        id,
        exe: Box::default(),
        who: None,
        processes: 0,
        rates: [[None; 2]; 3],
        total: [None; 2],
        open: 0,
        peers: 0,
        more_peers: false,
        badges: Vec::new(),
        smooth: 0.0,
        levels: Vec::new(),
        groups: Vec::new(),
        pid: None,
    }
}

/// Whether a row is looked for: all words are somewhere in what is known of it.
#[must_use]
pub(super) fn matches(row: &Row, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let mut text = row.exe.to_lowercase();
    if let Some(who) = &row.who {
        let more = [
            &who.name,
            &who.script,
            &who.container,
            &who.unit,
            &who.app,
            &who.package,
            &who.cmdline,
        ];
        for more in more {
            text.push('\n');
            text.push_str(&more.to_lowercase());
        }
    }
    if let Some(pid) = row.pid {
        text.push_str(&format!("\n{pid}"));
    }
    for badge in &row.badges {
        text.push('\n');
        text.push_str(badge.name());
    }
    words.iter().all(|word| text.contains(word.as_str()))
}

/// The order of two rows, the first first. Rows that are equal in what is asked for go by what they
/// moved, then by name, so that the order is always the same.
#[must_use]
pub fn compare(a: &Row, b: &Row, by: By, descending: bool) -> std::cmp::Ordering {
    let float = |a: Option<f64>, b: Option<f64>| a.unwrap_or(-1.0).total_cmp(&b.unwrap_or(-1.0));
    let rate =
        |row: &Row, side: usize, span: usize| -> Option<f64> { *row.rates.get(span)?.get(side)? };
    let total = |row: &Row, side: usize| row.total.get(side).copied().flatten();
    let order = match by {
        By::Busy => a.smooth.total_cmp(&b.smooth),
        By::Program => a.exe.cmp(&b.exe),
        By::Pid => a.pid.cmp(&b.pid),
        By::Rate(side, span) => float(rate(a, side, span), rate(b, side, span)),
        By::Total(side) => total(a, side).cmp(&total(b, side)),
        By::Open => a.open.cmp(&b.open),
        By::Peers => a.peers.cmp(&b.peers),
        By::Badges => a.badges.cmp(&b.badges),
    };
    let sum = |row: &Row| -> u64 { row.total.iter().map(|it| it.unwrap_or(0)).sum() };
    if descending { order.reverse() } else { order }
        .then_with(|| sum(b).cmp(&sum(a)))
        .then_with(|| a.exe.cmp(&b.exe))
        .then_with(|| a.id.cmp(&b.id))
}
