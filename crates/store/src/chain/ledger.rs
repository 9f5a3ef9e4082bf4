//! The writer's side: what a transaction touched becomes a link of it.

use std::collections::HashMap;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;

use crate::classify::Sql;
use crate::rollups;
use crate::schema::SCHEMA_VERSION;

use super::covers;
use super::covers::Entries;
use super::covers::Entry;
use super::items;
use super::items::BLOCKS;
use super::items::Digest;
use super::items::ITEMS;
use super::items::Item;
use super::items::SUMS;
use super::items::VERSION;
use super::link;
use super::link::Kind;
use super::link::Link;

/// A lasting link comes at least so often, in seconds.
const MARK_EVERY: i64 = 3_600;
/// Sums of so many seconds before the newest row are held in memory, to be compared before they
/// are added to.
const RECENT: i64 = 2 * 86_400;

/// The chain that a writer goes on with; none while it is off.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Option<State>);

/// Where the chain is.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The latest link.
    pub(super) id: i64,
    hash: Vec<u8>,
    /// The latest lasting one.
    lasting: Vec<u8>,
    lasting_time: i64,
    /// The latest one is of a batch.
    batch: bool,
    pub(super) until: Option<i64>,
    version: Option<i64>,
    /// Digests of rows that will be written again: waiting blocks and recent sums.
    known: HashMap<(u8, i64), Digest>,
}

/// What a transaction wrote.
#[derive(Debug, Default, Clone, Copy)]
struct Touched {
    old: Option<Digest>,
    now: Option<Digest>,
}

impl Ledger {
    /// Goes on with the chain that the database has, if it is on.
    pub(crate) fn open(conn: &Connection) -> Sql<Self> {
        items::add_function(conn)?;
        if !link::exists(conn)? || !link::is_on(conn)? {
            return Ok(Self(None));
        }
        watch(conn)?;
        Ok(Self(Some(State::read(conn)?)))
    }

    /// Has to be called at the end of each transaction: writes the link that vouches for what it
    /// wrote, if that was anything.
    pub(crate) fn link(&mut self, tx: &Transaction<'_>, kind: Kind) -> Sql<()> {
        let Some(state) = &mut self.0 else { return Ok(()) };
        state.catch_up(tx)?;
        let mut entries = Entries::new();
        let mut sealed = false;
        for ((item, key), touched) in touched(tx)? {
            let known = state.known.get(&(item, key));
            let broken = touched.old.is_some() && known.is_some_and(|it| Some(*it) != touched.old);
            if broken {
                let name = Item::of(item).map_or("row", |item| item.name);
                tracing::error!(
                    what = name,
                    key,
                    "the history was changed by another program; femtosnitch \
                     verify tells what"
                );
            }
            sealed |= item == BLOCKS && touched.now.is_none() && known.is_some();
            if touched.now.is_some() && touched.old == touched.now && !broken {
                continue;
            }
            entries.insert((item, key), Entry { now: touched.now, broken });
        }
        if entries.is_empty() {
            return Ok(());
        }
        let kind = match kind {
            Kind::Batch if sealed => Kind::Seal,
            Kind::Batch if state.is_mark_due(now()) => Kind::Mark,
            other => other,
        };
        state.remember(tx, &entries)?;
        let since = state.span(tx, &entries)?;
        if sealed {
            entries = fold(tx, entries)?;
        }
        state.append(tx, kind, since, &entries, None)
    }

    /// Switches it on or off, if it is not. When it is switched on, or the history was made by an
    /// earlier version, all that is there is vouched for as it is.
    pub(crate) fn switch(&mut self, conn: &mut Connection, on: bool) -> Sql<()> {
        let current = self.0.as_ref().is_some_and(|state| state.version == Some(SCHEMA_VERSION));
        if on == self.0.is_some() && (!on || current) {
            return Ok(());
        }
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if on {
            tx.execute_batch(link::TABLE)?;
            let mut state = State::read(&tx)?;
            state.take_stock(&tx)?;
            tx.commit()?;
            watch(conn)?;
            conn.execute("DELETE FROM temp.touched", [])?;
            self.0 = Some(State::read(conn)?);
        } else if let Some(state) = &mut self.0 {
            state.catch_up(&tx)?;
            state.append(&tx, Kind::Off, None, &Entries::new(), None)?;
            tx.commit()?;
            unwatch(conn)?;
            self.0 = None;
        }
        Ok(())
    }

