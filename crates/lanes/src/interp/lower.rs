//! Lane IR to bytecode.
//!
//! Layout of the register file: scalar slots, then 4-byte vector slots, 8-byte vector slots, a mask slot
//! for each nesting depth, and temporaries. Vector slots are one cache line apart beyond their size, so
//! that equal lanes of different slots do not fall on the same cache set.

use super::{
    atomics,
    code::{Access, Atomic, Block, Code, Index, Memory, Node, Operand},
    exec, ids,
    level::Level,
    machine::{Exec, Ins, W},
    memory, private, select,
    slots::{Class, Slots, class, must_blend, renames, result_shares},
    vector::pick1,
};
use crate::{
    analysis::uniformity::{BatchShape, Uniformity},
    error::{Error, ErrorKind},
    ir::{Base, BinaryOp, Inst, Kernel, Len, Op, Param, Phi, Place, Region, Ty, Value},
};

/// Most nested branches and loops.
const MAX_DEPTH: usize = 200;
/// Most bytes of a thread's register file and of its private memory.
const MAX_BYTES: usize = 1 << 28;
/// The register file should stay in the first-level cache.
const CACHE_BYTES: usize = 24 << 10;
/// Temporaries: broadcast operands, converted values.
const TEMPORARIES: usize = 4;

/// Compiles a kernel for batches of a shape.
///
/// # Errors
/// `TooLarge` past a cap, `Unsupported` for an operation or access the interpreter does not run.
pub(crate) fn lower(kernel: &Kernel, shape: BatchShape, level: Level) -> Result<Code, Error> {
    let depth = depth(&kernel.body, 0)?;
    let uniformity = Uniformity::new(kernel, shape);
    let slots = Slots::new(kernel, &uniformity);
    let layout = Layout::new(kernel, &slots, shape, depth);
    let mut lower = Lower {
        kernel,
        uniformity,
        slots,
        level,
        next_extra: layout.extra,
        layout,
        ins: Vec::new(),
        accesses: Vec::new(),
        atomics: Vec::new(),
        constants: Vec::new(),
        error: None,
    };
    let body = lower.region(&kernel.body, 0, |_| {});
    lower.finish(body)
}

/// The nesting depth of a region.
fn depth(region: &Region, at: usize) -> Result<usize, Error> {
    if at > MAX_DEPTH {
        let text = format!("branches and loops are nested more than {MAX_DEPTH} deep");
        return Err(Error::new(ErrorKind::TooLarge, text));
    }
    region.insts.iter().try_fold(at, |deepest, inst| {
        Ok(match inst {
            Inst::If { then, other, .. } => deepest.max(depth(then, at + 1)?).max(depth(other, at + 1)?),
            Inst::Loop { body, .. } => deepest.max(depth(body, at + 1)?),
            _ => deepest,
        })
    })
}

/// Where slots lie.
struct Layout {
    capacity: usize,
    step4: usize,
    step8: usize,
    vector4: usize,
    vector8: usize,
    masks: usize,
    temporaries: usize,
    extra: usize,
}

impl Layout {
    fn new(kernel: &Kernel, slots: &Slots, shape: BatchShape, depth: usize) -> Self {
        let [scalars, count4, count8] = slots.counts.map(|c| c as usize);
        let lane_bytes = 4 * (count4 + depth + 1) + 8 * count8;
        let capacity = match shape {
            BatchShape::Group => (kernel.group_invocations() as usize).next_multiple_of(W),
            _ => (CACHE_BYTES / lane_bytes).next_power_of_two().clamp(64, 512),
        };
        let (step4, step8) = (capacity * 4 + 64, capacity * 8 + 64);
        let vector4 = (scalars * 8).next_multiple_of(64);
        let vector8 = vector4 + count4 * step4;
        let masks = vector8 + count8 * step8;
        let temporaries = masks + (depth + 1) * step4;
        let extra = temporaries + TEMPORARIES * step8;
        Layout { capacity, step4, step8, vector4, vector8, masks, temporaries, extra }
    }
}

