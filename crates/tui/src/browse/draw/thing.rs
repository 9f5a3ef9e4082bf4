//! One program, host, name or container, from all sides.

use femtosnitch_store::Breakdown;
use femtosnitch_store::Dimension;
use femtosnitch_store::Event;
use femtosnitch_store::ProgramVersion;
use femtosnitch_store::Sums;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::text::Span;

use super::super::events;
use super::super::layout::Places;
use super::super::measure::Measure;
use super::super::measure::amount;
use super::super::measure::received;
use super::super::measure::sent;
use super::super::notes::moment;
use super::super::page::Page;
use super::super::page::Subject;
use super::super::page::first_key;
use super::super::page::text_of;
use super::super::panes;
use super::super::panes::Pane;
use super::super::tree;
use super::Ink;
use super::put;
use super::put_right;
use super::say;
use super::table::value;
use crate::text::clip;
use crate::text::count;
use crate::text::middle;
use crate::text::pad_left;
use crate::text::percent;
use crate::text::short_digest;
use crate::text::width;

/// Cells between the titles of lists that have a line together.
const APART: u16 = 2;

pub(super) fn draw(ink: Ink<'_>, buf: &mut Buffer, places: Places) {
    let page = &ink.state.page;
    about(ink, buf, places.about);
    let all = panes::of(page);
    if all.is_empty() {
        if page.waits.is_some() {
            say(ink, buf, places.list, &[(ink.own("Looking…"), ink.theme.dim())]);
        }
        return;
    }
    let focus = panes::focus(page, &all);
    let grid = panes::is_grid(places.list, all.len());
    if !grid {
        tabs(ink, buf, Rect { height: 1, ..places.list }, focus);
    }
    for (at, area) in panes::places(places.list, all.len(), focus) {
        let Some(pane) = all.get(at) else { continue };
        if grid {
            title(ink, buf, Rect { height: 1, ..area }, *pane, at == focus);
        }
        list(ink, buf, area, *pane, at == focus);
    }
}

/// What the program is, as it was found last.
fn about(ink: Ink<'_>, buf: &mut Buffer, area: Rect) {
    let theme = ink.theme;
    let Subject::Thing { dimension: Dimension::Exe, value: exe } = &ink.state.page.subject else {
        return;
    };
    let line = |y: u16| Rect { y: area.y + y, height: 1, ..area };
    if area.height == 0 {
        return;
    }
    let path = middle(&ink.safe(exe), usize::from(area.width), ink.ellipsis());
    put(buf, line(0), &Line::styled(path, theme.accent()));
    let Some(program) = &ink.state.page.known.program else { return };
    if area.height < 2 {
        return;
    }
    let Some(latest) = program.versions.first() else {
        let nothing = "Nothing is known of a program at this path.";
        put(buf, line(1), &Line::styled(nothing, theme.dim()));
        return;
    };
    let (state, style) = state(ink, latest);
    let mut spans = vec![Span::styled(state, style)];
    let mut add = |text: String, style: Style| {
        if !text.is_empty() {
            spans.push(Span::styled(format!("  {text}"), style));
        }
    };
    let package = format!("{} {}", latest.package, latest.package_version);
    add(ink.safe(package.trim()), theme.text());
    add(short_digest(&ink.safe(&latest.sha256)), theme.dim());
    add(ink.safe(&latest.privileges), theme.warning());
    if !latest.written_by.is_empty() {
        add(format!("written by {}", ink.safe(&latest.written_by)), theme.dim());
    }
    put(buf, line(1), &Line::from(spans));
}

/// Whether it is what its package shipped, in the dashboard's words.
fn state(ink: Ink<'_>, version: &ProgramVersion) -> (String, Style) {
    match version.package_state.as_str() {
        "intact" => ("as its package shipped it".to_owned(), ink.theme.good()),
        "modified" => ("not what its package shipped".to_owned(), ink.theme.bad()),
        "not packaged" => ("not packaged".to_owned(), ink.theme.warning()),
        "" => ("not looked up".to_owned(), ink.theme.dim()),
        other => (ink.safe(other), ink.theme.text()),
    }
}

