//! What past calls teach: how far the prior was off, by kernel and device, and on a machine as a whole.
//!
//! For each kernel and device there is a [`Curve`] over the size of the call: measured time of the kernel over the
//! predicted one, launch taken off both. Its prior is the machine's: how the kernels seen so far on that device were off
//! on average and how much they differ, so a kernel never seen profits from those that were. Transfers have curves of
//! their own over bytes, and each device a factor for how much others that work beside it slow it down.

pub mod saved;
mod whole;

pub use super::curve::Belief;
use super::curve::{Curve, Taken, level_of};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Kernels kept; a program that makes more starts anew.
const MAX_KERNELS: usize = 4096;
/// Real kernels reach this part of calibrated rates, before anything is known (logarithm of the time's factor), and
/// differ by so much (standard deviation).
const GENERIC: Belief = Belief { mean: 0.5, variance: 0.5 * 0.5 };
/// The generic belief counts like so many kernels.
const GENERIC_COUNT: f64 = 2.0;
/// Transfers, before anything is known beside the calibrated rates.
const LINK: Belief = Belief { mean: 0.0, variance: 0.15 * 0.15 };
/// Relative noise of one measurement.
const NOISE: f64 = 0.06;
/// Relative noise of a launch.
const JITTER: f64 = 0.3;
/// Doubt about a bound.
const BOUND: f64 = 0.2;
/// Slow-down of a device while others work, before anything is known (logarithm).
const TOGETHER: Belief = Belief { mean: 0.08, variance: 0.12 * 0.12 };
/// Estimates that have moved by less (in the logarithm) are the same.
const MOVED: f64 = 0.04;
/// Part of the time so far that exploring may cost.
const EXPLORE: f64 = 0.02;

/// A kernel on a device at a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// [`Compiled::fingerprint`](crate::kernel::Compiled::fingerprint).
    pub kernel: u64,
    /// Index of the device; the CPU is 0.
    pub device: usize,
    /// Invocations of the whole call.
    pub invocations: f64,
}

/// A factor on predicted time and how far it may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Median of the factor.
    pub factor: f64,
    /// Standard deviation of its logarithm.
    pub spread: f64,
}

impl Estimate {
    /// The prediction as it is, without doubt.
    pub const EXACT: Estimate = Estimate { factor: 1.0, spread: 0.0 };

    /// Whether it is another one than that, as far as it matters.
    fn differs(&self, other: &Estimate) -> bool {
        (self.factor / other.factor).ln().abs() > MOVED || (self.spread - other.spread).abs() > MOVED
    }

    fn of(belief: Belief) -> Self {
        Estimate { factor: belief.mean.exp(), spread: belief.variance.sqrt() }
    }
}

/// What is known of a call on a device: factors on its predicted times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// Of the kernel with nothing else at work, launches not counted.
    pub alone: Estimate,
    /// Of the kernel beside other devices.
    pub together: Estimate,
    /// Of copies to the device, back, and to the host of what other devices have.
    pub link: [f64; 3],
}

/// What a device took for a call, or for its part of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Predicted time of the kernel alone, without any factor and without launches, in ns.
    pub prior_ns: f64,
    /// Predicted time of the launches, in ns.
    pub launch_ns: f64,
    /// Measured time of kernel and launches, in ns.
    pub took_ns: f64,
    /// Whether other devices worked at the same time.
    pub together: bool,
    /// Whether it has ended: otherwise it takes at least that long.
    pub ended: bool,
}

impl Observation {
    /// Launches vary: the kernel's time lies between two bounds. The nearer one, where the expected factor (its logarithm)
    /// is beyond it and launches take most of the time.
    fn bound(&self, expected: f64) -> Option<f64> {
        let kernel_ns = self.prior_ns * expected.exp();
        let (low, high) = (1.0 - 2.0 * JITTER, 1.0 + 2.0 * JITTER);
        let most = self.took_ns - low.min(0.6) * self.launch_ns;
        let least = self.took_ns - high * self.launch_ns;
        if self.took_ns > 3.0 * self.launch_ns {
            None
        } else if kernel_ns > most && most > 0.0 {
            Some(most)
        } else if kernel_ns < least {
            Some(least)
        } else {
            None
        }
    }
}

