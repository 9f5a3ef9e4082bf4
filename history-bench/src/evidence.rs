//! What tamper evidence costs: the same batches, with it and without.

use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use femtosnitch_store::Batch;
use femtosnitch_store::Cancel;
use femtosnitch_store::Options;
use femtosnitch_store::Reader;
use femtosnitch_store::Writer;

use crate::generator::Generator;
use crate::generator::Shape;
use crate::load::clear;
use crate::load::options;
use crate::statistics::milliseconds;
use crate::statistics::processor;
use crate::statistics::spread;
use crate::writing::even;

/// Batches of [`ROWS`], after those that a daemon writes.
const BATCHES: u32 = 60;
const ROWS: usize = 5_000;

/// One of the two histories.
struct Side {
    writer: Writer,
    times: Vec<f64>,
    small: Duration,
}

impl Side {
    fn open(path: &Path, options: &Options, tamper_evidence: bool) -> Result<Self> {
        clear(path)?;
        let options = Options { tamper_evidence, ..options.clone() };
        let (writer, _) = Writer::open(path, &options)?;
        Ok(Self { writer, times: Vec::new(), small: Duration::ZERO })
    }

    fn write(&mut self, batch: &Batch) -> Result<Duration> {
        let start = processor();
        self.writer.write(batch)?;
        Ok(processor().saturating_sub(start))
    }
}

/// Writes both into `directory` and tells, as Markdown, what differs. Times are those on a processor.
///
/// # Errors
/// If something cannot be written or read.
pub fn measure(directory: &Path, shape: Shape) -> Result<String> {
    let [with, without] = ["with.db", "without.db"].map(|name| directory.join(name));
    let mut generator = Generator::new(shape);
    let options = options(&generator, "evidence");
    let mut on = Side::open(&with, &options, true)?;
    let mut off = Side::open(&without, &options, false)?;
    let mut rows = 0;
    for batch in generator.by_ref() {
        rows += batch.rows.len();
        for side in [&mut on, &mut off] {
            let taken = side.write(&batch)?;
            side.small += taken;
        }
    }
    drop((on.writer, off.writer));
    let bytes = |path: &Path| -> Result<u64> {
        Ok(std::fs::metadata(path)
            .with_context(|| format!("cannot read {}", path.display()))?
            .len())
    };
    let (bytes_on, bytes_off) = (bytes(&with)?, bytes(&without)?);
    let start = Instant::now();
    let verdict = Reader::open(&with)?.verify_chain(&[], &mut |_| {}, &Cancel::default())?;
    let verdict = verdict.context("there is no chain")?;
    anyhow::ensure!(verdict.is_fine(), "{:?}", verdict.findings);
    let verified = milliseconds(start.elapsed());

    // The same from here on, in batches that are large.
    let after = Shape {
        rows: u64::from(BATCHES) * ROWS as u64,
        since: shape.until(),
        batches: BATCHES,
        interval: 10,
        ..shape
    };
    let start = Instant::now();
    on.writer = Writer::open(&with, &Options { tamper_evidence: true, ..options.clone() })?.0;
    let opened = milliseconds(start.elapsed());
    off.writer = Writer::open(&without, &options)?.0;
    for batch in even(&mut Generator::new(after), ROWS) {
        for side in [&mut on, &mut off] {
            let taken = milliseconds(side.write(&batch)?);
            side.times.push(taken);
        }
    }
    let start = Instant::now();
    off.writer.set_tamper_evidence(true)?;
    let switched = milliseconds(start.elapsed());

    let (on_times, off_times) = (spread(&on.times), spread(&off.times));
    let [small_on, small_off] = [on.small, off.small].map(milliseconds);
    let more = |on: f64, off: f64| format!("{:+.1} %", (on / off - 1.0) * 100.0);
    let each = |bytes: u64| bytes as f64 / rows as f64;
    Ok(format!(
        "| {rows} rows | without | with | |\n|---|---:|---:|---:|\n\
         | batch of {ROWS} rows, median, ms | {:.1} | {:.1} | {} |\n\
         | all of these, seals included, ms | {:.0} | {:.0} | {} |\n\
         | batches as the daemon writes them, seals included, ms | {small_off:.0} | {small_on:.0} | {} |\n\
         | bytes a row | {:.2} | {:.2} | {:+.2} |\n\
         | opening it, ms | | {opened:.0} | |\n\
         | switching it on with all that, ms | | {switched:.0} | |\n\
         | verifying the chain ({} rows of the database), ms | | {verified:.0} | |\n",
        off_times.median,
        on_times.median,
        more(on_times.median, off_times.median),
        off_times.sum,
        on_times.sum,
        more(on_times.sum, off_times.sum),
        more(small_on, small_off),
        each(bytes_off),
        each(bytes_on),
        each(bytes_on) - each(bytes_off),
        verdict.vouched,
    ))
}