/// Where titles of lists stand in their line: which list, its first column, its width. That with the
/// keys is always among them.
pub(crate) fn tab_places(page: &Page, room: u16, focus: usize) -> Vec<(usize, u16, u16)> {
    let widths: Vec<u16> = panes::of(page)
        .iter()
        .map(|pane| u16::try_from(width(&panes::title(page, *pane, true))).unwrap_or(u16::MAX))
        .collect();
    let from = |first: usize| {
        let mut x = 0_u16;
        let places = widths.iter().enumerate().skip(first).map(move |(at, wide)| {
            let place = (at, x, *wide);
            x = x.saturating_add(*wide).saturating_add(APART);
            place
        });
        places.filter(|(_, x, wide)| x.saturating_add(*wide) <= room).collect::<Vec<_>>()
    };
    let shows = |places: &Vec<(usize, u16, u16)>| places.iter().any(|(at, ..)| *at == focus);
    (0..widths.len()).map(from).find(shows).unwrap_or_default()
}

fn tabs(ink: Ink<'_>, buf: &mut Buffer, area: Rect, focus: usize) {
    let page = &ink.state.page;
    let all = panes::of(page);
    for (at, x, wide) in tab_places(page, area.width, focus) {
        let Some(pane) = all.get(at) else { continue };
        let style = if at == focus { ink.theme.selected(true) } else { ink.theme.dim() };
        let title = panes::title(page, *pane, true);
        put(buf, Rect { x: area.x + x, width: wide, ..area }, &Line::styled(title, style));
    }
}

/// What a list is called, and what it is of.
fn title(ink: Ink<'_>, buf: &mut Buffer, area: Rect, pane: Pane, focused: bool) {
    let (page, theme) = (&ink.state.page, ink.theme);
    let named = panes::title(page, pane, theme.glyphs.ascii);
    let style = if focused { theme.accent() } else { theme.bold() };
    put(buf, area, &Line::styled(clip(&named, usize::from(area.width), ink.ellipsis()), style));
    let more = more(ink, pane, panes::len(page, pane));
    if width(&more) + width(&named) + 2 <= usize::from(area.width) {
        put_right(buf, area, &Line::styled(more, theme.dim()));
    }
}

/// A list; its first line is for its title.
fn list(ink: Ink<'_>, buf: &mut Buffer, area: Rect, pane: Pane, focused: bool) {
    let (page, theme) = (&ink.state.page, ink.theme);
    let len = panes::len(page, pane);
    let room = usize::from(area.height.saturating_sub(1));
    if len == 0 {
        let row = Rect { y: area.y + 1, height: area.height.min(2) - area.height.min(1), ..area };
        put(buf, row, &Line::styled("nothing", theme.dim()));
    }
    let nodes = page.known.tree.as_deref().filter(|_| pane == Pane::Lineage);
    let tree = nodes.map(|nodes| tree::lines(nodes).0).unwrap_or_default();
    let first = if focused { page.cursor.first(len, room) } else { 0 };
    for (at, y) in (first..len).zip(area.y + 1..area.bottom()) {
        let row = Rect { y, height: 1, ..area };
        match tree.get(at) {
            Some(line) => of_tree(ink, buf, row, line),
            None => entry(ink, buf, row, pane, at),
        }
        if focused && at == page.cursor.at {
            buf.set_style(row, theme.selected(ink.state.over.is_none()));
        }
    }
}

/// What a list is of, and how much of it is not shown.
fn more(ink: Ink<'_>, pane: Pane, len: usize) -> String {
    let page = &ink.state.page;
    match pane {
        Pane::Side(_) => {
            let others = panes::side(page, pane).map_or(0, |side| side.others.groups);
            let all = others.saturating_add(u64::try_from(len).unwrap_or(0));
            if others > 0 { format!("{} in all", count(all)) } else { String::new() }
        }
        Pane::Contents => "what was seen at this path".to_owned(),
        Pane::Happened => String::new(),
        Pane::Lineage => "each with all that it launched".to_owned(),
    }
}

fn entry(ink: Ink<'_>, buf: &mut Buffer, row: Rect, pane: Pane, at: usize) {
    let known = &ink.state.page.known;
    match pane {
        Pane::Side(_) => {
            if let Some(side) = panes::side(&ink.state.page, pane) {
                of_side(ink, buf, row, side, at);
            }
        }
        Pane::Contents => {
            let version = known.program.as_ref().and_then(|it| it.versions.get(at));
            if let Some(version) = version {
                of_contents(ink, buf, row, version);
            }
        }
        Pane::Happened => {
            if let Some(event) = known.events.as_ref().and_then(|events| events.get(at)) {
                happened(ink, buf, row, event);
            }
        }
        Pane::Lineage => {}
    }
}

