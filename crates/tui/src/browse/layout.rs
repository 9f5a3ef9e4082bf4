//! Where on the screen what is: the same for whoever paints and for the mouse.

use femtosnitch_store::Dimension;
use ratatui::layout::Rect;

use super::measure::Layer;
use super::page::Page;
use super::page::Subject;
use super::words;
use crate::widgets::Align;
use crate::widgets::Column;

/// Less than this shows nothing of use.
pub(crate) const SMALLEST: (u16, u16) = (40, 10);
/// Cells at the left of a chart for its scale.
pub(crate) const GUTTER: u16 = 11;
/// Below so many lines there is no chart.
const ROOMY: u16 = 18;

/// All parts; those that are not there have no height.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) head: Rect,
    pub(crate) totals: Rect,
    pub(crate) chips: Rect,
    /// What a program is.
    pub(crate) about: Rect,
    /// The chart without its scale and its times; one line of it is the line itself.
    pub(crate) plot: Rect,
    pub(crate) times: Rect,
    pub(crate) list: Rect,
    /// Below a table: all others, and all; below events, how many are not shown.
    pub(crate) foot: Rect,
    pub(crate) notes: Rect,
    pub(crate) hints: Rect,
}

/// Lays a page out, with so many notes below it.
pub(crate) fn of(page: &Page, (width, height): (u16, u16), notes: usize) -> Places {
    let mut y = 0;
    let mut bottom = height;
    let mut take = |lines: u16| {
        let lines = lines.min(bottom.saturating_sub(y));
        let part = Rect::new(0, y, width, lines);
        y += lines;
        part
    };
    let traffic = matches!(page.subject, Subject::History { .. } | Subject::Thing { .. });
    let is_history = matches!(page.subject, Subject::History { .. });
    let is_program = matches!(page.subject, Subject::Thing { dimension: Dimension::Exe, .. });
    let mut places = Places {
        head: take(1),
        totals: take(u16::from(traffic)),
        chips: take(u16::from(traffic && !page.filters.is_empty())),
        about: take(u16::from(is_program) * 2),
        ..Places::default()
    };
    if traffic && height >= ROOMY && width > GUTTER + 20 {
        let third = if is_history { 3 } else { 4 };
        let lines = (height.saturating_sub(8) / third).clamp(4, 24);
        let chart = take(lines);
        let plot = Rect { height: lines.saturating_sub(1), ..chart };
        places.plot = Rect { x: GUTTER, width: width.saturating_sub(GUTTER), ..plot };
        places.times = Rect { y: plot.bottom(), height: chart.height - plot.height, ..places.plot };
    }
    let mut from_below = |lines: u16| {
        let lines = lines.min(bottom.saturating_sub(y));
        bottom -= lines;
        Rect::new(0, bottom, width, lines)
    };
    places.hints = from_below(1);
    places.notes = from_below(u16::try_from(notes.min(2)).unwrap_or(2));
    let left_out = page.known.events_left_out > 0 && matches!(page.subject, Subject::Events);
    places.foot = from_below(u16::from(is_history) * 2 + u16::from(left_out));
    places.list = Rect::new(0, y, width, bottom.saturating_sub(y));
    places
}

/// The columns of a table, as [`super::rows::Column::ALL`] has them.
pub(crate) fn columns(by: Dimension, layer: Layer, ascii: bool) -> [Column; 9] {
    let (received, sent) = match (layer, ascii) {
        (Layer::Payload, false) => ("↓ Received", "↑ Sent"),
        (Layer::Wire, false) => ("↓ Wire", "↑ Wire"),
        (Layer::Payload, true) => ("Received", "Sent"),
        (Layer::Wire, true) => ("Wire recv", "Wire sent"),
    };
    let name = Column { grow: 2, ..Column::text(words::title_in(by, ascii), 26) };
    let share = Column { grow: 1, align: Align::Left, ..Column::number("Share", 13, 8) };
    [
        name,
        share,
        Column::number(received, 11, 10),
        Column::number(sent, 11, 9),
        Column::number("Conns", 9, 6),
        Column::number("Failed", 8, 5),
        Column::number("Best RTT", 9, 4),
        Column::number("Resent", 9, 2),
        Column::number("Calls", 11, 1),
    ]
}

/// The box of a list to choose from, or of a line to type: what is inside its border.
pub(crate) fn over((width, height): (u16, u16), wanted: (u16, u16)) -> Rect {
    let (wide, tall) = (wanted.0.min(width), wanted.1.min(height));
    let inside = Rect::new((width - wide) / 2, (height - tall) / 2, wide, tall);
    Rect {
        x: inside.x + 2,
        y: inside.y + 1,
        width: inside.width.saturating_sub(4),
        height: inside.height.saturating_sub(2),
    }
}

/// Where chips stand in their line: for each that fits, its first column and its width. `texts` are
/// as wide as they are shown.
pub(crate) fn chips(widths: &[usize], room: u16) -> Vec<(u16, u16)> {
    let mut x = 0_u16;
    let mut out = Vec::new();
    for width in widths {
        let wide = u16::try_from(width + 2).unwrap_or(u16::MAX);
        if x.saturating_add(wide) > room {
            break;
        }
        out.push((x, wide));
        x = x.saturating_add(wide + 1);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::range::Range;
    use super::*;
    use crate::widgets::Layout;

    fn page(subject: Subject) -> Page {
        Page::new(subject, Range::default(), vec!["rport=53".parse().unwrap()])
    }

    #[test]
    fn parts_lie_one_below_the_other_and_fill_the_screen() {
        let thing = Subject::Thing { dimension: Dimension::Exe, value: "/a".to_owned() };
        for subject in
            [Subject::History { by: Dimension::Exe }, thing, Subject::Events, Subject::System]
        {
            let page = page(subject);
            for size in [(40, 10), (80, 24), (120, 40), (300, 100), (5, 1), (0, 0), (80, 17)] {
                for notes in 0..4 {
                    let it = of(&page, size, notes);
                    let parts = [
                        it.head, it.totals, it.chips, it.about, it.plot, it.times, it.list,
                        it.foot, it.notes, it.hints,
                    ];
                    let lines: u16 = parts.iter().map(|part| part.height).sum();
                    assert_eq!(lines, size.1, "{it:?}");
                    let tall: Vec<_> = parts.iter().filter(|part| part.height > 0).collect();
                    assert!(tall.windows(2).all(|it| it[0].bottom() == it[1].y), "{it:?}");
                }
            }
        }
    }

    #[test]
    fn what_tells_most_stays_where_there_is_little_room() {
        let columns = columns(Dimension::Exe, Layer::Payload, false);
        let shown = |room| Layout::new(&columns, room).0.iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(shown(80), [0, 1, 2, 3, 4]);
        assert_eq!(shown(132), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(shown(40), [0, 2]);
    }

    #[test]
    fn chips_end_where_the_line_does() {
        assert_eq!(chips(&[10, 5, 30], 40), [(0, 12), (13, 7)]);
        assert!(chips(&[10], 5).is_empty());
    }
}