    /// A lasting link, so that its hash can be noted down. None while it is off.
    pub(crate) fn mark(&mut self, conn: &mut Connection) -> Sql<()> {
        let Some(state) = &mut self.0 else { return Ok(()) };
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        state.catch_up(&tx)?;
        // What is the latest anyhow need not be said twice.
        if state.batch || state.is_mark_due(now()) {
            state.append(&tx, Kind::Mark, None, &Entries::new(), None)?;
            tx.commit()?;
        }
        Ok(())
    }

    /// Lets go of some of the oldest links. True if it did.
    pub(crate) fn clean(&mut self, tx: &Transaction<'_>, kept_since: i64) -> Sql<bool> {
        let Some(state) = &mut self.0 else { return Ok(false) };
        state.catch_up(tx)?;
        state.clean(tx, kept_since)
    }
}

impl State {
    /// The chain as the database has it.
    fn read(conn: &Connection) -> Sql<Self> {
        let mut state = Self::default();
        Link::each(conn, |link| {
            if let Some(kind) = Kind::of(link.kind)
                && kind.is_lasting()
            {
                (state.lasting, state.lasting_time) = (link.hash.clone(), link.time);
                if kind == Kind::On {
                    state.known.clear();
                    state.version = None;
                }
            }
            state.batch = link.kind == Kind::Batch as i64;
            (state.id, state.hash) = (link.id, link.hash);
            state.until = state.until.max(link.until);
            let (known, version) = (&mut state.known, &mut state.version);
            let read = covers::unpack(&link.covers, |(item, key), entry| match (item, entry.now) {
                (BLOCKS | SUMS, Some(digest)) => drop(known.insert((item, key), digest)),
                (BLOCKS | SUMS, None) => drop(known.remove(&(item, key))),
                (VERSION, _) => *version = Some(key),
                _ => {}
            });
            if let Err(error) = read {
                tracing::error!(link = link.id, %error, "the history was changed");
            }
            Ok::<bool, rusqlite::Error>(true)
        })?;
        let mut waiting = conn.prepare("SELECT id FROM blocks WHERE sealed = 0")?;
        let waiting: std::collections::HashSet<i64> =
            waiting.query_map([], |row| row.get(0))?.collect::<Sql<_>>()?;
        let until = state.until;
        state.known.retain(|(item, key), _| match *item {
            BLOCKS => waiting.contains(key),
            _ => is_recent(*key, until),
        });
        state.known.shrink_to_fit();
        Ok(state)
    }

    /// A transaction that failed took its link with it.
    fn catch_up(&mut self, tx: &Transaction<'_>) -> Sql<()> {
        let latest: Option<(i64, Vec<u8>)> = tx
            .prepare_cached("SELECT id, hash FROM chain ORDER BY id DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if latest.is_none_or(|(id, hash)| id != self.id || hash != self.hash) {
            *self = Self::read(tx)?;
        }
        Ok(())
    }

    fn is_mark_due(&self, now: i64) -> bool {
        now >= self.lasting_time.saturating_add(MARK_EVERY) || now < self.lasting_time
    }

    /// Keeps what will be written again.
    fn remember(&mut self, tx: &Transaction<'_>, entries: &Entries) -> Sql<()> {
        let mut waits = tx.prepare_cached("SELECT 1 FROM blocks WHERE id = ?1 AND sealed = 0")?;
        for ((item, key), entry) in entries {
            let again = match *item {
                BLOCKS => entry.now.is_some() && waits.exists([key])?,
                SUMS => is_recent(*key, self.until),
                _ => continue,
            };
            match entry.now {
                Some(digest) if again => drop(self.known.insert((*item, *key), digest)),
                _ => drop(self.known.remove(&(*item, *key))),
            }
        }
        let until = self.until;
        if entries.keys().any(|(item, _)| *item == SUMS) {
            self.known.retain(|(item, key), _| *item == BLOCKS || is_recent(*key, until));
        }
        Ok(())
    }

