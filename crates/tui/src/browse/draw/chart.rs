//! The chart over a table: what moved when.

use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::style::Style;
use ratatui::text::Line;

use super::super::chart::Band;
use super::super::chart::Cell;
use super::super::chart::Grid;
use super::super::chart::Paint;
use super::super::chart::column_of;
use super::super::chart::lay_out;
use super::super::chart::steps_of;
use super::super::layout::GUTTER;
use super::super::layout::Places;
use super::super::measure::Measure;
use super::super::measure::add_points;
use super::super::measure::drawn;
use super::super::notes::moment;
use super::super::page::Subject;
use super::super::page::first_key;
use super::super::page::text_of;
use super::CHARTED;
use super::Ink;
use super::drawn_layer;
use super::put;
use crate::text::count;
use crate::text::pad_left;
use crate::text::rate;
use crate::text::width;
use crate::theme::Depth;
use crate::theme::places as colour_places;

/// Colours of the largest answers, by their places among the answers.
pub(super) fn colours(ink: Ink<'_>) -> Vec<usize> {
    let report = ink.state.page.known.report.as_ref();
    let answers = report.map(|report| report.answers.as_slice()).unwrap_or_default();
    let keys: Vec<String> =
        answers.iter().take(CHARTED).filter_map(first_key).map(text_of).collect();
    colour_places(keys.iter().map(String::as_str))
}

pub(super) fn draw(ink: Ink<'_>, buf: &mut Buffer, places: Places) {
    let page = &ink.state.page;
    let Some(series) = page.series() else { return };
    let (plot, steps) = (places.plot, series.others.len());
    if plot.height < 3 || steps == 0 {
        return;
    }
    let grid = lay_out(&bands(ink), steps, (usize::from(plot.width), usize::from(plot.height - 1)));
    for (row, y) in grid.up.iter().zip(plot.y..) {
        paint(ink, buf, row, (plot.x, y));
    }
    let line = plot.y + u16::try_from(grid.up.len()).unwrap_or(0);
    for (row, y) in grid.down.iter().zip(line + 1..) {
        paint(ink, buf, row, (plot.x, y));
    }
    axis(ink, buf, Rect { y: line, height: 1, ..plot });
    scale(ink, buf, (plot, line), &grid, series.width);
    times(ink, buf, places.times);
}

/// One for each thing that has a colour, and one for all others; without colours one for all.
fn bands(ink: Ink<'_>) -> Vec<Band> {
    let page = &ink.state.page;
    let Some(series) = page.series() else { return Vec::new() };
    let (measure, layer) = (ink.state.measure, drawn_layer(page, ink.state.layer));
    let band = |paint: Paint, points: &[femtosnitch_store::Point]| {
        let (up, down) = points.iter().map(|point| drawn(point, measure, layer)).unzip();
        Band { paint, up, down }
    };
    let all = || add_points(series.lines.iter().chain([&series.others]));
    if ink.theme.depth() == Depth::Mono {
        return vec![band(Paint::Place(0), &all())];
    }
    if let Subject::Thing { value, .. } = &page.subject {
        let place = colour_places([value.as_str()]).first().copied().unwrap_or(0);
        return vec![band(Paint::Place(place), &all())];
    }
    let colours = colours(ink);
    let mut bands: Vec<Band> = colours
        .iter()
        .zip(&series.lines)
        .map(|(place, points)| band(Paint::Place(*place), points))
        .collect();
    let rest = add_points(series.lines.iter().skip(colours.len()).chain([&series.others]));
    bands.push(band(Paint::Others, &rest));
    bands
}

fn paint(ink: Ink<'_>, buf: &mut Buffer, row: &[Cell], (x, y): (u16, u16)) {
    for (cell, x) in row.iter().zip(x..) {
        let (glyph, style) = look(ink, *cell);
        if let Some(place) = buf.cell_mut((x, y)) {
            place.set_symbol(glyph).set_style(style);
        }
    }
}

/// Glyph and colours of a cell.
fn look(ink: Ink<'_>, cell: Cell) -> (&'static str, Style) {
    let theme = ink.theme;
    let style = |paint: Paint| match paint {
        Paint::Nothing => Style::new(),
        Paint::Place(place) => theme.of_place(place),
        Paint::Others => theme.others(),
    };
    let bars = &theme.glyphs.up;
    let bar = |eighths: u8| bars.get(usize::from(eighths.clamp(1, 8)) - 1).copied().unwrap_or(" ");
    let Cell { low, high, eighths } = cell;
    if eighths == 0 || eighths >= 8 || low == high {
        let whole = if eighths == 0 { high } else { low };
        return if whole == Paint::Nothing { (" ", Style::new()) } else { (bar(8), style(whole)) };
    }
    if theme.glyphs.ascii {
        // Which of the two there is more of.
        let more = if eighths >= 4 { low } else { high };
        return match (low, high) {
            (Paint::Nothing, paint) => (if eighths <= 4 { "#" } else { "'" }, style(paint)),
            (paint, Paint::Nothing) => (if eighths >= 4 { "#" } else { "." }, style(paint)),
            _ => ("#", style(more)),
        };
    }
    match (low, high) {
        (paint, Paint::Nothing) => (bar(eighths), style(paint)),
        (Paint::Nothing, paint) if eighths == 7 => ("▔", style(paint)),
        (Paint::Nothing, paint) if eighths == 4 => ("▀", style(paint)),
        // No other glyphs hang from above: one that stands, turned inside out.
        (Paint::Nothing, paint) => (bar(eighths), style(paint).add_modifier(Modifier::REVERSED)),
        (low, high) => {
            let above = style(high).fg.unwrap_or_default();
            (bar(eighths), style(low).bg(above))
        }
    }
}

