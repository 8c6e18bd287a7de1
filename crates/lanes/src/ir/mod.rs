//! The lane IR: what a WGSL entry point becomes once overrides are resolved, functions inlined and
//! variables turned into SSA values.
//!
//! It is *structured, predicated SSA over scalars*. One program text describes one invocation; a
//! back end runs many invocations ("lanes") in lock step.
//!
//! - Every [`Value`] is a scalar. Vectors, matrices, structs and small arrays are their components.
//! - Control flow is only [`Inst::If`] and [`Inst::Loop`]. `break`, `continue`, `return` and
//!   `switch` were lowered to conditions by the front end, so a guard always encloses what it guards.
//! - Inside a region, an instruction runs *for the lanes in the region's execution mask*. The mask
//!   is implicit: `if c` runs `then` under `mask & c` and `else` under `mask & !c`; a loop keeps a lane
//!   while its `again` condition holds. Pure operations are total, so a back end may run them for any
//!   lane; only stores, atomics, [subgroup operations](subgroup) and loop exits must honour the mask.
//! - Memory is reached through a [`Place`], a symbolic access path, never through raw addresses:
//!   the footprint analysis, the address classes and the bounds test read the same path.
//!
//! Types: [`Kernel`], [`Region`], [`Inst`], [`Op`], [`Place`]. [`verify`] checks a kernel, [`text`] prints one and
//! [`parse`] reads it back.

pub mod builder;
pub mod fold;
pub mod half;
mod operators;
pub mod parse;
pub(crate) mod simplify;
pub mod subgroup;
pub mod text;
pub mod verify;
pub(crate) mod weight;

use naga::Span;
pub use operators::{AtomicOp, BinaryOp, UnaryOp};
use std::sync::Arc;
pub use subgroup::{SUBGROUP_LANES, SubgroupOp};

/// The scalar types of the IR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    /// A truth value. In private and work-group memory it takes 4 bytes, 0 or 1.
    Bool,
    /// 32-bit signed integer, wrapping.
    I32,
    /// 32-bit unsigned integer, wrapping.
    U32,
    /// 64-bit signed integer, wrapping.
    I64,
    /// 64-bit unsigned integer, wrapping.
    U64,
    /// IEEE binary16, as memory holds it. See [`Ty::is_memory_only`].
    F16,
    /// 16-bit signed integer, as memory holds it.
    I16,
    /// 16-bit unsigned integer, as memory holds it.
    U16,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
}

impl Ty {
    /// Bytes that a value takes in memory.
    pub fn bytes(self) -> u32 {
        match self {
            Ty::F16 | Ty::I16 | Ty::U16 => 2,
            Ty::Bool | Ty::I32 | Ty::U32 | Ty::F32 => 4,
            Ty::I64 | Ty::U64 | Ty::F64 => 8,
        }
    }

    /// Whether this is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, Ty::F16 | Ty::F32 | Ty::F64)
    }

    /// Whether this is a signed integer type.
    pub fn is_signed(self) -> bool {
        matches!(self, Ty::I16 | Ty::I32 | Ty::I64)
    }

    /// Whether values of the type are only constants, loaded, stored, converted to and from their [carrier](Ty::carrier),
    /// and bitcast among each other. A register holds their 16 bits with zeros above. Nothing is computed in these types:
    /// the front end computes in the carrier and rounds (or wraps) each result to a value that the 16-bit type has.
    pub fn is_memory_only(self) -> bool {
        self.bytes() == 2
    }

    /// The type in which values of this type are computed: F32 for F16, I32 for I16, U32 for U16, else the type itself.
    pub fn carrier(self) -> Ty {
        match self {
            Ty::F16 => Ty::F32,
            Ty::I16 => Ty::I32,
            Ty::U16 => Ty::U32,
            _ => self,
        }
    }
}

/// An SSA value: index into [`Kernel::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub u32);

impl Value {
    /// The value's index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One compute entry point, lowered.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Name of the entry point.
    pub name: String,
    /// The WGSL text that the spans point into; empty where it is not known.
    pub source: Arc<str>,
    /// Invocations of a work-group on each axis.
    pub workgroup_size: [u32; 3],
    /// Storage and uniform buffers that the entry point really uses, sorted by (group, binding).
    pub bindings: Vec<Binding>,
    /// Work-group variables; zeroed at the start of each work-group.
    pub workgroup: Vec<Variable>,
    /// Per-invocation memory: what could not become SSA values (indexed at run time).
    /// Zeroed at the start of each invocation; the front end stores initial values explicitly.
    pub private: Vec<Variable>,
    /// The type of each value.
    pub values: Vec<Ty>,
    /// The program.
    pub body: Region,
}

/// Address space of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// `var<uniform>`: known to the host when a call is planned.
    Uniform,
    /// `var<storage, ..>`.
    Storage,
}

