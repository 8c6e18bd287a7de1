//! One call of a kernel: arguments, size, placement; checked once, then planned and run.

pub mod args;
mod check;
pub mod explain;
pub mod map;
mod size;

use crate::{
    backend::{Argument, Backend},
    cost::{
        Cost,
        learn::{Key, Ran},
        roofline::Work,
    },
    device::{Slot, typical},
    error::{Error, Result},
    kernel::{Compiled, uniform::UniformValue},
    report::{Phase, Report},
    runtime::Runtime,
    schedule::{
        coexec::{self, Job},
        placement::Placement,
        plan::{Assignment, Candidate, Plan, Question, plan},
        transfers,
    },
};
use args::{Arguments, IntoArg, Name, Resolved};
use evener_lanes::{
    Grid, GroupRange,
    analysis::{CallShape, Features, Footprint, Split},
};
pub use size::Items;
use size::Size;
use std::{cell::OnceCell, time::Instant};

/// A call being built. Arguments are borrowed until [`Call::run`] returns; nothing touches them after that.
#[derive(Debug)]
pub struct Call<'a> {
    runtime: &'a Runtime,
    kernel: &'a Compiled,
    name: Option<&'a str>,
    arguments: Arguments<'a>,
    size: Size,
    placement: Placement,
    strict: bool,
    assignments: Option<Vec<Assignment>>,
    /// The first error of the building steps: reported by `run`.
    error: Option<Error>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(runtime: &'a Runtime, kernel: &'a Compiled) -> Self {
        Call {
            runtime,
            kernel,
            name: None,
            arguments: Arguments::new(kernel),
            size: Size::Unset,
            placement: runtime.placement(),
            strict: runtime.strict(),
            assignments: None,
            error: None,
        }
    }

    pub(crate) fn named(mut self, name: &'a str) -> Self {
        self.name = Some(name);
        self
    }

    fn check(mut self, result: Result<()>) -> Self {
        if let Err(e) = result {
            self.error.get_or_insert(e);
        }
        self
    }

    /// Sets a uniform, or one member of a uniform struct (`"params.n"`).
    pub fn set(mut self, name: impl Into<Name<'a>>, value: impl Into<UniformValue>) -> Self {
        let result = self.arguments.set(name.into(), &value.into());
        self.check(result)
    }

    /// Sets a uniform from text: `2.0`, or components with commas, `1,2,3`.
    pub fn set_text(mut self, name: impl Into<Name<'a>>, text: &str) -> Self {
        let result = self.arguments.set_text(name.into(), text);
        self.check(result)
    }

    /// Binds a slice or vector: `&x` for a buffer that the kernel only reads, `&mut x` for one that it writes. For bytes of
    /// elements whose kind is known only at run time: [`HostArg::from_bytes`](args::HostArg::from_bytes).
    pub fn arg(mut self, name: impl Into<Name<'a>>, value: impl IntoArg<'a>) -> Self {
        let result = self.arguments.bind(name.into(), value.into_arg());
        self.check(result)
    }

    /// Invocations wanted on each axis; work-groups are `ceil(items / work-group size)`, so the last one may be ragged.
    pub fn items(mut self, items: impl Into<Items>) -> Self {
        self.size = Size::Items(items.into());
        self
    }

    /// Work-groups on each axis.
    pub fn groups(mut self, groups: [u32; 3]) -> Self {
        self.size = Size::Groups(groups);
        self
    }

    /// Where it runs, instead of the runtime's placement.
    pub fn on(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Refuse rather than run whole or elsewhere.
    pub fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// For tests: exactly these parts on these devices (0 the CPU), instead of a plan. They must be cut on the call's
    /// split axis and cover the grid once.
    #[doc(hidden)]
    pub fn assignments(mut self, assignments: Vec<Assignment>) -> Self {
        self.assignments = Some(assignments);
        self
    }

    /// For tests: the call's grid, and whether and along which axis it may be cut.
    #[doc(hidden)]
    pub fn cut_axis(&self) -> Result<(Grid, Split)> {
        let ready = self.prepare()?;
        Ok((ready.grid, ready.split(self.kernel).clone()))
    }

    /// Runs the call and waits for it.
    ///
    /// # Errors
    /// An unknown, missing or mistyped argument, a wrong size, a device that is not there, a fault of the kernel. After an error
    /// of the input nothing was written; after a fault of the kernel the written arguments hold partial results.
    pub fn run(mut self) -> Result<Report> {
        let start = Instant::now();
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let ready = self.prepare()?;
        let candidates = self.candidates(&ready);
        let decided = self.decide(&ready, &candidates)?;
        let footprints: Vec<Footprint> = decided
            .assignments
            .iter()
            // The CPU works in place: it needs no footprint.
            .map(|a| if a.device == 0 { Footprint::default() } else { ready.footprint(self.kernel, &a.range) })
            .collect();
        let decide_ns = start.elapsed().as_nanos() as f64;
        let devices: Vec<&dyn Backend> = self.runtime.slots().iter().map(|s| &*s.backend).collect();
        let job = Job {
            kernel: self.kernel,
            grid: ready.grid,
            arguments: &ready.arguments,
            devices: &devices,
            footprints: &footprints,
            strict: self.strict,
        };
        if let Some((lost, devices)) = &decided.lost {
            devices.iter().for_each(|d| self.runtime.slots()[*d].add_credit(*lost));
        }
        let outcome = coexec::execute(&job, &decided.assignments)?;
        let entry = self.kernel.reflection.entry.as_str();
        let name = self.name.unwrap_or(entry);
        let mut report = Report::new(name, entry, ready.grid.groups, &decided, &candidates, outcome);
        report.phases.decide = Phase { predicted_ns: 0.0, actual_ns: decide_ns };
        report.actual_ns = start.elapsed().as_nanos() as f64;
        self.observe(&ready, &decided, &candidates, &report);
        Ok(report)
    }

    /// Checks everything that depends on the caller's input.
    fn prepare(&self) -> Result<Ready> {
        self.ready(self.size.grid(self.kernel)?, Arguments::resolve)
    }

    /// Resolves the arguments and evaluates the analysis for them.
    fn ready(&self, grid: Grid, resolve: impl FnOnce(&Arguments<'a>) -> Result<Resolved>) -> Result<Ready> {
        let (arguments, uniforms) = resolve(&self.arguments)?;
        let mut ready = Ready {
            grid,
            sizes: arguments.iter().map(|a| a.len).collect(),
            arguments,
            uniforms,
            split: OnceCell::new(),
            features: Features::default(),
        };
        ready.features = self.kernel.analysis.features(&ready.shape(&ready.uniform_slices()));
        Ok(ready)
    }

    fn decide(&self, ready: &Ready, candidates: &[Candidate]) -> Result<Plan> {
        if let Some(assignments) = &self.assignments {
            let reason = "the parts were given".into();
            return Ok(Plan {
                assignments: assignments.clone(),
                reason,
                predicted: Cost::ZERO,
                considered: vec![],
                lost: None,
            });
        }
        // With nothing to split over, the analysis is not asked: it takes longer than a small call.
        let alone = Split::Whole("the CPU is the only device".into());
        let split = if candidates.len() > 1 { ready.split(self.kernel) } else { &alone };
        plan(&Question {
            grid: ready.grid,
            split,
            candidates,
            learned_split: self.learned(ready, Ran::Split),
            placement: self.placement,
            strict: self.strict,
        })
    }

    fn candidates(&self, ready: &Ready) -> Vec<Candidate> {
        let slots = self.runtime.slots();
        let moved = if slots.len() > 1 { ready.moved_bytes(self.kernel) } else { (0.0, 0.0) };
        slots.iter().enumerate().map(|(k, slot)| self.candidate(k, slot, ready, moved)).collect()
    }

    /// A device as the plan sees it; calibrates it only where the placement leaves a choice that it takes part in.
    fn candidate(&self, number: usize, slot: &Slot, ready: &Ready, moved: (f64, f64)) -> Candidate {
        let info = slot.backend.info();
        let is_cpu = number == 0;
        let mut refusal = slot.revive().and_then(|()| slot.backend.accepts(self.kernel, &ready.sizes)).err();
        let in_question = match self.placement {
            Placement::Cpu => is_cpu,
            Placement::Gpu(Some(k)) => number == k + 1,
            Placement::Gpu(None) => !is_cpu,
            Placement::Auto | Placement::Split(_) => true,
        } && self.assignments.is_none();
        let rates = match self.runtime.known_rates(slot) {
            Some(rates) => Ok((rates, true)),
            None if in_question && refusal.is_none() => self.runtime.rates(slot).map(|r| (r, true)),
            None => Ok((typical(info), false)),
        };
        let (rates, known) = rates.unwrap_or_else(|why| {
            refusal = Some(why);
            (typical(info), false)
        });
        let work = Work {
            features: ready.features,
            invocations: ready.invocations(self.kernel),
            working_set: ready.sizes.iter().sum::<u64>() as f64,
            up_bytes: if is_cpu { 0.0 } else { moved.0 },
            down_bytes: if is_cpu { 0.0 } else { moved.1 },
        };
        let warmth = slot.backend.warmth(self.kernel);
        let one_time =
            if warmth.device { 0.0 } else { rates.setup_ns } + if warmth.kernel { 0.0 } else { rates.compile_ns };
        let (one_time, credit) = (Cost::from_ns(one_time), slot.credit());
        let learned = self.learned(ready, Ran::Alone(number));
        Candidate { id: info.id.clone(), refusal, work, rates, learned, one_time, credit, known }
    }

    fn key(&self, ready: &Ready, ran: Ran) -> Key {
        Key { kernel: self.kernel.id, ran, invocations: ready.invocations(self.kernel) }
    }

    fn learned(&self, ready: &Ready, ran: Ran) -> f64 {
        self.runtime.learned().factor(self.key(ready, ran))
    }

    /// The only feedback: what the call took teaches the next prediction.
    fn observe(&self, ready: &Ready, decided: &Plan, candidates: &[Candidate], report: &Report) {
        // Shorter calls measure the clock and the scheduler, not the kernel.
        const MIN_NS: f64 = 20e3;
        let took = report.actual_ns - report.phases.decide.actual_ns;
        let cold = decided.assignments.iter().any(|a| candidates[a.device].one_time > Cost::ZERO);
        if cold || took < MIN_NS || !report.recoveries.is_empty() || self.assignments.is_some() {
            return;
        }
        let (ran, factor) = match decided.assignments.as_slice() {
            [one] => (Ran::Alone(one.device), candidates[one.device].learned),
            _ => (Ran::Split, self.learned(ready, Ran::Split)),
        };
        self.runtime.learned().observe(self.key(ready, ran), decided.predicted.ns() / factor, took);
    }
}

/// A checked call.
#[derive(Debug)]
struct Ready {
    grid: Grid,
    sizes: Vec<u64>,
    arguments: Vec<Argument>,
    /// Bytes of the uniform bindings, empty for storage. The arguments of uniforms point into these.
    uniforms: Vec<Vec<u8>>,
    split: OnceCell<Split>,
    features: Features,
}

impl Ready {
    fn uniform_slices(&self) -> Vec<&[u8]> {
        self.uniforms.iter().map(Vec::as_slice).collect()
    }

    fn shape<'s>(&'s self, uniforms: &'s [&'s [u8]]) -> CallShape<'s> {
        CallShape { grid: self.grid, sizes: &self.sizes, uniforms }
    }

    fn split(&self, kernel: &Compiled) -> &Split {
        self.split.get_or_init(|| kernel.analysis.split(&self.shape(&self.uniform_slices())))
    }

    fn invocations(&self, kernel: &Compiled) -> f64 {
        GroupRange::all(self.grid).count() as f64 * f64::from(kernel.program.kernel().group_invocations())
    }

    fn footprint(&self, kernel: &Compiled, range: &GroupRange) -> Footprint {
        kernel.analysis.footprint(&self.shape(&self.uniform_slices()), range)
    }

    /// Bytes that a device with its own memory moves for the whole call: up and down.
    fn moved_bytes(&self, kernel: &Compiled) -> (f64, f64) {
        let footprint = self.footprint(kernel, &GroupRange::all(self.grid));
        let moved = transfers::of_footprint(&footprint, kernel.bindings(), &self.sizes);
        let up: u64 = moved.iter().flat_map(|t| &t.upload).map(|r| r.end - r.start).sum();
        let down: u64 = moved.iter().flat_map(|t| &t.download).map(transfers::bytes).sum();
        (up as f64, down as f64)
    }
}
