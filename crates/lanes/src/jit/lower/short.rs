//! Values of 16 bits: two bytes in memory, 32 bits with zeros above in a register.
//!
//! Lanes side by side are widened as they are read and packed as they are written; what comes packed and is wanted so, as by
//! the conversions of f16, is not widened in between. Elsewhere lanes are read and written one after the other: no machine
//! gathers 16 bits, and a store must not touch its neighbours, which may belong to other threads.

use super::{
    Lower,
    address::{Reach, Rows},
    memory::Offsets,
};
use crate::{
    ir::{Place, Ty},
    jit::{
        mir::{Address, Dst, From, GSrc, Kind, Src, Vector},
        x64::{Isa, Len, Size, VOp},
    },
};
use regalloc2::VReg;

/// The slots of the area for the offsets of lanes and for what is there.
const OFFSETS: i32 = 0;
const WORDS: i32 = 1;

impl Lower<'_> {
    /// 16 bits of memory in a general register.
    pub(super) fn load_short(&mut self, from: Address) -> VReg {
        self.general(Kind::LoadShort(from), None, GSrc::Mem(from))
    }

    /// The low 16 bits of a general register to memory.
    pub(super) fn store_short(&mut self, value: VReg, to: Address) {
        self.store_as(Kind::StoreShort(to), value, &to);
    }

    /// Loads what differs from lane to lane.
    pub(super) fn load_shorts(&mut self, ty: Ty, place: &Place, reach: Reach) -> Vec<VReg> {
        match reach {
            Reach::Strided { lane, part, row } if self.test_all(place) => {
                let addresses = self.part_addresses(place, part, row);
                addresses.into_iter().map(|at| self.load_strided_shorts(ty, at, lane as i32)).collect()
            }
            _ => {
                let o = self.byte_offsets(place);
                (0..self.parts).map(|p| self.load_live_shorts(&o, p)).collect()
            }
        }
    }

    /// Lanes a constant distance apart.
    fn load_strided_shorts(&mut self, ty: Ty, at: Address, distance: i32) -> VReg {
        match (distance, ty) {
            (2, Ty::F16) => {
                let packed = self.float();
                self.half_vector(VOp::Movdqu, Dst::Def(packed), at);
                return self.widen_shorts(packed);
            }
            (2, _) => return self.v2(VOp::Movzxwd, Src::Mem(at)),
            _ => {}
        }
        let words = self.slot(WORDS, 0);
        for lane in 0..self.lane_count() as i32 {
            let word = self.load_short(at.plus(lane * distance));
            self.store_gpr(Size::D, word, words.plus(4 * lane));
        }
        self.take_slot(WORDS, 1)[0]
    }

    /// The live lanes of a part; the others are zero.
    fn load_live_shorts(&mut self, o: &Offsets, part: usize) -> VReg {
        self.put_slot(OFFSETS, &[o.offsets[part]]);
        let zero = self.zero();
        self.put_slot(WORDS, &[zero]);
        let live = self.mask_bits(o.masks[part]);
        let code = |l: &mut Self, lane: VReg, _: &[VReg]| {
            let from = l.lane_slot(OFFSETS, Size::D, lane);
            let offset = l.load(Size::D, from);
            let at = Address { base: From::Reg(o.base), index: Some((offset, 1, false)), disp: 0 };
            let word = l.load_short(at);
            let to = l.lane_slot(WORDS, Size::D, lane);
            l.store_gpr(Size::D, word, to);
            Vec::new()
        };
        self.each_lane(live, |_, _| Vec::new(), code, |_, _| {});
        self.take_slot(WORDS, 1)[0]
    }

    /// Stores vectors side by side, all lanes of them.
    pub(super) fn store_shorts(&mut self, place: &Place, part: i64, row: Rows, r: &[VReg]) {
        let addresses = self.part_addresses(place, part, row);
        for (at, r) in addresses.into_iter().zip(r) {
            let packed = self.pack_shorts(*r);
            self.half_vector(VOp::MovdquSt, Dst::Use(packed), at);
        }
    }

    /// A move of half a vector.
    fn half_vector(&mut self, op: VOp, dst: Dst, at: Address) {
        let len = if self.isa == Isa::Avx512 { Len::L256 } else { Len::L128 };
        self.vector(Vector { op, len, dst, tied: None, a: None, b: Src::Mem(at), imm: None, mask: None });
    }

    /// The 16-bit values of half a vector, one a lane.
    pub(super) fn widen_shorts(&mut self, packed: VReg) -> VReg {
        let wide = self.v2(VOp::Movzxwd, Src::Reg(packed));
        self.made.packed.push((wide, packed));
        wide
    }

    /// The low 16 bits of each lane, side by side in the lower half; all bits above are zero.
    pub(super) fn pack_shorts(&mut self, r: VReg) -> VReg {
        if let Some((_, packed)) = self.made.packed.iter().rfind(|(wide, _)| *wide == r) {
            return *packed;
        }
        if self.isa == Isa::Avx512 {
            return self.narrowing(VOp::Movdw, r, None);
        }
        // Each half of 128 bits is packed by itself: the first and the third quarter are wanted.
        let packed = self.v3r(VOp::Packusdw, r, r);
        self.v2i(VOp::Permq, Src::Reg(packed), 0b10_00)
    }
}
