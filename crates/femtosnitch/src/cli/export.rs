//! `femtosnitch export`: what can be asked of it.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use femtosnitch_store::{Dimension, Filter};

use super::When;
use crate::export::Columns;

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Comma-separated values under a heading line
    Csv,
    /// A JSON object a line; null where nothing was measured
    Ndjson,
    /// Apache Parquet, for DuckDB, pandas, Spark …
    Parquet,
}

impl ExportFormat {
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// `femtosnitch export`
#[derive(Debug, Args)]
#[command(after_help = help())]
pub struct ExportArgs {
    /// From when on: 15m, 1h, 7d (ago), all, unix seconds, or RFC 3339 (2026-01-31T18:00:00Z)
    #[arg(long, value_name = "TIME", default_value = "all")]
    pub since: When,
    /// Until when (not included); written like --since
    #[arg(long, value_name = "TIME", default_value = "all")]
    pub until: When,
    /// Only rows for which this holds (or does not: DIM!=VALUE); may be given several times
    #[arg(long = "where", value_name = "DIM=VALUE")]
    pub filters: Vec<Filter>,
    /// How to write the rows [default: by the file's name, else csv]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<ExportFormat>,
    /// Only these columns, in this order; separate them by commas
    #[arg(long, value_name = "COLUMN[,COLUMN…]", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Write remote names as org.example.www, by which they sort
    #[arg(long)]
    pub reverse_names: bool,
    /// In CSV, put an apostrophe before texts that a spreadsheet would take for formulas
    #[arg(long)]
    pub spreadsheet_safe: bool,
    /// Write to this file; it gets its name once it is complete, and only you can read it
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file if there is one
    #[arg(long, requires = "output")]
    pub force: bool,
}

impl ExportArgs {
    /// What was asked for, or what the file's name says.
    #[must_use]
    pub fn chosen_format(&self) -> ExportFormat {
        let by_name = || self.output.as_deref().and_then(ExportFormat::of);
        self.format.or_else(by_name).unwrap_or(ExportFormat::Csv)
    }
}

fn help() -> String {
    let dimensions: Vec<&str> = Dimension::all().map(Dimension::name).collect();
    format!(
        "COLUMN is one of {}.
DIM is one of {}.

Examples:
  femtosnitch export --since 7d --output week.csv
  femtosnitch export --where domain=example.org --format ndjson | jq .exe
  femtosnitch export --columns time,exe,domain,send,recv
  femtosnitch export --output history.parquet

A row is the traffic of one process over one connection during one write interval. Texts are as
recorded; on a terminal, what could harm it is written as \\xNN.",
        Columns::names().join(", "),
        dimensions.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn format(extra: &[&str]) -> ExportFormat {
        let all = ["femtosnitch", "export"].iter().chain(extra);
        match Cli::try_parse_from(all).unwrap().command {
            Command::Export(args) => args.chosen_format(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_name_of_the_file_says_how_it_is_written() {
        assert_eq!(format(&[]), ExportFormat::Csv);
        assert_eq!(format(&["-o", "a.parquet"]), ExportFormat::Parquet);
        assert_eq!(format(&["-o", "a.JSONL"]), ExportFormat::Ndjson);
        assert_eq!(format(&["-o", "a.txt"]), ExportFormat::Csv);
        assert_eq!(format(&["-o", "a.csv", "--format", "ndjson"]), ExportFormat::Ndjson);
        assert!(Cli::try_parse_from(["femtosnitch", "export", "--force"]).is_err());
    }
}
