//! Batches that could not be written yet, kept in memory within a bound.

use std::collections::VecDeque;

use crate::Batch;
use crate::Gap;
use crate::GapReason;

/// What had to be dropped since the spool was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Rows.
    pub rows: u64,
    /// Application bytes, both directions, that these rows told of.
    pub bytes: u64,
    /// Digests that had become known; their executables will read `(interrupted)`.
    pub digests: u64,
    /// Other news: what was found out about executables and containers, and notes.
    pub news: u64,
}

/// A first-in, first-out queue of batches. Beyond its bound the oldest rows go, counted.
#[derive(Debug)]
pub struct Spool {
    queue: VecDeque<Batch>,
    rows: usize,
    digests: usize,
    extras: usize,
    max_rows: usize,
    dropped: Dropped,
}

impl Spool {
    /// A spool for at most `max_rows` rows (and as many digests, and other news); about 400 bytes
    /// each and 100 more for each launch in a row's lineage, without what they share.
    #[must_use]
    pub fn new(max_rows: usize) -> Self {
        let (queue, dropped) = (VecDeque::new(), Dropped::default());
        Self { queue, rows: 0, digests: 0, extras: 0, max_rows, dropped }
    }

    /// Adds a batch, dropping the oldest rows if there are too many; their time becomes a gap.
    pub fn push(&mut self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        if batch.rows.is_empty()
            && batch.resolved.is_empty()
            && let Some(last) = self.queue.back_mut()
        {
            // However long the disk is full, signs of life do not pile up.
            self.extras += batch.extras();
            last.gaps.extend(batch.gaps);
            last.described.extend(batch.described);
            last.containers.extend(batch.containers);
            last.notes.extend(batch.notes);
            last.heartbeat = batch.heartbeat.or(last.heartbeat);
            last.import = batch.import.or(last.import.take());
            self.drop_extras();
            return;
        }
        self.rows += batch.rows.len();
        self.digests += batch.resolved.len();
        self.extras += batch.extras();
        self.queue.push_back(batch);
        self.drop_rows();
        self.drop_digests();
        self.drop_extras();
        self.merge_rowless();
    }

    /// The oldest batch.
    #[must_use]
    pub fn front(&self) -> Option<&Batch> {
        self.queue.front()
    }

    /// Removes the oldest batch (it has been written).
    pub fn pop(&mut self) -> Option<Batch> {
        let batch = self.queue.pop_front()?;
        self.rows -= batch.rows.len();
        self.digests -= batch.resolved.len();
        self.extras -= batch.extras();
        Some(batch)
    }

