//! Folds constants and identities, drops branches whose way is known, and what loops carry in vain.
//!
//! One walk in program order. An operand is replaced by what it is known to be; inside a branch, its condition and what
//! follows from it are constants. An operation on constants becomes a constant, an identity its operand (those of
//! the builder: they hold for every value, NaN and both zeros included). A branch on a constant is spliced into the code
//! around it, a branch without instructions becomes selects, and so does a merge of values from before the branch. A
//! loop param that never changes is its initial value. A constant index is part of a place's offset, or the access is
//! none. All constants end up at the start of the body, each once.

use super::{
    hash::FastMap,
    logic::{Facts, Logic},
};
use crate::ir::{
    Inst, Kernel, Len, Op, Param, Phi, Place, Region, Ty, Value,
    simplify::{self, Context},
    substitute,
};
use naga::Span;

/// Runs the pass. Dead code may be left behind.
pub fn fold_operations(kernel: &mut Kernel) {
    let mut fold = Fold::new(std::mem::take(&mut kernel.values));
    let body = std::mem::take(&mut kernel.body);
    let insts = fold.region(body.insts).insts;
    let mut body = Region { insts: std::mem::take(&mut fold.prologue) };
    body.insts.extend(insts);
    if fold.is_replaced_late {
        substitute(&mut body, &mut |v| fold.follow(v));
    }
    kernel.body = body;
    kernel.values = fold.values;
}

struct Fold {
    values: Vec<Ty>,
    /// The operations that define values; loads are not looked at.
    defs: Vec<Option<Op>>,
    logic: Logic,
    facts: Facts,
    /// What a value was found to be; itself where nothing was found.
    replaced: Vec<Value>,
    /// Whether a value was replaced after some of its uses were visited.
    is_replaced_late: bool,
    /// When each value was defined: to tell the values of a branch from those before it.
    born: Vec<u32>,
    clock: u32,
    constants: FastMap<(Ty, u64), Value>,
    /// Constants.
    prologue: Vec<Inst>,
    /// The current region.
    out: Vec<Inst>,
    span: Span,
}

impl Context for Fold {
    fn ty(&self, value: Value) -> Ty {
        self.values[value.index()]
    }

    fn def(&self, value: Value) -> Option<&Op> {
        self.defs[value.index()].as_ref()
    }

    fn op(&mut self, ty: Ty, op: Op) -> Value {
        match simplify::step(self, ty, op) {
            simplify::Step::Value(value) => value,
            simplify::Step::Op(op) => self.emit(None, ty, op),
        }
    }
}

impl Fold {
    fn new(values: Vec<Ty>) -> Self {
        let count = values.len();
        Fold {
            values,
            defs: vec![None; count],
            logic: Logic::new(count),
            facts: Facts::default(),
            replaced: (0..count as u32).map(Value).collect(),
            is_replaced_late: false,
            born: vec![0; count],
            clock: 0,
            constants: FastMap::default(),
            prologue: Vec::new(),
            out: Vec::new(),
            span: Span::UNDEFINED,
        }
    }

    fn fresh(&mut self, ty: Ty) -> Value {
        let value = Value(self.values.len() as u32);
        self.values.push(ty);
        self.defs.push(None);
        self.replaced.push(value);
        self.born.push(0);
        value
    }

    fn define(&mut self, value: Value) {
        self.clock += 1;
        self.born[value.index()] = self.clock;
    }

    /// Emits an operation that is as simple as it gets; its name is `dst` unless it is a constant.
    fn emit(&mut self, dst: Option<Value>, ty: Ty, op: Op) -> Value {
        if let Op::Const(bits) = op {
            return self.shared_constant(ty, bits);
        }
        let dst = dst.unwrap_or_else(|| self.fresh(ty));
        self.define(dst);
        self.logic.record(dst, &op, &self.values);
        if !matches!(op, Op::Load(_)) {
            self.defs[dst.index()] = Some(op.clone());
        }
        let span = self.span;
        self.out.push(Inst::Op { dst, op, span });
        dst
    }

    fn shared_constant(&mut self, ty: Ty, bits: u64) -> Value {
        if let Some(value) = self.constants.get(&(ty, bits)) {
            return *value;
        }
        let (dst, op, span) = (self.fresh(ty), Op::Const(bits), self.span);
        self.logic.record(dst, &op, &self.values);
        self.defs[dst.index()] = Some(op.clone());
        self.prologue.push(Inst::Op { dst, op, span });
        self.constants.insert((ty, bits), dst);
        dst
    }

    fn follow(&self, mut value: Value) -> Value {
        while self.replaced[value.index()] != value {
            value = self.replaced[value.index()];
        }
        value
    }

    /// What a value is known to be here.
    fn resolve(&mut self, value: Value) -> Value {
        let value = self.follow(value);
        if self.ty(value) != Ty::Bool {
            return value;
        }
        match self.logic.infer(value, &self.facts) {
            Some(truth) => self.bool(truth),
            None => value,
        }
    }

    fn resolve_place(&mut self, place: &mut Place) {
        place.steps.iter_mut().for_each(|s| s.index = self.resolve(s.index));
    }

    /// Adds constant indices to the offset; false where one is out of bounds.
    fn fold_steps(&self, place: &mut Place) -> bool {
        let mut in_bounds = true;
        let offset = &mut place.offset;
        place.steps.retain(|step| match (step.len, self.as_const(step.index)) {
            (Len::Const(len), Some(index)) if index < len.into() => {
                *offset += index as u32 * step.stride;
                false
            }
            (Len::Const(_), Some(_)) => {
                in_bounds = false;
                false
            }
            _ => true,
        });
        in_bounds
    }

