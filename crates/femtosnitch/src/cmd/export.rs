//! `femtosnitch export`: recorded rows for other programs.

mod output;
pub(super) mod writer;

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use anyhow::{Context, bail};
use femtosnitch_store::{Query, Reader};
use femtosnitch_sys::signal::Signals;

use super::query::{SystemUsers, explained, now};
use crate::cli::{ExportArgs, ExportFormat, Usage};
use crate::config::Paths;
use crate::export::{Columns, Csv};
use crate::text::{Progress, bytes, count};
use output::Output;
use writer::RowWriter;

/// Writes the rows asked for.
///
/// # Errors
/// If there is no history or it cannot be read, if the question makes no sense ([`Usage`]), or if
/// the rows cannot be written; then there is no file.
pub fn run(paths: &Paths, args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let query = ask(args, now())?;
    let columns = columns(args)?;
    let format = args.chosen_format();
    check(args, format)?;
    let reader = Reader::open(&paths.database())?;
    let Some(path) = &args.output else {
        let terminal = io::stdout().is_terminal();
        let csv = Csv { harmless: terminal, no_formulas: args.spreadsheet_safe };
        let writer = RowWriter::new(format, csv, columns, io::stdout())?;
        // Beside the rows themselves a bar would be in the way.
        let progress = if terminal { Progress::silent() } else { Progress::new() };
        let written = write(&reader, &query, writer, progress, || Ok(()));
        let (_, mut out) =
            written.map_err(|error| told(error, "cannot write to standard output"))?;
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    };
    // So that nothing is left behind.
    let signals = Signals::block().context("cannot wait for signals")?;
    let go_on = || match signals.next() {
        Ok(None) => Ok(()),
        Ok(Some(_)) => bail!("interrupted; nothing was written to {}", path.display()),
        Err(error) => Err(error).context("cannot wait for signals"),
    };
    let output = Output::create(path, args.force)?;
    let advise = || {
        format!(
            "cannot write {}, and nothing is left of it; free some space, or export less (--since, \
             --where, --columns), or as Parquet",
            path.display()
        )
    };
    let csv = Csv { harmless: false, no_formulas: args.spreadsheet_safe };
    let written = RowWriter::new(format, csv, columns, output)
        .map_err(Into::into)
        .and_then(|writer| write(&reader, &query, writer, Progress::new(), go_on));
    let (rows, output) = written.map_err(|error| told(error, &advise()))?;
    let size = output.finish()?;
    writeln!(io::stdout(), "{} rows, {}, in {}", count(rows), bytes(size), path.display())?;
    Ok(ExitCode::SUCCESS)
}

/// Says of an error of the output what could not be done.
fn told(error: anyhow::Error, what: &str) -> anyhow::Error {
    if error.is::<io::Error>() { error.context(what.to_owned()) } else { error }
}

/// Hands every row to the writer; `go_on` is asked now and then.
fn write<W: Write + Send>(
    reader: &Reader,
    query: &Query,
    mut writer: RowWriter<W>,
    mut progress: Progress,
    go_on: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<(u64, W)> {
    let mut rows = 0;
    let mut result = Ok(());
    let exported = reader.rows(query, &SystemUsers, &mut |slice| {
        result = go_on().and_then(|()| Ok(writer.rows(slice.rows)?));
        rows += u64::try_from(slice.rows.len()).unwrap_or_default();
        progress.tell(slice.done, rows, "rows");
        if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    drop(progress);
    exported.map_err(explained)?;
    result?;
    Ok((rows, writer.finish()?))
}

fn columns(args: &ExportArgs) -> anyhow::Result<Columns> {
    let columns = if args.columns.is_empty() {
        Columns::all()
    } else {
        let named = Columns::named(args.columns.iter().map(String::as_str));
        named.map_err(|error| Usage(error.to_string()))?
    };
    Ok(if args.reverse_names { columns.with_reversed_names() } else { columns })
}

fn check(args: &ExportArgs, format: ExportFormat) -> Result<(), Usage> {
    let wrong = |message: &str| Err(Usage(message.to_owned()));
    if format == ExportFormat::Parquet {
        if cfg!(not(feature = "parquet")) {
            return wrong(
                "this femtosnitch was built without Parquet; build it with `cargo build --release \
                 --features parquet`, or export CSV or NDJSON",
            );
        }
        if args.output.is_none() && io::stdout().is_terminal() {
            return wrong("Parquet is nothing for a terminal; name a file with --output");
        }
    }
    if args.spreadsheet_safe && format != ExportFormat::Csv {
        return wrong("--spreadsheet-safe is about CSV alone; leave it out");
    }
    Ok(())
}

fn ask(args: &ExportArgs, now: i64) -> Result<Query, Usage> {
    let (since, until) = (args.since.seconds(now), args.until.seconds(now));
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(Usage("--since is not before --until, so nothing lies between".to_owned()));
    }
    Ok(Query { since, until, filters: args.filters.clone(), ..Query::default() })
}
