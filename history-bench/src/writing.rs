//! Writing into a history that is large already, alone and while somebody reads.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use anyhow::anyhow;
use femtosnitch_store::Batch;
use femtosnitch_store::Writer;
use serde::Serialize;

use crate::generator::Generator;
use crate::generator::Shape;
use crate::load::options;
use crate::questions::Question;
use crate::statistics::Spread;
use crate::statistics::milliseconds;
use crate::statistics::processor;
use crate::statistics::spread;

/// Batches of each part.
const BATCHES: u32 = 30;
/// Rows of a batch, at most.
const ROWS: u64 = 5_000;
/// Between two batches while somebody reads.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Writing {
    /// Rows of a batch.
    pub rows: u64,
    /// Milliseconds a batch, while nobody reads.
    pub alone: Spread,
    /// Of that, milliseconds on a processor: the rest is the disk's, or others' on the machine.
    pub alone_processor: Spread,
    /// Rows a second, meanwhile.
    pub rows_per_second: f64,
    /// Milliseconds a batch, while somebody reads.
    pub with_reader: Spread,
    /// Milliseconds a question, while nobody writes.
    pub reader_alone: Spread,
    /// Milliseconds a question, while somebody writes.
    pub reader_with: Spread,
}

/// Writes to `database`, which goes on where `shape` ends. `rows` in all, as the database has them.
///
/// # Errors
/// If it cannot be written or read.
pub fn measure(database: &Path, shape: Shape, question: &Question) -> Result<Writing> {
    let rows = ROWS.min(shape.rows / 100).max(1);
    let after = Shape {
        rows: 2 * rows * u64::from(BATCHES),
        since: shape.until(),
        batches: 2 * BATCHES,
        interval: 10,
        ..shape
    };
    let mut generator = Generator::new(after);
    let options = options(&generator, "writing");
    let mut batches = even(&mut generator, usize::try_from(rows)?).into_iter();
    let (mut writer, _) = Writer::open(database, &options)?;
    let half = usize::try_from(BATCHES)?;

    let mut ask = question.asker(database)?;
    ask()?;
    let mut time = || -> Result<f64> {
        let start = Instant::now();
        ask()?;
        Ok(milliseconds(start.elapsed()))
    };
    let reader_alone = (0..10).map(|_| time()).collect::<Result<Vec<_>>>()?;

    let mut write = |batch: &Batch| -> Result<(f64, f64)> {
        let (start, worked) = (Instant::now(), processor());
        writer.write(batch)?;
        let worked = processor().saturating_sub(worked);
        Ok((milliseconds(start.elapsed()), milliseconds(worked)))
    };
    let alone = batches.by_ref().take(half).map(|batch| write(&batch));
    let (alone, worked): (Vec<f64>, Vec<f64>) = alone.collect::<Result<_>>()?;

    let over = AtomicBool::new(false);
    let (with_reader, reader_with) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| -> Result<Vec<f64>> {
            let mut ask = question.asker(database)?;
            let mut times = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let start = Instant::now();
                ask()?;
                times.push(milliseconds(start.elapsed()));
            }
            Ok(times)
        });
        let times: Result<Vec<f64>> = batches
            .map(|batch| {
                std::thread::sleep(PAUSE);
                Ok(write(&batch)?.0)
            })
            .collect();
        over.store(true, Ordering::Relaxed);
        let read = reader.join().map_err(|_| anyhow!("the reading thread panicked"))??;
        anyhow::Ok((times?, read))
    })?;
    let alone = spread(&alone);
    let written = (rows * alone.count as u64) as f64;
    Ok(Writing {
        rows,
        rows_per_second: written / (alone.sum / 1e3),
        alone,
        alone_processor: spread(&worked),
        with_reader: spread(&with_reader),
        reader_alone: spread(&reader_alone),
        reader_with: spread(&reader_with),
    })
}

/// Everything that a generator makes, in batches of `rows`.
pub(crate) fn even(generator: &mut Generator, rows: usize) -> Vec<Batch> {
    let rows = rows.max(1);
    let mut batches = vec![Batch::default()];
    for batch in generator {
        if let Some(first) = batches.first_mut() {
            first.described.extend(batch.described);
            first.containers.extend(batch.containers);
        }
        for row in batch.rows {
            match batches.last_mut() {
                Some(last) if last.rows.len() < rows => last.rows.push(row),
                _ => batches.push(Batch { rows: vec![row], ..Batch::default() }),
            }
        }
    }
    batches
}