/// The line itself: where nobody looked, what is marked, and where the pointer is.
fn axis(ink: Ink<'_>, buf: &mut Buffer, line: Rect) {
    let (page, theme) = (&ink.state.page, ink.theme);
    let Some(series) = page.series() else { return };
    let (steps, columns) = (series.others.len(), usize::from(line.width));
    let time = |step: usize| {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        series.start.saturating_add(step.saturating_mul(series.width))
    };
    let unwatched = |from: i64, to: i64| {
        page.known
            .gaps
            .iter()
            .any(|gap| gap.began < to && gap.ended.is_none_or(|ended| ended > from))
    };
    let gap = if theme.glyphs.ascii { "!" } else { "╳" };
    let marked = page.pointer.and_then(|pointer| {
        let from = pointer.from?;
        Some(from.min(pointer.at)..from.max(pointer.at) + 1)
    });
    for (column, x) in (0..columns).zip(line.x..) {
        let of = steps_of(column, columns, steps);
        let (from, to) = (time(of.start), time(of.end).min(ink.state.now));
        let (glyph, style) = if marked.as_ref().is_some_and(|it| it.contains(&of.start)) {
            (theme.glyphs.block, theme.accent())
        } else if from < to && unwatched(from, to) {
            (gap, theme.warning())
        } else {
            (theme.glyphs.rule, theme.dim())
        };
        buf.set_stringn(x, line.y, glyph, 1, style);
    }
    if let Some(pointer) = page.pointer {
        let column = column_of(pointer.at, columns, steps);
        let x = line.x + u16::try_from(column).unwrap_or(0);
        buf.set_stringn(x, line.y, theme.glyphs.ascending, 1, theme.accent());
    }
}

/// How much the uppermost and the lowest row stand for.
fn scale(ink: Ink<'_>, buf: &mut Buffer, (plot, line): (Rect, u16), grid: &Grid, step: i64) {
    let connections = ink.state.measure == Measure::Connections;
    let per_row = grid.row;
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let told = |rows: usize| {
        let amount = per_row * rows as f64;
        if connections {
            #[expect(clippy::cast_possible_truncation, reason = "saturates on purpose")]
            #[expect(clippy::cast_sign_loss, reason = "never less than nothing")]
            let whole = amount.round() as u64;
            count(whole)
        } else {
            rate(amount / step.max(1) as f64, ink.state.units)
        }
    };
    let room = usize::from(GUTTER) - 1;
    let mut label = |y: u16, text: &str| {
        let text = pad_left(text, room, ink.ellipsis());
        buf.set_stringn(0, y, text, room, ink.theme.dim());
    };
    if !grid.up.is_empty() {
        label(plot.y, &told(grid.up.len()));
    }
    label(line, "0");
    if grid.down.len() > 1 || (grid.up.is_empty() && !grid.down.is_empty()) {
        label(plot.bottom() - 1, &told(grid.down.len()));
    }
    // The numbers around it may be of another layer than it could be drawn of.
    let layer = drawn_layer(&ink.state.page, ink.state.layer);
    if layer != ink.state.layer && !connections {
        label(plot.bottom(), layer.title());
    }
}

/// Below the chart: when it was, or what the pointer is at.
fn times(ink: Ink<'_>, buf: &mut Buffer, area: Rect) {
    let (page, zone) = (&ink.state.page, &ink.state.zone);
    let Some(series) = page.series() else { return };
    let steps = series.others.len();
    let at = |step: usize| {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        series.start.saturating_add(step.saturating_mul(series.width))
    };
    if let Some(pointer) = page.pointer {
        let all = add_points(series.lines.iter().chain([&series.others]));
        let point = all.get(pointer.at).copied().unwrap_or_default();
        let layer = drawn_layer(page, ink.state.layer);
        let (received, sent) = drawn(&point, Measure::Both, layer);
        let glyphs = ink.theme.glyphs;
        let units = ink.state.units;
        let text = format!(
            "{}  {} {}  {} {}  {} connections, in {}",
            moment(at(pointer.at), zone, None),
            glyphs.received,
            crate::text::bytes(received, units),
            glyphs.sent,
            crate::text::bytes(sent, units),
            count(point.connections),
            crate::text::duration(u64::try_from(series.width).unwrap_or(0)),
        );
        put(buf, area, &Line::styled(text, ink.theme.accent()));
        return;
    }
    let span = series.width.saturating_mul(i64::try_from(steps).unwrap_or(i64::MAX));
    let columns = usize::from(area.width);
    let mut free = 0;
    for step in 0..steps {
        let text = tick(at(step), span, zone);
        let column = step * columns / steps.max(1);
        if column >= free && column + width(&text) <= columns {
            let x = area.x + u16::try_from(column).unwrap_or(0);
            buf.set_stringn(x, area.y, &text, width(&text), ink.theme.dim());
            free = column + width(&text) + 8;
        }
    }
}

/// A moment as short as the span that it is in allows.
fn tick(second: i64, span: i64, zone: &TimeZone) -> String {
    let text = moment(second, zone, None);
    let (day, time) = text.split_at_checked(10).unwrap_or((&text, ""));
    let day = if span > 300 * 86_400 { day } else { day.get(5..).unwrap_or(day) };
    match span {
        0..=129_600 => time.trim().to_owned(),
        129_601..=864_000 => format!("{day}{time}"),
        _ => day.to_owned(),
    }
}
