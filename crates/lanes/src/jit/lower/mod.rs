//! Selection: lane IR to machine instructions.
//!
//! A value lives in the form its class calls for ([`Val`]): a general register for uniform integers, one
//! vector for uniform floats, the base of an affine value, a vector a part (two for 64-bit types) for the
//! rest. Other forms are made where they are needed and remembered while the region is open.

mod address;
mod ahead;
mod arith;
mod bits;
mod blocks;
mod bounds;
mod compare;
mod convert;
mod flow;
mod gather;
mod group;
mod interleave;
mod lanewise;
mod loops;
mod machine;
mod made;
mod memory;
mod park;
mod past;
mod private;
mod rare;
mod row;
mod scalar;
mod serial;
mod settle;
mod short;
mod slots;
mod start;
mod stream;
mod transpose;
mod unroll;
mod values;
mod weave;

use self::made::Made;
use super::{
    class::{Class, Classes},
    context as cx,
    helper::Request,
    mir::{Address, From, Function, GSrc, Kind, Src},
    pool::Pool,
    shape::Shape,
    x64::{Cond, Isa, Len, Size},
};
use crate::{
    analysis::uniformity::BatchShape,
    ir::{Base, BinaryOp, Inst, Kernel, Op, Place, Region, Ty, UnaryOp, Value},
};
use naga::Span;
use regalloc2::{Block, RegClass, VReg};

/// The form that a value lives in.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Val {
    /// A constant's bits.
    Imm(u64),
    /// A uniform integer or Bool (0 or 1). 32-bit values are zero-extended.
    Gpr(VReg),
    /// A uniform float in every lane.
    Splat(VReg),
    /// The value of lane 0 of part 0 of an affine value.
    Base(VReg),
    /// The same, and what is gained from row to row.
    Stepped(VReg, VReg),
    /// A vector a part; for 64-bit types two a part, low lanes first.
    Parts(Vec<VReg>),
    /// A mask a part.
    Masks(Vec<VReg>),
    /// Operands in memory, loaded by the one instruction that needs them.
    Memory(Vec<Src>),
}

/// A value and its other forms.
#[derive(Clone, Debug)]
struct Entry {
    val: Val,
    /// Uniform values: in every lane.
    splat: Option<VReg>,
    /// Affine values: a vector a part.
    parts: Option<Vec<VReg>>,
}

/// A binding's address and number of runtime-sized elements.
#[derive(Clone, Copy, Debug)]
struct Bound {
    ptr: VReg,
    len: VReg,
    /// The number in every lane.
    limit: VReg,
}

/// Registers that are the same for all blocks, but for `start`.
#[derive(Clone, Copy, Debug, Default)]
struct Fixed {
    workgroup: Option<VReg>,
    private: Option<VReg>,
    slots: Option<VReg>,
    zeros: Option<VReg>,
    /// First invocation of the row, or work-group id.
    first: [Option<VReg>; 3],
    groups: [Option<VReg>; 3],
    lanes: Option<VReg>,
    /// Number in the batch of the block's first lane.
    start: Option<VReg>,
}

/// How blocks of lanes are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// All lanes exist. Where a block's lanes disagree on what was taken to be common, it is run again masked.
    Full,
    /// The same with one part: what is left of a row after the full blocks.
    Narrow,
    /// Any lanes; one part.
    Masked,
}

/// Values from which on a kernel gets masked code only: compiling twice costs more than masks do.
const LARGE: usize = 3000;

/// Why a kernel is not compiled.
pub(super) type Refusal = String;

/// What selection made.
pub(super) struct Lowered {
    pub(super) function: Function,
    pub(super) pool: Pool,
    pub(super) requests: Vec<Request>,
    /// Bytes kept from one barrier region to the next.
    pub(super) slot_bytes: usize,
    /// Bytes of the private memory of a block, or of a work-group.
    pub(super) private_bytes: usize,
    /// The loop of each status from [`OUT_OF_FUEL`](crate::jit::OUT_OF_FUEL) on.
    pub(super) loops: Vec<Span>,
}