    /// The oldest row of the blocks that are vouched for; the newest is kept.
    fn span(&mut self, tx: &Transaction<'_>, entries: &Entries) -> Sql<Option<i64>> {
        let blocks =
            || entries.iter().filter(|((item, _), it)| *item == BLOCKS && it.now.is_some());
        let first = blocks().map(|((_, id), _)| *id).min();
        let (Some(first), Some(last)) = (first, blocks().map(|((_, id), _)| *id).max()) else {
            return Ok(None);
        };
        let (since, until): (Option<i64>, Option<i64>) = tx
            .prepare_cached("SELECT min(first), max(last) FROM blocks WHERE id BETWEEN ?1 AND ?2")?
            .query_row([first, last], |row| Ok((row.get(0)?, row.get(1)?)))?;
        self.until = self.until.max(until);
        Ok(since)
    }

    /// Writes a link.
    pub(super) fn append(
        &mut self,
        tx: &Transaction<'_>,
        kind: Kind,
        since: Option<i64>,
        entries: &Entries,
        carried: Option<(i64, Vec<u8>)>,
    ) -> Sql<()> {
        let (origin, before) = carried.unzip();
        let mut link = Link {
            id: self.id + 1,
            time: now(),
            kind: kind as i64,
            since,
            until: self.until,
            tip: (kind.is_lasting() && self.batch).then(|| self.hash.clone()),
            origin,
            before,
            hash: Vec::new(),
            covers: covers::pack(entries.iter()),
        };
        let previous = if kind.is_lasting() { &self.lasting } else { &self.hash };
        link.hash = link.hashed(previous).to_vec();
        link.write(tx)?;
        (self.id, self.hash, self.batch) = (link.id, link.hash, !kind.is_lasting());
        if kind.is_lasting() {
            (self.lasting, self.lasting_time) = (self.hash.clone(), link.time);
        }
        Ok(())
    }
}

/// A sum that later rows may be added to.
fn is_recent(key: i64, until: Option<i64>) -> bool {
    until.is_none_or(|until| rollups::start(key) > until.saturating_sub(RECENT))
}

/// Adds what the links of batches say to what the link that seals their rows will; they go.
fn fold(tx: &Transaction<'_>, own: Entries) -> Sql<Entries> {
    let mut all = Entries::new();
    let mut stmt = tx.prepare_cached(
        "SELECT id, kind, covers FROM chain
         WHERE id >= (SELECT min(id) FROM chain WHERE kind = 0) ORDER BY id",
    )?;
    let mut rows = stmt.query([])?;
    while let Some(row) = rows.next()? {
        let (id, kind): (i64, i64) = (row.get(0)?, row.get(1)?);
        let kind = Kind::of(kind);
        if kind == Some(Kind::On) {
            all.clear();
        }
        let read = covers::unpack(&row.get::<_, Vec<u8>>(2)?, |key, entry| match kind {
            Some(Kind::Batch) => {
                let broken = all.get(&key).is_some_and(|it: &Entry| it.broken);
                all.insert(key, Entry { broken: broken || entry.broken, ..entry });
            }
            // Says nothing that is newer.
            Some(Kind::Carry) => {}
            // It stays, and what is newer than it comes after it.
            _ => drop(all.remove(&key)),
        });
        if let Err(error) = read {
            tracing::error!(link = id, %error, "the history was changed");
        }
    }
    drop(rows);
    for (key, entry) in own {
        let before = all.get(&key).copied();
        let broken = entry.broken || before.is_some_and(|before| before.broken);
        // That it was there until now is told by nothing that stays.
        if key.0 == BLOCKS && entry.now.is_none() && before.is_some() && !broken {
            all.remove(&key);
        } else {
            all.insert(key, Entry { broken, ..entry });
        }
    }
    tx.prepare_cached("DELETE FROM chain WHERE kind = 0")?.execute([])?;
    Ok(all)
}

