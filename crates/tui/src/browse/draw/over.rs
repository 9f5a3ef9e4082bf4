//! What lies over a page: lists to choose from, lines to type, help.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::text::Span;

use super::super::filter_box::FilterBox;
use super::super::filter_box::Offer;
use super::super::keys::KEYS;
use super::super::keys::works;
use super::super::layout;
use super::super::over::TIMES;
use super::super::picker::Picker;
use super::super::picker::ROOM;
use super::super::save_box::SaveBox;
use super::super::state::Over;
use super::super::words;
use super::Ink;
use super::put;
use super::put_right;
use crate::text::bytes;
use crate::text::clip;
use crate::text::count;
use crate::text::key_text;
use crate::text::middle;
use crate::widgets::help;
use crate::widgets::popup;

/// Size of a list to choose from, its border included.
const LIST: (u16, u16) = (76, 18);
const SHORT: (u16, u16) = (76, 7);

/// Where the lines of a list are, the first of them, and how many there are.
pub(crate) fn list_of(over: &Over, size: (u16, u16)) -> Option<(Rect, usize, usize)> {
    let (cursor, len) = match over {
        Over::Group(picker) => (picker.cursor, picker.shown().len()),
        Over::Kinds(picker) => (picker.cursor, picker.shown().len()),
        Over::Times(picker, _) => (picker.cursor, picker.shown().len()),
        Over::Filter(filter) => (filter.cursor, filter.offers().len()),
        Over::Help(_) | Over::Filters(_) | Over::Save(_) => return None,
    };
    let area = lines(layout::over(size, LIST));
    let room = usize::from(area.height);
    Some((area, cursor.first(len, room), len))
}

/// Below the line that is typed and an empty one; the last line is for what is wrong.
fn lines(inside: Rect) -> Rect {
    let height = inside.height.saturating_sub(3).min(u16::try_from(ROOM).unwrap_or(u16::MAX));
    Rect { y: inside.y + 2, height, ..inside }
}

pub(super) fn draw(ink: Ink<'_>, buf: &mut Buffer, area: Rect, over: &Over) {
    let theme = ink.theme;
    match over {
        Over::Help(skip) => {
            let depth = ink.state.above.len() + 1;
            let keys = KEYS.help(|action| works(action, &ink.state.page, depth));
            let title = if keys.len() + 2 > usize::from(area.height) {
                "Keys that work here (Down: more)"
            } else {
                "Keys that work here"
            };
            help(buf, area, title, &keys, *skip, theme);
        }
        Over::Group(picker) => pick(ink, buf, area, "By what", picker, None),
        Over::Kinds(picker) => pick(ink, buf, area, "Kinds of events (none: all)", picker, None),
        Over::Times(picker, wrong) => {
            let wrong = wrong.as_deref().map_or((TIMES, false), |wrong| (wrong, true));
            pick(ink, buf, area, "From when to when", picker, Some(wrong));
        }
        Over::Filter(filter) => of_filter(ink, buf, area, filter),
        Over::Filters(cursor) => {
            let filters = &ink.state.page.filters;
            let tall = u16::try_from(filters.len()).unwrap_or(u16::MAX).saturating_add(4);
            let inside = popup(buf, area, (LIST.0, tall), "Filters in force", theme);
            // An empty line and that of the keys are below them.
            let room = inside.height.saturating_sub(2).max(1);
            let first = (cursor.at + 1).saturating_sub(usize::from(room));
            let lines = filters.iter().enumerate().skip(first);
            for ((at, filter), y) in lines.zip(inside.y..inside.y + room) {
                let row = Rect { y, height: 1, ..inside };
                let text = ink.safe(&filter.to_string());
                put(buf, row, &Line::raw(middle(&text, usize::from(row.width), ink.ellipsis())));
                if at == cursor.at {
                    buf.set_style(row, theme.selected(true));
                }
            }
            let last = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
            let hint = "Enter turns it around, Delete removes it, Esc leaves";
            put(buf, last, &Line::styled(hint, theme.dim()));
        }
        Over::Save(save) => of_save(ink, buf, area, save),
    }
}

