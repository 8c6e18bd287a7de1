//! Branches and loops inside a block of lanes.

use super::{Lower, Val};
use crate::{
    ir::{BinaryOp, Inst, Op, Param, Phi, Region, Ty, UnaryOp, Value},
    jit::{
        class::{Class, WhileForm},
        mir::{GSrc, Kind},
        x64::{Cond, Isa, Size, VOp},
    },
};
use regalloc2::{Block, Operand, RegClass, VReg};

use super::scalar::condition;

/// Weight up to which the arms of a divergent branch are both computed.
const SPECULATE: usize = 12;

impl<'k> Lower<'k> {
    /// Register classes of the form that a value of `v`'s class is passed in.
    fn form(&self, v: Value) -> Vec<RegClass> {
        let ty = self.ty(v);
        match self.class(v) {
            Class::Varying => {}
            Class::Stepped { .. } => return vec![RegClass::Int; 2],
            Class::Affine { .. } if ty.is_float() => return vec![RegClass::Float],
            Class::Affine { .. } => return vec![RegClass::Int],
        }
        match ty {
            Ty::Bool => vec![self.mask_class(); self.parts],
            ty => vec![RegClass::Float; self.parts * Self::halves(ty)],
        }
    }

    /// A value in the form of another one's class.
    pub(super) fn in_form(&mut self, v: Value, like: Value) -> Vec<VReg> {
        let ty = self.ty(v);
        match self.class(like) {
            Class::Varying if ty == Ty::Bool => self.masks(v),
            Class::Varying => self.vectors(v),
            Class::Stepped { .. } => vec![self.gpr(v), self.gain(v)],
            _ if ty.is_float() => vec![self.splat(v)],
            _ => vec![self.gpr(v)],
        }
    }

    /// Defines a value from registers in the form of its class.
    pub(super) fn define_form(&mut self, v: Value, r: Vec<VReg>) {
        let val = self.form_val(v, r);
        self.define(v, val);
    }

    /// Registers in the form of a value's class.
    pub(super) fn form_val(&self, v: Value, r: Vec<VReg>) -> Val {
        let ty = self.ty(v);
        match self.class(v) {
            Class::Varying if ty == Ty::Bool => Val::Masks(r),
            Class::Varying => Val::Parts(r),
            Class::Stepped { .. } => Val::Stepped(r[0], r[1]),
            c if !c.is_uniform() => Val::Base(r[0]),
            _ if ty.is_float() => Val::Splat(r[0]),
            _ => Val::Gpr(r[0]),
        }
    }

    /// Gives a block parameters in the forms of values.
    pub(super) fn params(&mut self, block: Block, values: &[Value]) -> Vec<Vec<VReg>> {
        let groups: Vec<Vec<VReg>> =
            values.iter().map(|v| self.form(*v).into_iter().map(|class| self.f.reg(class)).collect()).collect();
        self.f.nodes[block.index()].params.extend(groups.iter().flatten());
        groups
    }

    /// Values in the forms of others, one list.
    pub(super) fn arguments(&mut self, pairs: impl Iterator<Item = (Value, Value)>) -> Vec<VReg> {
        pairs.flat_map(|(v, like)| self.in_form(v, like)).collect()
    }

    /// A block that is laid out after its siblings.
    pub(super) fn later_block(&mut self) -> Block {
        let block = self.f.block();
        self.f.nodes[block.index()].later = true;
        block
    }

    /// Ends the block with a branch on a uniform Bool.
    pub(super) fn branch_on(&mut self, cond: Value, yes: Block, no: Block) {
        if let Some(Op::Unary(UnaryOp::Not, a)) = self.def(cond)
            && self.env[a.index()].is_some()
        {
            return self.branch_on(*a, no, yes);
        }
        if let Some(Op::Binary(op, a, b)) = self.def(cond)
            && !self.classes().is_checked(cond)
            && !self.ty(*a).is_float()
            && self.class(*a).is_uniform()
            && self.class(*b).is_uniform()
            && self.env[a.index()].is_some()
            && self.env[b.index()].is_some()
            && let Some(c) = condition(*op, self.ty(*a).is_signed())
        {
            let size = Self::size(self.ty(*a));
            let (x, y) = (self.gpr(*a), self.general_source(*b));
            return self.branch_to(c, size, x, y, yes, no);
        }
        let r = self.gpr(cond);
        self.branch_to(Cond::Ne, Size::D, r, GSrc::Imm(0), yes, no);
    }

