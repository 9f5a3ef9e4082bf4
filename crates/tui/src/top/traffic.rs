//! What something moved, and how fast, over several spans of time.

use std::collections::VecDeque;

use crate::feed::Flow;

/// Seconds over which rates are told.
pub const WINDOWS: [f64; 3] = [1.0, 10.0, 60.0];
/// Seconds of smoothing of what the default order goes by: a change shows by two thirds then.
const SMOOTH: f64 = 3.0;

/// Bytes received and sent, in this order, as the dashboard has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Application bytes.
    pub payload: [u64; 2],
    /// At the IP layer; `None` until something was measured there.
    pub wire: [Option<u64>; 2],
}

impl Amounts {
    /// Of a flow.
    #[must_use]
    pub fn of(flow: &Flow) -> Self {
        let [wire_send, wire_recv] = flow.wire;
        Self { payload: [flow.recv, flow.send], wire: [wire_recv, wire_send] }
    }

    /// Adds others.
    pub fn add(&mut self, more: &Self) {
        for (sum, more) in self.payload.iter_mut().zip(more.payload) {
            *sum = sum.saturating_add(more);
        }
        for (sum, more) in self.wire.iter_mut().zip(more.wire) {
            *sum = more.map(|more| sum.unwrap_or(0).saturating_add(more)).or(*sum);
        }
    }

    /// On one of the two layers.
    #[must_use]
    pub fn on(&self, wire: bool) -> [Option<u64>; 2] {
        if wire { self.wire } else { self.payload.map(Some) }
    }

    /// Whether nothing moved.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.payload == [0, 0] && self.wire.iter().all(|it| it.unwrap_or(0) == 0)
    }

    fn sum(&self) -> u64 {
        let [recv, send] = self.payload;
        recv.saturating_add(send)
    }
}

/// Bytes a second, received and sent; `None` where nothing was ever measured.
pub type Rates = [Option<f64>; 2];

/// Samples of the last minute: when rates begin.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// Number of each sample and the seconds that it is of.
    samples: VecDeque<(u64, f64)>,
    /// Of the newest.
    now: u64,
}

/// A span that rates are of: from which sample on, and its seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Window {
    from: u64,
    seconds: f64,
}

impl Clock {
    /// A new sample begins, of so many seconds.
    pub fn tick(&mut self, interval: f64) {
        self.now += 1;
        self.samples.push_back((self.now, interval));
        let longest = WINDOWS.into_iter().fold(0.0, f64::max);
        let mut kept: f64 = self.samples.iter().map(|(_, seconds)| seconds).sum();
        while let Some((_, seconds)) = self.samples.front().copied()
            && (kept - seconds >= longest || self.samples.len() > 128)
        {
            kept -= seconds;
            self.samples.pop_front();
        }
    }

    /// Nothing has come for a while: what was before is of no span. Numbers go on, so that no older
    /// one is taken for a new one.
    pub fn quiet(&mut self) {
        self.now += 1;
        self.samples.clear();
    }

    /// The newest sample's number.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The oldest sample's number.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.samples.front().map_or(self.now, |(number, _)| *number)
    }

    /// The spans of [`WINDOWS`], as far as samples reach.
    #[must_use]
    pub fn windows(&self) -> [Window; 3] {
        WINDOWS.map(|length| {
            let mut window = Window { from: self.now + 1, seconds: 0.0 };
            for (number, seconds) in self.samples.iter().rev() {
                // Samples are never exactly a second.
                if window.seconds >= length - 0.05 {
                    break;
                }
                window = Window { from: *number, seconds: window.seconds + seconds };
            }
            window
        })
    }

    /// Numbers of the samples of the last minute, the oldest first, and their seconds.
    pub fn samples(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        self.samples.iter().copied()
    }
}

/// What one thing moved.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// Since the view was started.
    pub total: Amounts,
    /// By sample, those in which something moved.
    recent: VecDeque<(u64, Amounts)>,
    /// Bytes a second, smoothed.
    pub smooth: f64,
}

impl Traffic {
    /// Something moved in this sample.
    pub fn add(&mut self, now: u64, amounts: &Amounts) {
        self.total.add(amounts);
        if amounts.is_nothing() {
            return;
        }
        match self.recent.back_mut() {
            Some((number, sum)) if *number == now => sum.add(amounts),
            _ => self.recent.push_back((now, *amounts)),
        }
    }

    /// A sample is complete.
    pub fn tick(&mut self, clock: &Clock, interval: f64) {
        while self.recent.front().is_some_and(|(number, _)| *number < clock.oldest()) {
            self.recent.pop_front();
        }
        if interval > 0.0 {
            let moved = self.recent.back().filter(|(number, _)| *number == clock.now());
            let rate = per_second(moved.map_or(0, |(_, it)| it.sum()), interval);
            self.smooth += (rate - self.smooth) * (1.0 - (-interval / SMOOTH).exp());
        }
        // What fades away is nothing at last.
        if self.smooth < 0.01 {
            self.smooth = 0.0;
        }
        if self.recent.is_empty() {
            self.recent.shrink_to_fit();
        }
    }

