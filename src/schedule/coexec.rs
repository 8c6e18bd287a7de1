//! Runs a plan: GPUs start first, the CPU works meanwhile on the calling thread, then all are gathered.
//!
//! Nothing of a failed chunk reaches the host, so the CPU can run it again from the original data.

use super::{
    merge::Private,
    movement::{self, ArgumentMoved, Part},
    plan::Assignment,
};
use crate::{
    backend::{Argument, Backend, Chunk, ChunkRun, Repeat, Started},
    call::args::Pinned,
    error::{Error, ErrorKind, Result},
    kernel::Compiled,
    memory::places::Places,
};
use evener_lanes::{Grid, analysis::Footprint};
use std::{sync::Arc, time::Instant};

/// A call ready to run.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    /// The kernel.
    pub(crate) kernel: &'a Compiled,
    /// Its grid.
    pub(crate) grid: Grid,
    /// One per binding.
    pub(crate) arguments: &'a [Argument],
    /// The arrays that arguments are parts of.
    pub(crate) arrays: &'a [Option<Pinned>],
    /// The CPU first; the indices of assignments.
    pub(crate) devices: &'a [&'a dyn Backend],
    /// The same devices as places for arrays.
    pub(crate) places: &'a Places,
    /// Footprint of each assignment, in their order; an empty one where nothing moves and nothing is recorded.
    pub(crate) footprints: &'a [Arc<Footprint>],
    /// Several steps in one go; the only assignment is the whole grid on a device that holds the arrays.
    pub(crate) repeat: Option<Repeat>,
    /// No recovery on another device.
    pub(crate) strict: bool,
}

/// What one assignment took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ran {
    /// What ran where. After a recovery, the CPU.
    pub(crate) assignment: Assignment,
    /// Measured.
    pub(crate) run: ChunkRun,
}

/// What a plan's execution took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Every part of the grid, once.
    pub(crate) ran: Vec<Ran>,
    /// What moved, by argument.
    pub(crate) moved: Vec<ArgumentMoved>,
    /// What went wrong and how it was mended, for the report.
    pub(crate) recoveries: Vec<String>,
}

