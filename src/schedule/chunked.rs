//! Runs a call in chunks that are handed out while it runs: GPUs take them from the front, the CPU from the back, in the
//! sizes that [`Chunks`] says. Whoever is free takes what is left, so a device that turns out slow, or becomes so, costs
//! no more than its chunks under way.
//!
//! Each GPU has a thread, which prepares the next chunk while one runs; the CPU's chunks run on the calling thread, so
//! that a call inside a rayon worker helps. The lock of the [`Desk`] is held only while a chunk is given or noted, never
//! while one runs.
//!
//! Where nothing is left and a chunk of a GPU is late, the CPU runs it once more on copies of what it writes
//! ([`Shadow`]). If it ends before the GPU has begun to write its results, the GPU's run is given up
//! ([`GiveUp`](crate::backend::GiveUp)) and the copies are committed; otherwise it stops and they are dropped. So each
//! chunk's results reach the host once. In a race all of the call is one such chunk, and late from the beginning.
//!
//! Uploads happen beside the CPU's work and other devices' results. That is right for calls on host slices that may be
//! split: what a chunk needs of the host ([`Supply`]) is what it may read or may leave unwritten, and by the proof of the
//! split no other chunk writes any of it, at whatever work-group they are cut. So no chunk, given or yet to be given, can
//! find its input changed; bytes between those that it needs are not read. A chunk's results are exactly its own writes.
//! In a race nobody writes the host's bytes before all of them were read: the one in place works on copies.

use super::{
    adaptive::Crew,
    chunks::{Chunks, Took, Worker},
    coexec::{self, Beaten, Job, Outcome, Ran},
    desk::{Desk, Order, StopOnPanic},
    movement::{self, ArgumentMoved, Part},
    plan::Assignment,
    shadow::Shadow,
    supply::Supply,
};
use crate::{
    backend::{Argument, Carry, Chunk, ChunkRun, GiveUp, Started, Transfer},
    clock::ns_since,
    error::{Error, ErrorKind, Result},
};
use evener_lanes::{GroupRange, ir::Space, run::Watch};
use std::{cell::OnceCell, collections::VecDeque, ops::Range, sync::Arc, time::Instant};

/// Chunks of a GPU under way at once: one runs, the next is there.
const IN_FLIGHT: usize = 2;

/// Things that stay where they are until all are dropped, while more are added.
struct Kept<T> {
    first: OnceCell<Box<Link<T>>>,
}

struct Link<T> {
    item: T,
    next: OnceCell<Box<Link<T>>>,
}

impl<T> Kept<T> {
    const fn new() -> Self {
        Kept { first: OnceCell::new() }
    }
}

impl<T> Link<T> {
    /// Adds an item at an open end and moves on to the next one.
    fn add<'a>(end: &mut &'a OnceCell<Box<Link<T>>>, item: T) -> &'a T {
        let link = end.get_or_init(|| Box::new(Link { item, next: OnceCell::new() }));
        *end = &link.next;
        &link.item
    }
}

impl<T> Drop for Kept<T> {
    // Link by link: a chain may be longer than the stack is deep.
    fn drop(&mut self) {
        let mut next = self.first.take();
        while let Some(mut link) = next {
            next = link.next.take();
        }
    }
}

/// What a device did.
#[derive(Default)]
struct Driven {
    ran: Vec<Ran>,
    moved: Vec<ArgumentMoved>,
    /// Chunks whose other run was taken, with the time that they had had.
    given_up: Vec<(Assignment, f64)>,
    /// Second runs that came too late.
    beaten: Vec<Beaten>,
    failed: Vec<(Assignment, Error)>,
}

/// A chunk of a GPU under way.
struct Flying<'a> {
    slices: Range<u64>,
    /// When its uploads had ended.
    started_ns: f64,
    transfers: &'a [Transfer],
    started: Box<dyn Started + 'a>,
}

/// One worker of a call.
struct Shift<'a> {
    job: &'a Job<'a>,
    desk: &'a Desk,
    axis: usize,
    /// Its number at the desk.
    worker: usize,
    device: usize,
}

impl<'a> Shift<'a> {
    fn range(&self, slices: &Range<u64>) -> GroupRange {
        range_of(self.job, self.axis, slices)
    }

    fn ran(&self, slices: &Range<u64>, run: ChunkRun) -> Ran {
        Ran { assignment: self.assignment(slices), run }
    }

    fn assignment(&self, slices: &Range<u64>) -> Assignment {
        Assignment { device: self.device, range: self.range(slices) }
    }

    fn chunk<'c>(&self, slices: &Range<u64>, transfers: &'c [Transfer], carry: Option<&'c Carry>) -> Chunk<'c>
    where
        'a: 'c,
    {
        let job = self.job;
        Chunk {
            kernel: job.kernel,
            grid: job.grid,
            range: self.range(slices),
            arguments: job.arguments,
            transfers,
            carry,
            repeat: None,
            counted: None,
            alone: false,
            watch: None,
        }
    }

