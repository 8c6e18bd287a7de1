//! Rows: which lanes of a row have something to do, and in which of them all accesses are in bounds.
//!
//! A kernel's guard compares ids with what is common to a row. So it is taken once a row: it leaves a range of lanes, and
//! blocks need not ask. Likewise an index that grows by 1 from lane to lane is in bounds in a range of lanes: full blocks
//! keep to it, without tests of their own, and lanes before and after it are run masked.
//!
//! The x ids of a batch do not wrap ([`native`](crate::jit::native) sees to that), and no array has 2^31 elements.

use super::{
    Lower, Mode, Val,
    blocks::Work,
    bounds::{Test, test_of},
    compare::{mirrored, opposite},
    start::Starts,
};
use crate::{
    analysis::uniformity::BatchShape,
    ir::{Base, BinaryOp, Builtin, Inst, Op, Place, Region, Step, UnaryOp, Value},
    jit::{
        class::Class,
        context as cx,
        mir::{Address, From, GSrc, Kind},
        x64::{AluOp, Cond, Size},
    },
};
use regalloc2::{Block, Operand, VReg};

/// A range of lanes.
pub(super) struct Range {
    /// Where blocks start: at `low`, or at most a vector before it.
    pub(super) start: VReg,
    /// The first lane, if it is not `start`.
    pub(super) low: Option<VReg>,
    /// One past the last lane.
    pub(super) until: VReg,
}

/// Lanes of a row in which indices are in bounds, while its blocks are written.
pub(super) struct Inside {
    /// The block before all blocks of lanes, where the range is made.
    before: Block,
    /// What values are in lane 0.
    starts: Starts,
    /// The tests that hold in the range.
    tests: Vec<Test>,
    low: Option<VReg>,
    high: VReg,
}

impl<'k> Lower<'k> {
    /// A loop over the rows of the batch.
    pub(super) fn rows(&mut self, body: &'k Region) {
        let first = self.known(self.fixed.first[1]);
        let rows = self.load(Size::D, Address::at(From::Context, cx::ROWS));
        let end = self.alu(AluOp::Add, Size::D, first, GSrc::Reg(rows));
        let (head, done) = (self.f.block(), self.later_block());
        let y = self.int();
        self.f.nodes[head.index()].params = vec![y];
        self.jump(head, vec![first]);
        self.at = head;
        self.fixed.first[1] = Some(y);
        self.scoped(|l| {
            l.hoist(body, false);
            let range = l.guarded_range();
            let all: Vec<&Inst> = body.insts.iter().collect();
            l.run_blocks(&Work::of(&all), &range);
        });
        let next = self.lea(Size::D, Address::at(From::Reg(y), 1));
        let back = self.f.block();
        self.branch_to(Cond::Ne, Size::D, next, GSrc::Reg(end), back, done);
        self.at = back;
        self.jump(head, vec![next]);
        self.at = done;
    }

