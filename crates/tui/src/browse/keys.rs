//! What keys do on a page, and on which pages.

use crossterm::event::KeyCode;
use femtosnitch_store::Dimension;

use super::page::Page;
use super::page::Subject;
use super::panes;
use super::range::PRESETS;
use crate::keys::Binding;
use crate::keys::Chord;
use crate::keys::Keys;
use crate::widgets::Step;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Go(Step),
    Open,
    Back,
    Quit,
    Suspend,
    Redraw,
    Help,
    Again,
    /// To the next pane, or the one before.
    Pane(bool),
    /// The pointer in the chart, to the right or to the left.
    Pointer(bool),
    Mark,
    Closer,
    Further,
    /// The time of the same length after, or before.
    Shift(bool),
    Preset(usize),
    Times,
    Group,
    By(Dimension),
    Filter,
    Include,
    Exclude,
    Filters,
    Unfilter,
    Kinds,
    Measure,
    Layer,
    Units,
    /// To the next column, or the one before.
    Sort(bool),
    Reverse,
    More,
    Copy,
    Save,
    History,
    Events,
    System,
}

const fn key(code: KeyCode) -> Chord {
    Chord::key(code)
}

const fn bind(
    chords: &'static [Chord],
    action: Action,
    help: &'static str,
    hint: &'static str,
) -> Binding<Action> {
    Binding { chords, action, help, hint }
}

const fn ch(ch: char) -> Chord {
    Chord::char(ch)
}

/// All of them: first what is looked for first.
pub(crate) const KEYS: Keys<Action> = Keys(&[
    bind(&[key(KeyCode::Enter)], Action::Open, "look into it", "open"),
    bind(&[key(KeyCode::Esc)], Action::Back, "one level back", "back"),
    bind(&[key(KeyCode::Tab)], Action::Pane(true), "next side", "next side"),
    bind(&[key(KeyCode::BackTab)], Action::Pane(false), "side before", ""),
    bind(&[ch('b')], Action::Group, "by what (all dimensions)", "by"),
    bind(&[ch('/'), ch('f')], Action::Filter, "filter, with values to choose from", "filter"),
    bind(&[ch('K'), ch('/')], Action::Kinds, "kinds of events", "kinds"),
    bind(&[ch('i')], Action::Include, "only this", "only"),
    bind(&[ch('x')], Action::Exclude, "all but this", "all but"),
    bind(&[ch('F')], Action::Filters, "filters in force: turn around, remove", ""),
    bind(
        &[key(KeyCode::Backspace), key(KeyCode::Delete)],
        Action::Unfilter,
        "remove the last filter",
        "",
    ),
    bind(&[ch('t')], Action::Times, "from when to when", "time"),
    bind(&[ch('[')], Action::Shift(false), "the time before", ""),
    bind(&[ch(']')], Action::Shift(true), "the time after", ""),
    bind(&[ch('1')], Action::Preset(0), "the last 15 minutes", ""),
    bind(&[ch('2')], Action::Preset(1), "the last hour", ""),
    bind(&[ch('3')], Action::Preset(2), "the last 6 hours", ""),
    bind(&[ch('4')], Action::Preset(3), "the last 24 hours", ""),
    bind(&[ch('5')], Action::Preset(4), "the last 7 days", ""),
    bind(&[ch('6')], Action::Preset(5), "the last 30 days", ""),
    bind(&[ch('7')], Action::Preset(6), "all that is kept", ""),
    bind(&[key(KeyCode::Right), ch('l')], Action::Pointer(true), "point into the chart", ""),
    bind(&[key(KeyCode::Left), ch('h')], Action::Pointer(false), "point to earlier", ""),
    bind(&[ch(' '), ch('v')], Action::Mark, "mark from here on", ""),
    bind(&[ch('z'), ch('+')], Action::Closer, "look closer (at what is marked)", "closer"),
    bind(&[ch('Z'), ch('-')], Action::Further, "look from further off", ""),
    bind(&[ch('P')], Action::By(Dimension::Exe), "by program", ""),
    bind(&[ch('D')], Action::By(Dimension::Domain), "by domain", ""),
    bind(&[ch('A')], Action::By(Dimension::Raddr), "by remote address", ""),
    bind(&[ch('C')], Action::By(Dimension::Country), "by country", ""),
    bind(&[ch('U')], Action::By(Dimension::User), "by user", ""),
    bind(&[ch('O')], Action::By(Dimension::Rport), "by remote port", ""),
    bind(&[ch('m')], Action::Measure, "received, sent, total, connections", "show"),
    bind(&[ch('w')], Action::Layer, "payload, or bytes on the wire", "wire"),
    bind(&[ch('u')], Action::Units, "KiB, kB, Kibit, kbit", ""),
    bind(&[ch('>')], Action::Sort(true), "sort by the next column", "sort"),
    bind(&[ch('<')], Action::Sort(false), "sort by the column before", ""),
    bind(&[ch('r')], Action::Reverse, "turn the order around", ""),
    bind(&[ch('M')], Action::More, "more lines", ""),
    bind(&[ch('y'), ch('c')], Action::Copy, "copy the value", "copy"),
    bind(&[ch('s')], Action::Save, "save what is shown: CSV, JSON", "save"),
    bind(&[ch('H')], Action::History, "history (of this)", ""),
    bind(&[ch('E')], Action::Events, "events", "events"),
    bind(&[ch('S')], Action::System, "daemon and history: how they are", "system"),
    bind(&[key(KeyCode::Up), ch('k')], Action::Go(Step::Up), "up", ""),
    bind(&[key(KeyCode::Down), ch('j')], Action::Go(Step::Down), "down", ""),
    bind(&[key(KeyCode::PageUp), Chord::ctrl('b')], Action::Go(Step::PageUp), "a screen up", ""),
    bind(
        &[key(KeyCode::PageDown), Chord::ctrl('f')],
        Action::Go(Step::PageDown),
        "a screen down",
        "",
    ),
    bind(&[key(KeyCode::Home), ch('g')], Action::Go(Step::First), "to the first", ""),
    bind(&[key(KeyCode::End), ch('G')], Action::Go(Step::Last), "to the last", ""),
    bind(&[key(KeyCode::F(5)), ch('R')], Action::Again, "ask again", ""),
    bind(&[Chord::ctrl('l')], Action::Redraw, "draw the screen anew", ""),
    bind(&[Chord::ctrl('z')], Action::Suspend, "to the shell; fg comes back", ""),
    bind(&[ch('?'), key(KeyCode::F(1))], Action::Help, "these keys", "keys"),
    bind(&[ch('q'), Chord::ctrl('c')], Action::Quit, "quit", "quit"),
]);

