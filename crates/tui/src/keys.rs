//! Keys and what they do, in tables: what is in the table works, and the help is made of it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with what is held down with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

impl Chord {
    /// A character as it is typed: `G` is Shift and g.
    #[must_use]
    pub const fn char(ch: char) -> Self {
        Self { code: KeyCode::Char(ch), modifiers: KeyModifiers::NONE }
    }

    /// A character with Ctrl.
    #[must_use]
    pub const fn ctrl(ch: char) -> Self {
        Self { code: KeyCode::Char(ch), modifiers: KeyModifiers::CONTROL }
    }

    /// A key that is no character.
    #[must_use]
    pub const fn key(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }

    /// Whether this was pressed.
    #[must_use]
    pub fn is(&self, key: &KeyEvent) -> bool {
        // Shift is in the character already, and terminals differ in telling it.
        let held = key.modifiers - KeyModifiers::SHIFT;
        self.code == key.code && self.modifiers == held
    }

    /// As it is called in help.
    #[must_use]
    pub fn name(&self) -> String {
        let plain = match self.code {
            KeyCode::Char(' ') => "Space".to_owned(),
            KeyCode::Char(ch) if self.modifiers == KeyModifiers::CONTROL => {
                return format!("Ctrl-{}", ch.to_ascii_uppercase());
            }
            KeyCode::Char(ch) => ch.to_string(),
            KeyCode::Up => "Up".to_owned(),
            KeyCode::Down => "Down".to_owned(),
            KeyCode::Left => "Left".to_owned(),
            KeyCode::Right => "Right".to_owned(),
            KeyCode::PageUp => "PgUp".to_owned(),
            KeyCode::PageDown => "PgDn".to_owned(),
            KeyCode::BackTab => "Shift-Tab".to_owned(),
            KeyCode::F(n) => format!("F{n}"),
            other => format!("{other:?}"),
        };
        if self.modifiers == KeyModifiers::CONTROL { format!("Ctrl-{plain}") } else { plain }
    }
}

/// What some keys do.
#[derive(Debug, Clone, Copy)]
pub struct Binding<A> {
    /// The keys, each of which does it.
    pub chords: &'static [Chord],
    /// What is done.
    pub action: A,
    /// What is done, for people.
    pub help: &'static str,
    /// The same in a word or two, for the last line of the screen; '' is not shown there.
    pub hint: &'static str,
}

/// The keys of one mode of a view.
#[derive(Debug, Clone, Copy)]
pub struct Keys<A: 'static>(pub &'static [Binding<A>]);

impl<A: Copy + PartialEq> Keys<A> {
    /// What this key does, among what `works` here.
    pub fn find(&self, key: &KeyEvent, works: impl Fn(A) -> bool) -> Option<A> {
        self.0
            .iter()
            .find(|it| works(it.action) && it.chords.iter().any(|chord| chord.is(key)))
            .map(|it| it.action)
    }

    /// Keys and what they do, for all that `works` here.
    pub fn help(&self, works: impl Fn(A) -> bool) -> Vec<(String, &'static str)> {
        let shown = self.0.iter().filter(|it| !it.help.is_empty() && works(it.action));
        shown
            .map(|it| {
                let names: Vec<String> = it.chords.iter().map(Chord::name).collect();
                (names.join(" "), it.help)
            })
            .collect()
    }

    /// The first key and the short text of all that `works` here and has one.
    pub fn hints(&self, works: impl Fn(A) -> bool) -> Vec<(String, &'static str)> {
        let shown = self.0.iter().filter(|it| !it.hint.is_empty() && works(it.action));
        shown.filter_map(|it| it.chords.first().map(|chord| (chord.name(), it.hint))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Keys<u8> = Keys(&[
        Binding { chords: &[Chord::char('q')], action: 1, help: "quit", hint: "quit" },
        Binding {
            chords: &[Chord::key(KeyCode::Down), Chord::char('j')],
            action: 2,
            help: "down",
            hint: "",
        },
        Binding { chords: &[Chord::char('j')], action: 3, help: "other", hint: "" },
    ]);

    fn key(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    #[test]
    fn help_tells_what_works_and_nothing_else() {
        assert_eq!(KEYS.help(|_| true).len(), 3);
        assert_eq!(KEYS.help(|it| it == 2), [("Down j".to_owned(), "down")]);
        assert_eq!(KEYS.hints(|_| true), [("q".to_owned(), "quit")]);
        let j = key(KeyCode::Char('j'), KeyModifiers::NONE);
        assert_eq!(KEYS.find(&j, |_| true), Some(2));
        assert_eq!(KEYS.find(&j, |it| it != 2), Some(3));
    }

    #[test]
    fn what_is_held_down_counts_but_for_shift() {
        assert!(Chord::char('G').is(&key(KeyCode::Char('G'), KeyModifiers::SHIFT)));
        assert!(!Chord::char('c').is(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(Chord::ctrl('c').is(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!Chord::char('q').is(&key(KeyCode::Char('q'), KeyModifiers::ALT)));
        assert_eq!(Chord::ctrl('c').name(), "Ctrl-C");
        assert_eq!(Chord::key(KeyCode::BackTab).name(), "Shift-Tab");
        assert_eq!(Chord::key(KeyCode::Esc).name(), "Esc");
    }
}
