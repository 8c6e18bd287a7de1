//! Runs a plan: GPUs start first, the CPU works meanwhile on the calling thread, then all are gathered.
//!
//! Nothing of a failed chunk reaches the host, so the CPU can run it again from the original data.

use super::{
    merge::Private,
    movement::{self, ArgumentMoved, Needs, Part},
    plan::Assignment,
    stream::{self, Done, Stream, Streamed},
    windows::{self, Cutter},
};
use crate::{
    backend::{Argument, Chunk, ChunkRun, Counted, Queued, Repeat, Started},
    call::args::Pinned,
    clock::ns_since,
    error::{Error, ErrorKind, Result},
    kernel::Compiled,
    memory::{array::Held, places::Places},
};
use evener_lanes::{
    Grid,
    analysis::{CallShape, Footprint},
};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

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
    /// The devices, the CPU first: the indices of assignments.
    pub(crate) places: &'a Places,
    /// Footprint of each assignment, in their order; an empty one where nothing moves and nothing is recorded. None of the
    /// only one where nothing of it does, or where what it moves is known.
    pub(crate) footprints: &'a [Arc<Footprint>],
    /// What the only assignment moves, where an earlier call has found that, or a place for it to be kept.
    pub(crate) needs: Option<&'a OnceLock<Arc<Needs>>>,
    /// What the analysis is evaluated for.
    pub(crate) shape: CallShape<'a>,
    /// Several steps in one go; the only assignment is the whole grid on a device that holds the arrays.
    pub(crate) repeat: Option<Repeat>,
    /// The device counts the items itself; the only assignment is the largest grid that there could be, on a device that
    /// holds the arrays.
    pub(crate) counted: Option<&'a Counted>,
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

/// A run that was stopped, or came too late.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Beaten {
    /// As far as it came.
    pub(crate) ran: Ran,
    /// That part of it, 0 to 1.
    pub(crate) part: f64,
}

/// What a plan's execution took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Every part of the grid, once.
    pub(crate) ran: Vec<Ran>,
    /// Chunks that a device was late with, and the time in ns that it had had: another one ran them.
    pub(crate) given_up: Vec<(Assignment, f64)>,
    /// Second runs of chunks whose first run had results before.
    pub(crate) beaten: Vec<Beaten>,
    /// What moved, by argument.
    pub(crate) moved: Vec<ArgumentMoved>,
    /// What went wrong and how it was mended, for the report.
    pub(crate) recoveries: Vec<String>,
    /// What ran in windows and why, for the report.
    pub(crate) windows: Vec<String>,
    /// Time in ns to make copies of what merges, and to combine them with the originals.
    pub(crate) merge_ns: f64,
}

impl Job<'_> {
    /// Why a device cannot hold the arguments whole; `None` where it can, or works in place.
    pub(super) fn windowed(&self, device: usize) -> Option<String> {
        let room = self.places.device(device).room()?;
        windows::whole_misfit(self.kernel.bindings(), self.shape.sizes, &room)
    }

    /// Runs a part in windows.
    fn stream(&self, part: &Part<'_>, arguments: &[Argument], stop: &AtomicBool) -> Streamed {
        let Assignment { device, range } = part.assignment;
        let device = self.places.device(device);
        let Some(room) = device.room() else { return Streamed::default() };
        let (kernel, grid) = (self.kernel, self.grid);
        let kept = part.kept().and_then(|kept| Some(kept.cutter(self, &part.assignment)?.keeping(kept.by_binding())));
        let cutter =
            kept.unwrap_or_else(|| Cutter::new(kernel, self.shape, &kernel.analysis.split(&self.shape), room, range));
        Stream { kernel, grid, arguments, device, part: range, stop }.run(cutter)
    }
}

/// Runs all assignments of a plan and returns when no device can touch the arguments any more.
///
/// # Errors
/// A fault of the kernel; a device's failure that may not (strict) or cannot be mended; an array whose only valid copy
/// was on a lost device.
pub(crate) fn execute(job: &Job<'_>, assignments: &[Assignment]) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut failed: Vec<(Part, Error)> = Vec::new();
    match assignments {
        [only] => {
            if let Some(brought) = bring(job, movement::only(job, *only), &mut outcome, &mut failed)? {
                alone(job, &brought, &mut outcome, &mut failed)?;
            }
        }
        _ => together(job, movement::parts(job, assignments), &mut outcome, &mut failed)?,
    }
    recover(job, failed, outcome)
}