pub(super) struct Lower<'k> {
    kernel: &'k Kernel,
    isa: Isa,
    f: Function,
    /// The block that is being written.
    at: Block,
    pool: Pool,
    requests: Vec<Request>,
    /// Definitions and number of uses of each value.
    defs: Vec<Option<&'k Op>>,
    uses: Vec<u32>,
    full: Classes,
    narrow: Classes,
    masked: Classes,
    /// Over a whole batch.
    outer: Classes,
    shapes: [Shape; 2],
    mode: Mode,
    /// Parts that vectors are made for: the shape's, or 1 for uniform values.
    parts: usize,
    env: Vec<Option<Entry>>,
    /// Values whose other forms were made in open regions.
    log: Vec<(Value, Form)>,
    /// The execution mask, a mask a part.
    mask: Option<Vec<VReg>>,
    bound: Vec<Option<Bound>>,
    fixed: Fixed,
    bail: Option<Block>,
    /// Where a block goes that has lanes with rare cases: all of it is run again masked.
    exceptional: Option<Block>,
    /// Where a block goes whose lanes have nothing to do, with the number of the next one's first lane.
    idle: Option<(Block, VReg)>,
    /// What comparisons say in lanes that have something to do, where nothing else happens in the others.
    expected: Vec<Option<bool>>,
    /// Conditions of branches for rare cases.
    rares: Vec<bool>,
    /// Bindings that are stored to, outside of loops, and not read.
    results_only: Vec<bool>,
    /// A side effect happened in this block of lanes.
    dirty: bool,
    /// Bounds of loop counters.
    most: Vec<Option<u32>>,
    made: Made,
    /// What the kernel does nothing without, and what it is where it does something.
    guard: Option<(Value, bool)>,
    /// Where full blocks of the row at hand are in bounds.
    inside: Option<row::Inside>,
    /// Ranges that the guard tests.
    proven: Vec<bounds::Test>,
    /// Places that are in bounds for all of the work-group, in code that runs only then.
    assured: Vec<&'k Place>,
    /// The counters of loops around barriers at hand, and what they grow by.
    advances: Vec<(Value, Value)>,
    /// Branches around the code at hand.
    conditional: u32,
    /// Loads of open loops that are read ahead.
    streams: Vec<stream::Stream<'k>>,
    /// Whether the load at hand may become an operand of its use.
    fold: bool,
    /// Whether the branch at hand is hardly ever taken: made by the expansion of a function.
    rare: bool,
    /// Accesses that are made with others.
    together: interleave::Together<'k>,
    /// Places that later instructions of the region access.
    ahead: Vec<&'k Place>,
    /// Lanes of private memory that persist from region to region; 0: of one block only.
    private_lanes: usize,
    /// Bytes of an element of the private access at hand.
    element_bytes: u8,
    /// Bytes of the elements of each private variable.
    private_sizes: Vec<Option<u32>>,
    has_loops: bool,
    /// Lanes of a full block may leave some loop at different times.
    diverges: bool,
    /// Loops around the code at hand, inside the block of lanes.
    depth: u32,
    /// The classes of a loop that is run for one lane after the other, inside it.
    serial: Option<Classes>,
    /// Only masked code is made, as the kernel is large.
    large: bool,
    /// What follows from a comparison made for a whole block would be kept over a barrier.
    crosses: bool,
    /// Kept values and their offset in a lane's slots.
    kept: Vec<Option<u32>>,
    slot_bytes: u32,
    /// The loop at hand.
    span: Span,
    /// The loops that burn fuel, in the order of what the code returns where there is none.
    loops: Vec<Span>,
    refusal: Option<Refusal>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Splat,
    Parts,
    Whole,
}

impl<'k> Lower<'k> {
    /// Selects instructions for a kernel of primitive built-ins, without transcendental operations.
    ///
    /// # Errors
    /// Why it cannot be compiled.
    pub(super) fn run(kernel: &'k Kernel, isa: Isa, shape: Shape) -> Result<Lowered, Refusal> {
        let mut crosses = false;
        let lowered = Self::select(kernel, isa, shape, true, &mut crosses);
        if crosses { Self::select(kernel, isa, shape, false, &mut crosses) } else { lowered }
    }

