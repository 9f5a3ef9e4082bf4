//! The mouse: what is pressed, and what is dragged over.

use crossterm::event::MouseButton;
use crossterm::event::MouseEvent;
use crossterm::event::MouseEventKind;
use femtosnitch_store::Dimension;
use ratatui::layout::Position;
use ratatui::layout::Rect;

use super::chart;
use super::draw;
use super::keys::Action;
use super::layout;
use super::page::Pointer;
use super::page::Subject;
use super::panes;
use super::rows::Column;
use super::rows::Sort;
use super::state::Browse;
use super::state::Effect;
use super::state::Over;
use crate::widgets::Layout;
use crate::widgets::Step;
use crate::widgets::Table;

/// Lines that a turn of the wheel goes.
const WHEEL: isize = 3;

impl Browse {
    pub(crate) fn mouse(&mut self, mouse: MouseEvent) -> Vec<Effect> {
        let at = Position { x: mouse.column, y: mouse.row };
        match mouse.kind {
            MouseEventKind::ScrollDown => self.wheel(WHEEL),
            MouseEventKind::ScrollUp => self.wheel(-WHEEL),
            MouseEventKind::Down(MouseButton::Left) if self.over.is_some() => self.press_over(at),
            MouseEventKind::Down(MouseButton::Left) => self.press(at),
            MouseEventKind::Drag(MouseButton::Left) => {
                let step = self.dragged.and_then(|_| self.step_at(at, true));
                if let Some(step) = step {
                    self.page.pointer = Some(Pointer { at: step, from: self.dragged });
                }
                Vec::new()
            }
            MouseEventKind::Up(MouseButton::Left) => {
                let began = self.dragged.take();
                match (self.page.pointer, began) {
                    (Some(pointer), Some(began)) if pointer.at != began => self.zoom(false),
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    fn wheel(&mut self, by: isize) -> Vec<Effect> {
        let last = self.help_beyond();
        match &mut self.over {
            None => self.act(Action::Go(Step::By(by))),
            Some(Over::Help(line)) => {
                *line = line.saturating_add_signed(by).min(last);
                Vec::new()
            }
            Some(_) => Vec::new(),
        }
    }

    fn press(&mut self, at: Position) -> Vec<Effect> {
        let places = self.places();
        if places.chips.contains(at) {
            return self.press_chip(at.x);
        }
        if let Some(step) = self.step_at(at, false) {
            self.dragged = Some(step);
            self.page.pointer = Some(Pointer { at: step, from: None });
            return Vec::new();
        }
        if !places.list.contains(at) {
            return Vec::new();
        }
        match self.page.subject.clone() {
            Subject::History { by } if at.y == places.list.y => self.press_title(by, at.x),
            Subject::Thing { .. } => self.press_pane(places.list, at),
            Subject::System => {
                let top = self.page.cursor.first(self.len(), self.room());
                self.press_row(Some(top + usize::from(at.y - places.list.y)))
            }
            _ => {
                let row = Table::row_at(places.list, at.into(), self.page.cursor, self.len());
                self.press_row(row)
            }
        }
    }

    /// A line is gone to first, and opened when it is pressed again.
    fn press_row(&mut self, row: Option<usize>) -> Vec<Effect> {
        match row {
            Some(row) if row == self.page.cursor.at => self.open(),
            Some(row) => self.act(Action::Go(Step::To(row))),
            None => Vec::new(),
        }
    }

    fn press_title(&mut self, by: Dimension, x: u16) -> Vec<Effect> {
        let columns = layout::columns(by, self.layer, true);
        let column = Layout::new(&columns, self.size.0).column_at(x);
        if let Some(column) = column.and_then(|at| Column::ALL.get(at).copied()) {
            self.page.sort = Sort::pressed(self.page.sort, column);
        }
        Vec::new()
    }

    fn press_chip(&mut self, x: u16) -> Vec<Effect> {
        let chips = layout::chips(&draw::chip_widths(&self.page, self.size.0), self.size.0);
        let pressed = chips.iter().position(|(from, wide)| (*from..from + wide).contains(&x));
        pressed.map_or_else(Vec::new, |at| self.turn_filter(at))
    }

    fn press_pane(&mut self, area: Rect, at: Position) -> Vec<Effect> {
        let all = panes::of(&self.page);
        let focus = panes::focus(&self.page, &all);
        if !panes::is_grid(area, all.len()) && at.y == area.y {
            let titles = draw::tab_places(&self.page, area.width, focus);
            let pressed =
                titles.into_iter().find(|(_, from, wide)| (*from..from + wide).contains(&at.x));
            let pane = pressed.and_then(|(at, ..)| all.get(at).copied());
            return pane.map_or_else(Vec::new, |pane| self.focus(pane));
        }
        let places = panes::places(area, all.len(), focus);
        let Some((found, place)) = places.into_iter().find(|(_, place)| place.contains(at)) else {
            return Vec::new();
        };
        if let Some(pane) = all.get(found).filter(|_| found != focus) {
            self.focus(*pane);
        }
        let Some(row) = usize::from(at.y - place.y).checked_sub(1) else { return Vec::new() };
        let (len, room) = (self.len(), self.room());
        let row = row + self.page.cursor.first(len, room);
        if row >= len {
            return Vec::new();
        }
        // The list that the keys came to has its first line chosen, not by this press.
        if found != focus { self.act(Action::Go(Step::To(row))) } else { self.press_row(Some(row)) }
    }

    fn press_over(&mut self, at: Position) -> Vec<Effect> {
        let Some(list) = self.over.as_ref().and_then(|over| draw::list_of(over, self.size)) else {
            return Vec::new();
        };
        let (area, first, len) = list;
        let row = usize::from(at.y.saturating_sub(area.y));
        if area.contains(at) && first + row < len {
            return self.choose_over(first + row);
        }
        Vec::new()
    }

    /// The step of the chart at a cell; `near`: also beside the chart.
    fn step_at(&self, at: Position, near: bool) -> Option<usize> {
        let plot = self.places().plot;
        let steps = self.page.series()?.others.len();
        if plot.is_empty() || steps == 0 || !(near || plot.contains(at)) {
            return None;
        }
        let column = at.x.clamp(plot.x, plot.right() - 1) - plot.x;
        let of = chart::steps_of(usize::from(column), usize::from(plot.width), steps);
        Some(of.start.min(steps - 1))
    }
}
