//! Auto beside each device alone, and beside the best split: the same steps of the same flood, interleaved.

use super::owners::median;
use crate::output;
use anyhow::Result;
use evener::prelude::*;
use evener_kernels::ShallowWater;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Steps timed with each placement, if the time allows.
const STEPS: usize = 100;
/// Steps timed at least.
const LEAST_STEPS: usize = 3;
/// The CPU's shares that a split is tried with.
const SHARES: [f64; 3] = [0.25, 0.5, 0.75];
/// An auto this much slower than the best is not called right: step times spread by about as much.
const SLACK: f64 = 1.10;

/// How one placement did.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    /// `auto`, `cpu`, `gpu:0`, `split=0.5`.
    pub placement: String,
    /// Median time of a step, ns.
    pub step_ns: f64,
    /// Median absolute deviation of it, ns.
    pub spread_ns: f64,
    /// Steps timed.
    pub steps: usize,
    /// What ran them: device and share of the steps where it was chosen.
    pub chose: Vec<(String, f64)>,
}

/// All placements and what follows from them.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// One a placement; auto first.
    pub timings: Vec<Timing>,
    /// One sentence.
    pub verdict: String,
}

struct Runner {
    label: String,
    water: ShallowWater,
    times: Vec<f64>,
    chose: Vec<String>,
}

impl Runner {
    fn new(water: &ShallowWater, placement: Placement) -> Self {
        let mut water = water.clone();
        water.place(placement);
        Runner { label: placement.to_string(), water, times: Vec::new(), chose: Vec::new() }
    }

    fn step(&mut self) -> Result<()> {
        let start = Instant::now();
        let step = self.water.step()?;
        self.times.push(start.elapsed().as_nanos() as f64);
        self.chose.push(step.report.chose.clone());
        Ok(())
    }

    fn timing(&self) -> Timing {
        let middle = median(self.times.iter().copied());
        let mut names = self.chose.clone();
        names.sort();
        names.dedup();
        let share = |name: &String| self.chose.iter().filter(|c| *c == name).count() as f64 / self.chose.len() as f64;
        Timing {
            placement: self.label.clone(),
            step_ns: middle,
            spread_ns: median(self.times.iter().map(|t| (t - middle).abs())),
            steps: self.times.len(),
            chose: names.iter().map(|name| (name.clone(), share(name))).collect(),
        }
    }
}

/// Times every placement from the state of `water`, within about `budget`.
///
/// # Errors
/// Those of the calls.
pub fn compare(rt: &Runtime, water: &ShallowWater, budget: Duration, progress: impl Fn(f64)) -> Result<Comparison> {
    let devices: Vec<String> = rt.devices().into_iter().map(|device| device.id).collect();
    let mut placements = vec![Placement::Auto];
    placements.extend(devices.iter().filter_map(|id| id.parse::<Placement>().ok()));
    if devices.len() > 1 {
        placements.push(best_split(water)?);
    }
    let mut runners: Vec<Runner> = placements.into_iter().map(|p| Runner::new(water, p)).collect();
    // Once unmeasured: pipelines are made and pages touched.
    for runner in &mut runners {
        runner.water.step()?;
    }
    let start = Instant::now();
    for round in 0..STEPS {
        if round >= LEAST_STEPS && start.elapsed() > budget {
            break;
        }
        runners.iter_mut().try_for_each(Runner::step)?;
        progress((round + 1) as f64 / STEPS as f64);
    }
    let timings: Vec<Timing> = runners.iter().map(Runner::timing).collect();
    let verdict = verdict(&timings);
    Ok(Comparison { timings, verdict })
}

/// The best of a few splits by a few steps each.
fn best_split(water: &ShallowWater) -> Result<Placement> {
    let mut best = (f64::INFINITY, Placement::Split(SHARES[0]));
    for share in SHARES {
        let mut runner = Runner::new(water, Placement::Split(share));
        runner.step()?;
        runner.times.clear();
        (0..LEAST_STEPS).try_for_each(|_| runner.step())?;
        let time = median(runner.times);
        if time < best.0 {
            best = (time, Placement::Split(share));
        }
    }
    Ok(best.1)
}

/// Who is right, and whether auto found it. The timings start with auto; single devices follow, then a split if any.
fn verdict(timings: &[Timing]) -> String {
    let (auto, others) = (&timings[0], &timings[1..]);
    let Some(best) = others.iter().min_by(|a, b| a.step_ns.total_cmp(&b.step_ns)) else {
        return "nothing to compare".into();
    };
    let found = if auto.step_ns <= best.step_ns * SLACK { "auto keeps up with it" } else { "auto has not found it" };
    if others.len() == 1 {
        return format!("{} alone is right here: no GPU was found; {found}", best.placement);
    }
    let rest = others.iter().filter(|t| t.placement != best.placement);
    let rest: Vec<String> = rest.map(|t| format!("{} {}", t.placement, output::time(t.step_ns))).collect();
    let figures = format!("{} a step, {}", output::time(best.step_ns), rest.join(", "));
    if best.placement.starts_with("split") {
        format!("both together are right here ({}: {figures}); {found}", best.placement)
    } else {
        format!("{} alone is right here ({figures}); {found}", best.placement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(placement: &str, step_ns: f64) -> Timing {
        Timing { placement: placement.into(), step_ns, spread_ns: 0.0, steps: 9, chose: Vec::new() }
    }

    #[test]
    fn one_device_alone_is_said_to_be_right() {
        let said = verdict(&[timing("auto", 1.0e6), timing("cpu", 1.0e6)]);
        assert_eq!(said, "cpu alone is right here: no GPU was found; auto keeps up with it");
        let said = verdict(&[timing("auto", 2e6), timing("cpu", 1e6), timing("gpu:0", 3e6), timing("split=0.5", 2e6)]);
        assert!(said.starts_with("cpu alone is right here (1.00 ms a step, gpu:0 3.00 ms"), "{said}");
        assert!(said.ends_with("auto has not found it"), "{said}");
    }

    #[test]
    fn a_split_that_wins_is_said_to_be_right() {
        let said = verdict(&[timing("auto", 1e6), timing("cpu", 2e6), timing("gpu:0", 3e6), timing("split=0.5", 1e6)]);
        assert!(said.starts_with("both together are right here (split=0.5"), "{said}");
    }
}
