//! Runs a plan: GPUs start first, the CPU works meanwhile on the calling thread, then all are gathered.
//!
//! Nothing of a failed chunk reaches the host, so the CPU can run it again from the original data.

use super::{
    plan::Assignment,
    stream::{self, Stream, Streamed},
    transfers,
    windows::{self, Cutter},
};
use crate::{
    backend::{Argument, Backend, Chunk, ChunkRun, Transfer},
    error::{Error, ErrorKind, Result},
    kernel::Compiled,
};
use evener_lanes::{
    Grid,
    analysis::{CallShape, Footprint, Split},
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

/// A call ready to run.
#[derive(Debug)]
pub struct Job<'a> {
    /// The kernel.
    pub kernel: &'a Compiled,
    /// Its grid.
    pub grid: Grid,
    /// One per binding.
    pub arguments: &'a [Argument],
    /// The CPU first; the indices of assignments.
    pub devices: &'a [&'a dyn Backend],
    /// Footprint of each assignment, in their order.
    pub footprints: &'a [Footprint],
    /// What the analysis is evaluated for.
    pub shape: CallShape<'a>,
    /// Whether the call may be cut.
    pub split: &'a Split,
    /// No recovery on another device.
    pub strict: bool,
}

/// What one assignment took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ran {
    /// What ran where. After a recovery, the CPU.
    pub assignment: Assignment,
    /// Measured.
    pub run: ChunkRun,
}

/// What a plan's execution took.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Every part of the grid, once.
    pub ran: Vec<Ran>,
    /// What went wrong and how it was mended, for the report.
    pub recoveries: Vec<String>,
    /// What ran in windows and why, for the report.
    pub windows: Vec<String>,
}

impl Job<'_> {
    /// Why a device cannot hold the arguments whole; `None` where it can, or needs not.
    pub fn windowed(&self, device: usize) -> Option<String> {
        let room = self.devices[device].room()?;
        windows::whole_misfit(self.kernel.bindings(), self.shape.sizes, &room)
    }

    fn stream<'s>(&'s self, assignment: &Assignment, stop: &'s AtomicBool) -> Streamed {
        let device = self.devices[assignment.device];
        let Some(room) = device.room() else { return Streamed::default() };
        let cutter = Cutter::new(self.kernel, self.shape, self.split, room, assignment.range);
        let (kernel, grid, arguments, part) = (self.kernel, self.grid, self.arguments, assignment.range);
        Stream { kernel, grid, arguments, device, part, stop }.run(cutter)
    }
}

/// Runs all assignments of a plan and returns when no device can touch the arguments any more.
///
/// # Errors
/// A fault of the kernel; or a device's failure that may not (strict) or cannot be mended.
pub fn execute(job: &Job<'_>, assignments: &[Assignment]) -> Result<Outcome> {
    let sizes: Vec<u64> = job.arguments.iter().map(|a| a.len).collect();
    let moved: Vec<Vec<Transfer>> =
        job.footprints.iter().map(|f| transfers::of_footprint(f, job.kernel.bindings(), &sizes)).collect();
    let chunk = |k: usize| Chunk {
        kernel: job.kernel,
        grid: job.grid,
        range: assignments[k].range,
        arguments: job.arguments,
        transfers: &moved[k],
        carry: None,
    };
    let mut outcome = Outcome::default();
    let mut failed: Vec<(Assignment, Error)> = Vec::new();
    // All uploads happen here: afterwards the CPU may write its part of the same slices.
    let (cpu, gpu): (Vec<usize>, Vec<usize>) = (0..assignments.len()).partition(|k| assignments[*k].device == 0);
    let why: Vec<Option<String>> = assignments.iter().map(|a| job.windowed(a.device)).collect();
    let (streams, gpu): (Vec<usize>, Vec<usize>) = gpu.into_iter().partition(|k| why[*k].is_some());
    let started: Vec<_> = gpu
        .into_iter()
        .filter_map(|k| match job.devices[assignments[k].device].start(&chunk(k)) {
            Ok(started) => Some((assignments[k], started)),
            Err(e) => {
                failed.push((assignments[k], e));
                None
            }
        })
        .collect();
    let mut fault = None;
    let stop = AtomicBool::new(false);
    // Streams upload while the CPU runs: they read only bytes that are no other part's to write.
    let streamed: Vec<Streamed> = std::thread::scope(|scope| {
        let threads: Vec<_> = streams
            .iter()
            .map(|&k| {
                (
                    k,
                    scope.spawn({
                        let stop = &stop;
                        move || job.stream(&assignments[k], stop)
                    }),
                )
            })
            .collect();
        for k in cpu {
            match job.devices[0].start(&chunk(k)).and_then(|s| s.finish()) {
                Ok(run) => outcome.ran.push(Ran { assignment: assignments[k], run }),
                Err(e) => {
                    // A flag that orders nothing: a stream that sees it late runs a chunk more.
                    stop.store(true, Ordering::Relaxed);
                    fault = Some(e);
                }
            }
        }
        threads.into_iter().map(|(_, t)| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    for (k, streamed) in streams.into_iter().zip(streamed) {
        let (device, reason) = (assignments[k].device, why[k].as_deref().unwrap_or_default());
        if streamed.chunks > 0 {
            outcome.windows.push(stream::describe(&job.devices[device].info().id, reason, &streamed));
        }
        let part = |range| Assignment { device, range };
        outcome.ran.extend(streamed.done.into_iter().map(|(r, run)| Ran { assignment: part(r), run }));
        failed.extend(streamed.failed.into_iter().map(|(r, e)| (part(r), e)));
    }
    for (assignment, started) in started {
        match started.finish() {
            Ok(run) => outcome.ran.push(Ran { assignment, run }),
            Err(e) => failed.push((assignment, e)),
        }
    }
    match fault {
        Some(e) => Err(e),
        None => recover(job, failed, outcome),
    }
}

/// Runs the failed chunks on the CPU.
fn recover(job: &Job<'_>, failed: Vec<(Assignment, Error)>, mut outcome: Outcome) -> Result<Outcome> {
    for (assignment, error) in failed {
        let mendable = matches!(error.kind(), ErrorKind::DeviceLost | ErrorKind::OutOfMemory | ErrorKind::Device);
        if job.strict || !mendable {
            return Err(error);
        }
        let id = &job.devices[assignment.device].info().id;
        let since = Instant::now();
        let chunk = Chunk {
            kernel: job.kernel,
            grid: job.grid,
            range: assignment.range,
            arguments: job.arguments,
            transfers: &[],
            carry: None,
        };
        let run = job.devices[0].start(&chunk)?.finish()?;
        let groups = assignment.range.count();
        outcome.recoveries.push(format!(
            "{id} failed ({error}); its {groups} work-groups ran again on the cpu in {:.2} ms",
            since.elapsed().as_secs_f64() * 1e3
        ));
        outcome.ran.push(Ran { assignment: Assignment { device: 0, range: assignment.range }, run });
    }
    Ok(outcome)
}
