//! `top` painted.

mod peers;
mod programs;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::text;
use crate::widgets::{hints, spark};

use super::actions::{LISTS, READING, TYPING};
use super::list::Focus;
use super::places::SMALLEST;
use super::view::{Link, Over, Urgency, View};

impl View {
    /// Paints everything.
    pub fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        self.paint(frame.buffer_mut(), area);
    }

    /// The same into any buffer; the size is what [`View::update`] was told last.
    pub fn paint(&self, buf: &mut Buffer, area: Rect) {
        let Some(places) = self.places().filter(|it| it.footer.bottom() <= area.height) else {
            let (width, height) = SMALLEST;
            let text = format!("too small: {width}x{height} is needed");
            buf.set_stringn(area.x, area.y, text, area.width.into(), self.theme.warning());
            return;
        };
        self.title(buf, places.title);
        self.minute(buf, places.minute);
        self.paint_notices(buf, places.notices);
        self.paint_programs(buf, places.programs);
        self.paint_details(buf, places.details);
        self.paint_peers(buf, places.peers);
        self.footer(buf, places.footer);
        if let Over::Help(skip) = self.over {
            let keys = LISTS.help(|action| self.works(action));
            crate::widgets::help(buf, area, "keys", &keys, skip, &self.theme);
        }
    }

    fn title(&self, buf: &mut Buffer, area: Rect) {
        let theme = &self.theme;
        let model = self.shown();
        let (state, style) = match &self.link {
            _ if self.paused.is_some() => ("paused", theme.warning()),
            Link::Up => ("live", theme.good()),
            Link::Connecting => ("connecting", theme.dim()),
            Link::Down(_) => ("no daemon", theme.bad()),
        };
        let [recv, send] = self.rates_of_all();
        let open: u32 = model.groups().iter().map(|it| it.open).sum();
        let programs = model.groups().len();
        let count = |n: u64, one: &str, many: &str| {
            format!("{} {}", text::count(n), if n == 1 { one } else { many })
        };
        let glyphs = theme.glyphs;
        let mut spans = vec![
            Span::styled("femtosnitch top", theme.bold()),
            Span::styled(format!("  {state}"), style),
            Span::styled(format!("   {} ", glyphs.received), theme.received()),
            Span::styled(format!("{recv:<11}"), theme.bold()),
            Span::styled(format!("  {} ", glyphs.sent), theme.sent()),
            Span::styled(format!("{send:<11}"), theme.bold()),
            Span::raw(format!("  {}", count(u64::from(open), "connection", "connections"))),
        ];
        let more = count(programs as u64, "program", "programs");
        let flows = count(model.flows, "flow", "flows");
        let how = format!(
            "{} by {}, {}",
            if self.shape.wire { "wire" } else { "payload" },
            if self.shape.processes { "process" } else { "executable" },
            self.units.name(),
        );
        let room = usize::from(area.width);
        for (text, style) in [(more, Style::new()), (flows, theme.dim())] {
            let used: usize = spans.iter().map(Span::width).sum();
            if used + text.len() + 3 + how.len() + 2 <= room {
                spans.push(Span::styled(format!("   {text}"), style));
            }
        }
        let line = Line::from(spans);
        let used = line.width();
        buf.set_line(area.x, area.y, &line, area.width);
        if used + how.len() + 2 <= room {
            let x = area.right() - u16::try_from(how.len()).unwrap_or(0);
            buf.set_stringn(x, area.y, how, room, theme.dim());
        }
    }

    fn rates_of_all(&self) -> [String; 2] {
        let model = self.shown();
        let [second, ..] = model.clock().windows();
        model.all().rates(second, self.shape.wire).map(|rate| match rate {
            Some(rate) => text::rate(rate, self.units),
            None => self.theme.glyphs.absent.to_owned(),
        })
    }

    /// The last minute of everything, received above sent.
    fn minute(&self, buf: &mut Buffer, area: Rect) {
        if area.height < 2 {
            return;
        }
        let theme = &self.theme;
        let model = self.shown();
        let samples: Vec<_> = model.clock().samples().collect();
        let mut bars = vec![[0.0; 2]; samples.len()];
        model.all().bars(model.clock(), self.shape.wire, &mut bars);
        for (bar, (_, seconds)) in bars.iter_mut().zip(&samples) {
            *bar = bar.map(|bytes| if *seconds > 0.0 { bytes / seconds } else { 0.0 });
        }
        let room = usize::from(area.width.saturating_sub(24)).min(60);
        let skip = bars.len().saturating_sub(room);
        for (side, (glyph, style, y)) in [
            (theme.glyphs.received, theme.received(), area.y),
            (theme.glyphs.sent, theme.sent(), area.y + 1),
        ]
        .into_iter()
        .enumerate()
        {
            let values: Vec<f64> =
                bars.iter().skip(skip).filter_map(|bar| bar.get(side).copied()).collect();
            let most = values.iter().copied().fold(0.0, f64::max);
            let pad = " ".repeat(room - values.len());
            let line = Line::from(vec![
                Span::styled(format!("{glyph} "), style),
                Span::raw(pad),
                Span::styled(spark(&values, theme.glyphs), style),
                Span::styled(format!("  most {}", text::rate(most, self.units)), theme.dim()),
            ]);
            buf.set_line(area.x, y, &line, area.width);
        }
    }

    fn paint_notices(&self, buf: &mut Buffer, area: Rect) {
        let theme = &self.theme;
        let rows = usize::from(area.height);
        let notices = self.notices();
        for (y, (nth, (urgency, text))) in (area.y..area.bottom()).zip(notices.iter().enumerate()) {
            let style = match urgency {
                Urgency::None => theme.dim(),
                Urgency::Good => theme.good(),
                Urgency::Warning => theme.warning(),
                Urgency::Bad => theme.bad(),
            };
            let more = notices.len() - nth - 1;
            let mut text = text::shown(text, theme.glyphs.ascii);
            if nth + 1 == rows && more > 0 {
                text = format!("(and {more} more) {text}");
            }
            let room = usize::from(area.width);
            let text = text::clip(&text, room, theme.glyphs.ellipsis);
            buf.set_stringn(area.x, y, text, room, style);
        }
    }

    fn footer(&self, buf: &mut Buffer, area: Rect) {
        let theme = &self.theme;
        let filter = match self.focus {
            Focus::Programs => &self.programs.filter,
            Focus::Peers => &self.connections.filter,
        };
        let mut x = area.x;
        if self.over == Over::Filter {
            let keys = TYPING.hints(|_| true);
            let line = hints(&keys, usize::from(area.width) / 2, theme);
            let taken = u16::try_from(line.width()).unwrap_or(0);
            (x, _) = buf.set_stringn(x, area.y, "/", 1, theme.accent());
            let room = area.width.saturating_sub(1 + taken + 1);
            filter.draw(buf, Rect { x, width: room, ..area }, theme.text(), theme.glyphs.ascii);
            buf.set_line(area.right().saturating_sub(taken), area.y, &line, taken);
            return;
        }
        if !filter.is_empty() {
            let text = text::shown(&filter.text(), theme.glyphs.ascii);
            let text =
                text::clip(&format!("/{text}"), usize::from(area.width) / 3, theme.glyphs.ellipsis);
            (x, _) =
                buf.set_stringn(x, area.y, format!(" {text} "), area.width.into(), theme.chip());
            x += 1;
        }
        let room = area.right().saturating_sub(x);
        let keys = match self.over {
            Over::Help(_) => READING.hints(|_| true),
            _ => {
                let mut keys = LISTS.hints(|action| self.works(action));
                // How to end is told even where there is room for little.
                if let Some(quit) = keys.pop() {
                    keys.insert(0, quit);
                }
                keys
            }
        };
        buf.set_line(x, area.y, &hints(&keys, room.into(), theme), room);
    }

    /// An amount in a column: what is nothing is dim, what was not measured a dash.
    fn amount_cell(&self, value: Option<u64>, style: Style) -> Line<'static> {
        let theme = &self.theme;
        match value {
            None => Line::styled(theme.glyphs.absent, theme.dim()),
            Some(0) => Line::styled("0", theme.dim()),
            Some(value) => Line::styled(text::bytes(value, self.units), style),
        }
    }

    fn rate_cell(&self, rate: Option<f64>, style: Style) -> Line<'static> {
        #[expect(clippy::cast_possible_truncation, reason = "saturates on purpose")]
        #[expect(clippy::cast_sign_loss, reason = "negative rates count as none")]
        self.amount_cell(rate.map(|rate| rate.round() as u64), style)
    }
}
