//! The list of connections.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::feed::Direction;
use crate::text;
use crate::top::connection::State;
use crate::top::list::Focus;
use crate::top::peers::{Peer, PeerBy};
use crate::top::view::View;
use crate::widgets::{self, Sort, Table};

impl View {
    pub(super) fn paint_peers(&self, buf: &mut Buffer, area: Rect) {
        if area.is_empty() {
            return;
        }
        let columns = self.peer_columns();
        let shown: Vec<_> = columns.iter().map(|(column, _)| *column).collect();
        let sorted = columns.iter().position(|(_, by)| *by == self.connections.by);
        let sort = sorted.map(|column| Sort { column, descending: !self.connections.ascending });
        let focused = self.focus == Focus::Peers;
        let table = Table { columns: &shown, sort, focused };
        let list = (self.connections.cursor, self.peers.len());
        table.draw(buf, area, list, &self.theme, |at, widths| {
            let Some(peer) = self.peers.get(at) else { return widgets::Row::default() };
            self.peer_row(peer, &columns, widths)
        });
        if self.peers.is_empty() && area.height > 1 {
            let text = match () {
                () if !self.connections.filter.is_empty() => "no connection with that in it",
                () if self.rows.is_empty() => "",
                () => "no connection that is open, or was a moment ago",
            };
            buf.set_stringn(area.x, area.y + 1, text, area.width.into(), self.theme.dim());
        }
    }

    fn peer_row(
        &self,
        peer: &Peer,
        columns: &[(widgets::Column, PeerBy)],
        widths: &[u16],
    ) -> widgets::Row<'static> {
        let theme = &self.theme;
        let glyphs = theme.glyphs;
        let over = matches!(peer.state, State::Over(_) | State::Idle);
        let base = if over { theme.dim() } else { Style::new() };
        let absent = || Line::styled(glyphs.absent, theme.dim());
        let clean = |text: &str| text::shown(text, glyphs.ascii);
        let cells = columns.iter().zip(widths).map(|((_, by), width)| {
            let room = usize::from(*width);
            match by {
                _ if room == 0 => Line::default(),
                PeerBy::Busy => Line::default(),
                PeerBy::Peer => self.peer_cell(peer, room, base),
                PeerBy::Country if peer.country.is_empty() => absent(),
                PeerBy::Country => {
                    Line::styled(text::clip(&clean(&peer.country), room, glyphs.ellipsis), base)
                }
                PeerBy::Port if peer.state == State::Listening => {
                    Line::styled(peer.ends.lport.to_string(), base)
                }
                PeerBy::Port if peer.ends.rport == 0 => absent(),
                PeerBy::Port => Line::styled(peer.ends.rport.to_string(), base),
                PeerBy::Protocol if peer.ends.protocol == 0 => absent(),
                PeerBy::Protocol => {
                    let name = match peer.ends.protocol {
                        number @ (1 | 6 | 17 | 58 | 132 | 262) => text::protocol_name(number),
                        number => number.to_string(),
                    };
                    Line::styled(name, theme.dim())
                }
                PeerBy::Direction => match peer.direction {
                    Direction::Outgoing => Line::styled("out", base),
                    Direction::Incoming => Line::styled("in", base),
                    Direction::Listening | Direction::Unknown => absent(),
                },
                PeerBy::Rate(side) => {
                    let style = if *side == 0 { theme.received() } else { theme.sent() };
                    self.rate_cell(peer.rates.get(*side).copied().flatten(), style)
                }
                PeerBy::Total(side) => {
                    self.amount_cell(peer.total.get(*side).copied().flatten(), base)
                }
                PeerBy::Age => {
                    let older = if peer.older { ">" } else { "" };
                    Line::styled(format!("{older}{}", text::short_duration(peer.age)), base)
                }
                PeerBy::State => {
                    let style = match peer.state {
                        State::Open => theme.good(),
                        State::Over("closed") | State::Idle => theme.dim(),
                        State::Over(_) => theme.warning(),
                        State::Listening => base,
                    };
                    Line::styled(peer.state.name(), style)
                }
                PeerBy::Rtt => match peer.rtt_us {
                    Some(us) => Line::styled(text::round_trip(us, glyphs.ascii), base),
                    None => absent(),
                },
            }
        });
        widgets::Row { cells: cells.collect(), style: base }
    }

    /// The name, and the address where there is room for both.
    fn peer_cell(&self, peer: &Peer, room: usize, base: Style) -> Line<'static> {
        let theme = &self.theme;
        let glyphs = theme.glyphs;
        if peer.state == State::Listening {
            let local = peer.ends.laddr.map_or_else(|| "*".to_owned(), |addr| addr.to_string());
            return Line::styled(text::middle(&local, room, glyphs.ellipsis), base);
        }
        let name = text::shown(&peer.name(), glyphs.ascii);
        if name.is_empty() {
            return Line::styled("(unknown)", theme.dim());
        }
        let name = text::middle(&name, room, glyphs.ellipsis);
        let left = room.saturating_sub(text::width(&name));
        let mut spans = vec![Span::styled(name, base)];
        let address = peer.address();
        if !peer.domain.is_empty() && left >= address.len() + 2 {
            spans.push(Span::styled(format!("  {address}"), theme.dim()));
        }
        Line::from(spans)
    }
}
