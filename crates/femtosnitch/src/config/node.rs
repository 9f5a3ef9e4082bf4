//! The tree that TOML and JSON are read into: values that know their line.

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Line of its first character, from 1.
    pub(super) line: usize,
    pub(super) value: Value,
}

/// What a configuration file can hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// JSON only.
    Null,
    Bool(bool),
    /// Also numbers beyond 64 bits, cut to what fits here.
    Integer(i128),
    Float,
    Text(String),
    List(Vec<Node>),
    Section(Vec<Entry>),
    /// TOML only.
    Date,
}

impl Value {
    /// For "is …, not …".
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Integer(_) => "a number",
            Self::Float => "a decimal number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Section(_) => "a section",
            Self::Date => "a date",
        }
    }
}

/// A key of a section.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Line of the key, from 1.
    pub(super) line: usize,
    pub(super) node: Node,
}

/// Turns byte offsets into lines.
pub(super) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn new(text: &str) -> Self {
        let newlines = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        Self { starts: newlines.map(|(index, _)| index + 1).collect() }
    }

    /// The line, from 1, that holds this offset.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_lines() {
        let lines = Lines::new("ab\n\ncd");
        assert_eq!([0, 2, 3, 4, 5, 99].map(|offset| lines.at(offset)), [1, 1, 2, 3, 3, 3]);
    }
}
