//! The prior: predicted time of a chunk from its features and the device's calibrated rates.
//!
//! A roofline (Williams, Waterman, Patterson 2009) with several compute ceilings whose times add, bandwidths that depend on
//! the cache, a floor for chunks too small to fill the device, and the link. What computing and memory take is hidden
//! behind each other in part.

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

/// Bytes of the working set at which `beyond_bytes` is measured.
pub const BEYOND_SET: f64 = (1u32 << 29) as f64;
/// Bytes of the working set up to which `gather_bytes` counts.
pub const GATHER_SET: f64 = (1u32 << 22) as f64;
/// Bytes of the working set at which `far_gather_bytes` is measured.
pub const FAR_GATHER_SET: f64 = (1u32 << 26) as f64;

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
    /// Branches, and iterations of loops.
    pub branch: Rate,
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
    /// The same over [`BEYOND_SET`], on machines with caches so large that [`MEMORY_SET`] may lie in them.
    pub beyond_bytes: Rate,
    /// Bytes of gathers and strided accesses over a working set of [`GATHER_SET`].
    pub gather_bytes: Rate,
    /// The same over [`FAR_GATHER_SET`], which few caches hold.
    pub far_gather_bytes: Rate,
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
    let (computing, moving) = (compute(work, rates).ns(), memory(work, rates).ns());
    let total = Cost::from_ns(computing.hypot(moving)) * work.invocations;
    // A chunk that cannot fill the device takes as long as one that just fills it.
    let filled = (work.invocations / rates.parallel_invocations).min(1.0);
    if filled > 0.0 { total * filled.recip() } else { total }
}

/// Kinds of work, as indices into the [`amounts`].
pub mod class {
    /// f32 operations.
    pub const FLOAT: usize = 0;
    /// f64 operations.
    pub const DOUBLE: usize = 1;
    /// Divisions and square roots.
    pub const DIVIDE: usize = 2;
    /// exp, log, sin, pow, ...
    pub const TRANSCENDENTAL: usize = 3;
    /// Integer, logical, comparison, select.
    pub const INTEGER: usize = 4;
    /// Branches, and iterations of loops.
    pub const BRANCH: usize = 5;
    /// Storage atomics.
    pub const ATOMIC: usize = 6;
    /// Barriers, counted per invocation.
    pub const BARRIER: usize = 7;
    /// Bytes of work-group memory.
    pub const GROUP: usize = 8;
    /// Bytes of contiguous accesses.
    pub const CACHE: usize = 9;
    /// Bytes of gathers and strided accesses.
    pub const GATHER: usize = 10;
}

/// Kinds of work that are told apart.
pub const CLASSES: usize = 11;

/// What an invocation does of each kind.
pub fn amounts(f: &Features) -> [f64; CLASSES] {
    // A uniform load serves many invocations: a batch of the CPU, a subgroup of a GPU.
    const SHARED: f64 = 1.0 / 32.0;
    // What is left of the line of a strided access serves others.
    const STRIDED: f64 = 0.5;
    [
        f.float,
        f.double,
        f.divide,
        f.transcendental,
        f.integer,
        f.branch,
        f.atomic,
        f.barrier,
        f.workgroup_bytes,
        SHARED * f.uniform_bytes + f.contiguous_bytes,
        STRIDED * f.strided_bytes + f.gather_bytes,
    ]
}

/// Operations of one invocation, data in the caches; classes share the same issue slots, so their times add.
fn compute(work: &Work, rates: &Rates) -> Cost {
    let per_s = [
        rates.float.per_s,
        rates.double.per_s,
        rates.divide.per_s,
        rates.transcendental.per_s,
        rates.integer.per_s,
        rates.branch.per_s,
        rates.atomic.per_s,
        rates.barrier.per_s,
        rates.group_bytes.per_s,
        rates.cache_bytes.per_s,
        gathering(work.working_set, rates),
    ];
    amounts(&work.features).into_iter().zip(per_s).map(|(amount, per_s)| Cost::of(amount, per_s)).sum()
}

