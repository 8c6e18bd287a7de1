//! The outermost code: where barriers cut it.
//!
//! A kernel is cut at its barriers into *runs*. A run is a loop over the blocks of the batch: full blocks, then
//! the rest (and blocks that were left) masked. Control flow around barriers is uniform and lies between runs. What
//! one run makes and another needs is made again if that is cheap, else kept in a slot a lane.

use super::{Lower, Mode, blocks::Work};
use crate::{
    analysis::uniformity::BatchShape,
    ir::{BinaryOp, Inst, Op, Param, Phi, Value},
    jit::{
        class::{Class, WhileForm, has_effects},
        crossing,
        mir::Kind,
    },
};
use naga::Span;
use regalloc2::VReg;

/// Operations up to which a value is made again in another run.
const REMAKE: usize = 8;

/// A piece of the outermost code.
#[derive(Debug)]
enum Piece<'k> {
    /// Instructions for each block of lanes.
    Run {
        insts: Vec<&'k Inst>,
        copies: Vec<(Value, Value)>,
    },
    /// An operation that is the same for the whole work-group.
    Uniform(Value, &'k Op),
    If {
        cond: Value,
        then: Vec<Piece<'k>>,
        other: Vec<Piece<'k>>,
        phis: Vec<&'k Phi>,
    },
    Loop {
        params: Vec<&'k Param>,
        head: Vec<Piece<'k>>,
        test: Value,
        positive: bool,
        rest: Vec<Piece<'k>>,
        last: Vec<Value>,
        next: Vec<Value>,
        span: Span,
    },
}

/// Whether an instruction holds a barrier.
fn holds_barrier(inst: &Inst) -> bool {
    matches!(inst, Inst::Barrier { .. }) || inst.regions().any(|r| r.insts.iter().any(holds_barrier))
}

/// What the code between runs may read at once.
struct Cut<'k> {
    pieces: Vec<Piece<'k>>,
    pending: Vec<&'k Inst>,
    effects: bool,
}

impl<'k> Cut<'k> {
    fn flush(&mut self) {
        self.effects = false;
        if !self.pending.is_empty() {
            let insts = std::mem::take(&mut self.pending);
            self.pieces.push(Piece::Run { insts, copies: Vec::new() });
        }
    }
}

impl<'k> Lower<'k> {
    /// The whole function.
    pub(super) fn body(&mut self) {
        self.mode = Mode::Masked;
        self.parts = 1;
        let body = &self.kernel.body;
        self.hoist(body, true);
        match self.shapes[0].batch {
            BatchShape::Group => self.cooperative(),
            BatchShape::Row => self.rows(body),
            BatchShape::Linear => {
                let all: Vec<&Inst> = body.insts.iter().collect();
                let range = self.whole_range();
                self.run_blocks(&Work::of(&all), &range);
            }
        }
        self.f.end(self.at, Kind::Return(0), Vec::new(), &[], Vec::new());
    }

    fn cooperative(&mut self) {
        if self.kernel.private.iter().any(|v| v.bytes > 0) {
            self.private_lanes = self.group_lanes();
        }
        let mut known = vec![false; self.kernel.values.len()];
        for (k, e) in known.iter_mut().zip(&self.env) {
            *k = e.is_some();
        }
        let mut pieces = self.cut(&self.kernel.body.insts, &mut known);
        let plan = Plan::new(self, &mut pieces, &known);
        let dependent = crossing::dependent(self.kernel, &self.full);
        self.crosses = plan.kept.iter().zip(dependent).any(|(kept, dependent)| *kept && dependent);
        if self.crosses {
            return self.refuse("a value that depends on a test of a block, over a barrier");
        }
        if self.private_lanes > 0 {
            self.clear_private();
        }
        self.pieces(&pieces, &plan);
    }