    /// Ends the block with a branch that is taken if a lane of any mask is set.
    pub(super) fn branch_any(&mut self, masks: &[VReg], yes: Block, no: Block) {
        // AVX-512 tests two at once.
        let apart = if masks.len() > 1 && self.isa == Isa::Avx512 { 1 } else { 0 };
        let mut any = masks[apart];
        for m in &masks[apart + 1..] {
            any = self.mask_or(any, *m);
        }
        let two = [masks[0], any].map(|m| if apart == 1 { m } else { any });
        self.f.end(self.at, Kind::BranchAny, two.map(Operand::reg_use).to_vec(), &[yes, no], Vec::new());
    }

    pub(super) fn branch(&mut self, cond: Value, then: &'k Region, other: &'k Region, phis: &'k [Phi]) {
        let phis: Vec<&Phi> = phis.iter().filter(|p| self.uses[p.dst.index()] > 0).collect();
        if let Some(bits) = self.constant(cond) {
            let arm = if bits != 0 { then } else { other };
            self.insts(&arm.insts);
            for p in phis {
                let v = if bits != 0 { p.then } else { p.other };
                let r = self.in_form(v, p.dst);
                self.define_form(p.dst, r);
            }
            return;
        }
        if self.class(cond).is_uniform() {
            return self.uniform_branch(cond, then, other, &phis);
        }
        if is_cheap(then) && is_cheap(other) && then.insts.len() + other.insts.len() <= SPECULATE {
            return self.select_arms(cond, then, other, &phis);
        }
        self.divergent_branch(cond, then, other, &phis);
    }

    fn uniform_branch(&mut self, cond: Value, then: &'k Region, other: &'k Region, phis: &[&Phi]) {
        let (t, o, join) = (self.f.block(), self.f.block(), self.f.block());
        let dsts: Vec<Value> = phis.iter().map(|p| p.dst).collect();
        let params = self.params(join, &dsts);
        self.branch_on(cond, t, o);
        let before = self.dirty;
        let mut after = false;
        for (block, region, taken) in [(t, then, true), (o, other, false)] {
            self.at = block;
            self.dirty = before;
            self.scoped(|l| {
                l.insts(&region.insts);
                let args = l.arguments(phis.iter().map(|p| (if taken { p.then } else { p.other }, p.dst)));
                l.jump(join, args);
            });
            after |= self.dirty;
        }
        self.dirty = after;
        self.at = join;
        for (p, r) in phis.iter().zip(params) {
            self.define_form(p.dst, r);
        }
    }

    /// Both arms, and a choice.
    fn select_arms(&mut self, cond: Value, then: &'k Region, other: &'k Region, phis: &[&Phi]) {
        let mask = self.masks(cond);
        self.insts(&then.insts);
        self.insts(&other.insts);
        for p in phis {
            self.merge_phi(&mask, p);
        }
    }

    /// Defines a phi whose values are both there.
    fn merge_phi(&mut self, mask: &[VReg], p: &Phi) {
        let then = self.in_form(p.then, p.dst);
        if p.then == p.other {
            return self.define_form(p.dst, then);
        }
        let other = self.in_form(p.other, p.dst);
        let r = self.blend(self.ty(p.dst), mask, &then, &other);
        self.define_form(p.dst, r);
    }

    /// A mask and the execution mask.
    fn live(&mut self, masks: &[VReg]) -> Vec<VReg> {
        match self.mask.clone() {
            None => masks.to_vec(),
            Some(live) => masks.iter().zip(live).map(|(m, l)| self.mask_and(*m, l)).collect(),
        }
    }

    /// The lanes of the execution mask that are not in a mask.
    fn rest(&mut self, masks: &[VReg]) -> Vec<VReg> {
        match self.mask.clone() {
            None => masks.iter().map(|m| self.mask_invert(*m)).collect(),
            Some(live) => masks.iter().zip(live).map(|(m, l)| self.mask_and_not(*m, l)).collect(),
        }
    }