    /// Runs chunks in place on the calling thread.
    fn on_cpu(&self) -> (Driven, Option<Error>) {
        let _stop = StopOnPanic(self.desk);
        let mut driven = Driven::default();
        while let Some(order) = self.desk.next(self.worker, true) {
            let since = Instant::now();
            let ran = match &order {
                Order::Run(slices) => self.in_place(self.job.arguments, slices, None).map(Some),
                Order::Repeat(slices, run, watch) => self.repeat(slices, run, watch, &mut driven.beaten),
            };
            match (ran, order) {
                (Err(fault), _) => {
                    self.desk.stop();
                    return (driven, Some(fault));
                }
                (Ok(ran), order) => {
                    driven.ran.extend(ran);
                    if let Order::Run(slices) = order {
                        self.desk.done(self.worker, &slices, Took { run_ns: ns_since(since) });
                    }
                }
            }
        }
        (driven, None)
    }

    fn in_place(&self, arguments: &[Argument], slices: &Range<u64>, watch: Option<&Watch>) -> Result<Ran> {
        let chunk = Chunk { arguments, watch, ..self.chunk(slices, &[], None) };
        let run = self.job.places.device(self.device).run(&chunk)?;
        Ok(self.ran(slices, run))
    }

    /// Runs a GPU's chunk on copies of what it writes until the GPU has results, and commits them if it has none by then.
    fn repeat(
        &self,
        slices: &Range<u64>,
        run: &(usize, Arc<dyn GiveUp>),
        watch: &Watch,
        beaten: &mut Vec<Beaten>,
    ) -> Result<Option<Ran>> {
        let job = self.job;
        let footprint = job.kernel.analysis.footprint(&job.shape, &self.range(slices));
        let mut shadow = None;
        // SAFETY: the arguments are borrowed for the call, no other chunk writes what this one needs, and its other run
        // does not before this look has ended.
        let mut look = || shadow = unsafe { Shadow::new(job.arguments, &footprint) };
        let early = run.1.before_landing(&mut look);
        let Some(shadow) = shadow.filter(|_| early) else { return Ok(None) };
        let ran = self.in_place(shadow.arguments(), slices, Some(watch))?;
        if !watch.is_complete() || !self.desk.take(slices, run) {
            beaten.push(Beaten { ran, part: watch.part() });
            return Ok(None);
        }
        // SAFETY: the other run has given up its results, no other chunk touches what this one writes, and a device only
        // ran it if that is writable.
        unsafe { shadow.commit(job.arguments) };
        Ok(Some(ran))
    }

    /// Runs chunks on a device with its own memory until there is none left or it fails. On return the device touches
    /// the arguments no more.
    fn on_gpu(&self) -> Driven {
        let _stop = StopOnPanic(self.desk);
        let (carry, sent) = (Carry::default(), Kept::new());
        let mut driven = Driven::default();
        self.make_room(&mut driven);
        self.drive(&carry, &sent.first, &mut driven);
        if driven.failed.is_empty() && driven.given_up.is_empty() {
            self.job.places.device(self.device).take_back(carry);
        }
        driven
    }

