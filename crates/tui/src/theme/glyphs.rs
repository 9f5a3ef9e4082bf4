//! What lines, bars and marks are drawn with.

use ratatui::symbols::border;

/// The lines that join a tree's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branches {
    /// Before an entry that others of the same level follow.
    pub fork: &'static str,
    /// Before the last entry of its level.
    pub corner: &'static str,
    /// Where a line of a level further out passes by.
    pub trunk: &'static str,
    /// Where none does.
    pub gap: &'static str,
}

/// A set of glyphs. Each is one cell wide but those of [`Branches`].
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Whether there is nothing but ASCII.
    pub ascii: bool,
    /// Lines around panes.
    pub border: border::Set<'static>,
    /// A line across.
    pub rule: &'static str,
    /// A line down.
    pub bar: &'static str,
    /// Bars that grow upwards, from an eighth to whole.
    pub up: [&'static str; 8],
    /// Bars that grow to the right, from an eighth to whole.
    pub right: [&'static str; 8],
    /// Trees.
    pub branches: Branches,
    /// Sorted with the smallest first.
    pub ascending: &'static str,
    /// Sorted with the largest first.
    pub descending: &'static str,
    /// Here text was left out.
    pub ellipsis: &'static str,
    /// Nothing was measured.
    pub absent: &'static str,
    /// Between things of one line.
    pub dot: &'static str,
    /// A row that is held where it is.
    pub pin: &'static str,
    /// Sent, upwards.
    pub sent: &'static str,
    /// Received, downwards.
    pub received: &'static str,
    /// Leads to something.
    pub arrow: &'static str,
    /// A colour's sample.
    pub block: &'static str,
}

impl Glyphs {
    /// For terminals that show UTF-8.
    pub const UNICODE: Self = Self {
        ascii: false,
        border: border::ROUNDED,
        rule: "─",
        bar: "│",
        up: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        right: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
        branches: Branches::LINES,
        ascending: "▲",
        descending: "▼",
        ellipsis: "…",
        absent: "–",
        dot: "·",
        pin: "◆",
        sent: "↑",
        received: "↓",
        arrow: "→",
        block: "█",
    };

    /// For those that show ASCII alone.
    pub const ASCII: Self = Self {
        ascii: true,
        border: border::Set {
            top_left: "+",
            top_right: "+",
            bottom_left: "+",
            bottom_right: "+",
            vertical_left: "|",
            vertical_right: "|",
            horizontal_top: "-",
            horizontal_bottom: "-",
        },
        rule: "-",
        bar: "|",
        up: ["_", "_", ".", ".", ":", ":", "|", "#"],
        right: [" ", "-", "-", "-", "=", "=", "=", "#"],
        branches: Branches::ASCII,
        ascending: "^",
        descending: "v",
        ellipsis: "~",
        absent: "-",
        dot: "-",
        pin: "*",
        sent: "^",
        received: "v",
        arrow: ">",
        block: "#",
    };

    /// A cell of braille dots, one bit for each as Unicode numbers them (U+2800); in ASCII, a mark
    /// by how many there are.
    #[must_use]
    pub fn braille(&self, dots: u8) -> char {
        if self.ascii {
            return match dots.count_ones() {
                0 => ' ',
                1..=2 => '.',
                3..=5 => ':',
                _ => '#',
            };
        }
        char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ')
    }
}

impl Branches {
    /// Lines of their own characters.
    pub const LINES: Self = Self { fork: "├─ ", corner: "└─ ", trunk: "│  ", gap: "   " };
    /// For terminals that can show ASCII alone.
    pub const ASCII: Self = Self { fork: "|- ", corner: "`- ", trunk: "|  ", gap: "   " };

    /// For this locale: lines if its character set is UTF-8.
    #[must_use]
    pub fn for_locale() -> Self {
        if locale_is_utf8() { Self::LINES } else { Self::ASCII }
    }

    /// What stands before an entry: for each level from the outermost, whether more entries follow
    /// on it. Nothing stands before the outermost ones.
    #[must_use]
    pub fn before(&self, levels: &[bool]) -> String {
        let mut text = String::new();
        let Some((own, outer)) = levels.get(1..).and_then(<[bool]>::split_last) else {
            return text;
        };
        for more in outer {
            text.push_str(if *more { self.trunk } else { self.gap });
        }
        text.push_str(if *own { self.fork } else { self.corner });
        text
    }
}

/// Whether the locale's character set is UTF-8.
#[must_use]
pub fn locale_is_utf8() -> bool {
    is_utf8(|name| std::env::var(name).ok())
}

/// The first that is set counts (locale(7)).
pub(super) fn is_utf8(var: impl Fn(&str) -> Option<String>) -> bool {
    let settings = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(var);
    let locale = settings.into_iter().find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn glyphs_are_one_cell_wide_and_ascii_is_ascii() {
        for set in [&Glyphs::UNICODE, &Glyphs::ASCII] {
            let marks = [
                set.rule,
                set.bar,
                set.ascending,
                set.descending,
                set.ellipsis,
                set.absent,
                set.dot,
                set.pin,
                set.sent,
                set.received,
                set.arrow,
                set.block,
            ];
            for mark in marks.iter().chain(&set.up).chain(&set.right) {
                assert_eq!(mark.width(), 1, "{mark}");
                assert!(!set.ascii || mark.is_ascii(), "{mark}");
            }
        }
        assert_eq!(Glyphs::UNICODE.braille(0xff), '⣿');
        assert!((0..=u8::MAX).all(|dots| Glyphs::ASCII.braille(dots).is_ascii()));
    }

    #[test]
    fn lines_need_a_locale_that_has_them() {
        let decide = |all: [&str; 3]| {
            is_utf8(|name| {
                let at = ["LC_ALL", "LC_CTYPE", "LANG"].iter().position(|it| *it == name)?;
                Some(all[at].to_owned()).filter(|it| it != "unset")
            })
        };
        assert!(decide(["unset", "unset", "de_DE.UTF-8"]));
        assert!(decide(["", "C.utf8", "C"]));
        assert!(!decide(["C", "unset", "de_DE.UTF-8"]));
        assert!(!decide(["unset", "unset", "unset"]));
    }

    #[test]
    fn levels_that_go_on_are_drawn_through() {
        let branches = Glyphs::ASCII.branches;
        assert_eq!(branches.before(&[]), "");
        assert_eq!(branches.before(&[true]), "");
        assert_eq!(branches.before(&[true, true]), "|- ");
        assert_eq!(branches.before(&[false, true, false, false]), "|     `- ");
    }
}
