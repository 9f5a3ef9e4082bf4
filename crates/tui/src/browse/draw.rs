//! Paints the state. What a screen shows is decided here and nowhere else.

mod chart;
mod lists;
mod over;
mod table;
mod thing;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::text::Span;

use super::ask::Trouble;
use super::keys::CHOOSE;
use super::keys::Choose;
use super::keys::KEYS;
use super::keys::works;
use super::layout;
use super::layout::Places;
use super::layout::SMALLEST;
use super::measure::Layer;
use super::measure::received;
use super::measure::sent;
use super::notes;
use super::page::Page;
use super::page::Subject;
use super::state::Browse;
use super::state::Over;
use super::words;
use crate::text::base_name;
use crate::text::bytes;
use crate::text::clip;
use crate::text::count;
use crate::text::key_text;
use crate::text::round_trip;
use crate::text::shown;
use crate::text::width;
use crate::theme::Theme;
use crate::widgets::hints;

pub(crate) use over::list_of;
pub(crate) use thing::tab_places;

/// Things with a colour of their own, as in the dashboard.
pub(crate) const CHARTED: usize = 10;

/// Columns below which times are told in short.
const NARROW: u16 = 64;

/// What all parts need.
#[derive(Clone, Copy)]
pub(crate) struct Ink<'a> {
    pub(crate) state: &'a Browse,
    pub(crate) theme: &'a Theme,
}

impl Ink<'_> {
    fn ascii(self) -> bool {
        self.theme.glyphs.ascii
    }

    /// Our own words, for this terminal.
    pub(crate) fn own(self, text: &str) -> String {
        if !self.ascii() {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        for ch in text.chars() {
            match ch {
                '’' => out.push('\''),
                '…' => out.push_str("..."),
                '–' | '·' => out.push('-'),
                '→' => out.push('>'),
                ch => out.push(ch),
            }
        }
        out
    }

    /// Text from outside.
    pub(crate) fn safe(self, text: &str) -> String {
        shown(text, self.ascii())
    }

    pub(crate) fn ellipsis(self) -> &'static str {
        self.theme.glyphs.ellipsis
    }

    /// Bytes, or a dash where they were not measured.
    pub(crate) fn amount(self, value: Option<u64>) -> String {
        value.map_or_else(|| self.theme.glyphs.absent.to_owned(), |it| bytes(it, self.state.units))
    }

    pub(crate) fn rtt(self, us: Option<u64>) -> String {
        let absent = || self.theme.glyphs.absent.to_owned();
        us.map_or_else(absent, |us| round_trip(u32::try_from(us).unwrap_or(u32::MAX), self.ascii()))
    }
}

/// Paints all of it.
pub(crate) fn draw(state: &Browse, theme: &Theme, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buf = frame.buffer_mut();
    let ink = Ink { state, theme };
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let (wide, tall) = SMALLEST;
        put(buf, area, &Line::raw(format!("too small: {wide} x {tall} at least")));
        return;
    }
    let notes = state.notes();
    let places = layout::of(&state.page, (area.width, area.height), notes.len());
    head(ink, buf, places.head);
    totals(ink, buf, places.totals);
    chips(ink, buf, places.chips);
    let trouble = match &state.page.known.trouble {
        Some(Trouble::History(why)) => Some(why.as_str()),
        _ => None,
    };
    // What was known before is worth more than why it is not known anew.
    let nothing = state.page.told().is_none() && state.page.known.events.is_none();
    match (trouble, &state.page.known.trouble) {
        (Some(why), _) if nothing => unreadable(ink, buf, places, why),
        (_, Some(Trouble::Question(why))) => senseless(ink, buf, places.list, why),
        _ => {
            chart::draw(ink, buf, places);
            match &state.page.subject {
                Subject::History { by } => table::draw(ink, buf, places, *by),
                Subject::Thing { .. } => thing::draw(ink, buf, places),
                Subject::Events => lists::events(ink, buf, places),
                Subject::System => lists::system(ink, buf, places.list),
            }
        }
    }
    for (note, y) in notes.iter().zip(places.notes.y..places.notes.bottom()) {
        let line = Rect { y, height: 1, ..places.notes };
        let text = clip(&ink.safe(note), usize::from(line.width), ink.ellipsis());
        put(buf, line, &Line::styled(text, theme.warning()));
    }
    footer(ink, buf, places.hints, trouble.filter(|_| !nothing));
    if let Some(over) = &state.over {
        over::draw(ink, buf, area, over);
    }
}

/// A line at the left of an area.
pub(crate) fn put(buf: &mut Buffer, area: Rect, line: &Line<'_>) {
    if !area.is_empty() {
        buf.set_line(area.x, area.y, line, area.width);
    }
}

