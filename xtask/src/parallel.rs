//! Work of several threads, of which only so many run at a time.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

/// Does `work` on each item, `at_once` of them side by side; the results in the order of `items`,
/// none where it panicked.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    at_once: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<Option<R>> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(place) else { return done };
            let work = std::panic::AssertUnwindSafe(|| work(item));
            done.push((place, std::panic::catch_unwind(work).ok()));
        }
    };
    let mut results: Vec<(usize, Option<R>)> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..at_once.clamp(1, items.len().max(1))).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    });
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_run_than_asked_for_and_results_keep_their_order() {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let doubled = each(&[3_u64, 1, 2, 1, 3], 2, |number| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(number * 5));
            running.fetch_sub(1, Ordering::SeqCst);
            number * 2
        });
        assert_eq!(doubled, [6, 2, 4, 2, 6].map(Some));
        assert_eq!(most.into_inner(), 2);
    }

    #[test]
    fn a_panic_takes_nothing_else_along() {
        let done = each(&[1, 0, 2], 1, |number| 10 / number);
        assert_eq!(done, [Some(10), None, Some(5)]);
        assert!(each(&[] as &[u8], 4, |_| ()).is_empty());
    }
}
