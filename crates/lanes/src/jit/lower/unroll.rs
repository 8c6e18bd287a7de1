//! Loops of few, known iterations, written out; and what bounds a loop's counter.

use super::{Lower, Val};
use crate::{
    ir::{BinaryOp, Inst, Op, Param, Region, Value, fold},
    jit::class::WhileForm,
};
use std::collections::HashMap;

/// Most iterations written out.
const TRIPS: u32 = 16;
/// Most operations that a loop may become.
const OPERATIONS: usize = 320;

/// Most operations, times parts, of iterations that are written one after the other in a loop that stays one.
pub(super) const WRITTEN: usize = 160;

/// Operations of a region; many for what is large by itself.
pub(super) fn operations(region: &Region) -> usize {
    region
        .insts
        .iter()
        .map(|inst| match inst {
            Inst::Loop { body, .. } => 2 * operations(body) + 20,
            Inst::Atomic { .. } => 20,
            inst => 1 + inst.regions().map(operations).sum::<usize>(),
        })
        .sum()
}

/// Constants that values have in one iteration.
type Known = HashMap<Value, Option<u64>>;

impl<'k> Lower<'k> {
    /// The bits of a value in an iteration whose parameters are known.
    fn evaluate(&self, v: Value, known: &mut Known) -> Option<u64> {
        if let Some(bits) = self.constant(v) {
            return Some(bits);
        }
        if let Some(bits) = known.get(&v) {
            return *bits;
        }
        let ty = self.ty(v);
        let bits = match self.def(v) {
            Some(Op::Const(bits)) => Some(*bits),
            Some(Op::Unary(op, a)) => {
                let x = self.evaluate(*a, known);
                x.and_then(|x| fold::unary(*op, self.ty(*a), x))
            }
            Some(Op::Binary(op, a, b)) => {
                let (x, y) = (self.evaluate(*a, known), self.evaluate(*b, known));
                x.zip(y).and_then(|(x, y)| fold::binary(*op, self.ty(*a), x, y))
            }
            Some(Op::Convert(a)) => {
                let x = self.evaluate(*a, known);
                x.and_then(|x| fold::convert(self.ty(*a), ty, x))
            }
            _ => None,
        };
        known.insert(v, bits);
        bits
    }

    /// Iterations of a loop, if they are few and known.
    pub(super) fn trips(
        &self,
        params: &[&Param],
        body: &Region,
        again: Value,
        form: Option<&WhileForm<'k>>,
    ) -> Option<u32> {
        let size = operations(body).max(1);
        if size > OPERATIONS / 2 || self.large {
            return None;
        }
        let mut current: Vec<Option<u64>> = params.iter().map(|p| self.constant(p.init)).collect();
        for trip in 1..=TRIPS {
            let mut known: Known = params.iter().zip(&current).map(|(p, c)| (p.dst, *c)).collect();
            let goes_on = match form {
                Some(w) => (self.evaluate(w.cond, &mut known)? != 0) == w.positive,
                None => self.evaluate(again, &mut known)? != 0,
            };
            if !goes_on {
                return (trip as usize * size <= OPERATIONS).then_some(trip);
            }
            let next = |p: &&Param| form.map_or(p.next, |w| w.continuing(p.next));
            current = params.iter().map(|p| self.evaluate(next(p), &mut known)).collect();
        }
        None
    }

