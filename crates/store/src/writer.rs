//! The one connection that writes.

use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::PoisonError;

use femtosnitch_model::Row;
use rusqlite::Connection;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;

use crate::Batch;
use crate::OpenReport;
use crate::Options;
use crate::StoreError;
use crate::WriteReport;
use crate::blocks::Builder;
use crate::blocks::Stored;
use crate::blocks::fitted;
use crate::chain::Kind;
use crate::chain::Ledger;
use crate::checkpoint;
use crate::checkpoint::Journal;
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
use crate::open::Opened;
use crate::parties::Actor;
use crate::parties::Peer;
use crate::pending;
use crate::pending::Known;
use crate::pending::Waiting;
use crate::rollups;
use crate::salvage::Salvage;
use crate::seal;

/// Statements kept compiled.
const STATEMENTS: usize = 64;

/// The only writer of a history.
#[derive(Debug)]
pub struct Writer {
    pub(crate) db: Handle,
    /// `None` before it is open.
    pub(crate) journal: Option<Journal>,
    pub(crate) path: PathBuf,
    pub(crate) interner: Interner,
    pub(crate) sweep: Sweep,
    pub(crate) waiting: Waiting,
    /// Rows that are in no block and no sum yet.
    pub(crate) unsealed: seal::Waiting,
    /// A damaged history from which something is still to be taken over.
    pub(crate) salvage: Option<Salvage>,
    /// Tamper evidence.
    pub(crate) ledger: Ledger,
    known: Known,
    pub(crate) options: Options,
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
        checkpoint::end(&mut self.conn);
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
        let (Opened { conn, ledger }, report) = open::open(path, &options)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);
        let unsealed = seal::Waiting::read(&conn).at(path)?;
        let mut writer = Self {
            db: Handle { conn, healthy: true },
            journal: None,
            path: path.to_owned(),
            interner: Interner::default(),
            sweep: Sweep::default(),
            waiting: Waiting::default(),
            unsealed,
            salvage: None,
            ledger,
            known,
            options,
            lock,
        };
        writer.salvage = match &report.quarantined {
            Some(quarantined) => Some(writer.begin_salvage(&quarantined.path)),
            None => Salvage::pending(&writer.db.conn, path).at(path)?,
        };
        writer.adopt()?;
        let on = writer.options.tamper_evidence;
        writer.ledger.switch(&mut writer.db.conn, on).at(path)?;
        writer.journal = Some(checkpoint::install(&mut writer.db.conn, path)?);
        Ok((writer, report))
    }

    /// Closes the database, moves it aside as damaged and opens a new one.
    pub(crate) fn replace(mut self, reason: &str) -> Result<(Self, OpenReport), StoreError> {
        self.db.healthy = false;
        let Self { db, path, known, options, lock, .. } = self;
        drop(db);
        let quarantined = crate::quarantine::move_aside(&path, reason)?;
        let (mut writer, report) = Self::with_lock(&path, options, lock, known)?;
        writer.salvage = Some(writer.begin_salvage(&quarantined.path));
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
        let mut unsealed = self.unsealed;
        match self.write_staged(batch, &mut waiting, &mut unsealed) {
            Ok(report) => {
                (self.waiting, self.unsealed) = (waiting, unsealed);
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

    /// Seals what waits, as happens by itself from time to time: rows become full blocks, and sums
    /// of minutes, hours and days. Questions are answered the same before and after.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn seal(&mut self) -> Result<(), StoreError> {
        let (conn, ledger) = (&mut self.db.conn, &mut self.ledger);
        let interner = &mut self.interner;
        let mut seal = || {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            seal::seal(&tx, interner)?;
            ledger.link(&tx, Kind::Seal)?;
            tx.commit()
        };
        seal().at(&self.path)?;
        self.unsealed = seal::Waiting::SEALED;
        Ok(())
    }

    /// Takes over what an earlier version wrote.
    fn adopt(&mut self) -> Result<(), StoreError> {
        let (conn, ledger) = (&mut self.db.conn, &mut self.ledger);
        let interner = &mut self.interner;
        let mut some = || {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let more = seal::adopt(&tx, interner)?;
            ledger.link(&tx, Kind::Open)?;
            tx.commit()?;
            Ok(more)
        };
        while some().at(&self.path)? {}
        Ok(())
    }

    fn write_staged(
        &mut self,
        batch: &Batch,
        waiting: &mut Waiting,
        unsealed: &mut seal::Waiting,
    ) -> Sql<WriteReport> {
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
        if pending::resolve(&tx, waiting, &mut self.known, &batch.resolved, &mut report)? {
            self.interner.forget_merged();
        }
        let mut rows = Vec::with_capacity(batch.rows.len());
        for row in &batch.rows {
            let mut interning = Interning {
                interner: &mut self.interner,
                waiting,
                known: &self.known,
                report: &mut report,
                boot: &self.options.boot,
            };
            rows.push(intern(&tx, &mut interning, locator, row)?);
        }
        rows.sort_by_key(|row| row.contime);
        let mut blocks = Builder::new(false);
        for row in &rows {
            blocks.push(&tx, row)?;
        }
        blocks.finish(&tx)?;
        if !batch.rows.is_empty() {
            let added = i64::try_from(batch.rows.len()).unwrap_or(i64::MAX);
            tx.prepare_cached("UPDATE totals SET value = value + ?1 WHERE name = 'rows'")?
                .execute([added])?;
            unsealed.rows += added;
            unsealed.blocks += blocks.blocks;
        }
        if unsealed.is_due() {
            seal::seal(&tx, &mut self.interner)?;
            *unsealed = seal::Waiting::SEALED;
        } else if unsealed.parts && !rows.is_empty() {
            // Not in a batch that seals, which takes long enough.
            unsealed.parts = rollups::fold(&tx, batch.latest().unwrap_or(i64::MIN))?;
        }
        let at = batch.latest().unwrap_or(0);
        facts::describe(&tx, &batch.described, at)?;
        facts::name_containers(&tx, &mut self.interner, &batch.containers, at)?;
        report.events += events::note(&tx, &batch.notes)?;
        gaps::note(&tx, &batch.gaps, batch.heartbeat)?;
        crate::import::write_mark(&tx, batch.import.as_ref())?;
        self.ledger.link(&tx, Kind::Batch)?;
        tx.commit()?;
        Ok(report)
    }
}

/// A row as it is stored; whatever it refers to is written.
fn intern(
    tx: &Transaction<'_>,
    interning: &mut Interning<'_>,
    locator: &mut dyn Locate,
    row: &Row,
) -> Sql<Stored> {
    let contime = row.contime;
    let exe = interning.executable(tx, &row.exe, contime)?;
    let exes = [
        exe,
        interning.executable_or_none(tx, row.parent.as_ref(), contime)?,
        interning.executable_or_none(tx, row.grandparent.as_ref(), contime)?,
    ];
    let mover = interning.process(tx, row, exe)?;
    let own = row.lineage.first().map(|launch| &launch.process);
    let interner = &mut *interning.interner;
    let laddr = interner.address(tx, locator, row.laddr, contime)?;
    let raddr = interner.address(tx, locator, row.raddr, contime)?;
    let domain = interner.domain(tx, &row.domain, contime)?;
    let container = interner.container(tx, &row.container, contime)?;
    let actor = Actor {
        exes,
        uid: row.uid,
        netns: row.netns,
        container,
        place: mover.place,
        script: mover.script,
        login: own.and_then(|own| own.login_uid),
        laddr,
        placed: mover.id != 0,
    };
    let actor = interner.actor(tx, actor, contime)?;
    let (peer, port) = Peer::of(row, raddr, domain);
    let peer = interner.peer(tx, peer, contime)?;
    let fit = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let is_own = own.is_some_and(|own| own.key.tgid == row.pid);
    let stored = Stored {
        contime,
        actor,
        process: mover.id,
        pid: (!is_own || mover.id == 0).then_some(row.pid.into()),
        peer,
        port: port.into(),
        send: fit(row.send),
        recv: fit(row.recv),
        wire_send: row.wire_send.map(fit),
        wire_recv: row.wire_recv.map(fit),
        events: fit(row.events),
        begun: row.connections.begun.into(),
        ended: row.connections.ended.into(),
        failed: row.connections.failed.into(),
        error: row.connections.error.into(),
        rtt_us: row.quality.rtt_us.map(i64::from),
        retrans: fit(row.quality.retrans),
    };
    let fitted = fitted(&stored);
    interning.report.rows += 1;
    interning.report.saturated += fitted.differences(&stored);
    Ok(fitted)
}
