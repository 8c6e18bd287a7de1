//! A correction of the prior over size: robust, forgetting, with change detection.
//!
//! It is a factor, kept as its logarithm. Sizes within a factor of two share a *level*: a scalar Kalman filter whose
//! state drifts a little with each observation, so that old ones fade. Between levels the logarithm is taken to wander
//! like a random walk over log2 of the size. One observation far off is clipped and only raises the doubt, a second one
//! that agrees with it moves all levels: a straggler is forgotten, a device that became slow is followed.

use std::collections::BTreeMap;

/// Levels kept: sizes from 1 to 2^64 have no more.
const MAX_LEVELS: usize = 65;
/// What a level drifts between two observations of it (standard deviation of the logarithm).
const DRIFT: f64 = 0.015;
/// What the factor wanders in one doubling of the size.
const WANDER: f64 = 0.12;
/// Observations further off than so many standard deviations are suspect,
const SUSPECT: f64 = 4.0;
/// but not below this distance in the logarithm.
const SUSPECT_AT_LEAST: f64 = 0.3;
/// Doubt (standard deviation) after one suspect observation.
const DOUBT: f64 = 0.35;
/// What took longer than anyone waited for is expected to take this much longer still (logarithm).
const BEYOND: f64 = 0.6;
/// How fast the scatter of observations, beyond the noise that they come with, is followed,
const FOLLOW: f64 = 0.25;
/// up to this variance.
const MOST_SCATTER: f64 = 0.5;
/// So much of it (variance) a straggler now and then leaves: it is not counted.
const LEFT: f64 = 0.03;
/// Against a belief in more doubt (standard deviation) no observation tells what scatter there is.
const CERTAIN: f64 = 0.15;
/// A suspect observation is a straggler unless there was another one so few observations before: then they scatter.
const RECENT: u8 = 5;
/// A single measurement further off than this says more about the moment than about the kernel.
const MAX_LOG: f64 = 8.0;

/// A belief about the logarithm of a factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    /// Mean.
    pub mean: f64,
    /// Variance.
    pub variance: f64,
}

impl Belief {
    /// Two independent beliefs as one: means weighted by precision.
    pub fn and(self, other: Belief) -> Belief {
        let (p, q) = (self.variance.max(1e-9).recip(), other.variance.max(1e-9).recip());
        Belief { mean: (self.mean * p + other.mean * q) / (p + q), variance: (p + q).recip() }
    }

    /// The belief where it is at least so much: a normal distribution cut off below. Sampford's bound of Mills' ratio
    /// stands for the mean of the tail.
    fn above(self, least: f64) -> Belief {
        let deviation = self.variance.sqrt();
        let cut = ((least - self.mean) / deviation.max(1e-9)).max(0.0);
        let tail = (3.0 * cut + (cut * cut + 8.0).sqrt()) / 4.0;
        let left = (1.0 - tail * (tail - cut)).max(0.05);
        Belief { mean: self.mean + deviation * tail, variance: self.variance * left }
    }
}

#[derive(Clone, Copy, Debug)]
struct Level {
    belief: Belief,
    /// Variance of observations beyond their noise: what varies from call to call.
    scatter: f64,
    /// The last observation, if it was suspect.
    suspect: Option<f64>,
    /// Counts down from a suspect observation.
    recent: u8,
}

impl Level {
    fn new(belief: Belief) -> Self {
        Level { belief, scatter: 0.0, suspect: None, recent: 0 }
    }

    /// The scatter that counts.
    fn excess(&self) -> f64 {
        (self.scatter - LEFT).max(0.0)
    }

    /// Takes note of how far an observation was off.
    fn scatters(&mut self, innovation: f64, stated: f64) {
        let beyond = (innovation * innovation - self.belief.variance - stated).clamp(0.0, MOST_SCATTER);
        self.scatter += FOLLOW * (beyond - self.scatter);
    }
}

/// A factor over size.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    levels: BTreeMap<i32, Level>,
}

/// What an observation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was in line with the belief, or a straggler.
    Followed,
    /// It confirmed that the world has changed.
    Changed,
}

/// Sizes within a factor of two are one level.
pub(crate) fn level_of(size: f64) -> i32 {
    size.max(1.0).log2().round() as i32
}