    /// Rows waiting.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// True if nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// What was dropped so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    fn drop_rows(&mut self) {
        let mut times: Option<(i64, i64)> = None;
        for batch in &mut self.queue {
            let excess = self.rows.saturating_sub(self.max_rows).min(batch.rows.len());
            if excess == 0 {
                break;
            }
            for row in batch.rows.drain(..excess) {
                let (first, last) = times.unwrap_or((row.contime, row.contime));
                times = Some((first.min(row.contime), last.max(row.contime)));
                self.dropped.rows += 1;
                self.dropped.bytes =
                    self.dropped.bytes.saturating_add(row.send).saturating_add(row.recv);
            }
            self.rows -= excess;
        }
        if let Some((first, last)) = times {
            self.note_dropped(first, last);
        }
    }

    /// One gap that grows, for as long as it waits with the oldest batch.
    fn note_dropped(&mut self, first: i64, last: i64) {
        let gap = Gap::new(first, last.saturating_add(1), GapReason::Dropped);
        let (Some(gap), Some(batch)) = (gap, self.queue.front_mut()) else { return };
        if !batch.gaps.iter_mut().any(|earlier| earlier.extend(&gap)) {
            batch.gaps.push(gap);
        }
    }

    fn drop_digests(&mut self) {
        for batch in &mut self.queue {
            let excess = self.digests.saturating_sub(self.max_rows).min(batch.resolved.len());
            if excess == 0 {
                break;
            }
            batch.resolved.drain(..excess);
            self.dropped.digests = self.dropped.digests.saturating_add(excess as u64);
            self.digests -= excess;
        }
    }

    fn drop_extras(&mut self) {
        for batch in &mut self.queue {
            let excess = self.extras.saturating_sub(self.max_rows);
            let described = excess.min(batch.described.len());
            let containers = (excess - described).min(batch.containers.len());
            let notes = (excess - described - containers).min(batch.notes.len());
            batch.described.drain(..described);
            batch.containers.drain(..containers);
            batch.notes.drain(..notes);
            let gone = described + containers + notes;
            self.dropped.news = self.dropped.news.saturating_add(gone as u64);
            self.extras -= gone;
        }
    }

    /// Batches that lost all their rows hand the rest to the next one: digests and gaps still
    /// count, and the queue stays as short as its rows.
    fn merge_rowless(&mut self) {
        while self.queue.len() > 1 && self.queue.front().is_some_and(|first| first.rows.is_empty())
        {
            let Some(first) = self.queue.pop_front() else { return };
            if let Some(next) = self.queue.front_mut() {
                next.resolved.splice(..0, first.resolved);
                next.gaps.splice(..0, first.gaps);
                next.described.splice(..0, first.described);
                next.containers.splice(..0, first.containers);
                next.notes.splice(..0, first.notes);
                next.heartbeat = next.heartbeat.or(first.heartbeat);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use femtosnitch_model::Connections;
    use femtosnitch_model::ContainerFacts;
    use femtosnitch_model::Digest;
    use femtosnitch_model::Direction;
    use femtosnitch_model::Executable;
    use femtosnitch_model::Image;
    use femtosnitch_model::ImageId;
    use femtosnitch_model::Lineage;
    use femtosnitch_model::NameSource;
    use femtosnitch_model::Quality;
    use femtosnitch_model::Row;
    use femtosnitch_model::Unhashed;
    use proptest::prelude::*;

    use super::*;
    use crate::Heartbeat;
    use crate::Note;
    use crate::NoteKind;

    fn row(contime: i64, send: u64) -> Row {
        let image = Arc::new(Image {
            id: ImageId(1),
            path: "/bin/x".into(),
            name: "x".into(),
            cmdline: "x".into(),
            file: None,
        });
        let exe = Executable { image, digest: Digest::Pending };
        Row {
            contime,
            send,
            recv: 1,
            wire_send: None,
            wire_recv: None,
            direction: Direction::default(),
            connections: Connections::default(),
            quality: Quality::default(),
            events: 1,
            exe,
            parent: None,
            grandparent: None,
            lineage: Lineage::default(),
            uid: 0,
            pid: 1,
            family: 2,
            protocol: 6,
            laddr: None,
            raddr: None,
            lport: 0,
            rport: 0,
            domain: "".into(),
            name_source: NameSource::NONE,
            netns: 0,
            container: "".into(),
        }
    }

    fn batch(rows: &[i64]) -> Batch {
        let rows = rows.iter().map(|&time| row(time, 10)).collect();
        Batch { rows, ..Batch::default() }
    }

    #[test]
    fn the_oldest_rows_go_first_and_are_counted() {
        let mut spool = Spool::new(4);
        spool.push(batch(&[1, 2, 3]));
        assert_eq!(spool.dropped(), Dropped::default());
        spool.push(batch(&[4, 5, 6]));
        assert_eq!(spool.rows(), 4);
        assert_eq!(spool.dropped(), Dropped { rows: 2, bytes: 22, ..Dropped::default() });
        let times: Vec<i64> = std::iter::from_fn(|| spool.pop())
            .flat_map(|batch| batch.rows.into_iter().map(|row| row.contime))
            .collect();
        assert_eq!(times, [3, 4, 5, 6]);
        assert!(spool.is_empty() && spool.rows() == 0);
    }

    #[test]
    fn a_batch_larger_than_the_bound_keeps_its_newest_rows() {
        let mut spool = Spool::new(2);
        spool.push(batch(&[1, 2, 3, 4, 5]));
        assert_eq!(spool.dropped().rows, 3);
        assert_eq!(spool.front().unwrap().rows[0].contime, 4);
    }

    #[test]
    fn digests_outlive_the_rows_they_came_with() {
        let gone = Digest::Missing(Unhashed::Gone);
        let mut spool = Spool::new(2);
        spool.push(Batch { resolved: vec![(ImageId(7), gone)], ..batch(&[1]) });
        spool.push(Batch { resolved: vec![(ImageId(8), gone)], ..batch(&[2, 3]) });
        let only = spool.pop().unwrap();
        assert!(spool.is_empty());
        assert_eq!(only.rows.len(), 2);
        assert_eq!(only.resolved, [(ImageId(7), gone), (ImageId(8), gone)]);
    }

    #[test]
    fn signs_of_life_do_not_pile_up() {
        let alive = |at| Some(Heartbeat { at, clean: false });
        let slept = |at| Gap::new(at, at + 3, GapReason::Suspended).unwrap();
        let mut spool = Spool::new(2);
        spool.push(Batch { heartbeat: alive(5), ..batch(&[1, 2]) });
        for at in 6..100 {
            spool.push(Batch { heartbeat: alive(at), ..Batch::default() });
        }
        spool.push(Batch { gaps: vec![slept(60)], ..Batch::default() });
        assert_eq!(spool.front().unwrap().heartbeat, alive(99));
        spool.push(Batch { heartbeat: alive(101), ..batch(&[100]) });
        let first = spool.pop().unwrap();
        assert_eq!(first.gaps, [slept(60), Gap::new(1, 2, GapReason::Dropped).unwrap()]);
        assert_eq!(spool.pop().unwrap().heartbeat, alive(101));
        assert!(spool.is_empty());
    }

    #[test]
    fn the_time_of_dropped_rows_is_one_gap() {
        let mut spool = Spool::new(2);
        for start in [10, 20, 30] {
            spool.push(batch(&[start, start + 1, start + 2]));
        }
        let only = spool.pop().unwrap();
        assert!(spool.is_empty());
        assert_eq!(only.gaps, [Gap::new(10, 31, GapReason::Dropped).unwrap()]);
    }

    #[test]
    fn digests_are_bounded_too() {
        let gone = Digest::Missing(Unhashed::Gone);
        let mut spool = Spool::new(2);
        for id in 0..5 {
            spool.push(Batch { resolved: vec![(ImageId(id), gone)], ..Batch::default() });
        }
        assert_eq!(spool.dropped().digests, 3);
        assert_eq!(spool.pop().unwrap().resolved, [(ImageId(3), gone), (ImageId(4), gone)]);
        assert!(spool.is_empty());
    }

    #[test]
    fn other_news_is_bounded_too_and_outlives_its_rows() {
        let note = |at| Note { at, kind: NoteKind::Lost, detail: String::new() };
        let mut spool = Spool::new(3);
        spool.push(Batch { notes: vec![note(0)], ..batch(&[1, 2]) });
        for at in 1..7 {
            let containers = vec![ContainerFacts {
                container: "c".into(),
                name: at.to_string(),
                image: String::new(),
                pod: String::new(),
            }];
            spool.push(Batch { containers, notes: vec![note(at)], ..Batch::default() });
        }
        assert_eq!(spool.dropped(), Dropped { news: 10, ..Dropped::default() });
        spool.push(batch(&[3, 4, 5]));
        let only = spool.pop().unwrap();
        assert!(spool.is_empty());
        assert_eq!((only.containers.len(), only.notes.len()), (0, 3));
        assert_eq!(only.notes, [note(4), note(5), note(6)]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_uncounted(
            max in 1_usize..20,
            steps in prop::collection::vec((prop::collection::vec(0_u64..1000, 0..8), any::<bool>()), 0..30),
        ) {
            let mut spool = Spool::new(max);
            let (mut pushed, mut popped) = ((0, 0), (0, 0));
            let count = |batch: &Batch| {
                (batch.rows.len() as u64, batch.rows.iter().map(|row| row.send + row.recv).sum::<u64>())
            };
            for (sends, pop) in steps {
                let new = Batch {
                    rows: sends.into_iter().map(|send| row(0, send)).collect(),
                    ..Batch::default()
                };
                let (rows, bytes) = count(&new);
                pushed = (pushed.0 + rows, pushed.1 + bytes);
                spool.push(new);
                prop_assert!(spool.rows() <= max);
                if pop && let Some(old) = spool.pop() {
                    let (rows, bytes) = count(&old);
                    popped = (popped.0 + rows, popped.1 + bytes);
                }
            }
            while let Some(old) = spool.pop() {
                let (rows, bytes) = count(&old);
                popped = (popped.0 + rows, popped.1 + bytes);
            }
            let dropped = spool.dropped();
            prop_assert_eq!(pushed, (popped.0 + dropped.rows, popped.1 + dropped.bytes));
        }
    }
}
