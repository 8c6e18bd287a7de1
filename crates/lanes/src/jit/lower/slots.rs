//! Values kept in a slot a lane from one run of a work-group's code to the next.

use super::{Lower, Val};
use crate::{
    ir::{BinaryOp, Ty, Value},
    jit::{
        class::Class,
        mir::{Address, From, GSrc, Src},
        x64::{AluOp, Size, VOp},
    },
};
use regalloc2::VReg;

impl Lower<'_> {
    /// The slot of a lane of the block's first part: address of a value's slots.
    fn slot_address(&mut self, v: Value) -> Option<Address> {
        let offset = self.kept[v.index()]?;
        let start = self.fixed.start?;
        let bytes = self.ty(v).bytes().max(4);
        let disp = offset * self.group_lanes() as u32;
        let slots = self.known(self.fixed.slots);
        Some(Address { base: From::Reg(slots), index: Some((start, bytes as u8, false)), disp: disp as i32 })
    }

    /// Lanes that slots have room for.
    pub(super) fn group_lanes(&self) -> usize {
        let block = self.shapes[0].parts * self.lane_count();
        (self.kernel.group_invocations() as usize).next_multiple_of(block.max(16))
    }

    /// Defines a value from its slots.
    pub(super) fn take(&mut self, v: Value) {
        if self.env[v.index()].is_some() {
            return;
        }
        let Some(at) = self.slot_address(v) else { return self.refuse("a value that no run keeps") };
        let ty = self.ty(v);
        if self.class(v) != Class::Varying {
            // The block's first lane tells.
            let val = if ty.is_float() {
                let op = if ty.bytes() == 8 { VOp::Broadcastsd } else { VOp::Broadcastss };
                Val::Splat(self.v2(op, Src::Mem(at)))
            } else {
                let r = self.load(Self::size(ty), at);
                match self.class(v) {
                    Class::Stepped { .. } => {
                        let row = self.shape().columns() * self.lane_count() * 4;
                        let next = self.load(Size::D, at.plus(row as i32));
                        Val::Stepped(r, self.alu(AluOp::Sub, Size::D, next, GSrc::Reg(r)))
                    }
                    c if c.is_uniform() => Val::Gpr(r),
                    _ => Val::Base(r),
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
            return self.define(v, Val::Masks(masks));
        }
        self.define(v, Val::Parts(r));
    }

    /// A value's vectors as its slots hold them.
    pub(super) fn kept_form(&mut self, v: Value) -> Vec<VReg> {
        if self.ty(v) == Ty::Bool {
            let masks = self.masks(v);
            return self.one_where(false, &masks, 1);
        }
        self.vectors(v)
    }

    pub(super) fn keep(&mut self, v: Value, r: &[VReg]) {
        let Some(at) = self.slot_address(v) else { return self.refuse("a value that no run keeps") };
        let step = self.lane_count() * 4;
        for (i, r) in r.iter().enumerate() {
            self.store_vector(VOp::MovupsSt, *r, at.plus((i * step) as i32), None);
        }
    }
}
