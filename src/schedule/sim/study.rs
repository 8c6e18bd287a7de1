//! The conditions under which the scheduler is judged: each gives regrets over cells (kernel, size, residency).

use super::{
    engine::Scene,
    loss::{CellLoss, Loss},
    machine::Machine,
    noise::{Random, hash},
    oracle::{Oracle, bound_ns, oracle},
    player::{Called, Player},
    table::{Pair, Row},
    truth::{Speed, Truth},
    workload::{Case, Profile, SIZES, Workload},
};
use crate::{cost::roofline::Rates, error::Result};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

/// Independent histories of each cell, over which times are averaged.
pub const TRIALS: u64 = 8;
/// Calls of a warm history.
const WARM: u32 = 10;
/// How much slower the device of the drift gets.
const DRIFT: f64 = 20.0;
/// Cells of skewed work are so large that cutting is worth while, in ns.
const SKEWED_FROM_NS: f64 = 1e6;

/// What a machine gave.
#[derive(Clone, Debug, Default)]
pub struct Study {
    /// By condition: `cold`, `run3`, `run10`, `outside`, `load`, `drift`; and `arrays`, the tenth call on data that a device
    /// has, cut once as real calls on arrays are, where the others hand it out in chunks.
    pub conditions: BTreeMap<&'static str, Pair>,
    /// The same by cell and cause.
    pub losses: Vec<CellLoss>,
    /// By name: `cpu`, `gpu`, `half`, `static` (the best placement of each kernel).
    pub baselines: BTreeMap<&'static str, Pair>,
    /// Of calls that a split makes faster, by how long they take: the rate over the sum of the devices' own rates, of the
    /// tenth call and of the oracle's split.
    pub summed: BTreeMap<&'static str, Vec<[f64; 2]>>,
    /// Of skewed work: time of the best static split by mean cost over the scheduler's, and the scheduler's over the
    /// bound that knows all costs, less one.
    pub skewed: (Pair, Pair),
}

/// Figures of a machine or of several.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Regrets by condition.
    pub rows: BTreeMap<&'static str, Row>,
    /// Regrets of fixed choices.
    pub baselines: BTreeMap<&'static str, Row>,
    /// By how long calls take that a split makes faster: their rate over the sum of the devices' own rates.
    pub of_summed_rates: BTreeMap<&'static str, Summed>,
}

/// Rates of split calls over the sum of the devices' own rates: geometric means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Summed {
    /// Cells.
    pub cells: usize,
    /// The tenth to twelfth calls.
    pub auto: f64,
    /// The best static split of an oracle that knows everything.
    pub oracle: f64,
}

impl Summed {
    fn of(parts: &[[f64; 2]]) -> Self {
        let mean = |k: usize| (parts.iter().map(|p| p[k].ln()).sum::<f64>() / parts.len().max(1) as f64).exp();
        Summed { cells: parts.len(), auto: mean(0), oracle: mean(1) }
    }
}

/// Up to how long a call takes, as it is told apart in [`Figures::of_summed_rates`]: in this order.
fn class_of(ns: f64) -> &'static str {
    match ns {
        ..1e5 => "0.1 ms",
        ..1e6 => "1 ms",
        ..1e7 => "10 ms",
        _ => "longer",
    }
}

impl Study {
    /// Adds the cells of another machine.
    pub fn extend(&mut self, other: &Study) {
        let merge = |to: &mut BTreeMap<&'static str, Pair>, from: &BTreeMap<&'static str, Pair>| {
            from.iter().for_each(|(name, pair)| to.entry(*name).or_default().extend(pair));
        };
        merge(&mut self.conditions, &other.conditions);
        merge(&mut self.baselines, &other.baselines);
        self.losses.extend_from_slice(&other.losses);
        other.summed.iter().for_each(|(class, parts)| self.summed.entry(class).or_default().extend(parts));
        self.skewed.0.extend(&other.skewed.0);
        self.skewed.1.extend(&other.skewed.1);
    }