    /// Writes a loop out.
    pub(super) fn unroll(&mut self, params: &[&Param], body: &'k Region, trips: u32, form: Option<&WhileForm<'k>>) {
        let mut current: Vec<Val> = params.iter().map(|p| self.carried(p.init, p.dst)).collect();
        for trip in 1..=trips {
            let last = trip == trips;
            let (next, results) = self.scoped(|l| {
                for (p, val) in params.iter().zip(&current) {
                    l.define(p.dst, val.clone());
                }
                let results = match form {
                    Some(w) => {
                        l.insts(&body.insts[..w.head]);
                        let results = if last { l.results(params, |p| w.exiting(p.next)) } else { Vec::new() };
                        if last {
                            return (Vec::new(), results);
                        }
                        l.insts(&w.rest.insts);
                        results
                    }
                    None => {
                        l.insts(&body.insts);
                        if last { l.results(params, |p| p.next) } else { Vec::new() }
                    }
                };
                let next = |p: &Param| form.map_or(p.next, |w| w.continuing(p.next));
                (params.iter().map(|p| l.carried(next(p), p.dst)).collect(), results)
            });
            current = next;
            if last {
                self.define_results(params, results);
            }
        }
    }

    /// A value as a loop parameter carries it: constants stay constants.
    fn carried(&mut self, v: Value, like: Value) -> Val {
        match self.val(v) {
            Val::Imm(bits) => Val::Imm(bits),
            _ => {
                let r = self.in_form(v, like);
                self.form_val(like, r)
            }
        }
    }

    /// Notes what bounds the counters of a loop: `for (p = init; p < limit; p += step)`.
    pub(super) fn bound_counters(&mut self, params: &[&Param], again: Value, form: Option<&WhileForm<'k>>) {
        for p in params {
            if let Some(most) = self.counter_bound(p, again, form) {
                self.most[p.dst.index()] = Some(most);
            }
        }
    }

    fn counter_bound(&self, p: &Param, again: Value, form: Option<&WhileForm<'k>>) -> Option<u32> {
        let counter = self.counter(p, again, form)?;
        Some(counter.init.max(counter.limit.saturating_sub(1)))
    }

    /// A parameter as a counter of constants: `for (p = init; p < limit; p += step)`.
    fn counter(&self, p: &Param, again: Value, form: Option<&WhileForm<'k>>) -> Option<Counter> {
        let classes = self.classes();
        let constant = |v: Value| classes.constant(v).and_then(|bits| u32::try_from(bits).ok());
        let init = constant(p.init)?;
        let next = form.map_or(p.next, |w| w.continuing(p.next));
        let step = self.step(p, next)?;
        let (test, tested) = match form {
            Some(w) if w.positive => (w.cond, p.dst),
            Some(_) => return None,
            None => (again, next),
        };
        let Some(Op::Binary(BinaryOp::Lt, x, limit)) = self.def(test) else { return None };
        let limit = constant(*limit).filter(|_| *x == tested && !self.ty(*x).is_float())?;
        // No sum may wrap, nor look negative.
        let room = u64::from(limit) + u64::from(step) < 1 << 31 && init < 1 << 31 && step > 0;
        room.then_some(Counter { init, limit, step })
    }

    /// The constant that a parameter grows by.
    pub(super) fn step(&self, p: &Param, next: Value) -> Option<u32> {
        let constant = |v: Value| self.classes().constant(v).and_then(|bits| u32::try_from(bits).ok());
        match self.def(next)? {
            Op::Binary(BinaryOp::Add, a, b) if *a == p.dst => constant(*b),
            Op::Binary(BinaryOp::Add, a, b) if *b == p.dst => constant(*a),
            _ => None,
        }
    }

    /// How many iterations of a loop that tests at its end are written one after the other, the test after the last one
    /// only: a divisor of their number, where that is known.
    pub(super) fn untested(&self, params: &[&Param], body: &Region, again: Value) -> usize {
        if self.large {
            return 1;
        }
        let Some(counter) = params.iter().find_map(|p| self.counter(p, again, None)) else { return 1 };
        let trips = counter.limit.saturating_sub(counter.init).div_ceil(counter.step).max(1) as usize;
        let size = operations(body) * self.parts;
        [4, 2].into_iter().find(|copies| trips.is_multiple_of(*copies) && size * copies <= WRITTEN).unwrap_or(1)
    }
}

/// A loop's counter.
struct Counter {
    init: u32,
    limit: u32,
    step: u32,
}
