//! Turns loops that test at their head into loops that test at their end.
//!
//! A loop of the front end is `do { head; if stay { body }; tail } while again`, where `again` implies `stay`. It becomes
//!
//! ```text
//! head; if stay { do { body; tail; head } while again & stay }
//! ```
//!
//! so that an iteration is straight code with one condition. `head` is copied, which needs it to be without effects and
//! short; what the body reads of it is carried. A lane leaves either by `again`, with the values of the body's end, or by
//! `stay`, with those that the tail gives without a body: where these differ, a select tells them apart. A `break` at the
//! top of the body is a test in its turn, so the pass looks at the new loop again.

use super::{
    copies::{Names, count_uses, fresh},
    logic::{Facts, Logic},
};
use crate::ir::{BinaryOp, Inst, Kernel, Op, Param, Phi, Region, Ty, UnaryOp, Value, substitute, weight::weight};
use naga::Span;
use std::collections::HashSet;

/// Weight of the longest head that is copied.
const HEAD: u32 = 48;
/// Weight of a body that selects could take the place of.
const SHORT: u32 = 16;
/// Weight of a load: it is done once more by lanes that leave.
const LOAD: u32 = 4;
/// Tests of one loop.
const ROUNDS: u32 = 4;

/// Runs the pass. Dead code and constants to fold are left behind.
pub fn rotate_loops(kernel: &mut Kernel) {
    let uses = count_uses(kernel);
    let mut logic = Logic::new(kernel.values.len());
    logic.record_region(&kernel.body, &kernel.values);
    let mut pass = Rotation { types: std::mem::take(&mut kernel.values), logic, uses };
    pass.region(&mut kernel.body);
    kernel.values = pass.types;
}

struct Rotation {
    types: Vec<Ty>,
    logic: Logic,
    /// Uses of the values that there were before the pass, and of the results made since.
    uses: Vec<u32>,
}

/// A loop taken apart.
struct Loop {
    params: Vec<Param>,
    body: Region,
    again: Value,
    span: Span,
}

/// The branch of a loop's body that its lanes take to go on.
struct Test {
    /// Its index in the body.
    at: usize,
    /// What its condition is where lanes go on.
    stay: bool,
}

/// A loop's body around its test.
struct Parts {
    head: Vec<Inst>,
    cond: Value,
    stay: bool,
    body: Vec<Inst>,
    phis: Vec<Phi>,
    tail: Vec<Inst>,
}

impl Parts {
    fn new(mut insts: Vec<Inst>, test: &Test) -> Self {
        let tail = insts.split_off(test.at + 1);
        let Some(Inst::If { cond, then, other, phis, .. }) = insts.pop() else { unreachable!("a test is a branch") };
        let body = if test.stay { then } else { other };
        Parts { head: insts, cond, stay: test.stay, body: body.insts, phis, tail }
    }

    /// The value of a phi at the end of the body (`stays`), or without a body.
    fn end(&self, phi: &Phi, stays: bool) -> Value {
        if self.stay == stays { phi.then } else { phi.other }
    }
}

impl Rotation {
    fn region(&mut self, region: &mut Region) {
        let mut out = Vec::with_capacity(region.insts.len());
        for mut inst in std::mem::take(&mut region.insts) {
            inst.regions_mut().for_each(|r| self.region(r));
            match inst {
                Inst::Loop { params, body, again, span } => {
                    self.rotate(Loop { params, body, again, span }, ROUNDS, &mut out);
                }
                other => out.push(other),
            }
        }
        region.insts = out;
    }

    /// Emits the loop, rotated as often as it has tests.
    fn rotate(&mut self, mut l: Loop, rounds: u32, out: &mut Vec<Inst>) {
        let test = if rounds > 0 { self.find_test(&l) } else { None };
        let Some(test) = test else {
            out.push(Inst::Loop { params: l.params, body: l.body, again: l.again, span: l.span });
            return;
        };
        let parts = Parts::new(std::mem::take(&mut l.body.insts), &test);
        let (yes, no) = (self.constant(parts.stay, l.span, out), self.constant(!parts.stay, l.span, out));

        // Before the loop: its head, and what a lane has that never enters it.
        let mut first = Names::default();
        l.params.iter().for_each(|p| first.set(p.dst, p.init));
        out.extend(first.copy(&parts.head, &mut self.types));
        let (missed, code) = self.without_body(&parts, &first, no);
        out.extend(code);

        let mut inner = Inner::new(self, l, parts, [yes, no]);
        let phis = inner.results(self, &missed);
        let (cond, stay, span) = (first.get(inner.parts.cond), inner.parts.stay, inner.span);
        let mut arm = Region::default();
        let inner = inner.finish(self, &first);
        self.rotate(inner, rounds - 1, &mut arm.insts);
        let (then, other) = if stay { (arm, Region::default()) } else { (Region::default(), arm) };
        out.push(Inst::If { cond, then, other, phis, span });
    }

