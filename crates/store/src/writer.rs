//! The one connection that writes.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;

use femtosnitch_model::Row;
use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::params;

use crate::Batch;
use crate::OpenReport;
use crate::Options;
use crate::StoreError;
use crate::WriteReport;
use crate::classify::At;
use crate::classify::Sql;
use crate::events;
use crate::expire::Sweep;
use crate::facts;
use crate::gaps;
use crate::intern::Interner;
use crate::intern::Interning;
use crate::locate::Locate;
use crate::locate::Nowhere;
use crate::open;
use crate::pending;
use crate::pending::Known;
use crate::pending::Waiting;

/// Statements kept compiled.
const STATEMENTS: usize = 64;

/// The only writer of a history.
#[derive(Debug)]
pub struct Writer {
    pub(crate) db: Handle,
    pub(crate) path: PathBuf,
    pub(crate) interner: Interner,
    pub(crate) sweep: Sweep,
    pub(crate) waiting: Waiting,
    known: Known,
    options: Options,
    /// Dropped last: as long as this lives no other writer opens.
    lock: File,
}

/// The connection, tidied up when it is closed.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) conn: Connection,
    /// False once the file is known to be damaged: then it is left exactly as it is.
    healthy: bool,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.healthy {
            return;
        }
        // Not needed for safety; it leaves an empty journal to the readers.
        let done = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = done {
            tracing::debug!(%error, "no final checkpoint");
        }
    }
}

impl Writer {
    /// Opens the history at `path`, making directory and file where there are none, bringing an
    /// older one up to date, and moving a damaged one aside.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another writer has it, [`StoreError::Newer`] and
    /// [`StoreError::Foreign`] if it is not ours to write, and whatever the disk has to say.
    pub fn open(path: &Path, options: &Options) -> Result<(Self, OpenReport), StoreError> {
        let lock = open::prepare(path, options)?;
        Self::with_lock(path, options.clone(), lock, Known::default())
    }

    fn with_lock(
        path: &Path,
        options: Options,
        lock: File,
        known: Known,
    ) -> Result<(Self, OpenReport), StoreError> {
        let (conn, report) = open::open(path, &options)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        let writer = Self {
            db: Handle { conn, healthy: true },
            path: path.to_owned(),
            interner: Interner::default(),
            sweep: Sweep::default(),
            waiting: Waiting::default(),
            known,
            options,
            lock,
        };
        Ok((writer, report))
    }

