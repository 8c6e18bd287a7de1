//! Loops inside a block of lanes.

use super::{
    Lower,
    stream::STEPS,
    unroll::{WRITTEN, operations},
};
use crate::{
    ir::{BinaryOp, Inst, Op, Param, Region, Ty, Value},
    jit::{
        class::{Class, WhileForm},
        mir::Kind,
        x64::{Isa, VOp},
    },
};
use regalloc2::{Block, RegClass, VReg};

impl<'k> Lower<'k> {
    pub(super) fn repeat(&mut self, all: &'k [Param], body: &'k Region, again: Value) {
        self.depth += 1;
        self.choose_loop(all, body, again);
        self.depth -= 1;
    }

    fn choose_loop(&mut self, all: &'k [Param], body: &'k Region, again: Value) {
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
        } else if form.is_none() && self.is_serial(&params, body, again) {
            self.serial_loop(&params, body, again);
        } else {
            let parked = self.park(all, body, again);
            self.divergent_loop(&params, body, again, form.as_ref());
            self.unpark(parked);
        }
    }

    /// Opens a loop: its head with parameters; what follows is its body.
    pub(super) fn open_loop(
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
        let copies = if form.is_none() { self.untested(params, body, again) } else { 1 };
        let regs = (1..copies).fold(regs, |regs, _| self.untested_iteration(params, body, regs));
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

    /// An iteration that another one follows; what that starts with.
    fn untested_iteration(&mut self, params: &[&Param], body: &'k Region, regs: Vec<Vec<VReg>>) -> Vec<Vec<VReg>> {
        let next = self.scoped(|l| {
            for (p, r) in params.iter().zip(&regs) {
                l.define_form(p.dst, r.clone());
            }
            l.insts(&body.insts);
            params.iter().map(|p| l.in_form(p.next, p.dst)).collect::<Vec<_>>()
        });
        for ((p, before), after) in params.iter().zip(&regs).zip(&next) {
            // A counter in bounds.
            if let (Some(_), [before], [after]) = (self.most[p.dst.index()], before.as_slice(), after.as_slice())
                && let Some(step) = self.step(p, p.next)
            {
                self.made.advanced.push((*after, *before, step));
            }
        }
        next
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
        let copies = match form {
            Some(_) => 1,
            None => self.copies(params, body),
        };
        let (head, regs, extra) = self.open_loop(params, &extra, args);
        let (live, sums) = extra.split_at(self.parts);
        let frame = Frame { params, ends: &ends, head, exit: self.later_block() };
        let turn = Turn { regs, live: live.to_vec(), sums: sums.to_vec() };
        let outer = self.mask.replace(live.to_vec());
        let results = self.scoped(|l| match form {
            Some(w) => l.divergent_while(&frame, body, w, &turn),
            None => {
                l.define_turn(&frame, &turn);
                l.read_streams(streams);
                l.divergent_do(&frame, body, again, turn, copies)
            }
        });
        self.streams.truncate(streams);
        self.mask = outer;
        self.at = frame.exit;
        self.define_results(params, results);
    }

    /// How many iterations of a loop are written one after the other, after which it is asked whether any lane is left:
    /// lanes that left meanwhile are masked off. Finds the loads that are read ahead for so many.
    fn copies(&mut self, params: &[&Param], body: &'k Region) -> usize {
        if self.large || !may_be_repeated(body) {
            return 1;
        }
        let size = operations(body) * self.parts;
        if size * STEPS <= 2 * WRITTEN && self.find_streams(params, body) {
            return STEPS;
        }
        [4, 2].into_iter().find(|copies| size * copies <= WRITTEN).unwrap_or(1)
    }

    /// What a loop's parameters are in an iteration.
    fn define_turn(&mut self, f: &Frame<'_>, turn: &Turn) {
        for (p, r) in f.params.iter().zip(&turn.regs) {
            self.define_form(p.dst, r.clone());
        }
        self.mask = Some(turn.live.clone());
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
    fn collect(&mut self, f: &Frame<'_>, turn: &Turn, last: impl Fn(&Param) -> Value) -> Vec<Vec<VReg>> {
        let mut sums = turn.sums.iter().copied();
        let mut collected = Vec::new();
        for (p, end) in f.params.iter().zip(f.ends) {
            match end {
                End::Collected => {
                    let value = self.in_form(last(p), p.result);
                    let old: Vec<VReg> = sums.by_ref().take(value.len()).collect();
                    collected.push(self.blend(self.ty(p.result), &turn.live, &value, &old));
                }
                End::Counted => {
                    let old: Vec<VReg> = sums.by_ref().take(turn.live.len()).collect();
                    collected.push(old.iter().zip(&turn.live).map(|(n, live)| self.count(*n, *live)).collect());
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

    fn divergent_while(&mut self, f: &Frame<'_>, body: &'k Region, w: &WhileForm<'k>, turn: &Turn) -> Vec<Vec<VReg>> {
        self.define_turn(f, turn);
        self.insts(&body.insts[..w.head]);
        let collected = self.collect(f, turn, |p| w.exiting(p.next));
        let cond = self.leave_uniformly(w.cond, w.positive, f.exit, &[]);
        let mut stay = self.masks(cond);
        stay = if w.positive { self.live(&stay) } else { self.rest(&stay) };
        let (rest, leave) = (self.f.block(), self.later_block());
        self.branch_any(&stay, rest, leave);
        self.at = leave;
        self.jump(f.exit, Vec::new());
        self.at = f.exit;
        let results = self.scoped(|l| l.ends(f, &collected, &turn.regs, |p| w.exiting(p.next)));
        self.at = rest;
        self.mask = Some(stay.clone());
        self.scoped(|l| {
            l.insts(&w.rest.insts);
            let mut args = Vec::new();
            for (i, (p, end)) in f.params.iter().zip(f.ends).enumerate() {
                let next = l.in_form(w.continuing(p.next), p.dst);
                args.extend(if *end == End::Kept { l.blend(l.ty(p.dst), &stay, &next, &turn.regs[i]) } else { next });
            }
            args.extend(&stay);
            args.extend(collected.iter().flatten());
            l.jump(f.head, args);
        });
        results
    }

    /// Leaves the loop at once, with the exit's arguments, where a uniform part of its condition says so; what is left of
    /// the condition.
    fn leave_uniformly(&mut self, cond: Value, positive: bool, exit: Block, args: &[VReg]) -> Value {
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
        self.jump(exit, args.to_vec());
        self.at = on;
        self.leave_uniformly(rest, positive, exit, args)
    }

    /// The iterations of a turn of a loop that tests at its end. Its exit has the results for parameters, as lanes may leave
    /// after each iteration.
    fn divergent_do(
        &mut self,
        f: &Frame<'_>,
        body: &'k Region,
        again: Value,
        mut turn: Turn,
        copies: usize,
    ) -> Vec<Vec<VReg>> {
        let wanted = |(p, end): (&&Param, &End)| if *end == End::Unused { Vec::new() } else { self.form(p.result) };
        let classes: Vec<Vec<RegClass>> = f.params.iter().zip(f.ends).map(wanted).collect();
        let results: Vec<Vec<VReg>> =
            classes.into_iter().map(|form| form.into_iter().map(|class| self.f.reg(class)).collect()).collect();
        self.f.nodes[f.exit.index()].params = results.iter().flatten().copied().collect();
        for copy in 1..=copies {
            self.streams.iter_mut().for_each(|s| s.step = copy - 1);
            turn = self.scoped(|l| {
                l.define_turn(f, &turn);
                l.divergent_iteration(f, body, again, &turn, copy == copies)
            });
        }
        results
    }

    /// An iteration; what the next one starts with. After the last one, the loop goes on if any lane does.
    fn divergent_iteration(
        &mut self,
        f: &Frame<'_>,
        body: &'k Region,
        again: Value,
        turn: &Turn,
        is_last: bool,
    ) -> Turn {
        self.insts(&body.insts);
        let collected = self.collect(f, turn, |p| p.next);
        let mut next = Vec::new();
        for (i, (p, end)) in f.params.iter().zip(f.ends).enumerate() {
            let r = self.in_form(p.next, p.dst);
            next.push(if *end == End::Kept { self.blend(self.ty(p.dst), &turn.live, &r, &turn.regs[i]) } else { r });
        }
        let results = self.ends(f, &collected, &next, |p| p.next).concat();
        let again = self.leave_uniformly(again, true, f.exit, &results);
        let stay = self.masks_among(again, &turn.live);
        let turn = Turn { regs: next, live: stay, sums: collected.concat() };
        if is_last {
            let (back, leave) = (self.f.block(), self.later_block());
            self.branch_any(&turn.live, back, leave);
            self.at = leave;
            self.jump(f.exit, results);
            self.at = back;
            self.jump(f.head, [turn.regs.concat(), turn.live.clone(), turn.sums.clone()].concat());
        }
        turn
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
    head: Block,
    exit: Block,
}

/// What an iteration of it starts with.
struct Turn {
    /// The parameters.
    regs: Vec<Vec<VReg>>,
    /// The lanes that did not leave.
    live: Vec<VReg>,
    /// Results collected so far.
    sums: Vec<VReg>,
}

/// Whether lanes that left may run a region once more, masked off: inner loops could then be long ones.
fn may_be_repeated(region: &Region) -> bool {
    region.insts.iter().all(|inst| match inst {
        Inst::Op { .. } | Inst::Store { .. } => true,
        Inst::If { .. } => inst.regions().all(may_be_repeated),
        _ => false,
    })
}
