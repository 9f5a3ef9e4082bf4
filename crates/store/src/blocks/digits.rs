//! Numbers as characters: columns that SQLite itself can take apart, with `unicode(substr(…))`.
//!
//! A column of a block is a text with one character a row. A number has three digits (bytes have
//! four), the lowest of base 127 and the others of base 55,295, each in a column of its own, and a digit is stored as the
//! character whose code is one more: one byte below 127, two below 2,047, three else, never a
//! surrogate, never NUL. A column of zeros is the empty text.

use std::fmt;

/// Values of the lowest digit: one byte each.
pub(super) const LOW: u64 = 127;
/// Values of the others, and of numbers with one digit: the codes below the surrogates.
pub(super) const HIGH: u64 = 0xD7FF;
/// The largest number that fits in three digits.
pub(super) const MOST: u64 = LOW * HIGH * HIGH - 1;
/// Likewise in four: 21 PB.
pub(super) const MOST_BYTES: u64 = LOW * HIGH * HIGH * HIGH - 1;

/// A text that is no column of that many rows: the database is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadColumn;

impl fmt::Display for BadColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column of a block of rows has other characters than rows")
    }
}

impl std::error::Error for BadColumn {}

/// One digit of each of several numbers.
#[derive(Debug, Default, Clone)]
pub(super) struct Digits {
    text: String,
    any: bool,
}

impl Digits {
    /// `digit` has to be below [`HIGH`].
    pub(super) fn push(&mut self, digit: u64) {
        self.any |= digit > 0;
        let code = u32::try_from(digit + 1).ok().and_then(char::from_u32);
        self.text.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
    }

    /// What to store.
    pub(super) fn text(&self) -> &str {
        if self.any { &self.text } else { "" }
    }
}

/// Some digits of each of several numbers.
#[derive(Debug, Clone)]
pub(super) struct Numbers<const N: usize>(pub(super) [Digits; N]);

impl<const N: usize> Default for Numbers<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Digits::default()))
    }
}

impl<const N: usize> Numbers<N> {
    /// `number` has to fit.
    pub(super) fn push(&mut self, number: u64) {
        let (mut rest, mut base) = (number, LOW);
        for digit in &mut self.0 {
            digit.push(rest % base);
            (rest, base) = (rest / base, HIGH);
        }
    }
}

/// Adds `times` each digit of `text` to the numbers in `into`.
pub(super) fn add(text: &[u8], times: u64, into: &mut [u64]) -> Result<(), BadColumn> {
    if text.is_empty() {
        return Ok(());
    }
    if text.len() == into.len() {
        // All of one byte.
        let mut all = 0;
        for (number, byte) in into.iter_mut().zip(text) {
            all |= byte;
            *number = number.wrapping_add(u64::from(byte.wrapping_sub(1)).wrapping_mul(times));
        }
        return if all < 0x80 { Ok(()) } else { Err(BadColumn) };
    }
    let mut rest = text;
    for number in into.iter_mut() {
        let (code, after) = match rest {
            [one, after @ ..] if *one < 0x80 => (u32::from(*one), after),
            [one, two, after @ ..] if *one < 0xE0 => {
                ((u32::from(*one) & 0x1F) << 6 | (u32::from(*two) & 0x3F), after)
            }
            [one, two, three, after @ ..] => (
                (u32::from(*one) & 0x0F) << 12
                    | (u32::from(*two) & 0x3F) << 6
                    | (u32::from(*three) & 0x3F),
                after,
            ),
            _ => return Err(BadColumn),
        };
        rest = after;
        *number = number.wrapping_add(u64::from(code.wrapping_sub(1)).wrapping_mul(times));
    }
    if rest.is_empty() { Ok(()) } else { Err(BadColumn) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn back(numbers: &Numbers<4>, count: usize) -> Vec<u64> {
        let mut found = vec![0; count];
        let times = [1, LOW, LOW * HIGH, LOW * HIGH * HIGH];
        for (digits, times) in numbers.0.iter().zip(times) {
            add(digits.text().as_bytes(), times, &mut found).unwrap();
        }
        found
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            values in prop::collection::vec(prop_oneof![0..300_u64, 0..70_000_u64, 0..=MOST, 0..=MOST_BYTES], 0..40),
        ) {
            let mut numbers = Numbers::<4>::default();
            values.iter().for_each(|value| numbers.push(*value));
            prop_assert_eq!(back(&numbers, values.len()), values);
        }

        #[test]
        fn damage_is_told_or_harmless(text in prop::collection::vec(any::<u8>(), 0..30), rows in 0..12_usize) {
            let mut into = vec![0; rows];
            let _told: Result<(), BadColumn> = add(&text, 1, &mut into);
        }
    }

    #[test]
    fn zeros_are_stored_as_nothing_and_limits_hold() {
        let mut numbers = Numbers::<4>::default();
        numbers.push(0);
        assert!(numbers.0.iter().all(|digits| digits.text().is_empty()));
        numbers.push(MOST);
        assert!(numbers.0[3].text().is_empty());
        numbers.push(MOST_BYTES);
        assert_eq!(back(&numbers, 3), [0, MOST, MOST_BYTES]);
    }
}
