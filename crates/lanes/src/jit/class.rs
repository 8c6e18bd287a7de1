//! How each value changes over the lanes of a block: what selection keeps in one general register, what
//! in one per block, and what in a vector.
//!
//! A block is `parts` vectors of `lanes` lanes. The classes are those of one [`Shape`], decided by one
//! pass that is optimistic for loop parameters and repeated until nothing changes.

use super::shape::Shape;
use crate::analysis::uniformity::BatchShape;
use crate::ir::{AtomicOp, Base, BinaryOp, Inst, Kernel, Op, Param, Phi, Place, Region, Ty, UnaryOp, Value};

/// How a value changes over a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// `base + lane * l + part * p + row * r` for lane `l` of part `p` of row `r`, modulo 2^32 (32-bit integers), or the
    /// same in all lanes if all are 0.
    Affine { lane: i32, part: i32, row: i32 },
    /// The same with a gain from row to row that is known at run time only.
    Stepped { lane: i32, part: i32 },
    /// Anything.
    Varying,
}

/// The same in all lanes.
pub(super) const UNIFORM: Class = Class::Affine { lane: 0, part: 0, row: 0 };

impl Class {
    pub(super) fn is_uniform(self) -> bool {
        self == UNIFORM
    }
}

/// Gains larger than this make a comparison differ in most blocks: not worth a test for the whole block.
const MAX_COMPARED_GAIN: i32 = 64;
const MAX_ROUNDS: usize = 64;

/// The classes of a kernel's values.
#[derive(Debug)]
pub(super) struct Classes {
    of: Vec<Class>,
    /// Comparisons of affine values that are made for a whole block, which gives up where its lanes differ.
    checked: Vec<bool>,
    constants: Vec<Option<u64>>,
}

impl Classes {
    /// Classes in blocks of a shape. `uniformize`: comparisons before the first side effect may be made for
    /// the whole block.
    pub(super) fn new(kernel: &Kernel, shape: &Shape, uniformize: bool) -> Self {
        let n = kernel.values.len();
        let mut pass = Pass {
            kernel,
            shape,
            uniformize,
            dirty: false,
            classes: Classes { of: vec![UNIFORM; n], checked: vec![false; n], constants: vec![None; n] },
            given_up: vec![false; n],
            changed: false,
            give_up: false,
        };
        for round in 0.. {
            pass.changed = false;
            pass.give_up = round >= MAX_ROUNDS;
            pass.dirty = false;
            pass.region(&kernel.body);
            if !pass.changed {
                break;
            }
        }
        pass.classes
    }

    /// The classes in a block of one lane.
    pub(super) fn all_uniform(&self) -> Self {
        let n = self.of.len();
        Classes { of: vec![UNIFORM; n], checked: vec![false; n], constants: self.constants.clone() }
    }

    pub(super) fn of(&self, v: Value) -> Class {
        self.of[v.index()]
    }

    pub(super) fn is_uniform(&self, v: Value) -> bool {
        self.of(v).is_uniform()
    }

    /// Whether a comparison is made for the whole block, which gives up where lanes differ.
    pub(super) fn is_checked(&self, v: Value) -> bool {
        self.checked[v.index()]
    }

    pub(super) fn constant(&self, v: Value) -> Option<u64> {
        self.constants[v.index()]
    }
}

struct Pass<'k> {
    kernel: &'k Kernel,
    shape: &'k Shape,
    uniformize: bool,
    /// A side effect may have happened.
    dirty: bool,
    classes: Classes,
    given_up: Vec<bool>,
    changed: bool,
    give_up: bool,
}

