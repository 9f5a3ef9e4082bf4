//! The list of programs, and the line that tells all of the selected one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::text;
use crate::top::badges::Badge;
use crate::top::list::Focus;
use crate::top::rows::{By, Row};
use crate::top::view::{Link, View};
use crate::widgets::{self, Sort, Table};

impl View {
    pub(super) fn paint_programs(&self, buf: &mut Buffer, area: Rect) {
        if area.is_empty() {
            return;
        }
        let columns = self.program_columns();
        let shown: Vec<_> = columns.iter().map(|(column, _)| *column).collect();
        let sorted = columns.iter().position(|(_, by)| *by == self.programs.by);
        let sort = sorted.map(|column| Sort { column, descending: !self.programs.ascending });
        let focused = self.focus == Focus::Programs;
        let table = Table { columns: &shown, sort, focused };
        let list = (self.programs.cursor, self.rows.len());
        table.draw(buf, area, list, &self.theme, |at, widths| {
            let Some(row) = self.rows.get(at) else { return widgets::Row::default() };
            self.program_row(row, &columns, widths)
        });
        if self.rows.is_empty() {
            let text = self.why_empty();
            let place = Rect { y: area.y + 1, height: 1, ..area };
            if place.y < area.bottom() {
                let room = usize::from(area.width);
                let text = text::clip(text, room, self.theme.glyphs.ellipsis);
                buf.set_stringn(place.x, place.y, text, room, self.theme.dim());
            }
        }
    }