    fn region(&mut self, insts: Vec<Inst>) -> Region {
        let around = std::mem::take(&mut self.out);
        insts.into_iter().for_each(|inst| self.inst(inst));
        Region { insts: std::mem::replace(&mut self.out, around) }
    }

    fn inst(&mut self, inst: Inst) {
        match inst {
            Inst::Op { dst, mut op, span } => {
                self.span = span;
                op.operands_mut(|v| *v = self.resolve(*v));
                if let Op::Load(place) = &mut op
                    && !self.fold_steps(place)
                {
                    op = Op::Const(0);
                }
                let ty = self.ty(dst);
                let value = match simplify::step(self, ty, op) {
                    simplify::Step::Value(value) => value,
                    simplify::Step::Op(op) => self.emit(Some(dst), ty, op),
                };
                self.replaced[dst.index()] = value;
            }
            Inst::Store { mut place, value, span } => {
                self.resolve_place(&mut place);
                let value = self.resolve(value);
                if self.fold_steps(&mut place) {
                    self.out.push(Inst::Store { place, value, span });
                }
            }
            Inst::Atomic { dst, op, mut place, value, compare, span } => {
                self.resolve_place(&mut place);
                let (value, compare) = (self.resolve(value), compare.map(|c| self.resolve(c)));
                if !self.fold_steps(&mut place) {
                    if let Some(dst) = dst {
                        self.replaced[dst.index()] = self.constant(self.ty(dst), 0);
                    }
                    return;
                }
                dst.into_iter().for_each(|dst| self.define(dst));
                self.out.push(Inst::Atomic { dst, op, place, value, compare, span });
            }
            Inst::Subgroup { dst, op, value, lane, span } => {
                let (value, lane) = (self.resolve(value), lane.map(|l| self.resolve(l)));
                self.define(dst);
                self.out.push(Inst::Subgroup { dst, op, value, lane, span });
            }
            Inst::Barrier { .. } => self.out.push(inst),
            Inst::If { cond, then, other, phis, span } => self.branch(cond, [then, other], phis, span),
            Inst::Loop { params, body, again, span } => self.looped(params, body, again, span),
        }
    }

    fn branch(&mut self, cond: Value, [then, other]: [Region; 2], mut phis: Vec<Phi>, span: Span) {
        let cond = self.resolve(cond);
        if let Some(holds) = self.as_bool(cond) {
            let taken = if holds { then } else { other };
            taken.insts.into_iter().for_each(|inst| self.inst(inst));
            for p in phis {
                self.replaced[p.dst.index()] = self.resolve(if holds { p.then } else { p.other });
            }
            return;
        }
        let start = self.clock;
        let then = self.arm(cond, true, then, phis.iter_mut().map(|p| &mut p.then));
        let other = self.arm(cond, false, other, phis.iter_mut().map(|p| &mut p.other));
        let is_empty = then.insts.is_empty() && other.insts.is_empty();
        let is_outside = |s: &Self, v: Value| s.born[v.index()] <= start;
        let (selects, mut phis): (Vec<Phi>, Vec<Phi>) =
            phis.into_iter().partition(|p| is_outside(self, p.then) && is_outside(self, p.other));
        for p in &mut phis {
            self.define(p.dst);
            self.logic.record_phi(cond, p);
        }
        if !is_empty {
            self.out.push(Inst::If { cond, then, other, phis, span });
        }
        self.span = span;
        for p in selects {
            self.replaced[p.dst.index()] = self.select(cond, p.then, p.other);
        }
    }

    /// A branch's region under its condition, and the values that its end gives to phis.
    fn arm<'p>(
        &mut self,
        cond: Value,
        truth: bool,
        region: Region,
        ends: impl Iterator<Item = &'p mut Value>,
    ) -> Region {
        let mark = self.facts.mark();
        self.logic.assume(cond, truth, &mut self.facts);
        let region = self.region(region.insts);
        ends.for_each(|v| *v = self.resolve(*v));
        self.facts.forget(mark);
        region
    }

    fn looped(&mut self, mut params: Vec<Param>, body: Region, again: Value, span: Span) {
        for p in &mut params {
            p.init = self.resolve(p.init);
            self.define(p.dst);
        }
        let body = self.region(body.insts);
        let again = self.resolve(again);
        params.iter_mut().for_each(|p| p.next = self.resolve(p.next));
        self.drop_constant_params(&mut params);
        if self.as_bool(again) == Some(false) {
            // One iteration.
            self.out.extend(body.insts);
            for p in params {
                self.is_replaced_late = true;
                self.replaced[p.dst.index()] = p.init;
                self.replaced[p.result.index()] = self.follow(p.next);
            }
            return;
        }
        params.iter().for_each(|p| self.define(p.result));
        self.out.push(Inst::Loop { params, body, again, span });
    }

    /// Drops the params that keep their initial value.
    fn drop_constant_params(&mut self, params: &mut Vec<Param>) {
        loop {
            let before = params.len();
            params.retain(|p| {
                let next = self.follow(p.next);
                let is_constant = next == p.dst || next == p.init;
                if is_constant {
                    self.is_replaced_late = true;
                    self.replaced[p.dst.index()] = p.init;
                    self.replaced[p.result.index()] = p.init;
                }
                !is_constant
            });
            if params.len() == before {
                return;
            }
        }
    }
}
