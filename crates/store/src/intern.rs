//! Texts stored once, referred to by number.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use femtosnitch_model::Digest;
use femtosnitch_model::Executable;
use femtosnitch_model::ImageId;
use femtosnitch_model::Location;
use femtosnitch_model::Place;
use femtosnitch_model::ProcKey;
use femtosnitch_model::Unhashed;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;

use crate::WriteReport;
use crate::classify::Sql;
use crate::parties::Actor;
use crate::parties::Ends;
use crate::parties::Host;
use crate::parties::Peer;
use crate::pending::Known;
use crate::pending::Waiting;
use crate::processes::Run;
use crate::programs::Program;

/// Entries per cache; a miss costs one look-up by index.
pub(crate) const MAX_CACHED: usize = 16_384;
/// `last_seen` is rounded up to a multiple of this, so that it is seldom updated.
pub(crate) const SEEN_STEP: i64 = 3_600;
/// Likewise of peers and what these name, of which there are many more, and far apart.
pub(crate) const PEER_STEP: i64 = 86_400;

/// An interned row and the time span that its row in the database covers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) id: i64,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// Caches of what the database is known to hold. Must be cleared when a transaction fails and
/// when rows are deleted.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    executables: HashMap<(ImageId, Digest), Seen>,
    pub(crate) addresses: HashMap<IpAddr, Seen>,
    pub(crate) locations: HashMap<Location, Seen>,
    domains: HashMap<Arc<str>, Seen>,
    containers: HashMap<Arc<str>, Seen>,
    pub(crate) places: HashMap<Arc<Place>, Seen>,
    pub(crate) processes: HashMap<ProcKey, Run>,
    pub(crate) actors: HashMap<Actor, Seen>,
    pub(crate) peers: HashMap<Peer, Seen>,
    /// By peer.
    pub(crate) ends: HashMap<i64, Ends>,
    /// By address and name: the peer that stands for them in sums of the newest day that was summed.
    pub(crate) hosts: HashMap<Host, i64>,
    /// That day, counted from 1970.
    pub(crate) hosts_day: i64,
    /// By an image and whose path it is.
    pub(crate) programs: HashMap<(ImageId, Arc<str>), Program>,
    /// This boot of the machine.
    pub(crate) boot: Option<i64>,
}

impl Interner {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets pending executables (their rows are about to change).
    pub(crate) fn forget_pending(&mut self, resolved: &[(ImageId, Digest)]) {
        for (image, _) in resolved {
            self.executables.remove(&(*image, Digest::Pending));
        }
    }

    /// Forgets what refers to executables that are others now.
    pub(crate) fn forget_merged(&mut self) {
        self.actors.clear();
        self.processes.clear();
    }

    /// Forgets where addresses are.
    pub(crate) fn forget_addresses(&mut self) {
        self.addresses.clear();
    }

    /// Id of a domain in reverse notation; 0 if unknown.
    pub(crate) fn domain(
        &mut self,
        tx: &Transaction<'_>,
        domain: &Arc<str>,
        contime: i64,
    ) -> Sql<i64> {
        text(tx, &DOMAINS, &mut self.domains, domain, || domain.to_string(), contime)
    }

    /// Id of a container; 0 if none.
    pub(crate) fn container(
        &mut self,
        tx: &Transaction<'_>,
        container: &Arc<str>,
        contime: i64,
    ) -> Sql<i64> {
        text(tx, &CONTAINERS, &mut self.containers, container, || container.to_string(), contime)
    }
}

/// The statements for one table of texts.
struct TextTable {
    /// Of `last_seen`.
    step: i64,
    find: &'static str,
    insert: &'static str,
    touch: &'static str,
}

const DOMAINS: TextTable = TextTable {
    find: "SELECT id, last_seen FROM domains WHERE domain = ?1",
    insert: "INSERT INTO domains(domain, last_seen) VALUES (?1, ?2)",
    touch: "UPDATE domains SET last_seen = max(last_seen, ?2) WHERE id = ?1",
    step: PEER_STEP,
};
const CONTAINERS: TextTable = TextTable {
    find: "SELECT id, last_seen FROM containers WHERE container = ?1",
    insert: "INSERT INTO containers(container, last_seen) VALUES (?1, ?2)",
    touch: "UPDATE containers SET last_seen = max(last_seen, ?2) WHERE id = ?1",
    step: SEEN_STEP,
};

