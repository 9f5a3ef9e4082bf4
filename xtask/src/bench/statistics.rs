//! Medians and quartiles: benchmarks share their machine with others.

/// The middle and where half of the values lie.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    pub(super) low: f64,
    pub(super) median: f64,
    pub(super) high: f64,
}

/// Of at least one value.
pub(super) fn spread(values: &[f64]) -> Spread {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |numerator: usize| {
        let index = sorted.len().saturating_sub(1) * numerator / 4;
        sorted.get(index).copied().unwrap_or(f64::NAN)
    };
    Spread { low: at(1), median: at(2), high: at(3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_a_few_values() {
        let five = spread(&[5.0, 1.0, 4.0, 2.0, 3.0]);
        assert_eq!((five.low, five.median, five.high), (2.0, 3.0, 4.0));
        assert_eq!(spread(&[7.0]).median, 7.0);
        assert!(spread(&[]).median.is_nan());
    }
}
