//! What a call could take at best: one device, or the best static split, under the true means.

use super::{
    engine::{Phases, Scene},
    machine::Noise,
    noise::Random,
};
use crate::schedule::chunks::end_together;
use std::collections::BTreeMap;

/// Draws of noise over which a split's mean end is taken.
const DRAWS: usize = 48;
/// Shares tried of the first of two devices.
const FINE: u32 = 128;
/// Steps of shares where there are more.
const COARSE: u32 = 24;
/// Cells whose best device is within this factor of the second are contested.
pub const CONTESTED: f64 = 4.0;

/// The best of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Oracle {
    /// Mean time at best, in ns.
    pub best_ns: f64,
    /// The placement: devices with shares.
    pub best: Vec<(usize, f64)>,
    /// Mean time on each device alone.
    pub alone_ns: Vec<f64>,
    /// Mean time of the CPU and the best GPU with half each; `None` where the call cannot be cut.
    pub half_ns: Option<f64>,
    /// Mean times of the CPU and the best GPU by the CPU's share in sixteenths, 1 to 15.
    pub static_ns: Vec<f64>,
    /// Mean time at best of every set of devices that was tried, a bit for each.
    pub of_sets: BTreeMap<u32, f64>,
    /// Whether the choice is not obvious.
    pub contested: bool,
}

/// A split must gain this much over the best device alone for the machine to gain from it.
const GAINS: f64 = 1.05;

impl Oracle {
    /// A rate over the sum of the rates that the devices have alone, where the machine gains from a split.
    pub fn of_summed_rates(&self, took_ns: f64) -> Option<f64> {
        let alone_ns = self.alone_ns.iter().copied().fold(f64::INFINITY, f64::min);
        let summed: f64 = self.alone_ns.iter().map(|ns| ns.recip()).sum();
        (self.best.len() > 1 && self.best_ns * GAINS < alone_ns).then(|| (took_ns * summed).recip())
    }
}

/// Finds the best placement of a call.
pub fn oracle(scene: &Scene<'_>, seed: u64) -> Oracle {
    let devices = scene.truth.machine.devices.len();
    let ends = Ends::new(scene, seed);
    let alone_ns: Vec<f64> = (0..devices).map(|d| ends.mean(&[(d, 1.0)])).collect();
    let mut best = (0..devices).map(|d| (alone_ns[d], vec![(d, 1.0)])).min_by(|a, b| a.0.total_cmp(&b.0));
    let gpu = (1..devices).min_by(|a, b| alone_ns[*a].total_cmp(&alone_ns[*b]));
    let (mut half_ns, mut static_ns) = (None, Vec::new());
    let mut of_sets: BTreeMap<u32, f64> = alone_ns.iter().enumerate().map(|(d, ns)| (1 << d, *ns)).collect();
    if let (true, Some(gpu)) = (scene.case.slices() > 1, gpu) {
        // GPUs at the front, the CPU at the back.
        let split = |cpu: f64| ends.mean(&[(gpu, 1.0 - cpu), (0, cpu)]);
        half_ns = Some(split(0.5));
        static_ns = (1..16).map(|k| split(f64::from(k) / 16.0)).collect();
        for shares in splits(devices) {
            let time = ends.mean(&shares);
            let of_set = of_sets.entry(set_of(&shares)).or_insert(f64::INFINITY);
            *of_set = of_set.min(time);
            if best.as_ref().is_none_or(|b| time < b.0) {
                best = Some((time, shares));
            }
        }
    }
    let (best_ns, best) = best.unwrap_or((f64::INFINITY, Vec::new()));
    let mut sorted = alone_ns.clone();
    sorted.sort_by(f64::total_cmp);
    let contested = sorted.len() > 1 && sorted[1] <= CONTESTED * sorted[0];
    Oracle { best_ns, best, alone_ns, half_ns, static_ns, of_sets, contested }
}

/// The devices of shares, a bit for each.
pub fn set_of(shares: &[(usize, f64)]) -> u32 {
    shares.iter().fold(0, |set, (d, _)| set | 1 << d)
}

/// The shares tried, by device, the CPU last.
fn splits(devices: usize) -> Vec<Vec<(usize, f64)>> {
    if devices == 2 {
        let share = |k: u32| f64::from(k) / f64::from(FINE);
        return (1..FINE).map(|k| vec![(1, 1.0 - share(k)), (0, share(k))]).collect();
    }
    let mut out = Vec::new();
    compositions(devices, COARSE, &mut Vec::new(), &mut |parts| {
        if parts.iter().filter(|p| **p > 0).count() > 1 {
            let shares =
                parts.iter().rev().enumerate().map(|(k, p)| (devices - 1 - k, f64::from(*p) / f64::from(COARSE)));
            out.push(shares.filter(|s| s.1 > 0.0).collect());
        }
    });
    out
}

/// Every way to write `rest` as a sum of so many numbers.
fn compositions(parts: usize, rest: u32, given: &mut Vec<u32>, visit: &mut dyn FnMut(&[u32])) {
    if parts == 1 {
        given.push(rest);
        visit(given);
        given.pop();
        return;
    }
    for own in 0..=rest {
        given.push(own);
        compositions(parts - 1, rest - own, given, visit);
        given.pop();
    }
}

/// Mean ends over draws of noise that all placements share.
struct Ends<'a> {
    scene: &'a Scene<'a>,
    draws: Vec<Vec<[f64; 3]>>,
}

impl<'a> Ends<'a> {
    fn new(scene: &'a Scene<'a>, seed: u64) -> Self {
        let noise: Noise = scene.truth.machine.noise;
        let mut random = Random::new(seed, 77);
        let mut draw = || std::array::from_fn(|_| noise.draw(&mut random));
        let devices = scene.truth.machine.devices.len();
        Ends { scene, draws: (0..DRAWS).map(|_| (0..devices).map(|_| draw()).collect()).collect() }
    }

    fn mean(&self, shares: &[(usize, f64)]) -> f64 {
        let parts = self.scene.mean_parts(shares);
        if let [(device, phases)] = parts.as_slice() {
            return self.scene.end_of(*device, phases);
        }
        let one = |draws: &Vec<[f64; 3]>| {
            let end = |(device, p): &(usize, Phases)| {
                let [up, run, down] = draws[*device];
                let noisy =
                    Phases { up_ns: p.up_ns * up, kernel_ns: p.kernel_ns * run, down_ns: p.down_ns * down, ..*p };
                self.scene.end_of(*device, &noisy)
            };
            parts.iter().map(end).fold(0.0, f64::max)
        };
        self.draws.iter().map(one).sum::<f64>() / self.draws.len() as f64
    }
}

/// A bound for any schedule that knows the cost of every slice: all devices end together at their true rates on the
/// call's whole work, with one launch and one transfer each.
pub fn bound_ns(scene: &Scene<'_>) -> f64 {
    let devices = scene.truth.machine.devices.len();
    let lines: Vec<(f64, f64)> = (0..devices)
        .map(|d| {
            let (half, whole) = (scene.phases(d, &(0.0..0.5), true, true), scene.phases(d, &(0.0..1.0), true, true));
            let copies = |p: &Phases| p.up_ns + p.down_ns;
            let link = 2.0 * (copies(&whole) - copies(&half));
            (whole.launch_ns + copies(&whole) - link, link + whole.kernel_ns)
        })
        .collect();
    end_together(&lines, 1.0)
}
