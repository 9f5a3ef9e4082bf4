//! The interpreters that are known: one row each, by their manuals.

mod languages;
mod machines;
mod shells;

use super::grammar::Grammar;

/// Every row; names do not overlap.
pub(super) fn all() -> impl Iterator<Item = &'static Grammar> {
    shells::ROWS.iter().chain(languages::ROWS).chain(machines::ROWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_option_and_no_name_is_there_twice() {
        let names: Vec<_> = all().flat_map(|row| row.names).collect();
        for name in &names {
            assert_eq!(names.iter().filter(|other| other == &name).count(), 1, "{name}");
        }
        for row in all() {
            let letters: String = row.letters.iter().map(|(letters, _)| *letters).collect();
            for letter in letters.chars() {
                assert_eq!(letters.matches(letter).count(), 1, "{:?} -{letter}", row.names);
            }
            for (word, _) in row.words {
                let same = row.words.iter().filter(|(other, _)| other == word).count();
                assert!(same == 1 && word.starts_with('-'), "{:?} {word}", row.names);
            }
        }
    }
}
