//! Recognises the high half of a 32-bit product, which WGSL has no function for.
//!
//! Written with 64-bit integers, it is `u32((u64(a) * u64(b)) >> 32)`. Without them, it is put together from 16-bit
//! halves, `a = 2^16 ah + al`, `b = 2^16 bh + bl` (random number generators do so), in one of two ways:
//!
//! ```text
//! u = ah * bl + (al * bl >> 16); v = al * bh + (u & 0xffff); ah * bh + (u >> 16) + (v >> 16)
//! m = (al * bl >> 16) + (al * bh & 0xffff) + (ah * bl & 0xffff); ah * bh + (al * bh >> 16) + (ah * bl >> 16) + (m >> 16)
//! ```
//!
//! No sum in them exceeds 32 bits, so both are `a * b / 2^32` rounded down. One factor may be a constant, and sums may be
//! in any order. What nothing else reads of them is dead after the pass.

use super::copies::fresh;
use crate::ir::{BinaryOp, Inst, Kernel, Op, Region, Ty, Value};

/// Runs the pass.
pub fn recognize_products(kernel: &mut Kernel) {
    let defs = vec![Def::Other; kernel.values.len()];
    let mut pass = Recognition { types: std::mem::take(&mut kernel.values), defs, sums: 0 };
    pass.collect(&kernel.body);
    // Each way has at least this many sums.
    if pass.sums > 0 {
        pass.region(&mut kernel.body);
    }
    kernel.values = pass.types;
}

/// How a value is defined, as far as this pass looks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Def {
    Other,
    Const(u64),
    Add(Value, Value),
    Mul(Value, Value),
    Low(Value),
    High(Value),
    /// `x >> 32` of 64 bits.
    Top(Value),
    /// A U32 made a U64.
    Widened(Value),
}

/// A factor of a product, or a half of it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Factor {
    Value(Value),
    Const(u32),
}

/// Half a factor.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Half {
    Low(Value),
    High(Value),
    Const(u32),
}

struct Recognition {
    types: Vec<Ty>,
    defs: Vec<Def>,
    /// Additions and conversions that may end a high product.
    sums: u32,
}

impl Recognition {
    fn def(&self, value: Value) -> Def {
        self.defs.get(value.index()).copied().unwrap_or(Def::Other)
    }

    fn constant(&self, value: Value) -> Option<u64> {
        match self.def(value) {
            Def::Const(bits) => Some(bits),
            _ => None,
        }
    }

    fn collect(&mut self, region: &Region) {
        for inst in &region.insts {
            if let Inst::Op { dst, op, .. } = inst {
                self.defs[dst.index()] = self.definition(*dst, op);
            }
            inst.regions().for_each(|r| self.collect(r));
        }
    }

    fn definition(&mut self, dst: Value, op: &Op) -> Def {
        use BinaryOp::*;
        let ty = self.types[dst.index()];
        match *op {
            Op::Const(bits) => Def::Const(bits),
            Op::Binary(Add, a, b) if ty == Ty::U32 => {
                self.sums += u32::from(matches!((self.def(a), self.def(b)), (Def::High(_), _) | (_, Def::High(_))));
                Def::Add(a, b)
            }
            Op::Binary(Mul, a, b) if matches!(ty, Ty::U32 | Ty::U64) => Def::Mul(a, b),
            Op::Binary(And, a, b) if ty == Ty::U32 && self.constant(b) == Some(0xffff) => Def::Low(a),
            Op::Binary(Shr, a, b) if ty == Ty::U32 && self.constant(b) == Some(16) => Def::High(a),
            Op::Binary(Shr, a, b) if ty == Ty::U64 && self.constant(b) == Some(32) => Def::Top(a),
            Op::Convert(a) if ty == Ty::U64 && self.types[a.index()] == Ty::U32 => Def::Widened(a),
            Op::Convert(a) if ty == Ty::U32 && matches!(self.def(a), Def::Top(_)) => {
                self.sums += 1;
                Def::Other
            }
            _ => Def::Other,
        }
    }

    fn region(&mut self, region: &mut Region) {
        let mut out = Vec::with_capacity(region.insts.len());
        for mut inst in std::mem::take(&mut region.insts) {
            inst.regions_mut().for_each(|r| self.region(r));
            if let Inst::Op { dst, op, span } = &mut inst
                && self.types[dst.index()] == Ty::U32
                && let Some(factors) = self.factors(op)
            {
                let [a, b] = factors.map(|factor| match factor {
                    Factor::Value(v) => v,
                    Factor::Const(bits) => {
                        let dst = fresh(&mut self.types, Ty::U32);
                        out.push(Inst::Op { dst, op: Op::Const(bits.into()), span: *span });
                        dst
                    }
                });
                *op = Op::Binary(BinaryOp::MulHigh, a, b);
            }
            out.push(inst);
        }
        region.insts = out;
    }

