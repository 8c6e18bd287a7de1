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
#[cfg(all(feature = "jit", target_arch = "x86_64"))]
use crate::jit::native;
use crate::{
    analysis::uniformity::BatchShape,
    error::Error,
    interp::{
        Level,
        code::Code,
        exec::{self, Stop},
        lower::lower,
        machine::RunState,
    },
    ir::Kernel,
    run::check::Bound,
};
use std::{
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
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

/// What stays the same over all batches of a run.
pub(crate) struct Call<'r> {
    pub(crate) bound: &'r [Bound],
    pub(crate) groups: [u32; 3],
    pub(crate) size: [u32; 3],
    /// Set after the first error: all batches stop soon.
    pub(crate) stop: &'r AtomicBool,
    /// Counts the batches that have ended, where somebody watches.
    pub(crate) done: Option<&'r AtomicU64>,
    /// Loop iterations a batch may make.
    pub(crate) fuel: u64,
    /// Results go past the caches, which they would fill several times.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "machine code alone stores so"))]
    pub(crate) past: bool,
}

impl Call<'_> {
    fn ended(&self, batches: u64) {
        if let Some(done) = self.done {
            done.fetch_add(batches, Relaxed);
        }
    }
}

/// What a kernel was compiled to.
#[derive(Debug)]
enum Body {
    Bytecode(Code),
    #[cfg(all(feature = "jit", target_arch = "x86_64"))]
    Native(native::Native),
}

/// The memories of a thread.
enum Scratch {
    Bytecode(exec::Scratch),
    #[cfg(all(feature = "jit", target_arch = "x86_64"))]
    Native(native::Scratch),
    /// Of machine code that works on registers and bindings alone.
    #[cfg(all(feature = "jit", target_arch = "x86_64"))]
    None,
}