/// Direction of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Host to device.
    Up,
    /// Device to host.
    Down,
    /// To the host, first, what a device needs and only others have. What it depends on is the moment's more than the
    /// machine's: no profile keeps it.
    Fetch,
}

/// Corrections of the prior.
#[derive(Debug, Default)]
pub struct Learned {
    state: Mutex<State>,
    /// Counts the times that an estimate has moved.
    epoch: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    kernels: HashMap<(u64, usize), Seen>,
    machine: BTreeMap<usize, Machine>,
    links: BTreeMap<(usize, Direction), Curve>,
    /// Kernels on several devices at once, which a set is made of, over invocations: the time of the whole call over one
    /// that was predicted without anything learned.
    together: HashMap<(u64, u32), whole::Whole>,
    /// Time of all calls so far and what exploring cost of it, in ns.
    total_ns: f64,
    explored_ns: f64,
    /// Observations taken in.
    count: u64,
    told: Told,
}

/// What was known when it was last told that something has moved.
#[derive(Debug, Default)]
struct Told {
    /// Kernels on devices over levels of their size.
    kernels: HashMap<(u64, usize, i32), [Estimate; 2]>,
    /// Devices: their prior's mean, and the slow-down beside others.
    machine: BTreeMap<usize, [f64; 2]>,
    /// Transfers over levels of their bytes: factors.
    links: BTreeMap<(usize, Direction, i32), f64>,
    /// Calls on several devices: factors.
    together: HashMap<(u64, u32, i32), f64>,
}

impl State {
    fn estimate(&self, key: Key) -> [Estimate; 2] {
        let machine = self.machine.get(&key.device).copied().unwrap_or_default();
        let (prior, slower) = (machine.prior(), machine.together);
        let both = [false, true];
        match self.kernels.get(&(key.kernel, key.device)) {
            Some(seen) => both.map(|together| Estimate::of(seen.at(key.invocations, together, prior, slower))),
            None => both.map(|together| Estimate::of(Seen::unseen(together, prior, slower))),
        }
    }

    /// Whether what is known of a kernel, or of all on its device, has moved since that was last said.
    fn moved(&mut self, key: Key) -> bool {
        let now = self.estimate(key);
        let own = (key.kernel, key.device, level_of(key.invocations));
        let was = self.told.kernels.get(&own);
        let kernel = was.is_none_or(|was| was.iter().zip(&now).any(|(a, b)| a.differs(b)));
        if kernel {
            self.told.kernels.insert(own, now);
        }
        let machine = self.machine.get(&key.device).copied().unwrap_or_default();
        let means = [machine.prior().mean, machine.together.mean];
        let was = self.told.machine.get(&key.device);
        let device = was.is_none_or(|was| was.iter().zip(means).any(|(a, b)| (a - b).abs() > MOVED));
        if device {
            self.told.machine.insert(key.device, means);
        }
        kernel || device
    }

    /// The same of a transfer.
    fn link_moved(&mut self, device: usize, direction: Direction, bytes: f64) -> bool {
        let now = self.link(device, direction, bytes);
        let was = self.told.links.entry((device, direction, level_of(bytes))).or_insert(f64::INFINITY);
        let moved = (*was - now).abs() > MOVED * now;
        if moved {
            *was = now;
        }
        moved
    }

    fn link(&self, device: usize, direction: Direction, bytes: f64) -> f64 {
        if bytes <= 0.0 {
            return 1.0;
        }
        self.links.get(&(device, direction)).map_or(1.0, |c| c.at(bytes, LINK).mean.exp())
    }
}

/// A kernel on a device: with nothing else at work, and beside other devices.
#[derive(Clone, Debug, Default)]
struct Seen {
    alone: Curve,
    together: Curve,
    /// Number of the last observation.
    last: u64,
}

impl Seen {
    /// The belief in one of the two ways. What is known of the other one tells it, too.
    fn at(&self, size: f64, together: bool, prior: Belief, slower: Belief) -> Belief {
        self.curve(together).at(size, self.prior(size, together, prior, slower))
    }

