//! Byte and call counts of one flow.

use std::ops::AddAssign;

/// What one owner moved over one flow: application bytes, and the calls that moved them.
///
/// In the kernel these only ever grow; user space takes differences ([`Counters::since`]).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// Application bytes handed to the kernel by send calls.
    pub send: u64,
    /// Application bytes handed to the program by receive calls.
    pub recv: u64,
    /// Send calls that moved something (one per datagram for datagram sockets).
    pub send_calls: u64,
    /// Receive calls that moved something.
    pub recv_calls: u64,
}

impl Counters {
    /// The growth since an `earlier` reading of the same counters.
    ///
    /// A counter that shrank (which the kernel side never does) counts as no growth rather than
    /// as a wrapped, enormous one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            send: self.send.saturating_sub(earlier.send),
            recv: self.recv.saturating_sub(earlier.recv),
            send_calls: self.send_calls.saturating_sub(earlier.send_calls),
            recv_calls: self.recv_calls.saturating_sub(earlier.recv_calls),
        }
    }

    /// True if nothing was counted.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }

    /// Calls in both directions.
    #[must_use]
    pub fn calls(self) -> u64 {
        self.send_calls.saturating_add(self.recv_calls)
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.send = self.send.saturating_add(other.send);
        self.recv = self.recv.saturating_add(other.recv);
        self.send_calls = self.send_calls.saturating_add(other.send_calls);
        self.recv_calls = self.recv_calls.saturating_add(other.recv_calls);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn counters()(send in 0..1u64 << 50, recv in 0..1u64 << 50,
                      send_calls in 0..1u64 << 40, recv_calls in 0..1u64 << 40) -> Counters {
            Counters { send, recv, send_calls, recv_calls }
        }
    }

    proptest! {
        #[test]
        fn differences_add_up_to_the_last_reading(steps in prop::collection::vec(counters(), 1..20)) {
            let mut kernel = Counters::default();
            let mut seen = Counters::default();
            let mut sum = Counters::default();
            for step in steps {
                kernel += step;
                sum += kernel.since(seen);
                seen = kernel;
            }
            prop_assert_eq!(sum, kernel);
        }

        #[test]
        fn a_counter_that_shrank_never_turns_into_growth(a in counters(), b in counters()) {
            let delta = a.since(b);
            prop_assert!(delta.send <= a.send && delta.recv <= a.recv);
        }
    }
}
