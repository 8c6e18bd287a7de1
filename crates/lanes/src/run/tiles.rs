//! Runs batches over the current rayon pool.
//!
//! The batches of a run are halved recursively by `rayon::join` down to tiles, each run by one thread with
//! one scratch. No lock is held while batches run: a scratch is taken from and returned to a stack under a
//! mutex held only for that. A run made from inside a rayon worker works in that worker's pool.

use super::batch::Batches;
use crate::{
    analysis::uniformity::BatchShape,
    error::Error,
    interp::{
        Level,
        code::Code,
        exec::{Scratch, Stop},
        lower::lower,
        machine::RunState,
    },
    ir::Kernel,
};
use std::{
    ops::Range,
    sync::{Mutex, PoisonError, atomic::Ordering::Relaxed},
};

/// A run estimated below this is made on the caller's thread: waking the pool costs as much.
const INLINE_NS: f64 = 20_000.0;
/// Least estimated time of a tile: a join costs about 1.4 us.
const TILE_NS: f64 = 30_000.0;
/// Tiles for each thread where batches are dear, so that threads end together.
const TILES_PER_THREAD: u64 = 16;
/// Scratches kept for later runs.
const KEPT: usize = 64;

/// A kernel compiled for one batch shape, with memories to run it.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) code: Code,
    pub(crate) shape: BatchShape,
    size: [u32; 3],
    idle: Mutex<Vec<Scratch>>,
}

impl Engine {
    /// Compiles a kernel.
    ///
    /// # Errors
    /// As for [`lower`].
    pub(crate) fn new(kernel: &Kernel, shape: BatchShape, level: Level) -> Result<Self, Error> {
        let code = lower(kernel, shape, level)?;
        Ok(Engine { code, shape, size: kernel.workgroup_size, idle: Mutex::new(Vec::new()) })
    }

    /// Runs all batches.
    ///
    /// # Errors
    /// The first failure that is not a cancellation.
    pub(crate) fn run(&self, state: &RunState<'_>, batches: &Batches) -> Result<(), Stop> {
        let full = self.code.capacity as f64;
        let each = self.code.batch_ns * (batches.lanes() as f64 / full).max(0.1);
        let threads = rayon::current_num_threads() as u64;
        if threads == 1 || batches.count == 1 || each * (batches.count as f64) < INLINE_NS {
            return self.tile(state, batches, 0..batches.count);
        }
        let even = batches.count / (threads * TILES_PER_THREAD);
        let tile = ((TILE_NS / each) as u64).min(even).max(1);
        self.split(state, batches, 0..batches.count, tile)
    }

    fn split(&self, state: &RunState<'_>, batches: &Batches, range: Range<u64>, tile: u64) -> Result<(), Stop> {
        if range.end - range.start <= tile {
            return self.tile(state, batches, range);
        }
        let middle = range.start + (range.end - range.start) / 2;
        let (front, back) = rayon::join(
            || self.split(state, batches, range.start..middle, tile),
            || self.split(state, batches, middle..range.end, tile),
        );
        match (front, back) {
            (Err(Stop::Cancelled), Err(back)) => Err(back),
            (front, back) => front.and(back),
        }
    }

    fn tile(&self, state: &RunState<'_>, batches: &Batches, range: Range<u64>) -> Result<(), Stop> {
        let mut scratch = self.take();
        let result = range.into_iter().try_for_each(|i| {
            if state.stop.load(Relaxed) {
                return Err(Stop::Cancelled);
            }
            scratch.run(state, batches.get(i))
        });
        if result.is_err() {
            state.stop.store(true, Relaxed);
        }
        self.give(scratch);
        result
    }

    fn take(&self) -> Scratch {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| Scratch::new(&self.code, self.shape, self.size))
    }

    fn give(&self, scratch: Scratch) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(scratch);
        }
    }
}