    /// Its summary. `skewed_gain` is the geometric mean of the gain over the static split, less one.
    pub fn figures(&self) -> Figures {
        let rows = |pairs: &BTreeMap<&'static str, Pair>| pairs.iter().map(|(name, p)| (*name, p.row())).collect();
        let of_summed_rates = self.summed.iter().map(|(class, parts)| (*class, Summed::of(parts))).collect();
        let mut figures = Figures { rows: rows(&self.conditions), baselines: rows(&self.baselines), of_summed_rates };
        if self.skewed.0.row().all.cells > 0 {
            figures.rows.insert("skewed_gain", self.skewed.0.row());
            figures.rows.insert("skewed", self.skewed.1.row());
        }
        figures
    }
}

/// Runs every condition on a machine, each cell with so many independent histories, as real calls go.
///
/// # Errors
/// A workload that cannot be analysed.
pub fn study(machine: &Machine, workloads: &[Workload], seed: u64, trials: u64) -> Result<Study> {
    study_with(machine, workloads, seed, trials, true)
}

/// The same with or without races for a whole call: what they gain.
///
/// # Errors
/// See [`study`].
pub fn study_with(machine: &Machine, workloads: &[Workload], seed: u64, trials: u64, races: bool) -> Result<Study> {
    let truth = Truth::new(machine.clone(), seed);
    let rates = Player::calibrate(machine, seed)?;
    let homes: Vec<Option<usize>> = if machine.devices.len() > 1 { vec![None, Some(1)] } else { vec![None] };
    let lab = Lab { truth: &truth, rates: &rates, seed, trials: trials.max(1), races };
    let kernels: Vec<(&Workload, Option<usize>)> =
        workloads.iter().flat_map(|w| homes.iter().map(move |h| (w, *h))).collect();
    let studies: Vec<Study> = kernels.par_iter().map(|(w, home)| lab.kernel(w, *home)).collect::<Result<_>>()?;
    let mut all = Study::default();
    studies.iter().for_each(|s| all.extend(s));
    Ok(all)
}

/// A machine with a calibrated scheduler.
struct Lab<'a> {
    truth: &'a Truth,
    rates: &'a [Rates],
    seed: u64,
    trials: u64,
    races: bool,
}

/// A cell with its oracle.
struct Cell {
    case: Case,
    oracle: Oracle,
}

