//! What calls on several devices took as a whole: what no device's own time tells, such as waiting for each other.

use super::{Belief, Curve, Learned, MAX_KERNELS, MOVED, Told, level_of};

/// Relative noise of a whole call on several devices.
const WHOLE_NOISE: f64 = 0.3;
/// What doubt about it grows by (variance) with each observation of anything since it was last seen.
const STALE: f64 = 0.001;
/// Nothing is known.
const UNKNOWN: Belief = Belief { mean: 0.0, variance: 4.0 };
/// Sets of more devices are not told apart.
const MAX_DEVICES: usize = 8;

/// A kernel on several devices.
#[derive(Clone, Debug, Default)]
pub(super) struct Whole {
    curve: Curve,
    /// Number of the last observation of anything.
    last: u64,
}

impl Learned {
    /// Takes in what a call on a set of devices took as a whole: the time over one that was predicted without anything
    /// learned. It tells what no part does: waiting for each other, and what starting and ending them costs. `spread` is
    /// the doubt with which it was shared out.
    pub fn observe_together(&self, kernel: u64, devices: u32, invocations: f64, factor: f64, spread: f64) {
        let log = factor.ln();
        if !log.is_finite() {
            return;
        }
        let mut state = self.lock();
        if state.together.len() >= MAX_KERNELS {
            state.together.clear();
            state.told = Told::default();
        }
        let count = state.count;
        let Whole { curve, last } = state.together.entry((kernel, devices)).or_default();
        *last = count;
        curve.observe(invocations, log, WHOLE_NOISE * WHOLE_NOISE + spread * spread, UNKNOWN);
        let now = curve.own(invocations).map_or(0.0, |b| b.mean);
        let was = state.told.together.entry((kernel, devices, level_of(invocations))).or_insert(f64::INFINITY);
        if (*was - now).abs() > MOVED {
            *was = now;
            self.moved();
        }
    }

    /// What calls of a kernel at about this size took on sets of devices: the set, and the logarithm of the factor that
    /// [`Learned::observe_together`] was given.
    pub fn together(&self, kernel: u64, devices: usize, invocations: f64) -> Vec<(u32, Belief)> {
        let state = self.lock();
        if state.together.is_empty() {
            return Vec::new();
        }
        let several = (1..1u32 << devices.min(MAX_DEVICES)).filter(|set| set.count_ones() > 1);
        let seen = |set: u32| {
            let Whole { curve, last } = state.together.get(&(kernel, set))?;
            let Belief { mean, variance } = curve.own(invocations)?;
            Some((set, Belief { mean, variance: variance + STALE * (state.count - last) as f64 }))
        };
        several.filter_map(seen).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Key, Observation},
        *,
    };

    #[test]
    fn what_a_set_of_devices_took_is_known_for_its_size_and_doubted_with_time() {
        let learned = Learned::default();
        (0..4).for_each(|_| learned.observe_together(1, 0b11, 1e6, 2.0, 0.0));
        let [(0b11, seen)] = learned.together(1, 2, 1e6)[..] else { panic!("{:?}", learned.together(1, 2, 1e6)) };
        assert!((seen.mean.exp() / 2.0 - 1.0).abs() < 0.05 && seen.variance < 0.1, "{seen:?}");
        assert_eq!(learned.together(1, 2, 1e9), [], "another size");
        assert_eq!(learned.together(2, 2, 1e6), [], "another kernel");
        let key = Key { kernel: 7, device: 0, invocations: 1e6 };
        let took = Observation { prior_ns: 1e6, launch_ns: 0.0, took_ns: 1e6, together: false, ended: true };
        (0..100).for_each(|_| learned.observe(key, took));
        assert!(learned.together(1, 2, 1e6)[0].1.variance > seen.variance + 0.05);
        learned.forget(1);
        assert_eq!(learned.together(1, 2, 1e6), []);
    }
}
