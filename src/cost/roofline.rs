//! The prior: predicted time of a chunk from its features and the device's calibrated rates.
//!
//! A roofline (Williams, Waterman, Patterson 2009) with several compute ceilings whose times add, a
//! cache-dependent bandwidth, a floor for chunks too small to fill the device, and the link.

use super::Cost;
use evener_lanes::analysis::Features;
use serde::{Deserialize, Serialize};
use std::ops::Mul;

/// A calibrated number: its value per second, how often it was measured and how far the measurements spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Per second, over the whole device.
    pub per_s: f64,
    /// Measurements behind it.
    pub count: u32,
    /// Relative spread: (max - min) / median.
    pub spread: f64,
}

impl Rate {
    /// A stated rate without measurements.
    pub fn assumed(per_s: f64) -> Self {
        Rate { per_s, count: 0, spread: 1.0 }
    }
}

/// Bytes of the working set up to which only the cache rate counts.
pub const CACHE_SET: f64 = (1u32 << 20) as f64;
/// Bytes of the working set at which `middle_bytes` is measured.
pub const MIDDLE_SET: f64 = (1u32 << 23) as f64;
/// Bytes of the working set at which `memory_bytes` is measured.
pub const MEMORY_SET: f64 = (1u32 << 27) as f64;

/// What a device does per second, as measured through the same path as real kernels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Once in a process, in ns: the driver's device, or the threads of a pool.
    pub setup_ns: f64,
    /// Once for each kernel, in ns: the driver's compiler.
    pub compile_ns: f64,
    /// Fixed time of a chunk, in ns: submission, wake-up, completion.
    pub launch_ns: f64,
    /// Invocations that fill the device: fewer take no less time.
    pub parallel_invocations: f64,
    /// f32 operations.
    pub float: Rate,
    /// f64 operations; 0 where the device has none.
    pub double: Rate,
    /// Divisions and square roots.
    pub divide: Rate,
    /// exp, log, sin, pow, ...
    pub transcendental: Rate,
    /// Integer, logical, comparison, select.
    pub integer: Rate,
    /// Storage atomics.
    pub atomic: Rate,
    /// Barriers, counted per invocation.
    pub barrier: Rate,
    /// Bytes of contiguous accesses in cache.
    pub cache_bytes: Rate,
    /// Bytes of contiguous accesses over a working set of [`MIDDLE_SET`], just filled: a call's usual state.
    pub middle_bytes: Rate,
    /// The same over [`MEMORY_SET`].
    pub memory_bytes: Rate,
    /// Bytes of gathers and strided accesses.
    pub gather_bytes: Rate,
    /// Bytes of work-group memory.
    pub group_bytes: Rate,
    /// Bytes to the device; 0 on the CPU, which works in place and is never asked to move any.
    pub up_bytes: Rate,
    /// Bytes back.
    pub down_bytes: Rate,
    /// Fixed time of a transfer in one direction, in ns.
    pub link_ns: f64,
}

/// The work of a chunk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Per invocation.
    pub features: Features,
    /// Invocations.
    pub invocations: f64,
    /// Bytes touched.
    pub working_set: f64,
    /// Bytes that must go to the device.
    pub up_bytes: f64,
    /// Bytes that must come back.
    pub down_bytes: f64,
}

/// Predicted time of a chunk by phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Prediction {
    /// Copies to the device.
    pub upload: Cost,
    /// Launch and kernel.
    pub run: Cost,
    /// Copies back.
    pub download: Cost,
}

impl Prediction {
    /// The round trip.
    pub fn total(&self) -> Cost {
        self.upload + self.run + self.download
    }
}

impl Mul<f64> for Prediction {
    type Output = Prediction;
    fn mul(self, factor: f64) -> Prediction {
        Prediction { upload: self.upload * factor, run: self.run * factor, download: self.download * factor }
    }
}

/// Predicts a chunk on a device.
pub fn predict(work: &Work, rates: &Rates) -> Prediction {
    Prediction {
        upload: link(work.up_bytes, rates.up_bytes.per_s, rates.link_ns),
        run: Cost::from_ns(rates.launch_ns) + kernel(work, rates),
        download: link(work.down_bytes, rates.down_bytes.per_s, rates.link_ns),
    }
}

fn link(bytes: f64, per_s: f64, fixed_ns: f64) -> Cost {
    if bytes <= 0.0 { Cost::ZERO } else { Cost::from_ns(fixed_ns) + Cost::of(bytes, per_s) }
}

/// Time of the kernel alone, without launch.
fn kernel(work: &Work, rates: &Rates) -> Cost {
    let total = compute(&work.features, rates).max(memory(work, rates)) * work.invocations;
    // A chunk that cannot fill the device takes as long as one that just fills it.
    let filled = (work.invocations / rates.parallel_invocations).min(1.0);
    if filled > 0.0 { total * filled.recip() } else { total }
}

