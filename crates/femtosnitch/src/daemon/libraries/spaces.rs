//! Mount namespaces in which programs run: who is in them, and which libraries they have.

use std::collections::{HashMap, HashSet};

use femtosnitch_sys::procfs;

use super::Key;

/// What is known of one.
#[derive(Debug, Default)]
struct Space {
    /// A process in it.
    witness: u32,
    has: HashSet<Key>,
}

/// By inode number of the namespace. Those without processes are forgotten at each look.
#[derive(Debug, Default)]
pub(super) struct Spaces(HashMap<u32, Space>);

impl Spaces {
    /// This process is in it.
    pub(super) fn seen(&mut self, mntns: u32, pid: u32) {
        let own = std::process::id();
        let space = self.0.entry(mntns).or_insert_with(|| Space {
            // Of our own namespace we are the one who stays.
            witness: if is_in(own, mntns) { own } else { pid },
            has: HashSet::new(),
        });
        if !is_in(space.witness, mntns) {
            space.witness = pid;
        }
    }

    /// Such a library was found in it.
    pub(super) fn has(&mut self, mntns: u32, key: Key) {
        self.0.entry(mntns).or_default().has.insert(key);
    }

    pub(super) fn witness(&self, mntns: u32) -> Option<u32> {
        self.0.get(&mntns).map(|space| space.witness)
    }

    /// A process in it: one that stays, if there is one known, else `pid` while it runs, or any.
    pub(super) fn somebody(&mut self, mntns: u32, pid: u32) -> Option<u32> {
        let known = [std::process::id(), self.witness(mntns).unwrap_or(pid), pid];
        let found = known.into_iter().find(|pid| is_in(*pid, mntns));
        let others = || Self::processes(&HashSet::from([mntns])).first().map(|(pid, _)| *pid);
        let found = found.or_else(others)?;
        self.seen(mntns, found);
        Some(found)
    }

    /// Those in which nobody is any more; they are forgotten.
    pub(super) fn without_processes(&mut self) -> HashSet<u32> {
        let is_alone = |(mntns, space): &(&u32, &Space)| !is_in(space.witness, **mntns);
        let mut alone: HashSet<u32> = self.0.iter().filter(is_alone).map(|(it, _)| *it).collect();
        for (pid, mntns) in Self::processes(&alone) {
            if let Some(space) = self.0.get_mut(&mntns) {
                space.witness = pid;
                alone.remove(&mntns);
            }
        }
        self.0.retain(|mntns, _| !alone.contains(mntns));
        alone
    }

    /// Those that have any of these libraries.
    pub(super) fn with_any(&self, keys: &[Key]) -> HashSet<u32> {
        let has = |space: &Space| keys.iter().any(|key| space.has.contains(key));
        self.0.iter().filter(|(_, space)| has(space)).map(|(mntns, _)| *mntns).collect()
    }

    /// The processes in these namespaces.
    pub(super) fn processes(of: &HashSet<u32>) -> Vec<(u32, u32)> {
        if of.is_empty() {
            return Vec::new();
        }
        let pids = procfs::pids().unwrap_or_default().into_iter();
        let with_space = pids.filter_map(|pid| Some((pid, procfs::mount_namespace(pid).ok()?)));
        with_space.filter(|(_, mntns)| of.contains(mntns)).collect()
    }
}

fn is_in(pid: u32, mntns: u32) -> bool {
    procfs::mount_namespace(pid).is_ok_and(|it| it == mntns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_lasts_as_long_as_somebody_is_in_it() {
        let me = std::process::id();
        let own = procfs::mount_namespace(me).unwrap();
        let key = Key::Inode { dev: 1, ino: 2 };
        let mut spaces = Spaces::default();
        spaces.seen(own, u32::MAX);
        spaces.has(own, key);
        spaces.seen(7, u32::MAX);
        assert_eq!(spaces.witness(own), Some(me));
        assert_eq!(spaces.without_processes(), HashSet::from([7]));
        assert_eq!(spaces.without_processes(), HashSet::new());
        assert_eq!(spaces.with_any(&[key]), HashSet::from([own]));
        assert!(Spaces::processes(&HashSet::from([own])).contains(&(me, own)));
    }
}