    fn prior(&self, size: f64, together: bool, prior: Belief, slower: Belief) -> Belief {
        let sign = if together { 1.0 } else { -1.0 };
        let other = self.curve(!together);
        if other.is_empty() {
            return Self::unseen(together, prior, slower);
        }
        let known = other.at(size, Self::unseen(!together, prior, slower));
        Belief { mean: known.mean + sign * slower.mean, variance: known.variance + slower.variance }
    }

    /// Of a kernel never seen. The machine's prior is of kernels alone.
    fn unseen(together: bool, prior: Belief, slower: Belief) -> Belief {
        Belief { mean: prior.mean + if together { slower.mean } else { 0.0 }, ..prior }
    }

    fn curve(&self, together: bool) -> &Curve {
        if together { &self.together } else { &self.alone }
    }

    fn overall(&self) -> Option<Belief> {
        self.alone.overall().or_else(|| self.together.overall())
    }

    fn doubt(&mut self) {
        self.alone.doubt();
        self.together.doubt();
    }
}

/// A device over all kernels.
#[derive(Clone, Copy, Debug)]
struct Machine {
    /// Kernels in the sums, the sum of their beliefs' means and of the means' squares.
    kernels: f64,
    sum: f64,
    squares: f64,
    together: Belief,
}

impl Default for Machine {
    fn default() -> Self {
        Machine { kernels: 0.0, sum: 0.0, squares: 0.0, together: TOGETHER }
    }
}

impl Machine {
    /// How a kernel never seen is off: the mean and spread over those seen, drawn to the generic ones.
    fn prior(&self) -> Belief {
        let n = self.kernels + GENERIC_COUNT;
        let mean = (self.sum + GENERIC_COUNT * GENERIC.mean) / n;
        let own = self.squares - 2.0 * mean * self.sum + self.kernels * mean * mean;
        Belief { mean, variance: (own.max(0.0) + GENERIC_COUNT * GENERIC.variance) / n }
    }

    fn replace(&mut self, old: Option<f64>, new: f64) {
        match old {
            Some(old) => {
                self.sum += new - old;
                self.squares += new * new - old * old;
            }
            None => {
                self.kernels += 1.0;
                self.sum += new;
                self.squares += new * new;
            }
        }
    }
}

impl Learned {
    /// The factors on the predicted time of a kernel, launches not counted: with nothing else at work, and beside other
    /// devices.
    pub fn estimate(&self, key: Key) -> [Estimate; 2] {
        self.lock().estimate(key)
    }

    /// All that is known of a call that moves so many bytes to the device and back, and for whose fetching so many ns are
    /// predicted without any factor.
    pub fn known(&self, key: Key, moved: [f64; 3]) -> Known {
        let state = self.lock();
        let [alone, together] = state.estimate(key);
        let link = [(Direction::Up, moved[0]), (Direction::Down, moved[1]), (Direction::Fetch, moved[2])];
        Known { alone, together, link: link.map(|(way, bytes)| state.link(key.device, way, bytes)) }
    }

    /// The factor on the predicted time of a transfer of so many bytes (of a fetch: predicted ns).
    pub fn link(&self, device: usize, direction: Direction, bytes: f64) -> f64 {
        self.lock().link(device, direction, bytes)
    }

    /// What exploring may cost now, in ns.
    pub fn budget_ns(&self) -> f64 {
        let state = self.lock();
        (EXPLORE * state.total_ns - state.explored_ns).max(0.0)
    }

