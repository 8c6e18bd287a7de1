//! Simplifies what loops carry: a lane that runs another iteration is known to have passed the loop's tests.
//!
//! - Where a param's value after the loop is not used, its `next` matters only in lanes that go on. So the counter of
//!   `for (..; i < n; i++) { .. break; .. }` becomes `i + 1` on the one path that goes on, which is what reads
//!   trip counts and strides off a loop.
//! - A param that lanes which go on leave as it is, like the flag of a search, is its initial value inside the loop.
//! - Each of several tests `a & b` counts only where the others hold.

use super::{
    copies::count_uses,
    logic::{Facts, Logic},
};
use crate::ir::{Inst, Kernel, Op, Param, Region, Ty, Value, substitute};

/// Runs the pass; whether anything changed (dead code may be left behind).
pub fn simplify_carried(kernel: &mut Kernel) -> bool {
    let uses = count_uses(kernel);
    let mut logic = Logic::new(kernel.values.len());
    logic.record_region(&kernel.body, &kernel.values);
    let mut body = std::mem::take(&mut kernel.body);
    let is_phi = vec![false; kernel.values.len()];
    let mut pass = Pass { types: &kernel.values, logic, is_phi, uses, changed: false };
    pass.collect(&body);
    pass.region(&mut body);
    let changed = pass.changed;
    kernel.body = body;
    changed
}

struct Pass<'k> {
    types: &'k [Ty],
    logic: Logic,
    is_phi: Vec<bool>,
    uses: Vec<u32>,
    changed: bool,
}

impl Pass<'_> {
    fn collect(&mut self, region: &Region) {
        for inst in &region.insts {
            if let Inst::If { phis, .. } = inst {
                phis.iter().for_each(|p| self.is_phi[p.dst.index()] = true);
            }
            inst.regions().for_each(|r| self.collect(r));
        }
    }

    fn region(&mut self, region: &mut Region) {
        for inst in &mut region.insts {
            inst.regions_mut().for_each(|r| self.region(r));
            let Inst::Loop { params, body, again, .. } = inst else { continue };
            self.narrow_tests(body, *again);
            let mut facts = Facts::default();
            self.logic.assume(*again, true, &mut facts);
            for p in params.iter_mut() {
                if self.uses[p.result.index()] > 0 {
                    continue;
                }
                let next = self.narrow(p.next, &facts);
                // A value that something else reads too must stay what it is.
                if std::mem::replace(&mut p.next, next) == next {
                    self.narrow_phi(body, next, &facts);
                }
            }
            self.drop_constant(params, body, again, &facts);
        }
    }

    /// Replaces params by their initial values where no lane that goes on changes them.
    fn drop_constant(&mut self, params: &mut [Param], body: &mut Region, again: &mut Value, facts: &Facts) {
        let is_constant = |p: &&Param| {
            let next = self.logic.narrow(p.next, facts);
            let same = next == p.dst || next == p.init;
            let truth = |v: Value| self.logic.infer(v, &Facts::default());
            let is_bool = self.types[p.dst.index()] == Ty::Bool;
            let same = same || is_bool && truth(p.init).is_some_and(|t| self.logic.infer(next, facts) == Some(t));
            same && self.uses[p.dst.index()] > 0
        };
        let constant: Vec<Param> = params.iter().filter(is_constant).copied().collect();
        if constant.is_empty() {
            return;
        }
        self.changed = true;
        let mut to_init = |v: Value| constant.iter().find(|p| p.dst == v).map_or(v, |p| p.init);
        substitute(body, &mut to_init);
        *again = to_init(*again);
        params.iter_mut().for_each(|p| p.next = to_init(p.next));
    }

    /// Narrows what each test of a conjunction compares, by the others.
    fn narrow_tests(&mut self, body: &mut Region, again: Value) {
        let mut tests = Vec::new();
        // What something else reads as well must keep its meaning.
        let is_own = |v: Value| self.uses[v.index()] == 1;
        self.logic.conjuncts(again, &is_own, &mut tests);
        if tests.len() < 2 {
            return;
        }
        for test in tests.iter().copied().filter(|t| is_own(*t)).collect::<Vec<_>>() {
            let defines = |inst: &&mut Inst| matches!(inst, Inst::Op { dst, .. } if *dst == test);
            let Some(Inst::Op { op: op @ Op::Binary(..), .. }) = body.insts.iter_mut().rfind(defines) else { continue };
            let mut facts = Facts::default();
            tests.iter().filter(|t| **t != test).for_each(|t| self.logic.assume(*t, true, &mut facts));
            op.operands_mut(|v| *v = self.narrow(*v, &facts));
        }
    }

    /// What a value is, given the facts, without looking into branches.
    fn narrow(&mut self, mut value: Value, facts: &Facts) -> Value {
        loop {
            let next = if self.is_phi[value.index()] { value } else { self.logic.narrow_once(value, facts) };
            if next == value {
                return value;
            }
            self.changed = true;
            value = next;
        }
    }

    /// Narrows the arms of the phi that defines a value which nothing else reads.
    fn narrow_phi(&mut self, body: &mut Region, value: Value, facts: &Facts) {
        if self.uses[value.index()] != 1 || !self.is_phi[value.index()] {
            return;
        }
        for inst in &mut body.insts {
            let Inst::If { then, other, phis, .. } = inst else { continue };
            let Some(phi) = phis.iter_mut().find(|p| p.dst == value) else { continue };
            let (arms, regions) = ([phi.then, phi.other], [then, other]);
            phi.then = self.narrow(phi.then, facts);
            phi.other = self.narrow(phi.other, facts);
            let narrowed = [phi.then, phi.other];
            for ((arm, now), inner) in arms.into_iter().zip(narrowed).zip(regions) {
                if arm == now {
                    self.narrow_phi(inner, now, facts);
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