/// Brings a part's arrays to where it runs. `None` where that failed and may be mended, which `failed` says.
fn bring<'a>(
    job: &'a Job<'_>,
    part: Part<'a>,
    outcome: &mut Outcome,
    failed: &mut Vec<(Part<'a>, Error)>,
) -> Result<Option<Brought<'a>>> {
    match Brought::new(job, part, outcome) {
        Ok(brought) => Ok(Some(brought)),
        Err(unmoved) if unmoved.0.assignment.device == 0 => Err(unmoved.1),
        Err(unmoved) => {
            failed.push(*unmoved);
            Ok(None)
        }
    }
}

/// Runs the only part of a call, on this thread.
fn alone<'a>(
    job: &'a Job<'_>,
    brought: &Brought<'a>,
    outcome: &mut Outcome,
    failed: &mut Vec<(Part<'a>, Error)>,
) -> Result<()> {
    let part = &brought.part;
    let device = part.assignment.device;
    if device == 0 {
        return run_here(job, brought, outcome);
    }
    if job.windowed(device).is_some() {
        make_room(job, part, outcome);
        let streamed = job.stream(part, &part.arguments, &AtomicBool::new(false));
        gather(job, brought, streamed, outcome, failed);
    } else {
        let started = start(job, part, &part.arguments, true, outcome);
        finish(job, brought, started, outcome, failed);
    }
    Ok(())
}

/// Runs the parts of a call at once and waits for all.
fn together<'a>(
    job: &'a Job<'_>,
    parts: Vec<Part<'a>>,
    outcome: &mut Outcome,
    failed: &mut Vec<(Part<'a>, Error)>,
) -> Result<()> {
    // First everything is brought to where it is needed: what a part reads is from before the call.
    let mut ready = Vec::new();
    for part in parts {
        ready.extend(bring(job, part, outcome, failed)?);
    }
    // They update copies of what merges; the CPU's is the original.
    let since = Instant::now();
    let privates: Vec<Option<Private<'_>>> = ready.iter().map(|b| private(job, &b.part)).collect();
    let merges = privates.iter().any(Option::is_some);
    let copied_ns = ns_since(since);
    run_parts(job, &ready, &privates, outcome, failed)?;
    let since = Instant::now();
    for (brought, private) in ready.iter().zip(privates) {
        let well = outcome.ran.iter().any(|ran| is_in(&ran.assignment, &brought.part.assignment));
        if let Some(private) = private.filter(|_| well) {
            // SAFETY: every part has ended; a device only ran if what it downloads is writable.
            unsafe { private.merge(job.arguments) };
        }
    }
    if merges {
        outcome.merge_ns = copied_ns + ns_since(since);
    }
    Ok(())
}

/// Records a call for its device's next submission, where one device runs it and holds all its arrays, and can. `None`:
/// nothing but arrays moved, as `outcome` says, and the call is to be executed.
pub(crate) fn enqueue(
    job: &Job<'_>,
    assignments: &[Assignment],
    predicted_ns: f64,
    outcome: &mut Outcome,
) -> Option<Arc<dyn Queued>> {
    let [only @ Assignment { device: device @ 1.., .. }] = assignments else { return None };
    if job.needs.and_then(OnceLock::get).is_none() && job.windowed(*device).is_some() {
        return None;
    }
    let part = Some(movement::only(job, *only)).filter(|part| part.is_resident(job))?;
    // What cannot be brought or recorded, the call says when it runs.
    let brought = Brought::new(job, part, outcome).ok()?;
    let part = &brought.part;
    let device = job.places.device(part.assignment.device);
    let queued = device.enqueue(&chunk(job, part, &part.arguments, false), predicted_ns).ok()??;
    part.wrote(job);
    outcome.ran.push(brought.ran(ChunkRun::default()));
    Some(queued)
}

/// Whether what ran is of a part.
fn is_in(ran: &Assignment, part: &Assignment) -> bool {
    let inside = |a: usize| part.range.start[a] <= ran.range.start[a] && ran.range.end[a] <= part.range.end[a];
    ran.device == part.device && (0..3).all(inside)
}

