//! Keys of what lies over a page.

use crossterm::event::KeyCode;
use crossterm::event::KeyEvent;
use femtosnitch_store::EventKind;
use ratatui::layout::Rect;

use super::filter_box::Done;
use super::filter_box::turned;
use super::keys::KEYS;
use super::keys::works;
use super::picker::Picked;
use super::range;
use super::save;
use super::save::Format;
use super::save_box::Named;
use super::state::Browse;
use super::state::Effect;
use super::state::Over;
use crate::keys::Chord;
use crate::widgets::Cursor;
use crate::widgets::Step;
use crate::widgets::help_beyond;

/// Lines of help that a key goes on.
const HELP_STEP: usize = 5;

impl Browse {
    /// A key for what lies over the page.
    pub(crate) fn key_over(&mut self, key: &KeyEvent) -> Vec<Effect> {
        match self.over.take() {
            Some(Over::Help(line)) => self.key_help(line, key),
            Some(Over::Group(mut picker)) => match picker.key(key) {
                Picked::Left => Vec::new(),
                Picked::This(by) => self.by(by),
                Picked::Nothing => self.show(Over::Group(picker)),
            },
            Some(Over::Kinds(mut picker)) => match picker.key(key) {
                Picked::Left => Vec::new(),
                Picked::This(kind) => {
                    let effects = self.toggle(kind);
                    for choice in picker.choices_mut() {
                        choice.on = self.page.kinds.contains(&choice.value);
                    }
                    self.over = Some(Over::Kinds(picker));
                    effects
                }
                Picked::Nothing => self.show(Over::Kinds(picker)),
            },
            Some(Over::Times(mut picker, _)) => {
                let typed = picker.editor.text();
                match picker.key(key) {
                    Picked::Left => Vec::new(),
                    Picked::This(range) => self.look_at(range),
                    Picked::Nothing if key.code == KeyCode::Enter => {
                        let read = range::read(&typed, self.now, &self.zone, self.read_time);
                        match read {
                            Ok(range) => self.look_at(range),
                            Err(why) => self.show(Over::Times(picker, Some(why))),
                        }
                    }
                    Picked::Nothing => self.show(Over::Times(picker, None)),
                }
            }
            Some(Over::Filter(mut filter)) => {
                let done = filter.key(key);
                self.over = Some(Over::Filter(filter));
                self.filtered(done)
            }
            Some(Over::Filters(cursor)) => self.key_filters(cursor, key),
            Some(Over::Save(mut save)) => match save.key(key) {
                Named::Left => Vec::new(),
                Named::Nothing => self.show(Over::Save(save)),
                Named::This(name, replace) => {
                    let content = save::content(&self.page, &self.order()).unwrap_or_default();
                    let text = save::text(&content, Format::of(&name));
                    self.over = Some(Over::Save(save));
                    vec![Effect::Save { name, text, replace }]
                }
            },
            None => Vec::new(),
        }
    }

    fn key_help(&mut self, line: usize, key: &KeyEvent) -> Vec<Effect> {
        let last = self.help_beyond();
        let line = match key.code {
            KeyCode::Down | KeyCode::PageDown | KeyCode::Char('j') => (line + HELP_STEP).min(last),
            KeyCode::Up | KeyCode::PageUp | KeyCode::Char('k') => {
                line.min(last).saturating_sub(HELP_STEP)
            }
            // Any other key has been understood.
            _ => return Vec::new(),
        };
        self.show(Over::Help(line))
    }

    /// Lines of help that there is no room for.
    pub(crate) fn help_beyond(&self) -> usize {
        let depth = self.above.len() + 1;
        let keys = KEYS.help(|action| works(action, &self.page, depth));
        help_beyond(Rect::new(0, 0, self.size.0, self.size.1), &keys)
    }

    /// What came of a key in the box of filters.
    pub(crate) fn filtered(&mut self, done: Done) -> Vec<Effect> {
        match done {
            Done::Nothing => Vec::new(),
            Done::Ask => self.ask_values(),
            Done::Left => {
                self.over = None;
                vec![self.withdraw_values()]
            }
            Done::This(filter) => {
                self.over = None;
                let withdraw = self.withdraw_values();
                self.add_filter(filter).into_iter().chain([withdraw]).collect()
            }
        }
    }

    fn key_filters(&mut self, mut cursor: Cursor, key: &KeyEvent) -> Vec<Effect> {
        let len = self.page.filters.len();
        match key.code {
            KeyCode::Up | KeyCode::Char('k') => cursor.step(Step::Up, len, len),
            KeyCode::Down | KeyCode::Char('j') => cursor.step(Step::Down, len, len),
            KeyCode::Enter | KeyCode::Char(' ') => {
                self.over = Some(Over::Filters(cursor));
                return self.turn_filter(cursor.at);
            }
            KeyCode::Delete | KeyCode::Backspace | KeyCode::Char('x' | 'd') => {
                if cursor.at < len {
                    self.page.filters.remove(cursor.at);
                }
                cursor.settle(len.saturating_sub(1), len);
                self.over = (len > 1).then_some(Over::Filters(cursor));
                return self.ask_anew();
            }
            _ if Chord::key(KeyCode::Esc).is(key) || matches!(key.code, KeyCode::Char(_)) => {
                return Vec::new();
            }
            _ => {}
        }
        self.show(Over::Filters(cursor))
    }

    /// Turns a filter into its opposite.
    pub(crate) fn turn_filter(&mut self, at: usize) -> Vec<Effect> {
        let Some(filter) = self.page.filters.get_mut(at) else { return Vec::new() };
        let Some(opposite) = turned(filter) else { return Vec::new() };
        *filter = opposite;
        self.ask_anew()
    }

    /// Shows events of this kind, or no more.
    pub(crate) fn toggle(&mut self, kind: EventKind) -> Vec<Effect> {
        match self.page.kinds.iter().position(|it| *it == kind) {
            Some(at) => drop(self.page.kinds.remove(at)),
            None => self.page.kinds.push(kind),
        }
        self.ask_anew()
    }

    /// Takes the line at this place of the list that lies over the page.
    pub(crate) fn choose_over(&mut self, at: usize) -> Vec<Effect> {
        match self.over.take() {
            Some(Over::Group(picker)) => match picker.take(at) {
                Picked::This(by) => self.by(by),
                _ => self.show(Over::Group(picker)),
            },
            Some(Over::Times(picker, why)) => match picker.take(at) {
                Picked::This(range) => self.look_at(range),
                _ => self.show(Over::Times(picker, why)),
            },
            Some(Over::Kinds(mut picker)) => match picker.take(at) {
                Picked::This(kind) => {
                    let effects = self.toggle(kind);
                    for choice in picker.choices_mut() {
                        choice.on = self.page.kinds.contains(&choice.value);
                    }
                    self.over = Some(Over::Kinds(picker));
                    effects
                }
                _ => self.show(Over::Kinds(picker)),
            },
            Some(Over::Filter(mut filter)) => {
                let done = filter.choose(at);
                self.over = Some(Over::Filter(filter));
                self.filtered(done)
            }
            other => {
                self.over = other;
                Vec::new()
            }
        }
    }
}

/// What may be typed as a time, for the box that asks for one.
pub(crate) const TIMES: &str = "or type: 90m, 2026-11-28 14:00..15:30, 14:00..now";
