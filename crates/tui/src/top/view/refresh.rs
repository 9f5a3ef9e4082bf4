//! Lists made anew from what is known.

use std::collections::HashMap;

use crate::top::list::Focus;
use crate::top::peers::{self, Peer};
use crate::top::rows::{self, By, Row, RowId};
use crate::widgets::Table;

use super::View;

/// Samples between two changes of the list's order, where it is by what moves.
const CALM: u64 = 3;

impl View {
    /// Makes the lists anew; whether something is different.
    pub(super) fn refresh(&mut self) -> bool {
        self.order(self.model.samples.is_multiple_of(CALM))
    }

    /// The same after the reader asked for another order, or for something else.
    pub(super) fn refresh_now(&mut self) {
        self.order(true);
    }

    fn order(&mut self, anew: bool) -> bool {
        let before = std::mem::take(&mut self.rows);
        let mut rows = self.sorted();
        // Rows that jump with each second cannot be read.
        if !anew && self.programs.by == By::Busy && !self.shape.tree {
            let known: HashMap<RowId, usize> =
                before.iter().enumerate().map(|(at, row)| (row.id, at)).collect();
            rows.sort_by_key(|row| known.get(&row.id).copied().unwrap_or(usize::MAX));
        }
        self.pin(&mut rows);
        let changed = rows != before;
        self.rows = rows;
        let found = self.selected.and_then(|id| self.rows.iter().position(|row| row.id == id));
        match found {
            Some(at) => self.programs.cursor.at = at,
            None if self.selected.is_some() => self.selected = None,
            None => {}
        }
        let peers = self.refresh_peers();
        self.settle();
        changed || peers
    }

    /// Rows that the filter leaves, in the order asked for.
    fn sorted(&self) -> Vec<Row> {
        let words = self.programs.words();
        let (by, descending) = (self.programs.by, !self.programs.ascending);
        let compare = |a: &Row, b: &Row| rows::compare(a, b, by, descending);
        let keep = |row: &Row| rows::matches(row, &words);
        let (model, shape) = (self.shown(), self.shape);
        if shape.tree {
            return rows::tree(model, shape, &self.news, &compare, &keep);
        }
        let mut all = rows::rows(model, shape, &self.news);
        all.retain(|row| keep(row) || self.pinned.contains(&row.id));
        all.sort_by(compare);
        all
    }

    /// Frozen rows stand first, as they were frozen. A tree keeps its shape.
    fn pin(&self, rows: &mut [Row]) {
        if !self.pinned.is_empty() && !self.shape.tree {
            rows.sort_by_key(|row| {
                self.pinned.iter().position(|id| *id == row.id).unwrap_or(usize::MAX)
            });
        }
    }

    /// Connections of the selected row; whether something is different.
    pub(super) fn refresh_peers(&mut self) -> bool {
        let before = std::mem::take(&mut self.peers);
        let Some(row) = self.rows.get(self.programs.cursor.at) else { return !before.is_empty() };
        let words = self.connections.words();
        let mut all = peers::peers(self.shown(), row, self.shape.wire);
        all.retain(|peer| peer.matches(&words));
        let (by, descending) = (self.connections.by, !self.connections.ascending);
        all.sort_by(|a, b| peers::compare(a, b, by, descending));
        let changed = all != before;
        self.peers = all;
        let is_selected = |peer: &Peer| Some((peer.ends, peer.who.pid)) == self.selected_peer;
        if let Some(at) = self.peers.iter().position(is_selected) {
            self.connections.cursor.at = at;
        }
        changed
    }

    /// Keeps cursors on the screen.
    pub(super) fn settle(&mut self) {
        let places = self.places().unwrap_or_default();
        self.programs.cursor.settle(self.rows.len(), Table::room(places.programs));
        self.connections.cursor.settle(self.peers.len(), Table::room(places.peers));
    }

    /// The cursor was moved by the reader: it stays with what it is on now.
    pub(super) fn moved(&mut self) {
        match self.focus {
            Focus::Programs => {
                let selected = self.selected().map(|row| row.id);
                if selected != self.selected {
                    self.selected = selected;
                    self.selected_peer = None;
                    self.connections.cursor = Default::default();
                    self.refresh_peers();
                    self.settle();
                }
            }
            Focus::Peers => {
                self.selected_peer = self.selected_peer().map(|peer| (peer.ends, peer.who.pid));
            }
        }
    }
}
