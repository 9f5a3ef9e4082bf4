//! What can still be read of a damaged history is taken over into the one that took its place, a
//! little at a time.

mod kinds;
mod names;
mod parties;

use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::config::DbConfig;
use rusqlite::params;

use crate::Note;
use crate::NoteKind;
use crate::StoreError;
use crate::Writer;
use crate::chain;
use crate::chain::Ledger;
use crate::classify::At;
use crate::classify::Sql;
use crate::events;
use crate::intern::Interner;
use crate::migrate;
use crate::open::MAGIC;
use crate::place;
use crate::rollups::Floors;
use crate::schema::SCHEMA_VERSION;
use crate::seal;
use kinds::Kind;
use kinds::Taken;
use names::Between;
use names::Names;

/// How a damaged history is called in `imports`: this, its file's name, and what of it.
const PREFIX: &str = "salvage:";
/// Likewise: what could not be read.
const LOST: &str = "lost";

/// What was saved of a damaged history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// The damaged history, where it lies now.
    pub path: PathBuf,
    /// Rows of traffic that were taken over.
    pub rows: u64,
    /// Sums, events, gaps and what was known of programs that were taken over.
    pub others: u64,
    /// Blocks of rows, single rows, sums and others that could not be read.
    pub lost: u64,
    /// Nothing more will be.
    pub finished: bool,
    /// Why nothing more can be read of it, if it was given up.
    pub given_up: Option<String>,
}

/// A damaged history from which something is still to be taken.
#[derive(Debug)]
pub(crate) struct Salvage {
    /// Its file's name.
    name: String,
    source: Option<Connection>,
    names: Names,
    report: Salvaged,
}

impl Salvage {
    fn new(beside: &Path, name: String) -> Self {
        let report = Salvaged { path: beside.with_file_name(&name), ..Salvaged::default() };
        Self { name, source: None, names: Names::default(), report }
    }

    /// Has to be called when names were deleted.
    pub(crate) fn forget(&mut self) {
        self.names.clear();
    }

    fn key(&self, what: &str) -> String {
        format!("{PREFIX}{}:{what}", self.name)
    }

    /// What is still to be taken from a history that was moved aside earlier.
    pub(crate) fn pending(conn: &Connection, path: &Path) -> Sql<Option<Self>> {
        let unfinished = "SELECT source FROM imports
                          WHERE finished = 0 AND substr(source, 1, length(?1)) = ?1
                          ORDER BY source LIMIT 1";
        let found: Option<String> =
            conn.prepare_cached(unfinished)?.query_row([PREFIX], |row| row.get(0)).optional()?;
        let name = found.as_deref().and_then(|source| source.strip_prefix(PREFIX));
        let Some((name, _)) = name.and_then(|name| name.rsplit_once(':')) else { return Ok(None) };
        let mut salvage = Self::new(path, name.to_owned());
        for kind in Kind::ALL {
            let (_, saved, _) = salvage.position(conn, kind)?;
            salvage.count(kind, saved);
        }
        let lost = "SELECT rows FROM imports WHERE source = ?1";
        let lost: Option<i64> =
            conn.query_row(lost, [salvage.key(LOST)], |row| row.get(0)).optional()?;
        salvage.report.lost = lost.and_then(|lost| u64::try_from(lost).ok()).unwrap_or(0);
        Ok(Some(salvage))
    }

    /// Notes that everything is to be taken from a history that was moved aside just now, and since
    /// when it was complete. What cannot be opened is given up.
    pub(crate) fn begin(
        conn: &mut Connection,
        ledger: &mut Ledger,
        path: &Path,
        aside: &Path,
    ) -> Sql<Self> {
        let name = aside.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        let mut salvage = Self::new(path, name);
        let source = match salvage.open() {
            Ok(source) => source,
            Err(reason) => {
                salvage.give_up(reason);
                return Ok(salvage);
            }
        };
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for kind in Kind::ALL {
            tx.execute(
                "INSERT OR IGNORE INTO imports(source, position, rows, finished)
                 VALUES (?1, 0, 0, 0)",
                [salvage.key(kind.name())],
            )?;
        }
        // What it had not taken over itself of an earlier one.
        for (earlier, position, rows, finished) in earlier(&source).unwrap_or_default() {
            tx.execute(
                "INSERT OR IGNORE INTO imports(source, position, rows, finished)
                 VALUES (?1, ?2, ?3, ?4)",
                params![earlier, position, rows, finished],
            )?;
        }
        if let Some(levels) = floors(&source) {
            let now = Floors::read(&tx)?;
            let minute = if levels.minute <= levels.row { levels.minute } else { i64::MAX };
            Floors {
                row: now.row.max(levels.row),
                minute: if now.minute == i64::MAX { minute } else { now.minute.max(minute) },
                hour: now.hour.max(levels.hour),
                day: now.day.max(levels.day),
            }
            .write(&tx)?;
        }
        let heartbeat = "SELECT at, clean FROM heartbeat WHERE id = 1";
        let heartbeat = source.query_row(heartbeat, [], |row| Ok((row.get(0)?, row.get(1)?)));
        if let Ok((at, clean)) = heartbeat {
            let (at, clean): (i64, i64) = (at, clean);
            tx.execute("INSERT OR IGNORE INTO heartbeat VALUES (1, ?1, ?2)", [at, clean])?;
        }
        ledger.link(&tx, chain::Kind::Open)?;
        tx.commit()?;
        salvage.source = Some(source);
        Ok(salvage)
    }

