//! Where processes ran, each place kept once.

use std::collections::HashMap;
use std::sync::Arc;

use femtosnitch_model::{Place, escape_bytes};

/// What knows the ways in which places are named. Pure functions.
#[derive(Debug, Clone, Copy)]
pub struct PlaceNames {
    /// Reads a cgroup path as the kernel has it.
    pub of_cgroup: fn(&[u8]) -> Place,
    /// Reads the paths of an executable and of its launcher's: the name of an application, if they
    /// tell one.
    pub of_path: OfPath,
}

/// See [`PlaceNames::of_path`].
type OfPath = fn(&[u8], Option<&[u8]>) -> Option<Arc<str>>;

/// Places kept; more only while processes are in them.
const MAX: usize = 1024;

/// A cgroup's path, escaped, and what it says.
type Known = (Arc<str>, Arc<Place>);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Places {
    known: HashMap<Box<[u8]>, Known>,
    names: PlaceNames,
    none: Known,
    prune_at: usize,
}

impl Places {
    pub(crate) fn new(names: PlaceNames) -> Self {
        let none = ("".into(), Arc::new(Place::default()));
        Self { known: HashMap::new(), names, none, prune_at: MAX }
    }

    /// The path, escaped ([`escape_bytes`]), and the place.
    pub(crate) fn of(&mut self, cgroup: &[u8]) -> Known {
        if cgroup.is_empty() {
            return self.none.clone();
        }
        if let Some(known) = self.known.get(cgroup) {
            return known.clone();
        }
        if self.known.len() >= self.prune_at {
            self.known.retain(|_, (path, _)| Arc::strong_count(path) > 1);
            self.prune_at = MAX.max(self.known.len() * 2);
        }
        let new = (escape_bytes(cgroup).into(), Arc::new((self.names.of_cgroup)(cgroup)));
        self.known.insert(cgroup.into(), Known::clone(&new));
        new
    }

    /// The place of an executable, where its path tells more than its cgroup does.
    pub(crate) fn refine(
        &self,
        place: Arc<Place>,
        exe: &[u8],
        parent: Option<&[u8]>,
    ) -> Arc<Place> {
        match (self.names.of_path)(exe, parent) {
            Some(app) if place.app.is_empty() => Arc::new(Place { app, ..(*place).clone() }),
            _ => place,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::NAMELESS;

    #[test]
    fn a_place_is_kept_once_and_not_for_ever() {
        let of_cgroup =
            |path: &[u8]| Place { unit: String::from_utf8_lossy(path).into(), ..Place::default() };
        let mut places = Places::new(PlaceNames { of_cgroup, ..NAMELESS });
        let (path, place) = places.of(b"/a\xff");
        assert_eq!((&*path, &*place.unit), ("/a\\xff", "/a\u{fffd}"));
        assert!(Arc::ptr_eq(&place, &places.of(b"/a\xff").1));
        for n in 0..5_000 {
            places.of(format!("/{n}").as_bytes());
            assert!(places.known.len() <= MAX + 1);
        }
        assert!(Arc::ptr_eq(&place, &places.of(b"/a\xff").1), "somebody is there");
    }
}
