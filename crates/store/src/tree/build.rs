//! From sums by process to nodes.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use super::Node;
use super::rank;
use crate::Key;
use crate::Sums;
use crate::Users;
use crate::classify::Sql;
use crate::dimension::Source;
use crate::processes::MAX_CLIMB;
use crate::texts::Texts;

/// A number that all runs of a node have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Common {
    None,
    All(i64),
    Differs,
}

impl Common {
    fn add(&mut self, value: i64) {
        *self = match *self {
            Self::None => Self::All(value),
            Self::All(earlier) if earlier == value => *self,
            Self::All(_) | Self::Differs => Self::Differs,
        };
    }

    fn or(self, otherwise: i64) -> i64 {
        if let Self::All(value) = self { value } else { otherwise }
    }
}

/// What makes runs below the same node one node: contents and path of executable and script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Same {
    parent: Option<usize>,
    exe: usize,
    script: usize,
    /// -1 for traffic of no run.
    uid: i64,
}

#[derive(Debug)]
struct Draft {
    parent: Option<usize>,
    /// The run that was stored first, and what it runs.
    first: i64,
    exe: i64,
    script: i64,
    uid: i64,
    pid: Common,
    login: Common,
    /// The first place with the same unit, and that with the same container.
    unit: Common,
    container: Common,
    launched: Option<i64>,
    runs: u64,
    own: Sums,
    total: Sums,
}

/// A row of `processes`.
#[derive(Debug)]
struct Stored {
    id: i64,
    parent: i64,
    exe: i64,
    script: i64,
    place: i64,
    pid: i64,
    uid: i64,
    login: i64,
    launched: i64,
}