/// What was touched since the last link, by table and key; forgotten by that.
fn touched(tx: &Transaction<'_>) -> Sql<Vec<((u8, i64), Touched)>> {
    let mut found: HashMap<(u8, i64), Touched> = HashMap::new();
    {
        let mut stmt =
            tx.prepare_cached("SELECT item, key, old, now FROM temp.touched ORDER BY seq")?;
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            let key = (row.get(0)?, row.get(1)?);
            let (old, now) = (row.get(2)?, row.get(3)?);
            found.entry(key).and_modify(|it| it.now = now).or_insert(Touched { old, now });
        }
    }
    tx.prepare_cached("DELETE FROM temp.touched")?.execute([])?;
    for ((code, key), touched) in &mut found {
        if let Some(item) = Item::of(*code).filter(|item| item.is_shared()) {
            touched.now = item.now(tx, *key)?;
        }
    }
    Ok(found.into_iter().collect())
}

/// Has SQLite note what is written.
fn watch(conn: &Connection) -> Sql<()> {
    // Or REPLACE would not tell what it replaces.
    conn.pragma_update(None, "recursive_triggers", true)?;
    conn.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS touched(
           seq INTEGER PRIMARY KEY, item INTEGER NOT NULL, key INTEGER NOT NULL, old BLOB, now BLOB
         );",
    )?;
    for item in ITEMS {
        let Item { code, table, key, columns, .. } = item;
        // Where it will be compared.
        let old = match *code {
            BLOCKS => format!("iif(OLD.sealed = 0, {}, NULL)", item.digest("OLD.")),
            SUMS => item.digest("OLD."),
            _ => "NULL".to_owned(),
        };
        let new = if item.is_shared() { "NULL".to_owned() } else { item.digest("NEW.") };
        let only =
            |row: &str| item.only(row).map_or_else(String::new, |only| format!("WHEN {only}"));
        let columns: Vec<&str> = columns.split(',').map(str::trim).collect();
        let differs: Vec<String> =
            columns.iter().map(|column| format!("OLD.{column} IS NOT NEW.{column}")).collect();
        let differs = differs.join(" OR ");
        let also = item.only("NEW.").map_or_else(String::new, |only| format!("AND {only}"));
        let columns = columns.join(", ");
        conn.execute_batch(&format!(
            "CREATE TEMP TRIGGER IF NOT EXISTS chain_{table}_insert AFTER INSERT ON main.{table}
             {only_new} BEGIN
               INSERT INTO touched(item, key, old, now) VALUES ({code}, NEW.{key}, NULL, {new});
             END;
             CREATE TEMP TRIGGER IF NOT EXISTS chain_{table}_update
             AFTER UPDATE OF {columns} ON main.{table} WHEN ({differs}) {also} BEGIN
               INSERT INTO touched(item, key, old, now) VALUES ({code}, NEW.{key}, {old}, {new});
             END;
             CREATE TEMP TRIGGER IF NOT EXISTS chain_{table}_delete AFTER DELETE ON main.{table}
             {only_old} BEGIN
               INSERT INTO touched(item, key, old, now) VALUES ({code}, OLD.{key}, {old}, NULL);
             END;",
            only_new = only("NEW."),
            only_old = only("OLD."),
        ))?;
    }
    Ok(())
}

fn unwatch(conn: &Connection) -> Sql<()> {
    for Item { table, .. } in ITEMS {
        for what in ["insert", "update", "delete"] {
            conn.execute_batch(&format!("DROP TRIGGER IF EXISTS temp.chain_{table}_{what}"))?;
        }
    }
    conn.execute_batch("DROP TABLE IF EXISTS temp.touched")?;
    conn.pragma_update(None, "recursive_triggers", false)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(0)
}
