//! TOML into the common tree.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::node::{Entry, Lines, Node, Value};
use super::problem::Problem;

/// The whole document as a section unless its syntax is wrong, and every syntax error in it.
pub(super) fn parse(text: &str) -> (Option<Node>, Vec<Problem>) {
    let lines = Lines::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return (Some(Node { line: 1, value: section(table.get_ref(), &lines) }), Vec::new());
    }
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| {
            // An error at the very end may have no span.
            let line = lines.at(error.span().map_or(text.len(), |span| span.start));
            let key = key_in(text, line);
            let mut message = format!("not valid TOML: {}", error.message());
            if !key.is_empty() {
                message.push_str("; write each key once, as `key = value`, texts in quotes");
            }
            Problem { line: Some(line), key, message }
        })
        .collect();
    problems.sort_by_key(|problem| problem.line);
    // What follows the first error in a line is mostly a consequence of it.
    problems.dedup_by_key(|problem| problem.line);
    (None, problems)
}

/// What stands before the `=` in a line, if it looks like a key; the section is not known when
/// the syntax is wrong.
fn key_in(text: &str, line: usize) -> String {
    let line = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let key = line.split_once('=').map_or("", |(key, _)| key.trim());
    let bare = |ch: char| ch.is_ascii_alphanumeric() || "-_.".contains(ch);
    if key.chars().all(bare) { key.to_owned() } else { String::new() }
}

fn node(value: &Spanned<DeValue<'_>>, lines: &Lines) -> Node {
    let line = lines.at(value.span().start);
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(number) => {
            let parsed = i128::from_str_radix(number.as_str(), number.radix());
            // Too large for 128 bits is as wrong as too large for 64.
            Value::Integer(parsed.unwrap_or(i128::MAX))
        }
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(item, lines)).collect()),
        DeValue::Table(table) => section(table, lines),
    };
    Node { line, value }
}

fn section(table: &DeTable<'_>, lines: &Lines) -> Value {
    let entries = table.iter().map(|(key, value)| Entry {
        key: key.get_ref().clone().into_owned(),
        line: lines.at(key.span().start),
        node: node(value, lines),
    });
    Value::Section(entries.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_lines() {
        let tree = parse("[a]\nx = 0x10\ny = [\n 'p',\n 2.5,\n]\n").0.unwrap();
        let Value::Section(top) = tree.value else { panic!("not a section") };
        assert_eq!((top[0].key.as_str(), top[0].line), ("a", 1));
        let Value::Section(a) = &top[0].node.value else { panic!("not a section") };
        assert_eq!((a[0].line, &a[0].node.value), (2, &Value::Integer(16)));
        let Value::List(items) = &a[1].node.value else { panic!("not a list") };
        assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [4, 5]);
    }

    #[test]
    fn every_syntax_error_is_found() {
        let (_, problems) = parse("[a]\nx = \ny = 1\nz = = 2\n");
        let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [Some(2), Some(4)]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            drop(parse(&text));
        }
    }
}