/// Runs all assignments of a plan and returns when no device can touch the arguments any more.
///
/// # Errors
/// A fault of the kernel; a device's failure that may not (strict) or cannot be mended; an array whose only valid copy
/// was on a lost device.
pub(crate) fn execute(job: &Job<'_>, assignments: &[Assignment]) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut failed: Vec<(Part, Error)> = Vec::new();
    // First everything is brought to where it is needed: what a part reads is from before the call.
    let mut ready = Vec::new();
    for part in movement::parts(job, assignments) {
        match Brought::new(job, part, &mut outcome) {
            Ok(brought) => ready.push(brought),
            Err(unmoved) if unmoved.0.assignment.device == 0 => return Err(unmoved.1),
            Err(unmoved) => failed.push(*unmoved),
        }
    }
    // Parts that run at once update copies of what merges; the CPU's is the original.
    let at_once = assignments.len() > 1;
    let privates: Vec<Option<Private<'_>>> =
        ready.iter().map(|b| if at_once { private(job, &b.part) } else { None }).collect();
    // All uploads happen here: afterwards the CPU may write its part of the same slices.
    let (cpu, gpu): (Vec<_>, Vec<_>) = ready.iter().zip(&privates).partition(|(b, _)| b.part.assignment.device == 0);
    let mut started: Vec<(&Brought, Result<Box<dyn Started + '_>>)> = Vec::new();
    for (brought, private) in gpu {
        let arguments = private.as_ref().map_or(&*brought.part.arguments, Private::arguments);
        started.push((brought, start(job, &brought.part, arguments, !at_once, &mut outcome)));
    }
    let mut fault = None;
    for (brought, _) in cpu {
        match start(job, &brought.part, &brought.part.arguments, false, &mut outcome).and_then(|s| s.finish()) {
            Ok(run) => outcome.ran.push(brought.ran(run)),
            Err(e) => fault = Some(e),
        }
        // After a fault too: the host has whatever was written.
        brought.part.wrote(job);
    }
    let mut broken = Vec::new();
    for (k, (brought, started)) in started.into_iter().enumerate() {
        let was_started = started.is_ok();
        match started.and_then(|s| s.finish()) {
            Ok(run) => {
                outcome.ran.push(brought.ran(run));
                outcome.moved.extend(brought.part.slices_moved(job));
                brought.part.wrote(job);
            }
            Err(e) => {
                if was_started {
                    brought.part.failed(job);
                }
                broken.push((k, e));
            }
        }
    }
    let devices = (ready.iter().zip(privates)).filter(|(b, _)| b.part.assignment.device != 0);
    for (k, (_, private)) in devices.enumerate() {
        if let Some(private) = private.filter(|_| broken.iter().all(|(b, _)| *b != k)) {
            // SAFETY: every part has ended; a device only ran if what it downloads is writable.
            unsafe { private.merge(job.arguments) };
        }
    }
    let mut gpu: Vec<Option<Part>> =
        ready.into_iter().filter(|b| b.part.assignment.device != 0).map(|b| Some(b.part)).collect();
    failed.extend(broken.into_iter().filter_map(|(k, e)| Some((gpu[k].take()?, e))));
    match fault {
        Some(e) => Err(e),
        None => recover(job, failed, outcome),
    }
}

/// A part with its arrays where it runs.
struct Brought {
    part: Part,
    /// Time that took, and bytes.
    ns: f64,
    up: u64,
    down: u64,
}

impl Outcome {
    /// Adds what a later step of the same call took.
    pub(crate) fn add(&mut self, step: Outcome) {
        for ran in step.ran {
            match self.ran.iter_mut().find(|r| r.assignment == ran.assignment) {
                Some(sum) => sum.run.add(&ran.run),
                None => self.ran.push(ran),
            }
        }
        self.moved.extend(step.moved);
        self.recoveries.extend(step.recoveries);
    }
}

impl Brought {
    /// Brings a part's arrays to where it runs.
    fn new(job: &Job<'_>, part: Part, outcome: &mut Outcome) -> Result<Self, Box<(Part, Error)>> {
        let since = Instant::now();
        let before = outcome.moved.len();
        if let Err(error) = part.bring(job, &mut outcome.moved) {
            return Err(Box::new((part, error)));
        }
        let moves = outcome.moved[before..].iter();
        let (up, down) = moves.fold((0, 0), |(up, down), m| (up + m.moved.up, down + m.moved.down));
        let ns = if up + down > 0 { since.elapsed().as_nanos() as f64 } else { 0.0 };
        Ok(Brought { part, ns, up, down })
    }

    fn ran(&self, run: ChunkRun) -> Ran {
        let run = ChunkRun {
            upload_ns: run.upload_ns + self.ns,
            up_bytes: run.up_bytes + self.up,
            down_bytes: run.down_bytes + self.down,
            ..run
        };
        Ran { assignment: self.part.assignment, run }
    }
}

/// The private copies of a device's part.
fn private<'a>(job: &Job<'a>, part: &'a Part) -> Option<Private<'a>> {
    let footprint = &job.footprints[part.number];
    let merges = footprint.bindings.iter().any(|b| !b.merges.is_empty());
    // SAFETY: no device runs yet, and the call that owns the arguments waits for this one.
    let copies = || unsafe { Private::new(&part.arguments, footprint, &part.transfers) };
    (merges && part.assignment.device != 0).then(copies)
}

/// Starts a part on its arguments, or on copies of them. Where a device's memory is full, arrays that are not in use make
/// room once.
fn start<'a>(
    job: &Job<'a>,
    part: &'a Part,
    arguments: &'a [Argument],
    alone: bool,
    outcome: &mut Outcome,
) -> Result<Box<dyn Started + 'a>> {
    let device = part.assignment.device;
    let chunk = Chunk {
        kernel: job.kernel,
        grid: job.grid,
        range: part.assignment.range,
        arguments,
        transfers: &part.transfers,
        repeat: job.repeat,
        alone,
    };
    if device == 0 {
        return job.devices[0].start(&chunk);
    }
    let mut evicted = Vec::new();
    // A chunk that alone is over the budget is the device's to refuse.
    let _ = job.places.make_room(device, part.slice_bytes(job), &mut evicted);
    let mut started = job.devices[device].start(&chunk);
    if started.as_ref().is_err_and(|e| e.kind() == ErrorKind::OutOfMemory)
        && job.places.evict(device, u64::MAX, &mut evicted)?
    {
        started = job.devices[device].start(&chunk);
    }
    outcome.moved.extend(evicted.into_iter().map(|m| ArgumentMoved::of_array(None, m)));
    started
}

/// Runs a part on the CPU, with all its steps.
fn on_cpu(job: &Job<'_>, part: &Part) -> Result<ChunkRun> {
    let (grid, range) = (job.grid, part.assignment.range);
    let mut arguments = part.arguments.clone();
    let mut total = ChunkRun::default();
    for step in 0..job.repeat.map_or(1, |r| r.steps) {
        if let Some(Repeat { swap: (a, b), .. }) = job.repeat.filter(|_| step > 0) {
            arguments.swap(a, b);
        }
        let chunk = Chunk {
            kernel: job.kernel,
            grid,
            range,
            arguments: &arguments,
            transfers: &part.transfers,
            repeat: None,
            alone: true,
        };
        total.run_ns += job.devices[0].start(&chunk)?.finish()?.run_ns;
    }
    Ok(total)
}

/// Runs the failed chunks on the CPU.
fn recover(job: &Job<'_>, failed: Vec<(Part, Error)>, mut outcome: Outcome) -> Result<Outcome> {
    for (part, error) in failed {
        let mendable = matches!(error.kind(), ErrorKind::DeviceLost | ErrorKind::OutOfMemory | ErrorKind::Device);
        if job.strict || !mendable {
            return Err(error);
        }
        let id = &job.devices[part.assignment.device].info().id;
        let since = Instant::now();
        let again = match Brought::new(job, movement::recovery(job, &part), &mut outcome) {
            Ok(brought) => brought,
            // What it needs is lost with the device.
            Err(unmoved) => return Err(unmoved.1),
        };
        let result = on_cpu(job, &again.part);
        again.part.wrote(job);
        let ran = again.ran(result?);
        let groups = part.assignment.range.count();
        outcome.recoveries.push(format!(
            "{id} failed ({error}); its {groups} work-groups ran again on the cpu in {:.2} ms",
            since.elapsed().as_secs_f64() * 1e3
        ));
        outcome.ran.push(ran);
    }
    Ok(outcome)
}
