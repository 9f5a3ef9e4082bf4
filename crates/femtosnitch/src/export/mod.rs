//! Recorded rows as text and as Parquet: what `femtosnitch export` and the daemon's log of
//! connections write.

mod columns;
mod csv;
mod ndjson;
#[cfg(feature = "parquet")]
mod parquet;

pub use columns::{Columns, UnknownColumn};
pub use csv::Csv;
pub use ndjson::ndjson_row;
#[cfg(feature = "parquet")]
pub use parquet::Parquet;