/// Share and bytes at the right, the name where there is room.
fn of_side(ink: Ink<'_>, buf: &mut Buffer, row: Rect, side: &Breakdown, at: usize) {
    let Some(answer) = side.answers.get(at) else { return };
    let layer = ink.state.layer;
    let all = |sums: &Sums| amount(sums, Measure::Total, layer);
    let total = ink.state.page.known.detail.as_ref().map_or(0, |detail| all(&detail.total));
    let sums = answer.sums();
    let own = all(&sums);
    let measured = received(&sums, layer).or(sent(&sums, layer)).map(|_| own);
    let mark = ink.ellipsis();
    let right = vec![
        Span::styled(pad_left(&percent(own, total), 8, mark), ink.theme.dim()),
        Span::raw(pad_left(&ink.amount(measured), 11, mark)),
    ];
    put_right(buf, row, &Line::from(right));
    let room = usize::from(row.width).saturating_sub(8 + 11 + 3);
    let key = first_key(answer).map(text_of).unwrap_or_default();
    let colour = ink.theme.of_key(&key);
    let mut spans = vec![Span::styled(format!("{} ", ink.theme.glyphs.block), colour)];
    spans.extend(value(ink, side.by, &key, room.saturating_sub(2)));
    put(buf, Rect { width: row.width.saturating_sub(20), ..row }, &Line::from(spans));
}

fn of_contents(ink: Ink<'_>, buf: &mut Buffer, row: Rect, version: &ProgramVersion) {
    let theme = ink.theme;
    let zone = &ink.state.zone;
    let (state, style) = state(ink, version);
    let package = format!("{} {}", version.package, version.package_version);
    // All of a digest where there is room for it: it is looked at to compare it.
    let room = usize::from(row.width);
    let digest = ink.safe(&version.sha256);
    let digest = if room >= 64 + 60 { digest } else { short_digest(&digest) };
    let times = format!(
        "{} until {}",
        moment(version.first_seen, zone, None),
        moment(version.last_seen, zone, None)
    );
    let spans = vec![
        Span::raw(digest),
        Span::styled(format!("  {state}"), style),
        Span::styled(format!("  {times}"), theme.dim()),
        Span::raw(format!("  {}", ink.safe(package.trim()))),
    ];
    put(buf, row, &Line::from(spans));
}

fn happened(ink: Ink<'_>, buf: &mut Buffer, row: Rect, event: &Event) {
    let facts = events::facts(event, ink.theme.glyphs.ascii).join(&ink.own(" · "));
    let spans = vec![
        Span::styled(moment(event.at, &ink.state.zone, None), ink.theme.dim()),
        Span::styled(format!("  {:<11}  ", events::title(event.kind)), ink.kind(event.kind)),
        Span::raw(ink.safe(&facts)),
    ];
    put(buf, row, &Line::from(spans));
}

fn of_tree(ink: Ink<'_>, buf: &mut Buffer, row: Rect, line: &tree::Line) {
    let theme = ink.theme;
    let mark = ink.ellipsis();
    let layer = ink.state.layer;
    let told = |glyph: &str, amount: Option<u64>| {
        format!("{glyph} {}", pad_left(&ink.amount(amount), 10, mark))
    };
    let (received, sent) = (received(&line.total, layer), sent(&line.total, layer));
    let right = vec![
        Span::styled(told(theme.glyphs.received, received), theme.received()),
        Span::styled(format!("  {}", told(theme.glyphs.sent, sent)), theme.sent()),
    ];
    let right = Line::from(right);
    let room = usize::from(row.width).saturating_sub(right.width() + 2);
    put_right(buf, row, &right);
    let own = matches!(&ink.state.page.subject,
        Subject::Thing { dimension: Dimension::Exe, value } if *value == line.exe);
    let before = theme.glyphs.branches.before(&line.levels);
    let about: Vec<String> = line.about.iter().map(|it| ink.safe(it)).collect();
    let exe = ink.safe(&line.exe);
    let exe = middle(&exe, room.saturating_sub(width(&before)), mark);
    let about = about.join(&ink.own(" · "));
    let about = clip(&about, room.saturating_sub(width(&before) + width(&exe) + 2), mark);
    let spans = vec![
        Span::styled(before, theme.dim()),
        Span::styled(exe, if own { theme.accent() } else { theme.text() }),
        Span::styled(format!("  {about}"), theme.dim()),
    ];
    put(buf, Rect { width: u16::try_from(room).unwrap_or(row.width), ..row }, &Line::from(spans));
}