/// Nodes in the making.
pub(super) struct Builder<'a> {
    conn: &'a Connection,
    /// Launchers come before what they launched.
    drafts: Vec<Draft>,
    by_same: HashMap<Same, usize>,
    by_process: HashMap<i64, usize>,
    /// Executables that are the same but for name and command line have one number.
    contents: HashMap<i64, usize>,
    by_contents: HashMap<(String, String), usize>,
    /// The first places with the same unit and container, by place, unit, and container.
    places: HashMap<i64, (i64, i64)>,
    by_unit: HashMap<String, i64>,
    by_container: HashMap<i64, i64>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(conn: &'a Connection) -> Self {
        Self {
            conn,
            drafts: Vec::new(),
            by_same: HashMap::new(),
            by_process: HashMap::new(),
            contents: HashMap::new(),
            by_contents: HashMap::new(),
            places: HashMap::new(),
            by_unit: HashMap::new(),
            by_container: HashMap::new(),
        }
    }

    /// Adds traffic of a run, or without one of an actor.
    pub(super) fn add(&mut self, process: i64, actor: i64, sums: Sums) -> Sql<()> {
        let node = match self.process(process)? {
            Some(node) => node,
            None => {
                let exe = self
                    .conn
                    .prepare_cached("SELECT exe_id FROM actors WHERE id = ?1")?
                    .query_row([actor], |row| row.get(0))
                    .optional()?;
                self.nobodys(exe.unwrap_or(0))?
            }
        };
        if let Some(draft) = self.drafts.get_mut(node) {
            draft.own.add(sums);
        }
        Ok(())
    }

    /// The node of a run, and those above it; `None` for none.
    fn process(&mut self, id: i64) -> Sql<Option<usize>> {
        let mut chain: Vec<Stored> = Vec::new();
        let mut next = id;
        while next != 0
            && !self.by_process.contains_key(&next)
            && chain.len() < MAX_CLIMB
            // Only a damaged history goes in circles.
            && !chain.iter().any(|stored| stored.id == next)
        {
            let Some(stored) = self.stored(next)? else { break };
            next = stored.parent;
            chain.push(stored);
        }
        let mut node = self.by_process.get(&next).copied();
        for stored in chain.into_iter().rev() {
            let same = Same {
                parent: node,
                exe: self.contents(stored.exe)?,
                script: self.contents(stored.script)?,
                uid: stored.uid,
            };
            let at = self.draft(same, stored.exe, stored.script);
            let (unit, container) = self.place(stored.place)?;
            if let Some(draft) = self.drafts.get_mut(at) {
                draft.pid.add(stored.pid);
                draft.login.add(stored.login);
                draft.unit.add(unit);
                draft.container.add(container);
                draft.launched =
                    Some(draft.launched.map_or(stored.launched, |at| at.min(stored.launched)));
                draft.runs += 1;
                if stored.id < draft.first {
                    (draft.first, draft.exe) = (stored.id, stored.exe);
                }
            }
            self.by_process.insert(stored.id, at);
            node = Some(at);
        }
        Ok(node)
    }

    fn nobodys(&mut self, exe: i64) -> Sql<usize> {
        let same =
            Same { parent: None, exe: self.contents(exe)?, script: self.contents(0)?, uid: -1 };
        Ok(self.draft(same, exe, 0))
    }

    fn draft(&mut self, same: Same, exe: i64, script: i64) -> usize {
        *self.by_same.entry(same).or_insert_with(|| {
            self.drafts.push(Draft {
                parent: same.parent,
                first: i64::MAX,
                exe,
                script,
                uid: same.uid,
                pid: Common::None,
                login: Common::None,
                unit: Common::None,
                container: Common::None,
                launched: None,
                runs: 0,
                own: Sums::default(),
                total: Sums::default(),
            });
            self.drafts.len() - 1
        })
    }

    fn stored(&self, id: i64) -> Sql<Option<Stored>> {
        self.conn
            .prepare_cached(
                "SELECT id, parent_id, exe_id, script_id, place_id, pid, uid,
                   coalesce(login_uid, -1), launched
                 FROM processes WHERE id = ?1",
            )?
            .query_row([id], |row| {
                Ok(Stored {
                    id: row.get(0)?,
                    parent: row.get(1)?,
                    exe: row.get(2)?,
                    script: row.get(3)?,
                    place: row.get(4)?,
                    pid: row.get(5)?,
                    uid: row.get(6)?,
                    login: row.get(7)?,
                    launched: row.get(8)?,
                })
            })
            .optional()
    }

    fn contents(&mut self, exe: i64) -> Sql<usize> {
        if let Some(known) = self.contents.get(&exe) {
            return Ok(*known);
        }
        let texts = self
            .conn
            .prepare_cached("SELECT exe, sha256 FROM executables WHERE id = ?1")?
            .query_row([exe], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let next = self.by_contents.len();
        let number = *self.by_contents.entry(texts.unwrap_or_default()).or_insert(next);
        self.contents.insert(exe, number);
        Ok(number)
    }

    fn place(&mut self, id: i64) -> Sql<(i64, i64)> {
        if let Some(known) = self.places.get(&id) {
            return Ok(*known);
        }
        let found: Option<(String, i64)> = self
            .conn
            .prepare_cached("SELECT unit, container_id FROM places WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (unit, container) = found.unwrap_or_default();
        let unit = *self.by_unit.entry(unit).or_insert(id);
        let firsts = (unit, *self.by_container.entry(container).or_insert(id));
        self.places.insert(id, firsts);
        Ok(firsts)
    }

    /// Adds up from below and looks up what the numbers stand for.
    pub(super) fn finish(mut self, users: &dyn Users) -> Sql<Vec<Node>> {
        let mut texts = Texts::new(self.conn, users);
        let mut children: Vec<Vec<Node>> = self.drafts.iter().map(|_| Vec::new()).collect();
        let mut roots = Vec::new();
        while let Some(mut draft) = self.drafts.pop() {
            draft.total.add(draft.own);
            let below = children.pop().unwrap_or_default();
            let node = node(&mut texts, &draft, below)?;
            let siblings = match draft.parent {
                Some(parent) => {
                    if let Some(parent) = self.drafts.get_mut(parent) {
                        parent.total.add(draft.total);
                    }
                    children.get_mut(parent)
                }
                None => Some(&mut roots),
            };
            if let Some(siblings) = siblings {
                siblings.push(node);
            }
        }
        rank(&mut roots);
        Ok(roots)
    }
}

/// A column of `places`, nearly.
const CONTAINER: &str = "(SELECT container FROM containers AS c WHERE c.id = container_id)";

fn node(texts: &mut Texts<'_>, draft: &Draft, mut children: Vec<Node>) -> Sql<Node> {
    rank(&mut children);
    let mut text = |source, id| {
        texts.key(source, id, 0).map(|key| match key {
            Key::Text(text) => text,
            Key::Number(number) => number.to_string(),
        })
    };
    let exe = |column| Source::Text("", "executables", column);
    Ok(Node {
        exe: text(exe("exe"), draft.exe)?,
        name: text(exe("name"), draft.exe)?,
        cmdline: if draft.runs == 1 { text(exe("cmdline"), draft.exe)? } else { String::new() },
        sha256: text(exe("sha256"), draft.exe)?,
        script: text(exe("exe"), draft.script)?,
        pid: (draft.runs == 1).then(|| u32::try_from(draft.pid.or(0)).unwrap_or(0)),
        user: if draft.uid < 0 { String::new() } else { text(Source::User, draft.uid)? },
        login: text(Source::Login, draft.login.or(-1))?,
        unit: text(Source::Place("unit"), draft.unit.or(0))?,
        container: text(Source::Place(CONTAINER), draft.container.or(0))?,
        launched: draft.launched,
        runs: draft.runs,
        own: draft.own,
        total: draft.total,
        children,
    })
}
