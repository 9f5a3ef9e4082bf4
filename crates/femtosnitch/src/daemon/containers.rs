//! Which containers the history has to be told of.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use femtosnitch_model::ContainerFacts;

use super::identity::facts::Wanted;

/// How long what is known holds: a container may be renamed.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// How long "unknown" holds: a runtime may write its files after the first program has started.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);
/// Containers remembered; beyond, all are forgotten.
const MAX: usize = 4096;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Containers {
    /// When each is to be asked about again; `None` while there is no answer yet.
    known: HashMap<Arc<str>, Option<Instant>>,
    told: HashMap<Arc<str>, ContainerFacts>,
    due: Vec<ContainerFacts>,
}

impl Containers {
    /// A program moved bytes in a container (not ''). Tells if somebody has to find out about it.
    pub(super) fn seen(
        &mut self,
        container: &Arc<str>,
        cgroup: &Arc<str>,
        now: Instant,
    ) -> Option<Wanted> {
        match self.known.get_mut(container) {
            Some(None) => return None,
            Some(Some(again)) if now < *again => return None,
            Some(again) => *again = None,
            None => {
                if self.known.len() >= MAX {
                    self.known.clear();
                    self.told.clear();
                }
                self.known.insert(Arc::clone(container), None);
            }
        }
        Some(Wanted { container: Arc::clone(container), cgroup: Arc::clone(cgroup) })
    }

    /// What was found out.
    pub(super) fn answered(
        &mut self,
        container: Arc<str>,
        facts: Option<ContainerFacts>,
        now: Instant,
    ) {
        let again = now + if facts.is_some() { KNOWN_FOR } else { UNKNOWN_FOR };
        if let Some(facts) = facts
            && self.told.get(&container) != Some(&facts)
        {
            self.told.insert(Arc::clone(&container), facts.clone());
            self.due.push(facts);
        }
        self.known.insert(container, Some(again));
    }

    /// What the history has to be told, once.
    pub(super) fn take(&mut self) -> Vec<ContainerFacts> {
        std::mem::take(&mut self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(container: &str, name: &str) -> ContainerFacts {
        let (name, image, pod) = (name.to_owned(), String::new(), String::new());
        ContainerFacts { container: container.into(), name, image, pod }
    }

    #[test]
    fn a_container_is_asked_about_now_and_then_and_told_of_when_something_is_new() {
        let mut containers = Containers::default();
        let (id, cgroup): (Arc<str>, Arc<str>) = ("a".into(), "/x".into());
        let start = Instant::now();
        assert_eq!(&*containers.seen(&id, &cgroup, start).unwrap().cgroup, "/x");
        assert!(containers.seen(&id, &cgroup, start + KNOWN_FOR).is_none(), "no answer yet");
        containers.answered(Arc::clone(&id), None, start);
        assert!(containers.seen(&id, &cgroup, start).is_none());
        let later = start + UNKNOWN_FOR;
        assert!(containers.seen(&id, &cgroup, later).is_some());
        containers.answered(Arc::clone(&id), Some(facts("a", "web")), later);
        assert!(containers.seen(&id, &cgroup, later + UNKNOWN_FOR).is_none());
        assert_eq!(containers.take(), [facts("a", "web")]);
        for name in ["web", "www"] {
            let later = later + KNOWN_FOR;
            assert!(containers.seen(&id, &cgroup, later).is_some() || name == "www");
            containers.answered(Arc::clone(&id), Some(facts("a", name)), later);
        }
        assert_eq!(containers.take(), [facts("a", "www")]);
    }

    #[test]
    fn containers_do_not_pile_up() {
        let mut containers = Containers::default();
        let now = Instant::now();
        for n in 0..2 * MAX {
            let id: Arc<str> = n.to_string().into();
            assert!(containers.seen(&id, &id, now).is_some());
            containers.answered(Arc::clone(&id), Some(facts(&id, "x")), now);
            containers.take();
            assert!(containers.known.len() <= MAX && containers.told.len() <= MAX);
        }
    }
}
