//! Shifts and operations on the bits of integers.

use super::Lower;
use crate::{
    ir::{BinaryOp, Ty, UnaryOp, Value},
    jit::{
        mir::Src,
        x64::{Isa, VOp},
    },
};
use regalloc2::VReg;

impl Lower<'_> {
    pub(super) fn vector_shift(&mut self, op: BinaryOp, ty: Ty, a: Value, b: Value) -> Vec<VReg> {
        let wide = ty.bytes() == 8;
        let arithmetic = op == BinaryOp::Shr && ty.is_signed();
        if arithmetic && wide && self.isa == Isa::Avx2 {
            return self.binary_by_helper(op, ty, a, b);
        }
        let (fixed, variable) = match (op, arithmetic, wide) {
            (BinaryOp::Shl, _, false) => (VOp::Slldi, VOp::Sllvd),
            (BinaryOp::Shl, _, true) => (VOp::Sllqi, VOp::Sllvq),
            (_, false, false) => (VOp::Srldi, VOp::Srlvd),
            (_, false, true) => (VOp::Srlqi, VOp::Srlvq),
            (_, true, false) => (VOp::Sradi, VOp::Sravd),
            (_, true, true) => (VOp::Sraqi, VOp::Sravq),
        };
        let bits = ty.bytes() * 8;
        if let Some(k) = self.constant(b) {
            let by = (k as u32 % bits) as u8;
            return self.vectors(a).into_iter().map(|r| self.v2i(fixed, Src::Reg(r), by)).collect();
        }
        let amounts = if wide { self.convert(Ty::U32, Ty::U64, b) } else { self.vectors(b) };
        // The machine gives zero for amounts from the width on.
        let small = self.bounded(b).is_some_and(|most| most < bits);
        let width = self.const_src(ty.bytes(), u64::from(bits - 1));
        let and = if wide { VOp::Andq } else { VOp::And };
        let a = self.vectors(a);
        let each = |l: &mut Self, (a, by): (&VReg, &VReg)| {
            let by = if small { *by } else { l.v3(and, *by, width) };
            l.v3r(variable, *a, by)
        };
        a.iter().zip(&amounts).map(|pair| each(self, pair)).collect()
    }

    /// Counting, finding and reversing bits.
    pub(super) fn bit_operation(&mut self, op: UnaryOp, ty: Ty, a: Value) -> Vec<VReg> {
        let counts = matches!(
            op,
            UnaryOp::CountLeadingZeros
                | UnaryOp::CountTrailingZeros
                | UnaryOp::FirstLeadingBit
                | UnaryOp::FirstTrailingBit
        );
        match op {
            _ if counts && self.isa == Isa::Avx512 => {
                self.vectors(a).into_iter().map(|r| self.leading_zeros(op, ty, r)).collect()
            }
            UnaryOp::CountOneBits if ty.bytes() == 4 => {
                self.vectors(a).into_iter().map(|r| self.count_ones(r)).collect()
            }
            UnaryOp::ReverseBits if ty.bytes() == 4 => {
                self.vectors(a).into_iter().map(|r| self.reverse_bits(r)).collect()
            }
            op => self.unary_by_helper(op, ty, a),
        }
    }

    fn leading_zeros(&mut self, op: UnaryOp, ty: Ty, a: VReg) -> VReg {
        let wide = ty.bytes() == 8;
        let pick = |narrow, w| if wide { w } else { narrow };
        let (sub, and, andn) = (pick(VOp::Subd, VOp::Subq), pick(VOp::And, VOp::Andq), pick(VOp::Andn, VOp::Andnq));
        let count = pick(VOp::Lzcntd, VOp::Lzcntq);
        let bits = u64::from(ty.bytes() * 8);
        // What is left of `a` has its highest bit where the answer is.
        let (x, from) = match op {
            UnaryOp::CountLeadingZeros => return self.v2(count, Src::Reg(a)),
            UnaryOp::FirstLeadingBit if ty.is_signed() => {
                let sign = self.v2i(pick(VOp::Sradi, VOp::Sraqi), Src::Reg(a), bits as u8 - 1);
                (self.v3r(pick(VOp::Xor, VOp::Xorq), a, sign), bits - 1)
            }
            UnaryOp::FirstLeadingBit => (a, bits - 1),
            UnaryOp::FirstTrailingBit => {
                let zero = self.zero();
                let minus = self.v3r(sub, zero, a);
                (self.v3r(and, a, minus), bits - 1)
            }
            _ => {
                let one = self.const_src(ty.bytes(), 1);
                let less = self.v3(sub, a, one);
                (self.v3r(andn, a, less), bits)
            }
        };
        let zeros = self.v2(count, Src::Reg(x));
        let from = self.const_src(ty.bytes(), from);
        let from = match (from, wide) {
            (Src::Splat(at), true) => self.v2(VOp::Broadcastsd, Src::Mem(at)),
            (src, _) => self.in_register(src),
        };
        self.v3r(sub, from, zeros)
    }

    /// `x >> shift & mask`.
    fn field(&mut self, x: VReg, shift: u8, mask: u64) -> VReg {
        let shifted = if shift == 0 { x } else { self.v2i(VOp::Srldi, Src::Reg(x), shift) };
        let mask = self.const_src(4, mask);
        self.v3(VOp::And, shifted, mask)
    }

    /// Sums of neighbouring fields of 1, 2 and 4 bits, then of bytes.
    fn count_ones(&mut self, a: VReg) -> VReg {
        let odd = self.field(a, 1, 0x5555_5555);
        let pairs = self.v3r(VOp::Subd, a, odd);
        let (low, high) = (self.field(pairs, 0, 0x3333_3333), self.field(pairs, 2, 0x3333_3333));
        let nibbles = self.v3r(VOp::Addd, low, high);
        let high = self.v2i(VOp::Srldi, Src::Reg(nibbles), 4);
        let bytes = self.v3r(VOp::Addd, nibbles, high);
        let bytes = self.field(bytes, 0, 0x0f0f_0f0f);
        let ones = self.const_src(4, 0x0101_0101);
        let sum = self.v3(VOp::Mulld, bytes, ones);
        self.v2i(VOp::Srldi, Src::Reg(sum), 24)
    }

    /// Exchanges neighbouring fields of 1, 2, 4, 8 and 16 bits.
    fn reverse_bits(&mut self, mut a: VReg) -> VReg {
        for (shift, mask) in [(1, 0x5555_5555), (2, 0x3333_3333), (4, 0x0f0f_0f0f), (8, 0x00ff_00ff), (16, 0xffff)] {
            let (high, low) = (self.field(a, shift, mask), self.field(a, 0, mask));
            let low = self.v2i(VOp::Slldi, Src::Reg(low), shift);
            a = self.v3r(VOp::Or, high, low);
        }
        a
    }
}
