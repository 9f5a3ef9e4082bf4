//! The bounded table of program runs: alive ones, and those that ended a moment ago.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use femtosnitch_model::{ProcKey, Process};

/// A process that ended is kept this many ticks: its last bytes may be read after its exit.
pub(crate) const LINGER: u64 = 3;

#[derive(Debug)]
struct Entry {
    process: Arc<Process>,
    /// Forked, and did not execute anything by itself.
    forked: bool,
    /// The tick after which it may be forgotten.
    ended: Option<u64>,
}

/// Ended runs in the order of their end, each with the tick at which it may be forgotten. One that
/// is alive again, or gone, is passed over.
type Ended = VecDeque<(u64, ProcKey)>;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Table {
    entries: HashMap<ProcKey, Entry>,
    /// Ended forks that never executed nor, as far as is known, moved a byte: the first to go
    /// when there is no room. A storm of them must not push out a client of one millisecond.
    ended_forks: Ended,
    /// All other ended ones.
    ended: Ended,
    /// The newest run known of each process, by pid and start.
    newest: HashMap<(u32, u64), u32>,
    /// Dropped before their time while something of theirs is still counted.
    dropped: Vec<ProcKey>,
    max: usize,
    /// Runs that found no room because all others were alive.
    pub(crate) refused: u64,
}

impl Table {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            entries: HashMap::new(),
            ended_forks: Ended::new(),
            ended: Ended::new(),
            newest: HashMap::new(),
            dropped: Vec::new(),
            max: max.max(16),
            refused: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn contains(&self, key: ProcKey) -> bool {
        self.entries.contains_key(&key)
    }

    pub(crate) fn get(&self, key: ProcKey) -> Option<&Arc<Process>> {
        self.entries.get(&key).map(|entry| &entry.process)
    }

    pub(crate) fn processes(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.entries.values().map(|entry| &entry.process)
    }

    /// True if the process with this pid is known to have executed another program since.
    pub(crate) fn has_moved_on(&self, key: ProcKey) -> bool {
        // The kernel's count wraps; what is less than half of it ahead is newer.
        let newer = |newest: u32| (1..=u32::MAX / 2).contains(&newest.wrapping_sub(key.exec_id));
        self.newest.get(&(key.tgid, key.start_ns)).is_some_and(|newest| newer(*newest))
    }

    /// Notes a run that is alive. `forked` if it runs what its parent does.
    pub(crate) fn insert(&mut self, process: Arc<Process>, forked: bool) {
        let key = process.key;
        if self.entries.len() >= self.max && !self.contains(key) && !self.make_room() {
            // All are alive: the newcomer is looked up again when it matters.
            self.refused += 1;
            return;
        }
        if !self.has_moved_on(key) {
            self.newest.insert((key.tgid, key.start_ns), key.exec_id);
        }
        self.entries.insert(key, Entry { process, forked, ended: None });
    }