    /// Takes in a device's part of a call. Times that are not positive are ignored.
    pub fn observe(&self, key: Key, seen: Observation) {
        let usable = |ns: f64| ns.is_finite() && ns > 0.0;
        if !usable(seen.prior_ns) || !usable(seen.took_ns) || !seen.launch_ns.is_finite() {
            return;
        }
        // A kernel hidden behind its launch is seen badly.
        let kernel_ns = (seen.took_ns - seen.launch_ns).max(0.05 * seen.took_ns);
        let noise = ((NOISE * seen.took_ns).powi(2) + (JITTER * seen.launch_ns).powi(2)) / kernel_ns.powi(2);
        let mut state = self.lock();
        if state.kernels.len() >= MAX_KERNELS {
            state.kernels.clear();
            state.together.clear();
            state.machine.clear();
            state.told = Told::default();
        }
        let State { kernels, machine, count, together, .. } = &mut *state;
        *count += 1;
        let machine = machine.entry(key.device).or_default();
        let known = kernels.entry((key.kernel, key.device)).or_default();
        known.last = *count;
        let before = known.overall();
        let own = known.prior(key.invocations, seen.together, machine.prior(), machine.together);
        let expected = known.curve(seen.together).at(key.invocations, own).mean;
        let log = (kernel_ns / seen.prior_ns).ln();
        if !seen.ended && log < expected {
            return;
        }
        let (log, noise) = match seen.bound(expected) {
            Some(bound) => ((bound / seen.prior_ns).ln(), BOUND * BOUND),
            None => (log, noise),
        };
        let (curve, other) = match seen.together {
            true => (&mut known.together, &mut known.alone),
            false => (&mut known.alone, &mut known.together),
        };
        // What varies from call to call does so with and without others at work.
        let noise = noise + (other.scatter(key.invocations) - curve.scatter(key.invocations)).max(0.0);
        let taken = match seen.ended {
            true => curve.observe(key.invocations, log, noise, own),
            false => curve.observe_least(key.invocations, log, noise, own),
        };
        if taken == Taken::Changed {
            other.shift(log - expected);
        }
        machine.learn_together(known, key.invocations);
        if let Some(after) = known.overall() {
            machine.replace(before.map(|b| b.mean), after.mean);
        }
        if taken == Taken::Changed {
            together.retain(|(_, set), _| set >> key.device.min(31) & 1 == 0);
            let others = kernels.iter_mut().filter(|((k, d), _)| *d == key.device && *k != key.kernel);
            others.for_each(|(_, seen)| seen.doubt());
        }
        if state.moved(key) || taken == Taken::Changed {
            self.moved();
        }
    }

    /// Takes in a transfer: predicted time without any factor and measured time, in ns, and whether it has ended: otherwise
    /// it takes at least that long.
    pub fn observe_link(
        &self,
        device: usize,
        direction: Direction,
        bytes: f64,
        prior_ns: f64,
        took_ns: f64,
        ended: bool,
    ) {
        let log = (took_ns / prior_ns).ln();
        if log.is_finite() && prior_ns > 0.0 {
            let mut state = self.lock();
            let curve = state.links.entry((device, direction)).or_default();
            match ended {
                true => curve.observe(bytes, log, NOISE * NOISE, LINK),
                false => curve.observe_least(bytes, log, NOISE * NOISE, LINK),
            };
            if state.link_moved(device, direction, bytes) {
                self.moved();
            }
        }
    }

    /// Takes in the end of a call: its time, and what of it was spent on exploring, in ns.
    pub fn spend(&self, took_ns: f64, explored_ns: f64) {
        if took_ns.is_finite() && explored_ns.is_finite() {
            let mut state = self.lock();
            state.total_ns += took_ns.max(0.0);
            state.explored_ns += explored_ns.max(0.0);
        }
    }