/// Runs the parts at once and waits for all.
///
/// # Errors
/// A fault of the kernel; what failed otherwise goes to `failed`.
fn run_parts<'a>(
    job: &'a Job<'_>,
    ready: &[Brought<'a>],
    privates: &[Option<Private<'_>>],
    outcome: &mut Outcome,
    failed: &mut Vec<(Part<'a>, Error)>,
) -> Result<()> {
    let device = |k: usize| ready[k].part.assignment.device;
    let arguments = |k: usize| privates[k].as_ref().map_or(&*ready[k].part.arguments, Private::arguments);
    let (cpu, gpu): (Vec<usize>, Vec<usize>) = (0..ready.len()).partition(|&k| device(k) == 0);
    let (streams, gpu): (Vec<usize>, Vec<usize>) = gpu.into_iter().partition(|&k| job.windowed(device(k)).is_some());
    // All other uploads happen here: afterwards the CPU, and streams, may write their parts of the same slices.
    let mut started: Vec<(usize, Result<Box<dyn Started + '_>>)> = Vec::new();
    for k in gpu {
        started.push((k, start(job, &ready[k].part, arguments(k), false, outcome)));
    }
    streams.iter().for_each(|&k| make_room(job, &ready[k].part, outcome));
    let mut ended = Ok(());
    let stop = AtomicBool::new(false);
    // Streams upload beside the CPU: they read only bytes that are no other part's to write.
    let streamed: Vec<Streamed> = std::thread::scope(|scope| {
        let (stop, arguments) = (&stop, &arguments);
        let run = |k: usize| scope.spawn(move || job.stream(&ready[k].part, arguments(k), stop));
        let threads: Vec<_> = streams.iter().map(|&k| run(k)).collect();
        for k in cpu {
            if let Err(fault) = run_here(job, &ready[k], outcome) {
                // It orders nothing: a stream that sees it late runs a chunk more.
                stop.store(true, Ordering::Relaxed);
                ended = Err(fault);
            }
        }
        threads.into_iter().map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    for (k, started) in started {
        finish(job, &ready[k], started, outcome, failed);
    }
    for (k, streamed) in streams.into_iter().zip(streamed) {
        gather(job, &ready[k], streamed, outcome, failed);
    }
    ended
}

/// Runs a part in place on this thread.
///
/// # Errors
/// A fault of the kernel.
fn run_here(job: &Job<'_>, brought: &Brought<'_>, outcome: &mut Outcome) -> Result<()> {
    let part = &brought.part;
    let run = job.places.device(0).run(&chunk(job, part, &part.arguments, false));
    // After a fault too: the host has whatever was written.
    part.wrote(job);
    outcome.ran.push(brought.ran(run?));
    Ok(())
}

/// Waits for a started part.
fn finish<'a>(
    job: &'a Job<'_>,
    brought: &Brought<'a>,
    started: Result<Box<dyn Started + '_>>,
    outcome: &mut Outcome,
    failed: &mut Vec<(Part<'a>, Error)>,
) {
    let was_started = started.is_ok();
    let part = &brought.part;
    match started.and_then(|s| s.finish()) {
        Ok(run) => {
            outcome.ran.push(brought.ran(run));
            outcome.moved.extend(part.slices_moved(job));
            part.wrote(job);
        }
        Err(e) => {
            if was_started {
                part.failed(job);
            }
            failed.push((part.rest(part.assignment.range), e));
        }
    }
}

/// What a stream did and left undone.
fn gather<'a>(
    job: &'a Job<'_>,
    brought: &Brought<'a>,
    mut streamed: Streamed,
    outcome: &mut Outcome,
    failed: &mut Vec<(Part<'a>, Error)>,
) {
    let part = &brought.part;
    let number = part.assignment.device;
    let device = job.places.device(number);
    if streamed.chunks > 0 {
        let why = job.windowed(number).unwrap_or_default();
        let kept = part.kept().map_or(0, |kept| kept.bytes(job.arguments));
        outcome.windows.push(stream::describe(&device.info().id, &why, kept, &streamed));
        outcome.moved.extend(movement::streamed_moved(job, number, &streamed.moved));
    }
    if device.is_lost() || streamed.failed.iter().any(|(_, e)| e.kind() == ErrorKind::DeviceLost) {
        // With the device went what chunks had left there: they read nothing that others wrote, and run again.
        let (gone, done): (Vec<_>, Vec<_>) = streamed.done.into_iter().partition(|done| done.stays);
        let why = || Error::new(ErrorKind::DeviceLost, format!("{} was lost with results", device.info().id));
        streamed.failed.extend(gone.into_iter().map(|done| (done.range, why())));
        streamed.done = done;
    }
    match part.kept() {
        Some(_) => streamed.done.iter().for_each(|done| part.streamed(job, done.range, done.stays)),
        // Also after a failure: what came back is on the host.
        None => part.wrote(job),
    }
    for (n, Done { range, run, .. }) in streamed.done.into_iter().enumerate() {
        let ran = if n == 0 { brought.ran(run) } else { Ran { assignment: part.assignment, run } };
        outcome.ran.push(Ran { assignment: Assignment { range, ..part.assignment }, ..ran });
    }
    failed.extend(streamed.failed.into_iter().map(|(range, error)| (part.left(job, range), error)));
}

/// Arrays that are not in use leave what a stream will take.
fn make_room(job: &Job<'_>, part: &Part<'_>, outcome: &mut Outcome) {
    let device = part.assignment.device;
    let room = job.places.device(device).room().map_or(0, |room| room.memory_bytes.min(windows::STREAM_BYTES));
    let room = part.kept().map_or(room, |kept| room.min(kept.spare()));
    let mut evicted = Vec::new();
    // What cannot leave is in use: then chunks are halved until they fit.
    let _ = job.places.make_room(device, room, &mut evicted);
    outcome.moved.extend(evicted.into_iter().map(|m| ArgumentMoved::of_array(None, m)));
}

/// A part with its arrays where it runs.
struct Brought<'a> {
    part: Part<'a>,
    /// Keeps them there.
    _held: Vec<Held>,
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
        self.merge_ns += step.merge_ns;
        for line in step.windows {
            if !self.windows.contains(&line) {
                self.windows.push(line);
            }
        }
    }
}

impl<'a> Brought<'a> {
    /// Brings a part's arrays to where it runs.
    fn new(job: &Job<'_>, part: Part<'a>, outcome: &mut Outcome) -> Result<Self, Box<(Part<'a>, Error)>> {
        if part.is_in_place() {
            return Ok(Brought { part, _held: Vec::new(), ns: 0.0, up: 0, down: 0 });
        }
        let since = Instant::now();
        let before = outcome.moved.len();
        let _held = match part.bring(job, &mut outcome.moved) {
            Ok(held) => held,
            Err(error) => return Err(Box::new((part, error))),
        };
        let moves = outcome.moved[before..].iter();
        let (up, down) = moves.fold((0, 0), |(up, down), m| (up + m.moved.up, down + m.moved.down));
        let ns = if up + down > 0 { ns_since(since) } else { 0.0 };
        Ok(Brought { part, _held, ns, up, down })
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
fn private<'a>(job: &Job<'a>, part: &'a Part<'_>) -> Option<Private<'a>> {
    let footprint = &job.footprints[part.number];
    let merges = footprint.bindings.iter().any(|b| !b.merges.is_empty());
    // SAFETY: no device runs yet, and the call that owns the arguments waits for this one.
    let copies = || unsafe { Private::new(&part.arguments, footprint, part.transfers()) };
    (merges && part.assignment.device != 0).then(copies)
}

/// A part as its device gets it.
fn chunk<'a>(job: &Job<'a>, part: &'a Part<'_>, arguments: &'a [Argument], alone: bool) -> Chunk<'a> {
    Chunk {
        kernel: job.kernel,
        grid: job.grid,
        range: part.assignment.range,
        arguments,
        transfers: part.transfers(),
        carry: None,
        repeat: job.repeat,
        counted: job.counted,
        alone,
        watch: None,
    }
}

/// Starts a part on a device with its own memory, on its arguments or on copies of them. Where that memory is full, arrays
/// that are not in use make room once.
fn start<'a>(
    job: &Job<'a>,
    part: &'a Part<'_>,
    arguments: &'a [Argument],
    alone: bool,
    outcome: &mut Outcome,
) -> Result<Box<dyn Started + 'a>> {
    let device = part.assignment.device;
    let chunk = chunk(job, part, arguments, alone);
    let mut evicted = Vec::new();
    // A chunk that alone is over the budget is the device's to refuse.
    let _ = job.places.make_room(device, part.slice_bytes(job), &mut evicted);
    let mut started = job.places.device(device).start(&chunk);
    if started.as_ref().is_err_and(|e| e.kind() == ErrorKind::OutOfMemory)
        && job.places.evict(device, u64::MAX, &mut evicted)?
    {
        started = job.places.device(device).start(&chunk);
    }
    outcome.moved.extend(evicted.into_iter().map(|m| ArgumentMoved::of_array(None, m)));
    started
}

/// Runs a part on the CPU, with all its steps.
fn on_cpu(job: &Job<'_>, part: &Part<'_>) -> Result<ChunkRun> {
    let mut arguments = part.arguments.to_vec();
    let mut total = ChunkRun::default();
    for step in 0..job.repeat.map_or(1, |r| r.steps) {
        if let Some(Repeat { swap: (a, b), .. }) = job.repeat.filter(|_| step > 0) {
            arguments.swap(a, b);
        }
        let chunk = Chunk { repeat: None, counted: None, ..chunk(job, part, &arguments, true) };
        total.run_ns += job.places.device(0).run(&chunk)?.run_ns;
    }
    Ok(total)
}

/// Runs the failed chunks on the CPU.
pub(super) fn recover(job: &Job<'_>, failed: Vec<(Part<'_>, Error)>, mut outcome: Outcome) -> Result<Outcome> {
    for (part, error) in failed {
        let mendable = matches!(error.kind(), ErrorKind::DeviceLost | ErrorKind::OutOfMemory | ErrorKind::Device);
        if job.strict || !mendable {
            return Err(error);
        }
        let id = &job.places.device(part.assignment.device).info().id;
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