/// Operations of one invocation; classes share the same issue slots, so their times add.
fn compute(f: &Features, rates: &Rates) -> Cost {
    // A branch or loop iteration costs about as much as four integer operations.
    const BRANCH: f64 = 4.0;
    // A uniform load serves many invocations: a batch of the CPU, a subgroup of a GPU.
    const SHARED: f64 = 1.0 / 32.0;
    [
        (f.float, rates.float),
        (f.double, rates.double),
        (f.divide, rates.divide),
        (f.transcendental, rates.transcendental),
        (f.integer + BRANCH * f.branch, rates.integer),
        (f.atomic, rates.atomic),
        (f.barrier, rates.barrier),
        (f.workgroup_bytes, rates.group_bytes),
        (SHARED * f.uniform_bytes + f.contiguous_bytes, rates.cache_bytes),
        (f.strided_bytes + f.gather_bytes, rates.gather_bytes),
    ]
    .into_iter()
    .map(|(amount, rate)| Cost::of(amount, rate.per_s))
    .sum()
}

/// Bytes of one invocation through memory, where the working set does not fit the cache.
fn memory(work: &Work, rates: &Rates) -> Cost {
    if work.working_set <= CACHE_SET {
        return Cost::ZERO;
    }
    // Neighbouring invocations share what they read: no more comes from memory than is touched, plus gathers.
    let f = &work.features;
    let accessed = f.contiguous_bytes + f.strided_bytes + f.gather_bytes;
    let touched = work.working_set / work.invocations.max(1.0);
    Cost::of(accessed.min(touched.max(f.gather_bytes)), bandwidth(work.working_set, rates))
}

/// Bytes per second over a working set: the measured ones, in between by a power law.
fn bandwidth(working_set: f64, rates: &Rates) -> f64 {
    let between = |low: (f64, f64), high: (f64, f64)| {
        let t = ((working_set / low.0).ln() / (high.0 / low.0).ln()).clamp(0.0, 1.0);
        ((1.0 - t) * low.1.max(1.0).ln() + t * high.1.max(1.0).ln()).exp()
    };
    let middle = (MIDDLE_SET, rates.middle_bytes.per_s);
    if working_set < MIDDLE_SET {
        between((CACHE_SET, rates.cache_bytes.per_s), middle)
    } else {
        between(middle, (MEMORY_SET, rates.memory_bytes.per_s))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn rates() -> Rates {
        let r = Rate::assumed;
        Rates {
            setup_ns: 0.0,
            compile_ns: 0.0,
            launch_ns: 1000.0,
            parallel_invocations: 512.0,
            float: r(1e9),
            double: r(0.0),
            divide: r(1e8),
            transcendental: r(1e8),
            integer: r(1e9),
            atomic: r(1e8),
            barrier: r(1e8),
            cache_bytes: r(1e10),
            middle_bytes: r(1e9),
            memory_bytes: r(1e9),
            gather_bytes: r(1e9),
            group_bytes: r(1e10),
            up_bytes: r(1e9),
            down_bytes: r(1e9),
            link_ns: 100.0,
        }
    }

    fn work(features: Features, invocations: f64) -> Work {
        Work { features, invocations, working_set: 0.0, up_bytes: 0.0, down_bytes: 0.0 }
    }

    #[test]
    fn time_grows_with_the_work_once_the_device_is_full() {
        let f = Features { float: 10.0, ..Features::default() };
        let one = predict(&work(f, 1e4), &rates()).run.ns() - 1000.0;
        let two = predict(&work(f, 2e4), &rates()).run.ns() - 1000.0;
        assert!((two / one - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_chunk_too_small_to_fill_the_device_is_no_faster_than_a_full_one() {
        let f = Features { float: 10.0, ..Features::default() };
        let small = predict(&work(f, 1.0), &rates()).run;
        let full = predict(&work(f, 512.0), &rates()).run;
        assert!((small.ns() - full.ns()).abs() < 1e-6);
    }

    #[test]
    fn bandwidth_falls_with_the_working_set_and_passes_the_measured_points() {
        let mut rates = rates();
        (rates.cache_bytes.per_s, rates.middle_bytes.per_s, rates.memory_bytes.per_s) = (1e11, 1e10, 1e9);
        for (set, want) in [(0.0, 1e11), (CACHE_SET, 1e11), (MIDDLE_SET, 1e10), (MEMORY_SET, 1e9), (1e12, 1e9)] {
            let got = bandwidth(set, &rates);
            assert!((got / want - 1.0).abs() < 1e-9, "{set}: {got}");
        }
        assert!(bandwidth(3e6, &rates) < 1e11 && bandwidth(3e6, &rates) > 1e10);
    }

    #[test]
    fn a_device_without_doubles_cannot_run_them() {
        let f = Features { double: 1.0, ..Features::default() };
        assert_eq!(predict(&work(f, 1.0), &rates()).run, Cost::INFINITE);
    }

    #[test]
    fn nothing_to_move_costs_nothing_and_something_pays_the_latency() {
        let mut w = work(Features::default(), 1.0);
        assert_eq!(predict(&w, &rates()).upload, Cost::ZERO);
        w.up_bytes = 1.0;
        assert_eq!(predict(&w, &rates()).upload.ns(), 101.0);
    }
}