/// A line at its right.
fn put_right(buf: &mut Buffer, area: Rect, line: &Line<'_>) {
    let wide = u16::try_from(line.width()).unwrap_or(u16::MAX).min(area.width);
    put(buf, Rect { x: area.right() - wide, width: wide, ..area }, line);
}

/// Lines of text in the middle of an area.
pub(crate) fn say(ink: Ink<'_>, buf: &mut Buffer, area: Rect, lines: &[(String, Style)]) {
    let tall = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    let top = area.y + (area.height - tall) / 2;
    for ((text, style), y) in lines.iter().zip(top..top + tall) {
        let text = clip(text, usize::from(area.width), ink.ellipsis());
        let wide = u16::try_from(width(&text)).unwrap_or(u16::MAX).min(area.width);
        let x = area.x + (area.width - wide) / 2;
        buf.set_stringn(x, y, &text, usize::from(wide), *style);
    }
}

/// Words that wrap at spaces.
pub(crate) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// No history, or none that can be read.
fn unreadable(ink: Ink<'_>, buf: &mut Buffer, places: Places, why: &str) {
    let area = Rect {
        y: places.head.bottom(),
        height: places.hints.y.saturating_sub(places.head.bottom()),
        ..places.head
    };
    let room = usize::from(area.width.saturating_sub(8)).min(90);
    let mut lines = vec![("There is no history to show".to_owned(), ink.theme.bad())];
    lines.push((String::new(), Style::new()));
    lines.extend(wrapped(&ink.safe(why), room).into_iter().map(|line| (line, ink.theme.text())));
    lines.push((String::new(), Style::new()));
    lines.push(("It is looked for again every two seconds.".to_owned(), ink.theme.dim()));
    say(ink, buf, area, &lines);
}

/// A question that has no answer.
fn senseless(ink: Ink<'_>, buf: &mut Buffer, area: Rect, why: &str) {
    let room = usize::from(area.width.saturating_sub(8)).min(90);
    let mut lines = vec![("This cannot be asked".to_owned(), ink.theme.bad())];
    lines.extend(wrapped(&ink.safe(why), room).into_iter().map(|line| (line, ink.theme.text())));
    say(ink, buf, area, &lines);
}

/// What a page is called, on the way to the one that is shown.
fn name(ink: Ink<'_>, page: &Page) -> String {
    match &page.subject {
        Subject::History { by } => {
            format!("History by {}", ink.own(words::title(*by)))
        }
        Subject::Thing { dimension, value } => {
            let text = key_text(dimension.name(), value, ink.ascii());
            if words::is_path(*dimension) { base_name(&text).to_owned() } else { text }
        }
        Subject::Events => "Events".to_owned(),
        Subject::System => "System".to_owned(),
    }
}

fn head(ink: Ink<'_>, buf: &mut Buffer, area: Rect) {
    let Ink { state, theme } = ink;
    let page = &state.page;
    let mut time = String::new();
    if !matches!(page.subject, Subject::System) {
        let (since, until) = page.span(state.now);
        let preset = page.range.preset().and_then(|at| super::range::PRESETS.get(at));
        let span = notes::span(since, until, state.now, &state.zone);
        time = match preset {
            // Where there is little room, what is looked at matters more.
            Some(preset) if area.width < NARROW => preset.title.to_owned(),
            Some(preset) => format!("{}  {span}", preset.title),
            None => span,
        };
    }
    let busy = page.waits.is_some() && (page.told().is_some() || page.known.events.is_some());
    let mark = if busy { ink.own(" …") } else { "  ".to_owned() };
    let right =
        Line::from(vec![Span::styled(time, theme.text()), Span::styled(mark, theme.accent())]);
    let room = usize::from(area.width).saturating_sub(right.width() + 2);
    let arrow = format!(" {} ", theme.glyphs.arrow);
    let own = clip(&name(ink, page), room, ink.ellipsis());
    let mut path = String::new();
    for above in state.above.iter().rev() {
        let longer = format!("{}{arrow}{path}", name(ink, above));
        if width(&longer) + width(&own) > room {
            break;
        }
        path = longer;
    }
    put(
        buf,
        area,
        &Line::from(vec![Span::styled(path, theme.dim()), Span::styled(own, theme.bold())]),
    );
    put_right(buf, area, &right);
}