impl Curve {
    /// Whether nothing was observed yet.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The belief at a size: the prior and the nearest levels below and above.
    pub fn at(&self, size: f64, prior: Belief) -> Belief {
        let position = size.max(1.0).log2();
        let own = level_of(size);
        let near = |(&k, level): (&i32, &Level)| {
            let distance = if k == own { 0.0 } else { (f64::from(k) - position).abs() };
            let variance = level.belief.variance + WANDER * WANDER * distance;
            Belief { mean: level.belief.mean, variance }
        };
        let below = self.levels.range(..=own).next_back().map(near);
        let above = self.levels.range(own + 1..).next().map(near);
        [below, above].into_iter().flatten().fold(prior, Belief::and)
    }

    /// The belief at a size by what was observed at its level alone.
    pub fn own(&self, size: f64) -> Option<Belief> {
        self.levels.get(&level_of(size)).map(|l| l.belief)
    }

    /// How much observations of a size vary beyond their noise: the variance.
    pub fn scatter(&self, size: f64) -> f64 {
        self.levels.get(&level_of(size)).map_or(0.0, Level::excess)
    }

    /// Takes in an observation of the logarithm with the variance of its noise.
    pub fn observe(&mut self, size: f64, log: f64, noise: f64, prior: Belief) -> Taken {
        self.take(size, log, noise, prior, false)
    }

    /// Takes in that the logarithm is at least so large: what was waited for in vain.
    pub fn observe_least(&mut self, size: f64, log: f64, noise: f64, prior: Belief) -> Taken {
        self.take(size, log, noise, prior, true)
    }

    fn take(&mut self, size: f64, log: f64, noise: f64, prior: Belief, at_least: bool) -> Taken {
        let log = log.clamp(-MAX_LOG, MAX_LOG);
        let expected = self.at(size, prior);
        if self.levels.len() >= MAX_LEVELS {
            self.levels.clear();
        }
        let first = self.levels.is_empty();
        let level = self.levels.entry(level_of(size)).or_insert(Level::new(expected));
        level.belief.variance += DRIFT * DRIFT;
        let stated = noise;
        let noise = noise + level.excess();
        let deviation = (level.belief.variance + noise).sqrt();
        let innovation = log - level.belief.mean;
        let far = (SUSPECT * deviation).max(SUSPECT_AT_LEAST);
        // What was waited for in vain twice is another world, however large the doubt since the first time.
        let again = at_least && innovation > SUSPECT_AT_LEAST && level.suspect.is_some();
        let suspect = innovation.abs() > far;
        let agrees = level.suspect.is_some_and(|s| (s - log).abs() < 0.5 * innovation.abs());
        let known = level.belief.variance < CERTAIN * CERTAIN && !suspect;
        if !at_least && (known || level.recent > 0) && !(suspect && agrees) {
            level.scatters(innovation, stated);
        }
        level.recent = if suspect { RECENT } else { level.recent.saturating_sub(1) };
        if !suspect && !again {
            level.belief = if at_least {
                level.belief.above(log)
            } else {
                level.suspect = None;
                level.belief.and(Belief { mean: log, variance: noise })
            };
            return Taken::Followed;
        }
        if first && !at_least {
            // Nothing was seen before that it could be far from: it is a prior for all kernels that it surprises.
            level.belief = Belief { mean: log, variance: DOUBT * DOUBT };
            return Taken::Followed;
        }
        let confirmed = again || agrees;
        if !confirmed {
            level.suspect = Some(log);
            level.belief.mean += innovation.signum() * deviation.min(DOUBT);
            level.belief.variance = level.belief.variance.max(DOUBT * DOUBT);
            return Taken::Followed;
        }
        // How much more than the least it is, nobody saw.
        let (log, noise) = if at_least { (log + BEYOND, noise + BEYOND * BEYOND) } else { (log, noise) };
        let shift = log - level.belief.mean;
        for other in self.levels.values_mut() {
            other.belief.mean += shift;
            other.belief.variance += DOUBT * DOUBT;
        }
        if let Some(level) = self.levels.get_mut(&level_of(size)) {
            let suspect = at_least.then_some(log);
            let belief = Belief { mean: log, variance: 2.0 * noise + DRIFT * DRIFT };
            *level = Level { belief, suspect, ..*level };
        }
        Taken::Changed
    }

