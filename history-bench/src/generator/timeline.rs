//! When something happens: day and night, weekends, and bursts.

use super::random::Random;

/// Seconds of a day.
pub(crate) const DAY: i64 = 86_400;
/// How busy people are, by hour (UTC) of a working day.
const WORKDAY: [f64; 24] = [
    0.08, 0.04, 0.03, 0.02, 0.02, 0.04, 0.15, 0.45, 0.80, 1.00, 1.00, 0.95, 0.75, 0.90, 1.00, 0.95,
    0.90, 0.70, 0.60, 0.65, 0.70, 0.60, 0.35, 0.18,
];
/// Of a weekend day, this much of the working day's share.
const WEEKEND: f64 = 0.5;
/// Traffic of machines among themselves, against people's at their busiest.
const MACHINES: f64 = 0.25;

/// How busy people are: 0 to 1.
pub(crate) fn people(at: i64) -> f64 {
    let hour = usize::try_from(at.rem_euclid(DAY) / 3600).unwrap_or(0);
    let share = WORKDAY.get(hour).copied().unwrap_or(0.0);
    if is_weekend(at) { share * WEEKEND } else { share }
}

/// 1970-01-01 was a Thursday.
fn is_weekend(at: i64) -> bool {
    matches!(at.div_euclid(DAY).rem_euclid(7), 2 | 3)
}

/// Whether the machine is at work, in another network.
pub(crate) fn at_work(at: i64) -> bool {
    !is_weekend(at) && (8..17).contains(&(at.rem_euclid(DAY) / 3600))
}

/// The share of the rows that come up to the end of each interval, as numbers that grow to 1.
pub(crate) fn shares(random: &mut Random, since: i64, interval: i64, intervals: usize) -> Vec<f64> {
    let mut sum = 0.0;
    let mut at = since;
    let mut shares: Vec<f64> = (0..intervals)
        .map(|_| {
            // A burst is no more than three times what is usual, mostly.
            let burst = 0.6 + 0.8 * random.unit() * random.unit() * random.unit() * 4.0;
            sum += (MACHINES + people(at)) * burst;
            at += interval;
            sum
        })
        .collect();
    for share in &mut shares {
        *share /= sum;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_and_weekends_are_quiet() {
        // 2026-11-26 was a Thursday.
        let thursday = 1_795_651_200;
        assert!(people(thursday + 3 * 3600) < 0.1 * people(thursday + 10 * 3600));
        assert!(people(thursday + 2 * DAY + 36_000) < people(thursday + 36_000));
        assert!(at_work(thursday + 36_000) && !at_work(thursday + 3 * DAY + 36_000));
    }

    #[test]
    fn shares_end_at_all() {
        let shares = shares(&mut Random::new(1), 0, 10, 1000);
        assert!(shares.is_sorted() && shares.last() == Some(&1.0));
    }
}
