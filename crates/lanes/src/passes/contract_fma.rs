//! Contracts a multiplication and the addition of its product to one fused multiply-add.
//!
//! `a * b + c` and `c + a * b` become `fma(a, b, c)`, `a * b - c` becomes `fma(a, b, -c)`, `c - a * b` becomes
//! `fma(-a, b, c)`: a back end with all four instructions takes the negation in. Only where the sum is the product's one
//! use and in the same region: a product made outside a loop stays there. Where both sides are products, the right one is
//! contracted, so that `a * b + c * d + e * f` becomes a chain of fused operations.
//!
//! A contracted sum is rounded once, where WGSL allows once or twice: it is the one pass that changes results.

use super::copies::{count_uses, fresh};
use crate::ir::{BinaryOp, Inst, Kernel, Op, Region, Ty, UnaryOp, Value};
use naga::Span;
use std::collections::HashMap;

/// Runs the pass.
pub fn contract_fma(kernel: &mut Kernel) {
    let uses = count_uses(kernel);
    let mut pass = Contraction { types: std::mem::take(&mut kernel.values), uses };
    pass.region(&mut kernel.body);
    kernel.values = pass.types;
}

struct Contraction {
    types: Vec<Ty>,
    uses: Vec<u32>,
}

impl Contraction {
    fn region(&mut self, region: &mut Region) {
        // The products of this region that one sum may take in: where, and of what.
        let mut products: HashMap<Value, (usize, [Value; 2])> = HashMap::new();
        let mut out: Vec<Option<Inst>> = Vec::with_capacity(region.insts.len());
        for mut inst in std::mem::take(&mut region.insts) {
            inst.regions_mut().for_each(|r| self.region(r));
            if let Inst::Op { dst, op: Op::Binary(operation, a, b), span } = inst
                && matches!(self.types[dst.index()], Ty::F32 | Ty::F64)
            {
                match operation {
                    BinaryOp::Mul if self.uses[dst.index()] == 1 => _ = products.insert(dst, (out.len(), [a, b])),
                    BinaryOp::Add | BinaryOp::Sub => {
                        if let Some(sum) = self.contract(operation, [a, b], span, &mut products, &mut out) {
                            inst = Inst::Op { dst, op: sum, span };
                        }
                    }
                    _ => {}
                }
            }
            out.push(Some(inst));
        }
        region.insts = out.into_iter().flatten().collect();
    }

    /// The fused form of a sum or difference of which one side is a product; drops the product.
    fn contract(
        &mut self,
        operation: BinaryOp,
        [left, right]: [Value; 2],
        span: Span,
        products: &mut HashMap<Value, (usize, [Value; 2])>,
        out: &mut Vec<Option<Inst>>,
    ) -> Option<Op> {
        let is_difference = operation == BinaryOp::Sub;
        let (at, [mut a, b], mut c, is_right) = match products.remove(&right) {
            Some((at, factors)) => (at, factors, left, true),
            None => products.remove(&left).map(|(at, factors)| (at, factors, right, false))?,
        };
        out[at] = None;
        if is_difference {
            let negated = if is_right { &mut a } else { &mut c };
            let ty = self.types[negated.index()];
            let dst = fresh(&mut self.types, ty);
            out.push(Some(Inst::Op { dst, op: Op::Unary(UnaryOp::Neg, *negated), span }));
            *negated = dst;
        }
        Some(Op::Fma(a, b, c))
    }
}
