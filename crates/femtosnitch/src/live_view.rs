//! The live feed summed up by executable, and shown as a table. Pure: events in, text out.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;

use femtosnitch_api::{Event, FlowEvent};
use femtosnitch_model::printable;
use serde_json::{Value, json};

use crate::text::{self, Column, Style, Table};

/// Executables told apart; the rest is summed up as one.
const MAX_EXECUTABLES: usize = 4096;
/// Remote addresses counted for each.
const MAX_PEERS: usize = 1024;
/// Warnings that stay on the screen.
const MAX_WARNINGS: usize = 3;
/// What those beyond [`MAX_EXECUTABLES`] are called.
const OTHERS: &str = "(others)";

/// What one executable moved.
#[derive(Debug, Default)]
struct Traffic {
    /// Since the view was started.
    send: u64,
    recv: u64,
    /// Since the last tick.
    new_send: u64,
    new_recv: u64,
    /// Likewise at the IP layer; `None` until something was measured there.
    new_wire: [Option<u64>; 2],
    wire_rates: [Option<f64>; 2],
    /// Bytes a second over the last sample.
    send_rate: f64,
    recv_rate: f64,
    peers: HashSet<IpAddr>,
}

impl Traffic {
    fn rate(&self) -> f64 {
        self.send_rate + self.recv_rate
    }

    fn total(&self) -> u64 {
        self.send.saturating_add(self.recv)
    }

