//! Rows under titles: columns that give way where there is little room, a cursor, a sort mark.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::Cursor;
use crate::text;
use crate::theme::Theme;

/// At which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Above it.
    pub title: &'static str,
    /// Where its cells stand.
    pub align: Align,
    /// Cells that it takes.
    pub width: u16,
    /// Its part of what is left over; 0 grows not at all.
    pub grow: u16,
    /// Those with the smallest number are left out first where there is little room, all of one
    /// number together; 0 never.
    pub rank: u8,
}

impl Column {
    /// Text that takes what is left over, and is always shown.
    #[must_use]
    pub const fn text(title: &'static str, width: u16) -> Self {
        Self { title, align: Align::Left, width, grow: 1, rank: 0 }
    }

    /// A number.
    #[must_use]
    pub const fn number(title: &'static str, width: u16, rank: u8) -> Self {
        Self { title, align: Align::Right, width, grow: 0, rank }
    }

    /// A short text.
    #[must_use]
    pub const fn word(title: &'static str, width: u16, rank: u8) -> Self {
        Self { title, align: Align::Left, width, grow: 0, rank }
    }
}

/// By what rows are sorted: the mark beside a title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// Which column, from 0.
    pub column: usize,
    /// The largest first.
    pub descending: bool,
}

/// Where columns are: for those that are shown, which, from where, how wide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout(pub Vec<(usize, u16, u16)>);

impl Layout {
    /// Fits columns, two cells apart, into so many cells.
    #[must_use]
    pub fn new(columns: &[Column], room: u16) -> Self {
        const GAP: u16 = 2;
        let mut shown: Vec<usize> = (0..columns.len()).collect();
        let column = |at: &usize| columns.get(*at);
        let needed = |shown: &[usize]| {
            let cells = shown.iter().filter_map(column).map(|it| it.width);
            cells.fold(0_u16, |sum, width| sum.saturating_add(width).saturating_add(GAP))
        };
        while needed(&shown) > room.saturating_add(GAP) {
            let ranks = shown.iter().filter_map(column).map(|it| it.rank);
            let Some(least) = ranks.filter(|rank| *rank > 0).min() else { break };
            // Those of one rank go together.
            shown.retain(|at| column(at).is_some_and(|it| it.rank != least));
        }
        let mut spare = (room + GAP).saturating_sub(needed(&shown));
        let mut parts = shown.iter().filter_map(column).map(|it| it.grow).sum::<u16>();
        let mut x = 0_u16;
        let mut places = Vec::new();
        for at in shown {
            let Some(column) = columns.get(at) else { continue };
            let more = (spare * column.grow).checked_div(parts).unwrap_or(0);
            spare -= more;
            parts -= column.grow;
            let width = (column.width + more).min(room.saturating_sub(x));
            if width == 0 {
                break;
            }
            places.push((at, x, width));
            x = x.saturating_add(width + GAP);
        }
        Self(places)
    }

    /// The column at a cell, counted from the table's left.
    #[must_use]
    pub fn column_at(&self, x: u16) -> Option<usize> {
        self.0.iter().rev().find(|(_, from, _)| x >= *from).map(|(at, _, _)| *at)
    }
}

/// A row: what stands in each column, and how all of it looks.
#[derive(Debug, Clone, Default)]
pub struct Row<'a> {
    /// One for each column of the table, shown or not.
    pub cells: Vec<Line<'a>>,
    /// Below what the cells' own styles say.
    pub style: Style,
}

/// A table: the first line of its area has the titles.
#[derive(Debug)]
pub struct Table<'a> {
    /// The columns.
    pub columns: &'a [Column],
    /// The mark at a title.
    pub sort: Option<Sort>,
    /// Whether keys go here.
    pub focused: bool,
}