    fn divergent_branch(&mut self, cond: Value, then: &'k Region, other: &'k Region, phis: &[&Phi]) {
        let masks = self.masks(cond);
        // Values that are there before the branch: those of an empty arm, or of any.
        let mut current: Vec<Option<Vec<VReg>>> = Vec::new();
        for p in phis {
            let known = match (then.insts.is_empty(), other.insts.is_empty()) {
                (true, _) => Some(p.then),
                (_, true) => Some(p.other),
                _ => [p.other, p.then].into_iter().find(|v| self.env[v.index()].is_some()),
            };
            current.push(known.map(|v| self.in_form(v, p.dst)));
        }
        for (region, taken) in [(then, true), (other, false)] {
            if !region.insts.is_empty() {
                let live = if taken { self.live(&masks) } else { self.rest(&masks) };
                current = self.divergent_arm(&live, region, taken, phis, current);
            }
        }
        for (p, r) in phis.iter().zip(current) {
            let r = r.unwrap_or_default();
            self.define_form(p.dst, r);
        }
    }

    /// Runs an arm for some lanes, if there are any, and merges its values with what there is.
    fn divergent_arm(
        &mut self,
        live: &[VReg],
        region: &'k Region,
        taken: bool,
        phis: &[&Phi],
        current: Vec<Option<Vec<VReg>>>,
    ) -> Vec<Option<Vec<VReg>>> {
        let current: Vec<Vec<VReg>> = phis
            .iter()
            .zip(current)
            .map(|(p, c)| {
                c.unwrap_or_else(|| {
                    let classes = self.form(p.dst);
                    classes.into_iter().map(|class| self.undefined(class)).collect()
                })
            })
            .collect();
        let (body, skip, join) = (self.f.block(), self.later_block(), self.f.block());
        self.f.nodes[body.index()].cold = self.rare;
        let dsts: Vec<Value> = phis.iter().map(|p| p.dst).collect();
        let params = self.params(join, &dsts);
        self.branch_any(live, body, skip);
        self.at = skip;
        self.jump(join, current.iter().flatten().copied().collect());
        self.at = body;
        let outer = self.mask.replace(live.to_vec());
        self.scoped(|l| {
            l.insts(&region.insts);
            let mut args = Vec::new();
            for (p, current) in phis.iter().zip(&current) {
                let v = if taken { p.then } else { p.other };
                let r = l.in_form(v, p.dst);
                // The same value either way may be uniform: there is nothing to choose.
                args.extend(if p.then == p.other { r } else { l.blend(l.ty(p.dst), live, &r, current) });
            }
            l.jump(join, args);
        });
        self.mask = outer;
        self.at = join;
        params.into_iter().map(Some).collect()
    }

    pub(super) fn repeat(&mut self, all: &'k [Param], body: &'k Region, again: Value) {
        let params: Vec<&Param> =
            all.iter().filter(|p| self.uses[p.dst.index()] + self.uses[p.result.index()] > 0).collect();
        let form = WhileForm::of(body, again);
        // Accesses in later iterations come after the side effects of earlier ones.
        self.dirty |= crate::jit::class::has_effects(body, self.private_lanes > 0);
        self.bound_counters(&params, again, form.as_ref());
        if self.class(again).is_uniform() {
            if let Some(trips) = self.trips(&params, body, again, form.as_ref()) {
                return self.unroll(&params, body, trips, form.as_ref());
            }
            let parked = self.park(all, body, again);
            self.uniform_loop(&params, body, again, form.as_ref());
            self.unpark(parked);
        } else {
            let parked = self.park(all, body, again);
            self.divergent_loop(&params, body, again, form.as_ref());
            self.unpark(parked);
        }
    }

    /// Opens a loop: its head with parameters; what follows is its body.
    fn open_loop(
        &mut self,
        params: &[&Param],
        extra: &[RegClass],
        args: Vec<VReg>,
    ) -> (Block, Vec<Vec<VReg>>, Vec<VReg>) {
        let head = self.f.block();
        let dsts: Vec<Value> = params.iter().map(|p| p.dst).collect();
        let regs = self.params(head, &dsts);
        let extra: Vec<VReg> = extra.iter().map(|class| self.f.reg(*class)).collect();
        self.f.nodes[head.index()].params.extend(&extra);
        self.f.nodes[head.index()].head = true;
        let mut all = self.arguments(params.iter().map(|p| (p.init, p.dst)));
        all.extend(args);
        self.jump(head, all);
        self.at = head;
        self.burn(Kind::BranchFuel);
        (head, regs, extra)
    }