    /// Before anything is selected.
    fn new(kernel: &'k Kernel, isa: Isa, shape: Shape, uniformize: bool) -> Self {
        let narrow = shape.with_parts(1);
        let count = kernel.values.len();
        Lower {
            kernel,
            isa,
            f: Function::new(if isa == Isa::Avx512 { 64 } else { 32 }),
            at: Block::new(0),
            pool: Pool::default(),
            requests: Vec::new(),
            defs: vec![None; count],
            uses: vec![0; count],
            full: Classes::new(kernel, &shape, uniformize),
            narrow: Classes::new(kernel, &narrow, uniformize && shape.batch == BatchShape::Row),
            masked: Classes::new(kernel, &narrow, false),
            outer: Classes::new(kernel, &Shape { whole: true, ..narrow }, false),
            shapes: [shape, narrow],
            mode: Mode::Full,
            parts: shape.parts,
            env: vec![None; count],
            log: Vec::new(),
            mask: None,
            bound: vec![None; kernel.bindings.len()],
            fixed: Fixed::default(),
            bail: None,
            exceptional: None,
            idle: None,
            expected: vec![None; count],
            rares: vec![false; count],
            results_only: Vec::new(),
            dirty: false,
            most: vec![None; count],
            made: Made::default(),
            guard: None,
            inside: None,
            proven: Vec::new(),
            assured: Vec::new(),
            advances: Vec::new(),
            conditional: 0,
            streams: Vec::new(),
            fold: false,
            rare: false,
            together: interleave::Together::default(),
            ahead: Vec::new(),
            private_lanes: 0,
            element_bytes: 4,
            private_sizes: vec![None; kernel.private.len()],
            has_loops: false,
            diverges: false,
            depth: 0,
            serial: None,
            large: false,
            crosses: false,
            kept: vec![None; count],
            slot_bytes: 0,
            span: Span::UNDEFINED,
            loops: Vec::new(),
            refusal: None,
        }
    }

    /// `uniformize`: comparisons may be made for whole blocks. Says in `crosses` where that cannot be, as what follows
    /// from one is read over a barrier.
    fn select(
        kernel: &'k Kernel,
        isa: Isa,
        shape: Shape,
        uniformize: bool,
        crosses: &mut bool,
    ) -> Result<Lowered, Refusal> {
        let mut l = Self::new(kernel, isa, shape, uniformize);
        l.survey(&kernel.body);
        l.survey_guard(&kernel.body);
        l.survey_results();
        l.large = l.uses.len() > LARGE;
        l.at = l.f.block();
        l.prologue();
        l.body();
        *crosses = l.crosses;
        if let Some(why) = l.refusal {
            return Err(why);
        }
        l.f.seal();
        let lanes = l.group_lanes();
        let slot_bytes = l.slot_bytes.next_multiple_of(8) as usize * lanes;
        let private: usize = kernel.private.iter().map(|v| v.bytes.next_multiple_of(8) as usize).sum();
        let private_bytes = private * if l.private_lanes > 0 { lanes } else { shape.parts * shape.lanes };
        Ok(Lowered { function: l.f, pool: l.pool, requests: l.requests, slot_bytes, private_bytes, loops: l.loops })
    }

    /// Notes definitions and uses.
    fn survey(&mut self, region: &'k Region) {
        for inst in &region.insts {
            let uses = &mut self.uses;
            inst.operands(|v| uses[v.index()] += 1);
            if let Inst::Op { dst, op, .. } = inst {
                self.defs[dst.index()] = Some(op);
            }
            if let Inst::If { cond, other, span, .. } = inst {
                self.rares[cond.index()] |= !span.is_defined() && other.insts.is_empty();
            }
            self.survey_private(inst);
            if let Inst::Loop { again, .. } = inst {
                self.has_loops = true;
                self.diverges |= !self.full.is_uniform(*again);
            }
            inst.regions().for_each(|r| self.survey(r));
        }
    }

