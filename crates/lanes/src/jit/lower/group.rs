//! The outermost code: loops over blocks of lanes, and barriers.
//!
//! A kernel is cut at its barriers into *runs*. A run is a loop over the blocks of the batch: full blocks, then
//! the rest (and blocks that were left) masked. Control flow around barriers is uniform and lies between runs. What
//! one run makes and another needs is made again if that is cheap, else kept in a slot a lane.

use super::{Lower, Mode};
use crate::{
    analysis::uniformity::BatchShape,
    ir::{Base, BinaryOp, Inst, Op, Param, Phi, Region, Ty, Value},
    jit::{
        class::{Class, WhileForm, has_effects},
        context as cx, crossing,
        mir::{Address, From, GSrc, Kind, Src},
        x64::{AluOp, Cond, Size, VOp},
    },
};
use naga::Span;
use regalloc2::{Block, VReg};

/// Operations up to which a value is made again in another run.
const REMAKE: usize = 8;

/// Values up to which a kernel gets code for single vectors that are full.
const NARROW: usize = 120;

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
                self.run_blocks(&all, &[], &[], &[]);
            }
        }
        self.f.end(self.at, Kind::Return(0), Vec::new(), &[], Vec::new());
    }

    /// A loop over the rows of the batch.
    fn rows(&mut self, body: &'k Region) {
        let first = self.known(self.first[1]);
        let rows = self.load(Size::D, Address::at(From::Context, cx::ROWS));
        let end = self.alu(AluOp::Add, Size::D, first, GSrc::Reg(rows));
        let (head, done) = (self.f.block(), self.later_block());
        let y = self.int();
        self.f.nodes[head.index()].params = vec![y];
        self.jump(head, vec![first]);
        self.at = head;
        self.first[1] = Some(y);
        self.scoped(|l| {
            l.hoist(body, false);
            let all: Vec<&Inst> = body.insts.iter().collect();
            l.run_blocks(&all, &[], &[], &[]);
        });
        let next = self.lea(Size::D, Address::at(From::Reg(y), 1));
        let back = self.f.block();
        self.branch_to(Cond::Ne, Size::D, next, GSrc::Reg(end), back, done);
        self.at = back;
        self.jump(head, vec![next]);
        self.at = done;
    }

    /// Makes everything that is uniform over the batch (or a row of it) and depends on nothing but the call, once.
    fn hoist(&mut self, region: &'k Region, batch: bool) {
        for inst in &region.insts {
            if let Inst::Op { dst, op, .. } = inst
                && self.env[dst.index()].is_none()
                && self.is_hoistable(*dst, op, batch)
            {
                self.op(*dst, op);
            }
            inst.regions().for_each(|r| self.hoist(r, batch));
        }
    }

    fn is_hoistable(&self, dst: Value, op: &Op, batch: bool) -> bool {
        let mut known = true;
        op.operands(|v| known &= self.env[v.index()].is_some());
        let fixed = match op {
            Op::Load(place) => match place.base {
                Base::Binding(i) => {
                    !self.kernel.bindings[i as usize].access.write && !self.kernel.bindings[i as usize].access.atomic
                }
                _ => false,
            },
            _ => true,
        };
        let classes = if batch { &self.outer } else { &self.masked };
        known && fixed && classes.is_uniform(dst)
    }

    /// A loop over the blocks of lanes of the batch: full blocks, then what is left by single vectors, then masked.
    /// Blocks whose lanes disagree are masked, too.
    fn run_blocks(&mut self, insts: &[&'k Inst], remake: &[Value], load: &[Value], save: &[(Value, Value)]) {
        let lanes = self.known(self.lanes);
        let (masked, done) = (self.f.block(), self.later_block());
        let (mx, until) = (self.int(), self.int());
        self.f.nodes[masked.index()].params = vec![mx, until];
        let zero = self.imm(0);
        let work = Work { insts, remake, load, save };
        let head = self.wants_full().then(|| self.full_blocks(&work, zero, masked));
        if head.is_none() {
            self.jump(masked, vec![zero, lanes]);
        }
        self.at = masked;
        let (body, leave) = (self.f.block(), self.later_block());
        self.branch_to(Cond::Ae, Size::D, mx, GSrc::Reg(until), leave, body);
        self.at = leave;
        match head {
            Some(head) => {
                let back = self.f.block();
                self.branch_to(Cond::Ae, Size::D, mx, GSrc::Reg(lanes), done, back);
                self.at = back;
                self.jump(head, vec![mx]);
            }
            None => self.jump(done, Vec::new()),
        }
        self.at = body;
        let mask = self.tail_mask(lanes, mx);
        self.block(Mode::Masked, mx, Some(vec![mask]), &work);
        let next = self.lea(Size::D, Address::at(From::Reg(mx), self.lane_count() as i32));
        self.jump(masked, vec![next, until]);
        self.at = done;
        self.mode = Mode::Masked;
        self.parts = 1;
    }

    /// The loops over full blocks from a lane on; where they start.
    fn full_blocks(&mut self, work: &Work<'_, 'k>, from: VReg, masked: Block) -> Block {
        let lanes = self.known(self.lanes);
        let (head, tail) = (self.f.block(), self.later_block());
        let rest = self.int();
        self.f.nodes[tail.index()].params = vec![rest];
        self.jump(head, vec![from]);
        self.full_loop(Mode::Full, work, head, tail, masked);
        self.at = tail;
        if !self.wants_narrow() {
            self.jump(masked, vec![rest, lanes]);
            return head;
        }
        let (narrow, tail) = (self.f.block(), self.later_block());
        let left = self.int();
        self.f.nodes[tail.index()].params = vec![left];
        self.jump(narrow, vec![rest]);
        self.full_loop(Mode::Narrow, work, narrow, tail, masked);
        self.at = tail;
        self.jump(masked, vec![left, lanes]);
        head
    }

    /// A loop over blocks all of whose lanes exist, as long as there are such.
    fn full_loop(&mut self, mode: Mode, work: &Work<'_, 'k>, head: Block, tail: Block, masked: Block) {
        let step = (self.parts_of(mode) * self.lane_count()) as i32;
        let lanes = self.known(self.lanes);
        let x = self.int();
        self.f.nodes[head.index()].params = vec![x];
        self.f.nodes[head.index()].head = true;
        self.at = head;
        let (body, out, left) = (self.f.block(), self.later_block(), self.f.block());
        let end = self.lea(Size::D, Address::at(From::Reg(x), step));
        self.branch_to(Cond::A, Size::D, end, GSrc::Reg(lanes), out, body);
        self.at = out;
        self.jump(tail, vec![x]);
        // Where lanes disagree, often only those at an edge do: the next full block starts after the first vector, if it
        // may start anywhere.
        self.f.nodes[left.index()].cold = true;
        self.at = left;
        let after = if self.shapes[0].is_aligned() { step } else { self.lane_count() as i32 };
        let one = self.lea(Size::D, Address::at(From::Reg(x), after));
        self.jump(masked, vec![x, one]);
        self.at = body;
        self.bail = Some(left);
        self.idle = Some((head, end));
        self.block(mode, x, None, work);
        self.jump(head, vec![end]);
    }

    /// Whether what full blocks leave of a row is worth code of its own.
    fn wants_narrow(&self) -> bool {
        let shape = &self.shapes[0];
        shape.batch == BatchShape::Row && shape.parts > 1 && self.uses.len() <= NARROW
    }

    /// Whether full blocks get code of their own.
    fn wants_full(&self) -> bool {
        self.shapes[0].batch != BatchShape::Linear && !self.large
    }

    /// The lanes of a block that exist.
    fn tail_mask(&mut self, lanes: VReg, x: VReg) -> VReg {
        let left = self.alu(AluOp::Sub, Size::D, lanes, GSrc::Reg(x));
        let left = self.splat_gpr(Size::D, left);
        let count = self.lane_count() as u32;
        let numbers = self.pooled(0..count);
        self.compare_vectors(BinaryOp::Gt, Ty::I32, &[left], &[Src::Mem(numbers)])[0]
    }

    /// The code of a block of lanes.
    fn block(&mut self, mode: Mode, start: VReg, mask: Option<Vec<VReg>>, work: &Work<'_, 'k>) {
        self.mode = mode;
        self.parts = self.parts_of(mode);
        self.start = Some(start);
        self.mask = mask;
        self.dirty = false;
        self.tested.clear();
        self.reached.clear();
        self.scaled.clear();
        self.spans.clear();
        // Those of the limits of bindings are made before all blocks.
        self.flips.truncate(self.kernel.bindings.len());
        if self.has_loops {
            self.push(Kind::Refuel, Vec::new());
        }
        self.scoped(|l| {
            if l.private_lanes == 0 {
                l.clear_private();
            }
            for v in work.remake {
                if let (Some(op), None) = (l.def(*v), &l.env[v.index()]) {
                    l.op(*v, op);
                }
            }
            for v in work.load {
                l.take(*v);
            }
            l.run_insts(work.insts);
            let values: Vec<Vec<VReg>> = work.save.iter().map(|(v, _)| l.kept_form(*v)).collect();
            for ((_, to), r) in work.save.iter().zip(values) {
                l.keep(*to, &r);
            }
        });
        self.mask = None;
        self.start = None;
        self.bail = None;
        self.idle = None;
    }

    fn run_insts(&mut self, insts: &[&'k Inst]) {
        for (i, inst) in insts.iter().enumerate() {
            if self.refusal.is_some() {
                return;
            }
            self.look_ahead(inst, insts[i + 1..].iter().copied());
            self.inst(inst);
        }
    }

    /// The slot of a lane of the block's first part: address of a value's slots.
    fn slot_address(&mut self, v: Value) -> Option<Address> {
        let offset = self.kept[v.index()]?;
        let start = self.start?;
        let bytes = self.ty(v).bytes().max(4);
        let disp = offset * self.group_lanes() as u32;
        let slots = self.known(self.slots);
        Some(Address { base: From::Reg(slots), index: Some((start, bytes as u8, false)), disp: disp as i32 })
    }

    /// Lanes that slots have room for.
    pub(super) fn group_lanes(&self) -> usize {
        let block = self.shapes[0].parts * self.lane_count();
        (self.kernel.group_invocations() as usize).next_multiple_of(block.max(16))
    }

    /// Defines a value from its slots.
    fn take(&mut self, v: Value) {
        if self.env[v.index()].is_some() {
            return;
        }
        let Some(at) = self.slot_address(v) else { return self.refuse("a value that no run keeps") };
        let ty = self.ty(v);
        if self.class(v) != Class::Varying {
            // The block's first lane tells.
            let val = if ty.is_float() {
                let op = if ty.bytes() == 8 { VOp::Broadcastsd } else { VOp::Broadcastss };
                super::Val::Splat(self.v2(op, Src::Mem(at)))
            } else {
                let r = self.load(Self::size(ty), at);
                match self.class(v) {
                    Class::Stepped { .. } => {
                        let row = self.shape().columns() * self.lane_count() * 4;
                        let next = self.load(Size::D, at.plus(row as i32));
                        super::Val::Stepped(r, self.alu(AluOp::Sub, Size::D, next, GSrc::Reg(r)))
                    }
                    c if c.is_uniform() => super::Val::Gpr(r),
                    _ => super::Val::Base(r),
                }
            };
            return self.define(v, val);
        }
        let step = self.lane_count() * 4;
        let count = self.parts * Self::halves(self.ty(v));
        let r: Vec<VReg> = (0..count).map(|i| self.v2(VOp::Movups, Src::Mem(at.plus((i * step) as i32)))).collect();
        if self.ty(v) == Ty::Bool {
            let zero = self.zero();
            let masks = self.compare_vectors(BinaryOp::Ne, Ty::U32, &r, &vec![Src::Reg(zero); r.len()]);
            return self.define(v, super::Val::Masks(masks));
        }
        self.define(v, super::Val::Parts(r));
    }

    /// A value's vectors as its slots hold them.
    fn kept_form(&mut self, v: Value) -> Vec<VReg> {
        if self.ty(v) == Ty::Bool {
            let masks = self.masks(v);
            return self.one_where(false, &masks, 1);
        }
        self.vectors(v)
    }

    fn keep(&mut self, v: Value, r: &[VReg]) {
        let Some(at) = self.slot_address(v) else { return self.refuse("a value that no run keeps") };
        let step = self.lane_count() * 4;
        for (i, r) in r.iter().enumerate() {
            self.store_vector(VOp::MovupsSt, *r, at.plus((i * step) as i32), None);
        }
    }

    // Cutting at barriers.

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
                    self.run_blocks(insts, &needs.remake, &needs.load, &save);
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

/// What a run does.
struct Work<'a, 'k> {
    insts: &'a [&'k Inst],
    /// Values to make again.
    remake: &'a [Value],
    /// Values to load from slots.
    load: &'a [Value],
    /// Values to keep, and whose slots they go to.
    save: &'a [(Value, Value)],
}

/// Which values are kept from run to run.
struct Plan {
    /// Values made between runs.
    known: Vec<bool>,
    kept: Vec<bool>,
}

/// What a run needs of others.
struct Needs {
    remake: Vec<Value>,
    load: Vec<Value>,
}

impl Plan {
    /// Decides which values are kept, gives them slots, and adds the copies that loops and branches need.
    fn new<'k>(l: &mut Lower<'k>, pieces: &mut Vec<Piece<'k>>, known: &[bool]) -> Plan {
        let mut plan = Plan { known: known.to_vec(), kept: vec![false; known.len()] };
        plan.copy_flow(pieces);
        plan.mark(l, pieces);
        for i in 0..plan.kept.len() {
            if plan.kept[i] {
                let bytes = l.ty(Value(i as u32)).bytes().max(4);
                l.slot_bytes = l.slot_bytes.next_multiple_of(bytes);
                l.kept[i] = Some(l.slot_bytes);
                l.slot_bytes += bytes;
            }
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
    fn copy_flow(&self, pieces: &mut Vec<Piece<'_>>) {
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
                        // One body: the result is the next value; both are copied at its end.
                        let both = turn.into_iter().chain(results).collect();
                        Self::add_copies(head, both);
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
