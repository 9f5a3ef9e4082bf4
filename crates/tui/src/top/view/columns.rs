//! The columns of both lists.

use crate::top::peers::PeerBy;
use crate::top::rows::By;
use crate::widgets::Column;

use super::View;

/// A column that rows are sorted by is shown whatever the room.
const SORTED: u8 = 100;

impl View {
    /// Cells that an amount takes: `1023 KiB`, `1023 Kibit`.
    fn amount(&self) -> u16 {
        if self.units.bits { 10 } else { 8 }
    }

    /// The columns of the programs, and by what each sorts. A narrow screen leaves out those with
    /// small ranks.
    pub(in crate::top) fn program_columns(&self) -> Vec<(Column, By)> {
        let amount = self.amount();
        let name = if self.size.0 < 80 { 16 } else { 24 };
        let number = |title, rank| Column::number(title, amount, rank);
        let mut columns = vec![(Column { grow: 3, ..Column::text("program", name) }, By::Program)];
        if self.shape.processes {
            columns.push((Column::number("pid", 7, 70), By::Pid));
        }
        columns.push((Column { grow: 1, ..Column::word("badges", 14, 20) }, By::Badges));
        let spans = if self.theme.glyphs.ascii {
            [
                (["in/s 1s", "out/s 1s"], 90),
                (["in/s 10s", "out/s10s"], 30),
                (["in/s 60s", "out/s60s"], 10),
            ]
        } else {
            [(["↓/s 1s", "↑/s 1s"], 90), (["↓/s 10s", "↑/s 10s"], 30), (["↓/s 60s", "↑/s 60s"], 10)]
        };
        for (span, (titles, rank)) in spans.into_iter().enumerate() {
            for (side, title) in titles.into_iter().enumerate() {
                columns.push((number(title, rank), By::Rate(side, span)));
            }
        }
        columns.push((number("received", 40), By::Total(0)));
        columns.push((number("sent", 40), By::Total(1)));
        columns.push((Column::number("conns", 6, 60), By::Open));
        columns.push((Column::number("peers", 6, 50), By::Peers));
        for (column, by) in &mut columns {
            if *by == self.programs.by && column.rank > 0 {
                column.rank = SORTED;
            }
        }
        columns
    }

    /// The columns of the connections.
    pub(in crate::top) fn peer_columns(&self) -> Vec<(Column, PeerBy)> {
        let amount = self.amount();
        let [down, up] =
            if self.theme.glyphs.ascii { ["in/s", "out/s"] } else { ["↓/s", "↑/s"] };
        let mut columns = vec![
            (Column::text("peer", 20), PeerBy::Peer),
            (Column::word("country", 10, 60), PeerBy::Country),
            (Column::number("port", 5, 80), PeerBy::Port),
            (Column::word("proto", 6, 40), PeerBy::Protocol),
            (Column::word("dir", 3, 50), PeerBy::Direction),
            (Column::number(down, amount, 90), PeerBy::Rate(0)),
            (Column::number(up, amount, 90), PeerBy::Rate(1)),
            (Column::number("received", amount, 10), PeerBy::Total(0)),
            (Column::number("sent", amount, 10), PeerBy::Total(1)),
            (Column::number("age", 5, 55), PeerBy::Age),
            (Column::word("state", 11, 35), PeerBy::State),
            (Column::number("rtt", 7, 45), PeerBy::Rtt),
        ];
        for (column, by) in &mut columns {
            if *by == self.connections.by && column.rank > 0 {
                column.rank = SORTED;
            }
        }
        columns
    }
}