impl Lab<'_> {
    fn kernel(&self, workload: &Workload, home: Option<usize>) -> Result<Study> {
        let cell = |size| {
            let case = workload.case(size)?;
            let oracle = oracle(&self.scene(&case, home), self.seed);
            Ok(Cell { case, oracle })
        };
        let cells: Vec<Cell> = (0..SIZES).map(cell).collect::<Result<_>>()?;
        let mut study = Study::default();
        for cell in &cells {
            self.conditions(cell, home, &mut study);
        }
        for (k, cell) in cells.iter().enumerate().skip(2) {
            self.put(&mut study, "outside", self.outside(&cells[..k], cell, home), cell, home);
        }
        baselines(&cells, &mut study.baselines);
        if home.is_none() {
            cells.iter().for_each(|cell| self.skewed(cell, &mut study));
        }
        Ok(study)
    }

    /// All conditions that a cell alone is in.
    fn conditions(&self, cell: &Cell, home: Option<usize>, study: &mut Study) {
        let [cold, third, tenth] = self.history(cell, home, true);
        let best_ns = cell.oracle.best_ns;
        let parts = [best_ns * (1.0 + tenth.regret), best_ns].map(|ns| cell.oracle.of_summed_rates(ns));
        if let [Some(auto), Some(oracle)] = parts {
            study.summed.entry(class_of(best_ns)).or_default().push([auto, oracle]);
        }
        for (name, loss) in [("cold", cold), ("run3", third), ("run10", tenth)] {
            self.put(study, name, loss, cell, home);
        }
        if home.is_some() {
            let [.., tenth] = self.history(cell, home, false);
            self.put(study, "arrays", tenth, cell, home);
        }
        self.put(study, "load", self.load(cell, home), cell, home);
        if let Some(loss) = self.drift(cell, home) {
            self.put(study, "drift", loss, cell, home);
        }
    }

    fn put(&self, study: &mut Study, condition: &'static str, loss: Loss, cell: &Cell, home: Option<usize>) {
        let Cell { case, oracle } = cell;
        study.conditions.entry(condition).or_default().push(loss.regret, oracle.contested);
        study.losses.push(CellLoss {
            condition,
            machine: self.truth.machine.name.clone(),
            kernel: case.name.clone(),
            size: case.size,
            resident: home.is_some(),
            contested: oracle.contested,
            best_ns: oracle.best_ns,
            best: oracle.best.clone(),
            loss,
        });
    }

    fn scene<'b>(&'b self, case: &'b Case, home: Option<usize>) -> Scene<'b> {
        let machine = &self.truth.machine;
        let speeds = (0..machine.devices.len()).map(|d| Speed::of(machine, d)).collect();
        Scene { truth: self.truth, case, home, busy_ns: vec![0.0; machine.devices.len()], speeds, start_ns: 0.0 }
    }

    fn player(&self) -> Player {
        let mut player = Player::new(self.rates);
        player.races = self.races;
        player
    }

    fn random(&self, case: &Case, home: Option<usize>, what: &str, trial: u64) -> Random {
        let cell = hash(&format!("{} {} {home:?} {what} {}", case.name, case.size, self.truth.machine.name));
        Random::new(self.seed, cell ^ trial.wrapping_mul(0x1234_5678_9abc_def1))
    }

    /// What a call lost against the oracle on the mean over histories.
    fn mean(&self, mut one: impl FnMut(u64) -> Called, oracle: &Oracle) -> Loss {
        let mut loss = Loss::default();
        (0..self.trials).for_each(|trial| loss.add(&one(trial), oracle, self.trials as f64));
        loss
    }

    /// Regrets of the first, the third, and the tenth to twelfth call. Calls on arrays are handed out in chunks while they run,
    /// or cut once.
    fn history(&self, cell: &Cell, home: Option<usize>, adaptive_arrays: bool) -> [Loss; 3] {
        let mut losses: [Loss; 3] = Default::default();
        let trials = self.trials as f64;
        let scene = self.scene(&cell.case, home);
        for trial in 0..self.trials {
            let mut player = self.player();
            player.adaptive_arrays = adaptive_arrays;
            let mut random = self.random(&cell.case, home, "history", trial);
            let calls: Vec<Called> = (0..WARM + 2).map(|_| player.call(&scene, &mut random)).collect();
            losses[0].add(&calls[0], &cell.oracle, trials);
            losses[1].add(&calls[2], &cell.oracle, trials);
            calls[9..].iter().for_each(|call| losses[2].add(call, &cell.oracle, 3.0 * trials));
        }
        losses
    }

    fn warm(&self, case: &Case, home: Option<usize>, random: &mut Random) -> Player {
        let mut player = self.player();
        self.play(&mut player, case, home, WARM, random);
        player
    }

    fn play(&self, player: &mut Player, case: &Case, home: Option<usize>, calls: u32, random: &mut Random) {
        let scene = self.scene(case, home);
        (0..calls).for_each(|_| {
            player.call(&scene, random);
        });
    }

    /// A size four times outside of those seen.
    fn outside(&self, seen: &[Cell], cell: &Cell, home: Option<usize>) -> Loss {
        let one = |trial| {
            let mut random = self.random(&cell.case, home, "outside", trial);
            let mut player = self.player();
            for known in &seen[seen.len().saturating_sub(3)..] {
                self.play(&mut player, &known.case, home, WARM, &mut random);
            }
            player.call(&self.scene(&cell.case, home), &mut random)
        };
        self.mean(one, &cell.oracle)
    }

    /// Half of the cores are taken in the middle of a call of a known kernel; the oracle knows that they will be.
    fn load(&self, cell: &Cell, home: Option<usize>) -> Loss {
        let mut scene = self.scene(&cell.case, home);
        scene.speeds[0].add(0.5 * cell.oracle.best_ns, f64::INFINITY, 2.0);
        let best = oracle(&scene, self.seed);
        let one = |trial| {
            let mut random = self.random(&cell.case, home, "load", trial);
            let mut player = self.warm(&cell.case, home, &mut random);
            player.call(&scene, &mut random)
        };
        self.mean(one, &best)
    }

    /// The device that does most is slower from one call on: the tenth call since.
    fn drift(&self, cell: &Cell, home: Option<usize>) -> Option<Loss> {
        let (device, _) = *cell.oracle.best.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let mut scene = self.scene(&cell.case, home);
        scene.speeds[device].add(0.0, f64::INFINITY, DRIFT);
        let best = oracle(&scene, self.seed);
        let one = |trial| {
            let mut random = self.random(&cell.case, home, "drift", trial);
            let mut player = self.warm(&cell.case, home, &mut random);
            (0..9).for_each(|_| {
                player.call(&scene, &mut random);
            });
            player.call(&scene, &mut random)
        };
        Some(self.mean(one, &best))
    }

    /// Triangular and skewed work, where co-execution pays: against the split that is best for even work, and against the
    /// bound that knows all costs.
    fn skewed(&self, cell: &Cell, study: &mut Study) {
        let even = &cell.oracle;
        if even.best.len() < 2 || even.best_ns < SKEWED_FROM_NS || !even.contested {
            return;
        }
        for profile in [Profile::Triangular, Profile::Skewed(0.1, 0.2, 0.6)] {
            let case = Case { profile, ..cell.case.clone() };
            let scene = self.scene(&case, None);
            let parts = scene.mean_parts(&even.best);
            let static_ns = parts.iter().map(|(d, p)| scene.end_of(*d, p)).fold(0.0, f64::max);
            let bound = bound_ns(&scene);
            let one = |trial| {
                let mut random = self.random(&case, None, "skewed", trial);
                let mut player = self.player();
                self.play(&mut player, &case, None, WARM, &mut random);
                player.call(&scene, &mut random).took_ns
            };
            let over = (0..self.trials).map(one).sum::<f64>() / self.trials as f64 / bound - 1.0;
            study.skewed.0.push(static_ns / (bound * (1.0 + over)) - 1.0, true);
            study.skewed.1.push(over, true);
        }
    }
}