/// Whether there is a line that keys could act on.
fn has_line(page: &Page) -> bool {
    let known = &page.known;
    match page.subject {
        Subject::History { .. } => {
            known.report.as_ref().is_some_and(|report| !report.answers.is_empty())
        }
        Subject::Thing { .. } => {
            let all = panes::of(page);
            all.get(panes::focus(page, &all)).is_some_and(|pane| panes::len(page, *pane) > 0)
        }
        Subject::Events => known.events.as_ref().is_some_and(|events| !events.is_empty()),
        Subject::System => known.system.is_some(),
    }
}

/// Whether an action makes sense on a page, `depth` levels down.
pub(crate) fn works(action: Action, page: &Page, depth: usize) -> bool {
    let is_history = matches!(page.subject, Subject::History { .. });
    let is_thing = matches!(page.subject, Subject::Thing { .. });
    let is_events = matches!(page.subject, Subject::Events);
    let has_time = !matches!(page.subject, Subject::System);
    let has_traffic = is_history || is_thing;
    let has_chart = has_traffic && page.series().is_some_and(|series| !series.others.is_empty());
    match action {
        Action::Go(_)
        | Action::Quit
        | Action::Suspend
        | Action::Redraw
        | Action::Help
        | Action::Again
        | Action::Save => true,
        Action::Units => !is_events,
        Action::Copy => has_line(page),
        Action::Open => has_time && has_line(page),
        Action::Back => depth > 1 || page.pointer.is_some(),
        Action::Pane(_) => is_thing,
        Action::Pointer(_) => has_chart,
        Action::Mark => has_chart && page.pointer.is_some(),
        Action::Closer => has_chart || is_events,
        Action::Further | Action::Shift(_) | Action::Times => has_time,
        Action::Preset(at) => has_time && at < PRESETS.len(),
        Action::Group | Action::By(_) | Action::Sort(_) | Action::Reverse => is_history,
        Action::Measure => is_history || has_chart,
        Action::Filter | Action::Layer => has_traffic,
        Action::Include | Action::Exclude => is_history && has_line(page),
        Action::Filters | Action::Unfilter => has_traffic && !page.filters.is_empty(),
        Action::Kinds => is_events,
        Action::More => {
            is_history
                && page.known.report.as_ref().is_some_and(|report| report.others.groups > 0)
                && page.limit + 1 < super::page::LIMITS.len()
        }
        Action::History => !(is_history && depth == 1),
        Action::Events => !is_events,
        Action::System => has_time,
    }
}

