//! Runs batches over the current rayon pool.
//!
//! A run that should be short starts on the caller's thread, and what is left goes to the pool when the
//! first batches show that it is not. What is expected is what the last run took; before the first, an
//! estimate in which each loop makes 50 trips.
//!
//! The batches of a longer run are halved recursively by `rayon::join` down to tiles, each run by one thread with
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
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// A run expected below this is made on the caller's thread: waking the pool costs as much.
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
    /// Bits of the last known time of a full batch in ns. Any thread stores it, none waits for it: relaxed.
    full_batch_ns: AtomicU64,
}

impl Engine {
    /// Compiles a kernel.
    ///
    /// # Errors
    /// As for [`lower`].
    pub(crate) fn new(kernel: &Kernel, shape: BatchShape, level: Level) -> Result<Self, Error> {
        let code = lower(kernel, shape, level)?;
        let full_batch_ns = AtomicU64::new(code.batch_ns.to_bits());
        Ok(Engine { code, shape, size: kernel.workgroup_size, idle: Mutex::new(Vec::new()), full_batch_ns })
    }

    /// Runs all batches.
    ///
    /// # Errors
    /// The first failure that is not a cancellation.
    pub(crate) fn run(&self, state: &RunState<'_>, batches: &Batches) -> Result<(), Stop> {
        if batches.count == 1 || rayon::current_num_threads() == 1 {
            return self.tile(state, batches, 0..batches.count);
        }
        let each = f64::from_bits(self.full_batch_ns.load(Relaxed)) * self.fullness(batches);
        if each * (batches.count as f64) < INLINE_NS {
            self.begin_inline(state, batches)
        } else {
            self.spread(state, batches, 0..batches.count, each)
        }
    }

    /// What a batch costs of what a full one does.
    fn fullness(&self, batches: &Batches) -> f64 {
        (batches.lanes() as f64 / self.code.capacity as f64).max(0.1)
    }

    /// Remembers that batches took `each` ns.
    fn learn(&self, batches: &Batches, each: f64) {
        self.full_batch_ns.store((each / self.fullness(batches)).to_bits(), Relaxed);
    }

    /// Runs batches on this thread as long as what is left does not look worth waking the pool.
    fn begin_inline(&self, state: &RunState<'_>, batches: &Batches) -> Result<(), Stop> {
        let start = Instant::now();
        let mut scratch = self.take();
        for i in 0..batches.count {
            scratch.run(state, batches.get(i))?;
            let (done, left) = (i + 1, batches.count - (i + 1));
            let each = start.elapsed().as_nanos() as f64 / done as f64;
            let is_long = each * left as f64 > INLINE_NS;
            if is_long || left == 0 {
                self.learn(batches, each);
            }
            if is_long {
                self.give(scratch);
                return self.spread(state, batches, done..batches.count, each);
            }
        }
        self.give(scratch);
        Ok(())
    }

    /// Runs batches that take `each` ns on the pool.
    fn spread(&self, state: &RunState<'_>, batches: &Batches, range: Range<u64>, each: f64) -> Result<(), Stop> {
        let threads = rayon::current_num_threads() as u64;
        let even = (range.end - range.start) / (threads * TILES_PER_THREAD);
        let tile = ((TILE_NS / each) as u64).min(even).max(1);
        self.split(state, batches, range, tile)
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
        let start = Instant::now();
        let count = range.end - range.start;
        let mut scratch = self.take();
        let result = range.into_iter().try_for_each(|i| {
            if state.stop.load(Relaxed) {
                return Err(Stop::Cancelled);
            }
            scratch.run(state, batches.get(i))
        });
        if result.is_err() {
            state.stop.store(true, Relaxed);
        } else {
            self.learn(batches, start.elapsed().as_nanos() as f64 / count as f64);
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
