//! Clocks. Intervals are measured on a clock that never steps; only what people read is wall time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds since boot, time asleep included: the clock of `start_boottime`.
#[must_use]
pub fn boottime_ns() -> u64 {
    read(ClockId::CLOCK_BOOTTIME)
}

/// Nanoseconds since boot, time asleep excluded: the clock of `bpf_ktime_get_ns`.
#[must_use]
pub fn monotonic_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// Wall time: nanoseconds since 1970-01-01 UTC, 0 if the machine's clock stands before that.
#[must_use]
pub fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// True if a time service keeps the wall clock right, as far as the kernel was told
/// (adjtimex(2)).
#[must_use]
pub fn is_synchronized() -> bool {
    // SAFETY: a structure of integers, for which zero is valid; `modes` 0 changes nothing.
    let mut time: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel writes into `time`, which outlives the call.
    let state = unsafe { libc::adjtimex(&raw mut time) };
    state >= 0 && time.status & libc::STA_UNSYNC == 0
}

fn read(clock: ClockId) -> u64 {
    // Both clocks exist on every kernel femtosnitch runs on; the call has no other way to fail.
    clock_gettime(clock).map_or(0, |at| u64::try_from(Duration::from(at).as_nanos()).unwrap_or(0))
}

/// Tells when somebody set the wall clock, by comparing it with the clock since boot. That one
/// also counts time asleep, so that a suspended laptop is not taken for a set clock.
#[derive(Debug, Clone)]
pub struct StepDetector {
    threshold_ns: u64,
    last: Option<(u64, u64)>,
}

impl StepDetector {
    /// Reports steps of at least `threshold`. Slewing by a time daemon (0.05 %) stays far below
    /// half a second at any sensible interval.
    #[must_use]
    pub fn new(threshold: Duration) -> Self {
        let threshold_ns = u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX);
        Self { threshold_ns, last: None }
    }

    /// Reads both clocks. `Some` when the wall clock stepped since the last call: by how many
    /// nanoseconds, negative if it was set back.
    pub fn check(&mut self) -> Option<i64> {
        self.observe(boottime_ns(), wall_ns())
    }

    /// The same with given readings.
    pub fn observe(&mut self, boot_ns: u64, wall_ns: u64) -> Option<i64> {
        let (boot_before, wall_before) = self.last.replace((boot_ns, wall_ns))?;
        let passed = i128::from(boot_ns) - i128::from(boot_before);
        let step = i128::from(wall_ns) - i128::from(wall_before) - passed;
        (step.unsigned_abs() >= u128::from(self.threshold_ns))
            .then(|| i64::try_from(step).unwrap_or(if step < 0 { i64::MIN } else { i64::MAX }))
    }
}

/// Tells when the machine slept, by comparing the clock that counts such time with the one that
/// does not.
#[derive(Debug, Clone, Default)]
pub struct SleepDetector {
    last: Option<(u64, u64)>,
}

impl SleepDetector {
    /// Reads both clocks: how long the machine slept since the last call.
    pub fn check(&mut self) -> Duration {
        self.observe(boottime_ns(), monotonic_ns())
    }

    /// The same with given readings.
    pub fn observe(&mut self, boot_ns: u64, monotonic_ns: u64) -> Duration {
        let Some((boot, monotonic)) = self.last.replace((boot_ns, monotonic_ns)) else {
            return Duration::ZERO;
        };
        let awake = monotonic_ns.saturating_sub(monotonic);
        Duration::from_nanos(boot_ns.saturating_sub(boot).saturating_sub(awake))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn clocks_run_forwards_and_boottime_is_not_behind_monotonic() {
        let (mono, boot) = (monotonic_ns(), boottime_ns());
        assert!(mono > 0 && boot >= mono);
        assert!(monotonic_ns() > mono);
        assert!(wall_ns() > 1_700_000_000 * S);
    }

    #[test]
    fn a_step_is_told_once_with_its_sign() {
        let mut clock = StepDetector::new(Duration::from_millis(500));
        assert_eq!(clock.observe(10 * S, 1000 * S), None);
        assert_eq!(clock.observe(20 * S, 1010 * S), None);
        assert_eq!(clock.observe(30 * S, 920 * S), Some(-100_000_000_000));
        assert_eq!(clock.observe(40 * S, 930 * S), None);
        assert_eq!(clock.observe(50 * S, 3600 * S), Some(2_660_000_000_000));
    }

    #[test]
    fn slewing_sleeping_and_extreme_readings_are_fine() {
        let mut clock = StepDetector::new(Duration::from_millis(500));
        clock.observe(0, 0);
        assert_eq!(clock.observe(10 * S, 10 * S + S / 200), None);
        assert_eq!(clock.observe(36_000 * S, 36_000 * S), None);
        assert_eq!(clock.observe(0, u64::MAX), Some(i64::MAX));
        assert_eq!(clock.observe(u64::MAX, 0), Some(i64::MIN));
    }

    #[test]
    fn only_sleep_is_sleep() {
        let mut detector = SleepDetector::default();
        assert_eq!(detector.observe(100, 50), Duration::ZERO);
        assert_eq!(detector.observe(1_100, 1_050), Duration::ZERO);
        assert_eq!(detector.observe(9_100, 2_050), Duration::from_nanos(7_000));
        assert_eq!(detector.observe(9_200, 2_150), Duration::ZERO);
        assert!(SleepDetector::default().check().is_zero());
    }
}