    fn drive<'c>(&'c self, carry: &'c Carry, sent: &'c OnceCell<Box<Link<Vec<Transfer>>>>, driven: &mut Driven) {
        let mut supply = Supply::new(self.job.arguments.len());
        let mut flying: VecDeque<Flying<'c>> = VecDeque::new();
        let (mut end, mut last_end_ns) = (sent, 0.0);
        loop {
            let room = flying.len() < IN_FLIGHT && driven.failed.is_empty();
            // With a chunk under way that is waited for, not for a chunk to be given.
            let next = if room { self.desk.next(self.worker, flying.is_empty()) } else { None };
            if let Some(Order::Run(slices)) = next {
                let transfers = Link::add(&mut end, self.transfers(&mut supply, &slices)).as_slice();
                match self.start(&self.chunk(&slices, transfers, Some(carry)), driven) {
                    Ok(started) => {
                        self.desk.started(self.worker, &slices, started.give_up());
                        let started_ns = self.desk.now_ns();
                        flying.push_back(Flying { slices, started_ns, transfers, started });
                    }
                    Err(error) => self.failed(&slices, error, driven),
                }
            } else if let Some(chunk) = flying.pop_front() {
                self.land(chunk, &mut last_end_ns, driven);
            } else {
                return;
            }
        }
    }

    /// Waits for a chunk and notes what its kernel took.
    fn land(&self, chunk: Flying<'_>, last_end_ns: &mut f64, driven: &mut Driven) {
        let Flying { slices, started_ns, transfers, started } = chunk;
        match started.finish() {
            Ok(run) => {
                let (now_ns, run_ns) = (self.desk.now_ns(), run.run_ns);
                driven.ran.push(self.ran(&slices, run));
                driven.moved.extend(movement::slices_moved(self.job, self.device, transfers));
                if driven.failed.is_empty() {
                    self.desk.done(self.worker, &slices, Took { run_ns });
                }
                *last_end_ns = now_ns;
            }
            Err(_) if self.desk.was_taken(&slices) => {
                let had_ns = self.desk.now_ns() - started_ns.max(*last_end_ns);
                driven.given_up.push((self.assignment(&slices), had_ns));
                let sent = movement::slices_moved(self.job, self.device, transfers);
                driven.moved.extend(sent.map(ArgumentMoved::up_alone));
            }
            Err(error) => self.failed(&slices, error, driven),
        }
    }

    fn failed(&self, slices: &Range<u64>, error: Error, driven: &mut Driven) {
        driven.failed.push((self.assignment(slices), error));
        self.desk.retire(self.worker);
    }

    fn transfers(&self, supply: &mut Supply, slices: &Range<u64>) -> Vec<Transfer> {
        let job = self.job;
        let footprint = job.kernel.analysis.footprint(&job.shape, &self.range(slices));
        supply.transfers(&footprint, job.kernel.bindings(), job.shape.sizes)
    }

    /// Arrays that are not in use leave what the chunks will take.
    fn make_room(&self, driven: &mut Driven) {
        let storage = self.job.kernel.bindings().iter().zip(self.job.arguments);
        let bytes = storage.filter(|(b, _)| b.space == Space::Storage).map(|(_, a)| a.byte_len()).sum();
        let mut evicted = Vec::new();
        // What does not fit even then is the device's to refuse.
        let _ = self.job.places.make_room(self.device, bytes, &mut evicted);
        driven.moved.extend(evicted.into_iter().map(|m| ArgumentMoved::of_array(None, m)));
    }

    /// Starts a chunk. Where the device's memory is full, all arrays that are not in use make room once.
    fn start<'c>(&'c self, chunk: &Chunk<'c>, driven: &mut Driven) -> Result<Box<dyn Started + 'c>> {
        let device = self.job.places.device(self.device);
        let started = device.start(chunk);
        let Err(error) = &started else { return started };
        let mut evicted = Vec::new();
        if error.kind() != ErrorKind::OutOfMemory
            || !self.job.places.evict(self.device, u64::MAX, &mut evicted).unwrap_or(false)
        {
            return started;
        }
        driven.moved.extend(evicted.into_iter().map(|m| ArgumentMoved::of_array(None, m)));
        device.start(chunk)
    }
}

/// The work-groups of some slices.
fn range_of(job: &Job<'_>, axis: usize, slices: &Range<u64>) -> GroupRange {
    let mut range = GroupRange::all(job.grid);
    // Slices are work-groups of the axis, which are counted in 32 bits.
    (range.start[axis], range.end[axis]) = (slices.start as u32, slices.end as u32);
    range
}

/// Runs a call on host slices, which may be split (or is raced for whole) and merges nothing, and returns when no device
/// can touch the arguments any more.
///
/// # Errors
/// A fault of the kernel; a device's failure that may not (strict) or cannot be mended.
pub(crate) fn execute(job: &Job<'_>, crew: &Crew) -> Result<Outcome> {
    let workers: Vec<Worker> = crew.workers.iter().map(|w| w.1).collect();
    let slices = u64::from(job.grid.groups[crew.axis]);
    let desk = Desk::new(if crew.race { Chunks::race(slices, &workers) } else { Chunks::new(slices, &workers) });
    let shifts = crew.workers.iter().enumerate();
    let shifts =
        shifts.map(|(worker, (device, _))| Shift { job, desk: &desk, axis: crew.axis, worker, device: *device });
    let (cpu, gpus): (Vec<Shift<'_>>, Vec<Shift<'_>>) = shifts.partition(|s| s.device == 0);
    let mut fault = None;
    let driven: Vec<Driven> = std::thread::scope(|scope| {
        let threads: Vec<_> = gpus.iter().map(|shift| scope.spawn(|| shift.on_gpu())).collect();
        let mut driven = Vec::new();
        for shift in &cpu {
            let (own, failed) = shift.on_cpu();
            driven.push(own);
            fault = failed;
        }
        let joined = threads.into_iter().map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        driven.extend(joined);
        driven
    });
    match fault {
        Some(fault) => Err(fault),
        None => gather(job, crew.axis, &desk.left(), driven),
    }
}

/// Puts together what the workers did, and runs on the CPU what is left.
fn gather(job: &Job<'_>, axis: usize, left: &Range<u64>, driven: Vec<Driven>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut failed = Vec::new();
    for device in driven {
        outcome.ran.extend(device.ran);
        outcome.moved.extend(device.moved);
        outcome.given_up.extend(device.given_up);
        outcome.beaten.extend(device.beaten);
        failed.extend(device.failed);
    }
    if !left.is_empty() {
        // All that could run it have failed.
        let last = failed.last().map(|(a, e): &(Assignment, Error)| (a.device, e.kind(), e.to_string()));
        let (device, kind, why) = last.unwrap_or((0, ErrorKind::Device, "no device took it".into()));
        failed.push((Assignment { device, range: range_of(job, axis, left) }, Error::new(kind, why)));
    }
    let part = |(assignment, error)| (Part::of_slices(job, assignment), error);
    coexec::recover(job, failed.into_iter().map(part).collect(), outcome)
}
