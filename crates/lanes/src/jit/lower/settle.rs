//! Guards and ranges that are settled for a whole work-group before its blocks of lanes.
//!
//! A tiled kernel asks at each access whether a row and a column are inside (`if row < rows && col < cols`), though all of
//! most work-groups is. What is compared grows with the local ids, so its largest value in the work-group tells for all
//! invocations. Where every guard of a run holds like that, and every access behind them is in bounds, the blocks of the
//! run are code without guards and tests. Any other work-group runs the code that asks block by block.
//!
//! A local id that is compared as it is tells parts of a work-group apart (`if local.x < stride`): that is never settled.

use super::{
    Lower,
    blocks::Work,
    bounds::{Test, test_of},
    compare::{mirrored, opposite},
    private::is_private,
    start::Starts,
};
use crate::{
    analysis::uniformity::BatchShape,
    ir::{BinaryOp, Inst, Op, Place, Region, Ty, UnaryOp, Value},
    jit::{
        mir::GSrc,
        x64::{Cond, Size},
    },
};
use regalloc2::{Block, VReg};

/// What holds for all invocations of a work-group once its tests have passed.
#[derive(Default)]
pub(super) struct Settled<'k> {
    /// Conditions and what they are.
    pub(super) conditions: Vec<(Value, bool)>,
    /// Places that are in bounds.
    pub(super) places: Vec<&'k Place>,
}

/// The tests of a run, while they are written.
struct Tests<'k> {
    settled: Settled<'k>,
    starts: Starts,
    /// What comparisons must be for something to be done behind them.
    wanted: Vec<Option<bool>>,
    /// Ranges that were tested on the way to the code at hand.
    tested: Vec<Test>,
    /// Where work-groups go that fail, once one may.
    general: Option<Block>,
}

impl<'k> Tests<'k> {
    fn truth(&self, v: Value) -> Option<bool> {
        self.settled.conditions.iter().find(|(known, _)| *known == v).map(|(_, truth)| *truth)
    }
}

impl<'k> Lower<'k> {
    /// Writes the tests of a run's work-group, if they can spare guards: what holds where all pass, and the block that is
    /// jumped to where one fails.
    pub(super) fn settle(&mut self, work: &Work<'_, 'k>) -> Option<(Settled<'k>, Block)> {
        let shape = &self.shapes[0];
        let blocks = self.kernel.group_invocations() as usize / (shape.parts * shape.lanes);
        if shape.batch != BatchShape::Group || blocks < 2 {
            return None;
        }
        let mut wanted = vec![None; self.kernel.values.len()];
        work.insts.iter().for_each(|inst| self.want_guards(inst, &mut wanted));
        if wanted.iter().all(Option::is_none) {
            return None;
        }
        let (settled, starts) = (Settled::default(), self.starts());
        let mut tests = Tests { settled, starts, wanted, tested: Vec::new(), general: None };
        self.scoped(|l| {
            let remade = work.remake.iter().filter_map(|v| Some((*v, l.def(*v)?))).collect::<Vec<_>>();
            remade.into_iter().for_each(|(v, op)| l.settle_op(v, op, &mut tests));
            l.settle_insts(work.insts.iter().copied(), &mut tests);
        });
        Some((tests.settled, tests.general?))
    }

    /// Notes what the guards in an instruction must be for their arm to run.
    fn want_guards(&self, inst: &Inst, wanted: &mut [Option<bool>]) {
        if let Inst::If { cond, then, other, .. } = inst
            && then.insts.is_empty() != other.insts.is_empty()
        {
            self.expect(*cond, other.insts.is_empty(), wanted);
        }
        inst.regions().flat_map(|r| &r.insts).for_each(|inst| self.want_guards(inst, wanted));
    }

    fn settle_insts(&mut self, insts: impl Iterator<Item = &'k Inst>, tests: &mut Tests<'k>) {
        for inst in insts {
            match inst {
                Inst::Op { dst, op, .. } => self.settle_op(*dst, op, tests),
                Inst::Store { place, .. } => self.settle_place(place, tests),
                Inst::If { cond, then, other, .. } => self.settle_branch(*cond, [then, other], tests),
                _ => {}
            }
        }
    }

    fn settle_op(&mut self, dst: Value, op: &'k Op, tests: &mut Tests<'k>) {
        if self.env[dst.index()].is_some() {
            return;
        }
        let truth = match op {
            Op::Load(place) => return self.settle_place(place, tests),
            Op::Unary(UnaryOp::Not, a) => tests.truth(*a).map(|a| !a),
            Op::Binary(BinaryOp::And, a, b) => tests.truth(*a).zip(tests.truth(*b)).map(|(a, b)| a && b),
            Op::Binary(BinaryOp::Or, a, b) => tests.truth(*a).zip(tests.truth(*b)).map(|(a, b)| a || b),
            Op::Binary(op, a, b) if op.is_comparison() => {
                let wanted = tests.wanted[dst.index()];
                wanted.filter(|truth| {
                    let op = if *truth { *op } else { opposite(*op) };
                    self.settle_comparison(op, *a, *b, tests).is_some()
                })
            }
            _ => None,
        };
        tests.settled.conditions.extend(truth.map(|truth| (dst, truth)));
    }

