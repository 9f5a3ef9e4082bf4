//! When all processes are walked over again, because events about them were lost.

use std::time::{Duration, Instant};

/// From the end of one walk to the next: a walk costs some microseconds a task, and a storm that
/// overflows the buffer does so many times a second.
const PAUSE: Duration = Duration::from_secs(1);

/// A walk is owed from the loss until it was made; waiting makes it no less complete.
#[derive(Default)]
pub(super) struct Walk {
    owed: bool,
    last: Option<Instant>,
}

impl Walk {
    /// True if one is to be made now. Asks `lost` only if it may be: what is lost in between has
    /// to be told then.
    pub(super) fn is_due(&mut self, now: Instant, lost: impl FnOnce() -> bool) -> bool {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            return false;
        }
        self.owed |= lost();
        self.owed
    }

    /// One was made, or failed and is still owed.
    pub(super) fn made(&mut self, now: Instant, succeeded: bool) {
        self.owed = !succeeded;
        self.last = Some(now);
    }

    /// There is no later.
    pub(super) fn hurry(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_many_times_a_second_are_one_walk_a_second_and_none_is_forgotten() {
        let begin = Instant::now();
        let mut walk = Walk::default();
        let (mut walks, mut told, mut handled) = (Vec::new(), 0, 0);
        for ms in 0..10_000 {
            let now = begin + Duration::from_millis(ms);
            // Lost with every look for four seconds, then no more.
            told += u64::from(ms <= 4_000);
            let lost = || std::mem::replace(&mut handled, told) != told;
            if walk.is_due(now, lost) {
                walks.push(ms);
                walk.made(now, true);
            }
        }
        assert_eq!(walks, [0, 1_000, 2_000, 3_000, 4_000]);
        assert_eq!(handled, told);
    }

    #[test]
    fn the_last_losses_of_a_storm_are_made_up_for_a_second_later() {
        let begin = Instant::now();
        let mut walk = Walk::default();
        assert!(walk.is_due(begin, || true));
        walk.made(begin, true);
        assert!(!walk.is_due(begin + PAUSE / 2, || panic!("would be forgotten")));
        assert!(walk.is_due(begin + PAUSE, || true));
    }

    #[test]
    fn a_walk_that_failed_is_owed() {
        let begin = Instant::now();
        let mut walk = Walk::default();
        assert!(walk.is_due(begin, || true));
        walk.made(begin, false);
        assert!(!walk.is_due(begin, || false));
        assert!(walk.is_due(begin + PAUSE, || false));
        walk.made(begin + PAUSE, true);
        assert!(!walk.is_due(begin + 2 * PAUSE, || false));
    }

    #[test]
    fn the_end_does_not_wait() {
        let begin = Instant::now();
        let mut walk = Walk::default();
        walk.made(begin, true);
        walk.hurry();
        assert!(walk.is_due(begin, || true));
    }
}
