//! Simplifies what loops carry: where a param's value after the loop is not used, its `next` matters only in lanes that
//! run another iteration, and for those the loop's tests are known.
//!
//! So the counter of `for (..; i < n; i++) { .. break; .. }` becomes `i + 1` on the one path that goes on, which
//! is what reads trip counts and strides off a loop.

use crate::ir::{BinaryOp, Inst, Kernel, Op, Region, UnaryOp, Value};
use std::collections::HashMap;

/// How a value is defined, as far as this pass looks.
#[derive(Clone, Copy)]
enum Def {
    Not(Value),
    And(Value, Value),
    Or(Value, Value),
    Select { cond: Value, accept: Value, reject: Value },
    Phi { cond: Value, then: Value, other: Value },
    Const(u64),
}

/// Runs the pass; whether anything changed (dead code may be left behind).
pub fn simplify_carried(kernel: &mut Kernel) -> bool {
    let mut body = std::mem::take(&mut kernel.body);
    let mut pass = Pass { defs: HashMap::new(), uses: vec![0; kernel.values.len()], changed: false };
    pass.collect(&mut body);
    pass.region(&mut body);
    kernel.body = body;
    pass.changed
}

struct Pass {
    defs: HashMap<Value, Def>,
    uses: Vec<u32>,
    changed: bool,
}

impl Pass {
    fn collect(&mut self, region: &mut Region) {
        for inst in &mut region.insts {
            inst.operands_mut(|v| self.uses[v.index()] += 1);
            match inst {
                Inst::Op { dst, op, .. } => {
                    let def = match *op {
                        Op::Unary(UnaryOp::Not, a) => Def::Not(a),
                        Op::Binary(BinaryOp::And, a, b) => Def::And(a, b),
                        Op::Binary(BinaryOp::Or, a, b) => Def::Or(a, b),
                        Op::Select { cond, accept, reject } => Def::Select { cond, accept, reject },
                        Op::Const(bits) => Def::Const(bits),
                        _ => continue,
                    };
                    self.defs.insert(*dst, def);
                }
                Inst::If { cond, phis, .. } => {
                    for p in phis.iter() {
                        self.defs.insert(p.dst, Def::Phi { cond: *cond, then: p.then, other: p.other });
                    }
                }
                _ => {}
            }
            inst.regions_mut().for_each(|r| self.collect(r));
        }
    }

    fn region(&mut self, region: &mut Region) {
        for inst in &mut region.insts {
            inst.regions_mut().for_each(|r| self.region(r));
            let Inst::Loop { params, body, again, .. } = inst else { continue };
            let mut known = HashMap::new();
            self.assume(*again, true, &mut known);
            for p in params {
                if self.uses[p.result.index()] > 0 {
                    continue;
                }
                let next = self.narrow(p.next, &known);
                // A value that something else reads too must stay what it is.
                if std::mem::replace(&mut p.next, next) == next {
                    self.narrow_phi(body, next, &known);
                }
            }
        }
    }

    /// Records what follows from a Bool's truth. And, Or are bitwise on integers, but only Bools get here.
    fn assume(&self, value: Value, truth: bool, known: &mut HashMap<Value, bool>) {
        if known.insert(value, truth).is_some() {
            return;
        }
        match self.defs.get(&value) {
            Some(&Def::Not(a)) => self.assume(a, !truth, known),
            Some(&Def::And(a, b)) if truth => {
                self.assume(a, true, known);
                self.assume(b, true, known);
            }
            Some(&Def::Or(a, b)) if !truth => {
                self.assume(a, false, known);
                self.assume(b, false, known);
            }
            Some(&(Def::Phi { cond, then, other } | Def::Select { cond, accept: then, reject: other })) => {
                if self.is_const(then, !truth) {
                    self.assume(cond, false, known);
                    self.assume(other, truth, known);
                } else if self.is_const(other, !truth) {
                    self.assume(cond, true, known);
                    self.assume(then, truth, known);
                }
            }
            _ => {}
        }
    }

    fn is_const(&self, value: Value, truth: bool) -> bool {
        matches!(self.defs.get(&value), Some(Def::Const(bits)) if (*bits != 0) == truth)
    }

    /// The value itself, without the selects whose conditions are known.
    fn narrow(&mut self, mut value: Value, known: &HashMap<Value, bool>) -> Value {
        while let Some(&Def::Select { cond, accept, reject }) = self.defs.get(&value) {
            let Some(&truth) = known.get(&cond) else { break };
            value = if truth { accept } else { reject };
            self.changed = true;
        }
        value
    }

    /// Narrows the arms of the phi that defines a value which nothing else reads.
    fn narrow_phi(&mut self, body: &mut Region, value: Value, known: &HashMap<Value, bool>) {
        if self.uses[value.index()] != 1 || !matches!(self.defs.get(&value), Some(Def::Phi { .. })) {
            return;
        }
        for inst in &mut body.insts {
            let Inst::If { then, other, phis, .. } = inst else { continue };
            let Some(phi) = phis.iter_mut().find(|p| p.dst == value) else { continue };
            let (arms, regions) = ([phi.then, phi.other], [then, other]);
            phi.then = self.narrow(phi.then, known);
            phi.other = self.narrow(phi.other, known);
            let narrowed = [phi.then, phi.other];
            for ((arm, now), inner) in arms.into_iter().zip(narrowed).zip(regions) {
                if arm == now {
                    self.narrow_phi(inner, now, known);
                }
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Module;

    #[test]
    fn the_counter_of_a_loop_with_break_advances_by_one() {
        let source = "@group(0) @binding(0) var<storage, read> a: array<i32>;
            @group(0) @binding(1) var<storage, read_write> out: array<i32>;
            @compute @workgroup_size(1) fn main() {
                var sum = 0;
                for (var j = 0; j < 10; j++) {
                    let v = a[j];
                    if (v < 0) { continue; }
                    if (v > 100) { break; }
                    sum += v;
                }
                out[0] = sum;
            }";
        let kernel = Module::parse(source).and_then(|m| m.lower("main")).expect("a kernel");
        assert!(!kernel.to_string().contains("select"), "{kernel}");
    }
}
