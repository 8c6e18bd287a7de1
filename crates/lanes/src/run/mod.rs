//! Runs a kernel over a range of work-groups on a rayon pool.

pub(crate) mod batch;
pub(crate) mod check;
mod tiles;

use crate::{
    analysis::uniformity::BatchShape,
    error::{Error, ErrorKind},
    interp::{Level, exec::Stop, machine::RunState},
    ir::Kernel,
};
use batch::Batches;
use check::Use;
use std::{
    marker::PhantomData,
    sync::{OnceLock, atomic::AtomicBool},
};
use tiles::Engine;

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
    kernel: Kernel,
    /// What the body really does with each binding: [`Binding::access`](crate::ir::Binding) is a claim.
    uses: Vec<Use>,
    main: Engine,
    /// For ranges with rows too short: compiled at first need.
    linear: OnceLock<Result<Engine, Error>>,
    level: Level,
    fuel: u64,
}

/// Loop iterations that a batch of few lanes may make; wider ones pay more for each. An endless empty
/// loop ends within seconds, 10^8 iterations of one invocation do not run out.
const FUEL: u64 = 1 << 28;

impl Program {
    /// Prepares a kernel: uniformity, slots, bytecode.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] past a stated cap, [`ErrorKind::Unsupported`] for an operation or access that
    /// the interpreter does not run.
    pub fn new(kernel: Kernel) -> Result<Self, Error> {
        Self::with_level(kernel, Level::detect())
    }

    /// The same with the vector loops of one instruction set (the machine's best if it lacks it); the
    /// results are the same.
    ///
    /// # Errors
    /// As for [`Program::new`].
    pub fn with_level(kernel: Kernel, level: Level) -> Result<Self, Error> {
        let level = level.min(Level::detect());
        check::kernel(&kernel)?;
        let shape = if kernel.is_cooperative() { BatchShape::Group } else { BatchShape::Row };
        let main = Engine::new(&kernel, shape, level)?;
        let uses = check::uses(&kernel);
        Ok(Program { kernel, uses, main, linear: OnceLock::new(), level, fuel: FUEL })
    }

    /// The same with another budget of loop iterations for a batch (an invocation or a few hundred). A loop
    /// that exceeds it ends with [`ErrorKind::OutOfFuel`].
    pub fn with_fuel(mut self, fuel: u64) -> Self {
        self.fuel = fuel;
        self
    }

    /// The kernel it runs.
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
        let bound = check::bind(&self.kernel, &self.uses, buffers)?;
        check::range(grid, &range)?;
        if range.is_empty() {
            return Ok(());
        }
        let size = self.kernel.workgroup_size;
        let engine = match batch::shape(self.kernel.is_cooperative(), size, &range) {
            BatchShape::Linear => {
                let linear = self.linear.get_or_init(|| Engine::new(&self.kernel, BatchShape::Linear, self.level));
                linear.as_ref().map_err(Clone::clone)?
            }
            _ => &self.main,
        };
        let stop = AtomicBool::new(false);
        let state = RunState {
            code: &engine.code,
            bound: &bound,
            groups: grid.groups,
            size,
            shape: engine.shape,
            stop: &stop,
            fuel: self.fuel,
        };
        let batches = Batches::new(engine.shape, size, &range, engine.code.capacity)?;
        engine.run(&state, &batches).map_err(|stop| self.error(stop))
    }

    fn error(&self, stop: Stop) -> Error {
        let name = &self.kernel.name;
        match stop {
            Stop::Barrier => Error::new(
                ErrorKind::NonUniformBarrier,
                format!(
                    "kernel `{name}`: a barrier was reached by a part of a work-group; all of it must reach it, or none"
                ),
            ),
            Stop::Fuel | Stop::Cancelled => Error::new(
                ErrorKind::OutOfFuel,
                format!("kernel `{name}`: a loop did not end within {} iterations", self.fuel),
            ),
        }
    }
}