    /// Closes the database, moves it aside as damaged and opens a new one.
    pub(crate) fn replace(mut self, reason: &str) -> Result<(Self, OpenReport), StoreError> {
        self.db.healthy = false;
        let Self { db, path, known, options, lock, .. } = self;
        drop(db);
        let quarantined = crate::quarantine::move_aside(&path, reason)?;
        let (writer, report) = Self::with_lock(&path, options, lock, known)?;
        Ok((writer, OpenReport { quarantined: Some(quarantined), ..report }))
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a batch in one transaction: all of it or, on an error, nothing.
    ///
    /// # Errors
    /// [`StoreError::is_passing`] errors: keep the batch and try again later ([`crate::Sink`]
    /// does). [`StoreError::Corrupt`]: drop this writer and open again.
    pub fn write(&mut self, batch: &Batch) -> Result<WriteReport, StoreError> {
        if batch.is_empty() {
            return Ok(WriteReport::default());
        }
        let mut waiting = self.waiting.clone();
        match self.write_staged(batch, &mut waiting) {
            Ok(report) => {
                self.waiting = waiting;
                if let Some(oldest) = batch.rows.iter().map(|row| row.contime).min() {
                    self.sweep.note(oldest);
                }
                Ok(report)
            }
            Err(error) => {
                // What the transaction interned is gone with it.
                self.interner.clear();
                Err(error).at(&self.path)
            }
        }
    }

    fn write_staged(&mut self, batch: &Batch, waiting: &mut Waiting) -> Sql<WriteReport> {
        let locator = self.options.locator.as_ref().map(Arc::clone);
        let mut locator =
            locator.as_ref().map(|it| it.lock().unwrap_or_else(PoisonError::into_inner));
        let mut nowhere = Nowhere;
        let locator: &mut dyn Locate = match &mut locator {
            Some(locator) => &mut **locator,
            None => &mut nowhere,
        };
        // Before the transaction: reading a database takes its time.
        if locator.refresh() {
            self.interner.forget_addresses();
        }
        let tx = self.db.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut report = WriteReport::default();
        self.interner.forget_pending(&batch.resolved);
        // Before the rows: those of an image in `resolved` then find the completed executable.
        pending::resolve(&tx, waiting, &mut self.known, &batch.resolved, &mut report)?;
        let mut seqs = HashMap::new();
        for row in &batch.rows {
            let seq = next_seq(&tx, &mut seqs, row.contime)?;
            let mut interning = Interning {
                interner: &mut self.interner,
                waiting,
                known: &self.known,
                report: &mut report,
                boot: &self.options.boot,
            };
            let exe = interning.executable(&tx, &row.exe, row.contime)?;
            let ids = [
                exe,
                interning.executable_or_none(&tx, row.parent.as_ref(), row.contime)?,
                interning.executable_or_none(&tx, row.grandparent.as_ref(), row.contime)?,
                interning.process(&tx, row, exe)?,
            ];
            let addresses = [
                self.interner.address(&tx, locator, row.laddr, row.contime)?,
                self.interner.address(&tx, locator, row.raddr, row.contime)?,
            ];
            insert(&tx, &mut self.interner, row, seq, (ids, addresses), &mut report)?;
        }
        if !batch.rows.is_empty() {
            let added = i64::try_from(batch.rows.len()).unwrap_or(i64::MAX);
            tx.prepare_cached("UPDATE totals SET value = value + ?1 WHERE name = 'rows'")?
                .execute([added])?;
        }
        let at = batch.latest().unwrap_or(0);
        facts::describe(&tx, &batch.described, at)?;
        facts::name_containers(&tx, &mut self.interner, &batch.containers, at)?;
        report.events += events::note(&tx, &batch.notes)?;
        gaps::note(&tx, &batch.gaps, batch.heartbeat)?;
        tx.commit()?;
        Ok(report)
    }
}

/// The next free number within the second `contime`.
fn next_seq(tx: &Transaction<'_>, seqs: &mut HashMap<i64, i64>, contime: i64) -> Sql<i64> {
    if let Some(next) = seqs.get_mut(&contime) {
        let seq = *next;
        *next += 1;
        return Ok(seq);
    }
    let seq = tx
        .prepare_cached("SELECT coalesce(max(seq) + 1, 0) FROM traffic WHERE contime = ?1")?
        .query_row([contime], |row| row.get(0))?;
    seqs.insert(contime, seq + 1);
    Ok(seq)
}

fn insert(
    tx: &Transaction<'_>,
    interner: &mut Interner,
    row: &Row,
    seq: i64,
    ([exe, parent, grandparent, process], [laddr, raddr]): ([i64; 4], [i64; 2]),
    report: &mut WriteReport,
) -> Sql<()> {
    let domain = interner.domain(tx, &row.domain, row.contime)?;
    let container = interner.container(tx, &row.container, row.contime)?;
    let mut fit = |value: u64| {
        i64::try_from(value).unwrap_or_else(|_| {
            report.saturated += 1;
            i64::MAX
        })
    };
    tx.prepare_cached(
        "INSERT INTO traffic(contime, seq, send, recv, wire_send, wire_recv, events, exe_id,
           pexe_id, gpexe_id, uid, pid, family, protocol, lport, rport, laddr_id, raddr_id,
           domain_id, netns, container_id, direction, begun, ended, failed, error, rtt_us, retrans,
           process_id, name_source)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
           ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)",
    )?
    .execute(params![
        row.contime,
        seq,
        fit(row.send),
        fit(row.recv),
        row.wire_send.map(&mut fit),
        row.wire_recv.map(&mut fit),
        fit(row.events),
        exe,
        parent,
        grandparent,
        row.uid,
        row.pid,
        row.family,
        row.protocol,
        row.lport,
        row.rport,
        laddr,
        raddr,
        domain,
        row.netns,
        container,
        row.direction.code(),
        i64::from(row.connections.begun),
        i64::from(row.connections.ended),
        i64::from(row.connections.failed),
        row.connections.error,
        row.quality.rtt_us,
        fit(row.quality.retrans),
        process,
        row.name_source.code(),
    ])?;
    report.rows += 1;
    Ok(())
}
