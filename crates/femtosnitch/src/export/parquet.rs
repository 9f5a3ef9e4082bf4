//! Apache Parquet: columns for programs that read some of them, in groups of rows.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;

use femtosnitch_store::{ExportExe, ExportRow};
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::columns::{Column, Columns, Kind, Value};

/// Rows of a group at most; all of them are in memory before they are written.
const GROUP: usize = 65_536;
/// Bytes of executables' texts in them at most.
const TEXTS: usize = 16 << 20;
/// Values made at a time.
const CHUNK: usize = 1_024;

/// A file being written.
pub struct Parquet<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Columns,
    group: Vec<ExportRow>,
    /// Executables in `group`, by where they lie, and the bytes of their texts.
    exes: HashSet<*const ExportExe>,
    bytes: usize,
}

impl<W: Write + Send> Parquet<W> {
    /// Begins one.
    ///
    /// # Errors
    /// As `out` has them.
    pub fn new(columns: Columns, out: W) -> io::Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("femtosnitch ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let schema = schema(&columns).map_err(plain)?;
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(plain)?;
        Ok(Self { writer, columns, group: Vec::new(), exes: HashSet::new(), bytes: 0 })
    }

    /// Takes a row.
    ///
    /// # Errors
    /// As `out` has them.
    pub fn row(&mut self, row: &ExportRow) -> io::Result<()> {
        for exe in [&row.exe, &row.parent, &row.grandparent] {
            if self.exes.insert(Arc::as_ptr(exe)) {
                self.bytes += exe.exe.len() + exe.name.len() + exe.cmdline.len();
            }
        }
        self.group.push(row.clone());
        if self.group.len() >= GROUP || self.bytes > TEXTS {
            self.write_group().map_err(plain)?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// As `out` has them.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.group.is_empty() {
            self.write_group().map_err(plain)?;
        }
        self.writer.into_inner().map_err(plain)
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for column in self.columns.iter() {
            let Some(mut writer) = group.next_column()? else { break };
            write_column(column, &self.group, &mut writer)?;
            writer.close()?;
        }
        group.close()?;
        self.group.clear();
        self.exes.clear();
        self.bytes = 0;
        Ok(())
    }
}

fn schema(columns: &Columns) -> Result<TypePtr, ParquetError> {
    let field = |column: Column| {
        let kind = column.kind();
        let (physical, logical) = match kind {
            Kind::Time => {
                let logical = LogicalType::timestamp(true, TimeUnit::MILLIS);
                (Physical::INT64, Some(logical))
            }
            Kind::Number | Kind::Optional => (Physical::INT64, None),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let repetition = match kind {
            Kind::Optional => Repetition::OPTIONAL,
            Kind::Time | Kind::Number | Kind::Text => Repetition::REQUIRED,
        };
        Type::primitive_type_builder(column.name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition)
            .build()
            .map(Arc::new)
    };
    let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Type::group_type_builder("connections").with_fields(fields).build()?))
}

fn write_column(
    column: Column,
    rows: &[ExportRow],
    writer: &mut SerializedColumnWriter<'_>,
) -> Result<(), ParquetError> {
    let (mut numbers, mut texts, mut levels) = (Vec::new(), Vec::<ByteArray>::new(), Vec::new());
    for chunk in rows.chunks(CHUNK) {
        numbers.clear();
        texts.clear();
        levels.clear();
        for row in chunk {
            let value = column.of(row);
            levels.push(i16::from(value != Value::Nothing));
            match value {
                Value::Nothing => {}
                Value::Time(second) => numbers.push(second.saturating_mul(1_000)),
                Value::Number(number) => numbers.push(number),
                Value::Text(text) => texts.push(text.into_owned().into_bytes().into()),
            }
        }
        match column.kind() {
            Kind::Text => {
                writer.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
            }
            Kind::Optional => {
                writer.typed::<Int64Type>().write_batch(&numbers, Some(&levels), None)?;
            }
            Kind::Time | Kind::Number => {
                writer.typed::<Int64Type>().write_batch(&numbers, None, None)?;
            }
        }
    }
    Ok(())
}

/// What the output said, where it was the output.
fn plain(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::other(other),
    }
}