/// How a binding is really used by the entry point (not how it is declared).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Access {
    /// Loaded from.
    pub read: bool,
    /// Stored to.
    pub write: bool,
    /// Used by atomics.
    pub atomic: bool,
}

/// A buffer binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The variable's name in the source.
    pub name: String,
    /// `@group`.
    pub group: u32,
    /// `@binding`.
    pub binding: u32,
    /// Address space.
    pub space: Space,
    /// Real use.
    pub access: Access,
    /// Bytes before the runtime-sized array, or of the whole type where there is none.
    pub fixed_bytes: u32,
    /// Stride in bytes of the runtime-sized array at the end, if any.
    pub runtime_stride: Option<u32>,
}

impl Binding {
    /// Elements of the runtime-sized array in a buffer of `bytes`; 0 where there is none.
    pub fn runtime_len(&self, bytes: u64) -> u64 {
        match self.runtime_stride {
            // Short calls should not wait for divisions.
            Some(stride) if stride.is_power_of_two() => {
                bytes.saturating_sub(self.fixed_bytes.into()) >> stride.trailing_zeros()
            }
            Some(stride) => bytes.saturating_sub(self.fixed_bytes.into()) / u64::from(stride),
            None => 0,
        }
    }
}

/// A variable in work-group or private memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Name in the source, or a made-up one for a temporary.
    pub name: String,
    /// Size in bytes, WGSL layout, a multiple of 4.
    pub bytes: u32,
}

/// A straight list of instructions.
#[derive(Clone, Debug, Default)]
pub struct Region {
    /// In order of execution.
    pub insts: Vec<Inst>,
}

/// An instruction.
#[derive(Clone, Debug)]
pub enum Inst {
    /// `dst = op`: no effect but its value (a load reads memory).
    Op {
        /// The value defined.
        dst: Value,
        /// What it is.
        op: Op,
        /// Where it came from.
        span: Span,
    },
    /// `*place = value` for the lanes in the mask whose place is in bounds; dropped elsewhere.
    Store {
        /// Where to.
        place: Place,
        /// What.
        value: Value,
        /// Where it came from.
        span: Span,
    },
    /// An atomic read-modify-write (or load or store) for the lanes in the mask, in bounds only.
    Atomic {
        /// The old value, if used; zero where out of bounds. For a compare-exchange, the old value.
        dst: Option<Value>,
        /// What is done.
        op: AtomicOp,
        /// Where.
        place: Place,
        /// The operand. For [`AtomicOp::Load`] unused and equal to any value of the type.
        value: Value,
        /// For [`AtomicOp::CompareExchange`]: the expected old value.
        compare: Option<Value>,
        /// Where it came from.
        span: Span,
    },
    /// What the active lanes of each [subgroup] compute together. No effect but its value.
    Subgroup {
        /// The value defined, in the active lanes.
        dst: Value,
        /// What it is.
        op: SubgroupOp,
        /// The operand.
        value: Value,
        /// For [`SubgroupOp::Shuffle`]: the lane to read, a U32.
        lane: Option<Value>,
        /// Where it came from.
        span: Span,
    },
    /// A barrier: orders memory among the invocations of its scope.
    Barrier {
        /// Which invocations wait for each other.
        scope: BarrierScope,
        /// Where it came from.
        span: Span,
    },
    /// `results = if cond { then } else { other }`.
    If {
        /// A Bool.
        cond: Value,
        /// Runs under `mask & cond`.
        then: Region,
        /// Runs under `mask & !cond`.
        other: Region,
        /// Values merged after it.
        phis: Vec<Phi>,
        /// Where it came from.
        span: Span,
    },
    /// `do { body } while again`, with values carried around.
    Loop {
        /// Values carried from iteration to iteration.
        params: Vec<Param>,
        /// Runs under the mask of the lanes still in the loop.
        body: Region,
        /// A Bool defined in (or before) the body: lanes for which it holds run another iteration.
        again: Value,
        /// Where it came from.
        span: Span,
    },
}

/// The invocations that a barrier is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BarrierScope {
    /// The work-group: reached by all its invocations or by none.
    Group,
    /// The subgroup, whose lanes run in lock step anyway: only the order of memory accesses is kept.
    Subgroup,
}

/// A value merged after an [`Inst::If`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phi {
    /// The merged value.
    pub dst: Value,
    /// Its value in lanes that took `then`; visible at the end of `then`.
    pub then: Value,
    /// Its value in the other lanes; visible at the end of `other`.
    pub other: Value,
}

/// A value carried around an [`Inst::Loop`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name inside the body.
    pub dst: Value,
    /// Value in the first iteration; visible before the loop.
    pub init: Value,
    /// Value at the end of each iteration; visible at the end of the body. The next iteration's
    /// `dst` where `again` holds.
    pub next: Value,
    /// Its name after the loop: `next` of the lane's last iteration.
    pub result: Value,
}