    /// Takes an iteration from the fuel.
    pub(super) fn burn(&mut self, kind: Kind) {
        let (empty, on) = (self.f.block(), self.f.block());
        self.f.nodes[empty.index()].cold = true;
        self.f.end(self.at, kind, Vec::new(), &[empty, on], Vec::new());
        let status = crate::jit::OUT_OF_FUEL + self.loops.len() as u32;
        self.loops.push(self.span);
        self.f.end(empty, Kind::Return(status), Vec::new(), &[], Vec::new());
        self.at = on;
    }

    fn uniform_loop(&mut self, params: &[&Param], body: &'k Region, again: Value, form: Option<&WhileForm<'k>>) {
        let (head, regs, _) = self.open_loop(params, &[], Vec::new());
        let exit = self.later_block();
        let results = self.scoped(|l| {
            for (p, r) in params.iter().zip(&regs) {
                l.define_form(p.dst, r.clone());
            }
            let rest = l.f.block();
            match form {
                Some(w) => {
                    l.insts(&body.insts[..w.head]);
                    if w.positive {
                        l.branch_on(w.cond, rest, exit)
                    } else {
                        l.branch_on(w.cond, exit, rest)
                    }
                    l.at = exit;
                    let results = l.scoped(|l| l.results(params, |p| w.exiting(p.next)));
                    l.at = rest;
                    l.scoped(|l| {
                        l.insts(&w.rest.insts);
                        let args = l.arguments(params.iter().map(|p| (w.continuing(p.next), p.dst)));
                        l.jump(head, args);
                    });
                    results
                }
                None => {
                    l.insts(&body.insts);
                    let args = l.arguments(params.iter().map(|p| (p.next, p.dst)));
                    let results = l.results(params, |p| p.next);
                    l.branch_on(again, rest, exit);
                    l.at = rest;
                    l.jump(head, args);
                    results
                }
            }
        });
        self.at = exit;
        self.define_results(params, results);
    }

    pub(super) fn results(&mut self, params: &[&Param], last: impl Fn(&Param) -> Value) -> Vec<Vec<VReg>> {
        params
            .iter()
            .map(|p| if self.uses[p.result.index()] > 0 { self.in_form(last(p), p.result) } else { Vec::new() })
            .collect()
    }

    pub(super) fn define_results(&mut self, params: &[&Param], results: Vec<Vec<VReg>>) {
        for (p, r) in params.iter().zip(results) {
            if self.uses[p.result.index()] > 0 {
                self.define_form(p.result, r);
            }
        }
    }

    /// A loop that lanes leave one by one.
    ///
    /// The result of a parameter is its value in the lane's last iteration. A varying parameter that leaves as it is
    /// simply keeps its value in lanes that left; others are collected in registers of their own.
    fn divergent_loop(&mut self, params: &[&Param], body: &'k Region, again: Value, form: Option<&WhileForm<'k>>) {
        let last = |p: &Param| form.map_or(p.next, |w| w.exiting(p.next));
        let varying = |l: &Self, p: &Param| l.class(p.dst) == Class::Varying;
        let ends: Vec<End> = params
            .iter()
            .map(|p| match self.uses[p.result.index()] {
                0 => End::Unused,
                _ if self.env[last(p).index()].is_some() => End::Known,
                _ if form.is_some() && last(p) == p.dst && varying(self, p) => End::Kept,
                _ if form.is_none() && varying(self, p) => End::Kept,
                _ if self.counts(p, last(p), form) => End::Counted,
                _ => End::Collected,
            })
            .collect();
        let mut extra = vec![self.mask_class(); self.parts];
        let mut args = self.mask.clone().unwrap_or_else(|| vec![self.constant_mask(true); self.parts]);
        for (p, end) in params.iter().zip(&ends) {
            let classes = self.form(p.result);
            match end {
                End::Collected => args.extend(classes.iter().map(|class| self.undefined(*class))),
                End::Counted => args.extend(self.count_from(p.init, form.is_some())),
                _ => continue,
            }
            extra.extend(classes);
        }
        let streams = self.streams.len();
        self.find_streams(params, body, form);
        let counter = self.start_streams(streams);
        let (head, regs, extra) = self.open_loop(params, &extra, args);
        let (live, sums) = extra.split_at(self.parts);
        let exit = self.later_block();
        let outer = self.mask.replace(live.to_vec());
        let frame = Frame { params, ends: &ends, regs: &regs, live, sums, head, exit };
        let results = self.scoped(|l| {
            for (p, r) in params.iter().zip(&regs) {
                l.define_form(p.dst, r.clone());
            }
            if let Some(counter) = counter {
                l.advance_streams(streams, counter);
            }
            match form {
                Some(w) => l.divergent_while(&frame, body, w),
                None => l.divergent_do(&frame, body, again),
            }
        });
        self.streams.truncate(streams);
        self.mask = outer;
        self.at = exit;
        self.define_results(params, results);
    }

