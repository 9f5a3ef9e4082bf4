//! The keys of `top`.

use crossterm::event::KeyCode;

use crate::keys::{Binding, Chord, Keys};
use crate::widgets::Step;

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    Suspend,
    Help,
    Step(Step),
    Open,
    Back,
    Pane,
    Filter,
    SortLeft,
    SortRight,
    Reverse,
    Pause,
    Pin,
    Processes,
    Tree,
    Wire,
    Units,
}

const fn key(code: KeyCode) -> Chord {
    Chord::key(code)
}

const fn char(ch: char) -> Chord {
    Chord::char(ch)
}

const fn bind(
    chords: &'static [Chord],
    action: Action,
    help: &'static str,
    hint: &'static str,
) -> Binding<Action> {
    Binding { chords, action, help, hint }
}

/// Keys while a list is shown.
pub(super) const LISTS: Keys<Action> = Keys(&[
    bind(&[char('?'), key(KeyCode::F(1))], Action::Help, "this help", "help"),
    bind(&[key(KeyCode::Up), char('k')], Action::Step(Step::Up), "one up", ""),
    bind(&[key(KeyCode::Down), char('j')], Action::Step(Step::Down), "one down", ""),
    bind(&[key(KeyCode::PageUp), Chord::ctrl('b')], Action::Step(Step::PageUp), "a screen up", ""),
    bind(
        &[key(KeyCode::PageDown), Chord::ctrl('f')],
        Action::Step(Step::PageDown),
        "a screen down",
        "",
    ),
    bind(&[key(KeyCode::Home), char('g')], Action::Step(Step::First), "to the first", ""),
    bind(&[key(KeyCode::End), char('G')], Action::Step(Step::Last), "to the last", ""),
    bind(
        &[key(KeyCode::Enter), key(KeyCode::Right), char('l')],
        Action::Open,
        "its connections",
        "connections",
    ),
    bind(&[key(KeyCode::Tab), key(KeyCode::BackTab)], Action::Pane, "the other pane", ""),
    bind(
        &[key(KeyCode::Esc), key(KeyCode::Left), char('h')],
        Action::Back,
        "back: no filter, first pane, nothing frozen",
        "back",
    ),
    bind(&[char('/')], Action::Filter, "show what has this text", "filter"),
    bind(&[char('>'), char('.')], Action::SortRight, "sort by the next column", "sort"),
    bind(&[char('<'), char(',')], Action::SortLeft, "sort by the column before", ""),
    bind(&[char('r')], Action::Reverse, "the other way round", ""),
    bind(&[char('p'), char(' ')], Action::Pause, "pause, go on", "pause"),
    bind(&[char('f')], Action::Pin, "freeze this row on top, let it go", "freeze"),
    bind(&[char('e')], Action::Processes, "by process, by executable", "processes"),
    bind(&[char('t')], Action::Tree, "below what launched them, or flat", "tree"),
    bind(&[char('w')], Action::Wire, "what programs move, what is on the wire", "wire"),
    bind(&[char('u')], Action::Units, "KiB, kB, Kibit, kbit", "units"),
    bind(&[Chord::ctrl('z')], Action::Suspend, "to the shell; fg comes back", ""),
    bind(&[char('q'), Chord::ctrl('c')], Action::Quit, "quit", "quit"),
]);

/// What a key does while a filter is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typing {
    Done,
    Clear,
    Step(Step),
    Quit,
}

/// Keys while a filter is typed; all others are text.
pub(super) const TYPING: Keys<Typing> = Keys(&[
    Binding {
        chords: &[key(KeyCode::Enter)],
        action: Typing::Done,
        help: "keep the filter",
        hint: "keep",
    },
    Binding {
        chords: &[key(KeyCode::Esc)],
        action: Typing::Clear,
        help: "no filter",
        hint: "no filter",
    },
    Binding {
        chords: &[key(KeyCode::Up)],
        action: Typing::Step(Step::Up),
        help: "one up",
        hint: "",
    },
    Binding {
        chords: &[key(KeyCode::Down)],
        action: Typing::Step(Step::Down),
        help: "one down",
        hint: "",
    },
    Binding { chords: &[Chord::ctrl('c')], action: Typing::Quit, help: "quit", hint: "" },
]);

/// What a key does while help is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Close,
    Up,
    Down,
    Quit,
}

/// Keys while help is shown.
pub(super) const READING: Keys<Reading> = Keys(&[
    Binding {
        chords: &[key(KeyCode::Esc), char('?'), char('q'), key(KeyCode::Enter), key(KeyCode::F(1))],
        action: Reading::Close,
        help: "close",
        hint: "close",
    },
    Binding {
        chords: &[key(KeyCode::Up), char('k'), key(KeyCode::PageUp)],
        action: Reading::Up,
        help: "up",
        hint: "up",
    },
    Binding {
        chords: &[key(KeyCode::Down), char('j'), key(KeyCode::PageDown)],
        action: Reading::Down,
        help: "down",
        hint: "down",
    },
    Binding { chords: &[Chord::ctrl('c')], action: Reading::Quit, help: "quit", hint: "" },
]);
