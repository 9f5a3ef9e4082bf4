//! A list to choose from: what is typed leaves what begins so, or has it in it.

use crossterm::event::KeyEvent;

use super::keys::CHOOSE;
use super::keys::Choose;
use crate::widgets::Cursor;
use crate::widgets::LineEditor;

/// Lines of a list on the screen.
pub(crate) const ROOM: usize = 12;

/// Something to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice<T> {
    pub(crate) value: T,
    /// As it is called.
    pub(crate) title: String,
    /// Beside it, dim.
    pub(crate) note: String,
    /// Whether it is chosen already.
    pub(crate) on: bool,
}

/// The list.
#[derive(Debug, Clone)]
pub(crate) struct Picker<T> {
    pub(crate) editor: LineEditor,
    pub(crate) cursor: Cursor,
    choices: Vec<Choice<T>>,
}

/// What came of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Picked<T> {
    Nothing,
    Left,
    This(T),
}

impl<T: Clone> Picker<T> {
    pub(crate) fn new(choices: Vec<Choice<T>>) -> Self {
        let mut cursor = Cursor::default();
        let on = choices.iter().position(|choice| choice.on).unwrap_or(0);
        cursor.step(crate::widgets::Step::To(on), choices.len(), ROOM);
        Self { editor: LineEditor::default(), cursor, choices }
    }

    /// What is left by what was typed, those that begin so first.
    pub(crate) fn shown(&self) -> Vec<&Choice<T>> {
        let typed = self.editor.text().to_lowercase();
        let begins = |choice: &&Choice<T>| begins(choice, &typed);
        let has = |choice: &&Choice<T>| {
            let text = |text: &str| text.to_lowercase().contains(&typed);
            text(&choice.title) || text(&choice.note)
        };
        let (first, rest): (Vec<_>, Vec<_>) = self.choices.iter().filter(has).partition(begins);
        first.into_iter().chain(rest).collect()
    }

    pub(crate) fn key(&mut self, key: &KeyEvent) -> Picked<T> {
        match CHOOSE.find(key, |_| true) {
            Some(Choose::Leave) => Picked::Left,
            Some(Choose::Take) => self.take(self.cursor.at),
            Some(Choose::Go(step)) => {
                let len = self.shown().len();
                self.cursor.step(step, len, ROOM);
                Picked::Nothing
            }
            Some(Choose::Complete) => Picked::Nothing,
            None => {
                if self.editor.key(key) {
                    self.cursor = Cursor::default();
                }
                Picked::Nothing
            }
        }
    }

    /// Takes the line at this place.
    pub(crate) fn take(&self, at: usize) -> Picked<T> {
        match self.shown().get(at) {
            Some(choice) => Picked::This(choice.value.clone()),
            None => Picked::Nothing,
        }
    }

    /// All there is, for those that can be on several at a time.
    pub(crate) fn choices_mut(&mut self) -> &mut [Choice<T>] {
        &mut self.choices
    }
}

fn begins<T>(choice: &Choice<T>, typed: &str) -> bool {
    let text = |text: &str| text.to_lowercase().starts_with(typed);
    text(&choice.title) || text(&choice.note)
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyCode;
    use crossterm::event::KeyModifiers;

    use super::*;

    fn picker() -> Picker<u8> {
        let titles = ["Program", "Process name", "Remote port", "Local port"].into_iter().zip(0..);
        let choice = |(title, value): (&str, u8)| Choice {
            value,
            title: title.to_owned(),
            note: String::new(),
            on: value == 1,
        };
        Picker::new(titles.map(choice).collect())
    }

    fn press(picker: &mut Picker<u8>, code: KeyCode) -> Picked<u8> {
        picker.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn what_is_typed_leaves_what_has_it() {
        let mut picker = picker();
        assert_eq!(picker.cursor.at, 1, "at what is on");
        for ch in "por".chars() {
            press(&mut picker, KeyCode::Char(ch));
        }
        let titles: Vec<&str> = picker.shown().iter().map(|it| it.title.as_str()).collect();
        assert_eq!(titles, ["Remote port", "Local port"]);
        press(&mut picker, KeyCode::Down);
        press(&mut picker, KeyCode::Down);
        assert_eq!(press(&mut picker, KeyCode::Enter), Picked::This(3));
        press(&mut picker, KeyCode::Char('q'));
        assert_eq!(press(&mut picker, KeyCode::Enter), Picked::Nothing);
        assert_eq!(press(&mut picker, KeyCode::Esc), Picked::Left);
    }

    #[test]
    fn what_begins_so_comes_first() {
        let mut picker = picker();
        press(&mut picker, KeyCode::Char('r'));
        assert_eq!(picker.shown().first().map(|it| it.value), Some(2));
        assert_eq!(picker.shown().len(), 4);
    }
}