/// Bytes of one invocation through memory, where the working set does not fit the cache.
fn memory(work: &Work, rates: &Rates) -> Cost {
    if work.working_set <= CACHE_SET {
        return Cost::ZERO;
    }
    // Neighbouring invocations share what they read: no more comes from memory than is touched.
    let f = &work.features;
    let accessed = f.contiguous_bytes + f.strided_bytes + f.gather_bytes;
    let touched = work.working_set / work.invocations.max(1.0);
    Cost::of(accessed.min(touched), bandwidth(work.working_set, rates))
}

/// Bytes per second over a working set by what was measured for some: in between by a power law.
fn between(working_set: f64, points: &[(f64, f64)]) -> f64 {
    let rate = |k: usize| points[k].1.max(1.0);
    let above = points.iter().position(|p| working_set <= p.0).unwrap_or(points.len() - 1);
    let Some(below) = above.checked_sub(1) else { return rate(0) };
    let span = (points[above].0 / points[below].0).ln();
    let t = ((working_set / points[below].0).ln() / span).clamp(0.0, 1.0);
    ((1.0 - t) * rate(below).ln() + t * rate(above).ln()).exp()
}

/// Bytes per second of contiguous accesses over a working set.
fn bandwidth(working_set: f64, rates: &Rates) -> f64 {
    let [cache, middle] = [rates.cache_bytes.per_s, rates.middle_bytes.per_s];
    let (memory, beyond) = (rates.memory_bytes.per_s, rates.beyond_bytes.per_s);
    let points = [(CACHE_SET, cache.max(middle)), (MIDDLE_SET, middle), (MEMORY_SET, memory), (BEYOND_SET, beyond)];
    between(working_set, &points)
}

/// Bytes per second of gathers over a working set. Beyond the larger of those measured they fall with the bandwidth.
fn gathering(working_set: f64, rates: &Rates) -> f64 {
    let points = [(GATHER_SET, rates.gather_bytes.per_s), (FAR_GATHER_SET, rates.far_gather_bytes.per_s)];
    let gathers = between(working_set, &points);
    if working_set <= FAR_GATHER_SET {
        return gathers;
    }
    gathers * (bandwidth(working_set, rates) / bandwidth(FAR_GATHER_SET, rates)).min(1.0)
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
            branch: r(1e9),
            atomic: r(1e8),
            barrier: r(1e8),
            cache_bytes: r(1e10),
            middle_bytes: r(1e9),
            memory_bytes: r(1e9),
            beyond_bytes: r(1e9),
            gather_bytes: r(1e9),
            far_gather_bytes: r(1e9),
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
        rates.beyond_bytes.per_s = 5e8;
        let all =
            [(0.0, 1e11), (CACHE_SET, 1e11), (MIDDLE_SET, 1e10), (MEMORY_SET, 1e9), (BEYOND_SET, 5e8), (1e12, 5e8)];
        for (set, want) in all {
            let got = bandwidth(set, &rates);
            assert!((got / want - 1.0).abs() < 1e-9, "{set}: {got}");
        }
        assert!(bandwidth(3e6, &rates) < 1e11 && bandwidth(3e6, &rates) > 1e10);
    }

    #[test]
    fn gathers_fall_with_the_working_set_and_beyond_what_was_measured_with_the_bandwidth() {
        let mut rates = rates();
        (rates.gather_bytes.per_s, rates.far_gather_bytes.per_s) = (1e10, 1e8);
        (rates.memory_bytes.per_s, rates.beyond_bytes.per_s) = (1e9, 1e8);
        for (set, want) in [(0.0, 1e10), (GATHER_SET, 1e10), (FAR_GATHER_SET, 1e8), (BEYOND_SET, 1e7), (1e12, 1e7)] {
            let got = gathering(set, &rates);
            assert!((got / want - 1.0).abs() < 1e-9, "{set}: {got}");
        }
    }

    #[test]
    fn the_shorter_of_computing_and_memory_is_hidden_in_part() {
        let rates = rates();
        let of = |float, working_set| {
            let features = Features { float, contiguous_bytes: 8.0, ..Features::default() };
            predict(&Work { working_set, ..work(features, 1e6) }, &rates).run.ns() - rates.launch_ns
        };
        let (both, computing) = (of(8.0, 8e6), of(8.0, 0.0));
        let moving = (both * both - computing * computing).sqrt();
        assert!(both > computing && both > moving && both < computing + moving, "{both} of {computing} and {moving}");
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
