//! packaging/config.toml against the code: they must say the same.

use super::node::{Entry, Value};
use super::{Config, Format, resolve, toml_tree};

const DEFAULT_FILE: &str = include_str!("../../../../packaging/config.toml");

/// The file with every key active: `#key = value` loses its `#`, prose (`# …`) does not.
fn uncommented() -> String {
    let active = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|ch: char| ch.is_ascii_lowercase()) => format!("{key}\n"),
        _ => format!("{line}\n"),
    };
    DEFAULT_FILE.lines().map(active).collect()
}

fn sections(text: &str) -> Vec<Entry> {
    match toml_tree::parse(text) {
        (Some(node), problems) if problems.is_empty() => match node.value {
            Value::Section(entries) => entries,
            other => panic!("{other:?}"),
        },
        (_, problems) => panic!("{problems:?}"),
    }
}

fn keys_in(text: &str) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    for section in sections(text) {
        let Value::Section(entries) = section.node.value else { panic!("{}", section.key) };
        keys.extend(entries.into_iter().map(|entry| (section.key.clone(), entry.key)));
    }
    keys.sort();
    keys
}

/// The fields of [`Config`] as its pretty `Debug` form lists them.
fn fields() -> Vec<(String, String)> {
    let mut section = "";
    let mut fields = Vec::new();
    let shown = format!("{:#?}", Config::default());
    for line in shown.lines() {
        let Some((name, _)) = line.trim_start().split_once(": ") else { continue };
        match line.len() - line.trim_start().len() {
            4 => section = name,
            8 => fields.push((section.to_owned(), name.to_owned())),
            _ => {}
        }
    }
    fields.sort();
    fields
}

#[test]
fn as_shipped_it_means_the_defaults() {
    assert_eq!(Config::parse(DEFAULT_FILE, Format::Toml), Ok(Config::default()));
    assert!(keys_in(DEFAULT_FILE).is_empty(), "every key is commented out");
}

#[test]
fn uncommented_it_means_the_defaults_too() {
    assert_eq!(Config::parse(&uncommented(), Format::Toml), Ok(Config::default()));
}

#[test]
fn it_documents_exactly_the_keys_there_are() {
    let mut known: Vec<_> = resolve::known_keys()
        .into_iter()
        .map(|(section, key)| (section.to_owned(), key.to_owned()))
        .collect();
    known.sort();
    assert_eq!(keys_in(&uncommented()), known);
    assert_eq!(fields(), known, "each field has its name as its key");
    assert!(known.len() > 15, "the lists above are not empty by accident");
}

/// Every "From X to Y" is tried at both ends and just beyond.
#[test]
fn its_bounds_are_the_real_ones() {
    let mut section = "";
    let mut bounds = None;
    let mut tried = 0;
    for line in DEFAULT_FILE.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some((_, range)) = line.split_once("From ") {
            bounds = range.strip_suffix('.').and_then(|range| range.split_once(" to "));
            assert!(bounds.is_some(), "{line}");
        } else if let Some((low, high)) = bounds.take() {
            let key = line.strip_prefix('#').and_then(|rest| rest.split_once(" ="));
            let (key, _) = key.expect("the key follows its bounds");
            for (value, fine) in [
                (low.to_owned(), true),
                (high.to_owned(), true),
                (beyond(low, -1), false),
                (beyond(high, 1), false),
            ] {
                let text = format!("[{section}]\n{key} = {value}\n");
                let parsed = Config::parse(&text, Format::Toml);
                assert_eq!(parsed.is_ok(), fine, "{text}: {parsed:?}");
            }
            tried += 1;
        }
    }
    assert_eq!(tried, 12, "keys with bounds in the file");
}

/// A number, alone or in a quoted amount, moved by one.
fn beyond(bound: &str, step: i64) -> String {
    let digits: String = bound.chars().filter(char::is_ascii_digit).collect();
    let moved = digits.parse::<i64>().unwrap() + step;
    bound.replace(&digits, &moved.to_string())
}
