//! Answers that were given before, and how many a user may still ask for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Metadata, Unknown};
use crate::origin::Container;

const ANSWERS: usize = 4096;

const USERS: usize = 1024;

/// Look-ups in a user's home within [`SPAN`].
const LOOKUPS: u32 = 30;

const SPAN: Duration = Duration::from_secs(60);

type Answer = Result<Arc<Metadata>, Unknown>;

/// By the whole container, claim and all: a user's answer is never given for the system's
/// container of the same identifier.
#[derive(Debug, Default)]
pub(super) struct Cache {
    answers: HashMap<Container, Kept>,
}

#[derive(Debug)]
struct Kept {
    answer: Answer,
    since: Instant,
    until: Instant,
}

impl Cache {
    pub(super) fn get(&self, container: &Container, now: Instant) -> Option<Answer> {
        let kept = self.answers.get(container)?;
        (now < kept.until).then(|| kept.answer.clone())
    }

    pub(super) fn put(
        &mut self,
        container: &Container,
        answer: Answer,
        now: Instant,
        until: Instant,
    ) {
        if self.answers.len() >= ANSWERS && !self.answers.contains_key(container) {
            self.make_room(now);
        }
        self.answers.insert(container.clone(), Kept { answer, since: now, until });
    }

    /// Drops what has expired, and if that is little, the older half: the walk over all of them
    /// is then paid for by many insertions.
    fn make_room(&mut self, now: Instant) {
        self.answers.retain(|_, kept| now < kept.until);
        if self.answers.len() < ANSWERS - ANSWERS / 8 {
            return;
        }
        let mut ages: Vec<Instant> = self.answers.values().map(|kept| kept.since).collect();
        let half = ages.len() / 2;
        let (_, middle, _) = ages.select_nth_unstable(half);
        let middle = *middle;
        self.answers.retain(|_, kept| kept.since > middle);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.answers.len()
    }
}

#[derive(Debug, Default)]
pub(super) struct Budget {
    spent: HashMap<u32, (Instant, u32)>,
}

impl Budget {
    /// Whether this user may ask once more.
    pub(super) fn take(&mut self, uid: u32, now: Instant) -> bool {
        if self.spent.len() >= USERS && !self.spent.contains_key(&uid) {
            self.spent.retain(|_, (since, _)| now.saturating_duration_since(*since) < SPAN);
            if self.spent.len() >= USERS {
                return false;
            }
        }
        let (since, count) = self.spent.entry(uid).or_insert((now, 0));
        if now.saturating_duration_since(*since) >= SPAN {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= LOOKUPS
    }
}
