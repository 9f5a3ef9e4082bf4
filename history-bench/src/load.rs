//! Fills the databases, batch by batch as a daemon does, and tells how large they became.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use anyhow::Result;
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
    stamp: PathBuf,
}

/// How writing went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// What is in them, and by which version.
    made_of: String,
    /// Rows written.
    pub rows: u64,
    /// Transactions.
    pub batches: u64,
    /// Program runs.
    pub runs: u64,
    /// Seconds that femtosnitch's writer took.
    pub seconds: f64,
    /// Seconds that the reference took, without its memory of what it has interned.
    pub reference_seconds: Option<f64>,
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
        Self {
            ours: file("femtosnitch.db"),
            reference: file("picosnitch.db"),
            stamp: file("loaded.json"),
        }
    }

    /// Writes both, or takes those that are there and are made of the same.
    ///
    /// # Errors
    /// If something cannot be written.
    pub fn load(&self, shape: Shape, with_reference: bool) -> Result<Loaded> {
        let made_of = format!("{shape:?}, schema {SCHEMA_VERSION}");
        if let Some(loaded) = self.found(&made_of, with_reference) {
            return Ok(loaded);
        }
        for path in [&self.ours, &self.reference] {
            for suffix in ["", "-wal", "-shm"] {
                remove(&beside(path, suffix))?;
            }
        }
        remove(&self.stamp)?;
        let mut generator = Generator::new(shape);
        let (mut writer, _) = Writer::open(&self.ours, &options(&generator, "load"))?;
        let reference = with_reference.then(|| Reference::create(&self.reference));
        let mut reference = reference.transpose()?;
        let mut loaded = Loaded { made_of, ..Loaded::default() };
        let [mut ours, mut theirs] = [Duration::ZERO; 2];
        for batch in generator.by_ref() {
            let start = Instant::now();
            writer.write(&batch)?;
            ours += start.elapsed();
            if let Some(reference) = &mut reference {
                let start = Instant::now();
                reference.write(&batch.rows)?;
                theirs += start.elapsed();
            }
            loaded.rows += batch.rows.len() as u64;
            loaded.batches += 1;
        }
        // Closing leaves an empty journal.
        drop(writer);
        if let Some(reference) = reference {
            let start = Instant::now();
            reference.finish()?;
            loaded.reference_seconds = Some((theirs + start.elapsed()).as_secs_f64());
        }
        loaded.seconds = ours.as_secs_f64();
        loaded.runs = generator.runs();
        std::fs::write(&self.stamp, serde_json::to_string(&loaded)?)?;
        Ok(loaded)
    }

    fn found(&self, made_of: &str, with_reference: bool) -> Option<Loaded> {
        let loaded = std::fs::read_to_string(&self.stamp).ok()?;
        let loaded: Loaded = serde_json::from_str(&loaded).ok()?;
        let complete = loaded.reference_seconds.is_some() || !with_reference;
        (loaded.made_of == made_of && complete).then_some(loaded)
    }
}

/// How the bench opens a history for writing; `boot` tells process runs of several generators
/// apart.
pub(crate) fn options(generator: &Generator, boot: &str) -> Options {
    Options { group: None, boot: boot.to_owned(), locator: Some(generator.locator()) }
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