    /// The first branch of the body that every lane takes the same way to run another iteration.
    fn find_test(&self, l: &Loop) -> Option<Test> {
        let mut facts = Facts::default();
        self.logic.assume(l.again, true, &mut facts);
        let mut head = 0;
        for (at, inst) in l.body.insts.iter().enumerate() {
            if let Inst::If { cond, then, other, .. } = inst
                && let Some(stay) = facts.get(*cond)
            {
                let (body, leave) = if stay { (then, other) } else { (other, then) };
                let is_short = self.weight_of(&body.insts).is_some_and(|w| w <= SHORT);
                let fits = head <= HEAD && (!is_short || self.saves_selects(l, at, stay));
                let tail = self.weight_of(&l.body.insts[at + 1..]);
                let rotates = fits && leave.insts.is_empty() && tail.is_some_and(|w| w <= HEAD);
                return rotates.then_some(Test { at, stay });
            }
            head += self.weight_of(std::slice::from_ref(inst))?;
        }
        None
    }

    /// Whether the new loop needs no more selects for its results than the branch has phis.
    fn saves_selects(&self, l: &Loop, at: usize, stay: bool) -> bool {
        let Some(Inst::If { cond, phis, .. }) = l.body.insts.get(at) else { return false };
        let ends = |v: Value| match phis.iter().find(|p| p.dst == v) {
            Some(p) if stay => (p.then, p.other),
            Some(p) => (p.other, p.then),
            None => (v, v),
        };
        if l.again == *cond || self.logic.infer(ends(l.again).0, &Facts::default()) == Some(true) {
            // The test is the one way out.
            return true;
        }
        let (mut before, mut after) = (0, 0);
        for p in l.params.iter().filter(|p| self.is_used(p.result)) {
            let (stays, leaves) = ends(p.next);
            before += u32::from(stays != leaves);
            after += u32::from(leaves != p.dst && leaves != p.init);
        }
        after <= before
    }

    fn is_used(&self, value: Value) -> bool {
        self.uses.get(value.index()).is_some_and(|n| *n > 0)
    }

    /// Whether the facts make `value` what `other` is.
    fn is_same(&self, value: Value, other: Value, facts: &Facts) -> bool {
        let constant = self.logic.infer(other, &Facts::default());
        self.logic.narrow(value, facts) == other || constant.is_some() && self.logic.infer(value, facts) == constant
    }

    /// A value that is read if `used`.
    fn result(&mut self, ty: Ty, used: bool) -> Value {
        let value = fresh(&mut self.types, ty);
        self.uses.resize(self.types.len(), 0);
        self.uses[value.index()] = used.into();
        value
    }

    /// The weight of code without effects and loops.
    fn weight_of(&self, insts: &[Inst]) -> Option<u32> {
        insts.iter().try_fold(0u32, |sum, inst| match inst {
            Inst::Op { op: Op::Load(_), .. } => Some(sum + LOAD),
            Inst::Op { dst, op, .. } => Some(sum.saturating_add(weight(op, self.types[dst.index()]))),
            Inst::If { then, other, .. } => {
                Some(sum.saturating_add(self.weight_of(&then.insts)?).saturating_add(self.weight_of(&other.insts)? + 2))
            }
            _ => None,
        })
    }

    fn emit(&mut self, ty: Ty, op: Op, span: Span, out: &mut Vec<Inst>) -> Value {
        let dst = fresh(&mut self.types, ty);
        self.logic.record(dst, &op, &self.types);
        out.push(Inst::Op { dst, op, span });
        dst
    }

    fn constant(&mut self, truth: bool, span: Span, out: &mut Vec<Inst>) -> Value {
        self.emit(Ty::Bool, Op::Const(truth.into()), span, out)
    }

    /// The Bools of the head that are constants in a body that runs where `cond` is `stay`; `stay` is called `yes`.
    fn known_in_body(&self, parts: &Parts, [yes, no]: [Value; 2]) -> Names {
        let mut facts = Facts::default();
        self.logic.assume(parts.cond, parts.stay, &mut facts);
        let mut names = Names::default();
        names.set(parts.cond, yes);
        for inst in &parts.head {
            if let Inst::Op { dst, .. } = inst
                && self.types[dst.index()] == Ty::Bool
                && let Some(truth) = self.logic.infer(*dst, &facts)
            {
                names.set(*dst, if truth == parts.stay { yes } else { no });
            }
        }
        names
    }

    /// The tail as it is for a lane that leaves by the test, given what head and params are called: the names of
    /// everything, and the code.
    fn without_body(&mut self, parts: &Parts, names: &Names, no: Value) -> (Names, Vec<Inst>) {
        let mut names = names.clone();
        names.set(parts.cond, no);
        for p in &parts.phis {
            names.set(p.dst, names.get(parts.end(p, false)));
        }
        let code = names.copy(&parts.tail, &mut self.types);
        (names, code)
    }
}

