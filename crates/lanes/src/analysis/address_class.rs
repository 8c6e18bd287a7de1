//! How each address changes along x: what a compiler needs to choose between one load, a vector load and
//! a gather. Known without a call: uniforms stay symbols.
//!
//! Lanes here are invocations that differ in `local_invocation_id.x` (and with it in the global id, also across
//! work-groups) on one y and z.

use crate::ir::{Base, BinaryOp, Builtin, Inst, Kernel, Op, Param, Place, Region, Value};
use std::collections::HashMap;

/// The class of one access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// The same address in all lanes.
    Uniform,
    /// Neighbouring lanes are this many bytes apart (may be negative), while no index wraps: a vector access if it
    /// is the size of the scalar.
    Strided(i64),
    /// Anything.
    Gather,
}

/// Passes over loop bodies before parameters are given up at once (nested loops multiply passes).
const BUDGET: u32 = 256;

/// What a value gains from lane to lane; `None`: no constant amount.
type Gain = Option<i64>;

/// The class of each load, store and atomic, in program order (a region after what precedes it).
pub fn address_classes(kernel: &Kernel) -> Vec<AddressClass> {
    let count = kernel.values.len();
    let (gain, constants) = (vec![None; count], vec![None; count]);
    let mut pass = Pass { kernel, gain, constants, merged: HashMap::new(), classes: Vec::new(), budget: BUDGET };
    pass.region(&kernel.body);
    pass.classes
}

struct Pass<'a> {
    kernel: &'a Kernel,
    gain: Vec<Gain>,
    constants: Vec<Option<u64>>,
    /// Condition and first value of each merged value.
    merged: HashMap<Value, (Value, Value)>,
    classes: Vec<AddressClass>,
    budget: u32,
}

impl Pass<'_> {
    /// The value of an integer constant.
    fn constant(&self, v: Value) -> Option<i64> {
        let bits = self.constants[v.index()]?;
        Some(if self.kernel.ty(v).bytes() == 4 { (bits as u32 as i32).into() } else { bits as i64 })
    }

    fn of(&self, v: Value) -> Gain {
        self.gain[v.index()]
    }

    fn region(&mut self, region: &Region) {
        for inst in &region.insts {
            match inst {
                Inst::Op { dst, op, .. } => {
                    if let Op::Load(place) = op {
                        self.classes.push(self.class(place));
                    }
                    if let (Op::Const(bits), false) = (op, self.kernel.ty(*dst).is_float()) {
                        self.constants[dst.index()] = Some(*bits);
                    }
                    self.gain[dst.index()] = self.op(op);
                }
                Inst::Store { place, .. } => self.classes.push(self.class(place)),
                // What an atomic returns differs from lane to lane.
                Inst::Atomic { place, .. } => self.classes.push(self.class(place)),
                Inst::Subgroup { .. } | Inst::Barrier { .. } => {}
                Inst::If { cond, then, other, phis, .. } => {
                    self.region(then);
                    self.region(other);
                    for p in phis {
                        self.gain[p.dst.index()] = self.merge(*cond, p.then, p.other);
                        self.merged.insert(p.dst, (*cond, p.then));
                    }
                }
                Inst::Loop { params, body, again, .. } => self.repeat(params, body, *again),
            }
        }
    }

    /// A parameter gains what it starts with if each iteration adds the same to all lanes: assumed, and taken back
    /// where it is not so.
    fn repeat(&mut self, params: &[Param], body: &Region, again: Value) {
        let start = self.classes.len();
        let mut gains: Vec<Gain> = params.iter().map(|p| self.of(p.init)).collect();
        loop {
            if self.budget == 0 {
                gains.fill(None);
            }
            self.budget = self.budget.saturating_sub(1);
            self.classes.truncate(start);
            params.iter().zip(&gains).for_each(|(p, g)| self.gain[p.dst.index()] = *g);
            self.region(body);
            let kept = |(p, g): (&Param, &Gain)| g.filter(|_| self.of(self.continuing(p.next, again)) == *g);
            let next: Vec<Gain> = params.iter().zip(&gains).map(kept).collect();
            if next == gains {
                break;
            }
            gains = next;
        }
        // Lanes may leave after different numbers of iterations.
        let together = self.of(again) == Some(0);
        for (p, g) in params.iter().zip(gains) {
            self.gain[p.result.index()] = g.filter(|_| together);
        }
    }

    /// A value as it is in the lanes that run another iteration.
    fn continuing(&self, v: Value, again: Value) -> Value {
        match self.merged.get(&v) {
            Some(&(cond, then)) if cond == again => then,
            _ => v,
        }
    }

    fn merge(&self, cond: Value, a: Value, b: Value) -> Gain {
        if a == b {
            return self.of(a);
        }
        let same = self.of(cond) == Some(0) && self.of(a) == self.of(b);
        if same { self.of(a) } else { None }
    }

    fn op(&self, op: &Op) -> Gain {
        match op {
            Op::Builtin(Builtin::GlobalId(0) | Builtin::LocalId(0) | Builtin::LocalIndex) => Some(1),
            // Lanes of one row may lie in different work-groups.
            Op::Builtin(Builtin::GroupId(0)) => None,
            Op::Const(_) | Op::Builtin(_) | Op::ArrayLength(_) => Some(0),
            Op::Binary(BinaryOp::Add, a, b) if !self.kernel.ty(*a).is_float() => self.of(*a)?.checked_add(self.of(*b)?),
            Op::Binary(BinaryOp::Sub, a, b) if !self.kernel.ty(*a).is_float() => self.of(*a)?.checked_sub(self.of(*b)?),
            Op::Binary(BinaryOp::Mul, a, b) if self.constant(*b).is_some() => {
                self.of(*a)?.checked_mul(self.constant(*b)?)
            }
            Op::Binary(BinaryOp::Mul, a, b) if self.constant(*a).is_some() => {
                self.of(*b)?.checked_mul(self.constant(*a)?)
            }
            Op::Binary(BinaryOp::Shl, a, b) if self.constant(*b).is_some_and(|k| (0..32).contains(&k)) => {
                self.of(*a)?.checked_mul(1 << self.constant(*b)?)
            }
            Op::Bitcast(a) => self.of(*a),
            Op::Select { cond, accept, reject } => self.merge(*cond, *accept, *reject),
            Op::Load(place) => {
                let private = matches!(place.base, Base::Private(_));
                (self.class(place) == AddressClass::Uniform && !private).then_some(0)
            }
            // Anything of uniform operands is uniform.
            op => {
                let mut uniform = true;
                op.operands(|v| uniform &= self.of(v) == Some(0));
                uniform.then_some(0)
            }
        }
    }

    fn class(&self, place: &Place) -> AddressClass {
        let bytes = place
            .steps
            .iter()
            .try_fold(0i64, |sum, step| sum.checked_add(self.of(step.index)?.checked_mul(step.stride.into())?));
        match bytes {
            Some(0) => AddressClass::Uniform,
            Some(bytes) => AddressClass::Strided(bytes),
            None => AddressClass::Gather,
        }
    }
}