struct Lower<'k> {
    kernel: &'k Kernel,
    uniformity: Uniformity,
    slots: Slots,
    level: Level,
    layout: Layout,
    /// First byte past the slots given out.
    next_extra: usize,
    ins: Vec<Ins>,
    accesses: Vec<Access>,
    atomics: Vec<Atomic>,
    constants: Vec<(u32, u64, u32)>,
    error: Option<Error>,
}

impl Lower<'_> {
    fn finish(mut self, body: Block) -> Result<Code, Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let kernel = self.kernel;
        let workgroup_bytes = kernel.workgroup.iter().map(|v| (v.bytes as usize).next_multiple_of(8)).sum();
        let private = kernel.private.iter().map(|v| (v.bytes as usize).next_multiple_of(8)).sum::<usize>();
        let private_bytes = private.saturating_mul(self.layout.capacity);
        for (what, bytes) in [("values", self.next_extra), ("private memory", private_bytes)] {
            if bytes > MAX_BYTES {
                let text =
                    format!("kernel `{}` needs {bytes} bytes of {what} a thread, more than {MAX_BYTES}", kernel.name);
                return Err(Error::new(ErrorKind::TooLarge, text));
            }
        }
        let blocks = (self.layout.capacity / W) as f64;
        let batch_ns = cost(&body, blocks) + 20.0 + (private_bytes + workgroup_bytes) as f64 / 32.0;
        Ok(Code {
            body,
            ins: self.ins,
            accesses: self.accesses,
            atomics: self.atomics,
            constants: self.constants,
            narrow: exec::pick_narrow(self.level),
            capacity: self.layout.capacity,
            register_bytes: self.next_extra,
            tail_mask: self.layout.masks as u32,
            workgroup_bytes,
            private_bytes,
            batch_ns,
        })
    }

    fn fail(&mut self, what: String) {
        self.error.get_or_insert_with(|| Error::new(ErrorKind::Unsupported, what));
    }

    fn is_uniform(&self, v: Value) -> bool {
        self.uniformity.is_uniform(v)
    }

    fn slot(&self, v: Value) -> u32 {
        let index = self.slots.index(v) as usize;
        let at = match class(self.kernel, &self.uniformity, self.slots.root(v)) {
            Class::Scalar => index * 8,
            Class::Vector4 => self.layout.vector4 + index * self.layout.step4,
            Class::Vector8 => self.layout.vector8 + index * self.layout.step8,
        };
        at as u32
    }

    fn mask(&self, depth: usize) -> u32 {
        (self.layout.masks + depth * self.layout.step4) as u32
    }

    fn temporary(&self, i: usize) -> u32 {
        (self.layout.temporaries + i * self.layout.step8) as u32
    }

    /// A slot of its own, scalar or vector.
    fn extra_slot(&mut self, ty: Ty) -> u32 {
        let at = self.next_extra;
        self.next_extra += if ty.bytes() == 8 { self.layout.step8 } else { self.layout.step4 };
        at as u32
    }

    fn emit(&mut self, run: Exec, d: u32, [a, b, c]: [u32; 3], x: u32) {
        self.ins.push(Ins { run, d, a, b, c, x });
    }

    fn emit_or_fail(&mut self, run: Option<Exec>, d: u32, operands: [u32; 3], what: impl Fn() -> String) {
        match run {
            Some(run) => self.emit(run, d, operands, 0),
            None => self.fail(what()),
        }
    }

    /// A vector slot with a value's lanes: its own, or temporary `i` after a broadcast.
    fn vector(&mut self, v: Value, i: usize) -> u32 {
        if !self.is_uniform(v) {
            return self.slot(v);
        }
        let (from, to) = (self.slot(v), self.temporary(i));
        let run = select::copy(self.kernel.ty(v), self.level, true, false);
        self.emit(run, to, [from, 0, 0], 0);
        to
    }

    /// `to = from` if they differ.
    fn copy(&mut self, ty: Ty, from: (u32, bool), to: (u32, bool)) {
        if from != to {
            let run = select::copy(ty, self.level, from.1, to.1);
            self.emit(run, to.0, [from.0, 0, 0], 0);
        }
    }

    fn place_of(&self, v: Value) -> (u32, bool) {
        (self.slot(v), self.is_uniform(v))
    }

    /// Lowers a region; `tail` emits what follows its last instruction.
    fn region(&mut self, region: &Region, depth: usize, tail: impl FnOnce(&mut Self)) -> Block {
        let mut nodes = Vec::new();
        let mut start = self.ins.len();
        for inst in &region.insts {
            if let Inst::Loop { params, .. } = inst {
                params.iter().for_each(|p| self.arm(p.init, p.dst));
            }
            let straight = self.ins.len();
            let Some(node) = self.inst(inst, depth) else { continue };
            if straight > start {
                nodes.push(Node::Run { start: start as u32, end: straight as u32 });
            }
            nodes.push(node);
            start = self.ins.len();
            if let Inst::If { cond, phis, .. } = inst
                && !self.is_uniform(*cond)
            {
                phis.iter().for_each(|phi| self.phi(*cond, phi));
            }
        }
        tail(self);
        if self.ins.len() > start {
            nodes.push(Node::Run { start: start as u32, end: self.ins.len() as u32 });
        }
        nodes.into_boxed_slice()
    }

    /// Lowers one instruction: emits straight code, or returns a node that comes after it.
    fn inst(&mut self, inst: &Inst, depth: usize) -> Option<Node> {
        match inst {
            Inst::Op { dst, op, .. } => {
                if self.slots.is_live(*dst) && renames(self.kernel, *dst, op).is_none() {
                    self.op(*dst, op);
                }
                None
            }
            Inst::Store { place, value, .. } => {
                self.store(place, *value);
                None
            }
            Inst::Atomic { .. } => {
                self.atomic(inst);
                None
            }
            Inst::Barrier { .. } => Some(Node::Barrier),
            Inst::If { cond, then, other, phis, .. } => Some(self.branch(*cond, [then, other], phis, depth)),
            Inst::Loop { params, body, again, .. } => Some(self.repeat(params, body, *again, depth)),
        }
    }

    fn branch(&mut self, cond: Value, [then, other]: [&Region; 2], phis: &[Phi], depth: usize) -> Node {
        let slot = self.slot(cond);
        if self.is_uniform(cond) {
            let then = self.region(then, depth + 1, |l| phis.iter().for_each(|p| l.arm(p.then, p.dst)));
            let other = self.region(other, depth + 1, |l| phis.iter().for_each(|p| l.arm(p.other, p.dst)));
            return Node::Branch { cond: slot, then, other };
        }
        let then = self.region(then, depth + 1, |_| {});
        let other = self.region(other, depth + 1, |_| {});
        Node::Diverge { cond: slot, mask: self.mask(depth + 1), then, other }
    }

    /// The copy of a branch's value to a phi, or of an initial value to a loop parameter.
    fn arm(&mut self, from: Value, to: Value) {
        if self.slots.is_live(to) {
            let (from, to, ty) = (self.place_of(from), self.place_of(to), self.kernel.ty(to));
            self.copy(ty, from, to);
        }
    }

    /// A phi under a vector condition.
    fn phi(&mut self, cond: Value, phi: &Phi) {
        if self.slots.is_live(phi.dst) {
            self.select(phi.dst, cond, phi.then, phi.other);
        }
    }

    fn select(&mut self, dst: Value, cond: Value, accept: Value, reject: Value) {
        let ty = self.kernel.ty(dst);
        let (b, c) = (self.place_of(accept), self.place_of(reject));
        let run =
            if self.is_uniform(dst) { select::select_uniform(ty) } else { select::select(ty, self.level, b.1, c.1) };
        let a = if self.is_uniform(dst) { self.slot(cond) } else { self.vector(cond, 0) };
        let d = self.slot(dst);
        self.emit(run, d, [a, b.0, c.0], 0);
    }

    fn repeat(&mut self, params: &[Param], body: &Region, again: Value, depth: usize) -> Node {
        let mut again_slot = self.slot(again);
        let body = self.region(body, depth + 1, |l| again_slot = l.updates(params, again));
        if self.is_uniform(again) {
            Node::Repeat { body, again: again_slot }
        } else {
            Node::While { body, again: again_slot, mask: self.mask(depth + 1) }
        }
    }

    /// The end of a loop body: parameters take their next values. Returns the slot of the exit condition.
    fn updates(&mut self, params: &[Param], again: Value) -> u32 {
        let mut again_slot = self.slot(again);
        let overwritten =
            |l: &Self, v: Value| params.iter().any(|q| l.slots.root(v) == q.dst && l.slots.is_live(q.dst));
        if overwritten(self, again) {
            let extra = self.extra_slot(Ty::Bool);
            let uniform = self.is_uniform(again);
            self.copy(Ty::Bool, (again_slot, uniform), (extra, uniform));
            again_slot = extra;
        }
        // Values that are parameters themselves are saved before any parameter changes.
        let mut next = Vec::with_capacity(params.len());
        for p in params {
            let used = self.slots.is_live(p.dst) || self.slots.is_live(p.result);
            if !used {
                next.push((0, true));
                continue;
            }
            let mut from = self.place_of(p.next);
            if self.slots.root(p.next) != p.dst && overwritten(self, p.next) {
                let saved = (self.extra_slot(self.kernel.ty(p.dst)), from.1);
                self.copy(self.kernel.ty(p.dst), from, saved);
                from = saved;
            }
            next.push(from);
        }
        for (p, from) in params.iter().zip(next) {
            self.update(p, again, from);
        }
        again_slot
    }

    fn update(&mut self, p: &Param, again: Value, from: (u32, bool)) {
        let ty = self.kernel.ty(p.dst);
        let result = self.slots.is_live(p.result);
        let blend = must_blend(&self.uniformity, |v| self.slots.is_live(v), again, p);
        let shared = result && result_shares(&self.uniformity, p);
        if result {
            let to = self.place_of(p.result);
            if !blend {
                self.copy(ty, from, to);
            } else if from != to {
                let run = select::blend(ty, self.level, from.1);
                self.emit(run, to.0, [from.0, 0, 0], 0);
            }
        }
        if self.slots.is_live(p.dst) && !shared {
            let to = self.place_of(p.dst);
            self.copy(ty, from, to);
        }
    }

    fn op(&mut self, dst: Value, op: &Op) {
        let (ty, uniform, level) = (self.kernel.ty(dst), self.is_uniform(dst), self.level);
        let d = self.slot(dst);
        match op {
            Op::Const(bits) => {
                let bits = if ty == Ty::Bool && *bits != 0 { u64::from(u32::MAX) } else { *bits };
                self.constants.push((d, bits, ty.bytes()));
            }
            Op::Builtin(b) => {
                let (run, x) = ids::pick(*b, level, uniform);
                self.emit(run, d, [0; 3], x);
            }
            Op::ArrayLength(binding) => self.emit(ids::array_length(), d, [0; 3], *binding),
            Op::Unary(op, a) => {
                let run = select::unary(*op, self.kernel.ty(*a), level, uniform);
                let a_slot = self.slot(*a);
                let a = *a;
                self.emit_or_fail(run, d, [a_slot, 0, 0], || format!("{op:?} of value {}", a.0));
            }
            Op::Binary(op, a, b) => self.binary(d, *op, *a, *b),
            Op::Fma(a, b, c) => {
                let slots = if uniform {
                    [self.slot(*a), self.slot(*b), self.slot(*c)]
                } else {
                    [self.vector(*a, 0), self.vector(*b, 1), self.vector(*c, 2)]
                };
                self.emit_or_fail(select::fma(ty, level, uniform), d, slots, || format!("fma of {ty:?}"));
            }
            Op::Select { cond, accept, reject } => self.select(dst, *cond, *accept, *reject),
            Op::Convert(a) => {
                let from = self.kernel.ty(*a);
                let a = self.slot(*a);
                let run = select::convert(from, ty, level, uniform);
                self.emit_or_fail(run, d, [a, 0, 0], || format!("conversion from {from:?} to {ty:?}"));
            }
            Op::Bitcast(_) => unreachable!("a bitcast renames"),
            Op::Load(place) => self.load(d, ty, uniform, place),
        }
    }

    fn binary(&mut self, d: u32, op: BinaryOp, a: Value, b: Value) {
        let ty = self.kernel.ty(a);
        let (op, a, b) = select::exchanged(op).map_or((op, a, b), |swapped| (swapped, b, a));
        let ((a, au), (b, bu)) = (self.place_of(a), self.place_of(b));
        let run = select::binary(op, ty, self.level, au, bu);
        self.emit_or_fail(run, d, [a, b, 0], || format!("{op:?} of {ty:?}"));
    }

    fn load(&mut self, d: u32, ty: Ty, uniform: bool, place: &Place) {
        let Some(access) = self.access(place, ty.bytes(), 1) else { return };
        let run = match access.memory {
            Memory::Private(_) => private::pick_load(ty.bytes(), self.level),
            _ => memory::pick_load(ty.bytes(), self.level, uniform),
        };
        let x = self.accesses.len() as u32;
        self.accesses.push(access);
        self.emit(run, d, [0; 3], x);
        if ty == Ty::Bool {
            let run = pick1::<super::ops::ToMask<u32>>(self.level, uniform);
            self.emit(run, d, [d, 0, 0], 0);
        }
    }

    fn store(&mut self, place: &Place, value: Value) {
        let ty = self.kernel.ty(value);
        let Some(access) = self.access(place, ty.bytes(), 1) else { return };
        let mut from = self.vector(value, 0);
        if ty == Ty::Bool {
            let run = pick1::<super::ops::FromMask>(self.level, false);
            let to = self.temporary(1);
            self.emit(run, to, [from, 0, 0], 0);
            from = to;
        }
        let run = match access.memory {
            Memory::Private(_) => private::pick_store(ty.bytes(), self.level),
            _ => memory::pick_store(ty.bytes(), self.level),
        };
        let x = self.accesses.len() as u32;
        self.accesses.push(access);
        self.emit(run, 0, [from, 0, 0], x);
    }

    fn atomic(&mut self, inst: &Inst) {
        let Inst::Atomic { dst, op, place, value, compare, .. } = inst else { return };
        let ty = self.kernel.ty(*value);
        let Some(access) = self.access(place, ty.bytes(), ty.bytes()) else { return };
        let dst = dst.filter(|d| self.slots.is_live(*d));
        let uniform = dst.is_some_and(|d| self.is_uniform(d));
        let Some(run) = atomics::pick(ty, uniform).filter(|_| !matches!(access.memory, Memory::Private(_))) else {
            return self.fail(format!("atomic {op:?} of {ty:?} in {:?}", place.base));
        };
        let operand = |l: &Self, v: Value| {
            let (slot, uniform) = l.place_of(v);
            Operand { slot, uniform }
        };
        let value = operand(self, *value);
        let compare = compare.map_or(value, |v| operand(self, v));
        let dst = dst.map(|d| self.slot(d));
        let x = self.atomics.len() as u32;
        self.atomics.push(Atomic { access, op: *op, dst, value, compare });
        self.emit(run, dst.unwrap_or(0), [0; 3], x);
    }

    /// Lowers a place and proves that indices within their lengths stay within its base.
    fn access(&mut self, place: &Place, bytes: u32, align: u32) -> Option<Access> {
        if let Err(why) = check_place(self.kernel, place, bytes, align) {
            self.fail(why);
            return None;
        }
        let at = |sizes: &[crate::ir::Variable], i: u32| {
            sizes[..i as usize].iter().map(|v| v.bytes.next_multiple_of(8)).sum::<u32>()
        };
        let memory = match place.base {
            Base::Binding(i) => Memory::Binding(i),
            Base::Workgroup(i) => Memory::Workgroup(at(&self.kernel.workgroup, i)),
            Base::Private(i) => Memory::Private(at(&self.kernel.private, i)),
        };
        let index = |s: &crate::ir::Step| Index {
            slot: self.slot(s.index),
            stride: s.stride.into(),
            len: match s.len {
                Len::Const(n) => Some(n),
                Len::Runtime => None,
            },
        };
        let (uniform, varying): (Vec<_>, Vec<_>) = place.steps.iter().partition(|s| self.is_uniform(s.index));
        Some(Access {
            memory,
            offset: place.offset.into(),
            uniform: uniform.into_iter().map(index).collect(),
            varying: varying.into_iter().map(index).collect(),
        })
    }
}