impl Pass<'_> {
    fn of(&self, v: Value) -> Class {
        self.classes.of(v)
    }

    fn set(&mut self, v: Value, class: Class) {
        self.classes.of[v.index()] = class;
    }

    fn region(&mut self, region: &Region) {
        region.insts.iter().for_each(|inst| self.inst(inst));
    }

    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::Op { dst, op, .. } => {
                if let Op::Const(bits) = op {
                    self.classes.constants[dst.index()] = Some(*bits);
                }
                let class = self.op(*dst, op);
                self.set(*dst, class);
            }
            Inst::Store { place, .. } => self.dirty |= is_effect(place, self.lasting()),
            Inst::Atomic { dst, op, .. } => {
                self.dirty |= *op != AtomicOp::Load;
                if let Some(dst) = dst {
                    self.set(*dst, Class::Varying);
                }
            }
            Inst::Subgroup { dst, .. } => self.set(*dst, Class::Varying),
            Inst::Barrier { .. } => self.dirty = false,
            Inst::If { cond, then, other, phis, .. } => {
                let cut = holds_barrier(then) || holds_barrier(other);
                self.dirty &= !cut;
                let before = self.dirty;
                self.region(then);
                let after = self.dirty;
                // Only a uniform branch takes one arm: lanes that part run both, one after the other.
                if self.of(*cond).is_uniform() {
                    self.dirty = before;
                }
                self.region(other);
                self.dirty = !cut && (self.dirty || after);
                for Phi { dst, then, other } in phis {
                    let class = self.merge(*cond, *then, *other);
                    self.set(*dst, class);
                }
            }
            Inst::Loop { params, body, again, .. } => self.repeat(params, body, *again),
        }
    }

    /// Whether private memory outlives the run of a block.
    fn lasting(&self) -> bool {
        self.shape.batch == BatchShape::Group
    }

    fn merge(&self, cond: Value, a: Value, b: Value) -> Class {
        if a == b {
            return self.of(a);
        }
        let stepped = matches!(self.of(a), Class::Stepped { .. });
        let same = self.of(cond).is_uniform() && self.of(a) == self.of(b) && !stepped;
        if same { self.of(a) } else { Class::Varying }
    }

    fn repeat(&mut self, params: &[Param], body: &Region, again: Value) {
        for p in params {
            let class = if self.given_up[p.dst.index()] || self.give_up { Class::Varying } else { self.of(p.init) };
            self.set(p.dst, class);
        }
        let cut = holds_barrier(body);
        self.dirty = !cut && (self.dirty || has_effects(body, self.lasting()));
        self.region(body);
        // What is around a barrier is cut there: another run follows.
        self.dirty &= !cut;
        let form = WhileForm::of(body, again);
        for p in params {
            let next = self.of(form.as_ref().map_or(p.next, |f| f.continuing(p.next)));
            let class = self.of(p.dst);
            if class != Class::Varying && next != class {
                self.given_up[p.dst.index()] = true;
                self.set(p.dst, Class::Varying);
                self.changed = true;
            }
            let last = self.of(form.as_ref().map_or(p.next, |f| f.exiting(p.next)));
            // Lanes may leave after different numbers of iterations.
            let result = if self.of(again).is_uniform() { last } else { Class::Varying };
            self.set(p.result, result);
        }
    }

    fn op(&mut self, dst: Value, op: &Op) -> Class {
        let ty = self.kernel.ty(dst);
        match op {
            Op::Const(_) | Op::ArrayLength(_) => UNIFORM,
            Op::Builtin(b) => self.shape.builtin(*b),
            Op::Load(place) if self.uniform_place(place) => UNIFORM,
            Op::Load(_) => Class::Varying,
            Op::Bitcast(a) if matches!(ty, Ty::I32 | Ty::U32) && self.kernel.ty(*a) != Ty::F32 => self.of(*a),
            Op::Unary(UnaryOp::Neg, a) if matches!(ty, Ty::I32 | Ty::U32) => self.scaled(*a, -1),
            Op::Binary(op, a, b) => self.binary(dst, *op, *a, *b),
            Op::Select { cond, accept, reject } => self.merge(*cond, *accept, *reject),
            op => {
                let mut uniform = true;
                op.operands(|v| uniform &= self.of(v).is_uniform());
                if uniform { UNIFORM } else { Class::Varying }
            }
        }
    }

    fn uniform_place(&self, place: &Place) -> bool {
        !matches!(place.base, Base::Private(_)) && place.steps.iter().all(|s| self.of(s.index).is_uniform())
    }

    fn scaled(&self, v: Value, factor: i64) -> Class {
        let scale = |x: i32| i32::try_from(i64::from(x).checked_mul(factor)?).ok();
        let class = || match self.of(v) {
            Class::Affine { lane, part, row } => {
                Some(Class::Affine { lane: scale(lane)?, part: scale(part)?, row: scale(row)? })
            }
            Class::Stepped { lane, part } => Some(Class::Stepped { lane: scale(lane)?, part: scale(part)? }),
            Class::Varying => None,
        };
        class().unwrap_or(Class::Varying)
    }

    /// The class of a sum or difference.
    fn sum(a: Class, b: Class, sum: fn(i32, i32) -> Option<i32>) -> Option<Class> {
        let gains = |class| match class {
            Class::Affine { lane, part, row } => Some((lane, part, Some(row))),
            Class::Stepped { lane, part } => Some((lane, part, None)),
            Class::Varying => None,
        };
        let ((l, p, r), (m, q, s)) = (gains(a)?, gains(b)?);
        let (lane, part) = (sum(l, m)?, sum(p, q)?);
        Some(match r.zip(s) {
            Some((r, s)) => Class::Affine { lane, part, row: sum(r, s)? },
            None => Class::Stepped { lane, part },
        })
    }

    /// The class of a product with something uniform.
    fn product(class: Class) -> Class {
        match class {
            Class::Affine { lane: 0, part: 0, .. } | Class::Stepped { lane: 0, part: 0 } => {
                Class::Stepped { lane: 0, part: 0 }
            }
            _ => Class::Varying,
        }
    }

    fn binary(&mut self, dst: Value, op: BinaryOp, a: Value, b: Value) -> Class {
        let (ca, cb) = (self.of(a), self.of(b));
        self.classes.checked[dst.index()] = false;
        if ca.is_uniform() && cb.is_uniform() {
            return UNIFORM;
        }
        if !matches!(self.kernel.ty(a), Ty::I32 | Ty::U32) {
            return Class::Varying;
        }
        let constant = |v: Value| self.classes.constant(v).map(|bits| i64::from(bits as u32 as i32));
        match op {
            BinaryOp::Add => Self::sum(ca, cb, i32::checked_add).unwrap_or(Class::Varying),
            BinaryOp::Sub => Self::sum(ca, cb, i32::checked_sub).unwrap_or(Class::Varying),
            BinaryOp::Mul => match (constant(a), constant(b)) {
                (_, Some(k)) => self.scaled(a, k),
                (Some(k), _) => self.scaled(b, k),
                _ if cb.is_uniform() => Self::product(ca),
                _ if ca.is_uniform() => Self::product(cb),
                _ => Class::Varying,
            },
            BinaryOp::Shl => match constant(b) {
                Some(k) => self.scaled(a, 1 << (k & 31)),
                None => Class::Varying,
            },
            op if op.is_comparison() && self.uniformize && !self.dirty => {
                let (Class::Affine { lane: l, part: p, row: r }, Class::Affine { lane: m, part: q, row: s }) = (ca, cb)
                else {
                    return Class::Varying;
                };
                let gains = [l.wrapping_sub(m), p.wrapping_sub(q), r.wrapping_sub(s)];
                let small = |x: i32| x.unsigned_abs() <= MAX_COMPARED_GAIN as u32 * self.shape.lanes as u32;
                let worth = gains[0].unsigned_abs() <= MAX_COMPARED_GAIN as u32 && small(gains[1]) && small(gains[2]);
                if worth && self.shape.may_agree(gains) {
                    self.classes.checked[dst.index()] = true;
                    return UNIFORM;
                }
                Class::Varying
            }
            _ => Class::Varying,
        }
    }
}

