//! How things look: as many colours and glyphs as the terminal has, each with one meaning.

mod colours;
mod glyphs;

pub use colours::{Depth, hash, places};
pub use glyphs::{Branches, Glyphs, locale_is_utf8};

use ratatui::style::{Color, Modifier, Style};

use colours::{OTHERS_DARK, OTHERS_LIGHT, Shade};

/// Colours and glyphs in use. Cheap to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    depth: Depth,
    light: bool,
    /// What lines, bars and marks are drawn with.
    pub glyphs: &'static Glyphs,
}

impl Theme {
    /// For a terminal with so many colours, on a dark ground; `utf8` if it shows more than ASCII.
    #[must_use]
    pub fn new(depth: Depth, utf8: bool) -> Self {
        let glyphs = if utf8 { &Glyphs::UNICODE } else { &Glyphs::ASCII };
        Self { depth, light: false, glyphs }
    }

    /// For this process' terminal, by its environment: `NO_COLOR`, `COLORTERM`, `TERM`,
    /// `COLORFGBG`, and the locale.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// The same by any environment; a variable that is empty is to be `None`.
    fn from(var: impl Fn(&str) -> Option<String>) -> Self {
        let utf8 = glyphs::is_utf8(&var);
        // rxvt's, and others': `foreground;background`, as numbers of ANSI colours.
        let ground = var("COLORFGBG").unwrap_or_default();
        let light = matches!(ground.rsplit(';').next(), Some("7" | "15"));
        Self { light, ..Self::new(Depth::decide(&var), utf8) }
    }

    /// The same theme for dark letters on a light ground.
    #[must_use]
    pub fn on_light(self) -> Self {
        Self { light: true, ..self }
    }

    /// How many colours there are.
    #[must_use]
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// Plain text.
    #[must_use]
    pub fn text(&self) -> Style {
        Style::new()
    }

    /// What matters less.
    #[must_use]
    pub fn dim(&self) -> Style {
        match self.depth {
            Depth::Mono => Style::new().add_modifier(Modifier::DIM),
            Depth::Sixteen => Style::new().fg(Color::DarkGray),
            _ => Style::new().fg(self.of(Shade::DIM)),
        }
    }

    /// Headings and totals.
    #[must_use]
    pub fn bold(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The one colour that says: here.
    #[must_use]
    pub fn accent(&self) -> Style {
        match self.depth {
            Depth::Mono => self.bold(),
            _ => Style::new().fg(self.of(Shade::ACCENT)),
        }
    }

    /// The row or choice that keys act on. `focused` if its pane has the keys.
    #[must_use]
    pub fn selected(&self, focused: bool) -> Style {
        match (self.depth, focused) {
            (Depth::Mono, true) => Style::new().add_modifier(Modifier::REVERSED),
            (Depth::Mono, false) => Style::new().add_modifier(Modifier::UNDERLINED),
            (Depth::Sixteen, true) => Style::new().fg(Color::White).bg(Color::Blue),
            (Depth::Sixteen, false) => Style::new().add_modifier(Modifier::UNDERLINED),
            (_, true) => Style::new().bg(self.of(Shade::SELECTED)),
            (_, false) => Style::new().bg(self.of(Shade::MARKED)),
        }
    }

    /// Line of a table's titles.
    #[must_use]
    pub fn heading(&self) -> Style {
        self.dim()
    }

    /// Lines around and between panes.
    #[must_use]
    pub fn border(&self, focused: bool) -> Style {
        if focused { self.accent() } else { self.dim() }
    }

    /// A filter that is in force, a key in a hint.
    #[must_use]
    pub fn chip(&self) -> Style {
        match self.depth {
            Depth::Mono => Style::new().add_modifier(Modifier::REVERSED),
            Depth::Sixteen => Style::new().fg(Color::Black).bg(Color::Cyan),
            _ => Style::new().bg(self.of(Shade::MARKED)).fg(self.of(Shade::ACCENT)),
        }
    }

    /// All is well.
    #[must_use]
    pub fn good(&self) -> Style {
        self.coloured(Shade::GOOD, Modifier::empty())
    }

    /// Something to look at.
    #[must_use]
    pub fn warning(&self) -> Style {
        self.coloured(Shade::WARNING, Modifier::BOLD)
    }

    /// Something failed.
    #[must_use]
    pub fn bad(&self) -> Style {
        self.coloured(Shade::BAD, Modifier::BOLD)
    }

    /// What was received, where sent stands beside it.
    #[must_use]
    pub fn received(&self) -> Style {
        self.coloured(Shade::RECEIVED, Modifier::empty())
    }

    /// What was sent.
    #[must_use]
    pub fn sent(&self) -> Style {
        self.coloured(Shade::SENT, Modifier::empty())
    }

    /// The colour that this thing has everywhere, in the dashboard too.
    #[must_use]
    pub fn of_key(&self, key: &str) -> Style {
        self.of_place(colours::place(key))
    }

    /// The colour at this place of the palette ([`places`]).
    #[must_use]
    pub fn of_place(&self, place: usize) -> Style {
        match self.depth {
            Depth::Mono => Style::new(),
            _ => Style::new().fg(self.of(colours::shade(place, self.light))),
        }
    }

    /// The colour of what is not told one by one.
    #[must_use]
    pub fn others(&self) -> Style {
        match self.depth {
            Depth::Mono => Style::new(),
            _ => Style::new().fg(self.of(if self.light { OTHERS_LIGHT } else { OTHERS_DARK })),
        }
    }

    fn coloured(&self, shade: Shade, mono: Modifier) -> Style {
        match self.depth {
            Depth::Mono => Style::new().add_modifier(mono),
            _ => Style::new().fg(self.of(shade)),
        }
    }

    fn of(&self, shade: Shade) -> Color {
        shade.in_depth(self.depth, self.light)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(vars: &[(&str, &str)]) -> Theme {
        Theme::from(|name| {
            let found = vars.iter().find(|(it, _)| *it == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_says_what_a_terminal_can_show() {
        let rich = theme(&[("COLORTERM", "truecolor"), ("LANG", "C.UTF-8")]);
        assert_eq!((rich.depth, rich.glyphs), (Depth::True, &Glyphs::UNICODE));
        let some = theme(&[("TERM", "screen-256color"), ("LC_ALL", "C"), ("LANG", "C.UTF-8")]);
        assert_eq!((some.depth, some.glyphs), (Depth::Indexed, &Glyphs::ASCII));
        assert_eq!(theme(&[("TERM", "linux")]).depth, Depth::Sixteen);
        assert_eq!(theme(&[("TERM", "dumb")]).depth, Depth::Mono);
        let none = theme(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]);
        assert_eq!(none.depth, Depth::Mono);
        assert!(theme(&[("COLORFGBG", "0;default;15")]).light);
        assert!(!theme(&[("COLORFGBG", "15;0")]).light);
    }

    #[test]
    fn without_colours_nothing_is_coloured() {
        let theme = Theme::new(Depth::Mono, true);
        let all = [
            theme.dim(),
            theme.accent(),
            theme.selected(true),
            theme.selected(false),
            theme.chip(),
            theme.good(),
            theme.warning(),
            theme.bad(),
            theme.of_key("x"),
            theme.others(),
            theme.received(),
            theme.sent(),
            theme.border(true),
        ];
        assert!(all.iter().all(|style| style.fg.is_none() && style.bg.is_none()));
    }
}
