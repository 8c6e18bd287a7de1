//! Loads and stores.
//!
//! Each access is reached in one of three ways: at a *uniform* place once for all lanes; at a *strided*
//! place, where lanes and parts are constant distances apart; or lane by lane, with a vector of byte
//! offsets. In a full block, a strided access is one range test (that leaves the block where it fails, to be run
//! again masked) and plain vector instructions; else lanes out of bounds are masked off. A masked vector access
//! touches no byte of a masked-off lane.
//!
//! Offsets of gathers are 32 bits and signed: bindings of 2^31 bytes and more are left to the interpreter.

use super::{
    Lower, Mode, Val,
    address::{Reach, Rows},
    private::is_private,
};
use crate::{
    ir::{BinaryOp, Place, Step, Ty, Value},
    jit::{
        class::Class,
        mir::{Address, Dst, From, GSrc, Kind, Src, Vector},
        x64::{Cond, Isa, Size, VOp},
    },
};
use regalloc2::{Operand, RegClass, VReg};

/// Byte offsets of lanes from an address, and which are live and in bounds.
pub(super) struct Offsets {
    pub(super) base: VReg,
    pub(super) offsets: Vec<VReg>,
    pub(super) masks: Vec<VReg>,
}

impl<'k> Lower<'k> {
    pub(super) fn load_place(&mut self, dst: Value, place: &Place) {
        let ty = self.ty(dst);
        if is_private(place) {
            let r = self.load_private(ty, place);
            return self.loaded(dst, r);
        }
        let reach = self.reach(place);
        let uniform = self.class(dst).is_uniform();
        // Not where gains of several indices cancel out: each lane is then in bounds or not by itself.
        let is_level = |s: &Step| matches!(self.class(s.index), Class::Affine { lane: 0, .. });
        let one_part = self.parts == 1 && place.steps.iter().all(is_level);
        if uniform || one_part {
            return self.load_uniform(dst, ty, place);
        }
        if let Some(r) = self.streamed(dst) {
            return self.loaded(dst, r);
        }
        if ty.is_memory_only() {
            let r = self.load_shorts(ty, place, reach);
            return self.loaded(dst, r);
        }
        let with = self.take_loads(dst);
        let r = match reach {
            Reach::Strided { lane, part, row } if self.test_all(place) => {
                if let (true, Some(memory)) = (self.fold, self.operand(ty, place, lane, part, row)) {
                    return self.define(dst, Val::Memory(memory));
                }
                if self.load_members(dst, place, &with) {
                    return;
                }
                self.load_tested(ty, place, lane, part, row)
            }
            Reach::Strided { lane, part, row: Rows::Apart(row) } if lane == i64::from(ty.bytes()) => {
                self.load_masked(ty, place, part, row)
            }
            _ => return self.gather_members(dst, place, &with),
        };
        self.loaded(dst, r);
    }

    /// Defines a loaded value: a Bool is what is not zero.
    pub(super) fn loaded(&mut self, dst: Value, r: Vec<VReg>) {
        if self.ty(dst) != Ty::Bool {
            return self.define(dst, Val::Parts(r));
        }
        let zero = self.zero();
        let masks = self.compare_vectors(BinaryOp::Ne, Ty::U32, &r, &vec![Src::Reg(zero); r.len()]);
        self.define(dst, Val::Masks(masks));
    }

    fn load_uniform(&mut self, dst: Value, ty: Ty, place: &Place) {
        let at = if self.test_all(place) { self.tested_address(place) } else { self.selected_address(place) };
        if ty.is_memory_only() {
            let word = self.load_short(at);
            if self.class(dst).is_uniform() && !ty.is_float() {
                return self.define(dst, Val::Gpr(word));
            }
            let r = self.splat_gpr(Size::D, word);
            return self.define_vectors(dst, vec![r]);
        }
        if self.class(dst).is_uniform() && !ty.is_float() {
            let r = self.load(Self::size(ty), at);
            let r = if ty == Ty::Bool { self.set_if(Cond::Ne, Size::D, r, GSrc::Imm(0)) } else { r };
            return self.define(dst, Val::Gpr(r));
        }
        let op = if ty.bytes() == 8 { VOp::Broadcastsd } else { VOp::Broadcastss };
        let r = self.v2(op, Src::Mem(at));
        if self.class(dst).is_uniform() {
            return self.define(dst, Val::Splat(r));
        }
        self.loaded(dst, vec![r; Self::halves(ty)]);
    }