    fn add(&mut self, flow: &FlowEvent) {
        self.send = self.send.saturating_add(flow.send);
        self.recv = self.recv.saturating_add(flow.recv);
        self.new_send = self.new_send.saturating_add(flow.send);
        self.new_recv = self.new_recv.saturating_add(flow.recv);
        for (sum, more) in self.new_wire.iter_mut().zip([flow.wire_send, flow.wire_recv]) {
            *sum = more.map(|more| sum.unwrap_or(0).saturating_add(more)).or(*sum);
        }
        if self.peers.len() < MAX_PEERS {
            self.peers.extend(flow.raddr);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate is approximate anyway")]
    fn tick(&mut self, interval: f64) {
        let per_second = |bytes: u64| if interval > 0.0 { bytes as f64 / interval } else { 0.0 };
        self.send_rate = per_second(std::mem::take(&mut self.new_send));
        self.recv_rate = per_second(std::mem::take(&mut self.new_recv));
        // What was once measured and is silent now is 0, not unknown.
        self.wire_rates = self.new_wire.map(|bytes| bytes.map(per_second));
        self.new_wire = self.new_wire.map(|bytes| bytes.map(|_| 0));
    }
}

/// What the feed has said since the view was started.
#[derive(Debug, Default)]
pub struct LiveView {
    executables: HashMap<String, Traffic>,
    flows: u64,
    time: f64,
    interval: f64,
    samples: u64,
    missed: u64,
    warnings: VecDeque<String>,
    notice: Option<String>,
    dashboard: Option<String>,
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

    /// Says where more is shown.
    #[must_use]
    pub fn with_dashboard(mut self, url: Option<String>) -> Self {
        self.dashboard = url;
        self
    }

    /// Takes in one event; whether a sample is complete and worth showing.
    pub fn apply(&mut self, event: &Event) -> bool {
        match event {
            Event::Flow(flow) => self.traffic_of(&flow.exe).add(flow),
            Event::Tick { time, interval, flows, .. } => {
                self.samples += 1;
                (self.time, self.interval, self.flows) = (*time, *interval, *flows);
                self.executables.values_mut().for_each(|traffic| traffic.tick(*interval));
                return true;
            }
            Event::Missed { events } => self.missed = self.missed.saturating_add(*events),
            Event::Warning { text, .. } => self.warn(text.clone()),
            Event::Status(status) => {
                for text in &status.warnings {
                    self.warn(text.clone());
                }
            }
            Event::Hello { .. } | Event::Unknown => {}
        }
        false
    }

    /// No sample has come for a while: nothing moves. Counts as a sample.
    pub fn quiet(&mut self) {
        self.samples += 1;
        self.flows = 0;
        self.executables.values_mut().for_each(|traffic| traffic.tick(0.0));
    }

    /// Shows a line about the connection; `None` takes it away.
    pub fn set_notice(&mut self, notice: Option<String>) {
        self.notice = notice;
    }

    /// Samples seen, [`LiveView::quiet`] ones included.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The view as text: a line of totals, what needs attention, and as many executables as fit,
    /// those that move most first. `width` in terminal cells, `None` for no limit; `height` in
    /// lines.
    #[must_use]
    pub fn render(&self, width: Option<usize>, height: usize, style: Style) -> String {
        let ranked = self.ranked();
        let mut head = vec![style.bold(&clip(&self.summary(ranked.len()), width))];
        if let Some(url) = &self.dashboard {
            head.push(style.dim(&clip(&format!("dashboard: {}", printable(url)), width)));
        }
        let notice = self.notice.iter().map(|text| printable(text));
        let missed = (self.missed > 0).then(|| {
            let missed = text::count(self.missed);
            format!("{missed} events did not reach this view: the totals below are too low")
        });
        let warnings = self.warnings.iter().map(|text| printable(text));
        for line in notice.chain(missed).chain(warnings) {
            head.push(style.warning(&clip(&line, width)));
        }
        head.push(String::new());
        let wire: &[_] = if self.wire { &["wire out", "wire in"] } else { &[] };
        let numbers = ["out", "in"].iter().chain(wire).chain(&["sent", "received", "peers"]);
        let mut columns = vec![Column::text("executable")];
        columns.extend(numbers.map(|title| Column::number(title)));
        let mut table = Table::new(columns);
        table.fit(width);
        // One line is the table's own heading.
        for (exe, traffic) in ranked.iter().take(height.saturating_sub(head.len() + 1)) {
            let more = if traffic.peers.len() < MAX_PEERS { "" } else { "+" };
            let mut cells = vec![
                (*exe).to_owned(),
                text::rate(traffic.send_rate),
                text::rate(traffic.recv_rate),
            ];
            if self.wire {
                cells.extend(traffic.wire_rates.map(measured));
            }
            cells.extend([
                text::bytes(traffic.send),
                text::bytes(traffic.recv),
                format!("{}{more}", text::count(traffic.peers.len() as u64)),
            ]);
            table.row(cells);
        }
        format!("{}\n{}", head.join("\n"), table.render(style))
    }

    /// The view for programs: one object. Rates in bytes a second; with wire rates, which are null
    /// where nothing was measured, if they were asked for.
    #[must_use]
    pub fn json(&self) -> Value {
        let executables: Vec<Value> = self
            .ranked()
            .into_iter()
            .map(|(exe, traffic)| {
                let mut object = json!({
                    "exe": exe,
                    "send_rate": traffic.send_rate,
                    "recv_rate": traffic.recv_rate,
                    "send": traffic.send,
                    "recv": traffic.recv,
                    "peers": traffic.peers.len(),
                });
                if let (true, Value::Object(fields)) = (self.wire, &mut object) {
                    let [sent, received] = traffic.wire_rates;
                    fields.insert("wire_send_rate".to_owned(), json!(sent));
                    fields.insert("wire_recv_rate".to_owned(), json!(received));
                }
                object
            })
            .collect();
        json!({
            "time": self.time,
            "interval": self.interval,
            "flows": self.flows,
            "missed": self.missed,
            "executables": executables,
        })
    }

    fn traffic_of(&mut self, exe: &str) -> &mut Traffic {
        let full = self.executables.len() >= MAX_EXECUTABLES;
        let exe = if full && !self.executables.contains_key(exe) { OTHERS } else { exe };
        self.executables.entry(exe.to_owned()).or_default()
    }

    fn warn(&mut self, text: String) {
        if self.warnings.contains(&text) {
            return;
        }
        if self.warnings.len() >= MAX_WARNINGS {
            self.warnings.pop_front();
        }
        self.warnings.push_back(text);
    }

    fn ranked(&self) -> Vec<(&str, &Traffic)> {
        let mut all: Vec<_> = self.executables.iter().map(|(exe, it)| (exe.as_str(), it)).collect();
        all.sort_by(|(a_exe, a), (b_exe, b)| {
            let by_rate = b.rate().total_cmp(&a.rate());
            by_rate.then_with(|| b.total().cmp(&a.total())).then_with(|| a_exe.cmp(b_exe))
        });
        all
    }

    fn summary(&self, executables: usize) -> String {
        let sum = |rate: fn(&Traffic) -> f64| text::rate(self.executables.values().map(rate).sum());
        format!(
            "out {}   in {}   {} flows   {} executables",
            sum(|it| it.send_rate),
            sum(|it| it.recv_rate),
            text::count(self.flows),
            text::count(executables as u64),
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
    use femtosnitch_api::Status;

    fn flow(exe: &str, send: u64, recv: u64, peer: u8) -> Event {
        let raddr = Some(IpAddr::from([192, 0, 2, peer]));
        let exe = exe.to_owned();
        Event::Flow(Box::new(FlowEvent { exe, send, recv, raddr, ..FlowEvent::default() }))
    }

    fn tick(interval: f64) -> Event {
        Event::Tick { time: 1.0, interval, flows: 2, send: 0, recv: 0 }
    }

    fn view(events: &[Event]) -> LiveView {
        let mut view = LiveView::new();
        for event in events {
            view.apply(event);
        }
        view
    }

    #[test]
    fn rates_are_of_the_last_sample_and_totals_of_all() {
        let view = view(&[
            flow("/usr/bin/curl", 1024, 4096, 1),
            flow("/usr/bin/curl", 1024, 0, 2),
            flow("/usr/bin/ssh", 10, 20, 1),
            tick(2.0),
            flow("/usr/bin/ssh", 2048, 0, 1),
            tick(1.0),
        ]);
        let text = view.render(None, usize::MAX, Style::plain());
        assert_eq!(
            text,
            "out 2.0 KiB/s   in 0 B/s   2 flows   2 executables\n\
             \n\
             executable           out     in     sent  received  peers\n\
             /usr/bin/ssh   2.0 KiB/s  0 B/s  2.0 KiB      20 B      1\n\
             /usr/bin/curl      0 B/s  0 B/s  2.0 KiB   4.0 KiB      2\n"
        );
        assert_eq!(view.samples(), 2);
    }

    #[test]
    fn wire_rates_are_shown_if_asked_for() {
        let on_the_wire = |exe: &str, wire_send| {
            let exe = exe.to_owned();
            Event::Flow(Box::new(FlowEvent { exe, send: 1000, wire_send, ..FlowEvent::default() }))
        };
        let events = [
            on_the_wire("/bin/a", Some(1024)),
            on_the_wire("/bin/a", None),
            on_the_wire("/bin/a", Some(1024)),
            on_the_wire("/bin/b", None),
            tick(1.0),
        ];
        let plain = view(&events);
        assert!(!plain.render(None, usize::MAX, Style::plain()).contains("wire"));
        assert!(!plain.json().to_string().contains("wire"));
        let mut view = view(&events).with_wire(true);
        let text = view.render(None, usize::MAX, Style::plain());
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
        view.apply(&tick(1.0));
        assert_eq!(view.json()["executables"][0]["wire_send_rate"], 0.0);
    }

    #[test]
    fn the_busiest_stay_when_there_is_little_room() {
        let mut events: Vec<Event> =
            (0..50).map(|n| flow(&format!("/bin/{n}"), n * 1000, 0, 1)).collect();
        events.push(tick(1.0));
        let text = view(&events).render(Some(80), 5, Style::plain());
        assert_eq!(text.lines().count(), 5);
        assert!(
            text.contains("/bin/49 ") && text.contains("/bin/48 ") && !text.contains("/bin/47 ")
        );
        for height in 0..3 {
            assert_eq!(view(&events).render(Some(10), height, Style::plain()).lines().count(), 3);
        }
    }

    #[test]
    fn what_needs_attention_is_shown_once_and_harmless() {
        let mut view = view(&[
            flow("/tmp/\x1b[2Jevil", 1, 1, 1),
            Event::Missed { events: 1200 },
            Event::Missed { events: 34 },
            Event::Warning { time: 0.0, text: "disk\x1b[31m full".into() },
            Event::Status(Box::new(Status {
                warnings: vec!["disk\x1b[31m full".into()],
                ..Status::default()
            })),
            tick(1.0),
        ]);
        view.set_notice(Some("the daemon is gone".into()));
        let text = view.render(None, usize::MAX, Style::plain());
        assert!(text.contains("1,234 events did not reach"), "{text}");
        assert!(text.contains("the daemon is gone"));
        assert_eq!(text.matches("full").count(), 1);
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn silence_is_a_rate_of_nothing() {
        let mut view = view(&[flow("/bin/x", 1000, 1000, 1), tick(1.0)]);
        view.quiet();
        let object = view.json();
        assert_eq!(object["executables"][0]["send_rate"], 0.0);
        assert_eq!(object["executables"][0]["send"], 1000);
        assert_eq!(view.samples(), 2);
    }

    #[test]
    fn memory_is_bounded_and_no_byte_is_lost() {
        let mut view = LiveView::new();
        for n in 0..5000u64 {
            view.apply(&flow(&format!("/bin/{n}"), 1, 0, 1));
        }
        assert_eq!(view.executables.len(), MAX_EXECUTABLES + 1);
        assert_eq!(view.executables.values().map(|it| it.send).sum::<u64>(), 5000);
        for n in 0..3000u32 {
            let raddr = Some(IpAddr::from(n.to_be_bytes()));
            let exe = "/bin/0".to_owned();
            view.apply(&Event::Flow(Box::new(FlowEvent { exe, raddr, ..FlowEvent::default() })));
        }
        assert_eq!(view.executables["/bin/0"].peers.len(), MAX_PEERS);
        assert!(view.render(None, usize::MAX, Style::plain()).contains(" 1,024+\n"));
    }

    #[test]
    fn a_broken_interval_gives_no_rate() {
        for interval in [0.0, -1.0, f64::NAN] {
            let view = view(&[flow("/bin/x", 1000, 0, 1), tick(interval)]);
            assert_eq!(view.json()["executables"][0]["send_rate"], 0.0);
        }
    }
}
