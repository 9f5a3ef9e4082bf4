//! Making text fit into cells.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cells that the text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// As much of the text's beginning as fits into `room` cells; what was cut is marked with `mark`
/// (one cell, or '').
#[must_use]
pub fn clip(text: &str, room: usize, mark: &str) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    if room == 0 {
        return String::new();
    }
    let mut out = head(text, room - width(mark).min(room)).to_owned();
    out.push_str(mark);
    out
}

/// Beginning and end of the text, its middle left out; of a path more of the end, which tells more.
#[must_use]
pub fn middle(text: &str, room: usize, mark: &str) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    if room < 4 {
        return clip(text, room, mark);
    }
    let before = (room - 1) / 3;
    let mut out = head(text, before).to_owned();
    let after = room - 1 - width(&out);
    out.push_str(mark);
    out.push_str(tail(text, after));
    out
}

/// The text, cut or filled up with spaces to exactly `room` cells.
#[must_use]
pub fn pad_right(text: &str, room: usize, mark: &str) -> String {
    let mut out = clip(text, room, mark);
    let missing = room.saturating_sub(width(&out));
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// The same with the text at the right.
#[must_use]
pub fn pad_left(text: &str, room: usize, mark: &str) -> String {
    let text = clip(text, room, mark);
    let mut out = " ".repeat(room.saturating_sub(width(&text)));
    out.push_str(&text);
    out
}

/// The longest beginning that fits.
fn head(text: &str, room: usize) -> &str {
    let mut taken = 0;
    for (at, ch) in text.char_indices() {
        taken += ch.width().unwrap_or(0);
        if taken > room {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// The longest end that fits.
fn tail(text: &str, room: usize) -> &str {
    let mut taken = 0;
    let mut start = text.len();
    for (at, ch) in text.char_indices().rev() {
        taken += ch.width().unwrap_or(0);
        if taken > room {
            break;
        }
        start = at;
    }
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_cut_is_marked() {
        assert_eq!(clip("abcdef", 4, "…"), "abc…");
        assert_eq!(clip("abc", 3, "…"), "abc");
        assert_eq!(clip("abc", 0, "…"), "");
        assert_eq!(clip("名名名", 4, "…"), "名…");
        assert_eq!(middle("/usr/lib/firefox/firefox", 12, "…"), "/us…/firefox");
        assert_eq!(pad_right("ab", 4, "…"), "ab  ");
        assert_eq!(pad_left("ab", 4, "…"), "  ab");
        assert_eq!(pad_left("abcde", 4, "…"), "abc…");
    }

    proptest! {
        #[test]
        fn whatever_it_is_it_fits(text in "\\PC{0,40}", room in 0_usize..60) {
            prop_assert!(width(&clip(&text, room, "…")) <= room.max(width(&text).min(room)));
            prop_assert!(width(&middle(&text, room, "~")) <= room + 1);
        }
    }
}
