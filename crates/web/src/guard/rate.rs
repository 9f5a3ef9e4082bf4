//! How much anybody may ask for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;

use super::Who;
use crate::answer::Refusal;

/// The whole allowance comes back within this time.
const REFILL: Duration = Duration::from_secs(4);
/// Wrong tokens and keys in [`MISTAKES_FOR`], by everybody together.
const MOST_MISTAKES: u32 = 30;
const MISTAKES_FOR: Duration = Duration::from_secs(60);
/// Askers that are told apart; then the quiet ones are forgotten.
const MOST_ASKERS: usize = 4_096;

/// Whose allowance it is. Of those without a session, by address: they never use up the
/// allowance of those with one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Asker {
    Address(IpAddr),
    Session(String),
    Token,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

#[derive(Debug, Default)]
struct Inner {
    askers: HashMap<Asker, Bucket>,
    mistakes: Option<(Instant, u32)>,
}

/// Allowances.
#[derive(Debug)]
pub(crate) struct Rates {
    /// Requests at once.
    burst: f64,
    inner: Mutex<Inner>,
}

fn too_many(message: &str) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many", message)
}

impl Rates {
    pub(crate) fn new(burst: u32) -> Self {
        Self { burst: burst.into(), inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request.
    pub(super) fn admit(&self, who: &Who, addr: IpAddr) -> Result<(), Refusal> {
        let asker = match who {
            Who::Anybody => Asker::Address(addr),
            Who::Session(id) => Asker::Session(id.clone()),
            Who::Token => Asker::Token,
        };
        if self.take(asker, Instant::now()) {
            return Ok(());
        }
        Err(too_many("too many requests; wait a second"))
    }

    fn take(&self, asker: Asker, now: Instant) -> bool {
        let mut inner = self.inner();
        if inner.askers.len() >= MOST_ASKERS {
            inner.askers.retain(|_, bucket| now.duration_since(bucket.at) < REFILL);
            if inner.askers.len() >= MOST_ASKERS {
                return false;
            }
        }
        let burst = self.burst;
        let bucket = inner.askers.entry(asker).or_insert(Bucket { left: burst, at: now });
        let refilled = now.duration_since(bucket.at).as_secs_f64() / REFILL.as_secs_f64();
        bucket.left = (bucket.left + refilled * burst).min(burst);
        bucket.at = now;
        if bucket.left < 1.0 {
            return false;
        }
        bucket.left -= 1.0;
        true
    }

    /// Somebody gave a wrong token or key.
    pub(crate) fn mistake(&self) {
        self.mistake_at(Instant::now());
    }

    fn mistake_at(&self, now: Instant) {
        let mut inner = self.inner();
        let (since, count) = inner
            .mistakes
            .filter(|(since, _)| now.duration_since(*since) < MISTAKES_FOR)
            .unwrap_or((now, 0));
        inner.mistakes = Some((since, count.saturating_add(1)));
    }

    /// Whether logging in may be tried. Whoever is logged in, or is a program with the token, is
    /// not concerned.
    pub(crate) fn may_log_in(&self) -> Result<(), Refusal> {
        let inner = self.inner();
        let many = inner
            .mistakes
            .is_some_and(|(since, count)| count >= MOST_MISTAKES && since.elapsed() < MISTAKES_FOR);
        if many {
            return Err(too_many("too many wrong tokens were given; wait a minute"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> Asker {
        Asker::Address(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn a_burst_is_taken_and_a_flood_is_not() {
        let rates = Rates::new(200);
        let now = Instant::now();
        let taken = (0..1_000).filter(|_| rates.take(address(1), now)).count();
        assert_eq!(taken, 200);
        assert!(rates.take(address(2), now), "others are not concerned");
        assert!(rates.take(Asker::Session("a".into()), now));
        let later = now + Duration::from_secs(1);
        assert_eq!((0..1_000).filter(|_| rates.take(address(1), later)).count(), 50);
    }

    #[test]
    fn guessing_ends() {
        let rates = Rates::new(200);
        for _ in 0..MOST_MISTAKES {
            rates.may_log_in().unwrap();
            rates.mistake();
        }
        assert!(rates.may_log_in().is_err());
        rates.mistake_at(Instant::now() + MISTAKES_FOR);
        assert!(rates.may_log_in().is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let rates = Rates::new(200);
        let now = Instant::now();
        for at in 0..MOST_ASKERS {
            rates.take(Asker::Session(at.to_string()), now);
        }
        assert!(!rates.take(address(1), now));
        assert!(rates.take(address(1), now + Duration::from_secs(10)));
        assert_eq!(rates.inner().askers.len(), 1);
    }
}