    /// The factors whose high product an operation gives.
    fn factors(&self, op: &Op) -> Option<[Factor; 2]> {
        match *op {
            Op::Convert(a) => self.wide(a),
            Op::Binary(BinaryOp::Add, a, b) => {
                let mut terms = Vec::with_capacity(4);
                self.terms(a, &mut terms);
                self.terms(b, &mut terms);
                let products: Vec<usize> =
                    (0..terms.len()).filter(|i| matches!(self.def(terms[*i]), Def::Mul(..))).collect();
                let [product] = products[..] else { return None };
                let top = terms.swap_remove(product);
                let highs: Option<Vec<Value>> = terms
                    .iter()
                    .map(|t| match self.def(*t) {
                        Def::High(v) => Some(v),
                        _ => None,
                    })
                    .collect();
                match highs?[..] {
                    [u, v] => self.by_steps(top, u, v).or_else(|| self.by_steps(top, v, u)),
                    [a, b, c] => [[a, b, c], [b, c, a], [c, a, b]].into_iter().find_map(|t| self.by_middle(top, t)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// `(u64(a) * u64(b)) >> 32`.
    fn wide(&self, value: Value) -> Option<[Factor; 2]> {
        let Def::Top(product) = self.def(value) else { return None };
        let Def::Mul(a, b) = self.def(product) else { return None };
        let factor = |v: Value| match self.def(v) {
            Def::Widened(narrow) => Some(Factor::Value(narrow)),
            Def::Const(bits) => u32::try_from(bits).ok().map(Factor::Const),
            _ => None,
        };
        Some([factor(a)?, factor(b)?])
    }

    /// The terms of a sum, up to five.
    fn terms(&self, value: Value, out: &mut Vec<Value>) {
        match self.def(value) {
            Def::Add(a, b) if out.len() < 5 => {
                self.terms(a, out);
                self.terms(b, out);
            }
            _ => out.push(value),
        }
    }

    fn halves(&self, product: Value) -> Option<[Half; 2]> {
        let Def::Mul(a, b) = self.def(product) else { return None };
        let half = |v: Value| match self.def(v) {
            Def::Low(x) => Some(Half::Low(x)),
            Def::High(x) => Some(Half::High(x)),
            Def::Const(bits) if bits <= 0xffff => Some(Half::Const(bits as u32)),
            _ => None,
        };
        Some([half(a)?, half(b)?])
    }

    /// The factors, given the products of both high and of both low halves.
    fn whole(&self, high: Value, low: Value) -> Option<[Factor; 2]> {
        let (high, low) = (self.halves(high)?, self.halves(low)?);
        let join = |high: Half, low: Half| match (high, low) {
            (Half::High(a), Half::Low(b)) if a == b => Some(Factor::Value(a)),
            (Half::Const(h), Half::Const(l)) => Some(Factor::Const(h << 16 | l)),
            _ => None,
        };
        let straight = join(high[0], low[0]).zip(join(high[1], low[1]));
        straight.or_else(|| join(high[0], low[1]).zip(join(high[1], low[0]))).map(|(a, b)| [a, b])
    }

    /// Whether two values are the products of one factor's high and the other's low half, each once.
    fn are_crossed(&self, [a, b]: [Factor; 2], p: Value, q: Value) -> bool {
        let high = |f: Factor| match f {
            Factor::Value(v) => Half::High(v),
            Factor::Const(bits) => Half::Const(bits >> 16),
        };
        let low = |f: Factor| match f {
            Factor::Value(v) => Half::Low(v),
            Factor::Const(bits) => Half::Const(bits & 0xffff),
        };
        let is = |v: Value, [x, y]: [Half; 2]| self.halves(v).is_some_and(|h| h == [x, y] || h == [y, x]);
        let (first, second) = ([high(a), low(b)], [low(a), high(b)]);
        is(p, first) && is(q, second) || is(p, second) && is(q, first)
    }

    /// The first way: `top + (u >> 16) + (v >> 16)`.
    fn by_steps(&self, top: Value, u: Value, v: Value) -> Option<[Factor; 2]> {
        let (p, low) = self.product_and(u, |d| if let Def::High(x) = d { Some(x) } else { None })?;
        let (q, rest) = self.product_and(v, |d| if let Def::Low(x) = d { Some(x) } else { None })?;
        let factors = self.whole(top, low)?;
        (rest == u && self.are_crossed(factors, p, q)).then_some(factors)
    }

    /// The second way: `top + (p >> 16) + (q >> 16) + (middle >> 16)`.
    fn by_middle(&self, top: Value, [p, q, middle]: [Value; 3]) -> Option<[Factor; 2]> {
        let mut terms = Vec::with_capacity(4);
        self.terms(middle, &mut terms);
        let at = terms.iter().position(|t| matches!(self.def(*t), Def::High(_)))?;
        let Def::High(low) = self.def(terms.swap_remove(at)) else { return None };
        let [Def::Low(x), Def::Low(y)] = *terms.iter().map(|t| self.def(*t)).collect::<Vec<_>>() else { return None };
        let factors = self.whole(top, low)?;
        ([x, y] == [p, q] || [x, y] == [q, p]).then_some(())?;
        self.are_crossed(factors, p, q).then_some(factors)
    }

    /// A sum of a product and of something else.
    fn product_and(&self, sum: Value, other: impl Fn(Def) -> Option<Value>) -> Option<(Value, Value)> {
        let Def::Add(a, b) = self.def(sum) else { return None };
        [(a, b), (b, a)].into_iter().find_map(|(product, rest)| {
            self.halves(product)?;
            other(self.def(rest)).map(|rest| (product, rest))
        })
    }
}
