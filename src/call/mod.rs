//! One call of a kernel: arguments, size, placement; checked once, then planned and run.

pub mod args;
mod candidates;
mod check;
mod counted;
mod decide;
pub mod explain;
mod iterate;
pub mod map;
mod size;
mod submit;

use crate::{
    backend::Argument,
    clock::{ns, ns_since},
    error::{Error, Result},
    kernel::{Compiled, uniform::UniformValue},
    memory::array::Owners,
    report::{Facts, Report},
    runtime::Runtime,
    schedule::{
        chunked,
        chunks::Worker,
        coexec::{self, Job, Outcome},
        placement::Placement,
        plan::{Assignment, Plan},
        remember::Decision,
    },
};
use args::{Arguments, IntoArg, Name, Pinned, Resolved};
use evener_lanes::{
    Few, Grid, GroupRange,
    analysis::{CallShape, Features, Footprint, Split},
};
pub use size::Items;
use size::Size;
use std::{
    cell::OnceCell,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

/// A call being built. Arguments are borrowed until [`Call::run`] returns; nothing touches them after that.
#[derive(Debug)]
pub struct Call<'a> {
    runtime: &'a Runtime,
    kernel: &'a Arc<Compiled>,
    name: Option<&'static str>,
    arguments: Arguments<'a>,
    size: Size<'a>,
    placement: Placement,
    /// Where an automatic placement is, if that device can run the call.
    preferred: Option<usize>,
    strict: bool,
    assignments: Option<Vec<Assignment>>,
    workers: Option<Vec<(usize, Worker)>>,
    /// Whether those workers race for the whole call.
    race: bool,
    /// The first error of the building steps: reported by `run`.
    error: Option<Error>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(runtime: &'a Runtime, kernel: &'a Arc<Compiled>) -> Self {
        Call {
            runtime,
            kernel,
            name: None,
            arguments: Arguments::new(kernel, runtime.places()),
            size: Size::Unset,
            placement: runtime.placement(),
            preferred: None,
            strict: runtime.strict(),
            assignments: None,
            workers: None,
            race: false,
            error: None,
        }
    }

    pub(crate) fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// Keeps the first error. By reference, as the steps are: a call that is moved is copied each time.
    fn note(&mut self, result: Result<()>) {
        if let Err(e) = result {
            self.error.get_or_insert(e);
        }
    }

    /// Sets a uniform, or one member of a uniform struct (`"params.n"`).
    pub fn set(mut self, name: impl Into<Name<'a>>, value: impl Into<UniformValue>) -> Self {
        let result = self.arguments.set(name.into(), &value.into());
        self.note(result);
        self
    }

    /// Sets a uniform from text: `2.0`, or components with commas, `1,2,3`.
    pub fn set_text(mut self, name: impl Into<Name<'a>>, text: &str) -> Self {
        let result = self.arguments.set_text(name.into(), text);
        self.note(result);
        self
    }

    /// Binds a slice or vector: `&x` for a buffer that the kernel only reads, `&mut x` for one that it writes. For bytes of
    /// elements whose kind is known only at run time: [`HostArg::from_bytes`](args::HostArg::from_bytes).
    pub fn arg(mut self, name: impl Into<Name<'a>>, value: impl IntoArg<'a>) -> Self {
        let result = self.arguments.bind(name.into(), value.into_arg());
        self.note(result);
        self
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

    /// On this device, 0 the CPU, if the placement is automatic and it can run the call: for functions of several calls
    /// that keep together.
    #[doc(hidden)]
    pub fn preferring(mut self, device: usize) -> Self {
        self.preferred = Some(device);
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

    /// For tests: chunks are handed out to these devices (0 the CPU) as if this were predicted of them, where the call may
    /// be run so at all.
    #[doc(hidden)]
    pub fn workers(mut self, workers: Vec<(usize, Worker)>) -> Self {
        self.workers = Some(workers);
        self
    }

    /// For tests: the CPU and another device both run the whole call, where it may be run so at all.
    #[doc(hidden)]
    pub fn racing(mut self, workers: Vec<(usize, Worker)>) -> Self {
        (self.workers, self.race) = (Some(workers), true);
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
        if let Size::Counted(count) = &self.size {
            if let Some(report) = self.run_counted(count, start)? {
                return Ok(report);
            }
            if count.read()?[0] == 0 {
                self.arguments.resolve()?;
                return Ok(self.nothing_counted());
            }
        }
        let ready = self.prepare()?;
        self.settle(&ready);
        let (decision, calibration) = self.decide(&ready)?;
        self.execute(&ready, decision, calibration, (start + calibration, Outcome::default()))
    }

    /// Runs what was decided by a call that began at `start` and has moved some arrays already.
    fn execute(
        &self,
        ready: &Ready,
        decision: Arc<Decision>,
        calibration: Duration,
        (start, earlier): (Instant, Outcome),
    ) -> Result<Report> {
        let decided = &decision.plan;
        let footprints = if decision.crew.is_some() { Vec::new() } else { self.footprints_of(ready, &decision) };
        let decide_ns = ns_since(start);
        let uniforms = ready.uniform_slices();
        let job = Job { needs: decision.kept_needs(), ..self.job(ready, &uniforms, &footprints) };
        if let Some((lost, devices)) = &decided.lost {
            devices.iter().for_each(|d| self.runtime.slots()[*d].add_credit(*lost));
        }
        let mut outcome = match &decision.crew {
            Some(crew) => chunked::execute(&job, crew)?,
            None => coexec::execute(&job, &decided.assignments)?,
        };
        outcome.moved.extend(earlier.moved);
        let actual_ns = ns_since(start);
        self.observe(ready, &decision, &outcome, actual_ns);
        let is_split = decided.assignments.len() > 1;
        let owners = is_split.then(|| Owners { grid: ready.grid, parts: decided.assignments.clone() });
        ready.arrays.iter().flatten().for_each(|a| a.set_owners(owners.as_ref()));
        Ok(Report::new(Facts { actual_ns, ..self.facts(decision, outcome, calibration, decide_ns) }))
    }

    /// What the plan's execution is told of the call.
    fn job<'j>(&'j self, ready: &'j Ready, uniforms: &'j [&'j [u8]], footprints: &'j [Arc<Footprint>]) -> Job<'j> {
        Job {
            kernel: self.kernel,
            grid: ready.grid,
            arguments: &ready.arguments,
            arrays: &ready.arrays,
            places: self.runtime.places(),
            footprints,
            needs: None,
            shape: ready.shape(uniforms),
            repeat: None,
            counted: None,
            strict: self.strict,
        }
    }

    /// What the report is made of, as long as the call has not ended.
    fn facts(&self, decision: Arc<Decision>, outcome: Outcome, calibration: Duration, decide_ns: f64) -> Facts {
        Facts {
            kernel: self.kernel.clone(),
            name: self.name,
            decision,
            because: self.preferred.map(|_| "the calls of a function keep to one device"),
            outcome,
            steps: 1,
            shared: 1,
            calibration_ns: ns(calibration),
            decide_ns,
            actual_ns: 0.0,
        }
    }

    /// The report of a call whose array counts no items: nothing ran.
    fn nothing_counted(&self) -> Report {
        let nothing = Decision::new(Plan::nothing("the array counts no items"), Vec::new(), None);
        Report::new(self.facts(Arc::new(nothing), Outcome::default(), Duration::ZERO, 0.0))
    }

    /// Checks everything that depends on the caller's input.
    fn prepare(&self) -> Result<Ready> {
        self.prepare_for(self.size.grid(self.kernel)?)
    }

    /// The same for a grid.
    fn prepare_for(&self, grid: Grid) -> Result<Ready> {
        self.ready(grid, Arguments::resolve)
    }

    /// Resolves the arguments and evaluates the analysis for them.
    fn ready(&self, grid: Grid, resolve: impl FnOnce(&Arguments<'a>) -> Result<Resolved>) -> Result<Ready> {
        let Resolved { arguments, uniforms, arrays } = resolve(&self.arguments)?;
        let sizes = arguments.iter().map(|a| a.len).collect();
        Ok(Ready { grid, sizes, arguments, uniforms, arrays, split: OnceCell::new() })
    }

    /// Footprints of the parts of a decision; none where what the only part moves is known.
    fn footprints_of(&self, ready: &Ready, decision: &Decision) -> Vec<Arc<Footprint>> {
        match decision.kept_needs().and_then(OnceLock::get) {
            Some(_) => Vec::new(),
            None => self.footprints(ready, &decision.plan.assignments),
        }
    }

    /// Footprints of the parts; empty where nothing moves and nothing is recorded: on the CPU, which works in place, without
    /// arrays, or alone with arrays that no device has, for which there is none at all.
    fn footprints(&self, ready: &Ready, assignments: &[Assignment]) -> Vec<Arc<Footprint>> {
        let mut arrays = ready.arrays.iter().flatten();
        let in_place = match assignments {
            [Assignment { device: 0, .. }] if arrays.all(|a| a.is_on_host_alone()) => return Vec::new(),
            [_] => false,
            _ => arrays.next().is_none(),
        };
        let of = |a: &Assignment| match a.device {
            0 if in_place => Arc::default(),
            _ => ready.footprint(self.kernel, &a.range),
        };
        assignments.iter().map(of).collect()
    }
}

/// A checked call.
#[derive(Debug)]
struct Ready {
    grid: Grid,
    sizes: Few<u64>,
    arguments: Vec<Argument>,
    /// Bytes of the uniform bindings, empty for storage. The arguments of uniforms point into these.
    uniforms: Vec<Vec<u8>>,
    /// The arrays of the arguments.
    arrays: Vec<Option<Pinned>>,
    split: OnceCell<Split>,
}

impl Ready {
    /// Two arguments change places.
    fn swap(&mut self, (a, b): (usize, usize)) {
        self.arguments.swap(a, b);
        self.arrays.swap(a, b);
    }

    fn uniform_slices(&self) -> Few<&[u8]> {
        self.uniforms.iter().map(Vec::as_slice).collect()
    }

    fn shape<'s>(&'s self, uniforms: &'s [&'s [u8]]) -> CallShape<'s> {
        CallShape { grid: self.grid, sizes: &self.sizes, uniforms }
    }

    fn split(&self, kernel: &Compiled) -> &Split {
        self.split.get_or_init(|| kernel.analysis.split(&self.shape(&self.uniform_slices())))
    }

    fn features(&self, kernel: &Compiled) -> Features {
        kernel.analysis.features(&self.shape(&self.uniform_slices()))
    }

    fn invocations(&self, kernel: &Compiled) -> f64 {
        GroupRange::all(self.grid).count() as f64 * f64::from(kernel.program.kernel().group_invocations())
    }

    fn footprint(&self, kernel: &Compiled, range: &GroupRange) -> Arc<Footprint> {
        kernel.analysis.footprint(&self.shape(&self.uniform_slices()), range)
    }
}
