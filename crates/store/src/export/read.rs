//! From stored rows to [`ExportRow`]s, in slices.
//!
//! What is handed out is settled at the beginning: the rows that wait to be sealed then, which are
//! kept in memory, and the sealed blocks that there are then, by their ids. What waits may be sealed
//! meanwhile, but that block has a later id. (Retention makes new blocks of what it leaves of the oldest one; that is
//! what is read first.)

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::OptionalExtension;

use super::ExportRow;
use super::texts::Texts;
use crate::Query;
use crate::Reader;
use crate::StoreError;
use crate::Users;
use crate::ask::Pick;
use crate::blocks;
use crate::blocks::BLOCK_SPAN;
use crate::blocks::Stored;
use crate::blocks::Which;
use crate::classify::At;
use crate::classify::Sql;
use crate::parties::Loose;

/// Blocks looked at in one transaction: some ten milliseconds, so that the writer's journal can be
/// reset between two of them.
const BLOCKS: usize = 64;
/// Rows handed out at once: some megabytes.
const ROWS: usize = 8_192;
/// Rows kept until it is known that none is older. More of them come one upon the other only after
/// the clock was set back; then they are handed out as they are.
const KEPT: usize = 131_072;
/// Names of users kept; there are hardly more on one machine.
const USERS: usize = 4_096;

/// Where a block is in the order of `blocks_by_time`: first and last second, id.
type Order = [i64; 3];

/// A walk over the rows.
pub(super) struct Export<'a> {
    users: &'a dyn Users,
    names: HashMap<u32, Arc<str>>,
    texts: Texts,
    pick: Pick,
    time: Range<i64>,
    /// The last block that is handed out.
    newest: i64,
    /// All blocks up to here were read.
    after: Order,
    /// No older row comes any more; `None` once all blocks were read.
    frontier: Option<i64>,
    /// Read and not handed out, the oldest last; with a number that tells which of a second came
    /// first.
    waiting: Vec<(u64, Stored)>,
    /// Rows read from blocks.
    read: u64,
    rows: Vec<ExportRow>,
    reached: i64,
    /// As SQLite counts the commits of others.
    seen: Option<i64>,
}

impl<'a> Export<'a> {
    pub(super) fn new(
        reader: &Reader,
        query: &Query,
        users: &'a dyn Users,
    ) -> Result<Self, StoreError> {
        let path = reader.path();
        let conn = reader.begin()?;
        let pick = Pick::new(&conn, &query.filters, users, path)?;
        let (since, until) = (query.since.unwrap_or(i64::MIN), query.until.unwrap_or(i64::MAX));
        let newest = newest(&conn).at(path)?;
        let waiting = unsealed(&conn, since..until, &pick).at(path)?;
        let ends = ends(&conn).at(path)?;
        // For how far it is.
        let mut time = since.max(ends.start)..until.min(ends.end);
        for (_, row) in &waiting {
            time.start = time.start.min(row.contime);
            time.end = time.end.max(row.contime.saturating_add(1));
        }
        Ok(Self {
            users,
            names: HashMap::new(),
            texts: Texts::default(),
            pick,
            reached: time.start,
            time,
            newest,
            after: [since.saturating_sub(BLOCK_SPAN), i64::MIN, i64::MIN],
            frontier: Some(i64::MIN),
            waiting,
            read: 0,
            rows: Vec::new(),
            seen: None,
        })
    }

    pub(super) fn rows(&self) -> &[ExportRow] {
        &self.rows
    }

    /// Reads the next slice; how much of the time lies behind then, `None` after the last one.
    pub(super) fn next(&mut self, reader: &Reader) -> Result<Option<f64>, StoreError> {
        self.rows.clear();
        if self.frontier.is_none() && self.waiting.is_empty() {
            return Ok(None);
        }
        reader.consistently(|conn| self.read(conn)).at(reader.path())?;
        // Outside of the transaction: a directory service may take its time.
        for row in &mut self.rows {
            row.user = name(&mut self.names, self.users, row.uid);
            if let Some(uid) = row.login_uid {
                row.login = name(&mut self.names, self.users, uid);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "for a progress bar")]
        let [behind, all] =
            [self.reached, self.time.end].map(|at| at.saturating_sub(self.time.start) as f64);
        Ok(Some(if all > 0.0 { (behind / all).clamp(0.0, 1.0) } else { 1.0 }))
    }

    fn read(&mut self, conn: &Connection) -> Sql<()> {
        let commits: i64 = conn.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        // What others committed may have given a number to another text, or completed a digest.
        if self.seen.replace(commits) != Some(commits) || self.texts.is_full() {
            self.texts.forget();
        }
        if !self.is_ready() {
            self.blocks(conn)?;
        }
        while self.rows.len() < ROWS && self.is_ready() && !self.texts.is_full() {
            let Some((_, row)) = self.waiting.pop() else { break };
            self.reached = self.reached.max(row.contime);
            let row = export_row(conn, &row, &mut self.texts)?;
            self.rows.push(row);
        }
        Ok(())
    }

    /// There is a row that nothing older follows.
    fn is_ready(&self) -> bool {
        let settled = |contime| self.frontier.is_none_or(|frontier| contime < frontier);
        self.waiting.last().is_some_and(|(_, row)| settled(row.contime))
            || self.waiting.len() > KEPT
    }

