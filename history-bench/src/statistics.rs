//! Medians and the like.

use std::time::Duration;

use rustix::time::ClockId;
use rustix::time::clock_gettime;
use serde::Serialize;

/// Of some times in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Spread {
    /// How many.
    pub count: usize,
    /// The middle one.
    pub median: f64,
    /// 95 of 100 were no longer.
    pub p95: f64,
    /// The longest.
    pub max: f64,
    /// Of all together.
    pub sum: f64,
}

/// Of at least one time; zeros for none.
#[must_use]
pub fn spread(times: &[f64]) -> Spread {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: usize| {
        let last = sorted.len().saturating_sub(1);
        sorted.get((last * share).div_ceil(100)).copied().unwrap_or(0.0)
    };
    let sum = sorted.iter().sum();
    Spread { count: sorted.len(), median: at(50), p95: at(95), max: at(100), sum }
}

/// As a number for JSON and tables.
#[must_use]
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Processor time that this thread has taken so far.
#[must_use]
pub fn processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_times() {
        let five = spread(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((five.count, five.median, five.p95, five.max), (5, 3.0, 5.0, 5.0));
        assert_eq!(spread(&[]).max, 0.0);
    }
}
