//! The log of connections: what goes into the history, also as text, for whoever reads files.
//!
//! It is written by the writer thread, row by row as the history gets them, and never stands in its
//! way: what cannot be logged is counted and told.

mod rotating;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use femtosnitch_model::{Location, Row};
use femtosnitch_store::{ExportRow, Locator};

use super::report::Report;
use crate::config::{Log, LogFormat};
use crate::export::{Columns, Csv, ndjson_row};
use rotating::Rotating;

/// Lines are written together, this many bytes or a little more.
const BLOCK: usize = 32 << 10;

/// Each row is one line, whatever is in it: nobody forges another, or moves a cursor with it.
const CSV: Csv = Csv { harmless: true, no_formulas: false };

/// What the log is to be from now on; taken with the next batch.
#[derive(Debug, Clone, Default)]
pub(super) struct TextLogAsks(Arc<Mutex<Option<Log>>>);

impl TextLogAsks {
    pub(super) fn send(&self, log: Log) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(log);
    }

    fn take(&self) -> Option<Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// See the module's documentation.
pub(super) struct TextLog {
    asks: TextLogAsks,
    directory: PathBuf,
    gid: Option<u32>,
    columns: Columns,
    config: Log,
    /// `None` while it is off.
    file: Option<Rotating>,
    /// The last block could not be written.
    failing: bool,
    report: Arc<Report>,
}

impl TextLog {
    /// Opens nothing yet.
    pub(super) fn new(
        directory: &Path,
        gid: Option<u32>,
        config: Log,
        report: &Arc<Report>,
    ) -> Self {
        let mut log = Self {
            asks: TextLogAsks::default(),
            directory: directory.to_owned(),
            gid,
            columns: Columns::all(),
            config: Log::default(),
            file: None,
            failing: false,
            report: Arc::clone(report),
        };
        log.change(config);
        log
    }

    /// The end that changes it.
    pub(super) fn asks(&self) -> TextLogAsks {
        self.asks.clone()
    }

    /// Logs rows as they are known now.
    pub(super) fn append(&mut self, rows: &[Row], locator: &Locator) {
        if let Some(config) = self.asks.take() {
            self.change(config);
        }
        if self.file.is_none() {
            return;
        }
        let (mut block, mut count) = (Vec::with_capacity(BLOCK), 0);
        for row in rows {
            let row = ExportRow::of(row, locate(row, locator));
            match self.config.connections {
                LogFormat::Off => {}
                LogFormat::Csv => CSV.row(&self.columns, &row, &mut block),
                LogFormat::Ndjson => ndjson_row(&self.columns, &row, &mut block),
            }
            count += 1;
            if block.len() >= BLOCK {
                self.write(&block, count);
                block.clear();
                count = 0;
            }
        }
        if count > 0 {
            self.write(&block, count);
        }
    }

    /// All of a block's rows, or none.
    fn write(&mut self, block: &[u8], rows: u64) {
        let Some(file) = &mut self.file else { return };
        match file.append(block) {
            Ok(()) => {
                self.report.logged(rows);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("connections are logged again");
                }
            }
            Err(error) => {
                self.report.log_rows_lost(rows);
                if !std::mem::replace(&mut self.failing, true) {
                    self.report.warn(&format!(
                        "connections cannot be logged to {}: {error}; it is tried again with each \
                         batch, and the history goes on",
                        file.path().display()
                    ));
                }
            }
        }
    }

    fn change(&mut self, config: Log) {
        if config == self.config {
            return;
        }
        let (extension, head) = match config.connections {
            LogFormat::Off => ("", Vec::new()),
            LogFormat::Csv => {
                let mut head = Vec::new();
                CSV.head(&self.columns, &mut head);
                ("csv", head)
            }
            LogFormat::Ndjson => ("ndjson", Vec::new()),
        };
        self.failing = false;
        self.file = (config.connections != LogFormat::Off).then(|| {
            let path = self.directory.join(format!("connections.{extension}"));
            Rotating::new(path, head, config.max_size.into(), config.keep, self.gid)
        });
        self.config = config;
    }
}

fn locate(row: &Row, locator: &Locator) -> Location {
    let mut locator = locator.lock().unwrap_or_else(PoisonError::into_inner);
    row.raddr.map_or_else(Location::default, |addr| locator.locate(addr.to_canonical()))
}

#[cfg(test)]
mod tests;
