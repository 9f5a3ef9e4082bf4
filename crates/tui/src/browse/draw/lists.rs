//! Events, and how the daemon is.

use femtosnitch_store::EventKind;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::text::Span;

use super::super::events as words;
use super::super::layout::Places;
use super::super::notes::moment;
use super::super::system;
use super::super::system::Tone;
use super::Ink;
use super::put;
use super::say;
use super::table::value;
use crate::text::clip;
use crate::text::count;
use crate::text::pad_right;
use crate::widgets::Column;
use crate::widgets::Row;
use crate::widgets::Table;

impl Ink<'_> {
    /// How a kind of event is meant.
    pub(crate) fn kind(self, kind: EventKind) -> Style {
        match kind {
            EventKind::FirstSeen => self.theme.good(),
            EventKind::Modified => self.theme.bad(),
            EventKind::Upgraded => self.theme.text(),
            EventKind::Gap | EventKind::Lost => self.theme.warning(),
        }
    }
}

const EVENTS: [Column; 4] = [
    Column::word("Time", 16, 0),
    Column::word("Kind", 11, 0),
    Column { grow: 2, ..Column::text("Program", 20) },
    Column { grow: 3, rank: 1, ..Column::text("What", 20) },
];

/// The newest first.
pub(super) fn events(ink: Ink<'_>, buf: &mut Buffer, places: Places) {
    let area = places.list;
    let page = &ink.state.page;
    let Some(events) = &page.known.events else {
        say(ink, buf, area, &[(ink.own("Looking…"), ink.theme.dim())]);
        return;
    };
    if events.is_empty() {
        let kinds: Vec<&str> = page.kinds.iter().map(|kind| words::title(*kind)).collect();
        let why = if kinds.is_empty() {
            "No program was new or changed in this time, and nothing was lost.".to_owned()
        } else {
            format!("None of these kinds in this time: {}.", kinds.join(", "))
        };
        let lines = [("Nothing to report".to_owned(), ink.theme.bold()), (why, ink.theme.dim())];
        say(ink, buf, area, &lines);
        return;
    }
    let left_out = page.known.events_left_out;
    if left_out > 0 {
        let left_out = count(u64::try_from(left_out).unwrap_or(0));
        let text =
            format!("{left_out} earlier events of this time are not shown: choose a shorter time.");
        put(buf, places.foot, &Line::styled(text, ink.theme.dim()));
    }
    let table = Table { columns: &EVENTS, sort: None, focused: ink.state.over.is_none() };
    table.draw(buf, area, (page.cursor, events.len()), ink.theme, |at, widths| {
        let Some(event) = events.get(at) else { return Row::default() };
        let room = |column: usize| usize::from(widths.get(column).copied().unwrap_or(0));
        let program = if event.exe.is_empty() {
            Line::styled(ink.theme.glyphs.absent, ink.theme.dim())
        } else {
            Line::from(value(ink, femtosnitch_store::Dimension::Exe, &event.exe, room(2)))
        };
        let facts = words::facts(event, ink.theme.glyphs.ascii).join(&ink.own(" · "));
        let cells = vec![
            Line::styled(moment(event.at, &ink.state.zone, None), ink.theme.dim()),
            Line::styled(words::title(event.kind), ink.kind(event.kind)),
            program,
            Line::raw(clip(&ink.safe(&facts), room(3), ink.ellipsis())),
        ];
        Row { cells, style: Style::new() }
    });
}

/// Cells for the names of facts.
const NAMES: usize = 22;

pub(super) fn system(ink: Ink<'_>, buf: &mut Buffer, area: Rect) {
    let page = &ink.state.page;
    let lines = system::lines(page, ink.state.units, &ink.state.zone);
    if lines.is_empty() {
        say(ink, buf, area, &[(ink.own("Looking…"), ink.theme.dim())]);
        return;
    }
    let room = usize::from(area.height);
    let first = page.cursor.first(lines.len(), room);
    let longest = lines.iter().filter(|line| line.tone != Tone::Title && !line.value.is_empty());
    let longest = longest.map(|line| line.name.len()).max().unwrap_or(0).clamp(NAMES, 36);
    for (at, y) in (first..lines.len()).zip(area.y..area.bottom()) {
        let Some(line) = lines.get(at) else { break };
        let row = Rect { y, height: 1, ..area };
        let style = match line.tone {
            Tone::Title => ink.theme.bold(),
            Tone::Plain => ink.theme.text(),
            Tone::Good => ink.theme.good(),
            Tone::Warning => ink.theme.warning(),
            Tone::Bad => ink.theme.bad(),
        };
        let name = ink.safe(&line.name);
        let spans = if line.value.is_empty() {
            vec![Span::styled(name, style)]
        } else if line.name.is_empty() {
            vec![Span::styled(
                clip(&ink.safe(&line.value), usize::from(area.width), ink.ellipsis()),
                style,
            )]
        } else {
            let value = usize::from(area.width).saturating_sub(longest + 2);
            vec![
                Span::styled(
                    format!("{}  ", pad_right(&name, longest, ink.ellipsis())),
                    ink.theme.dim(),
                ),
                Span::styled(clip(&ink.safe(&line.value), value, ink.ellipsis()), style),
            ]
        };
        put(buf, row, &Line::from(spans));
        if at == page.cursor.at {
            buf.set_style(row, ink.theme.selected(ink.state.over.is_none()));
        }
    }
}
