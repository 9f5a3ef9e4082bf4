//! The table of what moved, the largest first, and what all others amount to.

use femtosnitch_store::Answer;
use femtosnitch_store::Dimension;
use femtosnitch_store::Sums;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::text::Span;

use super::super::layout;
use super::super::layout::Places;
use super::super::measure::amount;
use super::super::page::first_key;
use super::super::page::text_of;
use super::super::rows::Column;
use super::super::words;
use super::Ink;
use super::chart::colours;
use super::put;
use super::put_right;
use super::say;
use crate::text::base_name;
use crate::text::clip;
use crate::text::count;
use crate::text::dir_name;
use crate::text::key_text;
use crate::text::middle;
use crate::text::pad_left;
use crate::text::percent;
use crate::text::width;
use crate::widgets::Layout;
use crate::widgets::Row;
use crate::widgets::Sort;
use crate::widgets::Table;
use crate::widgets::share;

/// Cells of a share in numbers.
const PERCENT: usize = 7;

pub(super) fn draw(ink: Ink<'_>, buf: &mut Buffer, places: Places, by: Dimension) {
    let state = ink.state;
    let Some(report) = &state.page.known.report else {
        if state.page.waits.is_some() {
            let looking = (ink.own("Looking…"), ink.theme.dim());
            say(ink, buf, places.list, &[looking]);
        }
        return;
    };
    if report.answers.is_empty() {
        let why = if state.page.filters.is_empty() {
            "No program sent or received anything in this time, or nobody looked: E shows the gaps."
        } else {
            "No traffic in this time passes the filters."
        };
        let lines =
            [("Nothing moved".to_owned(), ink.theme.bold()), (why.to_owned(), ink.theme.dim())];
        say(ink, buf, places.list, &lines);
        return;
    }
    let columns = layout::columns(by, state.layer, ink.theme.glyphs.ascii);
    let sort = state.page.sort.and_then(|sort| {
        let column = Column::ALL.iter().position(|column| *column == sort.column)?;
        // Of names the first is the smallest.
        Some(Sort { column, descending: sort.turned == (sort.column == Column::Name) })
    });
    let (order, colours) = (state.order(), colours(ink));
    let most = report.answers.iter().map(|answer| of(ink, &answer.sums())).max().unwrap_or(0);
    let scale = (most, of(ink, &report.total));
    let table = Table { columns: &columns, sort, focused: state.over.is_none() };
    table.draw(buf, places.list, (state.page.cursor, order.len()), ink.theme, |at, widths| {
        let place = order.get(at).copied().unwrap_or(0);
        let Some(answer) = report.answers.get(place) else { return Row::default() };
        let colour = colours.get(place).map_or(ink.theme.others(), |it| ink.theme.of_place(*it));
        let room = |column: usize| usize::from(widths.get(column).copied().unwrap_or(0));
        let mut cells = vec![name(ink, answer, by, (colour, room(0)))];
        cells.push(bar(ink, of(ink, &answer.sums()), scale, (colour, room(1))));
        cells.extend(numbers(ink, &answer.sums()));
        Row { cells, style: Style::new() }
    });
    let layout = Layout::new(&columns, places.list.width);
    let lines = [
        (report.others.groups > 0).then(|| {
            let others = format!("  {} others", count(report.others.groups));
            (others, report.others.sums, ink.theme.dim())
        }),
        Some(("  All".to_owned(), report.total, ink.theme.bold())),
    ];
    let lines: Vec<_> = lines.into_iter().flatten().collect();
    let above = places.foot.height.saturating_sub(u16::try_from(lines.len()).unwrap_or(2));
    for ((title, sums, style), y) in lines.into_iter().zip(places.foot.y + above..) {
        let line = Rect { y, height: 1, ..places.foot };
        put(buf, line, &Line::styled(title, style));
        let mut cells = vec![Line::default(), Line::raw(percent(of(ink, &sums), scale.1))];
        cells.extend(numbers(ink, &sums));
        for (column, x, wide) in layout.0.iter().filter(|(column, ..)| *column > 0) {
            let Some(cell) = cells.get(*column) else { continue };
            let place = Rect { x: line.x + x, width: *wide, ..line };
            put_right(buf, place, &cell.clone().style(style));
        }
    }
}

fn of(ink: Ink<'_>, sums: &Sums) -> u64 {
    amount(sums, ink.state.measure, ink.state.layer)
}

/// What it is, with its colour; of a path the directory matters less.
fn name(
    ink: Ink<'_>,
    answer: &Answer,
    by: Dimension,
    (colour, room): (Style, usize),
) -> Line<'static> {
    let key = first_key(answer).map(text_of).unwrap_or_default();
    let mut spans = vec![Span::styled(format!("{} ", ink.theme.glyphs.block), colour)];
    spans.extend(value(ink, by, &key, room.saturating_sub(2)));
    Line::from(spans)
}

/// A value in so many cells.
pub(super) fn value(ink: Ink<'_>, by: Dimension, key: &str, room: usize) -> Vec<Span<'static>> {
    let text = key_text(by.name(), key, ink.theme.glyphs.ascii);
    if key.is_empty() {
        return vec![Span::styled(text, ink.theme.dim())];
    }
    if matches!(by, Dimension::Minute | Dimension::Hour | Dimension::Day)
        && let Ok(second) = key.parse()
    {
        return vec![Span::raw(super::super::notes::moment(second, &ink.state.zone, None))];
    }
    let (dir, base) = (dir_name(&text), base_name(&text));
    let left = room.saturating_sub(width(base));
    if !words::is_path(by) || left < 3 && width(&text) > room {
        return vec![Span::raw(middle(&text, room, ink.ellipsis()))];
    }
    // The file's name whole: of two programs it differs more often.
    let dir = if width(&text) > room {
        format!("{}/", clip(dir.trim_end_matches('/'), left - 1, ink.ellipsis()))
    } else {
        dir.to_owned()
    };
    vec![Span::styled(dir, ink.theme.dim()), Span::raw(base.to_owned())]
}

/// A bar as long as its part of the largest, and the share of all in numbers.
fn bar(
    ink: Ink<'_>,
    amount: u64,
    (most, all): (u64, u64),
    (colour, room): (Style, usize),
) -> Line<'static> {
    #[expect(clippy::cast_precision_loss, reason = "a bar has few cells")]
    let part = if most == 0 { 0.0 } else { amount as f64 / most as f64 };
    let cells = room.saturating_sub(PERCENT + 1);
    let text = pad_left(&percent(amount, all), PERCENT, ink.ellipsis());
    Line::from(vec![
        Span::styled(share(part, cells, ink.theme.glyphs), colour),
        Span::styled(format!(" {text}"), ink.theme.dim()),
    ])
}

/// All columns after name and share.
pub(super) fn numbers(ink: Ink<'_>, sums: &Sums) -> Vec<Line<'static>> {
    let (measure, layer) = (ink.state.measure, ink.state.layer);
    let number = |column: &Column| {
        let value = column.value(sums, measure, layer);
        match column {
            Column::Received | Column::Sent => Line::raw(ink.amount(value)),
            Column::Rtt => Line::raw(ink.rtt(value)),
            _ => match value {
                Some(0) => Line::styled("0", ink.theme.dim()),
                Some(value) => Line::raw(count(value)),
                None => Line::raw(ink.theme.glyphs.absent),
            },
        }
    };
    Column::ALL.iter().skip(2).map(number).collect()
}
