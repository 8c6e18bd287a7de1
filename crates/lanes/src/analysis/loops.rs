//! Loops: induction parameters become `init + step * counter`, the loop's condition bounds the counter.

use super::{
    domain::Kind,
    eval::{Eval, FORCE_DEPTH},
    form::{Form, Sym},
    guard::{Comparison, negated, swapped},
    slice::{Def, int_bits, type_range},
};
use crate::ir::{BinaryOp, Op, Param, Region, UnaryOp, Value};

/// Iterations that are never exceeded: the counter of an unbounded loop.
const UNBOUNDED: i128 = u32::MAX as i128;
/// How far definitions are followed.
pub(super) const MAX_DEPTH: u32 = 24;

/// Literals of a condition that are looked at.
const MAX_LITERALS: usize = 256;

/// What the loop's condition implies, each literal being a value and its truth.
pub(super) type Literals = Vec<(Value, bool)>;

/// How often a loop repeats.
struct Trips {
    /// Largest number of times that `again` holds.
    most: i128,
    /// Its mean over the box, where ids and counters alone decide it.
    mean: Option<f64>,
    /// Whether it is the same for all invocations, and exactly `most`.
    exact: bool,
    bounded: bool,
}

/// How often one comparison can hold in a row.
struct Limit {
    most: i128,
    mean: Option<f64>,
    /// Whether that is the same for everyone.
    same: bool,
}

