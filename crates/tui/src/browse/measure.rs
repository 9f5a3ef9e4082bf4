//! Which of the numbers is looked at.

use femtosnitch_store::Point;
use femtosnitch_store::Sums;

/// What of the traffic is drawn and ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Measure {
    /// Received above the line, sent below it.
    #[default]
    Both,
    Received,
    Sent,
    /// Sent and received together.
    Total,
    /// Connections begun.
    Connections,
}

impl Measure {
    pub(crate) const ALL: [Self; 5] =
        [Self::Both, Self::Received, Self::Sent, Self::Total, Self::Connections];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Both => "In & out",
            Self::Received => "Received",
            Self::Sent => "Sent",
            Self::Total => "Total",
            Self::Connections => "Connections",
        }
    }

    /// The one after it, and the first after the last.
    pub(crate) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|it| *it == self).unwrap_or(0);
        Self::ALL.get((at + 1) % Self::ALL.len()).copied().unwrap_or_default()
    }
}

/// Bytes as programs hand them over, or at the IP layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Layer {
    #[default]
    Payload,
    Wire,
}

impl Layer {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Payload => "Payload",
            Self::Wire => "Wire",
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Payload => Self::Wire,
            Self::Wire => Self::Payload,
        }
    }
}

/// Bytes received; `None` where they were not measured.
pub(crate) fn received(sums: &Sums, layer: Layer) -> Option<u64> {
    match layer {
        Layer::Payload => Some(sums.recv),
        Layer::Wire => sums.wire_recv,
    }
}

/// Bytes sent; `None` where they were not measured.
pub(crate) fn sent(sums: &Sums, layer: Layer) -> Option<u64> {
    match layer {
        Layer::Payload => Some(sums.send),
        Layer::Wire => sums.wire_send,
    }
}

/// What is ranked by, and of which shares are told. What was not measured counts as nothing.
pub(crate) fn amount(sums: &Sums, measure: Measure, layer: Layer) -> u64 {
    let received = received(sums, layer).unwrap_or(0);
    let sent = sent(sums, layer).unwrap_or(0);
    match measure {
        Measure::Both | Measure::Total => received.saturating_add(sent),
        Measure::Received => received,
        Measure::Sent => sent,
        Measure::Connections => sums.connections,
    }
}

/// What of a step stands above the line, and what below it.
pub(crate) fn drawn(point: &Point, measure: Measure, layer: Layer) -> (u64, u64) {
    let (sent, received) = match layer {
        Layer::Payload => (point.send, point.recv),
        Layer::Wire => (point.wire_send.unwrap_or(0), point.wire_recv.unwrap_or(0)),
    };
    match measure {
        Measure::Both => (received, sent),
        Measure::Received => (received, 0),
        Measure::Sent => (sent, 0),
        Measure::Total => (received.saturating_add(sent), 0),
        Measure::Connections => (point.connections, 0),
    }
}

/// The sum of all lines of a series.
pub(crate) fn add_points<'a>(lines: impl Iterator<Item = &'a Vec<Point>>) -> Vec<Point> {
    fn add(to: &mut u64, more: u64) {
        *to = to.saturating_add(more);
    }
    let mut all: Vec<Point> = Vec::new();
    for line in lines {
        all.resize(all.len().max(line.len()), Point::default());
        for (sum, point) in all.iter_mut().zip(line) {
            add(&mut sum.send, point.send);
            add(&mut sum.recv, point.recv);
            add(&mut sum.connections, point.connections);
            for (to, more) in
                [(&mut sum.wire_send, point.wire_send), (&mut sum.wire_recv, point.wire_recv)]
            {
                if let Some(more) = more {
                    add(to.get_or_insert(0), more);
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMS: Sums = Sums {
        send: 1,
        recv: 20,
        wire_send: Some(300),
        wire_recv: None,
        events: 9,
        connections: 5,
        failed: 0,
        retrans: 0,
        rtt_us: None,
    };

    #[test]
    fn each_measure_counts_its_own() {
        let amounts = |layer| Measure::ALL.map(|measure| amount(&SUMS, measure, layer));
        assert_eq!(amounts(Layer::Payload), [21, 20, 1, 21, 5]);
        assert_eq!(amounts(Layer::Wire), [300, 0, 300, 300, 5]);
        assert_eq!(received(&SUMS, Layer::Wire), None);
    }

    #[test]
    fn measures_go_round() {
        let mut measure = Measure::Both;
        for wanted in [1, 2, 3, 4, 0] {
            measure = measure.next();
            assert_eq!(Some(&measure), Measure::ALL.get(wanted));
        }
    }

    #[test]
    fn lines_are_added_step_by_step() {
        let point = |send, wire_send| Point { send, wire_send, ..Point::default() };
        let (one, other) = (vec![point(1, None), point(2, Some(3))], vec![point(10, Some(20))]);
        assert_eq!(
            add_points([&one, &other].into_iter()),
            [point(11, Some(20)), point(2, Some(3))]
        );
    }
}
