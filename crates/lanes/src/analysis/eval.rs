//! Walks a kernel once per call in the affine domain: values become forms, guards tighten the box, and
//! each access to storage becomes a [`Site`](super::sites::Site).

use super::{
    CallShape,
    domain::{Domain, GLOBAL, GROUP, Kind, LOCAL},
    features::{Counts, count_op},
    form::{Form, Sym},
    memo::UniformWord,
    sites::{Address, Site, SiteKind, Update},
    slice::{Def, Slice, int_bits, type_range},
};
use crate::{
    ir::{AtomicOp, BarrierScope, Base, Builtin, Inst, Kernel, Len, Op, Phi, Place, Region, Space, Ty, Value},
    run::GroupRange,
};
use std::cell::RefCell;

/// The state of a walk.
pub(super) struct Eval<'a> {
    pub kernel: &'a Kernel,
    pub slice: &'a Slice,
    pub call: &'a CallShape<'a>,
    pub domain: Domain,
    pub values: Vec<Option<Form>>,
    pub sites: Vec<Site>,
    /// What the invocation has certainly written to storage before it gets here.
    pub written: Written,
    /// Executions of the current region per invocation.
    pub weight: f64,
    pub counts: Option<Counts>,
    pub data_dependent: bool,
    /// Conditions that keep invocations in the loops around, where data decide how long, and how often each holds.
    pub staying: Vec<(Value, f64)>,
    pub guard_budget: u32,
    /// What of the uniforms decided the walk.
    pub looked_at: RefCell<Vec<UniformWord>>,
}

/// Places written so far.
type Written = Vec<(Address, Place)>;

/// What an operation on uniform values counts in each of the invocations that share it.
const UNIFORM_SHARE: f64 = 1.0 / 32.0;
/// What a subgroup operation counts: three exchanges of lanes and three combinations.
const SUBGROUP_COST: f64 = 6.0;
/// Symbols of a 64-bit form that may be narrowed to 32 bits.
const MAX_NARROWED: i128 = 1 << 48;
/// Conditions looked at in one walk before guards are no longer captured.
const GUARD_BUDGET: u32 = 1 << 16;
/// How far what a loop needs is evaluated ahead of its turn.
pub(super) const FORCE_DEPTH: u32 = 10;

impl<'a> Eval<'a> {
    pub fn new(kernel: &'a Kernel, slice: &'a Slice, call: &'a CallShape<'a>, range: &GroupRange) -> Self {
        Eval {
            kernel,
            slice,
            call,
            domain: Domain::new(kernel.workgroup_size, range),
            values: vec![None; kernel.values.len()],
            sites: Vec::new(),
            written: Vec::new(),
            weight: 1.0,
            counts: None,
            data_dependent: false,
            staying: Vec::new(),
            guard_budget: GUARD_BUDGET,
            looked_at: RefCell::default(),
        }
    }

    /// Walks the whole kernel.
    pub fn run(&mut self) {
        let kernel = self.kernel;
        self.region(&kernel.body);
    }

    pub fn region(&mut self, region: &Region) {
        if self.domain.empty {
            return;
        }
        for inst in &region.insts {
            self.inst(inst);
        }
    }

    fn inst(&mut self, inst: &Inst) {
        match inst {
            Inst::Op { dst, op, .. } => {
                if let Op::Load(place) = op {
                    self.access(place, self.kernel.ty(*dst), SiteKind::Read);
                }
                let (kernel, weight) = (self.kernel, self.weight);
                if let Some(counts) = &mut self.counts {
                    let share = if self.slice.uniform.is_uniform(*dst) { UNIFORM_SHARE } else { 1.0 };
                    count_op(counts, kernel, *dst, op, weight * share);
                }
                if self.slice.needed[dst.index()] && self.values[dst.index()].is_none() {
                    self.values[dst.index()] = self.op(*dst, op);
                }
            }
            Inst::Store { place, value, .. } => self.access(place, self.kernel.ty(*value), SiteKind::Write),
            Inst::Atomic { dst, op, place, value, .. } => {
                let ty = self.kernel.ty(*value);
                if *op == AtomicOp::Load {
                    self.access(place, ty, SiteKind::Read);
                } else {
                    let used = dst.is_some_and(|d| self.slice.used[d.index()]);
                    self.access_by(place, ty, SiteKind::Atomic, Some(Update { op: *op, ty, used }));
                }
                if let (Base::Binding(_), Some(counts)) = (place.base, &mut self.counts) {
                    counts.atomic += self.weight;
                }
                if let Some(dst) = dst {
                    self.values[dst.index()] = self.unknown(self.kernel.ty(*dst), Kind::Data, true);
                }
            }
            Inst::Subgroup { dst, .. } => {
                if let Some(counts) = &mut self.counts {
                    counts.integer += SUBGROUP_COST * self.weight;
                }
                self.values[dst.index()] = self.unknown(self.kernel.ty(*dst), Kind::Data, true);
            }
            Inst::Barrier { scope: BarrierScope::Subgroup, .. } => {}
            Inst::Barrier { .. } => {
                if let Some(counts) = &mut self.counts {
                    counts.barrier += self.weight;
                }
            }
            Inst::If { cond, then, other, phis, .. } => self.branch(*cond, then, other, phis),
            Inst::Loop { params, body, again, .. } => self.repeat(params, body, *again),
        }
    }