    /// A tested load as operands of the one instruction that needs it, where that saves a register.
    fn operand(&mut self, ty: Ty, place: &Place, lane: i64, part: i64, row: Rows) -> Option<Vec<Src>> {
        let shape = self.shape();
        let shared = part == 0 && shape.columns() > 1 || row == Rows::Apart(0) && shape.rows() > 1;
        if ty == Ty::Bool || shared {
            return None;
        }
        let contiguous = lane == i64::from(ty.bytes());
        if !contiguous && (lane != 0 || self.isa == Isa::Avx2) {
            return None;
        }
        let half_bytes = self.lane_count() * 4;
        let mut operands = Vec::new();
        for at in self.part_addresses(place, part, row) {
            for half in 0..Self::halves(ty) {
                operands.push(match contiguous {
                    true => Src::Mem(at.plus((half * half_bytes) as i32)),
                    false => Src::Splat(at),
                });
            }
        }
        Some(operands)
    }

    /// A strided load that was tested.
    fn load_tested(&mut self, ty: Ty, place: &Place, lane: i64, part: i64, row: Rows) -> Vec<VReg> {
        let bytes = i64::from(ty.bytes());
        let shape = *self.shape();
        let half_bytes = self.lane_count() as i64 * 4;
        let mut result: Vec<VReg> = Vec::new();
        let halves = Self::halves(ty);
        let addresses = self.part_addresses(place, part, row);
        if lane == bytes && self.mode == Mode::Full {
            self.ask_ahead(place, &addresses, part);
        }
        for (p, at) in addresses.into_iter().enumerate() {
            let [r, c] = shape.place(p);
            // Parts, or rows, that read the same.
            let back = match (part, row) {
                (0, _) if c > 0 => 1,
                (_, Rows::Apart(0)) if r > 0 => shape.columns(),
                _ => 0,
            };
            if back > 0 {
                let same = (p - back) * halves;
                result.extend_from_within(same..same + halves);
                continue;
            }
            for half in 0..halves as i64 {
                result.push(match lane {
                    0 if half == 1 => result[result.len() - 1],
                    0 => {
                        let op = if bytes == 8 { VOp::Broadcastsd } else { VOp::Broadcastss };
                        self.v2(op, Src::Mem(at))
                    }
                    l if l == bytes => self.v2(VOp::Movups, Src::Mem(at.plus((half * half_bytes) as i32))),
                    l if halves == 1 && self.isa == Isa::Avx2 => {
                        let address = |_: &mut Self, lane: i32| at.plus(lane * l as i32);
                        self.words_at(0..self.lane_count() as i32, &address)
                    }
                    l => {
                        let lanes = self.lane_count() as i64 / Self::halves(ty) as i64;
                        let offsets = self.pooled(
                            (0..lanes * Self::halves(ty) as i64).map(|k| ((half * lanes + k % lanes) * l) as u32),
                        );
                        let offsets = self.v2(VOp::Movups, Src::Mem(offsets));
                        let all = self.constant_mask(true);
                        self.gather_one(bytes == 8, at, offsets, 1, all)
                    }
                });
            }
        }
        result
    }

    /// A contiguous load under masks.
    fn load_masked(&mut self, ty: Ty, place: &Place, part: i64, row: i64) -> Vec<VReg> {
        let masks = self.inside_masks(place);
        let at = self.signed_address(place);
        let at = self.apart(at, part, row);
        self.ask_ahead(place, &at, part);
        let mut result = Vec::new();
        for (at, mask) in at.into_iter().zip(masks) {
            let wide = ty.bytes() == 8;
            let halves = if wide { self.split_mask(mask).to_vec() } else { vec![mask] };
            for (half, mask) in halves.into_iter().enumerate() {
                let at = at.plus((half * self.lane_count() * 4) as i32);
                result.push(match self.isa {
                    Isa::Avx512 => {
                        let op = if wide { VOp::Movupd } else { VOp::Movups };
                        self.v2_masked(op, Src::Mem(at), mask, None)
                    }
                    Isa::Avx2 => {
                        let op = if wide { VOp::Maskmovpd } else { VOp::Maskmovps };
                        self.v3(op, mask, Src::Mem(at))
                    }
                });
            }
        }
        result
    }

