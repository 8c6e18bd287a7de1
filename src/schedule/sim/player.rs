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
        learn::{Key, Learned},
        roofline::{Rates, Work},
    },
    error::Result,
    schedule::{
        adaptive,
        feedback::{PartRun, seen_together, teach, teach_whole},
        placement::Placement,
        plan::{Candidate, Plan, Question, plan},
        remember::{Asked, Decision, Remembered},
    },
};
use evener_lanes::analysis::CallShape;
use std::sync::Arc;

/// What a decision takes on the caller's thread where there are two devices, and more, in ns: assumed.
/// `cargo bench --bench plan` measures it on a machine at hand.
pub const DECIDE_NS: [f64; 2] = [1800.0, 3000.0];
/// The same where only one of them could begin in time.
pub const DECIDE_OBVIOUS_NS: [f64; 2] = [700.0, 900.0];
/// The same where the plan is remembered.
pub const DECIDE_AGAIN_NS: f64 = 100.0;
/// The part of the memory's rate that one thread's copies reach.
pub const COPIES: f64 = 0.25;
/// The same as `DECIDE_NS` where the call is so small that only the CPU is looked at.
pub const DECIDE_TINY_NS: f64 = 280.0;

/// All of it on the CPU from the moment a device is lost whose part nobody else had.
fn recover(scene: &Scene<'_>, random: &mut Random) -> Run {
    let lost_ns = scene.speeds.iter().filter_map(|s| s.lost_at()).fold(f64::INFINITY, f64::min);
    let again = scene.whole(0, false, scene.truth.machine.noise, random);
    let took_ns = again.took_ns + (lost_ns - scene.start_ns).max(0.0);
    Run { took_ns, parts: vec![again.part], left_over: Vec::new() }
}

/// The parts of a plan: devices with their share of the call.
fn shares(plan: &Plan) -> Vec<(usize, f64)> {
    let total: u64 = plan.assignments.iter().map(|a| a.range.count()).sum();
    plan.assignments.iter().map(|a| (a.device, a.range.count() as f64 / total as f64)).collect()
}

/// A call that was decided on and has run.
#[derive(Clone, Debug, Default)]
pub struct Called {
    /// The decision and the run, in ns. A run in one piece counts with its mean: its noise need not be averaged away.
    pub took_ns: f64,
    /// Of that, the decision.
    pub decide_ns: f64,
    /// The devices that had a part, a bit for each, those of a race included.
    pub devices: u32,
    /// Whether several devices ran the whole call.
    pub race: bool,
    /// Whether it was placed so to learn about a device.
    pub explored: bool,
    /// How it went.
    pub run: Run,
}

/// The scheduler on one machine.
#[derive(Debug)]
pub struct Player {
    rates: Vec<Arc<Rates>>,
    ids: Vec<Arc<str>>,
    remembered: Remembered,
    /// Time of all calls so far, in ns.
    clock_ns: f64,
    /// Devices that go on with what nobody waits for any more, and until when on that clock.
    pending: Vec<(f64, usize)>,
    /// What it has learned so far.
    pub learned: Learned,
    /// Whether the CPU may run a whole call beside another device, and the results that are there first are taken.
    pub races: bool,
    /// Whether calls on arrays are handed out in chunks while they run, as calls on slices are; real ones are cut once.
    pub adaptive_arrays: bool,
}

