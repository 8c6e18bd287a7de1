//! Branches inside a block of lanes, and the forms in which values pass them.

use super::{Lower, Val};
use crate::{
    ir::{BinaryOp, Inst, Op, Phi, Region, Ty, UnaryOp, Value},
    jit::{
        class::Class,
        mir::{GSrc, Kind},
        x64::{Cond, Isa, Size},
    },
};
use regalloc2::{Block, Operand, RegClass, VReg};

use super::scalar::condition;

/// Weight up to which the arms of a divergent branch are both computed.
const SPECULATE: usize = 12;

impl<'k> Lower<'k> {
    /// Register classes of the form that a value of `v`'s class is passed in.
    pub(super) fn form(&self, v: Value) -> Vec<RegClass> {
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

    /// Leaves a full block that has lanes with a rare case, as soon as that is known: masked code does what these need, so
    /// that it takes neither room nor registers here. Not after side effects.
    pub(super) fn leave_rare(&mut self, cond: Value) {
        let varying = self.rares[cond.index()] && self.class(cond) == Class::Varying;
        let Some(to) = self.exceptional.filter(|_| varying && !self.dirty) else { return };
        let masks = self.masks(cond);
        let live = self.live(&masks);
        let (edge, on) = (self.f.block(), self.f.block());
        self.f.nodes[edge.index()].cold = true;
        self.branch_any(&live, edge, on);
        self.at = edge;
        self.jump(to, Vec::new());
        self.at = on;
        self.define(cond, Val::Imm(0));
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
            self.conditional += 1;
            self.scoped(|l| {
                l.insts(&region.insts);
                let args = l.arguments(phis.iter().map(|p| (if taken { p.then } else { p.other }, p.dst)));
                l.jump(join, args);
            });
            self.conditional -= 1;
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
    pub(super) fn live(&mut self, masks: &[VReg]) -> Vec<VReg> {
        match self.mask.clone() {
            None => masks.to_vec(),
            Some(live) => masks.iter().zip(live).map(|(m, l)| self.mask_and(*m, l)).collect(),
        }
    }

    /// The lanes of the execution mask that are not in a mask.
    pub(super) fn rest(&mut self, masks: &[VReg]) -> Vec<VReg> {
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
        self.conditional += 1;
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
        self.conditional -= 1;
        self.mask = outer;
        self.at = join;
        params.into_iter().map(Some).collect()
    }
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