/// Received and sent, and how they are counted.
fn totals(ink: Ink<'_>, buf: &mut Buffer, area: Rect) {
    let Ink { state, theme } = ink;
    let known = &state.page.known;
    let total = known.report.as_ref().map(|report| report.total);
    let total = total.or(known.detail.as_ref().map(|detail| detail.total));
    let mut spans = Vec::new();
    if let Some(total) = &total {
        let mut say = |mark: &str, style: Style, text: String| {
            spans.push(Span::styled(format!("{mark} "), style));
            spans.push(Span::styled(format!("{text}   "), theme.bold()));
        };
        say(theme.glyphs.received, theme.received(), ink.amount(received(total, state.layer)));
        say(theme.glyphs.sent, theme.sent(), ink.amount(sent(total, state.layer)));
        say("connections", theme.dim(), count(total.connections));
        if total.failed > 0 {
            say("failed", theme.dim(), count(total.failed));
        }
        if matches!(state.page.subject, Subject::Thing { .. }) && total.rtt_us.is_some() {
            say("best RTT", theme.dim(), ink.rtt(total.rtt_us));
        }
    }
    let settings =
        [state.measure.title(), state.layer.title(), state.units.name()].join(&ink.own(" · "));
    let right = Line::styled(format!("{settings}  "), theme.dim());
    let left = Line::from(spans);
    if left.width() + right.width() < usize::from(area.width) {
        put_right(buf, area, &right);
    }
    put(buf, area, &left);
}

/// Filters as they are shown: in full where all of them fit, else each with its part of the line.
fn chip_texts(page: &Page, ascii: bool, room: u16) -> Vec<String> {
    let mark = if ascii { "~" } else { "…" };
    let texts: Vec<String> =
        page.filters.iter().map(|filter| shown(&filter.to_string(), ascii)).collect();
    let room = usize::from(room);
    let needed: usize = texts.iter().map(|text| width(text) + 3).sum();
    if needed <= room {
        return texts;
    }
    let part = (room / texts.len().max(1)).saturating_sub(3).max(12);
    texts.iter().map(|text| crate::text::middle(text, part, mark)).collect()
}

/// How wide chips are.
pub(crate) fn chip_widths(page: &Page, room: u16) -> Vec<usize> {
    chip_texts(page, false, room).iter().map(|text| width(text)).collect()
}

fn chips(ink: Ink<'_>, buf: &mut Buffer, area: Rect) {
    let texts = chip_texts(&ink.state.page, ink.ascii(), area.width);
    let widths: Vec<usize> = texts.iter().map(|text| width(text)).collect();
    let places = layout::chips(&widths, area.width);
    for (text, (x, _)) in texts.iter().zip(&places) {
        let chip = Line::styled(format!(" {text} "), ink.theme.chip());
        put(buf, Rect { x: area.x + x, width: area.width - x, ..area }, &chip);
    }
    let hidden = texts.len() - places.len();
    if hidden > 0 {
        let more = Line::styled(format!(" {hidden} more: F "), ink.theme.warning());
        put_right(buf, area, &more);
    }
}

/// A message, or what keys do.
fn footer(ink: Ink<'_>, buf: &mut Buffer, area: Rect, trouble: Option<&str>) {
    let Ink { state, theme } = ink;
    let room = usize::from(area.width);
    let said = match (&state.notice, trouble) {
        (Some(notice), _) => {
            Some((notice.text.as_str(), if notice.bad { theme.bad() } else { theme.good() }))
        }
        (None, Some(why)) => Some((why, theme.bad())),
        (None, None) => None,
    };
    if let Some((text, style)) = said {
        put(buf, area, &Line::styled(clip(&ink.safe(text), room, ink.ellipsis()), style));
        return;
    }
    let keys = match &state.over {
        None => {
            let depth = state.above.len() + 1;
            KEYS.hints(|action| works(action, &state.page, depth))
        }
        Some(Over::Filter(_)) => CHOOSE.hints(|_| true),
        Some(Over::Help(_) | Over::Filters(_)) => Vec::new(),
        Some(_) => CHOOSE.hints(|action| action != Choose::Complete),
    };
    // How to quit and to learn more has its place at the end, whatever finds none.
    let (last, first): (Vec<_>, Vec<_>) =
        keys.into_iter().partition(|(_, hint)| matches!(*hint, "keys" | "quit"));
    let last = hints(&last, room, theme);
    let first = hints(&first, room.saturating_sub(last.width()), theme);
    put(buf, area, &first);
    put_right(buf, area, &last);
}

/// Whether bytes on the wire can be drawn.
pub(crate) fn drawn_layer(page: &Page, layer: Layer) -> Layer {
    let tells = page.series().is_some_and(|series| {
        series
            .lines
            .iter()
            .chain([&series.others])
            .flatten()
            .any(|point| point.wire_send.is_some() || point.wire_recv.is_some())
    });
    if tells { layer } else { Layer::Payload }
}