/// Builtin inputs. Axes are 0, 1, 2. All are U32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Builtin {
    /// `global_invocation_id` on an axis.
    GlobalId(u8),
    /// `local_invocation_id` on an axis.
    LocalId(u8),
    /// `local_invocation_index`.
    LocalIndex,
    /// `workgroup_id` on an axis, logical (not relative to the chunk).
    GroupId(u8),
    /// `num_workgroups` on an axis, of the whole call.
    NumGroups(u8),
}

/// A pure operation. Operand and result types are those of WGSL; the result's type is the
/// destination's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A constant: the value's bits, zero-extended (Bool: 0 or 1).
    Const(u64),
    /// A built-in input.
    Builtin(Builtin),
    /// One operand, result of the same type (but for comparisons such as `IsNan`, which the front end expands).
    Unary(UnaryOp, Value),
    /// Two operands of one type (shifts: the amount is U32). Comparisons give Bool.
    Binary(BinaryOp, Value, Value),
    /// `a * b + c`, one rounding (floats).
    Fma(Value, Value, Value),
    /// `if cond { accept } else { reject }` without control flow.
    Select {
        /// A Bool.
        cond: Value,
        /// Where it holds.
        accept: Value,
        /// Where not.
        reject: Value,
    },
    /// Value conversion as WGSL's constructors: float to integer clamps to the values that both types have
    /// (F32 to I32: at most 2147483520) and truncates, NaN is 0; integer to integer keeps the low bits
    /// (sign-extending a signed source); to Bool is `!= 0`. F32 to F16 rounds to nearest, ties to even. A NaN between
    /// F16 and F32 becomes quiet and keeps the top of its payload.
    Convert(Value),
    /// The same bits as another type of the same size.
    Bitcast(Value),
    /// The value at a place, zero where out of bounds.
    Load(Place),
    /// Elements of the runtime-sized array of a binding, U32 (saturating).
    ArrayLength(u32),
}

/// What a place is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// Index into [`Kernel::bindings`].
    Binding(u32),
    /// Index into [`Kernel::workgroup`].
    Workgroup(u32),
    /// Index into [`Kernel::private`].
    Private(u32),
}

/// An access path to one scalar: `base + offset + sum(index * stride)` bytes.
///
/// In bounds when *each* index, taken as unsigned, is below its own length; then the sum cannot
/// leave the base (the front end guarantees it; the caller of a run checks the buffer sizes).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Which memory.
    pub base: Base,
    /// Constant part in bytes (members, constant indices).
    pub offset: u32,
    /// Indices computed at run time (or constant into a runtime-sized array).
    pub steps: Vec<Step>,
}

/// One dynamic index of a [`Place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// I32 or U32; read as unsigned.
    pub index: Value,
    /// Bytes from element to element.
    pub stride: u32,
    /// Elements.
    pub len: Len,
}

/// Number of elements an index may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Len {
    /// Known from the type.
    Const(u32),
    /// The runtime-sized array at the end of the base binding: [`Binding::runtime_len`].
    Runtime,
}

impl Op {
    /// Calls `f` with each operand.
    pub fn operands(&self, mut f: impl FnMut(Value)) {
        match self {
            Op::Const(_) | Op::Builtin(_) | Op::ArrayLength(_) => {}
            Op::Unary(_, a) | Op::Convert(a) | Op::Bitcast(a) => f(*a),
            Op::Binary(_, a, b) => [*a, *b].into_iter().for_each(f),
            Op::Fma(a, b, c) => [*a, *b, *c].into_iter().for_each(f),
            Op::Select { cond, accept, reject } => [*cond, *accept, *reject].into_iter().for_each(f),
            Op::Load(place) => place.steps.iter().for_each(|s| f(s.index)),
        }
    }

    /// Calls `f` with each operand, to be replaced.
    pub fn operands_mut(&mut self, mut f: impl FnMut(&mut Value)) {
        match self {
            Op::Const(_) | Op::Builtin(_) | Op::ArrayLength(_) => {}
            Op::Unary(_, a) | Op::Convert(a) | Op::Bitcast(a) => f(a),
            Op::Binary(_, a, b) => [a, b].into_iter().for_each(f),
            Op::Fma(a, b, c) => [a, b, c].into_iter().for_each(f),
            Op::Select { cond, accept, reject } => [cond, accept, reject].into_iter().for_each(f),
            Op::Load(place) => place.steps.iter_mut().for_each(|s| f(&mut s.index)),
        }
    }
}

impl Kernel {
    /// The type of a value.
    pub fn ty(&self, value: Value) -> Ty {
        self.values[value.index()]
    }

    /// Invocations of a work-group.
    pub fn group_invocations(&self) -> u32 {
        self.workgroup_size.iter().product()
    }

