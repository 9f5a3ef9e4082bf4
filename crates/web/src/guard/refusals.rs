//! What is logged of refusals: enough to see them, never enough to fill a disk.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines in [`PERIOD`].
const MOST: u32 = 20;
const PERIOD: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct Inner {
    since: Option<Instant>,
    told: u32,
    missed: u64,
    all: u64,
}

/// Counts refusals and tells some of them.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Inner>);

impl Refusals {
    /// Calls `tell`, with how many were not told before, unless there were many just now.
    pub(crate) fn note(&self, tell: impl FnOnce(u64)) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.all += 1;
        if inner.since.is_none_or(|since| since.elapsed() >= PERIOD) {
            (inner.since, inner.told) = (Some(Instant::now()), 0);
        }
        if inner.told >= MOST {
            inner.missed += 1;
            return;
        }
        inner.told += 1;
        let missed = std::mem::take(&mut inner.missed);
        drop(inner);
        tell(missed);
    }

    /// All there were.
    pub(crate) fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_told() {
        let refusals = Refusals::default();
        let mut told = 0;
        for _ in 0..1_000 {
            refusals.note(|_| told += 1);
        }
        assert_eq!((told, refusals.count()), (MOST, 1_000));
    }
}