impl Eval<'_> {
    pub fn repeat(&mut self, params: &[Param], body: &Region, again: Value) {
        let mut literals = Vec::new();
        let plain = self.literals(again, true, &mut literals, MAX_DEPTH);
        let steps: Vec<Option<i128>> = params.iter().map(|p| self.step_of(params, p, &literals)).collect();
        let trips = self.trips(params, &steps, &literals, plain);
        let counter = self.domain.fresh(0, trips.most, Kind::Counter, false);
        for (p, step) in params.iter().zip(&steps) {
            if self.slice.needed[p.dst.index()] || self.slice.needed[p.result.index()] {
                self.values[p.dst.index()] = self.parameter(p, *step, counter);
            }
        }
        let mark = self.domain.mark();
        let outer = self.weight;
        let times = self.times(params, &steps, &trips, &literals, body);
        self.weight = outer * times;
        let outside = self.staying.len();
        if trips.mean.is_none() {
            // The last of the executions leaves.
            let stays = 1.0 - 1.0 / times;
            self.staying.extend(literals.iter().map(|&(v, truth)| (v, if truth { stays } else { 1.0 - stays })));
        }
        if let Some(counts) = &mut self.counts {
            counts.branch += self.weight;
        }
        self.domain.exact &= trips.exact;
        let written = self.written.len();
        self.region(body);
        self.staying.truncate(outside);
        // Indices of the last iteration are not those of the next.
        self.written.truncate(written);
        self.domain.undo(mark);
        self.weight = outer;
        for (p, step) in params.iter().zip(&steps) {
            if self.slice.needed[p.result.index()] {
                self.values[p.result.index()] = self.result(p, *step, &trips, &literals);
            }
        }
    }

    /// Executions of the body per entry of the loop.
    fn times(
        &mut self,
        params: &[Param],
        steps: &[Option<i128>],
        trips: &Trips,
        literals: &Literals,
        body: &Region,
    ) -> f64 {
        if let Some(mean) = trips.mean {
            return mean + 1.0;
        }
        self.data_dependent = true;
        // Only costs depend on it.
        let walk = self.counts.is_some().then(|| self.walk(params, steps, literals, body)).flatten();
        self.assumed_times(trips.most as f64 + 1.0, walk)
    }

    /// Collects what `v == truth` implies. Returns whether the literals together say all of it.
    fn literals(&self, v: Value, truth: bool, out: &mut Literals, depth: u32) -> bool {
        out.push((v, truth));
        if depth == 0 || out.len() > MAX_LITERALS {
            return false;
        }
        let d = depth - 1;
        match &self.slice.defs[v.index()] {
            Def::Op(Op::Unary(UnaryOp::Not, a)) => self.literals(*a, !truth, out, d),
            Def::Op(Op::Binary(BinaryOp::And, a, b)) if truth => {
                self.literals(*a, true, out, d) & self.literals(*b, true, out, d)
            }
            Def::Op(Op::Binary(BinaryOp::Or, a, b)) if !truth => {
                self.literals(*a, false, out, d) & self.literals(*b, false, out, d)
            }
            Def::Op(Op::Binary(op, ..)) => op.is_comparison(),
            Def::Op(Op::Select { cond, accept, reject }) => {
                self.choice_literals((*cond, *accept, *reject), truth, out, d)
            }
            Def::Phi { cond, then, other } => self.choice_literals((*cond, *then, *other), truth, out, d),
            _ => false,
        }
    }

    fn choice_literals(&self, c: (Value, Value, Value), truth: bool, out: &mut Literals, d: u32) -> bool {
        let (cond, a, b) = c;
        match (self.constant_bool(a), self.constant_bool(b)) {
            (Some(x), Some(y)) if x != y => self.literals(cond, x == truth, out, d),
            (_, Some(y)) if y != truth => self.literals(cond, true, out, d) & self.literals(a, truth, out, d),
            (Some(x), _) if x != truth => self.literals(cond, false, out, d) & self.literals(b, truth, out, d),
            _ => false,
        }
    }

    /// `v` as it is in lanes that run another iteration.
    fn chase(&self, mut v: Value, literals: &Literals) -> Value {
        for _ in 0..MAX_DEPTH {
            let (cond, then, other) = match &self.slice.defs[v.index()] {
                Def::Phi { cond, then, other } => (*cond, *then, *other),
                Def::Op(Op::Select { cond, accept, reject }) => (*cond, *accept, *reject),
                _ => return v,
            };
            v = match literals.iter().find(|l| l.0 == cond) {
                Some((_, true)) => then,
                Some((_, false)) => other,
                None => return v,
            };
        }
        v
    }

    /// `v` as a parameter of this loop plus a constant.
    pub(super) fn offset_from(
        &mut self,
        v: Value,
        params: &[Param],
        literals: &Literals,
        depth: u32,
    ) -> Option<(usize, i128)> {
        let v = self.chase(v, literals);
        if let Some(i) = params.iter().position(|p| p.dst == v) {
            return Some((i, 0));
        }
        let slice = self.slice;
        let bits = int_bits(self.kernel.ty(v))?;
        let Def::Op(op) = &slice.defs[v.index()] else { return None };
        if depth == 0 {
            return None;
        }
        let constant = |e: &mut Self, v: Value| e.force(v, FORCE_DEPTH)?.reduce(32)?.as_constant();
        match op {
            Op::Binary(BinaryOp::Add, a, b) => {
                let (base, by) = match (constant(self, *a), constant(self, *b)) {
                    (_, Some(by)) => (*a, by),
                    (Some(by), _) => (*b, by),
                    _ => return None,
                };
                let (i, k) = self.offset_from(base, params, literals, depth - 1)?;
                Some((i, k + by))
            }
            Op::Binary(BinaryOp::Sub, a, b) => {
                let by = constant(self, *b)?;
                let (i, k) = self.offset_from(*a, params, literals, depth - 1)?;
                Some((i, k - by))
            }
            Op::Bitcast(a) | Op::Convert(a) if int_bits(self.kernel.ty(*a)) == Some(bits) => {
                self.offset_from(*a, params, literals, depth - 1)
            }
            _ => None,
        }
    }

    /// What a parameter gains in each iteration.
    fn step_of(&mut self, params: &[Param], p: &Param, literals: &Literals) -> Option<i128> {
        int_bits(self.kernel.ty(p.dst)).filter(|&bits| bits == 32)?;
        let (from, by) = self.offset_from(p.next, params, literals, MAX_DEPTH)?;
        (params[from].dst == p.dst).then_some(by)
    }

    fn parameter(&mut self, p: &Param, step: Option<i128>, counter: Sym) -> Option<Form> {
        let ty = self.kernel.ty(p.dst);
        let bits = int_bits(ty)?;
        match (step, self.values[p.init.index()].clone()) {
            (Some(step), Some(init)) => {
                let form = init.plus(&Form::symbol(counter).scale(step)).reduce(bits);
                form.or_else(|| self.unknown(ty, Kind::NotAffine, true))
            }
            (None, Some(init)) => self.shrinking(p, &init).or_else(|| self.unknown(ty, Kind::NotAffine, true)),
            _ => self.unknown(ty, Kind::NotAffine, true),
        }
    }

    /// `p = p / c` and `p = p >> c` never grow.
    fn shrinking(&mut self, p: &Param, init: &Form) -> Option<Form> {
        let ty = self.kernel.ty(p.dst);
        let hi = self.domain.range(&self.number(init, ty)?);
        let shrinks = match &self.slice.defs[p.next.index()] {
            Def::Op(Op::Binary(BinaryOp::Shr | BinaryOp::Div, a, _)) => *a == p.dst && !ty.is_signed(),
            _ => false,
        };
        let lane = self.domain.is_lane(init);
        (shrinks && hi.0 >= 0).then(|| Form::symbol(self.domain.fresh(0, hi.1, Kind::NotAffine, lane)))
    }

    /// Bounds the number of repetitions by each literal that compares an induction parameter with
    /// something known before the loop.
    fn trips(&mut self, params: &[Param], steps: &[Option<i128>], literals: &Literals, plain: bool) -> Trips {
        let (mut most, mut bounded, mut exact, mut comparisons) = (UNBOUNDED, false, false, 0);
        let mut mean = None;
        for &(v, truth) in literals {
            let slice = self.slice;
            let Def::Op(Op::Binary(op, left, right)) = &slice.defs[v.index()] else {
                // A literal that never changes.
                if self.constant_bool(v) == Some(!truth) {
                    (most, bounded, exact, mean) = (0, true, true, Some(0.0));
                    comparisons += 1;
                }
                continue;
            };
            if !op.is_comparison() {
                continue;
            }
            comparisons += 1;
            let c = Comparison { op: if truth { *op } else { negated(*op) }, left: *left, right: *right };
            let flipped = Comparison { op: swapped(c.op), left: c.right, right: c.left };
            for c in [c, flipped] {
                if let Some(limit) = self.limit(c, params, steps, literals) {
                    exact = limit.same && limit.most <= most;
                    most = most.min(limit.most);
                    mean = limit.mean;
                    bounded = true;
                    break;
                }
            }
        }
        let only = plain && comparisons == 1;
        Trips { most, mean: mean.filter(|_| only), exact: exact && only, bounded }
    }

    /// How often `c` can hold in a row.
    fn limit(&mut self, c: Comparison, params: &[Param], steps: &[Option<i128>], l: &Literals) -> Option<Limit> {
        let ty = self.kernel.ty(c.left);
        int_bits(ty).filter(|&bits| bits == 32)?;
        let (i, offset) = self.offset_from(c.left, params, l, MAX_DEPTH)?;
        let step = steps[i].filter(|&s| s != 0)?;
        let init = self.values[params[i].init.index()].clone()?;
        let first = self.number(&init.shift(offset), ty)?;
        let bound = self.force(c.right, FORCE_DEPTH)?;
        let bound = self.number(&bound, ty)?;
        let (up, by) = (step > 0, step.abs());
        // From the first value to the bound, in the direction of the steps.
        let way = self.domain.simplify(if up { bound.minus(&first) } else { first.minus(&bound) });
        let strict = match (c.op, up) {
            (BinaryOp::Lt, true) | (BinaryOp::Gt, false) => 1,
            (BinaryOp::Le, true) | (BinaryOp::Ge, false) => 0,
            // `i != n`, in steps of one towards `n`.
            (BinaryOp::Ne, _) if by == 1 && self.domain.range(&way).0 >= 0 => 1,
            _ => return None,
        };
        // While the condition holds the value has not wrapped, so it may take one more step.
        let ((flo, fhi), (blo, bhi)) = (self.domain.range(&first), self.domain.range(&bound));
        let (tlo, thi) = type_range(ty);
        let farthest = if up { fhi.max(bhi - strict + step) } else { flo.min(blo + strict + step) };
        if farthest < tlo || farthest > thi {
            return None;
        }
        let times = |way: i128| if way < strict { 0 } else { (way - strict) / by + 1 };
        let (lo, hi) = self.domain.range(&way);
        let mean = self.is_plain(&way).then_some((times(lo) + times(hi)) as f64 / 2.0);
        Some(Limit { most: times(hi), mean, same: way.as_constant().is_some() })
    }

    /// A parameter's value after the loop.
    fn result(&mut self, p: &Param, step: Option<i128>, trips: &Trips, literals: &Literals) -> Option<Form> {
        let ty = self.kernel.ty(p.result);
        let bits = int_bits(ty)?;
        let init = self.values[p.init.index()].clone();
        let (Some(step), Some(init), true) = (step, init, trips.bounded) else {
            return self.unknown(ty, Kind::NotAffine, true);
        };
        if step == 0 && p.next == p.dst {
            return Some(init);
        }
        let Some(last) = self.last_gain(p, step, literals) else {
            return self.unknown(ty, Kind::NotAffine, true);
        };
        if trips.exact {
            return init.shift(step * trips.most + last).reduce(bits);
        }
        let number = self.number(&init, ty)?;
        let (lo, hi) = self.domain.range(&number);
        let gain = step * (trips.most + 1);
        let (lo, hi) = (lo + gain.min(0), hi + gain.max(0));
        let (tlo, thi) = type_range(ty);
        if lo < tlo || hi > thi {
            return self.unknown(ty, Kind::NotAffine, true);
        }
        Some(Form::symbol(self.domain.fresh(lo, hi, Kind::NotAffine, true)))
    }

    /// What `next` gains in the last iteration, where `again` fails: a step, or nothing where the step
    /// is under the same condition.
    fn last_gain(&self, p: &Param, step: i128, literals: &Literals) -> Option<i128> {
        match &self.slice.defs[p.next.index()] {
            Def::Phi { cond, then, other } => match literals.iter().find(|l| l.0 == *cond)? {
                (_, true) if *other == p.dst => Some(0),
                (_, false) if *then == p.dst => Some(0),
                _ => None,
            },
            Def::Op(Op::Binary(BinaryOp::Add | BinaryOp::Sub, a, b)) if *a == p.dst || *b == p.dst => Some(step),
            _ => None,
        }
    }
}