    /// Reads the next blocks.
    fn blocks(&mut self, conn: &Connection) -> Sql<()> {
        let found: Vec<Order> = conn
            .prepare_cached(
                "SELECT first, last, id FROM blocks WHERE sealed = 1 AND (first, last, id) > (?1, ?2, ?3)
                   AND first < ?4 ORDER BY first, last, id LIMIT ?5",
            )?
            .query_map(
                [
                    self.after[0],
                    self.after[1],
                    self.after[2],
                    self.time.end,
                    i64::try_from(BLOCKS).unwrap_or(i64::MAX),
                ],
                |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]),
            )?
            .collect::<Sql<_>>()?;
        for &[_, last, id] in &found {
            if last < self.time.start || id > self.newest {
                continue;
            }
            let (time, pick) = (&self.time, &self.pick);
            let (waiting, read) = (&mut self.waiting, &mut self.read);
            blocks::one(conn, id, |block| {
                block.each(|row| {
                    if time.contains(&row.contime) && pick.takes(row) {
                        waiting.push((*read, *row));
                        *read += 1;
                    }
                })
            })?;
        }
        self.frontier = match found.last() {
            Some(last) if found.len() == BLOCKS => {
                self.after = *last;
                self.reached = self.reached.max(last[0]);
                Some(last[0])
            }
            _ => None,
        };
        sort(&mut self.waiting);
        Ok(())
    }
}

fn sort(rows: &mut [(u64, Stored)]) {
    rows.sort_unstable_by_key(|(number, row)| Reverse((row.contime, *number)));
}

fn newest(conn: &Connection) -> Sql<i64> {
    let id: Option<i64> = conn.query_row("SELECT max(id) FROM blocks", [], |row| row.get(0))?;
    Ok(id.unwrap_or(i64::MIN))
}

/// From the oldest row of any block to the newest that there can be.
fn ends(conn: &Connection) -> Sql<Range<i64>> {
    let number = |sql: &str| {
        conn.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).optional().map(Option::flatten)
    };
    let first = number("SELECT min(first) FROM blocks WHERE sealed = 1")?;
    // No block has rows of two days: the newest row is in one of the last day.
    let last = number(
        "SELECT max(last) FROM blocks WHERE sealed = 1 AND first >
           (SELECT max(first) FROM blocks WHERE sealed = 1) - 86400",
    )?;
    Ok(first.unwrap_or(i64::MAX)..last.map_or(i64::MIN, |last| last.saturating_add(1)))
}

/// Rows that wait to be sealed; of a second they came last.
fn unsealed(conn: &Connection, time: Range<i64>, pick: &Pick) -> Sql<Vec<(u64, Stored)>> {
    let mut rows = Vec::new();
    let mut number = u64::MAX / 2;
    blocks::scan(conn, (time.clone(), Which::Waiting), |block| {
        block.each(|row| {
            if time.contains(&row.contime) && pick.takes(row) {
                rows.push((number, *row));
                number += 1;
            }
        })
    })?;
    sort(&mut rows);
    Ok(rows)
}

fn name(names: &mut HashMap<u32, Arc<str>>, users: &dyn Users, uid: u32) -> Arc<str> {
    if names.len() >= USERS && !names.contains_key(&uid) {
        names.clear();
    }
    let look = || users.name(uid).unwrap_or_else(|| uid.to_string()).into();
    Arc::clone(names.entry(uid).or_insert_with(look))
}

fn export_row(conn: &Connection, row: &Stored, texts: &mut Texts) -> Sql<ExportRow> {
    // The writer stores no negative numbers.
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let (who, whom) = (texts.who(conn, row.actor)?, texts.whom(conn, row.peer)?);
    let pid = match row.pid {
        Some(pid) => u32::try_from(pid).unwrap_or(0),
        None => texts.pid(conn, row.process)?,
    };
    let own = |loose: Loose, port: u16| {
        if whom.loose == loose as i64 { u16::try_from(row.port).unwrap_or(0) } else { port }
    };
    Ok(ExportRow {
        contime: row.contime,
        send: count(row.send),
        recv: count(row.recv),
        wire_send: row.wire_send.map(count),
        wire_recv: row.wire_recv.map(count),
        events: count(row.events),
        direction: whom.direction,
        begun: count(row.begun),
        ended: count(row.ended),
        failed: count(row.failed),
        error: count(row.error),
        rtt_us: row.rtt_us.map(count),
        retrans: count(row.retrans),
        exe: Arc::clone(&who.exe),
        parent: Arc::clone(&who.parent),
        grandparent: Arc::clone(&who.grandparent),
        uid: who.uid,
        user: Arc::default(),
        login_uid: who.login,
        login: Arc::default(),
        pid,
        container: Arc::clone(&who.container),
        unit: Arc::clone(&who.unit),
        app: Arc::clone(&who.app),
        script: Arc::clone(&who.script),
        package: Arc::clone(&who.package),
        state: Arc::clone(&who.state),
        domain: Arc::clone(&whom.domain),
        name_source: whom.name_source,
        raddr: Arc::clone(&whom.raddr),
        rport: own(Loose::Remote, whom.rport),
        location: whom.location.clone(),
        laddr: Arc::clone(&who.laddr),
        lport: own(Loose::Local, whom.lport),
        protocol: whom.protocol,
        family: whom.family,
        netns: who.netns,
    })
}
