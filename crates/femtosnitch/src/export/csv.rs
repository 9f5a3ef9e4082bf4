//! Comma-separated values (RFC 4180, but lines end as they do on Unix).

use std::io::Write;

use femtosnitch_model::escape_harmful;
use femtosnitch_store::ExportRow;

use super::columns::{Columns, Value, rfc3339};

/// How cells are written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Csv {
    /// What could harm a terminal, line ends included, is written as `\xNN`, as `query` does: every
    /// row is one line. Else texts are as recorded.
    pub harmless: bool,
    /// An apostrophe before texts that spreadsheets would take for formulas.
    pub no_formulas: bool,
}

impl Csv {
    /// The line with the names of the columns.
    pub fn head(self, columns: &Columns, out: &mut Vec<u8>) {
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        out.extend_from_slice(names.join(",").as_bytes());
        out.push(b'\n');
    }

    /// One row; nothing where nothing is known.
    pub fn row(self, columns: &Columns, row: &ExportRow, out: &mut Vec<u8>) {
        let mut first = true;
        for column in columns.iter() {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            match column.of(row) {
                Value::Nothing => {}
                Value::Time(second) => out.extend_from_slice(rfc3339(second).as_bytes()),
                // Writing to memory cannot fail.
                Value::Number(number) => drop(write!(out, "{number}")),
                Value::Text(text) => self.text(&text, out),
            }
        }
        out.push(b'\n');
    }

    fn text(self, text: &str, out: &mut Vec<u8>) {
        let escaped;
        let mut text = text;
        if self.harmless {
            escaped = escape_harmful(text);
            text = &escaped;
        }
        let formula = self.no_formulas && text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        let edge = text.starts_with(' ') || text.ends_with(' ');
        let quoted = edge || text.contains([',', '"', '\n', '\r']);
        if quoted {
            out.push(b'"');
        }
        if formula {
            out.push(b'\'');
        }
        if quoted {
            out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::tests::example;
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn written(csv: Csv, names: &[&str], row: &ExportRow) -> String {
        let columns = Columns::named(names.iter().copied()).unwrap();
        let mut out = Vec::new();
        csv.head(&columns, &mut out);
        csv.row(&columns, row, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// The cells of a text, read as RFC 4180 says.
    fn cells(text: &str) -> Vec<Vec<String>> {
        let (mut lines, mut line, mut cell) = (Vec::new(), Vec::new(), String::new());
        let mut chars = text.chars().peekable();
        let mut quoted = false;
        while let Some(ch) = chars.next() {
            match ch {
                '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
                '"' => quoted = !quoted,
                ',' if !quoted => line.push(std::mem::take(&mut cell)),
                '\n' if !quoted => {
                    line.push(std::mem::take(&mut cell));
                    lines.push(std::mem::take(&mut line));
                }
                other => cell.push(other),
            }
        }
        assert!(line.is_empty() && cell.is_empty() && !quoted, "{text:?}");
        lines
    }

    #[test]
    fn texts_are_as_recorded() {
        let names = ["time", "exe", "name", "cmdline", "wire_send", "wire_recv", "asn"];
        let text = written(Csv::default(), &names, &example());
        assert_eq!(
            text,
            "time,exe,name,cmdline,wire_send,wire_recv,asn\n2026-01-31T18:00:00Z,\
             \"/bin/a,\"\"b\"\"\",=1+1,\"a\r\nb\u{1b}[2J\u{202e}\",,0,64496\n"
        );
    }

    #[test]
    fn a_terminal_and_a_spreadsheet_can_be_kept_from_harm() {
        let harmless = Csv { harmless: true, ..Csv::default() };
        let text = written(harmless, &["cmdline"], &example());
        assert_eq!(text, "cmdline\na\\x0d\\x0ab\\x1b[2J\\xe2\\x80\\xae\n");
        let careful = Csv { no_formulas: true, ..Csv::default() };
        assert_eq!(written(careful, &["name"], &example()), "name\n'=1+1\n");
        let mut row = example();
        for (unit, cell) in [("-1,5", "\"'-1,5\""), ("@x", "'@x"), ("a=b", "a=b"), ("", "")] {
            row.unit = unit.into();
            assert_eq!(
                written(careful, &["unit", "send"], &row).lines().nth(1).unwrap(),
                format!("{cell},{}", i64::MAX)
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(texts in proptest::array::uniform3(".{0,12}|[\"',\r\n =]{0,6}")) {
            let [one, other, third] = texts;
            let row = ExportRow {
                unit: one.as_str().into(),
                app: other.as_str().into(),
                script: third.as_str().into(),
                ..ExportRow::default()
            };
            let names = ["unit", "app", "script"];
            let read = cells(&written(Csv::default(), &names, &row));
            prop_assert_eq!(read, [names.map(str::to_owned), [one, other, third]]);
            let harmless = written(Csv { harmless: true, ..Csv::default() }, &names, &row);
            prop_assert_eq!(harmless.lines().count(), 2);
            prop_assert!(Arc::strong_count(&row.unit) == 1);
        }
    }
}
