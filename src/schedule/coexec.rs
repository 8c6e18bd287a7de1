//! Runs a plan: GPUs start first, the CPU works meanwhile on the calling thread, then all are gathered.
//!
//! Nothing of a failed chunk reaches the host, so the CPU can run it again from the original data.

use super::{merge::Private, plan::Assignment, transfers};
use crate::{
    backend::{Argument, Backend, Chunk, ChunkRun, Transfer},
    error::{Error, ErrorKind, Result},
    kernel::Compiled,
};
use evener_lanes::{Grid, analysis::Footprint};
use std::time::Instant;

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
}

/// Runs all assignments of a plan and returns when no device can touch the arguments any more.
///
/// # Errors
/// A fault of the kernel; or a device's failure that may not (strict) or cannot be mended.
pub fn execute(job: &Job<'_>, assignments: &[Assignment]) -> Result<Outcome> {
    let sizes: Vec<u64> = job.arguments.iter().map(|a| a.len).collect();
    let moved: Vec<Vec<Transfer>> =
        job.footprints.iter().map(|f| transfers::of_footprint(f, job.kernel.bindings(), &sizes)).collect();
    // Parts that run at once update copies of what merges; the CPU's is the original.
    let privates: Vec<Option<Private<'_>>> = (assignments.iter().zip(job.footprints).zip(&moved))
        .map(|((assignment, footprint), moved)| {
            let merges = footprint.bindings.iter().any(|b| !b.merges.is_empty());
            // SAFETY: no device runs yet, and the call that owns the arguments waits for this one.
            let private = || unsafe { Private::new(job.arguments, footprint, moved) };
            (merges && assignment.device != 0 && assignments.len() > 1).then(private)
        })
        .collect();
    let chunk = |k: usize| Chunk {
        kernel: job.kernel,
        grid: job.grid,
        range: assignments[k].range,
        arguments: privates[k].as_ref().map_or(job.arguments, Private::arguments),
        transfers: &moved[k],
    };
    let mut outcome = Outcome::default();
    let mut failed: Vec<(Assignment, Error)> = Vec::new();
    // All uploads happen here: afterwards the CPU may write its part of the same slices.
    let (cpu, gpu): (Vec<usize>, Vec<usize>) = (0..assignments.len()).partition(|k| assignments[*k].device == 0);
    let started: Vec<_> = gpu
        .into_iter()
        .filter_map(|k| match job.devices[assignments[k].device].start(&chunk(k)) {
            Ok(started) => Some((k, started)),
            Err(e) => {
                failed.push((assignments[k], e));
                None
            }
        })
        .collect();
    let mut fault = None;
    for k in cpu {
        match job.devices[0].start(&chunk(k)).and_then(|s| s.finish()) {
            Ok(run) => outcome.ran.push(Ran { assignment: assignments[k], run }),
            Err(e) => fault = Some(e),
        }
    }
    let mut ended = vec![false; assignments.len()];
    for (k, started) in started {
        let assignment = assignments[k];
        match started.finish() {
            Ok(run) => {
                ended[k] = true;
                outcome.ran.push(Ran { assignment, run });
            }
            Err(e) => failed.push((assignment, e)),
        }
    }
    for private in privates.into_iter().zip(ended).filter_map(|(private, ended)| private.filter(|_| ended)) {
        // SAFETY: every part has ended; a device only ran if what it downloads is writable.
        unsafe { private.merge(job.arguments) };
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