    fn why_empty(&self) -> &'static str {
        match &self.link {
            _ if !self.programs.filter.is_empty() => "no program with that in what is known of it",
            Link::Up if self.model.samples > 0 => {
                "quiet: nothing has moved yet; the first byte appears here within a second"
            }
            Link::Up | Link::Connecting => "waiting for the first sample",
            Link::Down(_) => "once the daemon runs, what moves appears here within a second",
        }
    }

    fn program_row(
        &self,
        row: &Row,
        columns: &[(widgets::Column, By)],
        widths: &[u16],
    ) -> widgets::Row<'static> {
        let theme = &self.theme;
        let lively = row.rates.iter().flatten().any(|rate| rate.is_some_and(|rate| rate >= 0.5));
        let base = if lively || row.open > 0 { Style::new() } else { theme.dim() };
        let cells = columns.iter().zip(widths).map(|((_, by), width)| {
            if *width == 0 {
                return Line::default();
            }
            match by {
                By::Busy => Line::default(),
                By::Program => self.name_cell(row, usize::from(*width), base),
                By::Pid => match row.pid {
                    Some(0) => Line::styled(theme.glyphs.absent, theme.dim()),
                    Some(pid) => Line::styled(pid.to_string(), theme.dim()),
                    None => Line::default(),
                },
                By::Badges => self.badges_cell(&row.badges),
                By::Rate(side, span) => {
                    let rates = row.rates.get(*span).copied().unwrap_or_default();
                    let style = match span {
                        0 if *side == 0 => theme.received(),
                        0 => theme.sent(),
                        _ => Style::new(),
                    };
                    self.rate_cell(rates.get(*side).copied().flatten(), style)
                }
                By::Total(side) => {
                    self.amount_cell(row.total.get(*side).copied().flatten(), Style::new())
                }
                By::Open => self.count_cell(u64::from(row.open), ""),
                By::Peers => {
                    self.count_cell(row.peers as u64, if row.more_peers { "+" } else { "" })
                }
            }
        });
        widgets::Row { cells: cells.collect(), style: base }
    }

    fn count_cell(&self, count: u64, more: &str) -> Line<'static> {
        let style = if count == 0 { self.theme.dim() } else { Style::new() };
        Line::styled(format!("{}{more}", text::count(count)), style)
    }

    /// Branches, a mark in its colour, the name, and as much of the directory as there is room for.
    fn name_cell(&self, row: &Row, room: usize, base: Style) -> Line<'static> {
        let theme = &self.theme;
        let glyphs = theme.glyphs;
        let branches = glyphs.branches.before(&row.levels);
        let pinned = self.pinned.contains(&row.id);
        let mark = if pinned { glyphs.pin } else { glyphs.block };
        let path = text::shown(&row.exe, glyphs.ascii);
        let mut name = text::base_name(&path).to_owned();
        if let Some(script) = row.who.as_ref().map(|who| &who.script).filter(|it| !it.is_empty()) {
            let script = text::shown(script, glyphs.ascii);
            name = format!("{name} {} {}", glyphs.arrow, text::base_name(&script));
        }
        let left = room.saturating_sub(text::width(&branches) + 2);
        let name = text::middle(&name, left, glyphs.ellipsis);
        let left = left.saturating_sub(text::width(&name));
        let mut spans = vec![
            Span::styled(branches, theme.dim()),
            Span::styled(mark, theme.of_key(&row.exe)),
            Span::raw(" "),
            Span::styled(name, if row.who.is_some() { base } else { theme.dim() }),
        ];
        let directory = text::dir_name(&path).trim_end_matches('/');
        if left > 6 && !directory.is_empty() {
            let directory = text::middle(directory, left - 2, glyphs.ellipsis);
            spans.push(Span::styled(format!("  {directory}"), theme.dim()));
        }
        Line::from(spans)
    }

    pub(super) fn badges_cell(&self, badges: &[Badge]) -> Line<'static> {
        let mut spans = Vec::new();
        for badge in badges {
            if !spans.is_empty() {
                spans.push(Span::raw(" "));
            }
            let style = match badge {
                Badge::Modified => self.theme.bad(),
                Badge::New => self.theme.good(),
                Badge::NotPackaged => self.theme.warning(),
                Badge::Container | Badge::Script => self.theme.dim(),
            };
            spans.push(Span::styled(badge.name(), style));
        }
        Line::from(spans)
    }

    /// A rule with all that is known of the selected program.
    pub(super) fn paint_details(&self, buf: &mut Buffer, area: Rect) {
        if area.is_empty() {
            return;
        }
        let theme = &self.theme;
        let glyphs = theme.glyphs;
        let focused = self.focus == Focus::Peers;
        let rule = glyphs.rule.repeat(usize::from(area.width));
        buf.set_stringn(area.x, area.y, rule, area.width.into(), theme.border(focused));
        let Some(row) = self.selected() else { return };
        let clean = |text: &str| text::shown(text, glyphs.ascii);
        let mut parts = vec![Span::styled(clean(&row.exe), theme.bold())];
        let mut add = |text: String, style: Style| {
            parts.push(Span::styled(format!(" {} ", glyphs.dot), theme.dim()));
            parts.push(Span::styled(text, style));
        };
        match row.pid {
            Some(0) => {}
            Some(pid) => add(format!("pid {pid}"), Style::new()),
            None if row.processes > 1 => {
                add(format!("{} processes", text::count(row.processes.into())), Style::new());
            }
            None => {}
        }
        if let Some(who) = &row.who {
            if !who.script.is_empty() {
                add(clean(&who.script), Style::new());
            }
            if !who.package.is_empty() {
                add(clean(&who.package), Style::new());
            }
            if who.pid != 0 {
                add(clean(&self.user(who.uid)), Style::new());
            }
            for place in [&who.container, &who.unit, &who.app] {
                if !place.is_empty() {
                    add(clean(place), theme.dim());
                    break;
                }
            }
            if !who.parent.is_empty() {
                let mut by = format!("by {}", text::base_name(&clean(&who.parent)));
                if !who.grandparent.is_empty() {
                    by = format!("{by} by {}", text::base_name(&clean(&who.grandparent)));
                }
                add(by, theme.dim());
            }
        }
        if !row.badges.is_empty() {
            parts.push(Span::raw("  "));
            parts.extend(self.badges_cell(&row.badges).spans);
        }
        parts.insert(0, Span::raw(" "));
        parts.push(Span::raw(" "));
        let room = area.width.saturating_sub(4);
        let line = Line::from(parts);
        let taken = u16::try_from(line.width()).unwrap_or(room).min(room);
        let place = Rect { x: area.x + 2, width: taken, ..area };
        // Text has not the rule's colour.
        buf.set_style(place, Style::reset());
        buf.set_line(place.x, place.y, &line, taken);
    }
}
