//! Runs batches over the current rayon pool.
//!
//! A run that should be short starts on the caller's thread, and what is left goes to the pool when the
//! first batches show that it is not. What is expected is what the last run took; before the first, an
//! estimate in which each loop makes 50 trips. A batch has fewer lanes than the code takes at most where threads would
//! otherwise have few batches, and unlike ones.
//!
//! The caller works on a longer run at once, and threads of the pool come to help: all take batches from one
//! [`Share`], each with one scratch, and the caller waits for nobody while there are any left. No lock is held while
//! batches run: a scratch is taken from and returned to a stack under a mutex held only for that. A run made from inside
//! a rayon worker works in that worker's pool.

use super::{GroupRange, batch::Batches, share::Share};
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
        machine::{RunState, W},
    },
    ir::Kernel,
    run::check::Bound,
};
use rayon::Scope;
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

/// A run expected below this is made on the caller's thread: waking the pool costs as much.
const INLINE_NS: f64 = 20_000.0;
/// Least estimated time that a thread is asked to help for: waking it takes some 50 us where it has slept for long.
const HELP_NS: f64 = 10_000.0;
/// Least estimated time of a batch of fewer lanes than the code takes.
const BATCH_NS: f64 = 5_000.0;
/// Batches for each thread, so that they end together.
const BATCHES_PER_THREAD: f64 = 64.0;
/// What a batch takes whatever its lanes do, ns: the way into the code, a look at the clock.
const ENTER_NS: f64 = 80.0;
/// Most lanes of a batch of the first run, of which nothing is known.
const UNKNOWN_LANES: usize = 2048;
/// A run of one batch is timed once in so many: two looks at the clock are a good part of a short one.
const TIMED_EACH: u32 = 16;
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
    /// Most lanes of a batch.
    capacity: usize,
    /// Lanes that code works on at once.
    block: usize,
    size: [u32; 3],
    #[expect(clippy::vec_box, reason = "what changes hands at each call is small")]
    idle: Mutex<Vec<Box<Scratch>>>,
    /// Bits of the last known time of a full batch in ns. Any thread stores it, none waits for it: relaxed.
    full_batch_ns: AtomicU64,
    /// Runs begun, as far as threads see each other's: a hint.
    runs: AtomicU32,
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
        Ok(Self::of(Body::Bytecode(code), kernel, shape, [capacity, W], ns))
    }

    /// Compiles a kernel to machine code.
    ///
    /// # Errors
    /// Why it cannot be, in words.
    #[cfg(all(feature = "jit", target_arch = "x86_64"))]
    pub(crate) fn native(kernel: &Kernel, shape: BatchShape, level: Level) -> Result<Self, String> {
        let code = native::Native::new(kernel, shape, level)?;
        let (lanes, ns) = ([code.capacity, code.block], code.batch_ns);
        Ok(Self::of(Body::Native(code), kernel, shape, lanes, ns))
    }

    /// Compiles a kernel to machine code.
    ///
    /// # Errors
    /// Why it cannot be, in words.
    #[cfg(not(all(feature = "jit", target_arch = "x86_64")))]
    pub(crate) fn native(_: &Kernel, _: BatchShape, _: Level) -> Result<Self, String> {
        Err("machine code is made for x86-64 only, with the feature `jit`".into())
    }

    /// `lanes`: of a full batch, and those that code works on at once.
    fn of(body: Body, kernel: &Kernel, shape: BatchShape, lanes: [usize; 2], full_batch_ns: f64) -> Self {
        let [capacity, block] = lanes;
        let (full_batch_ns, runs) = (AtomicU64::new(full_batch_ns.to_bits()), AtomicU32::new(0));
        let (size, idle) = (kernel.workgroup_size, Mutex::new(Vec::new()));
        Machine { body, shape, capacity, block, size, idle, full_batch_ns, runs }
    }

    /// Cuts a range into batches.
    pub(crate) fn batches(&self, range: &GroupRange) -> Batches {
        Batches::new(self.shape, self.size, range, self.lanes_of_batch(range), self.is_native())
    }

    /// Most lanes of the batches of a range.
    fn lanes_of_batch(&self, range: &GroupRange) -> usize {
        if self.shape == BatchShape::Group {
            return self.capacity;
        }
        let lane_ns = self.batch_ns() / self.capacity as f64;
        let all_ns = lane_ns * range.count() as f64 * self.size.iter().map(|s| f64::from(*s)).product::<f64>();
        let unknown = self.runs.load(Relaxed) == 0;
        if all_ns < INLINE_NS && !unknown {
            return self.capacity;
        }
        let threads = rayon::current_num_threads();
        if threads == 1 {
            return self.capacity;
        }
        let even = all_ns / (threads as f64 * BATCHES_PER_THREAD);
        let most = if unknown { self.capacity.min(UNKNOWN_LANES) } else { self.capacity };
        let wanted = (even.max(BATCH_NS) / lane_ns) as usize;
        wanted.next_multiple_of(self.block).max(2 * self.block).min(most)
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
        let runs = self.runs.load(Relaxed);
        self.runs.store(runs.wrapping_add(1).max(1), Relaxed);
        if batches.count == 1 && !runs.is_multiple_of(TIMED_EACH) {
            // Nothing to divide, nothing to learn.
            self.with_scratch(|scratch| self.batch(scratch, call, batches.get(0)))?;
            call.ended(1);
            return Ok(());
        }
        let each = self.batch_ns() * self.fullness(batches);
        if each * (batches.count as f64) < INLINE_NS || batches.count == 1 {
            self.begin_inline(call, batches)
        } else {
            self.spread(call, batches, 0, each)
        }
    }

    /// What a full batch is expected to take, ns.
    fn batch_ns(&self) -> f64 {
        f64::from_bits(self.full_batch_ns.load(Relaxed))
    }

    /// Lanes of a batch over those of a full one.
    fn fullness(&self, batches: &Batches) -> f64 {
        batches.lanes() as f64 / self.capacity as f64
    }

    /// Remembers that batches took `each` ns.
    fn learn(&self, batches: &Batches, each: f64) {
        // What a batch takes without any lanes is not multiplied.
        let lanes_ns = (each - ENTER_NS).max(0.1 * each);
        self.full_batch_ns.store((lanes_ns / self.fullness(batches)).to_bits(), Relaxed);
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
        self.spread(call, batches, done, each)
    }

    /// Runs batches from one on, which take `each` ns, on this thread and those of the pool that are free.
    fn spread(&self, call: &Call<'_>, batches: &Batches, first: u64, each: f64) -> Result<(), Stop> {
        let left = batches.count - first;
        let worth = (each * left as f64 / HELP_NS) as u64;
        let threads = (rayon::current_num_threads() as u64).min(worth).min(left).max(1);
        let share = Share::new(first..batches.count, threads, each);
        let ended = Mutex::new(Ok(()));
        let work = || {
            let own = self.work(call, batches, &share);
            if own.is_err() {
                let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
                if matches!(*ended, Ok(()) | Err(Stop::Cancelled)) {
                    *ended = own;
                }
            }
        };
        if threads == 1 {
            work();
        } else {
            rayon::in_place_scope(|scope| work_together(scope, threads, &work));
        }
        ended.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs batches until none are left.
    fn work(&self, call: &Call<'_>, batches: &Batches, share: &Share) -> Result<(), Stop> {
        let start = Instant::now();
        let mut count = 0;
        let result = self.with_scratch(|scratch| {
            while let Some(part) = share.take() {
                let before = count;
                let run = part.into_iter().try_for_each(|i| {
                    if call.stop.load(Relaxed) {
                        return Err(Stop::Cancelled);
                    }
                    self.batch(scratch, call, batches.get(i))?;
                    count += 1;
                    Ok(())
                });
                call.ended(count - before);
                run?;
            }
            Ok(())
        });
        if result.is_err() {
            call.stop.store(true, Relaxed);
        } else if count > 0 {
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

/// Runs `work` on this thread, and on others of the pool until there are `threads`. Each that is woken wakes half of those
/// that are still to come: no thread wakes many.
fn work_together<'s>(scope: &Scope<'s>, mut threads: u64, work: &'s (impl Fn() + Sync)) {
    while threads > 1 {
        let half = threads / 2;
        scope.spawn(move |scope| work_together(scope, half, work));
        threads -= half;
    }
    work();
}
