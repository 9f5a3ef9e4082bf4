//! Boxes over the view, and the line of hints below it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};

use crate::text;
use crate::theme::Theme;

/// An empty box with a title in the middle of `area`, as large as asked for if that fits; gives what
/// is inside.
pub fn popup(
    buf: &mut Buffer,
    area: Rect,
    (width, height): (u16, u16),
    title: &str,
    theme: &Theme,
) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    Clear.render(place, buf);
    let block = Block::bordered()
        .border_set(theme.glyphs.border)
        .border_style(theme.border(true))
        .title(Line::styled(format!(" {title} "), theme.bold()));
    let inside = block.inner(place);
    block.render(place, buf);
    // A cell of air at both sides.
    let air = u16::from(inside.width > 2);
    Rect { x: inside.x + air, width: inside.width - 2 * air, ..inside }
}

/// What keys do, in a box, in two columns if one is not enough; from line `skip` on.
pub fn help(
    buf: &mut Buffer,
    area: Rect,
    title: &str,
    keys: &[(String, &'static str)],
    skip: usize,
    theme: &Theme,
) {
    let (names, one) = help_widths(keys);
    let (columns, lines) = help_lines(area, keys.len(), one);
    let size = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let wanted = (size(one * columns + 3 * (columns - 1) + 4), size(lines + 2));
    let inside = popup(buf, area, wanted, title, theme);
    let skip = skip.min(lines.saturating_sub(usize::from(inside.height)));
    for (at, (name, help)) in keys.iter().enumerate() {
        let (column, row) = (at / lines.max(1), at % lines.max(1));
        if row < skip || row - skip >= usize::from(inside.height) {
            continue;
        }
        let x = inside.x.saturating_add(size(column * (one + 3)));
        let y = inside.y + size(row - skip);
        let left = usize::from(inside.right().saturating_sub(x));
        let name = text::pad_right(name, names, theme.glyphs.ellipsis);
        let (x, _) = buf.set_stringn(x, y, name, left, theme.accent());
        let left = usize::from(inside.right().saturating_sub(x)).saturating_sub(2);
        if left > 0 {
            buf.set_stringn(x + 2, y, help, left, theme.text());
        }
    }
}

/// How many of the lines of [`help`] are more than there is room for: as far as it can be scrolled.
#[must_use]
pub fn help_beyond(area: Rect, keys: &[(String, &'static str)]) -> usize {
    let (_, one) = help_widths(keys);
    let (_, lines) = help_lines(area, keys.len(), one);
    lines.saturating_sub(area.height.saturating_sub(2).into())
}

/// Cells for the names of keys, and for a key and what it does.
fn help_widths(keys: &[(String, &'static str)]) -> (usize, usize) {
    let names = keys.iter().map(|(name, _)| text::width(name)).max().unwrap_or(0);
    let longest = keys.iter().map(|(_, help)| text::width(help)).max().unwrap_or(0);
    (names, names + 2 + longest)
}

/// In how many columns so many keys are told, and in how many lines.
fn help_lines(area: Rect, keys: usize, one: usize) -> (usize, usize) {
    let room = usize::from(area.height.saturating_sub(2)).max(1);
    let columns = if keys > room && 2 * one + 7 <= usize::from(area.width) { 2 } else { 1 };
    (columns, keys.div_ceil(columns))
}

/// Keys and what they do in a word, as many as fit in a line.
#[must_use]
pub fn hints(keys: &[(String, &'static str)], room: usize, theme: &Theme) -> Line<'static> {
    let mut spans = Vec::new();
    let mut left = room;
    for (name, hint) in keys {
        let needed = text::width(name) + text::width(hint) + 3;
        if needed > left {
            break;
        }
        left -= needed;
        spans.push(Span::styled(name.clone(), theme.accent()));
        spans.push(Span::styled(format!(" {hint}  "), theme.dim()));
    }
    Line::from(spans)
}
