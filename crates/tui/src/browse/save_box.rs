//! Asking for the name of a file.

use crossterm::event::KeyCode;
use crossterm::event::KeyEvent;

use super::page::Page;
use super::page::Subject;
use crate::keys::Chord;
use crate::widgets::LineEditor;

/// The line with the name.
#[derive(Debug, Clone)]
pub(crate) struct SaveBox {
    pub(crate) editor: LineEditor,
    /// A file of that name is there: asked again, it is replaced.
    pub(crate) replaces: bool,
    pub(crate) wrong: Option<String>,
}

/// What came of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Nothing,
    Left,
    /// This name; whether a file that is there is replaced.
    This(String, bool),
}

impl SaveBox {
    /// With a name that says what is in it; `stamp` says when.
    pub(crate) fn new(page: &Page, stamp: &str) -> Self {
        let what = match &page.subject {
            Subject::History { by } => by.name(),
            Subject::Thing { dimension, .. } => dimension.name(),
            Subject::Events => "events",
            Subject::System => "counters",
        };
        let editor = LineEditor::with(&format!("femtosnitch-{what}-{stamp}.csv"));
        Self { editor, replaces: false, wrong: None }
    }

    pub(crate) fn key(&mut self, key: &KeyEvent) -> Named {
        if Chord::key(KeyCode::Esc).is(key) || Chord::ctrl('c').is(key) {
            return Named::Left;
        }
        if Chord::key(KeyCode::Enter).is(key) {
            let name = self.editor.text();
            let name = name.trim();
            if name.is_empty() {
                self.wrong = Some("type a name; Esc leaves".to_owned());
                return Named::Nothing;
            }
            return Named::This(name.to_owned(), self.replaces);
        }
        if self.editor.key(key) {
            (self.replaces, self.wrong) = (false, None);
        }
        Named::Nothing
    }
}