    /// Whether the result of a parameter tells how many iterations a lane made: it is uniform and grows by 1.
    fn counts(&self, p: &Param, last: Value, form: Option<&WhileForm<'k>>) -> bool {
        let next = form.map_or(p.next, |w| w.continuing(p.next));
        let one = |v: &Value| self.classes().constant(*v) == Some(1);
        let grows = match self.def(next) {
            Some(Op::Binary(BinaryOp::Add, a, b)) => *a == p.dst && one(b) || *b == p.dst && one(a),
            _ => false,
        };
        let is_end = if form.is_some() { last == p.dst } else { last == next };
        let is_word = matches!(self.ty(p.dst), Ty::U32 | Ty::I32);
        grows && is_end && is_word && self.class(p.dst).is_uniform() && self.class(p.result) == Class::Varying
    }

    /// The start of a count: the value, or one less where the first iteration may be none.
    fn count_from(&mut self, init: Value, less: bool) -> Vec<VReg> {
        let mut n = self.splat(init);
        if less {
            let ones = self.const_src(4, 0xffff_ffff);
            n = self.v3(VOp::Addd, n, ones);
        }
        vec![n; self.parts]
    }

    /// One more in the lanes of a mask.
    fn count(&mut self, n: VReg, live: VReg) -> VReg {
        match self.isa {
            Isa::Avx2 => self.v3r(VOp::Subd, n, live),
            Isa::Avx512 => {
                let one = self.const_src(4, 1);
                self.add_under(n, one, live)
            }
        }
    }

    /// What collected results are after this iteration.
    fn collect(&mut self, f: &Frame<'_>, last: impl Fn(&Param) -> Value) -> Vec<Vec<VReg>> {
        let mut sums = f.sums.iter().copied();
        let mut collected = Vec::new();
        for (p, end) in f.params.iter().zip(f.ends) {
            match end {
                End::Collected => {
                    let value = self.in_form(last(p), p.result);
                    let old: Vec<VReg> = sums.by_ref().take(value.len()).collect();
                    collected.push(self.blend(self.ty(p.result), f.live, &value, &old));
                }
                End::Counted => {
                    let old: Vec<VReg> = sums.by_ref().take(f.live.len()).collect();
                    collected.push(old.iter().zip(f.live).map(|(n, live)| self.count(*n, *live)).collect());
                }
                _ => {}
            }
        }
        collected
    }

    fn ends(
        &mut self,
        f: &Frame<'_>,
        collected: &[Vec<VReg>],
        kept: &[Vec<VReg>],
        last: impl Fn(&Param) -> Value,
    ) -> Vec<Vec<VReg>> {
        let mut collected = collected.iter();
        let mut results = Vec::new();
        for (i, (p, end)) in f.params.iter().zip(f.ends).enumerate() {
            results.push(match end {
                End::Unused => Vec::new(),
                End::Known => self.in_form(last(p), p.result),
                End::Kept => kept[i].clone(),
                End::Collected | End::Counted => collected.next().cloned().unwrap_or_default(),
            });
        }
        results
    }

    fn divergent_while(&mut self, f: &Frame<'_>, body: &'k Region, w: &WhileForm<'k>) -> Vec<Vec<VReg>> {
        self.insts(&body.insts[..w.head]);
        let collected = self.collect(f, |p| w.exiting(p.next));
        let cond = self.leave_uniformly(w.cond, w.positive, f.exit);
        let mut stay = self.masks(cond);
        stay = if w.positive { self.live(&stay) } else { self.rest(&stay) };
        let (rest, leave) = (self.f.block(), self.later_block());
        self.branch_any(&stay, rest, leave);
        self.at = leave;
        self.jump(f.exit, Vec::new());
        self.at = f.exit;
        let results = self.scoped(|l| l.ends(f, &collected, f.regs, |p| w.exiting(p.next)));
        self.at = rest;
        self.mask = Some(stay.clone());
        self.scoped(|l| {
            l.insts(&w.rest.insts);
            let mut args = Vec::new();
            for (i, (p, end)) in f.params.iter().zip(f.ends).enumerate() {
                let next = l.in_form(w.continuing(p.next), p.dst);
                args.extend(if *end == End::Kept { l.blend(l.ty(p.dst), &stay, &next, &f.regs[i]) } else { next });
            }
            args.extend(&stay);
            args.extend(collected.iter().flatten());
            l.jump(f.head, args);
        });
        results
    }

