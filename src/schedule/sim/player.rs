//! The scheduler under test: the real plan, chunk policy and learning, fed by a simulated machine.

use super::{
    engine::{Engine, Run, Scene},
    machine::Machine,
    noise::Random,
    testbed,
    workload::Case,
};
use crate::{
    cost::{
        Cost,
        learn::{Direction, Key, Learned},
        roofline::{Rates, Work},
    },
    error::Result,
    schedule::{
        adaptive,
        feedback::{PartRun, teach},
        placement::Placement,
        plan::{Candidate, Question, plan},
        remember::{Asked, Decision, Remembered},
    },
};
use evener_lanes::analysis::CallShape;
use std::sync::Arc;

/// What a decision takes on the caller's thread where there are two devices, and more, in ns: assumed.
/// `cargo bench --bench plan` measures it on a machine at hand.
pub const DECIDE_NS: [f64; 2] = [1800.0, 3000.0];
/// The same where the plan is remembered.
pub const DECIDE_AGAIN_NS: f64 = 100.0;
/// The same where the call is so small that only the CPU is looked at.
pub const DECIDE_TINY_NS: f64 = 350.0;

/// All of it on the CPU from the moment a device is lost whose part nobody else had.
fn recover(scene: &Scene<'_>, random: &mut Random) -> Run {
    let lost_ns = scene.speeds.iter().filter_map(|s| s.lost_at()).fold(f64::INFINITY, f64::min);
    let again = scene.whole(0, false, scene.truth.machine.noise, random);
    let took_ns = again.took_ns + (lost_ns - scene.start_ns).max(0.0);
    Run { took_ns, parts: vec![again.part], left_over: Vec::new() }
}

/// The scheduler on one machine.
#[derive(Debug)]
pub struct Player {
    rates: Vec<Rates>,
    ids: Vec<String>,
    remembered: Remembered,
    /// Time of all calls so far, in ns.
    clock_ns: f64,
    /// Runs that lost a race and go on: their end on that clock, and what will be measured.
    pending: Vec<(f64, u64, Vec<Candidate>, PartRun)>,
    /// What it has learned so far.
    pub learned: Learned,
    /// Whether two devices may both run a whole call, and the results that are there first are taken: real calls do not.
    pub races: bool,
}

impl Player {
    /// A scheduler that knows the machine's calibrated rates and nothing else.
    pub fn new(rates: &[Rates]) -> Self {
        let id = |device: usize| if device == 0 { "cpu".into() } else { format!("gpu:{}", device - 1) };
        Player {
            rates: rates.to_vec(),
            ids: (0..rates.len()).map(id).collect(),
            remembered: Remembered::default(),
            clock_ns: 0.0,
            pending: Vec::new(),
            learned: Learned::default(),
            races: false,
        }
    }

    /// Calibrates every device of a machine.
    ///
    /// # Errors
    /// See [`testbed::calibrate`].
    pub fn calibrate(machine: &Machine, seed: u64) -> Result<Vec<Rates>> {
        (0..machine.devices.len()).map(|d| testbed::calibrate(machine, d, seed)).collect()
    }

    /// Decides, runs and learns. The time is that of the decision and the run.
    pub fn call(&mut self, scene: &Scene<'_>, random: &mut Random) -> (f64, Run) {
        let case = scene.case;
        self.settle();
        let Ok((decision, decide_ns)) = self.decide(case, scene.home) else {
            return (f64::INFINITY, Run::default());
        };
        let (plan, candidates) = (&decision.plan, &decision.candidates);
        let mut scene = scene.clone();
        for (end, _, _, part) in &self.pending {
            scene.busy_ns[part.device] = scene.busy_ns[part.device].max(end - self.clock_ns);
        }
        let mut run = self.run(&scene, &decision, random);
        if !run.took_ns.is_finite() {
            run = recover(&scene, random);
        }
        let took_ns = run.took_ns + decide_ns;
        // The mean of a run in one piece is known: its noise need not be averaged away.
        let scored_ns = match (&run.parts[..], plan.rival) {
            ([one], None) if one.chunks == 1 && scene.busy_ns[one.device] <= 0.0 => {
                scene.end_of(one.device, &scene.phases(one.device, &(0.0..1.0), true, false)) + decide_ns
            }
            _ => took_ns,
        };
        self.learned.spend(took_ns, plan.explored.ns());
        teach(&self.learned, case.kernel, candidates, &run.parts);
        for whole in run.left_over.iter().filter(|w| w.took_ns.is_finite()) {
            self.pending.push((self.clock_ns + whole.took_ns, case.kernel, candidates.clone(), whole.part));
        }
        self.clock_ns += took_ns;
        (scored_ns, run)
    }

    /// Takes in what has ended meanwhile.
    fn settle(&mut self) {
        let now = self.clock_ns;
        for (_, kernel, candidates, part) in self.pending.extract_if(.., |p| p.0 <= now) {
            teach(&self.learned, kernel, &candidates, &[part]);
        }
    }

