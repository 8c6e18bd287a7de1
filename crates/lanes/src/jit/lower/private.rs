//! Private memory: element by element, the lanes of a block side by side.

use super::{Lower, memory::Offsets};
use crate::{
    ir::{Base, Place, Ty},
    jit::{
        mir::{Address, From, GSrc, Src},
        x64::{AluOp, Cond, Size, VOp},
    },
};
use regalloc2::VReg;

/// An element of private memory holds one value a lane.
pub(super) fn is_private(place: &Place) -> bool {
    matches!(place.base, Base::Private(_))
}

impl Lower<'_> {
    /// Bytes of private memory of a block for each byte of a lane.
    pub(super) fn private_scale(&self) -> u64 {
        match self.private_lanes {
            0 => (self.lane_count() * self.parts_of(self.mode)) as u64,
            lanes => lanes as u64,
        }
    }

    /// Where the block's lanes of private memory start, for elements of the access at hand.
    pub(super) fn private_base(&mut self) -> VReg {
        let base = self.known(self.fixed.private);
        match self.fixed.start {
            Some(start) if self.private_lanes > 0 => {
                let index = Some((start, self.element_bytes, false));
                self.lea(Size::Q, Address { base: From::Reg(base), index, disp: 0 })
            }
            _ => base,
        }
    }

    fn private_offsets(&mut self, ty: Ty, place: &Place) -> Offsets {
        let masks = self.inside_masks(place);
        let origin = self.origin(place);
        let base = self.lea(Size::Q, origin);
        let scale = self.private_scale() as u32;
        let lanes = self.lane_count() as u32;
        let mut sum: Option<Vec<VReg>> = None;
        for step in &place.steps {
            let index = self.vectors(step.index);
            let bytes = self.times(&index, step.stride * scale);
            sum = Some(match sum {
                None => bytes,
                Some(s) => s.iter().zip(bytes).map(|(a, b)| self.v3r(VOp::Addd, *a, b)).collect(),
            });
        }
        let sum = sum.unwrap_or_else(|| vec![self.zero(); self.parts]);
        let offsets = (0..self.parts)
            .map(|p| {
                let own = self.pooled((0..lanes).map(|l| (p as u32 * lanes + l) * ty.bytes()));
                self.v3(VOp::Addd, sum[p], Src::Mem(own))
            })
            .collect();
        Offsets { base, offsets, masks }
    }

    /// Whether all lanes use one element, in bounds.
    fn is_common(&mut self, place: &Place) -> bool {
        place.steps.iter().all(|s| self.class(s.index).is_uniform()) && (self.is_tested(place) || self.test_all(place))
    }

    pub(super) fn load_private(&mut self, ty: Ty, place: &Place) -> Vec<VReg> {
        let halves = Self::halves(ty);
        let mut result = Vec::new();
        self.element_bytes = ty.bytes() as u8;
        if self.is_common(place) {
            let at = self.tested_address(place);
            for i in 0..self.parts * halves {
                result.push(self.v2(VOp::Movups, Src::Mem(at.plus((i * self.lane_count() * 4) as i32))));
            }
            return result;
        }
        let o = self.private_offsets(ty, place);
        let at = Address::at(From::Reg(o.base), 0);
        for p in 0..self.parts {
            if halves == 2 {
                let [low, high] = self.split_mask(o.masks[p]);
                result.push(self.gather_one(true, at, o.offsets[p], 1, low));
                let upper = self.upper(o.offsets[p]);
                result.push(self.gather_one(true, at, upper, 1, high));
            } else {
                result.push(self.gather_one(false, at, o.offsets[p], 1, o.masks[p]));
            }
        }
        result
    }

    pub(super) fn store_private(&mut self, ty: Ty, place: &Place, r: &[VReg]) {
        self.element_bytes = ty.bytes() as u8;
        if self.is_common(place) {
            let at = self.tested_address(place);
            let masks = self.mask.clone();
            let part = self.lane_count() * 4 * Self::halves(ty);
            let at: Vec<Address> = (0..self.parts).map(|p| at.plus((p * part) as i32)).collect();
            return self.store_parts(ty, &at, masks.as_deref(), r);
        }
        let o = self.private_offsets(ty, place);
        self.scatter_members(ty.bytes(), &o, &[0], &[r.to_vec()]);
    }

    /// Zeroes the private memory of a block.
    pub(super) fn clear_private(&mut self) {
        let bytes: u64 = self.kernel.private.iter().map(|v| u64::from(v.bytes.next_multiple_of(8))).sum();
        if bytes == 0 {
            return;
        }
        let total = bytes * self.private_scale();
        let step = self.lane_count() as u64 * 4;
        let zero = self.zero();
        let base = self.known(self.fixed.private);
        if total / step <= 32 {
            for i in 0..total / step {
                self.store_vector(VOp::MovupsSt, zero, Address::at(From::Reg(base), (i * step) as i32), None);
            }
            return;
        }
        let (head, next) = (self.f.block(), self.f.block());
        let at = self.int();
        self.f.nodes[head.index()].params = vec![at];
        self.f.nodes[head.index()].head = true;
        let start = self.imm(0);
        self.jump(head, vec![start]);
        self.at = head;
        let to = Address { base: From::Reg(base), index: Some((at, 1, false)), disp: 0 };
        self.store_vector(VOp::MovupsSt, zero, to, None);
        let after = self.alu(AluOp::Add, Size::Q, at, GSrc::Imm(step as i32));
        let back = self.f.block();
        self.branch_to(Cond::B, Size::Q, after, GSrc::Imm(total.min(i32::MAX as u64) as i32), back, next);
        self.at = back;
        self.jump(head, vec![after]);
        self.at = next;
    }
}