    /// Cuts instructions into pieces. `known`: values that are the same for the work-group and made between runs.
    fn cut(&mut self, insts: &'k [Inst], known: &mut Vec<bool>) -> Vec<Piece<'k>> {
        let mut cut = Cut { pieces: Vec::new(), pending: Vec::new(), effects: false };
        for inst in insts {
            match inst {
                Inst::Barrier { .. } => cut.flush(),
                Inst::Op { dst, op, .. } if known[dst.index()] => {
                    let _ = op;
                }
                Inst::Op { dst, op, .. } if self.is_common_op(*dst, op, known) => {
                    if matches!(op, Op::Load(_)) && cut.effects {
                        cut.flush();
                    }
                    known[dst.index()] = true;
                    cut.pieces.push(Piece::Uniform(*dst, op));
                }
                inst if holds_barrier(inst) => {
                    cut.flush();
                    let piece = self.cut_flow(inst, known);
                    cut.pieces.extend(piece);
                }
                inst => {
                    cut.effects |= match inst {
                        Inst::Store { .. } | Inst::Atomic { .. } => true,
                        inst => inst.regions().any(|region| has_effects(region, false)),
                    };
                    cut.pending.push(inst);
                }
            }
        }
        cut.flush();
        cut.pieces
    }

    fn is_common_op(&self, dst: Value, op: &Op, known: &[bool]) -> bool {
        let mut operands = true;
        op.operands(|v| operands &= known[v.index()]);
        operands && self.outer.is_uniform(dst)
    }

    fn cut_flow(&mut self, inst: &'k Inst, known: &mut Vec<bool>) -> Option<Piece<'k>> {
        match inst {
            Inst::If { cond, then, other, phis, .. } => {
                if !known[cond.index()] {
                    self.refuse("a barrier under a condition that may differ in a work-group");
                    return None;
                }
                let then = self.cut(&then.insts, known);
                let other = self.cut(&other.insts, known);
                let phis: Vec<&Phi> = phis.iter().filter(|p| self.uses[p.dst.index()] > 0).collect();
                for p in &phis {
                    known[p.dst.index()] =
                        self.outer.is_uniform(p.dst) && known[p.then.index()] && known[p.other.index()];
                }
                Some(Piece::If { cond: *cond, then, other, phis })
            }
            Inst::Loop { params, body, again, span } => {
                let params: Vec<&Param> =
                    params.iter().filter(|p| self.uses[p.dst.index()] + self.uses[p.result.index()] > 0).collect();
                for p in &params {
                    known[p.dst.index()] = self.outer.is_uniform(p.dst) && known[p.init.index()];
                }
                let form = WhileForm::of(body, *again);
                let (head, rest) = match &form {
                    Some(w) => (self.cut(&body.insts[..w.head], known), self.cut(&w.rest.insts, known)),
                    None => (self.cut(&body.insts, known), Vec::new()),
                };
                let (test, positive) = form.as_ref().map_or((*again, true), |w| (w.cond, w.positive));
                let last: Vec<Value> =
                    params.iter().map(|p| form.as_ref().map_or(p.next, |w| w.exiting(p.next))).collect();
                let next: Vec<Value> =
                    params.iter().map(|p| form.as_ref().map_or(p.next, |w| w.continuing(p.next))).collect();
                if !known[test.index()] {
                    self.refuse("a barrier in a loop that invocations may leave at different times");
                    return None;
                }
                for (i, p) in params.iter().enumerate() {
                    if known[p.dst.index()] && !known[next[i].index()] {
                        self.refuse("a uniform loop value that is made in a run");
                    }
                    known[p.result.index()] = self.outer.is_uniform(p.result) && known[last[i].index()];
                }
                Some(Piece::Loop { params, head, test, positive, rest, last, next, span: *span })
            }
            _ => None,
        }
    }

    fn pieces(&mut self, pieces: &[Piece<'k>], plan: &Plan) {
        for piece in pieces {
            if self.refusal.is_some() {
                return;
            }
            match piece {
                Piece::Uniform(dst, op) => self.op(*dst, op),
                Piece::Run { insts, copies } => {
                    let needs = plan.needs(self, insts, copies);
                    let made = plan.made(self, insts);
                    let save: Vec<(Value, Value)> =
                        made.iter().map(|v| (*v, *v)).chain(copies.iter().copied()).collect();
                    let work = Work { insts, remake: &needs.remake, load: &needs.load, save: &save };
                    let range = self.whole_range();
                    self.run_blocks(&work, &range);
                }
                Piece::If { cond, then, other, phis } => self.outer_branch(*cond, [then, other], phis, plan),
                Piece::Loop { .. } => self.outer_loop(piece, plan),
            }
        }
    }

    fn outer_branch(&mut self, cond: Value, arms: [&[Piece<'k>]; 2], phis: &[&Phi], plan: &Plan) {
        let common: Vec<&&Phi> = phis.iter().filter(|p| plan.known[p.dst.index()]).collect();
        let (t, o, join) = (self.f.block(), self.f.block(), self.f.block());
        let dsts: Vec<Value> = common.iter().map(|p| p.dst).collect();
        let params = self.params(join, &dsts);
        self.branch_on(cond, t, o);
        for (block, pieces, taken) in [(t, arms[0], true), (o, arms[1], false)] {
            self.at = block;
            self.scoped(|l| {
                l.pieces(pieces, plan);
                let args = l.arguments(common.iter().map(|p| (if taken { p.then } else { p.other }, p.dst)));
                l.jump(join, args);
            });
        }
        self.at = join;
        for (p, r) in common.iter().zip(params) {
            self.define_form(p.dst, r);
        }
    }

    /// A loop's parameter and what it grows by, if it is a counter.
    fn counter_step(&self, counter: Value, next: Value) -> Option<(Value, Value)> {
        match self.def(next)? {
            Op::Binary(BinaryOp::Add, a, b) if *a == counter => Some((counter, *b)),
            Op::Binary(BinaryOp::Add, a, b) if *b == counter => Some((counter, *a)),
            _ => None,
        }
    }

    fn outer_loop(&mut self, piece: &Piece<'k>, plan: &Plan) {
        let Piece::Loop { params, head, test, positive, rest, last, next, span } = piece else { return };
        let common: Vec<usize> = (0..params.len()).filter(|i| plan.known[params[*i].dst.index()]).collect();
        let (top, exit, on) = (self.f.block(), self.later_block(), self.f.block());
        let dsts: Vec<Value> = common.iter().map(|i| params[*i].dst).collect();
        let regs = self.params(top, &dsts);
        self.f.nodes[top.index()].head = true;
        let args = self.arguments(common.iter().map(|i| (params[*i].init, params[*i].dst)));
        self.jump(top, args);
        self.at = top;
        self.span = *span;
        self.burn(Kind::BranchOuterFuel);
        let results = self.scoped(|l| {
            for (i, r) in common.iter().zip(regs) {
                l.define_form(params[*i].dst, r);
            }
            let counters: Vec<_> = common.iter().filter_map(|i| l.counter_step(params[*i].dst, next[*i])).collect();
            let outer = std::mem::replace(&mut l.advances, counters);
            l.pieces(head, plan);
            if l.refusal.is_some() {
                return Vec::new();
            }
            if *positive {
                l.branch_on(*test, on, exit)
            } else {
                l.branch_on(*test, exit, on)
            }
            l.at = exit;
            let results: Vec<Option<Vec<VReg>>> = l.scoped(|l| {
                (0..params.len())
                    .map(|i| {
                        let p = params[i];
                        let wanted = l.uses[p.result.index()] > 0 && plan.known[p.result.index()];
                        wanted.then(|| l.in_form(last[i], p.result))
                    })
                    .collect()
            });
            l.at = on;
            l.scoped(|l| {
                l.pieces(rest, plan);
                let args = l.arguments(common.iter().map(|i| (next[*i], params[*i].dst)));
                l.jump(top, args);
            });
            l.advances = outer;
            results
        });
        self.at = exit;
        for (p, r) in params.iter().zip(results) {
            if let Some(r) = r {
                self.define_form(p.result, r);
            }
        }
    }
}

/// Which values are kept from run to run.
struct Plan {
    /// Values made between runs.
    known: Vec<bool>,
    kept: Vec<bool>,
    /// Results of loops and the parameters whose slots hold them after the last turn.
    held: Vec<(Value, Value)>,
}

/// What a run needs of others.
struct Needs {
    remake: Vec<Value>,
    load: Vec<Value>,
}

impl Plan {
    /// Decides which values are kept, gives them slots, and adds the copies that loops and branches need.
    fn new<'k>(l: &mut Lower<'k>, pieces: &mut Vec<Piece<'k>>, known: &[bool]) -> Plan {
        let mut plan = Plan { known: known.to_vec(), kept: vec![false; known.len()], held: Vec::new() };
        plan.copy_flow(pieces);
        plan.mark(l, pieces);
        let is_held = |i: usize| plan.held.iter().any(|(result, _)| result.index() == i);
        for i in 0..plan.kept.len() {
            if plan.kept[i] && !is_held(i) {
                let bytes = l.ty(Value(i as u32)).bytes().max(4);
                l.slot_bytes = l.slot_bytes.next_multiple_of(bytes);
                l.kept[i] = Some(l.slot_bytes);
                l.slot_bytes += bytes;
            }
        }
        for (result, dst) in &plan.held {
            l.kept[result.index()] = l.kept[dst.index()];
        }
        plan
    }

    /// Adds a run that copies slots, or lets the last run do it.
    fn add_copies(pieces: &mut Vec<Piece<'_>>, pairs: Vec<(Value, Value)>) {
        let pairs: Vec<(Value, Value)> = pairs.into_iter().filter(|(a, b)| a != b).collect();
        if pairs.is_empty() {
            return;
        }
        let last = pieces.iter_mut().rev().find(|p| !matches!(p, Piece::Uniform(..)));
        match last {
            Some(Piece::Run { copies, .. }) if copies.is_empty() => *copies = pairs,
            _ => pieces.push(Piece::Run { insts: Vec::new(), copies: pairs }),
        }
    }

    /// Values that differ in the work-group pass branches and loops through slots.
    fn copy_flow(&mut self, pieces: &mut Vec<Piece<'_>>) {
        let mut i = 0;
        while i < pieces.len() {
            let (mut before, mut after) = (Vec::new(), Vec::new());
            match &mut pieces[i] {
                Piece::If { then, other, phis, .. } => {
                    self.copy_flow(then);
                    self.copy_flow(other);
                    let varying = || phis.iter().filter(|p| !self.known[p.dst.index()]);
                    Self::add_copies(then, varying().map(|p| (p.then, p.dst)).collect());
                    Self::add_copies(other, varying().map(|p| (p.other, p.dst)).collect());
                }
                Piece::Loop { params, head, rest, last, next, .. } => {
                    self.copy_flow(head);
                    self.copy_flow(rest);
                    let varying = |i: &usize| !self.known[params[*i].dst.index()];
                    let all = 0..params.len();
                    before = all.clone().filter(varying).map(|i| (params[i].init, params[i].dst)).collect();
                    let turn: Vec<_> = all.clone().filter(varying).map(|i| (next[i], params[i].dst)).collect();
                    let results: Vec<_> = all
                        .filter(|i| !self.known[params[*i].result.index()])
                        .map(|i| (last[i], params[i].result))
                        .collect();
                    if rest.is_empty() {
                        // One body, at whose end what follows is copied: mostly, results are the next values.
                        let (held, results): (Vec<_>, Vec<_>) =
                            results.into_iter().partition(|(last, _)| turn.iter().any(|(next, _)| next == last));
                        let holder = |last: Value| turn.iter().find(|(next, _)| *next == last).map(|(_, dst)| *dst);
                        self.held.extend(held.iter().filter_map(|(last, result)| Some((*result, holder(*last)?))));
                        Self::add_copies(head, turn.into_iter().chain(results).collect());
                    } else {
                        Self::add_copies(rest, turn);
                        after = results;
                    }
                }
                Piece::Run { .. } | Piece::Uniform(..) => {}
            }
            if !before.is_empty() {
                let mut front: Vec<Piece<'_>> = pieces.drain(..i).collect();
                let count = front.len();
                Self::add_copies(&mut front, before);
                i += front.len() - count;
                front.append(pieces);
                *pieces = front;
            }
            if !after.is_empty() {
                pieces.insert(i + 1, Piece::Run { insts: Vec::new(), copies: after });
                i += 1;
            }
            i += 1;
        }
    }

    /// Marks the values that a run needs and does not make.
    fn mark(&mut self, l: &Lower<'_>, pieces: &[Piece<'_>]) {
        for piece in pieces {
            match piece {
                Piece::Run { insts, copies } => {
                    let needs = self.needs(l, insts, copies);
                    needs.load.iter().for_each(|v| self.kept[v.index()] = true);
                    copies.iter().for_each(|(_, to)| self.kept[to.index()] = true);
                }
                Piece::Uniform(..) => {}
                Piece::If { then, other, .. } => {
                    self.mark(l, then);
                    self.mark(l, other);
                }
                Piece::Loop { head, rest, .. } => {
                    self.mark(l, head);
                    self.mark(l, rest);
                }
            }
        }
    }

    /// What a run uses and does not make itself.
    fn needs(&self, l: &Lower<'_>, insts: &[&Inst], copies: &[(Value, Value)]) -> Needs {
        let mut inside = vec![false; self.known.len()];
        insts.iter().for_each(|inst| each_result(inst, &mut |v| inside[v.index()] = true));
        let mut needs = Needs { remake: Vec::new(), load: Vec::new() };
        let mut seen = vec![false; self.known.len()];
        {
            let mut want = |v: Value| {
                if !inside[v.index()] {
                    self.want(l, v, &mut seen, &mut needs);
                }
            };
            insts.iter().for_each(|inst| each_operand(inst, &mut want));
            copies.iter().for_each(|(v, _)| want(*v));
        }
        needs
    }

    fn want(&self, l: &Lower<'_>, v: Value, seen: &mut [bool], needs: &mut Needs) {
        if self.known[v.index()] || std::mem::replace(&mut seen[v.index()], true) {
            return;
        }
        let mut budget = REMAKE;
        if self.is_cheap(l, v, &mut budget) {
            self.remake(l, v, seen, needs);
        } else {
            needs.load.push(v);
        }
    }

    /// Whether a value can be made from what is known everywhere by few operations.
    fn is_cheap(&self, l: &Lower<'_>, v: Value, budget: &mut usize) -> bool {
        if self.known[v.index()] {
            return true;
        }
        let Some(op) = l.def(v) else { return false };
        // Affine values cost nothing; others are made again only if that is one or two operations.
        let cost = if l.full.of(v) == Class::Varying { 3 } else { 1 };
        if matches!(op, Op::Load(_)) || *budget < cost {
            return false;
        }
        *budget -= cost;
        let mut cheap = true;
        op.operands(|o| cheap = cheap && self.is_cheap(l, o, budget));
        cheap
    }

    fn remake(&self, l: &Lower<'_>, v: Value, seen: &mut [bool], needs: &mut Needs) {
        if let Some(op) = l.def(v) {
            op.operands(|o| {
                if !self.known[o.index()] && !std::mem::replace(&mut seen[o.index()], true) {
                    self.remake(l, o, seen, needs);
                }
            });
        }
        needs.remake.push(v);
    }

    /// Values that a run makes and another needs.
    fn made(&self, l: &Lower<'_>, insts: &[&Inst]) -> Vec<Value> {
        let mut made = Vec::new();
        let _ = l;
        insts.iter().for_each(|inst| {
            each_own_result(inst, &mut |v| {
                if self.kept[v.index()] {
                    made.push(v);
                }
            });
        });
        made
    }
}

/// Values that an instruction itself defines.
fn each_own_result(inst: &Inst, f: &mut dyn FnMut(Value)) {
    match inst {
        Inst::Op { dst, .. } => f(*dst),
        Inst::Atomic { dst: Some(dst), .. } => f(*dst),
        Inst::If { phis, .. } => phis.iter().for_each(|p| f(p.dst)),
        Inst::Loop { params, .. } => params.iter().for_each(|p| f(p.result)),
        _ => {}
    }
}

/// Values that an instruction and its regions define.
fn each_result(inst: &Inst, f: &mut dyn FnMut(Value)) {
    each_own_result(inst, f);
    if let Inst::Loop { params, .. } = inst {
        params.iter().for_each(|p| f(p.dst));
    }
    inst.regions().for_each(|r| r.insts.iter().for_each(|i| each_result(i, f)));
}

/// Values that an instruction and its regions use.
fn each_operand(inst: &Inst, f: &mut dyn FnMut(Value)) {
    inst.operands(&mut *f);
    inst.regions().for_each(|r| r.insts.iter().for_each(|i| each_operand(i, f)));
}