    fn give_up(&mut self, reason: String) {
        tracing::warn!(
            damaged = %self.report.path.display(), reason,
            "nothing more can be saved of the damaged history"
        );
        (self.report.finished, self.report.given_up) = (true, Some(reason));
    }

    /// Opens the damaged history, which is not changed by that.
    fn open(&self) -> Result<Connection, String> {
        let path = &self.report.path;
        // SQLite would delete the journal of an empty file.
        if !place::begins_with(path, MAGIC).map_err(|error| error.to_string())? {
            return Err("it does not begin like a database".to_owned());
        }
        let open = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let conn = Connection::open_with_flags(path, flags)?;
            conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            conn.pragma_update(None, "query_only", true)?;
            conn.pragma_update(None, "trusted_schema", false)?;
            conn.pragma_update(None, "cell_size_check", true)?;
            Ok(conn)
        };
        let conn = open().map_err(|error: rusqlite::Error| error.to_string())?;
        match migrate::version(&conn, path, SCHEMA_VERSION) {
            Ok(SCHEMA_VERSION) => Ok(conn),
            Ok(other) => Err(format!("it has schema {other}, not {SCHEMA_VERSION}")),
            Err(error) => Err(error.to_string()),
        }
    }

    /// How far it is: position, saved, whether it is finished.
    fn position(&self, conn: &Connection, kind: Kind) -> Sql<(i64, i64, bool)> {
        let found = conn
            .prepare_cached("SELECT position, rows, finished FROM imports WHERE source = ?1")?
            .query_row([self.key(kind.name())], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)? != 0))
            })
            .optional()?;
        Ok(found.unwrap_or((0, 0, true)))
    }

    fn count(&mut self, kind: Kind, saved: i64) {
        let saved = u64::try_from(saved).unwrap_or(0);
        match kind {
            Kind::Blocks => self.report.rows += saved,
            _ => self.report.others += saved,
        }
    }

    /// Takes some of the first kind that is not finished, about `most` rows.
    fn take(
        &mut self,
        tx: &Transaction<'_>,
        source: &Connection,
        most: i64,
        unsealed: &mut seal::Waiting,
    ) -> Sql<Taken> {
        let now = now();
        for kind in Kind::ALL {
            let (position, saved, finished) = self.position(tx, kind)?;
            if finished {
                continue;
            }
            let it = Between { source, tx, now };
            let taken = kinds::take(kind, it, &mut self.names, position, most)?;
            tx.prepare_cached(
                "UPDATE imports SET position = ?2, rows = ?3, finished = ?4 WHERE source = ?1",
            )?
            .execute(params![
                self.key(kind.name()),
                taken.position,
                saved + taken.saved,
                taken.finished
            ])?;
            if taken.lost > 0 {
                tx.prepare_cached(
                    "INSERT INTO imports(source, position, rows, finished) VALUES (?1, 0, ?2, 1)
                     ON CONFLICT(source) DO UPDATE SET rows = rows + excluded.rows",
                )?
                .execute(params![self.key(LOST), taken.lost])?;
            }
            if kind == Kind::Blocks && taken.saved > 0 {
                tx.prepare_cached("UPDATE totals SET value = value + ?1 WHERE name = 'rows'")?
                    .execute([taken.saved])?;
                *unsealed = seal::Waiting::read(tx)?;
                if unsealed.is_due() {
                    seal::seal(tx, &mut Interner::default())?;
                    *unsealed = seal::Waiting::SEALED;
                }
            }
            return Ok(Taken { kind: Some(kind), ..taken });
        }
        Ok(Taken { finished: true, ..Taken::default() })
    }

    /// The last word.
    fn finish(&mut self, tx: &Transaction<'_>) -> Sql<()> {
        self.report.finished = true;
        let Salvaged { path, rows, lost, .. } = &self.report;
        tracing::info!(damaged = %path.display(), rows, lost, "the damaged history was salvaged");
        if *lost > 0 {
            let detail = format!(
                "{lost} pieces of a damaged history could not be read, {rows} rows were saved; it \
                 lies in {}",
                path.display()
            );
            events::note(tx, &[Note { at: now(), kind: NoteKind::Lost, detail }])?;
        }
        Ok(())
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(0)
}

