//! Tables aligned by what a terminal shows, not by bytes or characters.

use femtosnitch_model::printable;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Style;

/// Between two columns.
const GAP: &str = "  ";
/// A text column is not cut below this, however narrow the terminal.
const NARROWEST: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// A column's heading and alignment.
#[derive(Debug, Clone)]
pub struct Column {
    title: String,
    align: Align,
}

impl Column {
    /// Names and other text, which may be cut to fit a terminal.
    #[must_use]
    pub fn text(title: &str) -> Self {
        Self { title: printable(title), align: Align::Left }
    }

    /// Amounts: aligned to the right, never cut.
    #[must_use]
    pub fn number(title: &str) -> Self {
        Self { title: printable(title), align: Align::Right }
    }
}

/// Rows under headings. Cells may hold hostile text: it is made harmless here.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    total: Option<Vec<String>>,
    width: Option<usize>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new(), total: None, width: None }
    }

    /// Adds a row. Missing cells stay empty, cells beyond the last column are left out.
    pub fn row<I>(&mut self, cells: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let row = self.clean(cells);
        self.rows.push(row);
    }

    /// Sets the line below all rows.
    pub fn total<I>(&mut self, cells: I)
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.total = Some(self.clean(cells));
    }

    /// Cuts the widest text columns until a line fits into this many terminal cells, as far as
    /// that can be done. `None` cuts nothing.
    pub fn fit(&mut self, width: Option<usize>) {
        self.width = width;
    }

    /// Whether lines are too long even with their texts cut.
    #[must_use]
    pub fn overflows(&self) -> bool {
        let Some(available) = self.width else { return false };
        let titles: Vec<String> = self.columns.iter().map(|column| column.title.clone()).collect();
        let gaps = GAP.len() * self.columns.len().saturating_sub(1);
        self.widths(&titles).iter().sum::<usize>() + gaps > available
    }

    /// The finished lines, each ending in a newline.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let titles: Vec<String> = self.columns.iter().map(|column| column.title.clone()).collect();
        let widths = self.widths(&titles);
        let mut out = style.bold(&self.line(&titles, &widths));
        out.push('\n');
        for row in &self.rows {
            out.push_str(&self.line(row, &widths));
            out.push('\n');
        }
        if let Some(total) = &self.total {
            out.push_str(&style.bold(&self.line(total, &widths)));
            out.push('\n');
        }
        out
    }

    fn clean<I>(&self, cells: I) -> Vec<String>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut cells: Vec<String> =
            cells.into_iter().map(|cell| printable(cell.as_ref())).collect();
        cells.resize(self.columns.len(), String::new());
        cells
    }

    fn widths(&self, titles: &[String]) -> Vec<usize> {
        let mut widths = vec![0; self.columns.len()];
        for row in std::iter::once(titles)
            .chain(self.rows.iter().map(Vec::as_slice))
            .chain(self.total.as_deref())
        {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let Some(available) = self.width else { return widths };
        let gaps = GAP.len() * self.columns.len().saturating_sub(1);
        loop {
            let excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(available);
            let widest = widths
                .iter_mut()
                .zip(&self.columns)
                .filter(|(width, column)| column.align == Align::Left && **width > NARROWEST)
                .max_by_key(|(width, _)| **width);
            match widest {
                // One step of at most a quarter, so that two wide columns shrink together.
                Some((width, _)) if excess > 0 => {
                    let step = excess.min(width.div_ceil(4)).min(*width - NARROWEST);
                    *width -= step;
                }
                _ => return widths,
            }
        }
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut out = String::new();
        for (index, ((cell, &width), column)) in
            cells.iter().zip(widths).zip(&self.columns).enumerate()
        {
            if index > 0 {
                out.push_str(GAP);
            }
            let cell = cut(cell, width);
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            match column.align {
                Align::Left => out.extend([cell.as_str(), &padding]),
                Align::Right => out.extend([padding.as_str(), &cell]),
            }
        }
        out.truncate(out.trim_end_matches(' ').len());
        out
    }
}

/// The text itself if it fits, else its beginning and an ellipsis.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for ch in text.chars() {
        used += ch.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(ch);
    }
    out.push('…');
    out
}

/// Cells in a line of the terminal on standard output, `None` if it is not a terminal.
#[must_use]
pub fn terminal_width() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(std::io::stdout())?;
    // Some serial consoles and test harnesses claim a width of 0: they did not say.
    (width.0 > 0).then_some(usize::from(width.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<usize>) -> Table {
        let mut table = Table::new(vec![Column::text("exe"), Column::number("sent")]);
        table.row(["/usr/bin/名前", "1.0 KiB"]);
        table.row(["/usr/bin/curl", "12 B"]);
        table.total(["total", "1.0 KiB"]);
        table.fit(width);
        table
    }

    #[test]
    fn columns_align_by_terminal_cells() {
        assert_eq!(
            table(None).render(Style::plain()),
            "exe               sent\n\
             /usr/bin/名前  1.0 KiB\n\
             /usr/bin/curl     12 B\n\
             total          1.0 KiB\n"
        );
    }

    #[test]
    fn a_narrow_terminal_cuts_text_but_never_numbers() {
        let text = table(Some(21)).render(Style::plain());
        assert_eq!(
            text,
            "exe              sent\n\
             /usr/bin/名…  1.0 KiB\n\
             /usr/bin/cu…     12 B\n\
             total         1.0 KiB\n"
        );
        assert!(table(Some(3)).overflows() && !table(Some(21)).overflows());
        assert!(!table(None).overflows());
        let text = table(Some(3)).render(Style::plain());
        assert!(text.contains("1.0 KiB") && text.contains("/usr/bin/cu…"), "{text}");
    }

    #[test]
    fn hostile_cells_cannot_move_the_cursor_or_break_the_line() {
        let mut table = Table::new(vec![Column::text("exe")]);
        table.row(["/srv/\x1b[2J\nevil"]);
        let text = table.render(Style::plain());
        assert!(!text.contains('\x1b'), "{text:?}");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn rows_of_the_wrong_length_are_made_to_fit() {
        let mut table = Table::new(vec![Column::text("a"), Column::text("b")]);
        table.row(["1"]);
        table.row(["1", "2", "3"]);
        assert_eq!(table.render(Style::plain()), "a  b\n1\n1  2\n");
    }

    #[test]
    fn only_headings_and_totals_are_bold() {
        let text = table(None).render(Style::coloured());
        assert_eq!(text.matches("\x1b[1m").count(), 2);
    }
}
