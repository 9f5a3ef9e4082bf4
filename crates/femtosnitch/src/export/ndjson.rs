//! One JSON object a line.

use femtosnitch_store::ExportRow;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::columns::{Columns, Value, rfc3339};
use crate::text::json;

/// Writes one row as one line; null where a number is not known.
pub fn ndjson_row(columns: &Columns, row: &ExportRow, out: &mut Vec<u8>) {
    // Writing to memory cannot fail, and these values all have a form in JSON.
    drop(json::write(out, &Object { columns, row }));
    out.push(b'\n');
}

struct Object<'a> {
    columns: &'a Columns,
    row: &'a ExportRow,
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for column in self.columns.iter() {
            match column.of(self.row) {
                Value::Nothing => map.serialize_entry(column.name, &())?,
                Value::Time(second) => map.serialize_entry(column.name, &rfc3339(second))?,
                Value::Number(number) => map.serialize_entry(column.name, &number)?,
                Value::Text(text) => map.serialize_entry(column.name, &text)?,
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::tests::example;
    use super::*;

    #[test]
    fn a_row_is_a_line_and_the_values_stay() {
        let names = ["time", "contime", "wire_send", "asn", "cmdline", "domain"];
        let columns = Columns::named(names).unwrap();
        let mut out = Vec::new();
        ndjson_row(&columns, &example(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "{\"time\":\"2026-01-31T18:00:00Z\",\"contime\":1769882400,\"wire_send\":null,\
             \"asn\":64496,\"cmdline\":\"a\\r\\nb\\u001b[2J\\u202e\",\"domain\":\"www.example.org\"}\n"
        );
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["cmdline"], *example().exe.cmdline);
    }
}
