//! What an instruction sees: the register file, the mask, the memories of the batch.
//!
//! Register offsets are bytes from [`Ctx::regs`]. A *scalar* slot holds one value in 8 bytes, a *vector*
//! slot holds one value a lane. A Bool is a 32-bit mask, all ones or zero.

use super::code::Code;
use crate::{
    analysis::uniformity::BatchShape,
    run::{batch::Batch, check::Bound},
};
use std::sync::atomic::AtomicBool;

/// Lanes of a block: one AVX-512 register of 32-bit values.
pub(crate) const W: usize = 16;

/// [`Ctx::mask`] where all lanes of the blocks `b0..b1` are live.
pub(crate) const NO_MASK: u32 = u32::MAX;

/// The code of an instruction.
///
/// # Safety
/// The instruction belongs to the code that `Ctx` runs, and the CPU has the level it was picked for.
pub(crate) type Exec = unsafe fn(&mut Ctx<'_>, &Ins);

/// An instruction: its code and operands, the meaning of which is the code's.
#[derive(Clone, Copy)]
pub(crate) struct Ins {
    pub(crate) run: Exec,
    /// Destination slot.
    pub(crate) d: u32,
    /// Operand slots.
    pub(crate) a: u32,
    pub(crate) b: u32,
    pub(crate) c: u32,
    /// Index into a side table of [`Code`], or a small constant.
    pub(crate) x: u32,
}

/// What stays the same over all batches of a run.
pub(crate) struct RunState<'r> {
    pub(crate) code: &'r Code,
    pub(crate) bound: &'r [Bound],
    pub(crate) groups: [u32; 3],
    pub(crate) size: [u32; 3],
    pub(crate) shape: BatchShape,
    /// Set after the first error: all batches stop soon.
    pub(crate) stop: &'r AtomicBool,
    /// Loop iterations a batch may make.
    pub(crate) fuel: u64,
}

/// The state of one batch.
pub(crate) struct Ctx<'r> {
    pub(crate) run: &'r RunState<'r>,
    pub(crate) regs: *mut u8,
    pub(crate) workgroup: *mut u8,
    pub(crate) private: *mut u8,
    /// Local ids of the lanes on each axis, for batches of one work-group.
    pub(crate) local: &'r [Vec<u32>; 3],
    pub(crate) batch: Batch,
    /// First and one past the last block with a live lane.
    pub(crate) b0: usize,
    pub(crate) b1: usize,
    /// Slot of the execution mask, or [`NO_MASK`].
    pub(crate) mask: u32,
    pub(crate) fuel: u64,
}

/// A type that lanes hold.
pub(crate) trait Lane: Copy + Default + Send + Sync + 'static {
    const BYTES: usize = size_of::<Self>();
}

impl Lane for u32 {}
impl Lane for i32 {}
impl Lane for f32 {}
impl Lane for u64 {}
impl Lane for i64 {}
impl Lane for f64 {}

impl Ctx<'_> {
    /// A slot as a pointer to its first lane (or its scalar).
    #[inline(always)]
    pub(crate) fn at<T: Lane>(&self, slot: u32) -> *mut T {
        self.regs.wrapping_add(slot as usize).cast()
    }

    /// Reads a scalar slot.
    ///
    /// # Safety
    /// `slot` is a scalar slot of a value of `T`'s size.
    #[inline(always)]
    pub(crate) unsafe fn scalar<T: Lane>(&self, slot: u32) -> T {
        // SAFETY: the caller's promise.
        unsafe { self.at::<T>(slot).read() }
    }

    /// Reads a block of a vector slot.
    ///
    /// # Safety
    /// `slot` is a vector slot of `T`'s size and `block` is below its number of blocks.
    #[inline(always)]
    pub(crate) unsafe fn block<T: Lane>(&self, slot: u32, block: usize) -> [T; W] {
        // SAFETY: the caller's promise.
        unsafe { self.at::<[T; W]>(slot).wrapping_add(block).read() }
    }

    /// Writes a block of a vector slot.
    ///
    /// # Safety
    /// As for [`Ctx::block`].
    #[inline(always)]
    pub(crate) unsafe fn put<T: Lane>(&mut self, slot: u32, block: usize, value: [T; W]) {
        // SAFETY: the caller's promise.
        unsafe { self.at::<[T; W]>(slot).wrapping_add(block).write(value) }
    }

    /// The execution mask of a block.
    ///
    /// # Safety
    /// `block` is below the number of blocks.
    #[inline(always)]
    pub(crate) unsafe fn mask_block(&self, block: usize) -> [u32; W] {
        if self.mask == NO_MASK {
            return [!0; W];
        }
        // SAFETY: the mask slot is a vector slot of 32-bit masks.
        unsafe { self.block(self.mask, block) }
    }
}

impl<T: Lane, const N: usize> Lane for [T; N] where [T; N]: Default {}
