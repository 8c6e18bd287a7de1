//! One cell: every fixed placement and several histories of the scheduler's own choice, in interleaved turns.

use super::{
    data::{Data, Home, Touch},
    functions::{self, Function},
    kernels::{Shape, Spec, Work},
    peers::{self, Peer},
};
use anyhow::{Context, Result};
use evener::{
    call::explain::Explanation,
    prelude::{Kernel, Placement, Report, Runtime},
};
use evener_lanes::analysis::Split;
use std::time::{Duration, Instant};

/// Calls of a history.
pub const CALLS: usize = 12;

/// How thoroughly a cell is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Splits are tried in steps of one over this.
    pub parts: u32,
    /// Runs of each fixed placement: half of them choose the oracle, half of them time it.
    pub turns: u32,
    /// Fresh histories of the scheduler.
    pub histories: u32,
}

/// From thorough to the least.
const LADDER: [Effort; 5] = [
    Effort { parts: 16, turns: 12, histories: 5 },
    Effort { parts: 16, turns: 8, histories: 3 },
    Effort { parts: 8, turns: 6, histories: 3 },
    Effort { parts: 4, turns: 4, histories: 2 },
    Effort { parts: 2, turns: 4, histories: 1 },
];

/// A cell that even at the least effort takes so many times its share of the time is left out.
const PATIENCE: f64 = 3.0;

/// A run of a fixed placement. Times in ns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// From the call to its return.
    pub end_to_end: f64,
    /// Host to device, the kernel, and back: the longest over the devices.
    pub upload: f64,
    /// See `upload`.
    pub run: f64,
    /// See `upload`.
    pub download: f64,
}

/// Runs of one placement, in order.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// `cpu`, `gpu:0`, `split=0.25`.
    pub name: String,
    /// One a turn.
    pub samples: Vec<Sample>,
}

#[cfg(test)]
impl Fixed {
    /// Runs that were not measured.
    pub fn new(name: &str, samples: Vec<Sample>) -> Self {
        Fixed { name: name.into(), samples }
    }
}

/// What was measured of a cell.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Devices alone first, the CPU the first of them.
    pub fixed: Vec<Fixed>,
    /// How many of them are devices alone.
    pub devices: usize,
    /// End-to-end times of the scheduler's calls, by history.
    pub histories: Vec<Vec<f64>>,
    /// Times of the same kernel by hand, on host slices.
    pub by_hand: Vec<f64>,
    /// The report of the last call of each history.
    pub last: Vec<Report>,
    /// What the analysis says of the call; not of functions, which make several.
    pub explanation: Option<Explanation>,
    /// Why it cannot be split, if it cannot.
    pub whole: Option<String>,
    /// Devices that cannot run it, and why.
    pub refused: Vec<(String, String)>,
}

/// A cell, or why there is none.
pub enum Outcome {
    /// All its times.
    Measured(Box<Measured>),
    /// It would take too long, or too much memory.
    LeftOut(String),
}

/// What all cells are measured with.
pub struct Lab {
    /// With every device of the benchmark, measured.
    pub runtime: Runtime,
    touch: Touch,
    /// Whether to measure kernels written by hand, too.
    peers: bool,
}

/// What is measured, at a place.
#[derive(Clone, Debug)]
pub enum Runner {
    /// A kernel and where it runs.
    Kernel(Kernel, Placement),
    /// A function, and a runtime whose calls run there.
    Function(Function, Runtime),
}

impl Runner {
    /// On a runtime with these arguments.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(spec: &Spec, runtime: &Runtime, placement: Placement) -> Result<Self> {
        Ok(match spec.work {
            Work::Kernel(source) => Runner::Kernel(runtime.kernel(source)?, placement),
            Work::Function(function) => Runner::Function(function, runtime.afresh_on(placement)),
        })
    }

    /// The same somewhere else.
    fn on(&self, placement: Placement) -> Self {
        match self {
            Runner::Kernel(kernel, _) => Runner::Kernel(kernel.clone(), placement),
            Runner::Function(function, runtime) => Runner::Function(*function, runtime.afresh_on(placement)),
        }
    }

    /// The same where it seems best, and nothing has been learned.
    fn afresh(&self, spec: &Spec, lab: &Lab) -> Result<Self> {
        match self {
            Runner::Kernel(..) => Runner::new(spec, &lab.runtime.afresh(), Placement::Auto),
            Runner::Function(..) => Ok(self.on(Placement::Auto)),
        }
    }

    /// A timed run and its report.
    ///
    /// # Errors
    /// The device's.
    pub fn run(&self, data: &mut Data) -> Result<(f64, Report)> {
        match self {
            Runner::Kernel(kernel, placement) => {
                let call = data.call(kernel).on(*placement);
                let start = Instant::now();
                let report = call.run()?;
                let ns = start.elapsed().as_nanos() as f64;
                data.after(&report);
                Ok((ns, report))
            }
            Runner::Function(function, runtime) => {
                let start = Instant::now();
                let reports = data.run(*function, runtime)?;
                let ns = start.elapsed().as_nanos() as f64;
                Ok((ns, functions::together(reports).context("a function made no calls")?))
            }
        }
    }
}