impl Player {
    /// A scheduler that knows the machine's calibrated rates and nothing else.
    pub fn new(rates: &[Rates]) -> Self {
        let id = |device: usize| if device == 0 { "cpu".into() } else { format!("gpu:{}", device - 1).into() };
        Player {
            rates: rates.iter().cloned().map(Arc::new).collect(),
            ids: (0..rates.len()).map(id).collect(),
            remembered: Remembered::default(),
            clock_ns: 0.0,
            pending: Vec::new(),
            learned: Learned::default(),
            races: true,
            adaptive_arrays: true,
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
    pub fn call(&mut self, scene: &Scene<'_>, random: &mut Random) -> Called {
        let case = scene.case;
        self.pending.retain(|p| p.0 > self.clock_ns);
        let Ok((decision, decide_ns)) = self.decide(case, scene.home) else {
            return Called { took_ns: f64::INFINITY, ..Called::default() };
        };
        let (plan, candidates) = (&decision.plan, &decision.candidates);
        let mut scene = scene.clone();
        for (end, device) in &self.pending {
            scene.busy_ns[*device] = scene.busy_ns[*device].max(end - self.clock_ns);
        }
        let mut run = self.run(&scene, &decision, random);
        if !run.took_ns.is_finite() {
            run = recover(&scene, random);
        }
        let took_ns = run.took_ns + decide_ns;
        let scored_ns = match (&run.parts[..], plan.rival) {
            ([one], None) if one.chunks == 1 && scene.busy_ns[one.device] <= 0.0 => {
                scene.end_of(one.device, &scene.phases(one.device, &(0.0..1.0), true, false)) + decide_ns
            }
            _ => took_ns,
        };
        self.learned.spend(took_ns, plan.explored.ns());
        teach(&self.learned, case.kernel, candidates, &run.parts);
        teach_whole(&self.learned, case.kernel, candidates, plan, &run.parts, took_ns);
        for whole in run.left_over.iter().filter(|w| w.took_ns.is_finite()) {
            self.pending.push((self.clock_ns + whole.took_ns, whole.part.device));
        }
        self.clock_ns += took_ns;
        Called {
            took_ns: scored_ns,
            decide_ns,
            devices: plan.devices() | plan.rival.map_or(0, |d| 1 << d),
            race: plan.rival.is_some(),
            explored: plan.explored > Cost::ZERO,
            run,
        }
    }

    /// The CPU and another device run the whole call. The CPU works on copies, stops at once where it loses, and what it
    /// has done tells its rate; another device goes on with what it was given.
    fn race(&self, scene: &Scene<'_>, devices: [usize; 2], random: &mut Random) -> Run {
        let noise = scene.truth.machine.noise;
        let copies_ns = scene.copies_ns();
        let run = |d: usize| {
            let mut whole = scene.whole(d, true, noise, random);
            whole.took_ns += if d == 0 { copies_ns } else { 0.0 };
            whole
        };
        let mut both = devices.map(run);
        if both[1].took_ns < both[0].took_ns {
            both.swap(0, 1);
        }
        let [first, second] = both;
        let up_ns = if second.part.device == 0 { copies_ns } else { second.part.up.1 };
        let so_far = (first.took_ns - up_ns).clamp(0.0, second.part.run_ns);
        if second.part.device == 0 {
            let share = so_far / second.part.run_ns;
            let stopped = PartRun { share, run_ns: so_far, ..second.part };
            return Run { took_ns: first.took_ns, parts: vec![first.part, stopped], left_over: Vec::new() };
        }
        let losing = PartRun { run_ns: so_far, ended: false, ..second.part };
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
        Ok((self.remembered.keep(&asked, decision, epoch), took_ns))
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
        let together = seen_together(&self.learned, case.kernel, &candidates);
        let question = Question {
            grid: case.grid,
            split: &case.split,
            candidates: &candidates,
            adaptive: home.is_none() || self.adaptive_arrays,
            merge: Cost::ZERO,
            race: self.copies(case, home),
            together,
            explore: Cost::from_ns(self.learned.budget_ns()),
            placement: Placement::Auto,
            strict: false,
        };
        let plan = plan(&question)?;
        let crew = if question.adaptive { adaptive::crew(&question, &plan) } else { None };
        let several = usize::from(self.rates.len() > 2);
        let took_ns = if plan.obvious { DECIDE_OBVIOUS_NS[several] } else { DECIDE_NS[several] };
        let together = question.together;
        Ok((Decision { together, ..Decision::new(plan, candidates, crew) }, took_ns))
    }

    /// Copying what a call writes, and back, as far as it may be raced for: calls on host data. One thread copies.
    fn copies(&self, case: &Case, home: Option<usize>) -> Option<Cost> {
        let per_s = COPIES * self.rates[0].memory_bytes.per_s;
        (self.races && home.is_none()).then(|| Cost::of(2.0 * case.down_bytes, per_s))
    }

    fn key(case: &Case, device: usize) -> Key {
        Key { kernel: case.kernel, device, invocations: case.invocations }
    }

    fn run(&self, scene: &Scene<'_>, decision: &Decision, random: &mut Random) -> Run {
        let noise = scene.truth.machine.noise;
        match (&decision.crew, decision.plan.rival, decision.plan.assignments.as_slice()) {
            (Some(crew), None, _) => Engine::new(scene, noise, random, &crew.workers, scene.case.slices()).run(),
            (_, Some(rival), [one]) => self.race(scene, [one.device, rival], random),
            (_, _, [_, _, ..]) => scene.cut_once(&shares(&decision.plan), noise, random),
            (_, _, parts) => {
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
                let copy = Cost::of(case.up_bytes, self.rates[from].down_bytes.per_s);
                (copy, Cost::from_ns(self.rates[from].link_ns))
            }
            _ => (Cost::ZERO, Cost::ZERO),
        };
        let moved = [work.up_bytes, work.down_bytes, (fetch + fetch_latency).ns()];
        let known = self.learned.known(Self::key(case, device), moved);
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
