//! Operations that Rust code does, lane by lane, through the area.

use super::Lower;
use crate::{
    ir::{BinaryOp, Inst, Ty, UnaryOp, Value},
    jit::{
        context as cx,
        helper::Request,
        mir::{Address, From, Kind, Src},
        x64::{Size, VOp},
    },
};
use regalloc2::VReg;

impl Lower<'_> {
    pub(super) fn slot(&self, slot: i32, half: usize) -> Address {
        let bytes = self.lane_count() * 4;
        Address::at(From::Area, cx::AREA_SLOTS + slot * cx::SLOT + (half * bytes) as i32)
    }

    pub(super) fn put_slot(&mut self, slot: i32, registers: &[VReg]) {
        for (half, r) in registers.iter().enumerate() {
            let to = self.slot(slot, half);
            self.store_vector(VOp::MovupsSt, *r, to, None);
        }
    }

    pub(super) fn take_slot(&mut self, slot: i32, halves: usize) -> Vec<VReg> {
        (0..halves)
            .map(|half| {
                let from = self.slot(slot, half);
                self.v2(VOp::Movups, Src::Mem(from))
            })
            .collect()
    }

    fn call(&mut self, request: Request) {
        let number = self.requests.iter().position(|r| *r == request).unwrap_or_else(|| {
            self.requests.push(request);
            self.requests.len() - 1
        });
        self.store_imm(Address::at(From::Area, cx::AREA_REQUEST), number as i32);
        self.push(Kind::Call, Vec::new());
    }

    pub(super) fn unary_by_helper(&mut self, op: UnaryOp, ty: Ty, a: Value) -> Vec<VReg> {
        let a = self.vectors(a);
        self.by_helper(Request::Unary(op, ty), 1, Self::halves(ty), &[(a, Self::halves(ty))])
    }

    pub(super) fn binary_by_helper(&mut self, op: BinaryOp, ty: Ty, a: Value, b: Value) -> Vec<VReg> {
        let wide = Self::halves(ty);
        // A shift's amount is widened to the other operand's size.
        let right = if Self::halves(self.ty(b)) < wide { self.convert(Ty::U32, Ty::U64, b) } else { self.vectors(b) };
        let left = self.vectors(a);
        self.by_helper(Request::Binary(op, ty), 2, wide, &[(left, wide), (right, wide)])
    }

    pub(super) fn convert_by_helper(&mut self, from: Ty, to: Ty, a: Value) -> Vec<VReg> {
        let a = self.vectors(a);
        self.by_helper(Request::Convert(from, to), 1, Self::halves(to), &[(a, Self::halves(from))])
    }

    /// Calls a helper for each part: operands with their registers a part, result in a slot.
    fn by_helper(&mut self, request: Request, slot: i32, halves: usize, operands: &[(Vec<VReg>, usize)]) -> Vec<VReg> {
        let mut result = Vec::new();
        for part in 0..self.parts {
            for (i, (registers, each)) in operands.iter().enumerate() {
                self.put_slot(i as i32, &registers[part * each..][..*each]);
            }
            self.call(request);
            result.extend(self.take_slot(slot, halves));
        }
        result
    }

    /// Gives a helper the live lanes and the address that offsets are relative to.
    fn aim(&mut self, base: VReg, mask: VReg, offsets: VReg) {
        let bits = self.mask_bits(mask);
        self.store_gpr(Size::D, bits, Address::at(From::Area, cx::AREA_MASK));
        self.store_gpr(Size::Q, base, Address::at(From::Area, cx::AREA_BASE));
        self.put_slot(0, &[offsets]);
    }

    pub(super) fn atomic(&mut self, inst: &Inst) {
        let Inst::Atomic { dst, op, place, value, compare, .. } = inst else { return };
        let ty = self.ty(*value);
        let halves = Self::halves(ty);
        let shared = matches!(place.base, crate::ir::Base::Binding(_));
        // Uninteresting results need no order between lanes.
        let used = dst.is_some_and(|d| self.uses[d.index()] > 0);
        let inline = self.inline_atomic(*op, ty, place.base, used);
        let reach = self.byte_offsets(place);
        let values = self.vectors(*value);
        let compares = compare.map(|c| self.vectors(c));
        let mut old = Vec::new();
        for part in 0..self.parts {
            let value = &values[part * halves..][..halves];
            if let Some(inline) = inline {
                old.extend(self.atomic_lanes(inline, &reach, part, value));
                continue;
            }
            self.aim(reach.base, reach.masks[part], reach.offsets[part]);
            self.put_slot(1, value);
            if let Some(c) = &compares {
                self.put_slot(2, &c[part * halves..][..halves]);
            }
            self.call(Request::Atomic { op: *op, ty, shared, used });
            if used {
                old.extend(self.take_slot(3, halves));
            }
        }
        self.dirty |= *op != crate::ir::AtomicOp::Load;
        if let (Some(dst), true) = (dst, used) {
            self.define_vectors(*dst, old);
        }
    }
}