/// Fixed choices over the cells of one kernel.
fn baselines(cells: &[Cell], into: &mut BTreeMap<&'static str, Pair>) {
    let mut put = |name: &'static str, cell: &Cell, ns: f64| {
        into.entry(name).or_default().push(ns / cell.oracle.best_ns - 1.0, cell.oracle.contested);
    };
    let gpu = |o: &Oracle| o.alone_ns[1..].iter().copied().fold(f64::INFINITY, f64::min);
    for cell in cells {
        put("cpu", cell, cell.oracle.alone_ns[0]);
        if cell.oracle.alone_ns.len() > 1 {
            put("gpu", cell, gpu(&cell.oracle));
            if let Some(half) = cell.oracle.half_ns {
                put("half", cell, half);
            }
        }
    }
    // 0 the CPU, 16 the best GPU, between them splits; a call that cannot be cut takes the nearer device.
    let fixed = |cell: &Cell, k: usize| match (k, cell.oracle.static_ns.get(k.wrapping_sub(1))) {
        (16, _) => gpu(&cell.oracle),
        (1..16, Some(ns)) => *ns,
        (8..16, None) => gpu(&cell.oracle),
        _ => cell.oracle.alone_ns[0],
    };
    let cost = |k: usize| cells.iter().map(|c| (fixed(c, k) / c.oracle.best_ns).ln()).sum::<f64>();
    if let Some(best) = (0..=16).filter(|k| cost(*k).is_finite()).min_by(|a, b| cost(*a).total_cmp(&cost(*b))) {
        cells.iter().for_each(|cell| put("static", cell, fixed(cell, best)));
    }
}