/// The new loop while it is built.
struct Inner {
    params: Vec<Param>,
    /// What the params are at the end of an iteration, by the body.
    next: Vec<Value>,
    parts: Parts,
    code: Vec<Inst>,
    /// Whether another iteration follows, as far as the body decides.
    goes_on: Value,
    /// Names of the head's values and the params, for the next iteration.
    second: Names,
    /// Names where a lane leaves by the test at the end.
    left: Names,
    /// Params that only carry a result out.
    results: Vec<Param>,
    span: Span,
}

impl Inner {
    /// Body and tail, then the head for the next iteration.
    fn new(pass: &mut Rotation, l: Loop, mut parts: Parts, [yes, no]: [Value; 2]) -> Self {
        let mut here = pass.known_in_body(&parts, [yes, no]);
        for p in &parts.phis {
            here.set(p.dst, here.get(parts.end(p, true)));
        }
        let mut code = Region { insts: std::mem::take(&mut parts.body) };
        code.insts.extend(parts.tail.iter().cloned());
        substitute(&mut code, &mut |v| here.get(v));
        let next: Vec<Value> = l.params.iter().map(|p| here.get(p.next)).collect();
        let mut second = Names::default();
        l.params.iter().zip(&next).for_each(|(p, n)| second.set(p.dst, *n));
        let mut code = code.insts;
        code.extend(second.copy(&parts.head, &mut pass.types));
        let (left, tail) = pass.without_body(&parts, &second, no);
        code.extend(tail);
        let goes_on = here.get(l.again);
        Inner { params: l.params, next, parts, code, goes_on, second, left, results: Vec::new(), span: l.span }
    }

    /// The phis after the new loop; `missed` are the names for a lane that never entered it.
    fn results(&mut self, pass: &mut Rotation, missed: &Names) -> Vec<Phi> {
        let mut phis = Vec::new();
        let mut facts = Facts::default();
        pass.logic.assume(self.goes_on, true, &mut facts);
        for (i, next) in self.next.clone().into_iter().enumerate() {
            let p = self.params[i];
            let ty = pass.types[p.dst.index()];
            let left = self.left.get(p.next);
            let is_used = pass.is_used(p.result);
            let same = left == next || pass.is_same(next, left, &facts);
            self.params[i].next = next;
            self.params[i].result = pass.result(ty, is_used && same);
            if !is_used {
                continue;
            }
            let mut result = self.params[i].result;
            if !same {
                let op = Op::Select { cond: self.goes_on, accept: left, reject: next };
                let next = pass.emit(ty, op, self.span, &mut self.code);
                let dst = fresh(&mut pass.types, ty);
                result = pass.result(ty, true);
                self.results.push(Param { dst, init: p.init, next, result });
            }
            let missed = missed.get(p.next);
            let (then, other) = if self.parts.stay { (result, missed) } else { (missed, result) };
            phis.push(Phi { dst: p.result, then, other });
        }
        phis
    }

    /// The loop, with the values of the head that its body reads as params. Products of params that it
    /// reads, too, are made again instead: a sum takes them in for nothing, and what a loop carries takes registers.
    fn finish(mut self, pass: &mut Rotation, first: &Names) -> Loop {
        let span = self.span;
        let mut test = self.second.get(self.parts.cond);
        if !self.parts.stay {
            test = pass.emit(Ty::Bool, Op::Unary(UnaryOp::Not, test), span, &mut self.code);
        }
        let again = pass.emit(Ty::Bool, Op::Binary(BinaryOp::And, self.goes_on, test), span, &mut self.code);
        let mut params = self.params;
        params.extend(self.results);
        let mut read = HashSet::new();
        collect_reads(&mut self.code, &mut read);
        params.iter().for_each(|p| _ = read.insert(p.next));
        let mut made = HashSet::new();
        self.parts.head.iter_mut().for_each(|inst| inst.results_mut(|h| _ = made.insert(*h)));
        let mut again_made = Vec::new();
        for inst in &mut self.parts.head {
            if let Inst::Op { dst, op: Op::Binary(BinaryOp::Mul, a, b), .. } = inst
                && read.contains(dst)
                && pass.types[dst.index()].is_float()
                && [a, b].into_iter().all(|factor| read.contains(factor) && !made.contains(factor))
            {
                again_made.push(inst.clone());
                continue;
            }
            inst.results_mut(|h| {
                if read.contains(h) {
                    let ty = pass.types[h.index()];
                    let result = fresh(&mut pass.types, ty);
                    params.push(Param { dst: *h, init: first.get(*h), next: self.second.get(*h), result });
                }
            });
        }
        again_made.append(&mut self.code);
        Loop { params, body: Region { insts: again_made }, again, span }
    }
}

fn collect_reads(insts: &mut [Inst], read: &mut HashSet<Value>) {
    for inst in insts {
        inst.operands_mut(|v| _ = read.insert(*v));
        inst.regions_mut().for_each(|r| collect_reads(&mut r.insts, read));
    }
}
