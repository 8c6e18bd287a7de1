//! What past calls teach: how far the prior was off, by kernel and by where it ran.
//!
//! A call's measured time over its predicted one is kept as a running mean of logarithms for each kernel and placement
//! (one device, or a split) and size, and the next prediction is multiplied by the one nearest in size. Splits have a factor of their own, because
//! devices that work at the same time slow each other down (memory bandwidth, cores that feed a GPU).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Weight of a new observation once there are a few: recent calls count most, so a change of load is followed.
const WEIGHT: f64 = 0.3;
/// A single measurement further off than this says more about the moment than about the kernel.
const MAX_FACTOR: f64 = 64.0;
/// Kernels kept; a program that makes more starts anew.
const MAX_KERNELS: usize = 4096;

/// Where a call ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ran {
    /// On one device, by its index.
    Alone(usize),
    /// On several at once.
    Split,
}

/// A kernel at a placement and a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// [`Compiled::id`](crate::kernel::Compiled::id).
    pub kernel: u64,
    /// Where.
    pub ran: Ran,
    /// Invocations of the whole call.
    pub invocations: f64,
}

impl Key {
    /// Sizes within a factor of four are taken together: a cache or an occupancy step lies between others.
    fn bucket(&self) -> i32 {
        (self.invocations.max(1.0).log2() / 2.0).round() as i32
    }
}

/// Corrections of the prior.
#[derive(Debug, Default)]
pub struct Learned {
    seen: Mutex<Seen>,
}

/// By kernel and placement, then by size.
type Seen = HashMap<(u64, Ran), BTreeMap<i32, Mean>>;

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    log: f64,
    count: u32,
}

impl Learned {
    /// The factor by which to multiply a prediction; 1 where nothing is known of the kernel there.
    pub fn factor(&self, key: Key) -> f64 {
        let seen = self.lock();
        let nearest = seen
            .get(&(key.kernel, key.ran))
            .and_then(|sizes| sizes.iter().min_by_key(|(bucket, _)| (*bucket - key.bucket()).abs()));
        nearest.map_or(1.0, |(_, mean)| mean.log.exp())
    }

    /// Takes in a call: its prediction *without* the factor and what it took, in ns. Anything but two positive numbers
    /// is ignored.
    pub fn observe(&self, key: Key, prior_ns: f64, actual_ns: f64) {
        let ratio = actual_ns / prior_ns;
        if !(ratio.is_finite() && ratio > 0.0) {
            return;
        }
        let log = ratio.ln().clamp(-MAX_FACTOR.ln(), MAX_FACTOR.ln());
        let mut seen = self.lock();
        if seen.len() >= MAX_KERNELS {
            seen.clear();
        }
        let mean = seen.entry((key.kernel, key.ran)).or_default().entry(key.bucket()).or_default();
        mean.count = mean.count.saturating_add(1);
        mean.log += (log - mean.log) * WEIGHT.max(1.0 / f64::from(mean.count));
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ran: Ran, invocations: f64) -> Key {
        Key { kernel: 1, ran, invocations }
    }

    #[test]
    fn one_call_is_believed_and_later_ones_are_averaged() {
        let learned = Learned::default();
        let key = at(Ran::Alone(0), 1e6);
        assert_eq!(learned.factor(key), 1.0);
        learned.observe(key, 100.0, 400.0);
        assert!((learned.factor(key) - 4.0).abs() < 1e-9);
        learned.observe(key, 100.0, 100.0);
        assert!((learned.factor(key) - 2.0).abs() < 1e-9);
        assert_eq!(learned.factor(at(Ran::Split, 1e6)), 1.0);
    }

    #[test]
    fn the_nearest_size_speaks_for_one_never_seen() {
        let learned = Learned::default();
        learned.observe(at(Ran::Alone(0), 1e3), 100.0, 200.0);
        learned.observe(at(Ran::Alone(0), 1e7), 100.0, 800.0);
        assert!((learned.factor(at(Ran::Alone(0), 4e3)) - 2.0).abs() < 1e-9);
        assert!((learned.factor(at(Ran::Alone(0), 1e9)) - 8.0).abs() < 1e-9);
    }

    #[test]
    fn a_device_that_became_slow_is_noticed_within_a_few_calls() {
        let learned = Learned::default();
        let key = at(Ran::Alone(1), 1e6);
        (0..100).for_each(|_| learned.observe(key, 100.0, 100.0));
        (0..10).for_each(|_| learned.observe(key, 100.0, 2000.0));
        assert!(learned.factor(key) > 15.0);
    }

    #[test]
    fn nonsense_teaches_nothing() {
        let learned = Learned::default();
        for (prior, actual) in [(0.0, 1.0), (1.0, 0.0), (f64::NAN, 1.0), (1.0, f64::INFINITY), (f64::INFINITY, 1.0)] {
            learned.observe(at(Ran::Split, 1.0), prior, actual);
        }
        assert_eq!(learned.factor(at(Ran::Split, 1.0)), 1.0);
    }
}