    fn branch(&mut self, cond: Value, then: &Region, other: &Region, phis: &[Phi]) {
        let outer = self.weight;
        if let Some(counts) = &mut self.counts {
            counts.branch += outer;
        }
        let mut merged: Vec<[Option<Merge>; 2]> = phis.iter().map(|_| [None, None]).collect();
        let taken = self.fraction_of(cond);
        let mut dead = [false; 2];
        let before = self.written.len();
        let mut written = [Vec::new(), Vec::new()];
        let mut captured_all = true;
        for (side, region) in [then, other].into_iter().enumerate() {
            let mark = self.domain.mark();
            let captured = self.assume(cond, side == 0);
            self.domain.exact &= captured;
            captured_all &= captured;
            dead[side] = self.domain.empty;
            if !dead[side] {
                self.weight = outer * if side == 0 { taken } else { 1.0 - taken };
                self.region(region);
                for (phi, sides) in phis.iter().zip(&mut merged) {
                    sides[side] = self.side(if side == 0 { phi.then } else { phi.other });
                }
            }
            written[side] = self.written.split_off(before);
            self.domain.undo(mark);
        }
        self.weight = outer;
        self.join_writes(written, dead, captured_all);
        for (phi, sides) in phis.iter().zip(merged) {
            let ty = self.kernel.ty(phi.dst);
            if self.slice.needed[phi.dst.index()] && int_bits(ty).is_some() {
                self.values[phi.dst.index()] = self.merge(ty, sides, dead);
            }
        }
    }

    /// What both sides of a branch wrote is written after it. Where the condition is not known, that makes it certain.
    fn join_writes(&mut self, [then, other]: [Written; 2], dead: [bool; 2], captured: bool) {
        let both = match dead {
            [true, _] => other,
            [_, true] => then,
            _ => {
                let both: Written = then.into_iter().filter(|w| other.iter().any(|o| o.0 == w.0)).collect();
                if !captured {
                    return both.iter().for_each(|(address, place)| self.write_again(place, address.bytes));
                }
                both
            }
        };
        self.written.extend(both);
    }

    /// The share of invocations for which a condition holds, one half where the data decide and it leaves no loop.
    fn fraction_of(&mut self, cond: Value) -> f64 {
        if self.counts.is_none() {
            return 1.0;
        }
        if let Some((_, share)) = self.staying.iter().rev().find(|(stays, _)| *stays == cond) {
            return *share;
        }
        let mut share = [0.0; 2];
        let mut captured = [false; 2];
        for side in 0..2 {
            let mark = self.domain.mark();
            self.domain.fraction = 1.0;
            captured[side] = self.assume(cond, side == 0);
            share[side] = if self.domain.empty { 0.0 } else { self.domain.fraction };
            captured[side] |= self.domain.empty;
            self.domain.undo(mark);
        }
        match captured {
            [true, _] => share[0],
            [_, true] => 1.0 - share[1],
            _ => 0.5,
        }
        .clamp(0.0, 1.0)
    }

    /// A value with its range where it is merged from.
    fn side(&self, v: Value) -> Option<Merge> {
        let form = self.values[v.index()].clone()?;
        let form = self.number(&form, self.kernel.ty(v)).unwrap_or(form);
        let range = self.domain.range(&form);
        Some(Merge { form, range })
    }

