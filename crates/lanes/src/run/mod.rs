//! Runs a kernel over a range of work-groups on a rayon pool.

pub(crate) mod batch;
mod cache;
pub(crate) mod check;
mod settings;
mod share;
pub(crate) mod tiles;
mod watch;

use crate::{
    Few,
    analysis::uniformity::BatchShape,
    error::{Error, ErrorKind},
    interp::{Level, exec::Stop},
    ir::Kernel,
    passes,
};
use batch::Batches;
use check::Use;
use naga::Span;
use std::{
    marker::PhantomData,
    sync::{OnceLock, atomic::AtomicBool},
};
use tiles::{Call, Machine};

pub use settings::{Engine, Settings};
pub use watch::Watch;

/// The logical grid of a call: work-groups on each axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grid {
    /// `num_workgroups` as the kernel sees it.
    pub groups: [u32; 3],
}

/// A box of work-groups, `start` inclusive, `end` exclusive, in the grid's coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupRange {
    /// First work-group.
    pub start: [u32; 3],
    /// One past the last, per axis.
    pub end: [u32; 3],
}

impl GroupRange {
    /// The whole grid.
    pub fn all(grid: Grid) -> Self {
        GroupRange { start: [0; 3], end: grid.groups }
    }

    /// Work-groups inside.
    pub fn count(&self) -> u64 {
        (0..3).map(|a| u64::from(self.end[a].saturating_sub(self.start[a]))).product()
    }

    /// Whether it holds no work-group.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Cut at `at` on `axis`: the part before and the part from there on.
    pub fn split_at(&self, axis: usize, at: u32) -> (Self, Self) {
        let at = at.clamp(self.start[axis], self.end[axis]);
        let (mut front, mut back) = (*self, *self);
        front.end[axis] = at;
        back.start[axis] = at;
        (front, back)
    }
}

/// A buffer bound to a kernel: raw memory that outlives the run.
///
/// Kernels may write the same buffer from many threads, as on a GPU, so this is a pointer and
/// not a slice. A data race in the *kernel* gives an unspecified value in the raced bytes only.
#[derive(Clone, Copy, Debug)]
pub struct Buffer<'a> {
    pub(crate) ptr: *mut u8,
    pub(crate) len: u64,
    pub(crate) writable: bool,
    _life: PhantomData<&'a mut [u8]>,
}

// SAFETY: the pointer is to plain bytes that the creator keeps alive and shares for the run.
unsafe impl Send for Buffer<'_> {}
// SAFETY: as above; concurrent access is by kernels, whose races are confined to the buffer's bytes.
unsafe impl Sync for Buffer<'_> {}

impl Default for Buffer<'_> {
    /// No bytes.
    fn default() -> Self {
        Buffer::read(&[])
    }
}

impl<'a> Buffer<'a> {
    /// A buffer the kernel may only read. A program that writes it is refused at `run`.
    pub fn read(bytes: &'a [u8]) -> Self {
        Buffer { ptr: bytes.as_ptr().cast_mut(), len: bytes.len() as u64, writable: false, _life: PhantomData }
    }

    /// A buffer the kernel may write.
    pub fn write(bytes: &'a mut [u8]) -> Self {
        Buffer { ptr: bytes.as_mut_ptr(), len: bytes.len() as u64, writable: true, _life: PhantomData }
    }

