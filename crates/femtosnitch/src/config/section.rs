//! Typed reading of the tree. Whatever is wrong is noted and the default stands in, so that one
//! run finds every problem.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::amount::{parse_duration, parse_size, show_duration, show_size};
use super::node::{Entry, Node, Value};
use super::problem::Problem;

/// What reading a whole file yields besides the configuration.
#[derive(Default)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    /// Every key asked for, as (section, key).
    pub(super) known: Vec<(&'static str, &'static str)>,
}

impl Report {
    pub(super) fn add(&mut self, line: usize, key: String, message: String) {
        self.problems.push(Problem { line: Some(line), key, message });
    }
}

/// One section being read, key by key.
pub(super) struct Section<'a> {
    name: &'static str,
    entries: Vec<Entry>,
    report: &'a mut Report,
}

impl<'a> Section<'a> {
    pub(super) fn new(name: &'static str, entries: Vec<Entry>, report: &'a mut Report) -> Self {
        Self { name, entries, report }
    }

    /// The key's value through `read`, or the default: because the key is not there, or because
    /// `read` refused, which is then noted.
    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> T {
        let Some(entry) = self.take(key) else { return default };
        match read(&entry.node.value) {
            Ok(value) => value,
            Err(message) => {
                self.note(entry.line, key, message);
                default
            }
        }
    }

    /// A whole number within a range.
    pub(super) fn number<T>(&mut self, key: &'static str, default: T, range: RangeInclusive<T>) -> T
    where
        T: TryFrom<i128> + PartialOrd + std::fmt::Display + Copy,
    {
        self.value(key, default, |value| {
            let Value::Integer(number) = value else {
                return Err(wrong_type(value, &format!("a whole number such as {default}")));
            };
            T::try_from(*number).ok().filter(|number| range.contains(number)).ok_or_else(|| {
                let (low, high) = (range.start(), range.end());
                // Beyond 128 bits the tree holds the largest number, not the one in the file.
                let shown = Some(*number).filter(|&number| number < i128::MAX);
                let shown = shown.map_or("the number".to_owned(), |number| number.to_string());
                format!("{shown} is out of range; write a number from {low} to {high}")
            })
        })
    }

    /// A switch.
    pub(super) fn switch(&mut self, key: &'static str, default: bool) -> bool {
        self.value(key, default, |value| match value {
            Value::Bool(on) => Ok(*on),
            other => Err(wrong_type(other, "true or false, without quotes")),
        })
    }

    /// A length of time within a range.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        self.value(key, default, |value| read_duration(value, default, range))
    }

    /// A size in bytes within a range.
    pub(super) fn size(
        &mut self,
        key: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
    ) -> u32 {
        self.value(key, default, |value| read_size(value, default, range))
    }

    /// A list, each item through `read`. Every wrong item is noted, in its own line.
    pub(super) fn list<T: PartialEq>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&Value) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(entry) = self.take(key) else { return Vec::new() };
        let Value::List(items) = &entry.node.value else {
            let message = wrong_type(&entry.node.value, &format!("a list such as {example}"));
            self.note(entry.line, key, message);
            return Vec::new();
        };
        let mut read_items = Vec::with_capacity(items.len());
        for Node { line, value } in items {
            match read(value) {
                Ok(item) if !read_items.contains(&item) => read_items.push(item),
                Ok(_) => {}
                Err(message) => self.note(*line, key, message),
            }
        }
        read_items
    }

    /// Hands back the keys that nobody asked for.
    pub(super) fn finish(self) -> Unasked {
        Unasked { section: self.name, entries: self.entries }
    }

    fn take(&mut self, key: &'static str) -> Option<Entry> {
        self.report.known.push((self.name, key));
        let index = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.swap_remove(index))
    }

    fn note(&mut self, line: usize, key: &str, message: String) {
        self.report.add(line, format!("{}.{key}", self.name), message);
    }
}

/// Keys of a section that mean nothing there.
pub(super) struct Unasked {
    pub(super) section: &'static str,
    pub(super) entries: Vec<Entry>,
}

/// "is …, not …": the value has the wrong type.
pub(super) fn wrong_type(value: &Value, wanted: &str) -> String {
    if *value == Value::Null {
        return format!("is null; write {wanted}, or leave the key out for its default");
    }
    format!("is {}; write {wanted}", value.kind())
}

/// A length of time within a range.
pub(super) fn read_duration(
    value: &Value,
    example: Duration,
    range: RangeInclusive<Duration>,
) -> Result<Duration, String> {
    match value {
        Value::Text(text) => within(parse_duration(text)?, &range, show_duration),
        Value::Integer(number) => {
            Err(format!("is a number without a unit; write \"{number}s\" for seconds"))
        }
        other => {
            let example = show_duration(example);
            Err(wrong_type(other, &format!("a length of time such as \"{example}\"")))
        }
    }
}

/// A size in bytes within a range: a text with a unit, or a number of bytes.
pub(super) fn read_size(
    value: &Value,
    example: u32,
    range: RangeInclusive<u32>,
) -> Result<u32, String> {
    let range = u64::from(*range.start())..=u64::from(*range.end());
    let size = read_large_size(value, example.into(), range)?;
    u32::try_from(size).map_err(|error| error.to_string())
}

/// Likewise, of sizes on disk.
pub(super) fn read_large_size(
    value: &Value,
    example: u64,
    range: RangeInclusive<u64>,
) -> Result<u64, String> {
    let size = match value {
        Value::Text(text) => parse_size(text)?,
        // What does not fit into 64 bits is out of any range.
        Value::Integer(number) if *number >= 0 => u64::try_from(*number).unwrap_or(u64::MAX),
        other => {
            let example = show_size(example);
            return Err(wrong_type(other, &format!("a size such as \"{example}\"")));
        }
    };
    within(size, &range, show_size)
}

fn within<T: PartialOrd + Copy>(
    value: T,
    range: &RangeInclusive<T>,
    show: impl Fn(T) -> String,
) -> Result<T, String> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (low, high) = (show(*range.start()), show(*range.end()));
    Err(format!("{} is out of range; write a value from {low} to {high}", show(value)))
}