    /// Notes the end of a run. False if it is not known.
    pub(crate) fn end(&mut self, key: ProcKey, now: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&key) else { return false };
        if entry.ended.is_none() {
            let until = now.saturating_add(LINGER);
            entry.ended = Some(until);
            let idle = entry.forked && Arc::strong_count(&entry.process) == 1;
            let queue = if idle { &mut self.ended_forks } else { &mut self.ended };
            queue.push_back((until, key));
        }
        true
    }

    /// Ends every run that is not among these.
    pub(crate) fn end_all_but(&mut self, alive: &HashSet<ProcKey>, now: u64) {
        let over = |(key, entry): (&ProcKey, &Entry)| {
            (entry.ended.is_none() && !alive.contains(key)).then_some(*key)
        };
        let over: Vec<ProcKey> = self.entries.iter().filter_map(over).collect();
        for key in over {
            self.end(key, now);
        }
    }

    /// Forgets runs that ended long enough ago; tells which, and which went before their time.
    pub(crate) fn forget_ended(&mut self, now: u64) -> Vec<ProcKey> {
        let mut gone = std::mem::take(&mut self.dropped);
        for forks in [true, false] {
            while let Some(&(until, key)) = self.queue(forks).front()
                && until <= now
            {
                self.queue(forks).pop_front();
                if self.remove_ended(key, until).is_some() {
                    gone.push(key);
                }
            }
        }
        gone
    }

    /// Drops the run that is missed least, if any has ended.
    fn make_room(&mut self) -> bool {
        for forks in [true, false] {
            while let Some((until, key)) = self.queue(forks).pop_front() {
                if let Some(process) = self.remove_ended(key, until) {
                    // Others that hold it are flows: a bucket among them has to be given back.
                    if Arc::strong_count(&process) > 1 {
                        self.dropped.push(key);
                    }
                    return true;
                }
            }
        }
        false
    }

    fn queue(&mut self, forks: bool) -> &mut Ended {
        if forks { &mut self.ended_forks } else { &mut self.ended }
    }

    /// Removes a run if this is still how it ended.
    fn remove_ended(&mut self, key: ProcKey, until: u64) -> Option<Arc<Process>> {
        if self.entries.get(&key)?.ended != Some(until) {
            return None;
        }
        let at = (key.tgid, key.start_ns);
        if self.newest.get(&at) == Some(&key.exec_id) {
            self.newest.remove(&at);
        }
        self.entries.remove(&key).map(|entry| entry.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Images;
    use crate::processes::alone;
    use crate::testing::key;

    struct World {
        table: Table,
        images: Images,
    }

    impl World {
        fn new(max: usize) -> Self {
            Self { table: Table::new(max), images: Images::default() }
        }

        fn process(&mut self, key: ProcKey) -> Arc<Process> {
            let image = self.images.intern(None, "/x".into(), "x".into(), String::new());
            Arc::new(alone(key, image, 0, 0))
        }

        fn run(&mut self, key: ProcKey, forked: bool) {
            let process = self.process(key);
            self.table.insert(process, forked);
        }

        fn ended(&mut self, key: ProcKey, forked: bool, now: u64) {
            self.run(key, forked);
            assert!(self.table.end(key, now));
        }
    }

    #[test]
    fn a_full_table_loses_only_the_oldest_ended() {
        let mut world = World::new(100);
        (1..=50).for_each(|pid| world.run(key(pid, 1), false));
        (51..=100).for_each(|pid| world.ended(key(pid, 1), false, 0));
        world.run(key(200, 1), false);
        assert!(!world.table.contains(key(51, 1)));
        assert!((1..=50).chain(52..=100).all(|pid| world.table.contains(key(pid, 1))));
    }

    #[test]
    fn a_fork_that_moved_bytes_is_kept_like_a_program() {
        let mut world = World::new(16);
        let mover = world.process(key(1, 1));
        world.table.insert(Arc::clone(&mover), true);
        world.table.end(key(1, 1), 0);
        (2..100).for_each(|pid| world.ended(key(pid, 1), true, 0));
        assert!(world.table.contains(key(1, 1)));
    }

    #[test]
    fn one_dropped_early_is_told_if_something_of_it_is_counted() {
        let mut world = World::new(16);
        let mover = world.process(key(1, 1));
        world.table.insert(Arc::clone(&mover), false);
        world.table.end(key(1, 1), 0);
        (2..=17).for_each(|pid| world.run(key(pid, 1), false));
        assert_eq!(world.table.forget_ended(0), [key(1, 1)]);
        assert!(world.table.forget_ended(0).is_empty());
    }

    #[test]
    fn an_ended_run_lingers_and_one_that_is_found_again_stays() {
        let mut world = World::new(16);
        world.ended(key(1, 1), false, 5);
        world.ended(key(2, 1), true, 5);
        world.run(key(2, 1), false);
        assert!(world.table.end(key(1, 1), 6), "told twice, the first counts");
        assert!(world.table.forget_ended(4 + LINGER).is_empty());
        assert_eq!(world.table.forget_ended(5 + LINGER), [key(1, 1)]);
        assert!(world.table.contains(key(2, 1)));
        assert!(!world.table.end(key(1, 1), 9));
    }

    #[test]
    fn a_newer_run_of_a_process_is_known_as_such() {
        let mut world = World::new(16);
        let of = |exec_id| key(7, exec_id);
        assert!(!world.table.has_moved_on(of(3)));
        world.run(of(4), false);
        assert!(world.table.has_moved_on(of(3)));
        assert!(!world.table.has_moved_on(of(4)) && !world.table.has_moved_on(of(5)));
        let other = ProcKey { start_ns: 1, ..of(3) };
        assert!(!world.table.has_moved_on(other), "another process with that pid");
        world.table.end(of(4), 0);
        world.table.forget_ended(LINGER);
        assert!(!world.table.has_moved_on(of(3)));
        assert!(world.table.newest.is_empty());
    }

    #[test]
    fn making_room_takes_one_run_out_and_looks_at_no_other() {
        let mut world = World::new(101);
        (1..=100).for_each(|pid| world.run(key(pid, 1), false));
        for pid in 1_000..2_000 {
            world.ended(key(pid, 1), true, 0);
            // What is behind the first in the queue was not looked at: nothing else left it.
            assert_eq!((world.table.ended_forks.len(), world.table.len()), (1, 101));
        }
        assert_eq!(world.table.refused, 0);
    }
}