/// A line to type, and below it what is left of a list.
fn pick<T: Clone>(
    ink: Ink<'_>,
    buf: &mut Buffer,
    area: Rect,
    title: &str,
    picker: &Picker<T>,
    said: Option<(&str, bool)>,
) {
    let theme = ink.theme;
    let inside = popup(buf, area, LIST, title, theme);
    type_line(ink, buf, inside, &picker.editor);
    let (area, shown) = (lines(inside), picker.shown());
    let first = picker.cursor.first(shown.len(), usize::from(area.height));
    for (at, y) in (first..shown.len()).zip(area.y..area.bottom()) {
        let Some(choice) = shown.get(at) else { break };
        let row = Rect { y, height: 1, ..area };
        let mark = if choice.on { theme.glyphs.pin } else { " " };
        let spans = vec![
            Span::styled(format!("{mark} "), theme.accent()),
            Span::raw(ink.own(&choice.title)),
        ];
        put(buf, row, &Line::from(spans));
        put_right(buf, row, &Line::styled(choice.note.clone(), theme.dim()));
        if at == picker.cursor.at {
            buf.set_style(row, theme.selected(true));
        }
    }
    if let Some((text, wrong)) = said {
        last_line(ink, buf, inside, text, wrong);
    }
}

fn last_line(ink: Ink<'_>, buf: &mut Buffer, inside: Rect, text: &str, wrong: bool) {
    let style = if wrong { ink.theme.bad() } else { ink.theme.dim() };
    let line = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    put(
        buf,
        line,
        &Line::styled(clip(&ink.safe(text), usize::from(line.width), ink.ellipsis()), style),
    );
}

fn type_line(ink: Ink<'_>, buf: &mut Buffer, inside: Rect, editor: &crate::widgets::LineEditor) {
    let line = Rect { height: inside.height.min(1), ..inside };
    put(buf, line, &Line::styled("> ", ink.theme.accent()));
    let typed = Rect { x: line.x + 2, width: line.width.saturating_sub(2), ..line };
    editor.draw(buf, typed, ink.theme.bold(), ink.theme.glyphs.ascii);
}

fn of_filter(ink: Ink<'_>, buf: &mut Buffer, area: Rect, filter: &FilterBox) {
    let theme = ink.theme;
    let inside = popup(buf, area, LIST, "Filter", theme);
    type_line(ink, buf, inside, &filter.editor);
    let (area, offers) = (lines(inside), filter.offers());
    let first = filter.cursor.first(offers.len(), usize::from(area.height));
    let room = usize::from(area.width).saturating_sub(34);
    for (at, y) in (first..offers.len()).zip(area.y..area.bottom()) {
        let Some(offer) = offers.get(at) else { break };
        let row = Rect { y, height: 1, ..area };
        let (left, right) = match offer {
            Offer::Typed(filter) => {
                let text = ink.safe(&filter.to_string());
                (Line::raw(middle(&text, room, ink.ellipsis())), "as typed".to_owned())
            }
            Offer::Dimension(dimension) => {
                let title = ink.own(words::title(*dimension));
                (Line::styled(title, theme.accent()), format!("{dimension}="))
            }
            Offer::Value { dimension, operator, value, bytes: moved, connections } => {
                let text = key_text(dimension.name(), value, theme.glyphs.ascii);
                let name = ink.own(words::title(*dimension));
                let not = if operator.starts_with('!') { "not " } else { "" };
                let moved = match (moved, connections) {
                    (0, n) if *n > 0 => format!("{} connections", count(*n)),
                    _ => bytes(*moved, ink.state.units),
                };
                let left = Line::from(vec![
                    Span::styled(not, theme.warning()),
                    Span::raw(middle(&text, room, ink.ellipsis())),
                ]);
                (left, format!("{name}  {moved:>10}"))
            }
        };
        put(buf, row, &left);
        put_right(buf, row, &Line::styled(right, theme.dim()));
        if at == filter.cursor.at {
            buf.set_style(row, theme.selected(true));
        }
    }
    let help = "or type: domain=example.org, rport=8000..8999, exe~/usr/lib/*, country!=DE";
    let said = filter.wrong.as_deref().map_or((help, false), |wrong| (wrong, true));
    last_line(ink, buf, inside, said.0, said.1);
}

fn of_save(ink: Ink<'_>, buf: &mut Buffer, area: Rect, save: &SaveBox) {
    let inside = popup(buf, area, SHORT, "Save what is shown", ink.theme);
    type_line(ink, buf, inside, &save.editor);
    let help = "a name that ends in .json is written as JSON, any other as CSV; Esc leaves";
    let said = save.wrong.as_deref().map_or((help, false), |wrong| (wrong, true));
    last_line(ink, buf, inside, said.0, said.1);
}