    /// A lane's elements of one private variable must have one size: they lie lane by lane.
    fn survey_private(&mut self, inst: &Inst) {
        let (place, ty) = match inst {
            Inst::Op { dst, op: Op::Load(place), .. } => (place, self.ty(*dst)),
            Inst::Store { place, value, .. } => (place, self.ty(*value)),
            _ => return,
        };
        if let Base::Private(i) = place.base {
            let bytes = ty.bytes();
            let known = self.private_sizes[i as usize].get_or_insert(bytes);
            if *known != bytes {
                self.refuse("a private variable of elements of several sizes");
            }
        }
    }

    /// Notes what the comparisons say that a kernel's guard is made of: one arm is all that it does.
    fn survey_guard(&mut self, body: &Region) {
        let Some((Inst::If { cond, then, other, phis, .. }, before)) = body.insts.split_last() else { return };
        let alone = phis.is_empty() && before.iter().all(|inst| matches!(inst, Inst::Op { .. }));
        if alone && self.shapes[0].batch == BatchShape::Row && then.insts.is_empty() != other.insts.is_empty() {
            let mut expected = std::mem::take(&mut self.expected);
            self.expect(*cond, other.insts.is_empty(), &mut expected);
            self.expected = expected;
            self.guard = Some((*cond, other.insts.is_empty()));
        }
    }

    /// Notes what the comparisons are that a condition is made of, where it is `truth`.
    fn expect(&self, v: Value, truth: bool, expected: &mut [Option<bool>]) {
        match self.def(v) {
            Some(Op::Unary(UnaryOp::Not, a)) => self.expect(*a, !truth, expected),
            Some(Op::Binary(op, a, b))
                if (*op, truth) == (BinaryOp::And, true) || (*op, truth) == (BinaryOp::Or, false) =>
            {
                self.expect(*a, truth, expected);
                self.expect(*b, truth, expected);
            }
            Some(Op::Binary(op, ..)) if op.is_comparison() => expected[v.index()] = Some(truth),
            _ => {}
        }
    }

    fn refuse(&mut self, why: impl Into<String>) {
        self.refusal.get_or_insert_with(|| why.into());
    }

    fn classes(&self) -> &Classes {
        if let Some(classes) = &self.serial {
            return classes;
        }
        match self.mode {
            Mode::Full => &self.full,
            Mode::Narrow => &self.narrow,
            Mode::Masked => &self.masked,
        }
    }

    fn class(&self, v: Value) -> Class {
        self.classes().of(v)
    }

    fn shape(&self) -> &Shape {
        &self.shapes[usize::from(self.mode != Mode::Full)]
    }

    fn ty(&self, v: Value) -> Ty {
        self.kernel.ty(v)
    }

    fn len(&self) -> Len {
        if self.isa == Isa::Avx512 { Len::L512 } else { Len::L256 }
    }

    /// Lanes of a vector of 32-bit elements.
    fn lane_count(&self) -> usize {
        self.shapes[0].lanes
    }

    /// Registers that a value of the type takes a part.
    fn halves(ty: Ty) -> usize {
        if ty.bytes() == 8 { 2 } else { 1 }
    }

    /// The register class of masks.
    fn mask_class(&self) -> RegClass {
        if self.isa == Isa::Avx512 { RegClass::Vector } else { RegClass::Float }
    }

    /// Loads what all blocks of lanes need.
    fn prologue(&mut self) {
        let context = |disp| Address::at(From::Context, disp);
        let table = self.load(Size::Q, context(cx::BOUND));
        for i in 0..self.kernel.bindings.len() {
            let at = |disp| Address::at(From::Reg(table), i as i32 * cx::BOUND_BYTES + disp);
            let ptr = self.load(Size::Q, at(cx::BOUND_PTR));
            let len = self.load(Size::Q, at(cx::BOUND_LEN));
            let limit = self.splat_gpr(Size::D, len);
            if self.isa == Isa::Avx2 {
                self.flip(limit);
            }
            self.bound[i] = Some(Bound { ptr, len, limit });
        }
        for axis in 0..3 {
            self.fixed.first[axis] = Some(self.load(Size::D, context(cx::FIRST + 4 * axis as i32)));
            self.fixed.groups[axis] = Some(self.load(Size::D, context(cx::GROUPS + 4 * axis as i32)));
        }
        self.fixed.lanes = Some(self.load(Size::D, context(cx::LANES)));
        self.fixed.workgroup = Some(self.load(Size::Q, context(cx::WORKGROUP)));
        self.fixed.private = Some(self.load(Size::Q, context(cx::PRIVATE)));
        self.fixed.slots = Some(self.load(Size::Q, context(cx::SLOTS)));
        self.fixed.zeros = Some(self.load(Size::Q, context(cx::ZEROS)));
    }

