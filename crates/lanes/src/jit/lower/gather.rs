//! Loads at addresses that differ from lane to lane.

use super::{Lower, memory::Offsets};
use crate::{
    ir::{Place, Step, Ty, Value},
    jit::{
        mir::{Address, From, Kind, Src},
        x64::{Isa, Size, VOp},
    },
};
use regalloc2::{Operand, VReg};
use std::ops::Range;

impl Lower<'_> {
    /// One gather of a vector (half of a part for 64-bit elements); masked-off lanes are zero.
    pub(super) fn gather_one(&mut self, wide: bool, at: Address, offsets: VReg, scale: u8, mask: VReg) -> VReg {
        let base = match at.index {
            None => at,
            Some(_) => Address::at(From::Reg(self.lea(Size::Q, at)), 0),
        };
        let mem = Address { index: Some((offsets, scale, true)), ..base };
        let old = self.zero();
        let (d, left) = (self.float(), self.f.reg(self.mask_class()));
        let mut operands = vec![
            Operand::reg_reuse_def(d, 2),
            Operand::reg_reuse_def(left, 3),
            Operand::reg_use(old),
            Operand::reg_use(mask),
        ];
        if let From::Reg(base) = mem.base {
            operands.push(Operand::reg_use(base));
        }
        operands.push(Operand::reg_use(offsets));
        let op = if wide { VOp::Gatherdpd } else { VOp::Gatherdps };
        let len = self.len();
        self.push(Kind::Gather { op, len, mem }, operands);
        d
    }

    /// The one index of a place that changes from lane to lane, where its stride is a scale of addresses.
    fn scaled_index(&self, place: &Place) -> Option<(Value, u8)> {
        match place.steps.as_slice() {
            [Step { index, stride: stride @ (1 | 2 | 4 | 8), .. }] => Some((*index, *stride as u8)),
            _ => None,
        }
    }

    /// The address of element 0 of a place, if all its indices differ from lane to lane. What is bound holds at least
    /// one element of its array, so it can be read whatever the indices are.
    fn readable_origin(&mut self, place: &Place) -> Option<Address> {
        let is_common = |s: &Step| self.class(s.index).is_uniform();
        let is_there = self.isa == Isa::Avx2 && !place.steps.iter().any(is_common);
        is_there.then(|| self.origin(place))
    }

    /// Gathers words by a load a lane: a machine without AVX-512 takes several times as long for a gather. Lanes that
    /// are masked off read the word at the address, which must be readable, and are zero.
    pub(super) fn gather_words(&mut self, at: Address, offsets: VReg, scale: u8, mask: VReg) -> VReg {
        let base = match at.index {
            None => at,
            Some(_) => Address::at(From::Reg(self.lea(Size::Q, at)), 0),
        };
        let offsets = self.v3r(VOp::And, offsets, mask);
        self.put_slot(0, &[offsets]);
        let slot = self.slot(0, 0);
        let address = |l: &mut Self, lane: i32| {
            let offset = l.load(Size::D, slot.plus(4 * lane));
            Address { index: Some((offset, scale, false)), ..base }
        };
        let words = self.words_at(0..self.lane_count() as i32, &address);
        self.v3r(VOp::And, words, mask)
    }

    /// The words at the addresses of some lanes, in these lanes.
    pub(super) fn words_at(&mut self, lanes: Range<i32>, address: &dyn Fn(&mut Self, i32) -> Address) -> VReg {
        if lanes.len() == 1 {
            let at = address(self, lanes.start);
            return self.v2(VOp::Broadcastss, Src::Mem(at));
        }
        let middle = (lanes.start + lanes.end) / 2;
        let low = self.words_at(lanes.start..middle, address);
        let high = self.words_at(middle..lanes.end, address);
        let from_high = (middle..lanes.end).fold(0, |bits, lane| bits | 1 << lane);
        self.v3i(VOp::Blendps, low, Src::Reg(high), from_high)
    }

    /// Gathers values at distances from a place.
    pub(super) fn gather(&mut self, ty: Ty, place: &Place, from: &[i32]) -> Vec<Vec<VReg>> {
        let wide = ty.bytes() == 8;
        let readable = if wide { None } else { self.readable_origin(place) };
        let (at, offsets, masks, scale) = match self.scaled_index(place) {
            Some((index, scale)) => {
                let masks = self.inside_masks(place);
                (self.origin(place), self.vectors(index), masks, scale)
            }
            None => {
                let o = self.byte_offsets(place);
                (Address::at(From::Reg(o.base), 0), o.offsets, o.masks, 1)
            }
        };
        let mut result = vec![Vec::new(); from.len()];
        for (offsets, mask) in offsets.into_iter().zip(masks) {
            if let Some(at) = readable {
                for (r, from) in result.iter_mut().zip(from) {
                    r.push(self.gather_words(at.plus(*from), offsets, scale, mask));
                }
                continue;
            }
            let halves = match wide {
                true => {
                    let [low, high] = self.split_mask(mask);
                    vec![(offsets, low), (self.upper(offsets), high)]
                }
                false => vec![(offsets, mask)],
            };
            for (offsets, mask) in halves {
                for (r, from) in result.iter_mut().zip(from) {
                    r.push(self.gather_one(wide, at.plus(*from), offsets, scale, mask));
                }
            }
        }
        result
    }

    /// Byte offsets of all lanes.
    pub(super) fn byte_offsets(&mut self, place: &Place) -> Offsets {
        let masks = self.inside_masks(place);
        let mut at = self.origin(place);
        let mut offsets: Option<Vec<VReg>> = None;
        for step in &place.steps {
            if self.class(step.index).is_uniform() {
                // Out of bounds, no lane is live.
                let index = self.gpr(step.index);
                at = self.add_index(at, index, step.stride.into());
                continue;
            }
            let index = self.vectors(step.index);
            let bytes = self.times(&index, step.stride);
            offsets = Some(match offsets {
                None => bytes,
                Some(sum) => sum.iter().zip(bytes).map(|(a, b)| self.v3r(VOp::Addd, *a, b)).collect(),
            });
        }
        let base = self.lea(Size::Q, at);
        let offsets = offsets.unwrap_or_else(|| vec![self.zero(); self.parts]);
        Offsets { base, offsets, masks }
    }

    pub(super) fn times(&mut self, index: &[VReg], stride: u32) -> Vec<VReg> {
        if stride.is_power_of_two() {
            let by = stride.trailing_zeros() as u8;
            return index.iter().map(|r| self.v2i(VOp::Slldi, Src::Reg(*r), by)).collect();
        }
        let stride = self.const_src(4, stride.into());
        index.iter().map(|r| self.v3(VOp::Mulld, *r, stride)).collect()
    }
}
