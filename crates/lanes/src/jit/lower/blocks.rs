//! A run's loop over the blocks of lanes of a batch, or of a row of it.

use super::{Lower, Mode, Val, row::Range};
use crate::{
    analysis::uniformity::BatchShape,
    ir::{BinaryOp, Inst, Ty, Value},
    jit::{
        class::Class,
        mir::{Address, From, GSrc, Kind, Src},
        pressure,
        x64::{AluOp, Cond, Size},
    },
};
use regalloc2::{Block, VReg};

/// Values up to which a kernel gets code for single vectors that are full.
const NARROW: usize = 120;

/// What a run does.
pub(super) struct Work<'a, 'k> {
    pub(super) insts: &'a [&'k Inst],
    /// Values to make again.
    pub(super) remake: &'a [Value],
    /// Values to load from slots.
    pub(super) load: &'a [Value],
    /// Values to keep, and whose slots they go to.
    pub(super) save: &'a [(Value, Value)],
}

impl<'a, 'k> Work<'a, 'k> {
    /// Instructions alone.
    pub(super) fn of(insts: &'a [&'k Inst]) -> Self {
        Work { insts, remake: &[], load: &[], save: &[] }
    }
}

impl<'k> Lower<'k> {
    /// A loop over the blocks of lanes of a range: full blocks, then what is left by single vectors, then masked. Blocks
    /// whose lanes disagree are masked, too.
    pub(super) fn run_blocks(&mut self, work: &Work<'_, 'k>, range: &Range) {
        let before = self.at;
        let (masked, done) = (self.f.block(), self.later_block());
        let (mx, until) = (self.int(), self.int());
        self.f.nodes[masked.index()].params = vec![mx, until];
        let high = self.begin_row(range);
        let head = self.wants_full().then(|| self.full_blocks(work, high, range, masked));
        self.at = before;
        match (self.end_row(range, high), head) {
            (Some(low), Some(_)) => self.jump(masked, vec![range.start, low]),
            (None, Some(head)) => self.whole_or_full(work, range, [head, masked]),
            (_, None) => self.jump(masked, vec![range.start, range.until]),
        }
        self.at = masked;
        let (body, leave) = (self.f.block(), self.later_block());
        self.branch_to(Cond::Ae, Size::D, mx, GSrc::Reg(until), leave, body);
        self.at = leave;
        match head {
            Some(head) => {
                let back = self.f.block();
                self.branch_to(Cond::Ae, Size::D, mx, GSrc::Reg(range.until), done, back);
                self.at = back;
                self.jump(head, vec![mx]);
            }
            None => self.jump(done, Vec::new()),
        }
        self.at = body;
        let mask = self.tail_mask(range, mx);
        self.block(Mode::Masked, mx, Some(vec![mask]), work);
        let next = self.lea(Size::D, Address::at(From::Reg(mx), self.lane_count() as i32));
        self.jump(masked, vec![next, until]);
        self.at = done;
        self.mode = Mode::Masked;
        self.parts = 1;
    }

    /// Blocks without guards where these hold for the whole work-group, else the loop that starts at `head`.
    fn whole_or_full(&mut self, work: &Work<'_, 'k>, range: &Range, [head, masked]: [Block; 2]) {
        let Some((settled, general)) = self.settle(work) else { return self.jump(head, vec![range.start]) };
        let (whole, tail) = (self.f.block(), self.later_block());
        let rest = self.int();
        self.f.nodes[tail.index()].params = vec![rest];
        self.jump(whole, vec![range.start]);
        self.assured = settled.places;
        self.scoped(|l| {
            for (condition, truth) in settled.conditions {
                l.define(condition, Val::Imm(truth.into()));
            }
            l.full_loop(Mode::Full, work, range.until, [whole, tail, masked]);
        });
        self.assured.clear();
        self.at = tail;
        self.jump(masked, vec![rest, range.until]);
        self.at = general;
        self.jump(head, vec![range.start]);
    }

    /// The loops over full blocks that end at lane `high` at the latest; where they start.
    fn full_blocks(&mut self, work: &Work<'_, 'k>, high: VReg, range: &Range, masked: Block) -> Block {
        let (head, tail) = (self.f.block(), self.later_block());
        let rest = self.int();
        self.f.nodes[tail.index()].params = vec![rest];
        self.full_loop(Mode::Full, work, high, [head, tail, masked]);
        self.at = tail;
        if !self.wants_narrow() {
            self.jump(masked, vec![rest, range.until]);
            return head;
        }
        let (narrow, tail) = (self.f.block(), self.later_block());
        let left = self.int();
        self.f.nodes[tail.index()].params = vec![left];
        self.jump(narrow, vec![rest]);
        self.full_loop(Mode::Narrow, work, high, [narrow, tail, masked]);
        self.at = tail;
        self.jump(masked, vec![left, range.until]);
        head
    }

