//! Rows as `femtosnitch export` writes them, for downloads.

use std::io::{self, Write};

use femtosnitch_store::ExportRow;
use femtosnitch_web::{ExportFormat, RowSink};

use crate::cmd::export::writer::RowWriter;
use crate::export::{Columns, Csv};

struct Sink(RowWriter<Box<dyn Write + Send>>);

impl RowSink for Sink {
    fn rows(&mut self, rows: &[ExportRow]) -> io::Result<()> {
        self.0.rows(rows)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.finish()?.flush()
    }
}

/// A writer of all columns. Downloads are opened by spreadsheets: texts are no formulas there.
pub(super) fn sink(
    format: ExportFormat,
    out: Box<dyn Write + Send>,
) -> io::Result<Box<dyn RowSink>> {
    let format = match format {
        ExportFormat::Csv => crate::cli::ExportFormat::Csv,
        ExportFormat::Ndjson => crate::cli::ExportFormat::Ndjson,
        ExportFormat::Parquet => crate::cli::ExportFormat::Parquet,
    };
    let csv = Csv { harmless: false, no_formulas: true };
    Ok(Box::new(Sink(RowWriter::new(format, csv, Columns::all(), out)?)))
}