/// Whether a store there is seen when a block is run again. Private memory is then fresh, unless it is `lasting`:
/// carried from run to run of a work-group.
fn is_effect(place: &Place, lasting: bool) -> bool {
    lasting || !matches!(place.base, Base::Private(_))
}

/// Whether a region stores or changes anything that is seen when it is run again.
pub(super) fn has_effects(region: &Region, lasting: bool) -> bool {
    region.insts.iter().any(|inst| match inst {
        Inst::Store { place, .. } => is_effect(place, lasting),
        Inst::Barrier { .. } => true,
        Inst::Atomic { op, .. } => *op != AtomicOp::Load,
        _ => inst.regions().any(|region| has_effects(region, lasting)),
    })
}

/// Whether a region holds a barrier: its control flow then is common to a work-group.
fn holds_barrier(region: &Region) -> bool {
    region.insts.iter().any(|inst| matches!(inst, Inst::Barrier { .. }) || inst.regions().any(holds_barrier))
}

/// A loop whose body ends with an `if` on its own exit condition: `loop { head; if !cond { break; } rest }`.
#[derive(Debug)]
pub(super) struct WhileForm<'r> {
    /// Instructions before the `if`.
    pub(super) head: usize,
    /// The `if`'s condition, and whether the loop goes on where it holds (else where it does not).
    pub(super) cond: Value,
    pub(super) positive: bool,
    /// The arm that runs where the loop goes on.
    pub(super) rest: &'r Region,
    pub(super) phis: &'r [Phi],
}

impl<'r> WhileForm<'r> {
    /// The form of a loop's body, if it has it.
    pub(super) fn of(body: &'r Region, again: Value) -> Option<Self> {
        let (last, head) = body.insts.split_last()?;
        let Inst::If { cond, then, other, phis, .. } = last else { return None };
        let negation = |of: Value| {
            head.iter().any(|inst| match inst {
                Inst::Op { dst, op: Op::Unary(UnaryOp::Not, a), .. } => {
                    *dst == again && *a == of || *dst == of && *a == again
                }
                _ => false,
            })
        };
        let head = head.len();
        if *cond == again && other.insts.is_empty() {
            return Some(WhileForm { head, cond: *cond, positive: true, rest: then, phis });
        }
        if then.insts.is_empty() && negation(*cond) {
            return Some(WhileForm { head, cond: *cond, positive: false, rest: other, phis });
        }
        None
    }

    fn phi(&self, v: Value) -> Option<&Phi> {
        self.phis.iter().find(|p| p.dst == v)
    }

    /// What a value is in the lanes that go on.
    pub(super) fn continuing(&self, v: Value) -> Value {
        self.phi(v).map_or(v, |p| if self.positive { p.then } else { p.other })
    }

    /// What a value is in the lanes that leave.
    pub(super) fn exiting(&self, v: Value) -> Value {
        self.phi(v).map_or(v, |p| if self.positive { p.other } else { p.then })
    }
}
