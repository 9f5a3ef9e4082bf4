//! What moves now, printed: as a table, or as JSON. Pure: a model in, text out.

use femtosnitch_model::printable;
use femtosnitch_tui::feed::{Feed, Sample, Warnings};
use femtosnitch_tui::top::{Badge, Executable, Model, News, Rates, executables};
use serde_json::{Value, json};

use crate::text::{self, Column, Style, Table};

/// What the feed has said since the view was started.
#[derive(Debug, Default)]
pub struct LiveView {
    model: Model,
    warnings: Warnings,
    wire: bool,
}

impl LiveView {
    /// Nothing has been said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also shows what moves at the IP layer.
    #[must_use]
    pub fn with_wire(mut self, wire: bool) -> Self {
        self.wire = wire;
        self
    }

    /// Takes in what the daemon said; whether a sample is complete and worth showing.
    pub fn apply(&mut self, feed: Feed) -> bool {
        match feed {
            Feed::Sample(sample) => {
                self.sample(&sample);
                return true;
            }
            Feed::Status(status) => {
                self.warnings.status(status.warnings);
            }
            Feed::Warning(text) => {
                self.warnings.tell(text);
            }
            Feed::Down(_) => self.model.quiet(),
            Feed::Up { .. } => {
                self.model.forget_connections();
                self.warnings.clear();
            }
        }
        false
    }

    fn sample(&mut self, sample: &Sample) {
        self.model.apply(sample, &mut |_| "".into());
    }

    /// No sample has come for a while: nothing moves. Counts as a sample.
    pub fn quiet(&mut self) {
        self.model.quiet();
    }

    /// Samples seen, [`LiveView::quiet`] ones included.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.model.samples
    }

    /// Seconds that the last sample is of.
    #[must_use]
    pub fn interval(&self) -> f64 {
        self.model.interval
    }

    /// The view as text: a line of totals, what needs attention, and all executables, those that
    /// move most first. `width` in terminal cells, `None` for no limit.
    #[must_use]
    pub fn render(&self, width: Option<usize>, style: Style) -> String {
        let ranked = executables(&self.model, &News::default());
        let mut head = vec![style.bold(&clip(&self.summary(&ranked), width))];
        let missed = (self.model.missed > 0).then(|| {
            let missed = text::count(self.model.missed);
            format!("{missed} events did not reach this view: the totals below are too low")
        });
        let warnings = self.warnings.newest().map(printable);
        for line in missed.into_iter().chain(warnings) {
            head.push(style.warning(&clip(&line, width)));
        }
        head.push(String::new());
        let wire: &[_] = if self.wire { &["wire out", "wire in"] } else { &[] };
        let numbers = ["out", "in"].iter().chain(wire).chain(&["sent", "received", "peers"]);
        let mut columns = vec![Column::text("executable")];
        columns.extend(numbers.map(|title| Column::number(title)));
        let mut table = Table::new(columns);
        table.fit(width);
        for it in &ranked {
            let more = if it.more_peers { "+" } else { "" };
            let [[recv, send], ..] = it.rates;
            let mut cells = vec![
                it.exe.clone(),
                text::rate(send.unwrap_or(0.0)),
                text::rate(recv.unwrap_or(0.0)),
            ];
            if self.wire {
                let [[recv, send], ..] = it.wire_rates;
                cells.extend([measured(send), measured(recv)]);
            }
            let [recv, send] = it.total.payload;
            cells.extend([
                text::bytes(send),
                text::bytes(recv),
                format!("{}{more}", text::count(it.peers as u64)),
            ]);
            table.row(cells);
        }
        format!("{}\n{}", head.join("\n"), table.render(style))
    }

    /// The view for programs: one object. Rates in bytes a second; with wire rates, which are null
    /// where nothing was measured, if they were asked for.
    #[must_use]
    pub fn json(&self) -> Value {
        let all = executables(&self.model, &News::default());
        let executables: Vec<Value> = all.iter().map(|it| self.object(it)).collect();
        json!({
            "time": self.model.time,
            "interval": self.model.interval,
            "flows": self.model.flows,
            "missed": self.model.missed,
            "executables": executables,
        })
    }

    fn object(&self, it: &Executable) -> Value {
        let [recv, send] = it.total.payload;
        let mut object = json!({
            "exe": it.exe,
            "send": send,
            "recv": recv,
            "peers": it.peers,
            "connections": it.connections,
            "badges": it.badges.iter().map(|badge| Badge::name(*badge)).collect::<Vec<_>>(),
        });
        let Value::Object(fields) = &mut object else { return object };
        let mut add = |prefix: &str, rates: [Rates; 3], always: bool| {
            for ([recv, send], span) in rates.into_iter().zip(["", "_10s", "_60s"]) {
                for (side, rate) in [("send", send), ("recv", recv)] {
                    // What programs moved is never unknown.
                    let rate = if always { Some(rate.unwrap_or(0.0)) } else { rate };
                    fields.insert(format!("{prefix}{side}_rate{span}"), json!(rate));
                }
            }
        };
        add("", it.rates, true);
        if self.wire {
            add("wire_", it.wire_rates, false);
        }
        object
    }

    fn summary(&self, all: &[Executable]) -> String {
        let sum = |side: usize| {
            let rates = all.iter().filter_map(|it| *it.rates.first()?.get(side)?);
            text::rate(rates.sum())
        };
        format!(
            "out {}   in {}   {} flows   {} executables",
            sum(1),
            sum(0),
            text::count(self.model.flows),
            text::count(all.len() as u64),
        )
    }
}

