//! Unrolls short loops whose number of iterations is a constant.
//!
//! The loop's test is evaluated on constants, iteration by iteration: what it depends on must start constant and change by
//! operations on constants. The body is then copied once an iteration, with the params' values in place of them, so that
//! an index or a branch on the counter becomes a constant. Inner loops come first. Loops with barriers stay:
//! each barrier divides the code of a work-group.

use super::copies::Names;
use crate::ir::{Inst, Kernel, Op, Param, Region, Ty, Value, fold};
use std::collections::HashMap;

/// Instructions of a loop once it is unrolled.
const SIZE: usize = 256;
/// Iterations.
const TRIPS: usize = 32;

/// Runs the pass; whether anything changed. Constants to fold are left behind.
pub fn unroll_loops(kernel: &mut Kernel) -> bool {
    let mut ops = vec![None; kernel.values.len()];
    collect(&kernel.body, &mut ops);
    let mut pass = Unrolling { types: std::mem::take(&mut kernel.values), ops, results: HashMap::new() };
    pass.region(&mut kernel.body);
    kernel.values = pass.types;
    !pass.results.is_empty()
}

/// The operations on constants could be.
fn collect(region: &Region, ops: &mut [Option<Op>]) {
    for inst in &region.insts {
        if let Inst::Op { dst, op: op @ (Op::Const(_) | Op::Unary(..) | Op::Binary(..) | Op::Convert(_)), .. } = inst {
            ops[dst.index()] = Some(op.clone());
        }
        inst.regions().for_each(|r| collect(r, ops));
    }
}

struct Unrolling {
    types: Vec<Ty>,
    /// The operations that define the values which there were before the pass.
    ops: Vec<Option<Op>>,
    /// What the results of unrolled loops are.
    results: HashMap<Value, Value>,
}

impl Unrolling {
    fn region(&mut self, region: &mut Region) {
        let mut out = Vec::with_capacity(region.insts.len());
        for mut inst in std::mem::take(&mut region.insts) {
            inst.regions_mut().for_each(|r| self.region(r));
            inst.operands_mut(|v| *v = self.results.get(v).copied().unwrap_or(*v));
            match inst {
                Inst::Loop { params, body, again, span } => match self.trips(&params, &body, again) {
                    Some(trips) => self.unroll(&params, &body, trips, &mut out),
                    None => out.push(Inst::Loop { params, body, again, span }),
                },
                other => out.push(other),
            }
        }
        region.insts = out;
    }

    /// The number of iterations, if it is a small constant.
    fn trips(&self, params: &[Param], body: &Region, again: Value) -> Option<usize> {
        let size = size(body)?;
        let most = (SIZE / size.max(1)).min(TRIPS);
        let mut current: HashMap<Value, u64> =
            params.iter().filter_map(|p| Some((p.dst, self.eval(p.init, &HashMap::new(), 0)?))).collect();
        for trip in 1..=most {
            if self.eval(again, &current, 0)? == 0 {
                return Some(trip);
            }
            current = params.iter().filter_map(|p| Some((p.dst, self.eval(p.next, &current, 0)?))).collect();
        }
        None
    }

    /// The bits of a value, given those of params.
    fn eval(&self, value: Value, params: &HashMap<Value, u64>, depth: u32) -> Option<u64> {
        if let Some(bits) = params.get(&value) {
            return Some(*bits);
        }
        // A chain of a few operations: each may be looked at twice for every one that uses it.
        if depth > 8 {
            return None;
        }
        let ty = self.types[value.index()];
        let of = |v: Value| self.eval(v, params, depth + 1);
        match self.ops.get(value.index())?.as_ref()? {
            Op::Const(bits) => Some(*bits),
            Op::Unary(op, a) => fold::unary(*op, ty, of(*a)?),
            Op::Binary(op, a, b) => fold::binary(*op, self.types[a.index()], of(*a)?, of(*b)?),
            Op::Convert(a) => fold::convert(self.types[a.index()], ty, of(*a)?),
            _ => None,
        }
    }

    /// Emits a copy of the body for each iteration.
    fn unroll(&mut self, params: &[Param], body: &Region, trips: usize, out: &mut Vec<Inst>) {
        let mut values: Vec<Value> = params.iter().map(|p| p.init).collect();
        for _ in 0..trips {
            let mut names = Names::default();
            params.iter().zip(&values).for_each(|(p, v)| names.set(p.dst, *v));
            out.extend(names.copy(&body.insts, &mut self.types));
            values = params.iter().map(|p| names.get(p.next)).collect();
        }
        self.results.extend(params.iter().zip(values).map(|(p, v)| (p.result, v)));
    }
}

/// Instructions of a body, if it has no barrier.
fn size(region: &Region) -> Option<usize> {
    region.insts.iter().try_fold(0, |sum, inst| match inst {
        Inst::Barrier { .. } => None,
        inst => inst.regions().try_fold(sum + 1, |sum, r| Some(sum + size(r)?)),
    })
}