    /// Makes everything that is uniform over the batch (or a row of it) and depends on nothing but the call, once.
    pub(super) fn hoist(&mut self, region: &'k Region, batch: bool) {
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

    /// All lanes of the batch.
    pub(super) fn whole_range(&mut self) -> Range {
        Range { start: self.imm(0), low: None, until: self.known(self.fixed.lanes) }
    }

    /// The lanes for which the kernel's guard holds, as far as that is a range: what says so is then a constant.
    fn guarded_range(&mut self) -> Range {
        let mut range = self.whole_range();
        if let Some((guard, truth)) = self.guard {
            self.take_guard(guard, truth, &mut range);
        }
        if let Some(low) = range.low {
            // At the end where no lane is left: no block is run without any.
            let vector = -(self.lane_count() as i32);
            let start = self.alu(AluOp::And, Size::Q, low, GSrc::Imm(vector));
            range.start = self.move_if(Cond::L, Size::Q, low, GSrc::Reg(range.until), start, range.until);
        }
        range
    }

    /// Narrows a range to lanes for which a condition may be `truth`; whether it is so for all that are left.
    fn take_guard(&mut self, cond: Value, truth: bool, range: &mut Range) -> bool {
        let holds = if self.is_common_to_row(cond) {
            let (value, none) = (self.gpr(cond), self.imm(0));
            let wanted = GSrc::Imm(truth.into());
            range.until = self.move_if(Cond::E, Size::D, value, wanted, range.until, none);
            true
        } else {
            match self.def(cond) {
                Some(Op::Unary(UnaryOp::Not, a)) => self.take_guard(*a, !truth, range),
                Some(Op::Binary(op, a, b))
                    if (*op, truth) == (BinaryOp::And, true) || (*op, truth) == (BinaryOp::Or, false) =>
                {
                    let sides = [a, b].map(|side| self.take_guard(*side, truth, range));
                    sides == [true; 2]
                }
                Some(Op::Binary(op, a, b)) if op.is_comparison() => {
                    let op = if truth { *op } else { opposite(*op) };
                    self.narrow_range(op, *a, *b, range)
                }
                _ => false,
            }
        };
        if holds {
            self.define(cond, Val::Imm(truth.into()));
        }
        holds
    }

    fn is_common_to_row(&self, v: Value) -> bool {
        self.class(v).is_uniform() && self.env[v.index()].is_some()
    }

    fn is_x(&self, v: Value) -> bool {
        matches!(self.def(v), Some(Op::Builtin(Builtin::GlobalId(0))))
    }

    /// Narrows a range to lanes for which a comparison of the x id holds; whether it is one.
    fn narrow_range(&mut self, op: BinaryOp, a: Value, b: Value, range: &mut Range) -> bool {
        let (op, x, b) = if self.is_x(a) { (op, a, b) } else { (mirrored(op), b, a) };
        if !self.is_x(x) || !self.is_common_to_row(b) {
            return false;
        }
        // Not 0 is more than 0.
        let op = if op == BinaryOp::Ne && self.constant(b) == Some(0) { BinaryOp::Gt } else { op };
        if !matches!(op, BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge) {
            return false;
        }
        let (first, bound) = (self.known(self.fixed.first[0]), self.gpr(b));
        let mut lane = self.alu(AluOp::Sub, Size::Q, bound, GSrc::Reg(first));
        if matches!(op, BinaryOp::Le | BinaryOp::Gt) {
            lane = self.lea(Size::Q, Address::at(From::Reg(lane), 1));
        }
        if matches!(op, BinaryOp::Lt | BinaryOp::Le) {
            let zero = self.imm(0);
            let lane = self.larger(lane, zero);
            range.until = self.lesser(lane, range.until);
        } else {
            let (low, lanes) = (range.low.unwrap_or(range.start), self.known(self.fixed.lanes));
            let low = self.larger(lane, low);
            range.low = Some(self.lesser(low, lanes));
        }
        if let (BinaryOp::Lt, Some(Op::ArrayLength(i))) = (op, self.def(b)) {
            self.proven.push(Test::of_binding(x, *i));
        }
        true
    }

    /// The lesser of two signed numbers of 64 bits.
    fn lesser(&mut self, a: VReg, b: VReg) -> VReg {
        self.move_if(Cond::L, Size::Q, a, GSrc::Reg(b), a, b)
    }

    pub(super) fn larger(&mut self, a: VReg, b: VReg) -> VReg {
        self.move_if(Cond::G, Size::Q, a, GSrc::Reg(b), a, b)
    }

    /// Before the blocks of a range are written: what full ones end at, known when all are written.
    pub(super) fn begin_row(&mut self, range: &Range) -> VReg {
        if self.shape().batch != BatchShape::Row {
            return range.until;
        }
        let (before, high) = (self.at, range.until);
        self.inside = Some(Inside { before, starts: self.starts(), tests: Vec::new(), low: None, high });
        self.int()
    }

    /// In the block before them: makes what they end at; the lane that full ones start from, if that is not the first.
    pub(super) fn end_row(&mut self, range: &Range, high: VReg) -> Option<VReg> {
        let inside = self.inside.take()?;
        self.push(Kind::Copy(Size::Q), vec![Operand::reg_def(high), Operand::reg_use(inside.high)]);
        let vector = self.lane_count() as i32;
        let first = range.low.map(|low| {
            let past = self.lea(Size::Q, Address::at(From::Reg(low), vector - 1));
            self.alu(AluOp::And, Size::Q, past, GSrc::Imm(-vector))
        });
        let low = match (first, inside.low) {
            (Some(a), Some(b)) => self.larger(a, b),
            (a, b) => a.or(b)?,
        };
        Some(self.lesser(low, range.until))
    }

    /// Makes full blocks keep to lanes whose index is in bounds, if that can be; whether they do.
    pub(super) fn test_row(&mut self, place: &Place, step: &Step) -> bool {
        let test = test_of(place, step);
        let Some(inside) = &self.inside else { return false };
        // The value of one lane is not that of the row.
        if self.mode == Mode::Masked || self.serial.is_some() {
            return false;
        }
        if !inside.tests.contains(&test) {
            let lanes = self.lane_count() as i32;
            let lane = match self.class(step.index) {
                Class::Affine { lane: 1, part, row: 0 } if part == lanes => 1,
                Class::Affine { lane: 0, part: 0, row: 0 } => 0,
                _ => return false,
            };
            if self.conditional > 0 {
                return false;
            }
            let at = std::mem::replace(&mut self.at, inside.before);
            let mut starts = self.inside.as_mut().map(|i| std::mem::take(&mut i.starts)).unwrap_or_default();
            let start = self.at_start(step.index, &mut starts);
            if let Some(inside) = &mut self.inside {
                inside.starts = starts;
            }
            if let Some(start) = start {
                self.keep_inside(place, step, start, lane);
            }
            self.at = at;
            let (Some(_), Some(inside)) = (start, &mut self.inside) else { return false };
            inside.tests.push(test);
        }
        self.made.tested.push(test);
        true
    }

    /// Narrows the range of full blocks to where an index, `start` in lane 0, is in bounds.
    fn keep_inside(&mut self, place: &Place, step: &Step, start: VReg, lane: i32) {
        let limit = match self.limit(place, step) {
            GSrc::Imm(k) => self.imm(k as u64),
            GSrc::Reg(r) => r,
            GSrc::Mem(at) => self.load(Size::Q, at),
        };
        let Some((low, high)) = self.inside.as_ref().map(|i| (i.low, i.high)) else { return };
        let zero = self.imm(0);
        let (low, high) = if lane == 0 {
            (low, self.move_if(Cond::B, Size::Q, start, GSrc::Reg(limit), high, zero))
        } else {
            // What wraps counts from below 0.
            let start = self.sign_extend(start);
            let end = self.alu(AluOp::Sub, Size::Q, limit, GSrc::Reg(start));
            let first = self.neg(Size::Q, start);
            (Some(self.larger(first, low.unwrap_or(zero))), self.lesser(end, high))
        };
        if let Some(inside) = &mut self.inside {
            (inside.low, inside.high) = (low, high);
        }
    }

    /// Whether all lanes of the range, or of the work-group, are below the length of an array.
    pub(super) fn is_proven(&self, place: &Place, step: &Step) -> bool {
        let proven = matches!(place.base, Base::Binding(_)) && self.proven.contains(&test_of(place, step));
        proven || self.assured.iter().any(|known| std::ptr::eq(*known, place))
    }
}