/// A cell under way.
struct Bench<'a> {
    lab: &'a Lab,
    spec: &'a Spec,
    data: Data,
    /// One for each fixed placement.
    runners: Vec<Runner>,
    peer: Option<Peer>,
    /// No run by hand begins once they have taken so long.
    peer_limit: Duration,
}

/// What is known of a cell before it runs.
struct Known {
    explanation: Option<Explanation>,
    whole: Option<String>,
    refused: Vec<(String, String)>,
}

impl Known {
    /// Asks the analysis, of kernels.
    fn of(data: &mut Data, runner: &Runner) -> Result<Self> {
        let Runner::Kernel(kernel, _) = runner else {
            return Ok(Known { explanation: None, whole: None, refused: vec![] });
        };
        let explanation = data.call(kernel).explain()?;
        let refused = explanation.sizes.first().map(|s| s.refused.clone()).unwrap_or_default();
        let whole = match data.call(kernel).cut_axis()?.1 {
            Split::Whole(why) => Some(why),
            Split::Axis(_) => None,
        };
        Ok(Known { explanation: Some(explanation), whole, refused })
    }

    /// The least predicted time of a call, in ns; zero where nothing can be said of it before it runs.
    fn least_ns(&self) -> f64 {
        let foreseen = self.explanation.as_ref().filter(|e| !e.features.data_dependent);
        let size = foreseen.and_then(|e| e.sizes.first());
        size.and_then(|s| s.predicted.iter().map(|p| p.1).min_by(f64::total_cmp)).unwrap_or(0.0)
    }
}

impl Lab {
    /// For a runtime, with kernels written by hand beside it or not.
    ///
    /// # Errors
    /// The runtime's.
    pub fn new(runtime: Runtime, peers: bool) -> Result<Self> {
        let touch = Touch::new(&runtime)?;
        Ok(Lab { runtime, touch, peers })
    }

    /// Measures a cell in about the time that is its share.
    ///
    /// # Errors
    /// A device that fails.
    pub fn measure(&self, spec: &Spec, shape: Shape, home: Home, share: Duration) -> Result<Outcome> {
        let mut data = Data::new(&self.runtime, shape, home)?;
        let first = Runner::new(spec, &self.runtime, Placement::Cpu)?;
        let known = Known::of(&mut data, &first)?;
        let limit_ns = PATIENCE * share.as_nanos() as f64;
        let calls = CALLS as f64 + 2.0;
        if known.least_ns() * calls > limit_ns {
            return Ok(Outcome::LeftOut(too_long(known.least_ns(), share)));
        }
        let (mut fixed, mut runners) = (Vec::new(), Vec::new());
        for (k, device) in self.runtime.devices().into_iter().enumerate() {
            if known.refused.iter().all(|(id, _)| *id != device.id) {
                fixed.push(Fixed { name: device.id, samples: Vec::new() });
                runners.push(first.on(Placement::on(k)));
            }
        }
        let peer = peers::rayon(spec.name).filter(|_| self.peers && home == Home::Host);
        let mut bench = Bench { lab: self, spec, data, runners, peer, peer_limit: share / 4 };
        let Some(warm) = bench.warm_up(limit_ns)? else {
            return Ok(Outcome::LeftOut(too_long(limit_ns / calls, share)));
        };
        let can_split = fixed.len() > 1 && known.whole.is_none();
        let cost = |effort: &Effort| cost_ns(effort, &warm, can_split);
        let least = &LADDER[LADDER.len() - 1];
        let effort = LADDER.iter().find(|e| cost(e) <= share.as_nanos() as f64).unwrap_or(least);
        if cost(effort) > limit_ns {
            return Ok(Outcome::LeftOut(too_long(warm.iter().copied().fold(0.0, f64::max), share)));
        }
        bench.turns(fixed, effort, can_split, known)
    }
}

fn too_long(call_ns: f64, share: Duration) -> String {
    let (call, share) = (crate::output::time(call_ns), share.as_secs_f64());
    format!("a call takes about {call}, too long for its share of {share:.1} s of the budget (--budget)")
}

