//! Colour, where it is wanted.

use std::io::{self, IsTerminal};

/// Whether to colour, and how. Colour only supports what the text says already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// No escape sequence at all.
    #[must_use]
    pub fn plain() -> Self {
        Self { colour: false }
    }

    /// Colour whatever the output is.
    #[must_use]
    pub fn coloured() -> Self {
        Self { colour: true }
    }

    /// For standard output: coloured on a terminal, unless `NO_COLOR` is set or the terminal is
    /// a dumb one.
    #[must_use]
    pub fn for_stdout() -> Self {
        Self::decide(
            io::stdout().is_terminal(),
            std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            std::env::var_os("TERM").is_some_and(|value| value == "dumb"),
        )
    }

    fn decide(terminal: bool, no_color: bool, dumb: bool) -> Self {
        Self { colour: terminal && !no_color && !dumb }
    }

    /// Whether escape sequences are written.
    #[must_use]
    pub fn is_coloured(self) -> bool {
        self.colour
    }

    /// Headings and totals.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What matters less.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// All is well.
    #[must_use]
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Something to look at.
    #[must_use]
    pub fn warning(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Something failed.
    #[must_use]
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_needs_a_capable_terminal_and_nobody_against_it() {
        assert!(Style::decide(true, false, false).is_coloured());
        assert!(!Style::decide(false, false, false).is_coloured());
        assert!(!Style::decide(true, true, false).is_coloured());
        assert!(!Style::decide(true, false, true).is_coloured());
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(Style::plain().bad("x"), "x");
        assert_eq!(Style::coloured().bad("x"), "\x1b[31mx\x1b[0m");
    }
}
