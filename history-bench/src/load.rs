//! Fills the databases, batch by batch as a daemon does, and tells how large they became.

use std::hash::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
use femtosnitch_store::Batch;
use femtosnitch_store::NoUsers;
use femtosnitch_store::Options;
use femtosnitch_store::Query;
use femtosnitch_store::Reader;
use femtosnitch_store::SCHEMA_VERSION;
use femtosnitch_store::Writer;
use rusqlite::Connection;
use rusqlite::OpenFlags;
use serde::Deserialize;
use serde::Serialize;

use crate::generator::Generator;
use crate::generator::Shape;
use crate::reference::Reference;

/// The databases, in one directory.
#[derive(Debug, Clone)]
pub struct Files {
    /// femtosnitch's.
    pub ours: PathBuf,
    /// The reference's.
    pub reference: PathBuf,
}

/// How writing went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// What is in it, and in which schema.
    made_of: String,
    /// Rows written.
    pub rows: u64,
    /// Batches that they came in.
    pub batches: u64,
    /// Program runs.
    pub runs: u64,
    /// Seconds that writing took.
    pub seconds: f64,
}

/// How large a database is.
#[derive(Debug, Clone, Serialize)]
pub struct Size {
    /// Of the file.
    pub bytes: u64,
    /// Of each table with its indexes, the largest first.
    pub tables: Vec<(String, u64)>,
}

impl Files {
    /// In `directory`.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        let file = |name: &str| directory.join(name);
        Self { ours: file("femtosnitch.db"), reference: file("picosnitch.db") }
    }

    /// Writes both, or takes what is there and is made of the same.
    ///
    /// # Errors
    /// If something cannot be written.
    pub fn load(&self, shape: Shape, with_reference: bool) -> Result<(Loaded, Option<Loaded>)> {
        let made_of = format!("{shape:?}, schema {SCHEMA_VERSION}: {}", self.schema()?);
        let ours = match found(&self.ours, &made_of) {
            Some(loaded) => loaded,
            None => self.load_ours(shape, made_of)?,
        };
        if !with_reference {
            return Ok((ours, None));
        }
        let made_of = format!("{shape:?}");
        let theirs = match found(&self.reference, &made_of) {
            Some(loaded) => loaded,
            None => self.load_reference(shape, made_of)?,
        };
        Ok((ours, Some(theirs)))
    }

    /// Tells tables apart that are still being worked on, under one number.
    fn schema(&self) -> Result<String> {
        let path = beside(&self.ours, ".empty");
        clear(&path)?;
        drop(Writer::open(&path, &Options::default())?);
        let conn = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut stmt = conn.prepare("SELECT coalesce(sql, '') FROM sqlite_schema ORDER BY name")?;
        let mut hasher = DefaultHasher::new();
        let mut rows = stmt.query([])?;
        while let Some(row) = rows.next()? {
            row.get::<_, String>(0)?.hash(&mut hasher);
        }
        clear(&path)?;
        Ok(format!("{:x}", hasher.finish()))
    }

    fn load_ours(&self, shape: Shape, made_of: String) -> Result<Loaded> {
        clear(&self.ours)?;
        let generator = Generator::new(shape);
        let (writer, _) = Writer::open(&self.ours, &options(&generator, "load"))?;
        let mut writer = Some(writer);
        fill(&self.ours, generator, made_of, |batch| {
            match (batch, &mut writer) {
                (Some(batch), Some(writer)) => drop(writer.write(batch)?),
                // Closing leaves an empty journal.
                _ => drop(writer.take()),
            }
            Ok(())
        })
    }

    fn load_reference(&self, shape: Shape, made_of: String) -> Result<Loaded> {
        clear(&self.reference)?;
        let mut reference = Reference::create(&self.reference)?;
        fill(&self.reference, Generator::new(shape), made_of, |batch| match batch {
            Some(batch) => reference.write(&batch.rows),
            None => reference.finish(),
        })
    }
}

/// Hands each batch, and at the end none, to `write`.
fn fill(
    path: &Path,
    mut generator: Generator,
    made_of: String,
    mut write: impl FnMut(Option<&Batch>) -> Result<()>,
) -> Result<Loaded> {
    let mut loaded = Loaded { made_of, ..Loaded::default() };
    let mut taken = Duration::ZERO;
    let mut timed = |batch: Option<&Batch>| {
        let start = Instant::now();
        let done = write(batch);
        taken += start.elapsed();
        done
    };
    for batch in generator.by_ref() {
        timed(Some(&batch))?;
        loaded.rows += batch.rows.len() as u64;
        loaded.batches += 1;
    }
    timed(None)?;
    loaded.seconds = taken.as_secs_f64();
    loaded.runs = generator.runs();
    drop(write);
    std::fs::write(stamp(path), serde_json::to_string(&loaded)?)?;
    Ok(loaded)
}

fn stamp(database: &Path) -> PathBuf {
    beside(database, ".json")
}

fn found(database: &Path, made_of: &str) -> Option<Loaded> {
    let loaded = std::fs::read_to_string(stamp(database)).ok()?;
    let loaded: Loaded = serde_json::from_str(&loaded).ok()?;
    (database.exists() && loaded.made_of == made_of).then_some(loaded)
}

/// Removes a database and what belongs to it.
pub(crate) fn clear(database: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm", ".lock", ".json"] {
        remove(&beside(database, suffix))?;
    }
    Ok(())
}

/// A copy of a database in its place of that name.
pub(crate) fn copied(from: &Path, to: &Path) -> Result<()> {
    clear(to)?;
    std::fs::copy(from, to).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(())
}

/// How the bench opens a history for writing; `boot` tells process runs of several generators
/// apart.
pub(crate) fn options(generator: &Generator, boot: &str) -> Options {
    Options {
        boot: boot.to_owned(),
        locator: Some(generator.locator()),
        tamper_evidence: std::env::var_os("FEMTOSNITCH_BENCH_CHAIN").is_some(),
        ..Options::default()
    }
}

/// `path` with something at its end.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes a file, if there is one.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Of a file whose journal is empty.
///
/// # Errors
/// If it cannot be read.
pub fn size(path: &Path) -> Result<Size> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT coalesce(s.tbl_name, d.name), sum(d.pgsize) FROM dbstat AS d
        LEFT JOIN sqlite_schema AS s ON s.name = d.name WHERE d.aggregate = TRUE
        GROUP BY 1 ORDER BY 2 DESC";
    let mut stmt = conn.prepare(sql)?;
    let tables =
        stmt.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    let tables = tables.collect::<rusqlite::Result<_>>()?;
    Ok(Size { bytes: std::fs::metadata(path)?.len(), tables })
}

/// Rows, and bytes sent and received, in all.
///
/// # Errors
/// If it cannot be read.
pub fn totals(path: &Path) -> Result<(u64, u64, u64)> {
    let reader = Reader::open(path)?;
    let rows = reader.stats()?.rows;
    let answers = reader.query(&Query::default(), &NoUsers)?;
    Ok(answers.first().map_or((rows, 0, 0), |all| (rows, all.send, all.recv)))
}