fn measured(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), text::rate)
}

fn clip(line: &str, width: Option<usize>) -> String {
    line.chars().take(width.unwrap_or(usize::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use femtosnitch_api::{Event, FlowEvent, Status};
    use femtosnitch_tui::feed::Reader;
    use std::net::IpAddr;

    fn flow(exe: &str, send: u64, recv: u64, peer: u8) -> FlowEvent {
        let raddr = Some(IpAddr::from([192, 0, 2, peer]));
        FlowEvent { exe: exe.to_owned(), send, recv, raddr, ..FlowEvent::default() }
    }

    fn sample(interval: f64, flows: Vec<FlowEvent>) -> Feed {
        let mut reader = Reader::default();
        let mut read = |flow: FlowEvent| {
            let line = serde_json::to_vec(&Event::Flow(Box::new(flow))).unwrap();
            reader.read(&line).unwrap()
        };
        let flows = flows.into_iter().map(&mut read).collect();
        Feed::Sample(Box::new(Sample { time: 1.0, interval, count: 2, flows, ..Sample::default() }))
    }

    fn view(feed: Vec<Feed>) -> LiveView {
        let mut view = LiveView::new();
        for it in feed {
            view.apply(it);
        }
        view
    }

    #[test]
    fn rates_are_of_the_last_second_and_totals_of_all() {
        let view = view(vec![
            sample(
                2.0,
                vec![
                    flow("/usr/bin/curl", 1024, 4096, 1),
                    flow("/usr/bin/curl", 1024, 0, 2),
                    flow("/usr/bin/ssh", 10, 20, 1),
                ],
            ),
            sample(1.0, vec![flow("/usr/bin/ssh", 2048, 0, 1)]),
        ]);
        let text = view.render(None, Style::plain());
        assert_eq!(
            text,
            "out 2.0 KiB/s   in 0 B/s   2 flows   2 executables\n\
             \n\
             executable           out     in     sent  received  peers\n\
             /usr/bin/ssh   2.0 KiB/s  0 B/s  2.0 KiB      20 B      1\n\
             /usr/bin/curl      0 B/s  0 B/s  2.0 KiB   4.0 KiB      2\n"
        );
        assert_eq!(view.samples(), 2);
        let curl = &view.json()["executables"][1];
        assert_eq!(
            (&curl["send_rate"], &curl["recv_rate_10s"]),
            (&json!(0.0), &json!(4096.0 / 3.0))
        );
        assert_eq!(curl["connections"], 2);
    }

    #[test]
    fn wire_rates_are_shown_if_asked_for() {
        let on_the_wire = |exe: &str, wire_send| FlowEvent {
            exe: exe.to_owned(),
            send: 1000,
            wire_send,
            ..FlowEvent::default()
        };
        let feed = || {
            let flows = vec![
                on_the_wire("/bin/a", Some(1024)),
                on_the_wire("/bin/a", None),
                on_the_wire("/bin/a", Some(1024)),
                on_the_wire("/bin/b", None),
            ];
            vec![sample(1.0, flows)]
        };
        let plain = view(feed());
        assert!(!plain.render(None, Style::plain()).contains("wire"));
        assert!(!plain.json().to_string().contains("wire"));
        let mut view = view(feed()).with_wire(true);
        let text = view.render(None, Style::plain());
        assert_eq!(
            text.lines().skip(2).collect::<Vec<_>>(),
            [
                "executable        out     in   wire out  wire in     sent  received  peers",
                "/bin/a      2.9 KiB/s  0 B/s  2.0 KiB/s        -  2.9 KiB       0 B      0",
                "/bin/b       1000 B/s  0 B/s          -        -   1000 B       0 B      0",
            ]
        );
        assert_eq!(view.json()["executables"][0]["wire_send_rate"], 2048.0);
        assert_eq!(view.json()["executables"][0]["wire_recv_rate"], Value::Null);
        view.apply(sample(1.0, Vec::new()));
        assert_eq!(view.json()["executables"][0]["wire_send_rate"], 0.0);
    }

    #[test]
    fn what_needs_attention_is_shown_once_and_harmless() {
        let mut view = view(vec![
            Feed::Warning("disk\x1b[31m full".into()),
            Feed::Status(Box::new(Status {
                warnings: vec!["disk\x1b[31m full".into()],
                ..Status::default()
            })),
            sample(1.0, vec![flow("/tmp/\x1b[2Jevil", 1, 1, 1)]),
        ]);
        view.apply(Feed::Sample(Box::new(Sample { missed: 1234, ..Sample::default() })));
        let text = view.render(None, Style::plain());
        assert!(text.contains("1,234 events did not reach"), "{text}");
        assert_eq!(text.matches("full").count(), 1);
        assert!(!text.contains('\x1b'));
        // What is over is said no more.
        view.apply(Feed::Status(Box::default()));
        assert!(!view.render(None, Style::plain()).contains("full"));
    }

    #[test]
    fn silence_is_a_rate_of_nothing() {
        let mut view = view(vec![sample(1.0, vec![flow("/bin/x", 1000, 1000, 1)])]);
        view.quiet();
        let object = view.json();
        assert_eq!(object["executables"][0]["send_rate"], 0.0);
        assert_eq!(object["executables"][0]["send"], 1000);
        assert_eq!(view.samples(), 2);
    }
}