    /// Tests that a comparison holds for all invocations.
    fn settle_comparison(&mut self, op: BinaryOp, a: Value, b: Value, tests: &mut Tests<'k>) -> Option<()> {
        if !matches!(self.ty(a), Ty::U32 | Ty::I32) {
            return None;
        }
        let starts = &mut tests.starts;
        let (op, a, b) = if self.is_start_known(b, starts) { (op, a, b) } else { (mirrored(op), b, a) };
        // A bare local id counts from 0.
        let bare = matches!(self.def(a)?, Op::Builtin(_));
        if bare || !self.is_start_known(b, starts) {
            return None;
        }
        let growth = self.growth(a, starts).filter(|growth| !growth.is_none())?;
        let signed = self.ty(a).is_signed();
        let ends = [a, b].map(|v| self.at_start(v, starts));
        let [first, limit] = [ends[0]?, ends[1]?].map(|r| if signed { self.sign_extend(r) } else { r });
        let last = self.grown(first, growth)?;
        let (fails, at_most) = match (op, signed) {
            (BinaryOp::Lt, false) => (Cond::Ae, None),
            (BinaryOp::Le, false) => (Cond::A, None),
            (BinaryOp::Lt, true) => (Cond::Ge, None),
            (BinaryOp::Le, true) => (Cond::G, None),
            (BinaryOp::Ge, false) => (Cond::B, Some(u64::from(u32::MAX))),
            (BinaryOp::Gt, false) => (Cond::Be, Some(u64::from(u32::MAX))),
            (BinaryOp::Ge, true) => (Cond::L, Some(i32::MAX as u64)),
            (BinaryOp::Gt, true) => (Cond::Le, Some(i32::MAX as u64)),
            _ => return None,
        };
        match at_most {
            // Below a limit, nothing wrapped.
            None => self.fail_if(fails, last, GSrc::Reg(limit), tests),
            Some(most) => {
                self.fail_if(fails, first, GSrc::Reg(limit), tests);
                let most = self.imm(most);
                self.fail_if(Cond::A, last, GSrc::Reg(most), tests);
            }
        }
        Some(())
    }

    /// Gives up on the work-group where a comparison of 64 bits holds.
    fn fail_if(&mut self, cond: Cond, a: VReg, b: GSrc, tests: &mut Tests<'k>) {
        let general = *tests.general.get_or_insert_with(|| self.later_block());
        self.leave_if(cond, Size::Q, a, b, general);
    }

    /// Tests that the indices of an access behind a guard are in bounds for all invocations.
    fn settle_place(&mut self, place: &'k Place, tests: &mut Tests<'k>) {
        if is_private(place) || tests.general.is_none() {
            return;
        }
        for step in &place.steps {
            let test = test_of(place, step);
            if self.is_inside(step) || tests.tested.contains(&test) {
                continue;
            }
            let Some(growth) = self.growth(step.index, &mut tests.starts) else { return };
            let Some(first) = self.at_start(step.index, &mut tests.starts) else { return };
            let Some(last) = self.grown(first, growth) else { return };
            let limit = self.limit(place, step);
            self.fail_if(Cond::Ae, last, limit, tests);
            tests.tested.push(test);
        }
        tests.settled.places.push(place);
    }

    /// What is behind a guard that holds, or in the arm that the work-group takes.
    fn settle_branch(&mut self, cond: Value, [then, other]: [&'k Region; 2], tests: &mut Tests<'k>) {
        if let Some(truth) = tests.truth(cond).or(self.constant(cond).map(|bits| bits != 0)) {
            let arm = if truth { then } else { other };
            return self.settle_insts(arm.insts.iter(), tests);
        }
        let asks = |r: &Region| r.insts.iter().any(|inst| matches!(inst, Inst::If { .. }));
        if !self.is_start_known(cond, &tests.starts) || tests.general.is_none() && !asks(then) && !asks(other) {
            return;
        }
        let (t, o, join) = (self.f.block(), self.f.block(), self.f.block());
        self.branch_on(cond, t, o);
        for (block, region) in [(t, then), (o, other)] {
            self.at = block;
            let (starts, tested) = (tests.starts.mark(), tests.tested.len());
            self.scoped(|l| l.settle_insts(region.insts.iter(), tests));
            tests.starts.forget(starts);
            tests.tested.truncate(tested);
            self.jump(join, Vec::new());
        }
        self.at = join;
    }
}