    /// One of two values: the only live one, the same form, or a fresh symbol over both ranges.
    fn merge(&mut self, ty: Ty, sides: [Option<Merge>; 2], dead: [bool; 2]) -> Option<Form> {
        let [a, b] = match (sides, dead) {
            ([Some(live), _], [false, true]) | ([_, Some(live)], [true, false]) => return Some(live.form),
            ([Some(a), Some(b)], _) => [a, b],
            _ => return self.unknown(ty, Kind::NotAffine, true),
        };
        if a.form == b.form {
            return Some(a.form);
        }
        let (lo, hi) = (a.range.0.min(b.range.0), a.range.1.max(b.range.1));
        let (tlo, thi) = type_range(ty);
        if lo < tlo || hi > thi {
            return self.unknown(ty, Kind::NotAffine, true);
        }
        let s = self.domain.fresh(lo, hi, Kind::NotAffine, true);
        let (below, above) = if a.range.0 <= b.range.0 { (a.range, b.range) } else { (b.range, a.range) };
        if below.1 + 1 < above.0 {
            self.domain.set_gap(s, (below.1 + 1, above.0 - 1));
        }
        Some(Form::symbol(s))
    }

    /// A fresh symbol over the whole type.
    pub fn unknown(&mut self, ty: Ty, kind: Kind, lane: bool) -> Option<Form> {
        int_bits(ty)?;
        let (lo, hi) = type_range(ty);
        Some(Form::symbol(self.domain.fresh(lo, hi, kind, lane)))
    }

    /// The form whose value *is* the number, not only congruent to it; `None` where it may wrap.
    pub fn number(&self, form: &Form, ty: Ty) -> Option<Form> {
        let (tlo, _) = type_range(ty);
        let modulus = 1i128 << int_bits(ty)?;
        let (lo, hi) = self.domain.range(form);
        let window = (lo - tlo).div_euclid(modulus);
        ((hi - tlo).div_euclid(modulus) == window).then(|| form.clone().shift(-window * modulus))
    }

    /// The form of a pure integer operation.
    pub fn op(&mut self, dst: Value, op: &Op) -> Option<Form> {
        let ty = self.kernel.ty(dst);
        let bits = int_bits(ty)?;
        let form = match op {
            Op::Const(v) => {
                let v = i128::from(*v);
                Some(Form::constant(if v >> (bits - 1) != 0 { v - (1 << bits) } else { v }))
            }
            Op::Builtin(b) => Some(self.builtin(*b)),
            Op::ArrayLength(b) => {
                let binding = &self.kernel.bindings[*b as usize];
                let len = binding.runtime_len(self.call.sizes[*b as usize]).min(u32::MAX.into());
                Some(Form::constant(len.into()))
            }
            Op::Load(place) => self.load(place, ty),
            Op::Unary(op, a) => self.unary(*op, *a, ty),
            Op::Binary(op, a, b) => self.binary(*op, *a, *b, ty),
            Op::Select { cond, accept, reject } => self.select(*cond, *accept, *reject, ty),
            Op::Convert(a) => self.convert(*a, ty),
            Op::Bitcast(a) => {
                let same = int_bits(self.kernel.ty(*a)) == Some(bits);
                if same { self.values[a.index()].clone() } else { None }
            }
            Op::Fma(..) => None,
        };
        let form = form.and_then(|f| f.reduce(bits));
        match form {
            Some(form) if form.terms.len() > 1 => Some(self.domain.simplify(form)),
            Some(form) => Some(form),
            None => {
                let lane = self.lane_of(op);
                self.unknown(ty, Kind::NotAffine, lane)
            }
        }
    }

    /// Whether an operation's result may differ between lanes: unless all operands are known not to.
    pub fn lane_of(&self, op: &Op) -> bool {
        let mut lane = false;
        op.operands(|v| {
            lane |= self.values[v.index()].as_ref().is_none_or(|f| self.domain.is_lane(f));
        });
        lane
    }

    fn builtin(&self, b: Builtin) -> Form {
        let size = self.kernel.workgroup_size.map(i128::from);
        let local = |a: usize| {
            if size[a] == 1 { Form::default() } else { Form::symbol(LOCAL + a as u32) }
        };
        match b {
            Builtin::GlobalId(a) if size[a as usize] == 1 => Form::symbol(GROUP + u32::from(a)),
            Builtin::GlobalId(a) => Form::symbol(GLOBAL + u32::from(a)),
            Builtin::LocalId(a) => local(a.into()),
            Builtin::GroupId(a) => Form::symbol(GROUP + u32::from(a)),
            Builtin::NumGroups(a) => Form::constant(self.call.grid.groups[a as usize].into()),
            Builtin::LocalIndex => local(0).add_scaled(&local(1), size[0]).add_scaled(&local(2), size[0] * size[1]),
        }
    }