    /// A buffer from raw parts, for callers who run disjoint ranges of one call on several devices.
    ///
    /// # Safety
    /// `ptr` is valid for reads (and for writes if `writable`) of `len` bytes for `'a`, and no
    /// Rust reference to the bytes is used while a program runs on it.
    pub unsafe fn from_raw(ptr: *mut u8, len: u64, writable: bool) -> Self {
        Buffer { ptr, len, writable, _life: PhantomData }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// A kernel ready to run on the CPU.
#[derive(Debug)]
pub struct Program {
    /// As it was given.
    kernel: Kernel,
    /// What runs: the same after the passes.
    prepared: Kernel,
    /// What the body really does with each binding: [`Binding::access`](crate::ir::Binding) is a claim.
    uses: Vec<Use>,
    main: Machine,
    /// Whether invocations of a work-group can see each other.
    cooperative: bool,
    /// For ranges with rows too short: compiled at first need.
    linear: OnceLock<Result<Machine, Error>>,
    /// Bytecode for buffers too large for machine code: compiled at first need.
    wide: OnceLock<Result<Machine, Error>>,
    level: Level,
    native: bool,
    fallback: Option<String>,
    fuel: u64,
    /// Bytes of results from which on they go past the caches.
    past_from: u64,
    /// Bytes of results of an invocation, all bindings together.
    result_bytes: u64,
}

/// Machine code computes offsets of gathers in 31 bits.
const NATIVE_BYTES: u64 = 1 << 31;

impl Program {
    /// Prepares a kernel with the default [`Settings`].
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] past a stated cap, [`ErrorKind::Unsupported`] for an operation or access that
    /// the interpreter does not run.
    pub fn new(kernel: Kernel) -> Result<Self, Error> {
        Self::with(kernel, &Settings::default())
    }

    /// Prepares a kernel: passes, uniformity, machine code or bytecode.
    ///
    /// # Errors
    /// As for [`Program::new`].
    pub fn with(kernel: Kernel, settings: &Settings) -> Result<Self, Error> {
        check::kernel(&kernel)?;
        let prepared = passes::optimize(kernel.clone(), settings.contract);
        Self::compiled(kernel, prepared, settings)
    }

    /// The same program for another engine and fuel. The passes are not run again: sums are contracted as they are in
    /// this one.
    ///
    /// # Errors
    /// As for [`Program::new`].
    ///
    /// ```
    /// use evener_lanes::{Engine, Level, Module, Program, Settings};
    ///
    /// let source = "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
    ///     @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = id.x; }";
    /// let program = Program::new(Module::parse(source)?.lower("main")?)?;
    /// let slow = program.on(&Settings::default().engine(Engine::Interpreter(Level::Baseline)))?;
    /// assert!(!slow.is_native());
    /// # Ok::<(), evener_lanes::Error>(())
    /// ```
    pub fn on(&self, settings: &Settings) -> Result<Self, Error> {
        Self::compiled(self.kernel.clone(), self.prepared.clone(), settings)
    }

    /// Machine code or bytecode for a kernel after the passes.
    fn compiled(kernel: Kernel, prepared: Kernel, settings: &Settings) -> Result<Self, Error> {
        let (level, wanted) = match settings.engine {
            Engine::Interpreter(level) => (level.min(Level::detect()), false),
            Engine::Jit(level) => (level.min(Level::detect()), true),
            Engine::Auto => (Level::detect(), true),
        };
        let cooperative = prepared.is_cooperative();
        let shape = if cooperative { BatchShape::Group } else { BatchShape::Row };
        let native = if wanted { Machine::native(&prepared, shape, level).map_err(Some) } else { Err(None) };
        let (main, native, fallback) = match native {
            Ok(machine) => (machine, true, None),
            Err(why) => (Machine::bytecode(&prepared, shape, level)?, false, why),
        };
        let uses = check::uses(&kernel);
        let result_bytes = uses.iter().map(Use::result_bytes).sum();
        let (linear, wide) = (OnceLock::new(), OnceLock::new());
        Ok(Program {
            kernel,
            prepared,
            uses,
            main,
            cooperative,
            linear,
            wide,
            level,
            native,
            fallback,
            fuel: settings.fuel,
            past_from: settings.past_from,
            result_bytes,
        })
    }

    /// Whether machine code runs.
    pub fn is_native(&self) -> bool {
        self.native
    }

    /// Why the interpreter runs although machine code was wanted.
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// The machine for a range and its buffers.
    fn machine(&self, range: &GroupRange, large: bool) -> Result<&Machine, Error> {
        let shape = batch::shape(self.cooperative, self.prepared.workgroup_size, range);
        let cell = match (shape, large && self.native) {
            (_, true) => &self.wide,
            (BatchShape::Linear, false) => &self.linear,
            _ => return Ok(&self.main),
        };
        let make = || {
            if self.native
                && !large
                && let Ok(machine) = Machine::native(&self.prepared, shape, self.level)
            {
                return Ok(machine);
            }
            // Any invocations will do where they do not cooperate: one bytecode serves rows short and long.
            let shape = if shape == BatchShape::Group { shape } else { BatchShape::Linear };
            Machine::bytecode(&self.prepared, shape, self.level)
        };
        cell.get_or_init(make).as_ref().map_err(Clone::clone)
    }

    /// The kernel as it was given.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// Runs the work-groups of `range` of a call over `grid`, in parallel on the current rayon pool
    /// (inline on the caller when that is cheaper). `buffers` are in the order of
    /// [`Kernel::bindings`].
    ///
    /// # Errors
    /// A buffer too small for its binding's fixed part or not writable, a barrier reached by a part of a
    /// group, or a loop that exceeds the fuel. After an error the written buffers hold partial results.
    pub fn run(&self, buffers: &[Buffer<'_>], grid: Grid, range: GroupRange) -> Result<(), Error> {
        self.start(buffers, grid, range, None)
    }

    /// The same under a [`Watch`]: told to stop, it returns between two batches of invocations, and the written buffers hold
    /// partial results unless the watch says that it is complete.
    ///
    /// # Errors
    /// As for [`Program::run`].
    pub fn run_watched(
        &self,
        buffers: &[Buffer<'_>],
        grid: Grid,
        range: GroupRange,
        watch: &Watch,
    ) -> Result<(), Error> {
        self.start(buffers, grid, range, Some(watch))
    }

    fn start(&self, buffers: &[Buffer<'_>], grid: Grid, range: GroupRange, watch: Option<&Watch>) -> Result<(), Error> {
        let mut bound = Few::new();
        check::bind(&self.kernel, &self.uses, buffers, &mut bound)?;
        check::range(grid, &range)?;
        if range.is_empty() {
            watch.inspect(|w| w.came(1.0));
            return Ok(());
        }
        let large = buffers.iter().any(|b| b.len >= NATIVE_BYTES);
        let machine = self.machine(&range, large)?;
        let size = self.kernel.workgroup_size;
        let stop = AtomicBool::new(false);
        let (stop, done) = watch.map_or((&stop, None), |w| (&w.stop, Some(&w.done)));
        let past = self.is_past_caches(buffers, &range);
        let call = Call { bound: &bound, groups: grid.groups, size, stop, done, fuel: self.fuel, past };
        Batches::check(size, &range)?;
        let batches = machine.batches(&range);
        watch.inspect(|w| w.begin(batches.count));
        match machine.run(&call, &batches) {
            Err(Stop::Cancelled) if watch.is_some() => Ok(()),
            ran => ran.map_err(|stop| self.error(stop)),
        }
    }

    /// Whether the results of a range, which the kernel does not read, are too many for the caches.
    fn is_past_caches(&self, buffers: &[Buffer<'_>], range: &GroupRange) -> bool {
        let group: u64 = self.kernel.workgroup_size.iter().map(|s| u64::from(*s)).product();
        let invocations = range.count().saturating_mul(group);
        if self.result_bytes.saturating_mul(invocations) < self.past_from {
            return false;
        }
        // Invocations past the end of a buffer store nothing there.
        let bytes =
            |(used, buffer): (&Use, &Buffer<'_>)| used.result_bytes().saturating_mul(invocations).min(buffer.len);
        self.uses.iter().zip(buffers).map(bytes).fold(0, u64::saturating_add) >= self.past_from
    }

    fn error(&self, stop: Stop) -> Error {
        let name = &self.kernel.name;
        let (kind, span, what) = match stop {
            Stop::Barrier(span) => {
                let what = "a barrier was reached by a part of a work-group; all of it must reach it, or none";
                (ErrorKind::NonUniformBarrier, span, what.to_string())
            }
            Stop::Fuel { span, .. } => {
                (ErrorKind::OutOfFuel, span, format!("a loop did not end within {} iterations", self.fuel))
            }
            Stop::Cancelled => (ErrorKind::OutOfFuel, Span::UNDEFINED, "the run was given up".to_string()),
        };
        Error::new(kind, format!("kernel `{name}`: {what}")).at(span, &self.kernel.source)
    }
}
