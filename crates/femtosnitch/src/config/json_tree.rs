//! JSON into the common tree.
//!
//! serde_json judges whether the text is JSON; the pass below it only has to find out where
//! things stand, in text already known to be valid and not deeper than serde_json allows.

use super::node::{Entry, Lines, Node, Value};
use super::problem::Problem;

/// The whole document unless its syntax is wrong, and what is wrong.
pub(super) fn parse(text: &str) -> (Option<Node>, Vec<Problem>) {
    if let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        let line = error.line().max(1);
        let message = format!("not valid JSON: {}", without_position(&error.to_string()));
        return (None, vec![Problem { line: Some(line), key: String::new(), message }]);
    }
    let mut walk =
        Walk { text, at: 0, lines: Lines::new(text), path: Vec::new(), duplicates: Vec::new() };
    let tree = walk.node();
    (Some(tree), walk.duplicates)
}

/// The line stands in front of every message already.
fn without_position(message: &str) -> &str {
    message.split_once(" at line ").map_or(message, |(what, _)| what)
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
    lines: Lines,
    /// Keys of the sections around the present place.
    path: Vec<String>,
    duplicates: Vec<Problem>,
}

impl Walk<'_> {
    fn node(&mut self) -> Node {
        let next = self.peek();
        let line = self.lines.at(self.at);
        let value = match next {
            Some(b'{') => self.section(),
            Some(b'[') => self.list(),
            Some(b'"') => Value::Text(self.string()),
            _ => self.plain(),
        };
        Node { line, value }
    }

    fn section(&mut self) -> Value {
        let mut entries: Vec<Entry> = Vec::new();
        self.at += 1;
        while self.peek() == Some(b'"') {
            let line = self.lines.at(self.at);
            let key = self.string();
            self.skip(b':');
            self.path.push(key.clone());
            let node = self.node();
            self.skip(b',');
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let message = format!("given twice (first in line {}); keep one", first.line);
                let key = self.path.join(".");
                self.duplicates.push(Problem { line: Some(line), key, message });
            } else {
                entries.push(Entry { key, line, node });
            }
            self.path.pop();
        }
        self.skip(b'}');
        Value::Section(entries)
    }

    fn list(&mut self) -> Value {
        let mut items = Vec::new();
        self.at += 1;
        while !matches!(self.peek(), Some(b']') | None) {
            items.push(self.node());
            self.skip(b',');
        }
        self.skip(b']');
        Value::List(items)
    }

    fn string(&mut self) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut escaped = false;
        let end = rest.bytes().skip(1).position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        });
        let literal = rest.get(..end.map_or(rest.len(), |end| end + 2)).unwrap_or_default();
        self.at += literal.len();
        serde_json::from_str(literal).unwrap_or_default()
    }

    fn plain(&mut self) -> Value {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
        let literal = rest.get(..end).unwrap_or_default();
        self.at += literal.len();
        match literal {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            number if number.contains(['.', 'e', 'E']) => Value::Float,
            // Too large for 128 bits is as wrong as too large for 64.
            number => Value::Integer(number.parse().unwrap_or(i128::MAX)),
        }
    }

    /// The next byte that is not white space, without taking it.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let blank = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        self.at += blank.count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes the next byte if it is this one.
    fn skip(&mut self, byte: u8) {
        if self.peek() == Some(byte) {
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What serde_json itself reads, in the shape of the tree.
    fn same(node: &Node, json: &serde_json::Value) -> bool {
        match (&node.value, json) {
            (Value::Null, serde_json::Value::Null) => true,
            (Value::Bool(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
            (Value::Integer(ours), serde_json::Value::Number(theirs)) => {
                theirs.as_i128() == Some(*ours)
            }
            (Value::Float, serde_json::Value::Number(theirs)) => theirs.is_f64(),
            (Value::Text(ours), serde_json::Value::String(theirs)) => ours == theirs,
            (Value::List(ours), serde_json::Value::Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
            }
            (Value::Section(ours), serde_json::Value::Object(theirs)) => {
                ours.len() == theirs.len()
                    && ours.iter().all(|e| theirs.get(&e.key).is_some_and(|v| same(&e.node, v)))
            }
            _ => false,
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            (-1e9..1e9).prop_map(|x: f64| (x + 0.5).into()),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_tree_is_what_serde_json_reads(value in json(), pretty: bool) {
            let text = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            let tree = parse(&text).0.unwrap();
            prop_assert!(same(&tree, &value), "{text}\n{tree:?}");
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\[\\]{}\":,\\\\ \n0-9a-z.]{0,40}") {
            drop(parse(&text));
        }
    }

    #[test]
    fn values_know_their_lines() {
        let tree = parse("{\n \"a\": {\n \"x\":\n 5}}\n").0.unwrap();
        let Value::Section(top) = tree.value else { panic!("not a section") };
        assert_eq!(top[0].line, 2);
        let Value::Section(a) = &top[0].node.value else { panic!("not a section") };
        assert_eq!((a[0].line, a[0].node.line), (3, 4));
    }

    #[test]
    fn depth_and_repetition_are_errors_not_crashes() {
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).0.is_none());
        let (_, twice) = parse("{\"a\":1,\n\"a\":2}");
        assert_eq!((twice[0].line, twice[0].key.as_str()), (Some(2), "a"));
    }
}
