//! Traffic by program runs, each below the one that launched it.

mod build;

use serde::Serialize;

use crate::Cancel;
use crate::Query;
use crate::Reader;
use crate::StoreError;
use crate::Sums;
use crate::Users;
use crate::ask::Axis;
use crate::ask::Groupings;
use crate::ask::Groups;
use crate::ask::Stop;
use build::Builder;

/// Runs of one program by one launcher (or one node of launchers): the same executable with the same
/// contents, script and user. Texts come from the outside: show them through
/// [`femtosnitch_model::printable`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Path of the executable.
    pub exe: String,
    /// Name of the process; of several runs, of the first that was stored.
    pub name: String,
    /// Command line of the only run, else ''.
    pub cmdline: String,
    /// SHA-256 of the executable, or a bracketed reason.
    pub sha256: String,
    /// Path of the script that it runs, '' if none.
    pub script: String,
    /// Process id of the only run.
    pub pid: Option<u32>,
    /// User that it runs as; '' where that is not known.
    pub user: String,
    /// User who logged in; '' if nobody did, or not the same for all runs.
    pub login: String,
    /// systemd unit; '' if none, or not the same for all runs.
    pub unit: String,
    /// Container id; '' if none, or not the same for all runs.
    pub container: String,
    /// When it was launched (the first of the runs), unix seconds; `None` where that is not known.
    pub launched: Option<i64>,
    /// Runs that moved bytes in the time asked for, or launched one that did; 0 for traffic that
    /// belongs to no run in particular.
    pub runs: u64,
    /// Its own traffic.
    pub own: Sums,
    /// That, and all of what it launched.
    pub total: Sums,
    /// What it launched, the largest first.
    pub children: Vec<Node>,
}

impl Node {
    /// Nodes of the tree that this one is the root of.
    #[must_use]
    pub fn count(&self) -> usize {
        self.children.iter().fold(1, |count, child| count + child.count())
    }

    /// What nodes are ranked by.
    fn size(&self) -> (u64, u64) {
        size(&self.total)
    }
}

fn size(sums: &Sums) -> (u64, u64) {
    (sums.send.saturating_add(sums.recv), sums.connections)
}

fn rank(nodes: &mut [Node]) {
    fn name(node: &Node) -> (&str, &str, &str, &str, Option<i64>) {
        (&node.exe, &node.sha256, &node.script, &node.user, node.launched)
    }
    nodes.sort_by(|one, other| {
        other.size().cmp(&one.size()).then_with(|| name(one).cmp(&name(other)))
    });
}

/// Leaves the `limit` largest nodes (and so whoever launched them) and tells how many went.
pub fn keep_largest(nodes: &mut Vec<Node>, limit: usize) -> usize {
    fn list(nodes: &[Node], sizes: &mut Vec<(u64, u64)>) {
        for node in nodes {
            sizes.push(node.size());
            list(&node.children, sizes);
        }
    }
    fn cut(nodes: &mut Vec<Node>, keep: &mut impl Iterator<Item = bool>) {
        nodes.retain_mut(|node| {
            let kept = keep.next().unwrap_or(false);
            cut(&mut node.children, keep);
            kept
        });
    }
    let mut sizes = Vec::new();
    list(nodes, &mut sizes);
    if sizes.len() <= limit {
        return 0;
    }
    // Of equals those further up first: nobody is kept without the launcher.
    let mut ranked: Vec<usize> = (0..sizes.len()).collect();
    ranked.sort_by_key(|at| std::cmp::Reverse(sizes.get(*at).copied()));
    let mut keep = vec![false; sizes.len()];
    for at in ranked.iter().take(limit) {
        if let Some(keep) = keep.get_mut(*at) {
            *keep = true;
        }
    }
    cut(nodes, &mut keep.into_iter());
    sizes.len() - limit
}

impl Reader {
    /// The traffic that `query` asks for ([`Query::by`] does not matter) by program runs, below
    /// those that launched them, as far as that is known. [`Query::limit`] leaves the largest nodes.
    /// Traffic of no run in particular stands at the top by executable. Needs memory for the nodes,
    /// and some 20 bytes for each run.
    ///
    /// # Errors
    /// As [`Reader::query`], and [`StoreError::Cancelled`].
    pub fn tree(
        &self,
        query: &Query,
        users: &dyn Users,
        cancel: &Cancel,
    ) -> Result<Vec<Node>, StoreError> {
        let query = &Query { by: Vec::new(), ..query.clone() };
        let mut nodes = self.ask(query, users, |question, _| {
            let axes = vec![Axis::Process, Axis::Stray];
            let mut groupings = Groupings(vec![Groups::new(axes)]);
            let mut builder = Builder::new(question.conn());
            question.group(&mut groupings, cancel, |groups| {
                for (place, key) in groups.keys().iter().enumerate() {
                    if cancel.is_cancelled() {
                        return Err(Stop::Cancelled);
                    }
                    if let [process, actor] = groups.values(*key).as_slice() {
                        builder.add(i64::from(*process), i64::from(*actor), groups.sums(place))?;
                    }
                }
                Ok(())
            })?;
            Ok(builder.finish(users)?)
        })?;
        if let Some(limit) = query.limit {
            keep_largest(&mut nodes, limit);
        }
        Ok(nodes)
    }
}
