//! Bytecode: what [`lower`](super::lower) makes of a kernel and [`exec`](super::exec) runs.

use super::machine::{Exec, Ins};
use crate::ir::AtomicOp;
use naga::Span;

/// A kernel compiled for one batch shape and level.
pub(crate) struct Code {
    /// All instructions; nodes name ranges of it.
    pub(crate) ins: Vec<Ins>,
    /// The program.
    pub(crate) body: Block,
    /// Memory accesses, by [`Ins::x`].
    pub(crate) accesses: Vec<Access>,
    /// Atomics, by [`Ins::x`].
    pub(crate) atomics: Vec<Atomic>,
    /// Constants to store in scalar slots before the first batch: slot, bits, bytes.
    pub(crate) constants: Vec<(u32, u64, u32)>,
    /// Makes the mask of a branch or loop: see [`exec`](super::exec).
    pub(crate) narrow: Exec,
    /// Lanes a slot has room for, a multiple of the block size.
    pub(crate) capacity: usize,
    /// Bytes of the register file.
    pub(crate) register_bytes: usize,
    /// Slot of the mask at nesting depth 0; deeper ones follow at `mask_step`.
    pub(crate) tail_mask: u32,
    /// Bytes of work-group memory.
    pub(crate) workgroup_bytes: usize,
    /// Bytes of private memory of all lanes.
    pub(crate) private_bytes: usize,
    /// Estimated time of a full batch in ns, loops guessed.
    pub(crate) batch_ns: f64,
}

/// Nodes run one after the other.
pub(crate) type Block = Box<[Node]>;

/// A piece of structured code.
pub(crate) enum Node {
    /// Straight code: a range of [`Code::ins`].
    Run { start: u32, end: u32 },
    /// A branch on a scalar condition.
    Branch { cond: u32, then: Block, other: Block },
    /// A branch on a vector condition; `mask` is the slot of the branches' mask.
    Diverge { cond: u32, mask: u32, then: Block, other: Block },
    /// A loop all lanes leave together.
    Repeat { body: Block, again: u32, span: Span },
    /// A loop that lanes leave one by one; `mask` is the slot of the live mask.
    While { body: Block, again: u32, mask: u32, span: Span },
    /// A work-group barrier.
    Barrier { span: Span },
}

/// What a memory access is relative to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Memory {
    /// A buffer, by index.
    Binding(u32),
    /// Work-group memory at a byte.
    Workgroup(u32),
    /// Private memory of a lane at a byte.
    Private(u32),
}

/// A lowered [`Place`](crate::ir::Place).
#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) memory: Memory,
    /// Constant part in bytes.
    pub(crate) offset: u64,
    /// Indices in scalar slots.
    pub(crate) uniform: Box<[Index]>,
    /// Indices in vector slots.
    pub(crate) varying: Box<[Index]>,
}

/// A dynamic index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Index {
    /// Slot of a 32-bit index.
    pub(crate) slot: u32,
    /// Bytes from element to element.
    pub(crate) stride: u64,
    /// Elements, or `None` for the runtime-sized array of the binding.
    pub(crate) len: Option<u32>,
}

/// A lowered atomic. Operand slots are scalar or vector by the flags.
#[derive(Debug)]
pub(crate) struct Atomic {
    pub(crate) access: Access,
    pub(crate) op: AtomicOp,
    /// Vector slot for the old values.
    pub(crate) dst: Option<u32>,
    pub(crate) value: Operand,
    pub(crate) compare: Operand,
}

/// An operand of an atomic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand {
    pub(crate) slot: u32,
    pub(crate) uniform: bool,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code")
            .field("instructions", &self.ins.len())
            .field("capacity", &self.capacity)
            .field("register_bytes", &self.register_bytes)
            .field("batch_ns", &self.batch_ns)
            .finish_non_exhaustive()
    }
}
