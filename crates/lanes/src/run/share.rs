//! The batches of a run, handed out to the threads that work on it.
//!
//! A thread takes a part of what is left each time, so that parts are few at first and small at the end: threads end
//! together, however unlike the batches are, and nobody waits long for the last one. Taking is one atomic operation, and
//! no thread waits for a batch while there are any.
//!
//! Memory ordering: a batch is taken by one thread as the counter only grows; what batches write is published by the end
//! of the scope that the threads run in. Relaxed will do.

use std::{
    ops::Range,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Least estimated time of a part, ns: far above what taking it costs, below the time for which idle threads look for work
/// before they sleep.
const LEAST_NS: f64 = 5_000.0;
/// Most estimated time of a part, ns: whoever watches a run sees how far it is.
const MOST_NS: f64 = 1_000_000.0;
/// A part is what is left, divided by this and by the threads.
const PARTS_PER_THREAD: u64 = 4;

/// What is left of a run.
#[derive(Debug)]
pub(super) struct Share {
    next: AtomicU64,
    end: u64,
    /// Parts that what is left is divided into.
    parts: u64,
    /// Fewest and most batches of a part.
    least: u64,
    most: u64,
}

impl Share {
    /// Batches that take `each` ns for some threads.
    pub(super) fn new(batches: Range<u64>, threads: u64, each: f64) -> Self {
        let [least, most] = [LEAST_NS, MOST_NS].map(|ns| ((ns / each) as u64).max(1));
        let (next, parts) = (AtomicU64::new(batches.start), threads * PARTS_PER_THREAD);
        Share { next, end: batches.end, parts, least, most }
    }

    /// Batches for the thread that asks; none where none are left.
    pub(super) fn take(&self) -> Option<Range<u64>> {
        let mut from = self.next.load(Relaxed);
        loop {
            let left = self.end.checked_sub(from).filter(|left| *left > 0)?;
            let until = from + (left / self.parts).clamp(self.least, self.most).min(left);
            match self.next.compare_exchange_weak(from, until, Relaxed, Relaxed) {
                Ok(_) => return Some(from..until),
                Err(now) => from = now,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_batch_is_handed_out_once_in_parts_that_become_smaller() {
        for (range, threads, each) in [(3..1000, 2, 1e3), (0..1, 64, 1e9), (5..5, 2, 1.0), (0..1 << 40, 3, 0.01)] {
            let share = Share::new(range.clone(), threads, each);
            let parts: Vec<Range<u64>> = std::iter::from_fn(|| share.take()).collect();
            let ends = parts.iter().fold(range.start, |at, part| {
                assert!(part.start == at && part.end > at);
                part.end
            });
            assert_eq!(ends, range.end);
            // But for the last one, which takes what there is.
            assert!(parts.windows(2).all(|w| w[0].end - w[0].start >= w[1].end - w[1].start));
        }
    }

    #[test]
    fn threads_share_all_batches_between_them() {
        let share = Share::new(0..100_000, 4, 100.0);
        let count = || std::iter::from_fn(|| share.take()).map(|part| part.end - part.start).sum::<u64>();
        let counts: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(counts, 100_000);
    }
}
