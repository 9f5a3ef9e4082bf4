//! Chains of launches, none of them endless.

use std::sync::Arc;

use femtosnitch_model::Process;

/// What is left of a lineage that has become too long.
const KEPT: usize = Process::LINEAGE as usize / 2;

/// Who stands above a process that `parent` launches, and how deep that one is: `parent`, or if its
/// lineage is full a copy of it without the oldest half. A daemon whose every generation forks the
/// next and ends would otherwise keep all of them in memory.
pub(crate) fn below(parent: &Arc<Process>) -> (Arc<Process>, u32) {
    let depth = parent.depth + 1;
    if depth < Process::LINEAGE {
        return (Arc::clone(parent), depth);
    }
    let kept: Vec<_> = std::iter::once(parent).chain(parent.ancestors()).take(KEPT).collect();
    let mut above: Option<Arc<Process>> = None;
    for (depth, process) in (0..).zip(kept.into_iter().rev()) {
        above = Some(Arc::new(Process { parent: above, depth, ..Process::clone(process) }));
    }
    above.map_or_else(
        || (Arc::clone(parent), depth),
        |parent| {
            let depth = parent.depth + 1;
            (parent, depth)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::Images;
    use crate::processes::alone;
    use crate::testing::key;

    #[test]
    fn a_lineage_has_an_end_and_keeps_the_nearest() {
        let image = Images::default().intern(None, "/x".into(), "x".into(), String::new());
        let mut last = Arc::new(alone(key(1, 1), Arc::clone(&image), 0, 0));
        for pid in 2..1_000 {
            let (parent, depth) = below(&last);
            assert_eq!(parent.key, last.key);
            let next = alone(key(pid, 1), Arc::clone(&image), 0, 0);
            last = Arc::new(Process { parent: Some(parent), depth, ..next });
            let above: Vec<u32> = last.ancestors().map(|above| above.key.tgid).collect();
            assert_eq!(above.len(), last.depth as usize);
            assert!(above.len() < Process::LINEAGE as usize);
            let whole = (1..pid).rev().take(above.len());
            assert!(whole.eq(above.iter().copied()), "{above:?}");
            assert!(above.len() >= KEPT.min(pid as usize - 1));
        }
    }
}
