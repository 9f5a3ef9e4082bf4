//! What keys and the mouse do.

use crossterm::event::{KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use crate::top::actions::{Action, LISTS, READING, Reading, TYPING, Typing};
use crate::top::list::Focus;
use crate::widgets::{Layout, Step, Table, help_beyond};

use super::{Effect, MOST_PINNED, Over, View};

/// Rows that a turn of the wheel moves.
const WHEEL: isize = 3;

impl View {
    pub(super) fn key(&mut self, key: &KeyEvent) -> (bool, Option<Effect>) {
        match self.over {
            Over::Help(skip) => {
                let (width, height) = self.size;
                let keys = LISTS.help(|action| self.works(action));
                let last = help_beyond(Rect::new(0, 0, width, height), &keys);
                let skip = skip.min(last);
                match READING.find(key, |_| true) {
                    Some(Reading::Quit) => return (false, Some(Effect::Quit)),
                    Some(Reading::Close) => self.over = Over::Nothing,
                    Some(Reading::Up) => self.over = Over::Help(skip.saturating_sub(1)),
                    Some(Reading::Down) => self.over = Over::Help((skip + 1).min(last)),
                    None => return (false, None),
                }
            }
            Over::Filter => return self.type_filter(key),
            Over::Nothing => {
                let Some(action) = LISTS.find(key, |action| self.works(action)) else {
                    return (false, None);
                };
                return self.act(action);
            }
        }
        (true, None)
    }

    /// Whether something would come of it.
    pub(in crate::top) fn works(&self, action: Action) -> bool {
        match action {
            Action::Step(_) => match self.focus {
                Focus::Programs => !self.rows.is_empty(),
                Focus::Peers => !self.peers.is_empty(),
            },
            Action::Open => self.focus == Focus::Programs && !self.rows.is_empty(),
            Action::Pin => {
                self.focus == Focus::Programs && !self.shape.tree && !self.rows.is_empty()
            }
            Action::Back => {
                self.focus == Focus::Peers
                    || !self.programs.filter.is_empty()
                    || !self.pinned.is_empty()
            }
            _ => true,
        }
    }

    fn act(&mut self, action: Action) -> (bool, Option<Effect>) {
        match action {
            Action::Quit => return (false, Some(Effect::Quit)),
            Action::Suspend => return (true, Some(Effect::Suspend)),
            Action::Help => self.over = Over::Help(0),
            Action::Step(step) => self.step(step),
            Action::Open => self.focus(Focus::Peers),
            Action::Pane => self.focus(match self.focus {
                Focus::Programs => Focus::Peers,
                Focus::Peers => Focus::Programs,
            }),
            Action::Back => self.back(),
            Action::Filter => self.over = Over::Filter,
            Action::SortLeft => self.sort_beside(-1),
            Action::SortRight => self.sort_beside(1),
            Action::Reverse => {
                let ascending = match self.focus {
                    Focus::Programs => &mut self.programs.ascending,
                    Focus::Peers => &mut self.connections.ascending,
                };
                *ascending = !*ascending;
                self.refresh_now();
            }
            Action::Pause => {
                self.paused = match self.paused.take() {
                    Some(_) => None,
                    None => Some(Box::new(self.model.clone())),
                };
                self.refresh_now();
            }
            Action::Pin => self.pin_selected(),
            Action::Processes => {
                self.shape.processes = !self.shape.processes;
                self.reshape();
            }
            Action::Tree => {
                self.shape.tree = !self.shape.tree;
                self.reshape();
            }
            Action::Wire => {
                self.shape.wire = !self.shape.wire;
                self.refresh_now();
            }
            Action::Units => self.units = self.units.next(),
        }
        (true, None)
    }

    /// Rows are others now: the cursor goes to what has the most in common.
    fn reshape(&mut self) {
        let before = self.selected().map(|row| (row.groups.clone(), row.exe.clone()));
        self.selected = None;
        self.pinned.clear();
        self.refresh_now();
        if let Some((groups, exe)) = before {
            let same = self.rows.iter().position(|row| {
                row.who.is_some()
                    && row.exe == exe
                    && row.groups.iter().any(|it| groups.contains(it))
            });
            self.programs.cursor.at = same.unwrap_or(0);
        }
        let focus = std::mem::replace(&mut self.focus, Focus::Programs);
        self.moved();
        self.focus = focus;
        self.settle();
    }

    fn focus(&mut self, focus: Focus) {
        if focus == Focus::Peers && self.selected.is_none() {
            // From now on it is about this one, wherever it goes in the list.
            self.selected = self.selected().map(|row| row.id);
        }
        self.focus = focus;
        self.settle();
    }

    /// One level back.
    fn back(&mut self) {
        if self.focus == Focus::Peers {
            if self.connections.filter.is_empty() {
                self.focus(Focus::Programs);
            } else {
                self.connections.filter.clear();
                self.refresh_now();
            }
        } else if !self.programs.filter.is_empty() {
            self.programs.filter.clear();
            self.refresh_now();
        } else {
            self.pinned.clear();
            self.refresh_now();
        }
    }

    fn pin_selected(&mut self) {
        let Some(id) = self.selected().map(|row| row.id) else { return };
        match self.pinned.iter().position(|it| *it == id) {
            Some(at) => drop(self.pinned.remove(at)),
            None if self.pinned.len() < MOST_PINNED => self.pinned.push(id),
            None => {}
        }
        self.selected = Some(id);
        self.refresh_now();
    }

    fn sort_beside(&mut self, step: isize) {
        match self.focus {
            Focus::Programs => {
                let columns: Vec<_> =
                    self.program_columns().into_iter().map(|(_, by)| by).collect();
                self.programs.sort_beside(&columns, step);
            }
            Focus::Peers => {
                let columns: Vec<_> = self.peer_columns().into_iter().map(|(_, by)| by).collect();
                self.connections.sort_beside(&columns, step);
            }
        }
        self.refresh_now();
    }

    fn step(&mut self, step: Step) {
        let places = self.places().unwrap_or_default();
        match self.focus {
            Focus::Programs => {
                let room = Table::room(places.programs);
                self.programs.cursor.step(step, self.rows.len(), room);
            }
            Focus::Peers => {
                let room = Table::room(places.peers);
                self.connections.cursor.step(step, self.peers.len(), room);
            }
        }
        self.moved();
    }

    fn type_filter(&mut self, key: &KeyEvent) -> (bool, Option<Effect>) {
        match TYPING.find(key, |_| true) {
            Some(Typing::Quit) => return (false, Some(Effect::Quit)),
            Some(Typing::Done) => self.over = Over::Nothing,
            Some(Typing::Clear) => {
                self.over = Over::Nothing;
                self.filter().clear();
                self.refresh_now();
            }
            Some(Typing::Step(step)) => self.step(step),
            None if self.filter().key(key) => self.filtered(),
            None => return (false, None),
        }
        (true, None)
    }

    pub(super) fn paste(&mut self, text: &str) -> bool {
        if self.over != Over::Filter {
            return false;
        }
        self.filter().insert(text);
        self.filtered();
        true
    }

    fn filter(&mut self) -> &mut crate::widgets::LineEditor {
        match self.focus {
            Focus::Programs => &mut self.programs.filter,
            Focus::Peers => &mut self.connections.filter,
        }
    }

    /// Another filter: the best match is what keys act on.
    fn filtered(&mut self) {
        match self.focus {
            Focus::Programs => {
                self.selected = None;
                self.programs.cursor = Default::default();
            }
            Focus::Peers => {
                self.selected_peer = None;
                self.connections.cursor = Default::default();
            }
        }
        self.refresh_now();
        self.moved();
    }

    pub(super) fn mouse(&mut self, mouse: &MouseEvent) -> bool {
        let Some(places) = self.places().filter(|_| !matches!(self.over, Over::Help(_))) else {
            return false;
        };
        let at = (mouse.column, mouse.row);
        let over = |place: Rect| place.contains(at.into());
        let focus = match () {
            () if over(places.programs) => Focus::Programs,
            () if over(places.peers) || over(places.details) => Focus::Peers,
            () => return false,
        };
        match mouse.kind {
            MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
                let down = mouse.kind == MouseEventKind::ScrollDown;
                let before = std::mem::replace(&mut self.focus, focus);
                self.step(Step::By(if down { WHEEL } else { -WHEEL }));
                self.focus = before;
                self.settle();
            }
            MouseEventKind::Down(MouseButton::Left) => {
                self.click(focus, at, (places.programs, places.peers))
            }
            _ => return false,
        }
        true
    }

    fn click(&mut self, focus: Focus, at: (u16, u16), (programs, peers): (Rect, Rect)) {
        // Where things are on the screen as it was pressed: another focus changes that.
        let row = match focus {
            Focus::Programs => Table::row_at(programs, at, self.programs.cursor, self.rows.len()),
            Focus::Peers => Table::row_at(peers, at, self.connections.cursor, self.peers.len()),
        };
        let is_again = focus == self.focus && row == Some(self.programs.cursor.at);
        if focus != self.focus {
            self.focus(focus);
        }
        match (focus, row) {
            (Focus::Programs, _) if at.1 == programs.y => {
                let columns = self.program_columns();
                let shown: Vec<_> = columns.iter().map(|(column, _)| *column).collect();
                let column = Layout::new(&shown, programs.width).column_at(at.0 - programs.x);
                if let Some((_, by)) = column.and_then(|column| columns.get(column)) {
                    self.programs.sort_by(*by);
                    self.refresh_now();
                }
            }
            (Focus::Peers, _) if at.1 == peers.y => {
                let columns = self.peer_columns();
                let shown: Vec<_> = columns.iter().map(|(column, _)| *column).collect();
                let column = Layout::new(&shown, peers.width).column_at(at.0 - peers.x);
                if let Some((_, by)) = column.and_then(|column| columns.get(column)) {
                    self.connections.sort_by(*by);
                    self.refresh_now();
                }
            }
            (Focus::Programs, Some(_)) if is_again => self.focus(Focus::Peers),
            (_, Some(row)) => self.step(Step::To(row)),
            (_, None) => {}
        }
    }
}