    /// Moves all levels with something else on the device that has changed.
    pub fn shift(&mut self, by: f64) {
        for level in self.levels.values_mut() {
            level.belief.mean += by;
            level.belief.variance += DOUBT * DOUBT;
            level.suspect = None;
        }
    }

    /// Raises the doubt about all levels: something else on the device has changed.
    pub fn doubt(&mut self) {
        for level in self.levels.values_mut() {
            level.belief.variance = level.belief.variance.max(DOUBT * DOUBT);
        }
    }

    /// The levels: log2 of their size, and the belief.
    pub fn levels(&self) -> impl Iterator<Item = (i32, Belief)> + '_ {
        self.levels.iter().map(|(k, level)| (*k, level.belief))
    }

    /// The curve of such levels.
    pub fn from_levels(levels: impl IntoIterator<Item = (i32, Belief)>) -> Self {
        let level = |(k, belief)| (k, Level::new(belief));
        Curve { levels: levels.into_iter().take(MAX_LEVELS).map(level).collect() }
    }

    /// The belief of all levels together; `None` before the first observation.
    pub fn overall(&self) -> Option<Belief> {
        self.levels.values().map(|l| l.belief).reduce(Belief::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIOR: Belief = Belief { mean: 0.0, variance: 0.25 };
    const NOISE: f64 = 0.0025;

    #[test]
    fn a_few_observations_outweigh_the_prior() {
        let mut curve = Curve::default();
        curve.observe(1e6, 0.7, NOISE, PRIOR);
        let one = curve.at(1e6, PRIOR);
        assert!((one.mean - 0.7).abs() < 0.03 && one.variance < 0.004, "{one:?}");
    }

    #[test]
    fn doubt_grows_with_the_distance_in_size() {
        let mut curve = Curve::default();
        curve.observe(1e6, 0.7, NOISE, PRIOR);
        let (near, far) = (curve.at(4e6, PRIOR), curve.at(1e9, PRIOR));
        assert!(near.variance < far.variance && far.variance < PRIOR.variance);
        assert!(near.mean > far.mean && far.mean > 0.0);
    }

    #[test]
    fn one_straggler_does_not_move_the_belief_and_two_do() {
        let mut curve = Curve::default();
        (0..20).for_each(|_| {
            curve.observe(1e6, 0.0, NOISE, PRIOR);
        });
        assert_eq!(curve.observe(1e6, 3.0, NOISE, PRIOR), Taken::Followed);
        assert!(curve.at(1e6, PRIOR).mean < 0.2);
        assert_eq!(curve.observe(1e6, 3.0, NOISE, PRIOR), Taken::Changed);
        assert!(curve.at(1e6, PRIOR).mean > 2.5);
    }

    #[test]
    fn a_first_observation_far_from_the_prior_is_believed() {
        let mut curve = Curve::default();
        curve.observe(1e6, 3.0, NOISE, PRIOR);
        let known = curve.at(1e6, PRIOR);
        assert!(known.mean > 1.9 && known.variance > 0.05, "{known:?}");
        curve.observe(1e6, 3.0, NOISE, PRIOR);
        assert!((curve.at(1e6, PRIOR).mean - 3.0).abs() < 0.1);
    }

    #[test]
    fn what_varies_from_call_to_call_is_averaged_and_not_followed() {
        let mut curve = Curve::default();
        let logs = [0.6, -0.5, 0.4, -0.6, 0.5, -0.4, 0.6, -0.6, 0.5, -0.5, 0.5, -0.5];
        logs.iter().for_each(|log| {
            curve.observe(1e6, *log, NOISE, PRIOR);
        });
        let known = curve.at(1e6, PRIOR);
        assert!(curve.scatter(1e6) > 0.05 && known.mean.abs() < 0.3, "{known:?}");
    }

    #[test]
    fn a_straggler_is_forgotten_again() {
        let mut curve = Curve::default();
        (0..20).for_each(|_| {
            curve.observe(1e6, 0.0, NOISE, PRIOR);
        });
        curve.observe(1e6, 3.0, NOISE, PRIOR);
        (0..2).for_each(|_| {
            curve.observe(1e6, 0.0, NOISE, PRIOR);
        });
        assert!(curve.at(1e6, PRIOR).mean.abs() < 0.02);
    }
}
