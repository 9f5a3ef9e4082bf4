//! Somebody who sits before the screen: presses keys, sees what it shows. Questions are answered as
//! the lanes do, but at once.

use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::KeyCode;
use crossterm::event::KeyEvent;
use crossterm::event::KeyModifiers;
use femtosnitch_store::Dimension;
use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use ratatui::style::Modifier;
use tempfile::TempDir;

use super::super::Answered;
use super::super::ask::Open;
use super::super::ask::Reply;
use super::super::ask::Source;
use super::super::draw;
use super::super::page::Page;
use super::super::page::Subject;
use super::super::range::Range;
use super::super::save;
use super::super::state::Answer;
use super::super::state::Browse;
use super::super::state::Effect;
use super::history;
use super::history::NOW;
use crate::input::Input;
use crate::theme::Depth;
use crate::theme::Theme;

pub(super) struct Desk {
    pub(super) state: Browse,
    pub(super) theme: Theme,
    pub(super) now: i64,
    /// What was copied.
    pub(super) copied: Vec<String>,
    /// Whether it is over.
    pub(super) over: bool,
    /// Questions asked, one entry for each time.
    pub(super) asked: usize,
    /// How often questions were withdrawn and none asked in their place.
    pub(super) withdrawn: usize,
    pub(super) dir: TempDir,
    open: Open,
    source: Source,
}

impl Desk {
    /// Before a history that is there.
    pub(super) fn new() -> Self {
        let desk = Self::without_history();
        history::write(&desk.database());
        desk.begin()
    }

    /// Before none.
    pub(super) fn without_history() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let page = Page::new(Subject::History { by: Dimension::Exe }, Range::default(), Vec::new());
        let read_time = |text: &str, _: i64| match text {
            "all" => Ok(None),
            _ => Err(format!("{text:?} is not a time; write 15m")),
        };
        let source = Source {
            database: dir.path().join("femtosnitch.db"),
            live_socket: dir.path().join("live.sock"),
            users: Arc::new(history::People),
        };
        Self {
            state: Browse::new(page, TimeZone::UTC, read_time),
            theme: Theme::new(Depth::True, true),
            now: NOW,
            copied: Vec::new(),
            over: false,
            asked: 0,
            withdrawn: 0,
            dir,
            open: Open::default(),
            source,
        }
    }

    pub(super) fn database(&self) -> PathBuf {
        self.source.database.clone()
    }

    /// Asks the first questions.
    pub(super) fn begin(mut self) -> Self {
        self.state.now = self.now;
        let effects = self.state.ask();
        self.carry_out(effects);
        self
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask(ticket, questions) => {
                    self.asked += usize::from(!questions.is_empty());
                    self.withdrawn += usize::from(questions.is_empty());
                    let mut left = questions.len();
                    for question in questions {
                        left -= 1;
                        let cancel = femtosnitch_store::Cancel::default();
                        let told = self.open.answer(&self.source, question, &cancel);
                        let over = told.is_err();
                        let reply = Reply { ticket, left: if over { 0 } else { left }, told };
                        self.input(Input::Answer(Answered(Answer::Page(reply))));
                        if over {
                            break;
                        }
                    }
                }
                Effect::AskAside(ticket, questions) => {
                    self.withdrawn += usize::from(questions.is_empty());
                    for question in questions {
                        let cancel = femtosnitch_store::Cancel::default();
                        let told = self.open.answer(&self.source, question, &cancel);
                        let reply = Reply { ticket, left: 0, told };
                        self.input(Input::Answer(Answered(Answer::Aside(reply))));
                    }
                }
                Effect::Copy(sequence) => self.copied.push(sequence),
                Effect::Save { name, text, replace } => {
                    let result = save::write(&self.dir.path().join(&name), &text, replace);
                    self.input(Input::Answer(Answered(Answer::Saved(name, result))));
                }
                Effect::Quit => self.over = true,
                Effect::Suspend | Effect::Redraw => {}
            }
        }
    }

    pub(super) fn input(&mut self, input: Input<Answered>) {
        let effects = self.state.update(input, self.now);
        self.carry_out(effects);
    }

    /// Presses keys, one a word: `Enter`, `Tab`, `x`, `Ctrl-C`.
    pub(super) fn press(&mut self, keys: &str) -> usize {
        let mut pressed = 0;
        for name in keys.split_whitespace() {
            let (modifiers, plain) = match name.strip_prefix("Ctrl-") {
                Some(plain) => (KeyModifiers::CONTROL, plain.to_lowercase()),
                None => (KeyModifiers::NONE, name.to_owned()),
            };
            let code = match plain.as_str() {
                "Enter" => KeyCode::Enter,
                "Esc" => KeyCode::Esc,
                "Tab" => KeyCode::Tab,
                "BackTab" => KeyCode::BackTab,
                "Up" => KeyCode::Up,
                "Down" => KeyCode::Down,
                "Left" => KeyCode::Left,
                "Right" => KeyCode::Right,
                "PgDn" => KeyCode::PageDown,
                "End" => KeyCode::End,
                "Home" => KeyCode::Home,
                "Space" => KeyCode::Char(' '),
                "Backspace" => KeyCode::Backspace,
                "Delete" => KeyCode::Delete,
                text => KeyCode::Char(text.chars().next().unwrap()),
            };
            self.input(Input::Key(KeyEvent::new(code, modifiers)));
            pressed += 1;
        }
        pressed
    }

    /// Types text.
    pub(super) fn type_in(&mut self, text: &str) {
        for ch in text.chars() {
            self.input(Input::Key(KeyEvent::new(KeyCode::Char(ch), KeyModifiers::NONE)));
        }
    }

    pub(super) fn resize(&mut self, columns: u16, rows: u16) {
        self.input(Input::Resize(columns, rows));
    }

    /// What the screen has.
    pub(super) fn buffer(&mut self) -> Buffer {
        let (width, height) = self.state.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw::draw(&self.state, &self.theme, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// Its text, line by line.
    pub(super) fn screen(&mut self) -> String {
        text(&self.buffer())
    }

    /// The line of the screen that has this in it.
    pub(super) fn line(&mut self, part: &str) -> String {
        let screen = self.screen();
        let found = screen.lines().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("no {part:?} on\n{screen}")).to_owned()
    }

    pub(super) fn shows(&mut self, part: &str) -> bool {
        self.screen().contains(part)
    }
}

/// The cells of a screen as text.
pub(super) fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in buffer.content.chunks(usize::from(buffer.area.width.max(1))) {
        let mut line = String::new();
        let mut skip = 0;
        for cell in row {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            line.push_str(cell.symbol());
            skip = crate::text::width(cell.symbol()).saturating_sub(1);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The same with colours and the like before what has them.
pub(super) fn coloured(buffer: &Buffer) -> String {
    let mut out = String::new();
    for row in buffer.content.chunks(usize::from(buffer.area.width.max(1))) {
        let mut last = String::new();
        let mut line = String::new();
        for cell in row {
            let style = style(cell.fg, cell.bg, cell.modifier);
            // Of nothing only the ground is seen.
            let seen = cell.symbol() != " " || cell.bg != Color::Reset;
            if seen && style != last {
                line.push_str(&format!("{{{style}}}"));
                last = style;
            }
            line.push_str(cell.symbol());
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn style(fg: Color, bg: Color, modifier: Modifier) -> String {
    let mut parts = Vec::new();
    if fg != Color::Reset {
        parts.push(fg.to_string());
    }
    if bg != Color::Reset {
        parts.push(format!("on {bg}"));
    }
    if !modifier.is_empty() {
        parts.push(format!("{modifier:?}"));
    }
    parts.join(" ")
}