    /// The register of a prologue value.
    fn known(&self, reg: Option<VReg>) -> VReg {
        reg.unwrap_or(VReg::new(0, RegClass::Int))
    }

    fn insts(&mut self, insts: &'k [Inst]) {
        for (i, inst) in insts.iter().enumerate() {
            if self.refusal.is_some() {
                return;
            }
            self.look_ahead(inst, insts[i + 1..].iter());
            self.inst(inst);
        }
    }

    /// Notes what the instructions after one say about it.
    fn look_ahead(&mut self, inst: &'k Inst, after: impl Iterator<Item = &'k Inst> + Clone) {
        self.find_members(inst, after.clone());
        match inst {
            Inst::Store { .. } if !self.dirty => self.ahead = after.filter_map(place_of).collect(),
            Inst::Op { dst, op: Op::Load(_), .. } => {
                self.fold = self.uses[dst.index()] == 1 && is_next_read(*dst, after)
            }
            _ => {}
        }
    }

    fn inst(&mut self, inst: &'k Inst) {
        match inst {
            Inst::Op { dst, op, .. } => {
                if self.env[dst.index()].is_none() {
                    self.op(*dst, op);
                    self.leave_rare(*dst);
                }
            }
            Inst::Store { place, value, .. } => self.store_member(place, *value),
            Inst::Atomic { .. } => self.atomic(inst),
            Inst::Subgroup { .. } => self.refuse("a subgroup operation"),
            Inst::Barrier { .. } => self.refuse("a barrier inside divergent control flow"),
            Inst::If { cond, then, other, phis, span } => {
                self.rare = !span.is_defined();
                self.branch(*cond, then, other, phis);
            }
            Inst::Loop { params, body, again, span } => {
                self.span = *span;
                self.repeat(params, body, *again);
            }
        }
    }

    /// Defines a value.
    fn define(&mut self, v: Value, val: Val) {
        self.env[v.index()] = Some(Entry { val, splat: None, parts: None });
        self.log.push((v, Form::Whole));
    }

    /// Runs `f` and forgets what it defined and made.
    fn scoped<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let mark = self.log.len();
        let made = self.made.mark();
        let result = f(self);
        while self.log.len() > mark {
            let Some((v, form)) = self.log.pop() else { break };
            if let Some(entry) = &mut self.env[v.index()] {
                match form {
                    Form::Splat => entry.splat = None,
                    Form::Parts => entry.parts = None,
                    Form::Whole => self.env[v.index()] = None,
                }
            }
        }
        self.made.forget(made);
        result
    }

    /// Jumps to another block if the comparison holds; what follows runs where it does not.
    fn leave_if(&mut self, cond: Cond, size: Size, a: VReg, b: GSrc, to: Block) {
        let edge = self.f.block();
        let next = self.f.block();
        self.f.nodes[edge.index()].cold = true;
        self.branch_to(cond, size, a, b, edge, next);
        self.at = edge;
        self.jump(to, Vec::new());
        self.at = next;
    }

    fn jump(&mut self, to: Block, args: Vec<VReg>) {
        self.f.end(self.at, Kind::Jump, Vec::new(), &[to], args);
    }
}

/// The place that a load or store accesses.
fn place_of(inst: &Inst) -> Option<&Place> {
    match inst {
        Inst::Op { op: Op::Load(place), .. } | Inst::Store { place, .. } => Some(place),
        _ => None,
    }
}

/// Whether a value is read by an operation before anything else than operations happens.
fn is_next_read<'k>(v: Value, after: impl Iterator<Item = &'k Inst>) -> bool {
    for inst in after {
        let Inst::Op { op, .. } = inst else { return false };
        let mut read = false;
        op.operands(|o| read |= o == v);
        if read {
            return matches!(op, Op::Binary(..) | Op::Fma(..));
        }
    }
    false
}
