//! Rows in the format asked for.

use std::io::{self, Write};

use femtosnitch_store::ExportRow;

use crate::cli::ExportFormat;
#[cfg(feature = "parquet")]
use crate::export::Parquet;
use crate::export::{Columns, Csv, ndjson_row};

/// Bytes gathered before they are written.
const BUFFER: usize = 128 << 10;

/// Writes rows to `W`.
pub(in crate::cmd) struct RowWriter<W: Write + Send>(Form<W>);

enum Form<W: Write + Send> {
    Text(Text<W>),
    #[cfg(feature = "parquet")]
    Parquet(Box<Parquet<W>>),
}

struct Text<W> {
    /// `None` for NDJSON.
    csv: Option<Csv>,
    columns: Columns,
    buffer: Vec<u8>,
    out: W,
}

impl<W: Write + Send> RowWriter<W> {
    pub(in crate::cmd) fn new(
        format: ExportFormat,
        csv: Csv,
        columns: Columns,
        out: W,
    ) -> io::Result<Self> {
        let csv = match format {
            #[cfg(feature = "parquet")]
            ExportFormat::Parquet => {
                return Ok(Self(Form::Parquet(Box::new(Parquet::new(columns, out)?))));
            }
            #[cfg(not(feature = "parquet"))]
            ExportFormat::Parquet => return Err(io::ErrorKind::Unsupported.into()),
            ExportFormat::Csv => Some(csv),
            ExportFormat::Ndjson => None,
        };
        let mut buffer = Vec::with_capacity(BUFFER);
        if let Some(csv) = csv {
            csv.head(&columns, &mut buffer);
        }
        Ok(Self(Form::Text(Text { csv, columns, buffer, out })))
    }

    pub(in crate::cmd) fn rows(&mut self, rows: &[ExportRow]) -> io::Result<()> {
        match &mut self.0 {
            Form::Text(text) => text.rows(rows),
            #[cfg(feature = "parquet")]
            Form::Parquet(parquet) => rows.iter().try_for_each(|row| parquet.row(row)),
        }
    }

    /// Writes what is left and gives back where it went.
    pub(in crate::cmd) fn finish(self) -> io::Result<W> {
        match self.0 {
            Form::Text(mut text) => {
                text.write()?;
                Ok(text.out)
            }
            #[cfg(feature = "parquet")]
            Form::Parquet(parquet) => parquet.finish(),
        }
    }
}

impl<W: Write> Text<W> {
    fn rows(&mut self, rows: &[ExportRow]) -> io::Result<()> {
        for row in rows {
            match self.csv {
                Some(csv) => csv.row(&self.columns, row, &mut self.buffer),
                None => ndjson_row(&self.columns, row, &mut self.buffer),
            }
            if self.buffer.len() >= BUFFER {
                self.write()?;
            }
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}