    /// Whether invocations of a work-group can see each other (barriers, subgroup operations or work-group memory).
    pub fn is_cooperative(&self) -> bool {
        fn meets(region: &Region) -> bool {
            region.insts.iter().any(|inst| match inst {
                Inst::Barrier { .. } | Inst::Subgroup { .. } => true,
                Inst::If { then, other, .. } => meets(then) || meets(other),
                Inst::Loop { body, .. } => meets(body),
                _ => false,
            })
        }
        !self.workgroup.is_empty() || meets(&self.body)
    }
}

impl Inst {
    /// Calls `f` with each value that the instruction itself reads: phis and params included, nested regions not.
    pub fn operands(&self, mut f: impl FnMut(Value)) {
        match self {
            Inst::Op { op, .. } => op.operands(f),
            Inst::Store { place, value, .. } => {
                place.steps.iter().for_each(|s| f(s.index));
                f(*value);
            }
            Inst::Atomic { place, value, compare, .. } => {
                place.steps.iter().for_each(|s| f(s.index));
                f(*value);
                compare.iter().for_each(|v| f(*v));
            }
            Inst::Subgroup { value, lane, .. } => [*value].into_iter().chain(*lane).for_each(f),
            Inst::Barrier { .. } => {}
            Inst::If { cond, phis, .. } => {
                f(*cond);
                phis.iter().for_each(|p| [p.then, p.other].into_iter().for_each(&mut f));
            }
            Inst::Loop { params, again, .. } => {
                params.iter().for_each(|p| [p.init, p.next].into_iter().for_each(&mut f));
                f(*again);
            }
        }
    }

    /// Calls `f` with each value that the instruction itself reads, to be replaced: phis and params included,
    /// nested regions not.
    pub fn operands_mut(&mut self, mut f: impl FnMut(&mut Value)) {
        match self {
            Inst::Op { op, .. } => op.operands_mut(f),
            Inst::Store { place, value, .. } => {
                place.steps.iter_mut().for_each(|s| f(&mut s.index));
                f(value);
            }
            Inst::Atomic { place, value, compare, .. } => {
                place.steps.iter_mut().for_each(|s| f(&mut s.index));
                f(value);
                compare.iter_mut().for_each(f);
            }
            Inst::Subgroup { value, lane, .. } => {
                f(value);
                lane.iter_mut().for_each(f);
            }
            Inst::Barrier { .. } => {}
            Inst::If { cond, phis, .. } => {
                f(cond);
                phis.iter_mut().for_each(|p| {
                    f(&mut p.then);
                    f(&mut p.other);
                });
            }
            Inst::Loop { params, again, .. } => {
                params.iter_mut().for_each(|p| {
                    f(&mut p.init);
                    f(&mut p.next);
                });
                f(again);
            }
        }
    }

    /// Calls `f` with each value that the instruction itself defines, nested regions not included.
    pub fn results_mut(&mut self, mut f: impl FnMut(&mut Value)) {
        match self {
            Inst::Op { dst, .. } | Inst::Subgroup { dst, .. } => f(dst),
            Inst::Atomic { dst, .. } => dst.iter_mut().for_each(f),
            Inst::Store { .. } | Inst::Barrier { .. } => {}
            Inst::If { phis, .. } => phis.iter_mut().for_each(|p| f(&mut p.dst)),
            Inst::Loop { params, .. } => params.iter_mut().for_each(|p| {
                f(&mut p.dst);
                f(&mut p.result);
            }),
        }
    }

    /// The nested regions.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        let (a, b) = match self {
            Inst::If { then, other, .. } => (Some(then), Some(other)),
            Inst::Loop { body, .. } => (Some(body), None),
            _ => (None, None),
        };
        a.into_iter().chain(b)
    }

    /// The nested regions, to be changed.
    pub fn regions_mut(&mut self) -> impl Iterator<Item = &mut Region> {
        let (a, b) = match self {
            Inst::If { then, other, .. } => (Some(then), Some(other)),
            Inst::Loop { body, .. } => (Some(body), None),
            _ => (None, None),
        };
        a.into_iter().chain(b)
    }

    /// The place it reads or writes, if any.
    pub fn place_mut(&mut self) -> Option<&mut Place> {
        match self {
            Inst::Op { op: Op::Load(place), .. } | Inst::Store { place, .. } | Inst::Atomic { place, .. } => {
                Some(place)
            }
            _ => None,
        }
    }
}

/// Replaces each operand in a region and its nested regions.
pub fn substitute(region: &mut Region, f: &mut dyn FnMut(Value) -> Value) {
    for inst in &mut region.insts {
        inst.operands_mut(|v| *v = f(*v));
        inst.regions_mut().for_each(|r| substitute(r, f));
    }
}
