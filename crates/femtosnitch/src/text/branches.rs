//! The lines that join a tree's entries.

/// What trees are drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branches {
    /// Before an entry that others of the same level follow.
    fork: &'static str,
    /// Before the last entry of its level.
    corner: &'static str,
    /// Where a line of a level further out passes by.
    trunk: &'static str,
    /// Where none does.
    gap: &'static str,
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
pub(super) fn locale_is_utf8() -> bool {
    is_utf8(["LC_ALL", "LC_CTYPE", "LANG"].map(|name| std::env::var(name).ok()))
}

/// The first that is set counts (locale(7)).
fn is_utf8(settings: [Option<String>; 3]) -> bool {
    let locale = settings.into_iter().flatten().find(|value| !value.is_empty());
    let locale = locale.unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_need_a_locale_that_has_them() {
        let decide = |all: [&str; 3]| is_utf8(all.map(|it| (it != "unset").then(|| it.to_owned())));
        assert!(decide(["unset", "unset", "de_DE.UTF-8"]));
        assert!(decide(["", "C.utf8", "C"]));
        assert!(!decide(["C", "unset", "de_DE.UTF-8"]));
        assert!(!decide(["unset", "unset", "unset"]));
    }

    #[test]
    fn levels_that_go_on_are_drawn_through() {
        assert_eq!(Branches::ASCII.before(&[]), "");
        assert_eq!(Branches::ASCII.before(&[true]), "");
        assert_eq!(Branches::ASCII.before(&[true, true]), "|- ");
        assert_eq!(Branches::ASCII.before(&[false, true, false, false]), "|     `- ");
    }
}