    /// Nothing comes any more: rates are of nothing.
    pub fn quiet(&mut self) {
        self.recent = VecDeque::new();
        self.smooth = 0.0;
    }

    /// Whether something moved in the last minute.
    #[must_use]
    pub fn moved_lately(&self) -> bool {
        !self.recent.is_empty()
    }

    /// Bytes a second over a span.
    #[must_use]
    pub fn rates(&self, window: Window, wire: bool) -> Rates {
        let mut sum = Amounts::default();
        for (number, amounts) in self.recent.iter().rev() {
            if *number < window.from {
                break;
            }
            sum.add(amounts);
        }
        let [recv, send] = self.total.on(wire).map(|known| known.is_some());
        let [recv_sum, send_sum] = sum.on(wire).map(|sum| sum.unwrap_or(0));
        [
            recv.then(|| per_second(recv_sum, window.seconds)),
            send.then(|| per_second(send_sum, window.seconds)),
        ]
    }

    /// Adds bytes of the last minute to bars, one for each sample of the clock: both directions.
    pub fn bars(&self, clock: &Clock, wire: bool, bars: &mut [[f64; 2]]) {
        let oldest = clock.oldest();
        for (number, amounts) in &self.recent {
            let at = usize::try_from(number.saturating_sub(oldest)).unwrap_or(usize::MAX);
            let Some(bar) = bars.get_mut(at) else { continue };
            for (bar, amount) in bar.iter_mut().zip(amounts.on(wire)) {
                *bar += per_second(amount.unwrap_or(0), 1.0);
            }
        }
    }
}

/// Bytes a second; 0 for a span that is none.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a rate is approximate anyway")]
pub fn per_second(bytes: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { bytes as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amounts(recv: u64, send: u64) -> Amounts {
        Amounts { payload: [recv, send], wire: [None, None] }
    }

    fn rates(traffic: &Traffic, clock: &Clock) -> Vec<f64> {
        clock.windows().map(|window| traffic.rates(window, false)[0].unwrap()).to_vec()
    }

    #[test]
    fn rates_are_of_their_spans() {
        let (mut clock, mut traffic) = (Clock::default(), Traffic::default());
        for second in 0..100_u64 {
            clock.tick(1.0);
            // 1000 bytes a second for the last five.
            if second >= 95 {
                traffic.add(clock.now(), &amounts(1000, 0));
            }
            traffic.tick(&clock, 1.0);
        }
        assert_eq!(rates(&traffic, &clock), [1000.0, 500.0, 5000.0 / 60.0]);
        assert_eq!(traffic.total.payload, [5000, 0]);
        assert!(traffic.smooth > 700.0 && traffic.smooth < 1000.0);
        for _ in 0..70 {
            clock.tick(1.0);
            traffic.tick(&clock, 1.0);
        }
        assert_eq!(rates(&traffic, &clock), [0.0; 3]);
        assert!(!traffic.moved_lately() && traffic.smooth == 0.0);
    }

    #[test]
    fn a_view_that_has_just_begun_tells_of_what_it_saw() {
        let (mut clock, mut traffic) = (Clock::default(), Traffic::default());
        assert_eq!(rates(&traffic, &clock), [0.0; 3]);
        for _ in 0..2 {
            clock.tick(0.98);
            traffic.add(clock.now(), &amounts(980, 1));
            traffic.tick(&clock, 0.98);
        }
        for rate in rates(&traffic, &clock) {
            assert!((rate - 1000.0).abs() < 1e-6, "{rate}");
        }
    }

    #[test]
    fn the_wire_is_unknown_until_something_was_measured() {
        let (mut clock, mut traffic) = (Clock::default(), Traffic::default());
        clock.tick(1.0);
        traffic.add(1, &Amounts { payload: [1, 1], wire: [Some(41), None] });
        let window = clock.windows()[0];
        assert_eq!(traffic.rates(window, true), [Some(41.0), None]);
        clock.tick(1.0);
        assert_eq!(traffic.rates(clock.windows()[0], true), [Some(0.0), None]);
    }

    #[test]
    fn a_broken_interval_gives_no_rate() {
        for interval in [0.0, f64::NAN] {
            let (mut clock, mut traffic) = (Clock::default(), Traffic::default());
            clock.tick(interval);
            traffic.add(1, &amounts(5, 5));
            traffic.tick(&clock, interval);
            assert_eq!(traffic.rates(clock.windows()[0], false), [Some(0.0); 2]);
            assert_eq!(traffic.smooth, 0.0);
        }
    }
}