impl Table<'_> {
    /// Rows that fit below the titles.
    #[must_use]
    pub fn room(area: Rect) -> usize {
        usize::from(area.height.saturating_sub(1))
    }

    /// The row (of `len`) at a cell of the screen; `None` at the titles, and outside.
    #[must_use]
    pub fn row_at(area: Rect, (x, y): (u16, u16), cursor: Cursor, len: usize) -> Option<usize> {
        if !area.contains((x, y).into()) || y == area.y {
            return None;
        }
        let row = cursor.first(len, Self::room(area)) + usize::from(y - area.y - 1);
        (row < len).then_some(row)
    }

    /// Paints titles and the rows that fit. `row` makes them; it is told how wide each column is
    /// (0: not shown), and asked for those on the screen only.
    pub fn draw<'r>(
        &self,
        buf: &mut Buffer,
        area: Rect,
        (cursor, len): (Cursor, usize),
        theme: &Theme,
        mut row: impl FnMut(usize, &[u16]) -> Row<'r>,
    ) {
        if area.is_empty() {
            return;
        }
        let layout = Layout::new(self.columns, area.width);
        let mut widths = vec![0; self.columns.len()];
        for (at, _, width) in &layout.0 {
            if let Some(slot) = widths.get_mut(*at) {
                *slot = *width;
            }
        }
        self.titles(buf, area, &layout, theme);
        let first = cursor.first(len, Self::room(area));
        for (nth, y) in (area.y + 1..area.bottom()).enumerate() {
            let at = first + nth;
            if at >= len {
                break;
            }
            let row = row(at, &widths);
            let line = Rect { y, height: 1, ..area };
            buf.set_style(line, row.style);
            for (column, x, width) in &layout.0 {
                let Some(cell) = row.cells.get(*column) else { continue };
                let align = self.columns.get(*column).map_or(Align::Left, |it| it.align);
                let taken = u16::try_from(cell.width()).unwrap_or(u16::MAX);
                let before = if align == Align::Right { width.saturating_sub(taken) } else { 0 };
                buf.set_line(area.x + x + before, y, cell, width - before);
            }
            if at == cursor.at {
                buf.set_style(line, theme.selected(self.focused));
            }
        }
    }

    fn titles(&self, buf: &mut Buffer, area: Rect, layout: &Layout, theme: &Theme) {
        for (at, x, width) in &layout.0 {
            let Some(column) = self.columns.get(*at) else { continue };
            let sort = self.sort.filter(|sort| sort.column == *at);
            let mark = sort.map_or("", |sort| {
                if sort.descending { theme.glyphs.descending } else { theme.glyphs.ascending }
            });
            let room = usize::from(*width);
            let title = if text::width(column.title) + text::width(mark) > room {
                let kept = room.saturating_sub(text::width(mark));
                format!("{}{mark}", text::clip(column.title, kept, ""))
            } else {
                format!("{}{mark}", column.title)
            };
            let title = match column.align {
                Align::Left => text::pad_right(&title, room, theme.glyphs.ellipsis),
                Align::Right => text::pad_left(&title, room, theme.glyphs.ellipsis),
            };
            let style = if sort.is_some() { theme.accent() } else { theme.heading() };
            buf.set_stringn(area.x + x, area.y, title, room, style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theme::Depth;

    const COLUMNS: [Column; 4] = [
        Column::text("program", 10),
        Column::number("in", 6, 3),
        Column::number("out", 6, 2),
        Column::word("badges", 8, 1),
    ];

    fn lines(buf: &Buffer) -> Vec<String> {
        let width = usize::from(buf.area.width);
        let rows = buf.content.chunks(width);
        rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>()).collect()
    }

    #[test]
    fn columns_give_way_by_rank() {
        let shown = |room| -> Vec<usize> {
            Layout::new(&COLUMNS, room).0.iter().map(|(at, _, _)| *at).collect()
        };
        assert_eq!(shown(80), [0, 1, 2, 3]);
        assert_eq!(shown(36), [0, 1, 2, 3]);
        assert_eq!(shown(35), [0, 1, 2]);
        assert_eq!(shown(18), [0, 1]);
        assert_eq!(shown(5), [0]);
        assert!(shown(0).is_empty());
        assert_eq!(Layout::new(&COLUMNS, 46).0, [(0, 0, 20), (1, 22, 6), (2, 30, 6), (3, 38, 8)]);
        assert_eq!(Layout::new(&COLUMNS, 46).column_at(31), Some(2));
    }

    #[test]
    fn rows_stand_under_their_titles() {
        let area = Rect::new(0, 0, 40, 3);
        let mut buf = Buffer::empty(area);
        let sort = Some(Sort { column: 1, descending: true });
        let table = Table { columns: &COLUMNS, sort, focused: true };
        let theme = Theme::new(Depth::Mono, true);
        let mut cursor = Cursor::default();
        cursor.step(super::super::Step::To(3), 9, 2);
        let mut asked = Vec::new();
        table.draw(&mut buf, area, (cursor, 9), &theme, |at, widths| {
            asked.push(at);
            assert_eq!(widths, [14, 6, 6, 8]);
            let cells = ["curl", "12", "3", "new"].map(Line::raw).to_vec();
            Row { cells, style: Style::new() }
        });
        assert_eq!(asked, [2, 3]);
        assert_eq!(
            lines(&buf),
            [
                "program            in▼     out  badges  ",
                "curl                12       3  new     ",
                "curl                12       3  new     ",
            ]
        );
        assert_eq!(Table::row_at(area, (5, 2), cursor, 9), Some(3));
        assert_eq!(Table::row_at(area, (5, 0), cursor, 9), None);
        assert_eq!(Table::row_at(area, (45, 1), cursor, 9), None);
    }
}
