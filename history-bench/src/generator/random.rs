//! Chance, the same for the same seed, and the distributions that the history is made of.

/// A source of chance.
#[derive(Debug, Clone)]
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// 0 up to, but not including, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.f64()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// 0 up to, but not including, `end`; 0 if that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { self.0.usize(..end) }
    }

    /// Likewise, of ports and seconds.
    pub(crate) fn port(&mut self, from: u16, to: u16) -> u16 {
        self.0.u16(from..=to)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0.u64(..)
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// The place in `weights` of something chosen by these.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (at, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return at;
            }
        }
        weights.len().saturating_sub(1)
    }

    /// 1, 2, 3 … with this mean.
    pub(crate) fn geometric(&mut self, mean: f64) -> u32 {
        if mean <= 1.0 {
            return 1;
        }
        let tries = (1.0 - self.unit()).ln() / (1.0 - 1.0 / mean).ln();
        u32::try_from(whole(tries)).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Around `median`; two thirds of the values lie within a factor of e^`sigma` of it.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> u64 {
        whole(median * (sigma * self.normal()).exp())
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// The whole part of what is not negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
pub(crate) fn whole(value: f64) -> u64 {
    value as u64
}

/// Zipf's law: the k-th of a list is chosen in proportion to k^-exponent.
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    /// Weight of the first 1, 2, 3 … .
    sums: Vec<f64>,
}

impl Zipf {
    /// For lists of up to `most`.
    pub(crate) fn new(most: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=most).map(|rank| {
            sum += f64::from(rank).powf(-exponent);
            sum
        });
        Self { sums: sums.collect() }
    }

    /// A place in a list of `len`.
    pub(crate) fn sample(&self, random: &mut Random, len: usize) -> usize {
        let sums = self.sums.get(..len.min(self.sums.len())).unwrap_or_default();
        let Some(all) = sums.last() else { return 0 };
        let at = random.unit() * all;
        sums.partition_point(|sum| *sum <= at).min(sums.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_list_has_its_share() {
        let (zipf, mut random) = (Zipf::new(1000, 1.0), Random::new(1));
        let mut hits = [0_u32; 1000];
        for _ in 0..100_000 {
            hits[zipf.sample(&mut random, 1000)] += 1;
        }
        // 1 / (1 + 1/2 + … + 1/1000) = 0.1336
        assert!((12_800..13_900).contains(&hits[0]), "{}", hits[0]);
        assert!((6_300..7_000).contains(&hits[1]), "{}", hits[1]);
        assert!((0..3).contains(&zipf.sample(&mut random, 3)));
        assert_eq!(zipf.sample(&mut random, 0), 0);
    }

    #[test]
    fn durations_have_their_mean() {
        let mut random = Random::new(2);
        let sum: u32 = (0..100_000).map(|_| random.geometric(3.0)).sum();
        assert!((290_000..310_000).contains(&sum), "{sum}");
        assert_eq!(random.geometric(1.0), 1);
    }

    #[test]
    fn half_of_log_normal_values_lie_below_the_median() {
        let mut random = Random::new(3);
        let below = (0..10_000).filter(|_| random.log_normal(1000.0, 1.5) < 1000).count();
        assert!((4_700..5_300).contains(&below), "{below}");
    }

    #[test]
    fn weights_are_heeded() {
        let mut random = Random::new(4);
        let last = (0..10_000).filter(|_| random.weighted(&[1.0, 0.0, 3.0]) == 2).count();
        assert!((7_200..7_800).contains(&last), "{last}");
    }
}