    /// Two devices run the whole call. The CPU stops at once where it loses, and what it has done tells its rate; a
    /// GPU goes on with what it was given.
    fn race(&self, scene: &Scene<'_>, devices: [usize; 2], random: &mut Random) -> Run {
        let noise = scene.truth.machine.noise;
        let mut both = devices.map(|d| scene.whole(d, true, noise, random));
        if both[1].took_ns < both[0].took_ns {
            both.swap(0, 1);
        }
        let [first, second] = both;
        if second.part.device == 0 {
            return Run { took_ns: first.took_ns, parts: vec![first.part, second.part], left_over: Vec::new() };
        }
        let so_far = (first.took_ns - second.part.up.1).max(0.0);
        let losing = PartRun { run_ns: so_far.min(second.part.run_ns), ended: false, ..second.part };
        Run { took_ns: first.took_ns, parts: vec![first.part, losing], left_over: vec![second] }
    }

    /// What is decided, and the time that takes: as a real call goes about it.
    ///
    /// # Errors
    /// None in practice: see [`plan`].
    pub fn decide(&self, case: &Case, home: Option<usize>) -> Result<(Arc<Decision>, f64)> {
        let sizes = [home.map_or(0, |h| h as u64 + 1)];
        let shape = CallShape { grid: case.grid, sizes: &sizes, uniforms: &[] };
        let asked = Asked::of_slices(case.kernel, shape);
        let key = |device| Self::key(case, device);
        if let Some(decision) = self.remembered.recall(&asked, &self.learned, key, |_, _| true) {
            return Ok((decision, DECIDE_AGAIN_NS));
        }
        let epoch = self.learned.epoch();
        let (decision, took_ns) = self.decide_anew(case, home)?;
        let decision = Arc::new(decision);
        self.remembered.keep(&asked, &decision, epoch);
        Ok((decision, took_ns))
    }

    /// The same where nothing is remembered.
    ///
    /// # Errors
    /// None in practice: see [`plan`].
    pub fn decide_anew(&self, case: &Case, home: Option<usize>) -> Result<(Decision, f64)> {
        let mut candidates = vec![self.candidate(0, case, home)];
        let others_begin = match home {
            None => self.rates[1..].iter().map(|r| r.launch_ns + r.link_ns).fold(f64::INFINITY, f64::min),
            Some(_) => 0.0,
        };
        if let Some(plan) = adaptive::tiny(&candidates[0], Cost::from_ns(others_begin), case.grid) {
            return Ok((Decision::new(plan, candidates, None), DECIDE_TINY_NS));
        }
        candidates.extend((1..self.rates.len()).map(|d| self.candidate(d, case, home)));
        let question = Question {
            grid: case.grid,
            split: &case.split,
            candidates: &candidates,
            adaptive: true,
            merge: Cost::ZERO,
            races: self.races,
            explore: Cost::from_ns(self.learned.budget_ns()),
            placement: Placement::Auto,
            strict: false,
        };
        let plan = plan(&question)?;
        let crew = adaptive::crew(&question, &plan);
        Ok((Decision::new(plan, candidates, crew), DECIDE_NS[usize::from(self.rates.len() > 2)]))
    }

    fn key(case: &Case, device: usize) -> Key {
        Key { kernel: case.kernel, device, invocations: case.invocations }
    }

    fn run(&self, scene: &Scene<'_>, decision: &Decision, random: &mut Random) -> Run {
        let noise = scene.truth.machine.noise;
        match (&decision.crew, decision.plan.rival, decision.plan.assignments.as_slice()) {
            (Some(crew), ..) => Engine::new(scene, noise, random, &crew.workers, scene.case.slices()).run(),
            (None, Some(rival), [one]) => self.race(scene, [one.device, rival], random),
            (None, _, parts) => {
                let whole = scene.whole(parts.first().map_or(0, |one| one.device), false, noise, random);
                Run { took_ns: whole.took_ns, parts: vec![whole.part], left_over: Vec::new() }
            }
        }
    }

    /// The devices as the plan sees them.
    pub fn candidates(&self, case: &Case, home: Option<usize>) -> Vec<Candidate> {
        (0..self.rates.len()).map(|d| self.candidate(d, case, home)).collect()
    }

    fn candidate(&self, device: usize, case: &Case, home: Option<usize>) -> Candidate {
        let rates = &self.rates[device];
        let has_all = device == 0 && home.is_none() || home == Some(device);
        let moves = device != 0 && !has_all;
        let work = Work {
            features: case.features,
            invocations: case.invocations,
            working_set: case.working_set,
            up_bytes: if moves { case.up_bytes } else { 0.0 },
            down_bytes: if moves && home.is_none() { case.down_bytes } else { 0.0 },
        };
        let (fetch, fetch_latency) = match home {
            Some(from) if !has_all && case.up_bytes > 0.0 => {
                let factor = self.learned.link(from, Direction::Down, case.up_bytes);
                let copy = Cost::of(case.up_bytes, self.rates[from].down_bytes.per_s);
                (copy * factor, Cost::from_ns(self.rates[from].link_ns))
            }
            _ => (Cost::ZERO, Cost::ZERO),
        };
        let known = self.learned.known(Self::key(case, device), [work.up_bytes, work.down_bytes]);
        Candidate {
            id: self.ids[device].clone(),
            refusal: None,
            work,
            rates: rates.clone(),
            learned: known.alone,
            together: known.together,
            link: known.link,
            fetch,
            fetch_latency,
            shared_input: case.shared_up_bytes / case.up_bytes.max(1.0),
            steps: 1.0,
            one_time: Cost::ZERO,
            credit: Cost::ZERO,
            known: true,
        }
    }
}