/// What it noted of others that were damaged before.
fn earlier(source: &Connection) -> Sql<Vec<(String, i64, i64, i64)>> {
    source
        .prepare(
            "SELECT source, position, rows, finished FROM imports
             WHERE substr(source, 1, length(?1)) = ?1",
        )?
        .query_map([PREFIX], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect()
}

/// Since when the damaged history was complete, if that can be read and makes sense.
fn floors(source: &Connection) -> Option<Floors> {
    let floors = Floors::read(source).ok()?;
    let now = now();
    let sensible = floors.row <= now && floors.hour <= floors.row && floors.day <= floors.hour;
    sensible.then_some(floors)
}

impl Writer {
    /// What was moved aside just now is to be taken over; a failure to note that is no reason not
    /// to write.
    pub(crate) fn begin_salvage(&mut self, aside: &Path) -> Salvage {
        match Salvage::begin(&mut self.db.conn, &mut self.ledger, &self.path, aside) {
            Ok(salvage) => salvage,
            Err(error) => {
                let mut salvage = Salvage::new(aside, String::new());
                salvage.report.path = aside.to_owned();
                salvage.give_up(error.to_string());
                salvage
            }
        }
    }

    /// Takes over about `max_rows` more rows, or as much else, of a damaged history that was moved
    /// aside, in one transaction. `None` if nothing is to be taken over. Goes on where it was after
    /// a restart.
    ///
    /// # Errors
    /// As [`Writer::write`]. That the damaged history cannot be read is none: then it is given up.
    pub fn salvage(&mut self, max_rows: usize) -> Result<Option<Salvaged>, StoreError> {
        let Some(mut salvage) = self.salvage.take() else { return Ok(None) };
        if salvage.report.finished {
            self.salvage = Salvage::pending(&self.db.conn, &self.path).at(&self.path)?;
            return Ok(Some(salvage.report));
        }
        let source = match salvage.source.take().map_or_else(|| salvage.open(), Ok) {
            Ok(source) => source,
            Err(reason) => {
                let done =
                    "UPDATE imports SET finished = 1 WHERE substr(source, 1, length(?1)) = ?1";
                self.db.conn.execute(done, [salvage.key("")]).at(&self.path)?;
                salvage.give_up(reason);
                return Ok(Some(salvage.report));
            }
        };
        let result = self.salvage_some(&mut salvage, &source, max_rows);
        salvage.source = Some(source);
        match result {
            Ok(()) => {
                let report = salvage.report.clone();
                self.salvage = if report.finished {
                    Salvage::pending(&self.db.conn, &self.path).at(&self.path)?
                } else {
                    Some(salvage)
                };
                Ok(Some(report))
            }
            Err(error) => {
                // What the transaction stored is gone with it.
                self.interner.clear();
                salvage.names.clear();
                self.salvage = Some(salvage);
                Err(error).at(&self.path)
            }
        }
    }

    fn salvage_some(
        &mut self,
        salvage: &mut Salvage,
        source: &Connection,
        max_rows: usize,
    ) -> Sql<()> {
        let most = i64::try_from(max_rows.max(1)).unwrap_or(i64::MAX);
        let mut unsealed = self.unsealed;
        let tx = self.db.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let taken = salvage.take(&tx, source, most, &mut unsealed)?;
        salvage.report.lost += u64::try_from(taken.lost).unwrap_or(0);
        match taken.kind {
            Some(kind) => salvage.count(kind, taken.saved),
            None => salvage.finish(&tx)?,
        }
        self.ledger.link(&tx, chain::Kind::Batch)?;
        tx.commit()?;
        self.unsealed = unsealed;
        if let Some(oldest) = taken.oldest {
            self.sweep.note(oldest);
        }
        Ok(())
    }
}
