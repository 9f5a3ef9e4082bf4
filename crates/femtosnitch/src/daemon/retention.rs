//! How long the writer thread keeps history; changed from elsewhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use femtosnitch_store::Retention;

use crate::config::Store;

/// What the configuration says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keep {
    /// Rows, sums by minute, by hour, by day; `None` for ever.
    ages: [Option<Duration>; 4],
    max_bytes: Option<u64>,
}

impl From<&Store> for Keep {
    fn from(store: &Store) -> Self {
        let ages =
            [store.retention, store.retention_minutes, store.retention_hours, store.retention_days];
        Self { ages, max_bytes: store.max_size }
    }
}

impl Keep {
    /// What has to go at `now` (unix seconds); without a clock to be believed nothing for its age.
    /// `None` if nothing ever has to.
    pub(super) fn at(&self, now: Option<i64>) -> Option<Retention> {
        let before = |age: Option<Duration>| match (now, age) {
            (Some(now), Some(age)) => {
                now.saturating_sub(i64::try_from(age.as_secs().max(1)).unwrap_or(i64::MAX))
            }
            _ => i64::MIN,
        };
        let [rows, minutes, hours, days] = self.ages.map(before);
        let retention = Retention { rows, minutes, hours, days, max_bytes: self.max_bytes };
        (retention != Retention::since(i64::MIN)).then_some(retention)
    }
}

/// A [`Keep`] that one thread sets and another one goes by.
#[derive(Debug, Clone)]
pub(super) struct Shared(Arc<Mutex<Keep>>);

impl Shared {
    pub(super) fn new(keep: Keep) -> Self {
        Self(Arc::new(Mutex::new(keep)))
    }

    pub(super) fn set(&self, keep: Keep) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = keep;
    }

    pub(super) fn get(&self) -> Keep {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;

    #[test]
    fn ages_need_a_clock_and_size_does_not() {
        let keep = Keep::from(&Store::default());
        assert_eq!(
            keep.at(Some(NOW)).unwrap(),
            Retention {
                rows: NOW - 30 * DAY,
                minutes: NOW - 30 * DAY,
                hours: NOW - 400 * DAY,
                days: i64::MIN,
                max_bytes: Some(2 << 30),
            }
        );
        let by_size = Retention { max_bytes: Some(2 << 30), ..Retention::since(i64::MIN) };
        assert_eq!(keep.at(None).unwrap(), by_size);
        let unlimited = Keep::from(&Store { max_size: None, ..Store::default() });
        assert_eq!(unlimited.at(None), None);
        assert!(unlimited.at(Some(NOW)).is_some());
    }
}