/// Whether an access of `bytes` stays in its base for all indices in bounds, at multiples of `align`.
fn check_place(kernel: &Kernel, place: &Place, bytes: u32, align: u32) -> Result<(), String> {
    let lost = || format!("an access path of kernel `{}` leaves {:?}", kernel.name, place.base);
    let (size, runtime) = match place.base {
        Base::Binding(i) => kernel.bindings.get(i as usize).map(|b| (b.fixed_bytes, b.runtime_stride)),
        Base::Workgroup(i) => kernel.workgroup.get(i as usize).map(|v| (v.bytes, None)),
        Base::Private(i) => kernel.private.get(i as usize).map(|v| (v.bytes, None)),
    }
    .ok_or_else(lost)?;
    let align = if matches!(place.base, Base::Private(_)) { 4 } else { align };
    let mut end = u64::from(place.offset) + u64::from(bytes);
    let mut limit = u64::from(size);
    let mut aligned = place.offset.is_multiple_of(align);
    for step in &place.steps {
        aligned &= step.stride.is_multiple_of(align);
        match step.len {
            Len::Const(n) => {
                end = u64::from(n.saturating_sub(1))
                    .checked_mul(step.stride.into())
                    .and_then(|s| end.checked_add(s))
                    .ok_or_else(lost)?;
            }
            Len::Runtime if runtime == Some(step.stride) && limit == u64::from(size) => {
                // The index moves by whole elements: within the first it must stay within one.
                limit += u64::from(step.stride);
            }
            Len::Runtime => return Err(lost()),
        }
    }
    match (end <= limit, aligned) {
        (true, true) => Ok(()),
        (false, _) => Err(lost()),
        (_, false) => Err(format!("an access path of kernel `{}` is not a multiple of {align} bytes", kernel.name)),
    }
}

/// Estimated ns of a block of nodes over `blocks` blocks of lanes, on a 3 GHz core.
fn cost(nodes: &[Node], blocks: f64) -> f64 {
    // Trip counts are unknown here; a loop is taken to be worth a parallel run.
    const TRIPS: f64 = 50.0;
    nodes
        .iter()
        .map(|node| match node {
            Node::Run { start, end } => f64::from(end - start) * (2.0 + 0.6 * blocks),
            Node::Branch { then, other, .. } => 2.0 + cost(then, blocks).max(cost(other, blocks)),
            Node::Diverge { then, other, .. } => 5.0 + blocks + cost(then, blocks) + cost(other, blocks),
            Node::Repeat { body, .. } | Node::While { body, .. } => TRIPS * (2.0 + cost(body, blocks)),
            Node::Barrier => 1.0,
        })
        .sum()
}
