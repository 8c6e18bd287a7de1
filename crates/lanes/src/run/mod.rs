//! Runs a kernel over a range of work-groups on a rayon pool.

use crate::{error::Error, ir::Kernel};
use std::marker::PhantomData;

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
}

impl Program {
    /// Prepares a kernel: uniformity, slots, bytecode.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) past a stated cap.
    pub fn new(kernel: Kernel) -> Result<Self, Error> {
        Ok(Program { kernel })
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
        let _ = (buffers, grid, range);
        unimplemented!()
    }
}
