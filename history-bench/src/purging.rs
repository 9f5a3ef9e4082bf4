//! Forgetting most of a history while it is written to.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use anyhow::ensure;
use femtosnitch_store::Writer;
use rusqlite::Connection;
use serde::Serialize;

use crate::generator::Generator;
use crate::generator::Shape;
use crate::load::beside;
use crate::load::options;
use crate::load::remove;
use crate::statistics::Spread;
use crate::statistics::milliseconds;
use crate::statistics::spread;
use crate::writing::even;

/// Seconds of history that are kept.
const KEPT: i64 = 2 * 86_400;
/// Rows of a batch that is written between two steps.
const ROWS: u64 = 500;
/// Such batches, about.
const BATCHES: u32 = 200;
/// Steps that would never end.
const TOO_MANY: u64 = 10_000_000;

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Purging {
    /// Rows of a step, at most.
    pub step_rows: usize,
    /// Rows forgotten.
    pub rows: u64,
    /// Milliseconds a step of retention.
    pub steps: Spread,
    /// Milliseconds a batch between two steps.
    pub batches: Spread,
    /// Milliseconds that a batch takes which comes while a step has just begun, at most.
    pub longest_stall_ms: f64,
    /// Seconds from the first step to the last, without pauses.
    pub seconds: f64,
    /// Rows that are left, those included that were written meanwhile.
    pub rows_left: u64,
    /// Size of the file before.
    pub bytes_before: u64,
    /// … afterwards.
    pub bytes_after: u64,
    /// … and of a copy that has nothing but what is left (`VACUUM INTO`).
    pub bytes_live: u64,
}

impl Purging {
    /// How much larger the file is than it has to be.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.bytes_after as f64 / self.bytes_live.max(1) as f64
    }
}

/// Forgets all but two days before the end of `shape`, in steps of `step_rows` as the daemon does
/// but without a pause.
///
/// # Errors
/// If it cannot be written, or retention does not come to an end.
pub fn measure(database: &Path, shape: Shape, step_rows: usize) -> Result<Purging> {
    let since = shape.until() + 3_600;
    let rows = ROWS.min(shape.rows / 1_000).max(1);
    let after =
        Shape { rows: rows * u64::from(BATCHES), since, batches: BATCHES, interval: 10, ..shape };
    let mut generator = Generator::new(after);
    let options = options(&generator, "purging");
    let mut waiting = even(&mut generator, usize::try_from(rows)?).into_iter();
    let bytes_before = std::fs::metadata(database)?.len();
    let (mut writer, _) = Writer::open(database, &options)?;
    let before = shape.until() - KEPT;
    let every = (shape.rows / step_rows.max(1) as u64 / u64::from(BATCHES)).max(1);
    let (mut steps, mut batches) = (Vec::new(), Vec::new());
    let (mut longest_stall_ms, mut gone) = (0.0_f64, 0);
    let begun = Instant::now();
    for number in 1_u64.. {
        ensure!(number < TOO_MANY, "retention does not come to an end");
        let start = Instant::now();
        let report = writer.expire(before, step_rows)?;
        let step = milliseconds(start.elapsed());
        steps.push(step);
        gone += report.connections as u64;
        let mut stall = step;
        if number % every == 0
            && let Some(batch) = waiting.next()
        {
            let start = Instant::now();
            writer.write(&batch)?;
            let took = milliseconds(start.elapsed());
            batches.push(took);
            stall += took;
        }
        longest_stall_ms = longest_stall_ms.max(stall);
        if report.done {
            break;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    // Closing leaves an empty journal.
    drop(writer);
    let copy = beside(database, ".live");
    remove(&copy)?;
    let conn = Connection::open(database)?;
    conn.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
    let bytes_live = std::fs::metadata(&copy)?.len();
    remove(&copy)?;
    let left = femtosnitch_store::Reader::open(database)?.stats()?.rows;
    Ok(Purging {
        step_rows,
        rows: gone,
        steps: spread(&steps),
        batches: spread(&batches),
        longest_stall_ms,
        seconds,
        rows_left: left,
        bytes_before,
        bytes_after: std::fs::metadata(database)?.len(),
        bytes_live,
    })
}