fn text<K: Clone + Eq + Hash>(
    tx: &Transaction<'_>,
    table: &TextTable,
    cache: &mut HashMap<K, Seen>,
    key: &K,
    text: impl Fn() -> String,
    contime: i64,
) -> Sql<i64> {
    if let Some(seen) = cache.get(key).copied()
        && (seen.id == 0 || contime <= seen.last)
    {
        return Ok(seen.id);
    }
    let last = round_up_to(table.step, contime);
    let found = tx
        .prepare_cached(table.find)?
        .query_row([text()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        .optional()?;
    let seen = match found {
        // Not merely `contime`: versions that noted it by the hour left names that would go before
        // what refers to them.
        Some((id, stored)) if id == 0 || stored >= last => Seen { id, first: 0, last: stored },
        Some((id, _)) => {
            tx.prepare_cached(table.touch)?.execute(params![id, last])?;
            Seen { id, first: 0, last }
        }
        None => {
            tx.prepare_cached(table.insert)?.execute(params![text(), last])?;
            Seen { id: tx.last_insert_rowid(), first: 0, last }
        }
    };
    remember(cache, key.clone(), seen);
    Ok(seen.id)
}

/// Everything that interning executables, processes and programs needs.
pub(crate) struct Interning<'a> {
    pub(crate) interner: &'a mut Interner,
    pub(crate) waiting: &'a mut Waiting,
    pub(crate) known: &'a Known,
    pub(crate) report: &'a mut WriteReport,
    pub(crate) boot: &'a str,
}

impl Interning<'_> {
    /// Id of an executable; 0 if unknown.
    pub(crate) fn executable_or_none(
        &mut self,
        tx: &Transaction<'_>,
        exe: Option<&Executable>,
        contime: i64,
    ) -> Sql<i64> {
        match exe {
            Some(exe) => self.executable(tx, exe, contime),
            None => Ok(0),
        }
    }

    /// Id of an executable.
    pub(crate) fn executable(
        &mut self,
        tx: &Transaction<'_>,
        exe: &Executable,
        contime: i64,
    ) -> Sql<i64> {
        let image = exe.image.id;
        let mut digest = self.known.improve(image, exe.digest);
        if digest == Digest::Pending && self.waiting.get(image).is_none() && self.waiting.is_full()
        {
            digest = Digest::Missing(Unhashed::Unknown);
            self.report.unawaited += 1;
        }
        let key = (image, digest);
        if let Some(seen) = self.interner.executables.get(&key)
            && (seen.first..=seen.last).contains(&contime)
        {
            return Ok(seen.id);
        }
        let found = match digest {
            Digest::Pending => match self.waiting.get(image) {
                Some(id) => seen_by_id(tx, id)?,
                None => None,
            },
            Digest::Known(_) | Digest::Missing(_) => seen_by_key(tx, exe, digest)?,
        };
        let seen = match found {
            Some(seen) => touch(tx, seen, contime)?,
            None => insert(tx, exe, digest, contime)?,
        };
        if digest == Digest::Pending {
            self.waiting.insert(image, seen.id);
        }
        remember(&mut self.interner.executables, key, seen);
        Ok(seen.id)
    }
}

fn seen_by_id(tx: &Transaction<'_>, id: i64) -> Sql<Option<Seen>> {
    tx.prepare_cached("SELECT id, first_seen, last_seen FROM executables WHERE id = ?1")?
        .query_row([id], seen)
        .optional()
}

fn seen_by_key(tx: &Transaction<'_>, exe: &Executable, digest: Digest) -> Sql<Option<Seen>> {
    let image = &exe.image;
    // The second condition on sha256 lets SQLite use the partial index.
    tx.prepare_cached(
        "SELECT id, first_seen, last_seen FROM executables
         WHERE exe = ?1 AND name = ?2 AND cmdline = ?3 AND sha256 = ?4 AND sha256 <> '(pending)'",
    )?
    .query_row(params![image.path, image.name, image.cmdline, digest.to_string()], seen)
    .optional()
}

fn seen(row: &rusqlite::Row<'_>) -> Sql<Seen> {
    Ok(Seen { id: row.get(0)?, first: row.get(1)?, last: row.get(2)? })
}

fn touch(tx: &Transaction<'_>, seen: Seen, contime: i64) -> Sql<Seen> {
    if seen.id == 0 || (seen.first..=seen.last).contains(&contime) {
        return Ok(seen);
    }
    let first = seen.first.min(contime);
    let last = if contime > seen.last { round_up(contime) } else { seen.last };
    // What the cache holds may be older than what the database has.
    tx.prepare_cached(
        "UPDATE executables SET first_seen = min(first_seen, ?2), last_seen = max(last_seen, ?3)
         WHERE id = ?1",
    )?
    .execute(params![seen.id, first, last])?;
    Ok(Seen { first, last, ..seen })
}

fn insert(tx: &Transaction<'_>, exe: &Executable, digest: Digest, contime: i64) -> Sql<Seen> {
    let (image, last) = (&exe.image, round_up(contime));
    tx.prepare_cached(
        "INSERT INTO executables(exe, name, cmdline, sha256, first_seen, last_seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        image.path,
        image.name,
        image.cmdline,
        digest.to_string(),
        contime,
        last
    ])?;
    Ok(Seen { id: tx.last_insert_rowid(), first: contime, last })
}

pub(crate) fn remember<K: Eq + Hash, V>(cache: &mut HashMap<K, V>, key: K, seen: V) {
    if cache.len() >= MAX_CACHED {
        cache.clear();
    }
    cache.insert(key, seen);
}

/// The first full hour that is not before it.
pub(crate) fn round_up(contime: i64) -> i64 {
    round_up_to(SEEN_STEP, contime)
}

/// The first multiple of `step` that is not before it.
pub(crate) fn round_up_to(step: i64, contime: i64) -> i64 {
    contime.saturating_add(step - 1).div_euclid(step).saturating_mul(step).max(contime)
}
