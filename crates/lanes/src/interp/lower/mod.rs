//! Lane IR to bytecode: structured code and pure operations; memory is in [`places`], slots in [`layout`].

mod layout;
mod places;
mod subgroups;

use super::{
    code::{Access, Atomic, Block, Code, Node},
    exec, ids,
    level::Level,
    machine::{Exec, Ins, W},
    select,
    slots::{Class, Slots, class, must_blend, renames, result_shares},
};
use crate::{
    analysis::uniformity::{BatchShape, Uniformity},
    error::{Error, ErrorKind},
    ir::{BarrierScope, BinaryOp, Inst, Kernel, Op, Param, Phi, Region, Ty, Value},
};
use layout::Layout;
use naga::Span;

/// Most nested branches and loops.
const MAX_DEPTH: usize = 200;
/// Most bytes of a thread's register file and of its private memory.
const MAX_BYTES: usize = 1 << 28;

/// Compiles a kernel for batches of a shape.
///
/// # Errors
/// `TooLarge` past a cap, `Unsupported` for an operation or access the interpreter does not run.
pub(crate) fn lower(kernel: &Kernel, shape: BatchShape, level: Level) -> Result<Code, Error> {
    let depth = depth(kernel, &kernel.body, Span::UNDEFINED, 0)?;
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

/// The nesting depth of a region, which the instruction at `span` opens.
fn depth(kernel: &Kernel, region: &Region, span: Span, at: usize) -> Result<usize, Error> {
    if at > MAX_DEPTH {
        let text = format!("branches and loops are nested more than {MAX_DEPTH} deep");
        return Err(Error::new(ErrorKind::TooLarge, text).at(span, &kernel.source));
    }
    region.insts.iter().try_fold(at, |deepest, inst| {
        let (Inst::If { span, .. } | Inst::Loop { span, .. }) = inst else { return Ok(deepest) };
        inst.regions().try_fold(deepest, |d, inner| Ok(d.max(depth(kernel, inner, *span, at + 1)?)))
    })
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
            Inst::Subgroup { .. } => {
                self.subgroup(inst);
                None
            }
            Inst::Barrier { scope: BarrierScope::Subgroup, .. } => None,
            Inst::Barrier { scope: BarrierScope::Group, span } => Some(Node::Barrier { span: *span }),
            Inst::If { cond, then, other, phis, .. } => Some(self.branch(*cond, [then, other], phis, depth)),
            Inst::Loop { params, body, again, span } => Some(self.repeat(params, body, *again, depth, *span)),
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

    fn repeat(&mut self, params: &[Param], body: &Region, again: Value, depth: usize, span: Span) -> Node {
        let mut again_slot = self.slot(again);
        let body = self.region(body, depth + 1, |l| again_slot = l.updates(params, again));
        if self.is_uniform(again) {
            Node::Repeat { body, again: again_slot, span }
        } else {
            Node::While { body, again: again_slot, mask: self.mask(depth + 1), span }
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
                self.constants.push((d, register_bits(ty, *bits), ty.bytes()));
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
}

/// A constant's bits as a register holds them: a Bool is a mask.
fn register_bits(ty: Ty, bits: u64) -> u64 {
    if ty == Ty::Bool && bits != 0 { u64::from(u32::MAX) } else { bits }
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
            Node::Barrier { .. } => 1.0,
        })
        .sum()
}