    pub(super) fn store(&mut self, place: &Place, value: Value) {
        let ty = self.ty(value);
        let r = self.stored(value);
        if is_private(place) {
            let lasting = self.private_lanes > 0;
            if lasting && !self.dirty {
                self.test_ahead();
            }
            self.store_private(ty, place, &r);
            self.dirty |= lasting;
            return;
        }
        match self.reach(place) {
            Reach::Strided { lane, part, row } if lane == i64::from(ty.bytes()) => {
                let tested = self.test_all(place);
                if !self.dirty {
                    self.test_ahead();
                }
                match (tested, row) {
                    _ if ty.is_memory_only() && (!tested || self.mask.is_some()) => self.scatter(ty, place, r),
                    _ if ty.is_memory_only() => self.store_shorts(place, part, row, &r),
                    (true, Rows::Apart(row)) if self.may_go_past(ty, place, part) => {
                        let at = self.tested_address(place);
                        let at = self.apart(at, part, row);
                        self.store_past(ty, &at, &r);
                    }
                    (true, row) => {
                        let (at, masks) = (self.part_addresses(place, part, row), self.mask.clone());
                        self.store_parts(ty, &at, masks.as_deref(), &r);
                    }
                    (false, Rows::Apart(row)) => {
                        let masks = self.inside_masks(place);
                        let at = self.signed_address(place);
                        let at = self.apart(at, part, row);
                        self.store_parts(ty, &at, Some(&masks), &r);
                    }
                    (false, Rows::Stepped) => self.scatter(ty, place, r),
                }
            }
            _ => {
                if !self.dirty {
                    self.test_ahead();
                }
                self.scatter(ty, place, r);
            }
        }
        self.dirty = true;
    }

    /// Contiguous stores.
    pub(super) fn store_parts(&mut self, ty: Ty, at: &[Address], masks: Option<&[VReg]>, r: &[VReg]) {
        let wide = ty.bytes() == 8;
        let halves = Self::halves(ty);
        for p in 0..self.parts {
            let split = masks.map(|m| if wide { self.split_mask(m[p]).to_vec() } else { vec![m[p]] });
            for half in 0..halves {
                let at = at[p].plus((half * self.lane_count() * 4) as i32);
                let value = r[p * halves + half];
                match (&split, self.isa) {
                    (None, _) => self.store_vector(VOp::MovupsSt, value, at, None),
                    (Some(m), Isa::Avx512) => {
                        let op = if wide { VOp::MovupdSt } else { VOp::MovupsSt };
                        self.store_vector(op, value, at, Some(m[half]));
                    }
                    (Some(m), Isa::Avx2) => {
                        let op = if wide { VOp::MaskmovpdSt } else { VOp::MaskmovpsSt };
                        let len = self.len();
                        self.vector(Vector {
                            op,
                            len,
                            dst: Dst::Use(value),
                            tied: None,
                            a: Some(m[half]),
                            b: Src::Mem(at),
                            imm: None,
                            mask: None,
                        });
                    }
                }
            }
        }
    }

    /// Stores lane by lane; of lanes with one address the last wins.
    fn scatter(&mut self, ty: Ty, place: &Place, r: Vec<VReg>) {
        let o = self.byte_offsets(place);
        self.scatter_members(ty.bytes(), &o, &[0], &[r]);
    }

    /// Stores values lane by lane at distances from the lanes' offsets.
    pub(super) fn scatter_members(&mut self, bytes: u32, o: &Offsets, from: &[i32], values: &[Vec<VReg>]) {
        let halves = (bytes as usize / 4).max(1);
        for p in 0..self.parts {
            let (offsets, mask) = (o.offsets[p], o.masks[p]);
            if self.isa == Isa::Avx2 || bytes == 2 {
                let values: Vec<&[VReg]> = values.iter().map(|r| &r[p * halves..][..halves]).collect();
                self.store_live(bytes, o.base, mask, offsets, from, &values);
                continue;
            }
            for (from, r) in from.iter().zip(values) {
                if bytes == 8 {
                    let [low, high] = self.split_mask(mask);
                    self.scatter_one(VOp::Scatterdq, o.base, *from, offsets, low, r[p * 2]);
                    let upper = self.upper(offsets);
                    self.scatter_one(VOp::Scatterdq, o.base, *from, upper, high, r[p * 2 + 1]);
                } else {
                    self.scatter_one(VOp::Scatterdd, o.base, *from, offsets, mask, r[p]);
                }
            }
        }
    }

    fn scatter_one(&mut self, op: VOp, base: VReg, disp: i32, offsets: VReg, mask: VReg, value: VReg) {
        let mem = Address { base: From::Reg(base), index: Some((offsets, 1, true)), disp };
        let left = self.f.reg(RegClass::Vector);
        let uses = [value, mask, base, offsets].map(Operand::reg_use);
        let operands = [&[Operand::reg_reuse_def(left, 2)][..], &uses].concat();
        let len = self.len();
        self.push(Kind::Scatter { op, len, mem }, operands);
    }
}