    fn load(&mut self, place: &Place, ty: Ty) -> Option<Form> {
        if let Some(known) = self.uniform_load(place, ty) {
            return Some(Form::constant(known));
        }
        let lane =
            place.steps.iter().any(|s| self.values[s.index.index()].as_ref().is_none_or(|f| self.domain.is_lane(f)));
        let (kind, lane) = match place.base {
            Base::Binding(b) if self.kernel.bindings[b as usize].space == Space::Storage => (Kind::Loaded(b), lane),
            Base::Binding(_) | Base::Workgroup(_) => (Kind::Data, lane),
            Base::Private(_) => (Kind::Data, true),
        };
        self.unknown(ty, kind, lane)
    }

    /// The value at a place of a uniform binding whose indices are concrete.
    fn uniform_load(&self, place: &Place, ty: Ty) -> Option<i128> {
        let Base::Binding(b) = place.base else { return None };
        if self.kernel.bindings[b as usize].space != Space::Uniform {
            return None;
        }
        let mut at = place.offset as usize;
        for step in &place.steps {
            let index = self.values[step.index.index()].as_ref()?.as_constant()? & 0xffff_ffff;
            let Len::Const(len) = step.len else { return None };
            if index >= len.into() {
                return Some(0);
            }
            at += index as usize * step.stride as usize;
        }
        let bits = int_bits(ty)?;
        let word = UniformWord::read(self.call, b, at, ty.bytes() as usize);
        let value = word.value;
        let mut looked_at = self.looked_at.borrow_mut();
        if !looked_at.contains(&word) {
            looked_at.push(word);
        }
        let v = i128::from(u64::from_le_bytes(value?));
        Some(if v >> (bits - 1) != 0 { v - (1 << bits) } else { v })
    }

    fn select(&mut self, cond: Value, accept: Value, reject: Value, ty: Ty) -> Option<Form> {
        if self.values[accept.index()] == self.values[reject.index()] {
            return self.values[accept.index()].clone();
        }
        let mut sides = [None, None];
        let mut dead = [false; 2];
        for (i, (v, truth)) in [(accept, true), (reject, false)].into_iter().enumerate() {
            let mark = self.domain.mark();
            self.assume(cond, truth);
            dead[i] = self.domain.empty;
            sides[i] = self.side(v);
            self.domain.undo(mark);
        }
        self.merge(ty, sides, dead)
    }

    fn convert(&mut self, a: Value, ty: Ty) -> Option<Form> {
        let from = self.kernel.ty(a);
        let Some(from_bits) = int_bits(from) else {
            if from == Ty::Bool {
                return Some(Form::symbol(self.domain.fresh(0, 1, Kind::NotAffine, true)));
            }
            return self.unknown(ty, Kind::Data, true);
        };
        let form = self.values[a.index()].clone()?;
        if int_bits(ty)? > from_bits {
            return self.number(&form, from);
        }
        // Narrowing keeps the form only where its symbols are far from overflowing the arithmetic here.
        let small = |s: Sym| self.domain.symbol(s).lo > -MAX_NARROWED && self.domain.symbol(s).hi < MAX_NARROWED;
        let all_small = form.symbols().all(small);
        all_small.then_some(form)
    }

    /// The concrete value of `v`, evaluating what it needs ahead of its turn (loop bounds and steps are
    /// loaded and computed inside the loop).
    pub fn force(&mut self, v: Value, depth: u32) -> Option<Form> {
        if let Some(form) = &self.values[v.index()] {
            return Some(form.clone());
        }
        let slice = self.slice;
        let Def::Op(op) = &slice.defs[v.index()] else { return None };
        if depth == 0 || int_bits(self.kernel.ty(v)).is_none() {
            return None;
        }
        let mut ready = true;
        op.operands(|o| ready = ready && self.force(o, depth - 1).is_some());
        if let Op::Load(place) = op {
            // What memory holds may change from iteration to iteration.
            ready = ready && self.uniform_load(place, self.kernel.ty(v)).is_some();
        }
        if !ready {
            return None;
        }
        let form = self.op(v, op);
        self.values[v.index()].clone_from(&form);
        form
    }
}

/// A value about to be merged with another.
#[derive(Clone, Debug)]
pub(super) struct Merge {
    pub form: Form,
    pub range: (i128, i128),
}