/// A kernel compiled for one batch shape, with memories to run it.
pub(crate) struct Machine {
    body: Body,
    pub(crate) shape: BatchShape,
    /// Lanes of a full batch.
    pub(crate) capacity: usize,
    size: [u32; 3],
    #[expect(clippy::vec_box, reason = "what changes hands at each call is small")]
    idle: Mutex<Vec<Box<Scratch>>>,
    /// Bits of the last known time of a full batch in ns. Any thread stores it, none waits for it: relaxed.
    full_batch_ns: AtomicU64,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("body", &self.body).field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Machine {
    /// Compiles a kernel to bytecode.
    ///
    /// # Errors
    /// As for [`lower`].
    pub(crate) fn bytecode(kernel: &Kernel, shape: BatchShape, level: Level) -> Result<Self, Error> {
        let code = lower(kernel, shape, level)?;
        let (capacity, ns) = (code.capacity, code.batch_ns);
        Ok(Self::of(Body::Bytecode(code), kernel, shape, capacity, ns))
    }

    /// Compiles a kernel to machine code.
    ///
    /// # Errors
    /// Why it cannot be, in words.
    #[cfg(all(feature = "jit", target_arch = "x86_64"))]
    pub(crate) fn native(kernel: &Kernel, shape: BatchShape, level: Level) -> Result<Self, String> {
        let code = native::Native::new(kernel, shape, level)?;
        let (capacity, ns) = (code.capacity, code.batch_ns);
        Ok(Self::of(Body::Native(code), kernel, shape, capacity, ns))
    }

    /// Compiles a kernel to machine code.
    ///
    /// # Errors
    /// Why it cannot be, in words.
    #[cfg(not(all(feature = "jit", target_arch = "x86_64")))]
    pub(crate) fn native(_: &Kernel, _: BatchShape, _: Level) -> Result<Self, String> {
        Err("machine code is made for x86-64 only, with the feature `jit`".into())
    }

    fn of(body: Body, kernel: &Kernel, shape: BatchShape, capacity: usize, full_batch_ns: f64) -> Self {
        let full_batch_ns = AtomicU64::new(full_batch_ns.to_bits());
        Machine { body, shape, capacity, size: kernel.workgroup_size, idle: Mutex::new(Vec::new()), full_batch_ns }
    }

    /// Whether it is machine code.
    pub(crate) fn is_native(&self) -> bool {
        !matches!(self.body, Body::Bytecode(_))
    }

    fn batch(&self, scratch: &mut Scratch, call: &Call<'_>, batch: super::batch::Batch) -> Result<(), Stop> {
        match (&self.body, scratch) {
            (Body::Bytecode(code), Scratch::Bytecode(scratch)) => {
                let Call { bound, groups, size, stop, fuel, .. } = *call;
                scratch.run(&RunState { code, bound, groups, size, shape: self.shape, stop, fuel }, batch)
            }
            #[cfg(all(feature = "jit", target_arch = "x86_64"))]
            (Body::Native(code), Scratch::None) => code.run_alone(call, &batch),
            #[cfg(all(feature = "jit", target_arch = "x86_64"))]
            (Body::Native(code), Scratch::Native(scratch)) => scratch.run(code, call, &batch),
            #[cfg(all(feature = "jit", target_arch = "x86_64"))]
            (Body::Bytecode(_), Scratch::Native(_) | Scratch::None) | (Body::Native(_), Scratch::Bytecode(_)) => {
                unreachable!("a machine's scratches are its own")
            }
        }
    }

    /// Runs all batches.
    ///
    /// # Errors
    /// The first failure that is not a cancellation.
    pub(crate) fn run(&self, call: &Call<'_>, batches: &Batches) -> Result<(), Stop> {
        if batches.count == 1 {
            // Nothing to divide, nothing to learn.
            self.with_scratch(|scratch| self.batch(scratch, call, batches.get(0)))?;
            call.ended(1);
            return Ok(());
        }
        if rayon::current_num_threads() == 1 {
            return self.tile(call, batches, 0..batches.count);
        }
        let each = f64::from_bits(self.full_batch_ns.load(Relaxed)) * self.fullness(batches);
        if each * (batches.count as f64) < INLINE_NS {
            self.begin_inline(call, batches)
        } else {
            self.spread(call, batches, 0..batches.count, each)
        }
    }

    /// What a batch costs of what a full one does.
    fn fullness(&self, batches: &Batches) -> f64 {
        (batches.lanes() as f64 / self.capacity as f64).max(0.1)
    }

    /// Remembers that batches took `each` ns.
    fn learn(&self, batches: &Batches, each: f64) {
        self.full_batch_ns.store((each / self.fullness(batches)).to_bits(), Relaxed);
    }

    /// Runs batches on this thread as long as what is left does not look worth waking the pool.
    fn begin_inline(&self, call: &Call<'_>, batches: &Batches) -> Result<(), Stop> {
        let start = Instant::now();
        let mut each = 0.0;
        let done = self.with_scratch(|scratch| {
            for i in 0..batches.count {
                self.batch(scratch, call, batches.get(i))?;
                each = start.elapsed().as_nanos() as f64 / (i + 1) as f64;
                if each * (batches.count - (i + 1)) as f64 > INLINE_NS {
                    return Ok(i + 1);
                }
            }
            Ok(batches.count)
        })?;
        call.ended(done);
        self.learn(batches, each);
        if done == batches.count {
            return Ok(());
        }
        self.spread(call, batches, done..batches.count, each)
    }

    /// Runs batches that take `each` ns on the pool.
    fn spread(&self, call: &Call<'_>, batches: &Batches, range: Range<u64>, each: f64) -> Result<(), Stop> {
        let threads = rayon::current_num_threads() as u64;
        let even = (range.end - range.start) / (threads * TILES_PER_THREAD);
        let tile = ((TILE_NS / each) as u64).min(even).max(1);
        self.split(call, batches, range, tile)
    }

    fn split(&self, call: &Call<'_>, batches: &Batches, range: Range<u64>, tile: u64) -> Result<(), Stop> {
        if range.end - range.start <= tile {
            return self.tile(call, batches, range);
        }
        let middle = range.start + (range.end - range.start) / 2;
        let (front, back) = rayon::join(
            || self.split(call, batches, range.start..middle, tile),
            || self.split(call, batches, middle..range.end, tile),
        );
        match (front, back) {
            (Err(Stop::Cancelled), Err(back)) => Err(back),
            (front, back) => front.and(back),
        }
    }

    fn tile(&self, call: &Call<'_>, batches: &Batches, range: Range<u64>) -> Result<(), Stop> {
        let start = Instant::now();
        let count = range.end - range.start;
        let mut ended = 0;
        let result = self.with_scratch(|scratch| {
            range.into_iter().try_for_each(|i| {
                if call.stop.load(Relaxed) {
                    return Err(Stop::Cancelled);
                }
                self.batch(scratch, call, batches.get(i))?;
                ended += 1;
                Ok(())
            })
        });
        call.ended(ended);
        if result.is_err() {
            call.stop.store(true, Relaxed);
        } else {
            self.learn(batches, start.elapsed().as_nanos() as f64 / count as f64);
        }
        result
    }

    /// Runs `f` with the memories of a thread: those of an earlier run, if there are any. Code that needs none waits for no
    /// lock: two are a good part of a short call.
    fn with_scratch<R>(&self, f: impl FnOnce(&mut Scratch) -> R) -> R {
        #[cfg(all(feature = "jit", target_arch = "x86_64"))]
        if let Body::Native(code) = &self.body
            && code.needs_no_memory()
        {
            return f(&mut Scratch::None);
        }
        let mut scratch = self.take();
        let result = f(&mut scratch);
        self.give(scratch);
        result
    }

    fn take(&self) -> Box<Scratch> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| {
            Box::new(match &self.body {
                Body::Bytecode(code) => Scratch::Bytecode(exec::Scratch::new(code, self.shape, self.size)),
                #[cfg(all(feature = "jit", target_arch = "x86_64"))]
                Body::Native(code) => Scratch::Native(native::Scratch::new(code)),
            })
        })
    }

    fn give(&self, scratch: Box<Scratch>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(scratch);
        }
    }
}
