//! One line of text that is being typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthChar;

use crate::text::shown;

/// Nobody types more.
const LONGEST: usize = 4_096;

/// The text and where in it the next character goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineEditor {
    chars: Vec<char>,
    at: usize,
}

impl LineEditor {
    /// Begins with this text, the cursor at its end.
    #[must_use]
    pub fn with(text: &str) -> Self {
        let mut editor = Self::default();
        editor.insert(text);
        editor
    }

    /// What was typed so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.chars.iter().collect()
    }

    /// Whether that is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    /// Puts text where the cursor is; what is no text is left out.
    pub fn insert(&mut self, text: &str) {
        for ch in text.chars().filter(|ch| !ch.is_control()) {
            if self.chars.len() < LONGEST {
                self.chars.insert(self.at, ch);
                self.at += 1;
            }
        }
    }

    /// Takes everything away.
    pub fn clear(&mut self) {
        self.chars.clear();
        self.at = 0;
    }

    /// Does what a key does in a line; whether it was one of those. Enter, Esc, Tab and the like
    /// are whoever asks for the line.
    pub fn key(&mut self, key: &KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Char(ch) if !ctrl && !alt => self.insert(ch.encode_utf8(&mut [0; 4])),
            KeyCode::Char('a') if ctrl => self.at = 0,
            KeyCode::Char('e') if ctrl => self.at = self.chars.len(),
            KeyCode::Char('u') if ctrl => {
                self.chars.drain(..self.at);
                self.at = 0;
            }
            KeyCode::Char('k') if ctrl => self.chars.truncate(self.at),
            KeyCode::Char('w') if ctrl => self.delete_word(),
            KeyCode::Char('h') if ctrl => self.backspace(),
            KeyCode::Backspace if alt || ctrl => self.delete_word(),
            KeyCode::Backspace => self.backspace(),
            KeyCode::Delete => {
                if self.at < self.chars.len() {
                    self.chars.remove(self.at);
                }
            }
            KeyCode::Left => self.at = self.at.saturating_sub(1),
            KeyCode::Right => self.at = (self.at + 1).min(self.chars.len()),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.chars.len(),
            _ => return false,
        }
        true
    }

    fn backspace(&mut self) {
        if self.at > 0 {
            self.at -= 1;
            self.chars.remove(self.at);
        }
    }

    fn delete_word(&mut self) {
        let before = self.chars.get(..self.at).unwrap_or_default();
        let kept = before.iter().rposition(|ch| !ch.is_whitespace()).map_or(0, |last| {
            let word = before.get(..last).unwrap_or_default();
            word.iter().rposition(|ch| ch.is_whitespace()).map_or(0, |space| space + 1)
        });
        self.chars.drain(kept..self.at);
        self.at = kept;
    }

    /// Paints the line with its cursor, scrolled so that the cursor is seen.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, style: Style, ascii: bool) {
        let room = usize::from(area.width);
        if room == 0 || area.height == 0 {
            return;
        }
        let cells = |chars: &[char]| -> usize {
            chars.iter().map(|ch| ch.width().unwrap_or(1).max(1)).sum()
        };
        let mut start = 0;
        while cells(self.chars.get(start..self.at).unwrap_or_default()) >= room {
            start += 1;
        }
        let part = |range: std::ops::Range<usize>| {
            let chars = self.chars.get(range).unwrap_or_default();
            shown(&chars.iter().collect::<String>(), ascii)
        };
        let end = self.chars.len();
        let after = (self.at + 1).min(end);
        let under = if self.at < end { part(self.at..after) } else { " ".to_owned() };
        let mut x = area.x;
        for (text, style) in [
            (part(start..self.at), style),
            (under, style.add_modifier(Modifier::REVERSED)),
            (part(after..end), style),
        ] {
            let left = usize::from(area.right().saturating_sub(x));
            x = buf.set_stringn(x, area.y, text, left, style).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(editor: &mut LineEditor, keys: &[(KeyCode, KeyModifiers)]) {
        for (code, modifiers) in keys {
            assert!(editor.key(&KeyEvent::new(*code, *modifiers)));
        }
    }

    #[test]
    fn a_line_is_edited_as_in_a_shell() {
        let none = KeyModifiers::NONE;
        let ctrl = KeyModifiers::CONTROL;
        let mut editor = LineEditor::with("one two\x1b three");
        assert_eq!(editor.text(), "one two three");
        typed(&mut editor, &[(KeyCode::Char('w'), ctrl)]);
        assert_eq!(editor.text(), "one two ");
        typed(&mut editor, &[(KeyCode::Char('w'), ctrl), (KeyCode::Left, none)]);
        typed(&mut editor, &[(KeyCode::Backspace, none), (KeyCode::Char('é'), none)]);
        assert_eq!(editor.text(), "oné ");
        typed(&mut editor, &[(KeyCode::Delete, none), (KeyCode::Home, none)]);
        typed(&mut editor, &[(KeyCode::Delete, none), (KeyCode::Char('k'), ctrl)]);
        assert!(editor.is_empty());
        typed(&mut editor, &[(KeyCode::Delete, none), (KeyCode::Backspace, none)]);
        assert!(!editor.key(&KeyEvent::new(KeyCode::Enter, none)));
    }

    #[test]
    fn the_cursor_is_always_seen() {
        for text in ["", "ab", "a long text", "名名名名名"] {
            for width in 0..8 {
                let area = Rect::new(0, 0, width, 1);
                let mut buf = Buffer::empty(Rect::new(0, 0, 10, 1));
                LineEditor::with(text).draw(&mut buf, area, Style::new(), false);
                let reversed =
                    buf.content.iter().filter(|cell| cell.modifier.contains(Modifier::REVERSED));
                assert_eq!(reversed.count(), usize::from(width > 0), "{text} {width}");
            }
        }
    }
}