    /// A loop over blocks all of whose lanes come before `high`, as long as there are such.
    fn full_loop(&mut self, mode: Mode, work: &Work<'_, 'k>, high: VReg, [head, tail, masked]: [Block; 3]) {
        let step = (self.parts_of(mode) * self.lane_count()) as i32;
        let x = self.int();
        self.f.nodes[head.index()].params = vec![x];
        self.f.nodes[head.index()].head = true;
        self.at = head;
        let (body, out, left) = (self.f.block(), self.later_block(), self.f.block());
        let end = self.lea(Size::D, Address::at(From::Reg(x), step));
        self.branch_to(Cond::G, Size::Q, end, GSrc::Reg(high), out, body);
        self.at = out;
        self.jump(tail, vec![x]);
        // Where lanes disagree, often only those at an edge do: the next full block starts after the first vector, if it
        // may start anywhere.
        self.f.nodes[left.index()].cold = true;
        self.at = left;
        let after = if self.shapes[0].is_aligned() { step } else { self.lane_count() as i32 };
        let one = self.lea(Size::D, Address::at(From::Reg(x), after));
        self.jump(masked, vec![x, one]);
        let exceptional = self.f.block();
        self.f.nodes[exceptional.index()].cold = true;
        self.at = exceptional;
        self.jump(masked, vec![x, end]);
        self.at = body;
        self.bail = Some(left);
        self.exceptional = Some(exceptional);
        self.idle = Some((head, end));
        self.block(mode, x, None, work);
        self.jump(head, vec![end]);
    }

    /// Whether what full blocks leave of a row is worth code of its own. It is not where lanes leave a loop at different
    /// times: there masks are kept in full blocks, too.
    fn wants_narrow(&self) -> bool {
        let shape = &self.shapes[0];
        shape.batch == BatchShape::Row && shape.parts > 1 && self.uses.len() <= NARROW && !self.diverges
    }

    /// Whether full blocks get code of their own.
    fn wants_full(&self) -> bool {
        self.shapes[0].batch != BatchShape::Linear && !self.large
    }

    /// The lanes of a block that are in a range.
    fn tail_mask(&mut self, range: &Range, x: VReg) -> VReg {
        let left = self.alu(AluOp::Sub, Size::D, range.until, GSrc::Reg(x));
        let left = self.splat_gpr(Size::D, left);
        let count = self.lane_count() as u32;
        let numbers = Src::Mem(self.pooled(0..count));
        let before_end = self.compare_vectors(BinaryOp::Gt, Ty::I32, &[left], &[numbers])[0];
        let Some(low) = range.low else { return before_end };
        let missing = self.alu(AluOp::Sub, Size::D, low, GSrc::Reg(x));
        let missing = self.splat_gpr(Size::D, missing);
        let before_start = self.compare_vectors(BinaryOp::Gt, Ty::I32, &[missing], &[numbers])[0];
        self.mask_and_not(before_start, before_end)
    }

    /// The code of a block of lanes.
    fn block(&mut self, mode: Mode, start: VReg, mask: Option<Vec<VReg>>, work: &Work<'_, 'k>) {
        self.mode = mode;
        self.parts = self.parts_of(mode);
        self.fixed.start = Some(start);
        self.mask = mask;
        self.dirty = false;
        // Flips of the limits of bindings are made before all blocks.
        self.made.begin_block(self.kernel.bindings.len());
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
            l.run_insts(work.insts, work.load);
            let values: Vec<Vec<VReg>> = work.save.iter().map(|(v, _)| l.kept_form(*v)).collect();
            for ((_, to), r) in work.save.iter().zip(values) {
                l.keep(*to, &r);
            }
        });
        self.mask = None;
        self.fixed.start = None;
        self.bail = None;
        self.exceptional = None;
        self.idle = None;
    }

    /// Instructions, after the values in slots. Vectors are loaded where the first instruction reads them: what a loop does
    /// not use is not in its way.
    fn run_insts(&mut self, insts: &[&'k Inst], load: &[Value]) {
        let (mut waiting, first): (Vec<Value>, Vec<Value>) =
            load.iter().partition(|v| self.class(**v) == Class::Varying);
        first.into_iter().for_each(|v| self.take(v));
        let mut finished = Vec::new();
        for (i, inst) in insts.iter().enumerate() {
            if self.refusal.is_some() {
                return;
            }
            if !waiting.is_empty() {
                let used = pressure::reads_of(inst);
                let (now, later): (Vec<Value>, Vec<Value>) = waiting.into_iter().partition(|v| used.contains(v));
                waiting = later;
                now.into_iter().for_each(|v| self.take(v));
            }
            self.put_aside(inst, &mut finished);
            self.look_ahead(inst, insts[i + 1..].iter().copied());
            self.inst(inst);
        }
        waiting.into_iter().for_each(|v| self.take(v));
    }
}
