//! From a path to the packages that may list it, in eight bytes a path.
//!
//! A desktop's databases list some 400,000 paths. An entry is 48 bits of a path's hash and 16 of
//! a package's number; who asks must look into those packages' lists to be sure. The hash is keyed
//! at random, so that nobody can prepare paths that collide.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use crate::answer::{Manager, Reason};

/// Bits of an entry that number the package.
const PACKAGE_BITS: u32 = 16;

/// Packages that an index can number.
pub(crate) const MAX_PACKAGES: usize = 1 << PACKAGE_BITS;

/// Paths that an index takes: five times those of a large desktop, 16 MB.
const MAX_PATHS: usize = 2_000_000;

/// Packages looked into for one path. Directories have more, files that can run one or two; a
/// database made to keep us busy gets no further than this.
const MAX_CANDIDATES: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct Index {
    key: RandomState,
    entries: Vec<u64>,
}

/// Takes all paths before the first question.
#[derive(Debug)]
pub(crate) struct Builder {
    index: Index,
    manager: Manager,
}

impl Builder {
    pub(crate) fn new(manager: Manager) -> Self {
        Self { index: Index { key: RandomState::new(), entries: Vec::new() }, manager }
    }

    /// A canonical path of a package.
    pub(crate) fn add(&mut self, path: &[u8], package: u16) -> Result<(), Reason> {
        if self.index.entries.len() >= MAX_PATHS {
            return Err(Reason::TooLarge(self.manager));
        }
        let entry = self.index.prefix(path) | u64::from(package);
        self.index.entries.push(entry);
        Ok(())
    }

    pub(crate) fn build(mut self) -> Index {
        self.index.entries.sort_unstable();
        self.index.entries.dedup();
        self.index.entries.shrink_to_fit();
        self.index
    }
}

impl Index {
    fn prefix(&self, path: &[u8]) -> u64 {
        self.key.hash_one(path) >> PACKAGE_BITS << PACKAGE_BITS
    }

    /// Numbers of packages that probably list a canonical path; others certainly do not.
    pub(crate) fn candidates(&self, path: &[u8]) -> impl Iterator<Item = u16> + '_ {
        let prefix = self.prefix(path);
        let start = self.entries.partition_point(|&entry| entry < prefix);
        self.entries
            .iter()
            .skip(start)
            .take(MAX_CANDIDATES)
            .take_while(move |&&entry| entry >> PACKAGE_BITS == prefix >> PACKAGE_BITS)
            .filter_map(|&entry| u16::try_from(entry & (u64::from(u16::MAX))).ok())
    }

    /// Bytes that it takes.
    pub(crate) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<u64>()
    }
}

/// The number of the next package.
pub(crate) fn number(position: usize, manager: Manager) -> Result<u16, Reason> {
    u16::try_from(position).map_err(|_| Reason::TooLarge(manager))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_desktop_takes_less_than_four_megabytes() {
        let mut builder = Builder::new(Manager::Dpkg);
        for path in 0..400_000u32 {
            let package = u16::try_from(path % 3000).unwrap();
            builder.add(format!("/usr/share/{path}").as_bytes(), package).unwrap();
        }
        let index = builder.build();
        assert!(index.memory() < 4_000_000, "{}", index.memory());
        assert!(index.candidates(b"/usr/share/123456").any(|package| package == 456));
        let strangers = (0..100_000u32).map(|path| format!("/usr/lib/{path}"));
        let wrong: usize = strangers.map(|path| index.candidates(path.as_bytes()).count()).sum();
        assert!(wrong < 10, "{wrong} false candidates");
    }

    #[test]
    fn limits_hold() {
        let mut builder = Builder::new(Manager::Apk);
        for package in 0..1000 {
            builder.add(b"/same", package).unwrap();
        }
        assert_eq!(builder.build().candidates(b"/same").count(), MAX_CANDIDATES);
        assert!(number(MAX_PACKAGES - 1, Manager::Apk).is_ok());
        assert_eq!(number(MAX_PACKAGES, Manager::Apk), Err(Reason::TooLarge(Manager::Apk)));
    }

    proptest! {
        #[test]
        fn what_was_added_is_found(paths: Vec<(Vec<u8>, u16)>) {
            let mut builder = Builder::new(Manager::Dpkg);
            for (path, package) in &paths {
                builder.add(path, *package).unwrap();
            }
            let index = builder.build();
            for (path, package) in &paths {
                prop_assert!(index.candidates(path).any(|found| found == *package));
            }
        }
    }
}