/// For a list to choose from, over a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choose {
    Go(Step),
    Take,
    /// Completes what is typed.
    Complete,
    Leave,
}

/// Keys of a list to choose from; all others are typed into its line.
pub(crate) const CHOOSE: Keys<Choose> = Keys(&[
    Binding {
        chords: &[key(KeyCode::Enter)],
        action: Choose::Take,
        help: "take it",
        hint: "take it",
    },
    Binding {
        chords: &[key(KeyCode::Tab)],
        action: Choose::Complete,
        help: "complete it",
        hint: "complete",
    },
    Binding {
        chords: &[key(KeyCode::Esc), Chord::ctrl('c')],
        action: Choose::Leave,
        help: "leave",
        hint: "leave",
    },
    Binding {
        chords: &[key(KeyCode::Up), Chord::ctrl('p')],
        action: Choose::Go(Step::Up),
        help: "up",
        hint: "",
    },
    Binding {
        chords: &[key(KeyCode::Down), Chord::ctrl('n')],
        action: Choose::Go(Step::Down),
        help: "down",
        hint: "",
    },
    Binding {
        chords: &[key(KeyCode::PageUp)],
        action: Choose::Go(Step::PageUp),
        help: "",
        hint: "",
    },
    Binding {
        chords: &[key(KeyCode::PageDown)],
        action: Choose::Go(Step::PageDown),
        help: "",
        hint: "",
    },
]);

#[cfg(test)]
mod tests {
    use super::super::range::Range;
    use super::*;
    use crossterm::event::KeyEvent;
    use crossterm::event::KeyModifiers;

    fn page(subject: Subject) -> Page {
        Page::new(subject, Range::default(), Vec::new())
    }

    #[test]
    fn no_key_does_two_things_on_a_page() {
        let thing = Subject::Thing { dimension: Dimension::Raddr, value: String::new() };
        let history = Subject::History { by: Dimension::Exe };
        for subject in [history, thing, Subject::Events, Subject::System] {
            let page = page(subject);
            let mut seen: Vec<Chord> = Vec::new();
            for binding in KEYS.0.iter().filter(|it| works(it.action, &page, 2)) {
                for chord in binding.chords {
                    assert!(!seen.contains(chord), "{} twice on {page:?}", chord.name());
                    seen.push(*chord);
                }
            }
        }
    }

    #[test]
    fn the_documentation_lists_all_keys() {
        let document = include_str!("../../../../docs/terminal.md");
        let lines: Vec<String> = super::super::keys()
            .iter()
            .map(|(names, help)| {
                let names: Vec<String> = names.split(' ').map(|name| format!("`{name}`")).collect();
                format!("| {} | {help} |\n", names.join(" "))
            })
            .collect();
        let table = lines.concat();
        assert!(document.contains(&table), "docs/terminal.md is to have these:\n{table}");
    }

    #[test]
    fn help_says_what_works_here() {
        let events = page(Subject::Events);
        let told = KEYS.help(|action| works(action, &events, 1));
        let has = |help: &str| told.iter().any(|(_, it)| *it == help);
        assert!(has("kinds of events") && has("quit") && has("from when to when"));
        assert!(!has("by program") && !has("next side") && !has("one level back"));
    }

    #[test]
    fn presets_have_the_help_of_their_times() {
        for (at, preset) in PRESETS.iter().enumerate() {
            let bound = KEYS.0.iter().find(|it| it.action == Action::Preset(at));
            assert_eq!(bound.map(|it| it.help), Some(preset.long));
        }
    }

    #[test]
    fn slash_filters_whatever_the_page_has() {
        let slash = KeyEvent::new(KeyCode::Char('/'), KeyModifiers::NONE);
        let find = |page: &Page| KEYS.find(&slash, |action| works(action, page, 1));
        let history = page(Subject::History { by: Dimension::Exe });
        assert_eq!(find(&history), Some(Action::Filter));
        assert_eq!(find(&page(Subject::Events)), Some(Action::Kinds));
    }
}