    /// Leaves the loop at once where a uniform part of its condition says so; what is left of the condition.
    fn leave_uniformly(&mut self, cond: Value, positive: bool, exit: Block) -> Value {
        let joined = if positive { BinaryOp::And } else { BinaryOp::Or };
        let Some(Op::Binary(op, a, b)) = self.def(cond) else { return cond };
        let uniform = |l: &Self, v: Value| l.class(v).is_uniform() && l.env[v.index()].is_some();
        let (fixed, rest) = match (*op == joined, uniform(self, *a), uniform(self, *b)) {
            (true, true, false) => (*a, *b),
            (true, false, true) => (*b, *a),
            _ => return cond,
        };
        let (edge, on) = (self.later_block(), self.f.block());
        if positive {
            self.branch_on(fixed, on, edge)
        } else {
            self.branch_on(fixed, edge, on)
        }
        self.at = edge;
        self.jump(exit, Vec::new());
        self.at = on;
        self.leave_uniformly(rest, positive, exit)
    }

    fn divergent_do(&mut self, f: &Frame<'_>, body: &'k Region, again: Value) -> Vec<Vec<VReg>> {
        self.insts(&body.insts);
        let collected = self.collect(f, |p| p.next);
        let mut next = Vec::new();
        for (i, (p, end)) in f.params.iter().zip(f.ends).enumerate() {
            let r = self.in_form(p.next, p.dst);
            next.push(if *end == End::Kept { self.blend(self.ty(p.dst), f.live, &r, &f.regs[i]) } else { r });
        }
        let results = self.ends(f, &collected, &next, |p| p.next);
        let again = self.leave_uniformly(again, true, f.exit);
        let stay = self.masks_among(again, f.live);
        let (back, leave) = (self.f.block(), self.later_block());
        self.branch_any(&stay, back, leave);
        self.at = leave;
        self.jump(f.exit, Vec::new());
        self.at = back;
        let mut args: Vec<VReg> = next.into_iter().flatten().collect();
        args.extend(&stay);
        args.extend(collected.into_iter().flatten());
        self.jump(f.head, args);
        results
    }

    /// The lanes of masks for which a Bool holds.
    fn masks_among(&mut self, v: Value, live: &[VReg]) -> Vec<VReg> {
        // A comparison made for this is made under the mask.
        if let Some(Op::Binary(op, a, b)) = self.def(v)
            && op.is_comparison()
            && self.isa == Isa::Avx512
            && self.class(v) == Class::Varying
            && self.ty(*a).bytes() == 4
            && self.ty(*a) != Ty::Bool
            && self.env[a.index()].is_some()
            && self.env[b.index()].is_some()
        {
            let (x, y) = (self.vectors(*a), self.sources(*b));
            return (0..live.len()).map(|i| self.compare_under(*op, self.ty(*a), x[i], y[i], live[i])).collect();
        }
        let masks = self.masks(v);
        masks.iter().zip(live).map(|(m, l)| self.mask_and(*m, *l)).collect()
    }
}

/// How the result of a loop parameter comes about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Unused,
    /// It was there before the loop.
    Known,
    /// The parameter keeps it in lanes that left.
    Kept,
    /// Registers of its own collect it.
    Collected,
    /// Registers of its own count the iterations.
    Counted,
}

/// A divergent loop that is being written.
struct Frame<'a> {
    params: &'a [&'a Param],
    ends: &'a [End],
    regs: &'a [Vec<VReg>],
    live: &'a [VReg],
    sums: &'a [VReg],
    head: Block,
    exit: Block,
}

/// Whether a region holds nothing but operations that are cheap for lanes that do not need them.
fn is_cheap(region: &Region) -> bool {
    region.insts.iter().all(|inst| match inst {
        Inst::Op { op, .. } => {
            !matches!(op, Op::Load(_) | Op::Binary(BinaryOp::Div | BinaryOp::Rem, ..) | Op::Unary(UnaryOp::Sqrt, _))
        }
        _ => false,
    })
}