/// What a cell takes at an effort, in ns; `alone` are the times of the devices.
fn cost_ns(effort: &Effort, alone: &[f64], can_split: bool) -> f64 {
    let (sum, count) = (alone.iter().sum::<f64>(), alone.len() as f64);
    let splits = if can_split { f64::from(effort.parts - 1) } else { 0.0 };
    let mean = sum / count;
    f64::from(effort.turns) * (sum + splits * mean) + (CALLS as u32 * effort.histories) as f64 * mean
}

impl Bench<'_> {
    /// Runs every device twice: pipelines, caches and pools are there afterwards. The times of the second runs, what
    /// brings the data home included; `None` where that takes too long.
    fn warm_up(&mut self, limit_ns: f64) -> Result<Option<Vec<f64>>> {
        let mut times = Vec::new();
        for runner in self.runners.clone() {
            let mut second = 0.0;
            for _ in 0..2 {
                let start = Instant::now();
                self.run(&runner)?;
                second = start.elapsed().as_nanos() as f64;
                if second > limit_ns {
                    return Ok(None);
                }
            }
            times.push(second);
        }
        Ok(Some(times))
    }

    /// A timed run from home, and its report.
    fn run(&mut self, runner: &Runner) -> Result<(f64, Report)> {
        self.data.go_home(&self.lab.touch)?;
        runner.run(&mut self.data)
    }

    fn turns(mut self, mut fixed: Vec<Fixed>, effort: &Effort, can_split: bool, known: Known) -> Result<Outcome> {
        let (devices, first) = (fixed.len(), self.runners.first().context("the CPU runs everything")?.clone());
        let parts = if can_split { effort.parts } else { 1 };
        for k in 1..parts {
            let placement = Placement::Split(f64::from(k) / f64::from(effort.parts));
            fixed.push(Fixed { name: placement.to_string(), samples: Vec::new() });
            self.runners.push(first.on(placement));
        }
        // The kernel is compiled and its devices are warm; what is new is that nothing has been learned.
        let fresh = (0..effort.histories).map(|_| first.afresh(self.spec, self.lab));
        let fresh = fresh.collect::<Result<Vec<Runner>>>()?;
        let fixed_runners = self.runners.clone();
        let mut histories = vec![Vec::new(); fresh.len()];
        let mut last: Vec<Option<Report>> = vec![None; fresh.len()];
        let mut by_hand = Vec::new();
        for turn in 0..CALLS {
            let spent = Duration::from_nanos(by_hand.iter().sum::<f64>() as u64);
            if let Some(peer) = self.peer.filter(|_| spent < self.peer_limit) {
                let start = Instant::now();
                self.data.by_hand(peer);
                by_hand.push(start.elapsed().as_nanos() as f64);
            }
            // Each turn starts at another place, so that nobody always runs after the same neighbour.
            let count = fixed.len() + fresh.len();
            for k in (0..count).map(|k| (k + turn * (count / 3 + 1)) % count) {
                match k.checked_sub(fixed.len()) {
                    Some(h) => {
                        let (ns, report) = self.run(&fresh[h])?;
                        histories[h].push(ns);
                        last[h] = Some(report);
                    }
                    None if is_due(turn as u32, effort.turns) => {
                        let (ns, report) = self.run(&fixed_runners[k])?;
                        fixed[k].samples.push(sample(ns, &report));
                    }
                    None => {}
                }
            }
        }
        let last = last.into_iter().flatten().collect();
        Ok(Outcome::Measured(Box::new(Measured {
            fixed,
            devices,
            histories,
            by_hand,
            last,
            explanation: known.explanation,
            whole: known.whole,
            refused: known.refused,
        })))
    }
}

/// Whether one of so many runs falls on a turn: they are spread evenly over all.
fn is_due(turn: u32, runs: u32) -> bool {
    (turn + 1) * runs / CALLS as u32 > turn * runs / CALLS as u32
}

fn sample(end_to_end: f64, report: &Report) -> Sample {
    let p = &report.phases;
    Sample { end_to_end, upload: p.upload.actual_ns, run: p.run.actual_ns, download: p.download.actual_ns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_spread_over_the_turns_and_halve_evenly() {
        for effort in LADDER {
            let due: Vec<u32> = (0..CALLS as u32).filter(|t| is_due(*t, effort.turns)).collect();
            assert_eq!(due.len(), effort.turns as usize);
            assert!(effort.turns.is_multiple_of(2), "half of them choose, half of them time");
        }
    }

    #[test]
    fn less_effort_takes_less_time() {
        for pair in LADDER.windows(2) {
            assert!(cost_ns(&pair[0], &[1.0, 2.0], true) > cost_ns(&pair[1], &[1.0, 2.0], true));
        }
        assert!(cost_ns(&LADDER[0], &[1.0], false) < cost_ns(&LADDER[0], &[1.0, 1.0], true));
    }
}
