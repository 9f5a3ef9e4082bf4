//! Keys that mean nothing where they stand, and what was probably meant.

use super::node::{Entry, Value};
use super::section::{Report, Unasked};

/// Notes every key and section that nobody asked for.
pub(super) fn unknown(top: Vec<Entry>, unasked: Vec<Unasked>, report: &mut Report) {
    let known = report.known.clone();
    let sections: Vec<&str> = unasked.iter().map(|section| section.section).collect();
    for Unasked { section, entries } in unasked {
        for entry in entries {
            let key = format!("{section}.{}", entry.key);
            let message = format!("unknown key; {}", hint(section, &entry.key, &known));
            report.add(entry.line, key, message);
        }
    }
    for entry in top {
        let message = if let Value::Section(_) = entry.node.value {
            format!("unknown section; {}", section_hint(&entry.key, &sections))
        } else {
            format!("unknown key outside any section; {}", hint("", &entry.key, &known))
        };
        report.add(entry.line, entry.key, message);
    }
}

fn hint(section: &str, key: &str, known: &[(&'static str, &'static str)]) -> String {
    if let Some((home, _)) = known.iter().find(|(_, name)| *name == key) {
        return format!("it belongs in [{home}]");
    }
    let here = known.iter().filter(|(home, _)| *home == section).map(|(_, name)| *name);
    if let Some(near) = nearest(key, here.clone()) {
        return format!("did you mean {near:?}?");
    }
    if let Some(near) = nearest(key, known.iter().map(|(_, name)| *name)) {
        let home = known.iter().find(|(_, name)| *name == near).map_or("", |(home, _)| home);
        return format!("did you mean {near:?} in [{home}]?");
    }
    let here: Vec<&str> = here.collect();
    if here.is_empty() {
        return "remove it".to_owned();
    }
    format!("remove it, or use one of {}", here.join(", "))
}

fn section_hint(name: &str, sections: &[&str]) -> String {
    match nearest(name, sections.iter().copied()) {
        Some(near) => format!("did you mean [{near}]?"),
        None => format!("remove it, or use one of {}", sections.join(", ")),
    }
}

/// The candidate that takes the fewest edits, if these are few for a word of this length.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    // Not worth comparing, and not worth the time that a hostile megabyte would take.
    if word.len() > 64 {
        return None;
    }
    candidates
        .map(|candidate| (edits(&word, candidate), candidate))
        .filter(|(edits, candidate)| *edits <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions and replacements that turn one word into the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, a) in from.chars().enumerate() {
        // `diagonal` is the cell up left, `left` the one just computed.
        let mut diagonal = index;
        let mut left = index + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (above, b) in row.iter_mut().skip(1).zip(&to) {
            let cost = diagonal + usize::from(a != *b);
            diagonal = *above;
            left = cost.min(left + 1).min(*above + 1);
            *above = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (from, to, count) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ports", "port", 1)]
        {
            assert_eq!(edits(from, to), count, "{from} {to}");
        }
    }

    #[test]
    fn only_near_words_are_suggested() {
        let words = ["ports", "domains", "max_flows"];
        assert_eq!(nearest("port", words.into_iter()), Some("ports"));
        assert_eq!(nearest("MAX-FLOW", words.into_iter()), Some("max_flows"));
        assert_eq!(nearest("colour", words.into_iter()), None);
        assert_eq!(nearest(&"p".repeat(1_000_000), words.into_iter()), None);
    }
}