    /// A number that changes whenever an estimate has moved: what was made from estimates before holds until then.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The lock is held: whoever sees the new number sees the new estimates.
    fn moved(&self) {
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Observations taken in so far.
    pub fn count(&self) -> u64 {
        self.lock().count
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    /// A kernel that was seen in both ways tells how much others slow the device down.
    fn learn_together(&mut self, seen: &Seen, size: f64) {
        let far = Belief { mean: 0.0, variance: 1e3 };
        if seen.alone.is_empty() || seen.together.is_empty() {
            return;
        }
        let (alone, together) = (seen.alone.at(size, far), seen.together.at(size, far));
        // The same pair is seen again and again: it does not count as news each time.
        let variance = 4.0 * (alone.variance + together.variance) + 0.05 * 0.05;
        let mean = (together.mean - alone.mean).clamp(-0.2, 1.0);
        self.together = self.together.and(Belief { mean, variance });
        self.together.variance = self.together.variance.max(0.03 * 0.03);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alone(learned: &Learned, key: Key) -> Estimate {
        learned.estimate(key)[0]
    }

    fn at(kernel: u64, device: usize, invocations: f64) -> Key {
        Key { kernel, device, invocations }
    }

    fn took(factor: f64) -> Observation {
        Observation { prior_ns: 1e6, launch_ns: 1e3, took_ns: 1e3 + 1e6 * factor, together: false, ended: true }
    }

    #[test]
    fn one_call_is_believed_and_the_doubt_falls() {
        let learned = Learned::default();
        let key = at(1, 0, 1e6);
        assert!(alone(&learned, key).spread > 0.5);
        learned.observe(key, took(4.0));
        let known = alone(&learned, key);
        assert!((known.factor / 4.0 - 1.0).abs() < 0.05 && known.spread < 0.1, "{known:?}");
        assert!(alone(&learned, at(1, 1, 1e6)).spread > 0.5, "another device");
    }

    #[test]
    fn a_kernel_never_seen_profits_from_those_that_were() {
        let learned = Learned::default();
        (0..10).for_each(|k| learned.observe(at(k, 0, 1e6), took(5.0)));
        let fresh = alone(&learned, at(99, 0, 1e6));
        // Ten kernels, drawn to the generic ones by their weight.
        let drawn = ((10.0 * 5f64.ln() + GENERIC_COUNT * GENERIC.mean) / (10.0 + GENERIC_COUNT)).exp();
        assert!((fresh.factor / drawn - 1.0).abs() < 0.01 && fresh.spread < 0.6, "{fresh:?}, not {drawn}");
    }

    #[test]
    fn a_device_that_became_slow_is_noticed_within_two_calls() {
        let learned = Learned::default();
        let key = at(1, 1, 1e6);
        (0..100).for_each(|_| learned.observe(key, took(1.0)));
        (0..2).for_each(|_| learned.observe(key, took(20.0)));
        assert!(alone(&learned, key).factor > 15.0);
    }

    #[test]
    fn time_behind_a_launch_teaches_little() {
        let learned = Learned::default();
        let seen = Observation { prior_ns: 1.0, launch_ns: 1e5, took_ns: 1.1e5, together: false, ended: true };
        learned.observe(at(1, 1, 64.0), seen);
        assert!(alone(&learned, at(1, 1, 64.0)).spread > 0.3);
    }

    #[test]
    fn runs_beside_others_tell_of_runs_alone_and_the_other_way_round() {
        let learned = Learned::default();
        (0..5).for_each(|_| learned.observe(at(1, 1, 1e6), Observation { together: true, ..took(2.3) }));
        let [alone, together] = learned.estimate(at(1, 1, 1e6));
        assert!((together.factor / 2.3 - 1.0).abs() < 0.03, "{together:?}");
        assert!(alone.factor < 2.3 && alone.factor > 1.8 && alone.spread > together.spread, "{alone:?}");
        (0..5).for_each(|_| learned.observe(at(1, 1, 1e6), took(2.0)));
        let fresh = learned.estimate(at(2, 1, 1e6));
        assert!(fresh[1].factor / fresh[0].factor > 1.08, "the machine knows the slow-down");
    }

    #[test]
    fn nonsense_teaches_nothing() {
        let learned = Learned::default();
        let before = learned.estimate(at(1, 0, 1.0));
        for (prior_ns, took_ns) in [(0.0, 1.0), (1.0, 0.0), (f64::NAN, 1.0), (1.0, f64::INFINITY), (f64::INFINITY, 1.0)]
        {
            learned.observe(
                at(1, 0, 1.0),
                Observation { prior_ns, launch_ns: 0.0, took_ns, together: false, ended: true },
            );
            learned.observe_link(1, Direction::Up, 1.0, prior_ns, took_ns, true);
        }
        assert_eq!(learned.estimate(at(1, 0, 1.0)), before);
        assert_eq!(learned.link(1, Direction::Up, 1.0), 1.0);
    }

    #[test]
    fn the_budget_of_exploration_is_a_part_of_the_time_so_far() {
        let learned = Learned::default();
        assert_eq!(learned.budget_ns(), 0.0);
        learned.spend(1e6, 0.0);
        assert_eq!(learned.budget_ns(), 2e4);
        learned.spend(0.0, 3e4);
        assert_eq!(learned.budget_ns(), 0.0);
    }
}
