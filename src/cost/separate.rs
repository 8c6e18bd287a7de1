//! Rates from microkernels that each do several kinds of work: what the others take of a run is taken off.
//!
//! A loop that divides also counts and branches, and one that loads also computes addresses. Time over the amount of one
//! kind alone would charge a kernel for its loads, and then once more for the branches that the loads were measured with.

use super::roofline::{CLASSES, amounts};
use evener_lanes::analysis::Features;

/// Passes over the runs: each takes off what the others are known to take by then.
const PASSES: usize = 8;
/// The part of a run that is its own kind's at least: what other kinds take may be hidden behind it.
const OWN: f64 = 0.2;

/// A run of a microkernel.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// The kind of work that it is there for, an index into the [`amounts`].
    pub class: usize,
    /// What each of its invocations does.
    pub features: Features,
    /// Time of an invocation of a full device, in ns.
    pub each_ns: f64,
}

impl Sample {
    fn own(&self) -> f64 {
        amounts(&self.features)[self.class].max(1e-12)
    }

    /// Time of a unit of its own kind in ns, where a unit of each other kind takes so long.
    pub fn unit_ns(&self, units_ns: &[f64; CLASSES]) -> f64 {
        let all = amounts(&self.features).into_iter().zip(units_ns).enumerate();
        let others: f64 = all.filter(|(k, _)| *k != self.class).map(|(_, (amount, ns))| amount * ns).sum();
        (self.each_ns - others).max(OWN * self.each_ns) / self.own()
    }
}

/// Time of a unit of each kind of work, in ns, so that all runs take what they took: Gauss and Seidel's method from what
/// they would be if each run did its own kind alone. Kinds without a run take nothing.
pub fn separate(samples: &[Sample]) -> [f64; CLASSES] {
    let mut units_ns = [0.0; CLASSES];
    for sample in samples {
        units_ns[sample.class] = sample.each_ns / sample.own();
    }
    for _ in 0..PASSES {
        for sample in samples {
            units_ns[sample.class] = sample.unit_ns(&units_ns);
        }
    }
    units_ns
}

#[cfg(test)]
mod tests {
    use super::{super::roofline::class, *};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn units_are_found_again_from_runs_that_mix_them(
            units in prop::collection::vec(0.2f64..5.0, 3),
            mixed in prop::collection::vec(0.0f64..0.1, 6),
        ) {
            let sample = |class, float: f64, integer: f64, branch: f64| Sample {
                class,
                features: Features { float, integer, branch, ..Features::default() },
                each_ns: float * units[0] + integer * units[1] + branch * units[2],
            };
            let samples = [
                sample(class::FLOAT, 1.0, mixed[0], mixed[1]),
                sample(class::INTEGER, mixed[2], 1.0, mixed[3]),
                sample(class::BRANCH, mixed[4], mixed[5], 1.0),
            ];
            // Where a run is for the most part another kind's, nothing can be told apart.
            prop_assume!(samples.iter().zip(&units).all(|(s, unit)| *unit > 0.5 * s.each_ns));
            let found = separate(&samples);
            for (sample, unit) in samples.iter().zip(&units) {
                prop_assert!((found[sample.class] / unit - 1.0).abs() < 1e-3, "{found:?}, not {units:?}");
            }
        }
    }

    #[test]
    fn what_others_hide_is_not_taken_off() {
        let features = Features { gather_bytes: 4.0, integer: 1e6, ..Features::default() };
        let mut units_ns = [0.0; CLASSES];
        units_ns[class::INTEGER] = 1.0;
        let sample = Sample { class: class::GATHER, features, each_ns: 100.0 };
        assert_eq!(sample.unit_ns(&units_ns), OWN * 25.0);
    }
}
