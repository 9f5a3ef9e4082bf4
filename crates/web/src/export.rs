//! Rows by the caller's own writers, so that a download is what `femtosnitch export` writes.

use std::io::{self, Write};

use femtosnitch_store::ExportRow;

/// Formats of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Comma-separated values.
    Csv,
    /// A JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
}

impl ExportFormat {
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "csv" => Some(Self::Csv),
            "ndjson" => Some(Self::Ndjson),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    pub(crate) fn mime(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// Takes rows and writes them, in one thread.
pub trait RowSink {
    /// Writes some rows.
    ///
    /// # Errors
    /// If the output fails.
    fn rows(&mut self, rows: &[ExportRow]) -> io::Result<()>;

    /// Writes what is left.
    ///
    /// # Errors
    /// If the output fails.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// Makes a writer of rows; fails with [`io::ErrorKind::Unsupported`] for a format that this build
/// lacks.
pub type Export = fn(ExportFormat, Box<dyn Write + Send>) -> io::Result<Box<dyn RowSink>>;
