//! Comparisons and operations on Bools.

use super::{Lower, Val, scalar::condition};
use crate::{
    ir::{BinaryOp, Op, Ty, UnaryOp, Value},
    jit::{
        class::Class,
        mir::{Address, Dst, From, GSrc, Kind, Src, Vector},
        x64::{AluOp, Cond, Isa, KOp, Size, VOp},
    },
};
use regalloc2::VReg;

/// The predicate of a floating-point comparison: quiet, false for NaN but for `!=`.
fn float_predicate(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Eq => 0x00,
        BinaryOp::Ne => 0x04,
        BinaryOp::Lt => 0x11,
        BinaryOp::Le => 0x12,
        BinaryOp::Ge => 0x1d,
        _ => 0x1e,
    }
}

/// The predicate of an integer comparison into a mask register.
fn integer_predicate(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Eq => 0,
        BinaryOp::Lt => 1,
        BinaryOp::Le => 2,
        BinaryOp::Ne => 4,
        BinaryOp::Ge => 5,
        _ => 6,
    }
}

/// The comparison with its sides exchanged.
pub(super) fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Gt,
        BinaryOp::Le => BinaryOp::Ge,
        BinaryOp::Gt => BinaryOp::Lt,
        BinaryOp::Ge => BinaryOp::Le,
        op => op,
    }
}

/// The comparison that holds where another does not, of integers.
pub(super) fn opposite(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Lt => BinaryOp::Ge,
        BinaryOp::Ge => BinaryOp::Lt,
        BinaryOp::Le => BinaryOp::Gt,
        BinaryOp::Gt => BinaryOp::Le,
        BinaryOp::Eq => BinaryOp::Ne,
        BinaryOp::Ne => BinaryOp::Eq,
        op => op,
    }
}

impl Lower<'_> {
    /// A comparison that is made for the whole block: where its lanes disagree, the block is left.
    pub(super) fn compare_block(&mut self, dst: Value, op: BinaryOp, a: Value, b: Value) {
        let gains = |c: Class| match c {
            Class::Affine { lane, part, row } => [lane, part, row],
            Class::Stepped { .. } | Class::Varying => [0; 3],
        };
        let (of_a, of_b) = (gains(self.class(a)), gains(self.class(b)));
        if [of_a, of_b] == [[0; 3]; 2] {
            // Other values turned out uniform, too.
            self.scalar(dst, &crate::ir::Op::Binary(op, a, b));
            return;
        }
        if self.compare_guard(dst, op, a, b) {
            return;
        }
        let last = |gain: [i32; 3], l: &Self| {
            let shape = l.shape();
            let [low, high] = gain
                .iter()
                .zip([shape.lanes, shape.columns(), shape.rows()].map(|n| n as i32 - 1))
                .fold([0, 0], |[low, high], (g, n)| [low + (g * n).min(0), high + (g * n).max(0)]);
            [low, high]
        };
        let signed = self.ty(a).is_signed();
        // One side is moved to the other: only one then changes over the block, if it cannot wrap.
        let (x, y) = (self.gpr(a), self.gpr(b));
        match op {
            BinaryOp::Eq | BinaryOp::Ne => {
                // a - b changes by the difference of the gains; it is 0 somewhere or nowhere.
                let [low, high] = last(std::array::from_fn(|i| of_a[i] - of_b[i]), self);
                let subtrahend = self.general_source(b);
                let difference = self.alu(AluOp::Sub, Size::D, x, subtrahend);
                let shifted = self.lea(Size::D, Address::at(From::Reg(difference), high));
                self.bail_if(Cond::Be, shifted, GSrc::Imm(high - low));
                let val = Val::Imm(u64::from(op == BinaryOp::Ne));
                self.define(dst, val);
            }
            _ => {
                let ends = |this: &mut Self, base: VReg, gain: [i32; 3]| {
                    let [low, high] = last(gain, this);
                    let at = |this: &mut Self, d: i32| match d {
                        0 => base,
                        d => this.lea(Size::D, Address::at(From::Reg(base), d)),
                    };
                    let (first, last) = (at(this, low), at(this, high));
                    if low != high {
                        // It wraps inside the block.
                        let wrapped = if signed { Cond::G } else { Cond::A };
                        this.bail_if(wrapped, first, GSrc::Reg(last));
                    }
                    [first, last]
                };
                let [a0, a1] = ends(self, x, of_a);
                let [b0, b1] = ends(self, y, of_b);
                let Some(cond) = condition(op, signed) else { return };
                // The two extreme pairs agree, so all do.
                let one = self.set_if(cond, Size::D, a0, GSrc::Reg(b1));
                let two = self.set_if(cond, Size::D, a1, GSrc::Reg(b0));
                self.bail_if(Cond::Ne, one, GSrc::Reg(two));
                self.define(dst, Val::Gpr(one));
            }
        }
    }

    /// The comparison of a guard, `a < b` for a uniform `b` in some form, is one test of the last lane: where it fails,
    /// the first lane tells whether the block has nothing to do at all.
    fn compare_guard(&mut self, dst: Value, op: BinaryOp, a: Value, b: Value) -> bool {
        let (Some(expected), Some((idle, next))) = (self.expected[dst.index()], self.idle) else { return false };
        let (op, a, b) = if self.class(b).is_uniform() { (op, a, b) } else { (mirrored(op), b, a) };
        let Class::Affine { lane, part, row: 0 } = self.class(a) else { return false };
        // What holds where lanes go on, and what where they do not.
        let (fails, holds) = match (op, expected) {
            (BinaryOp::Lt, true) | (BinaryOp::Ge, false) => (Cond::Ae, true),
            (BinaryOp::Le, true) | (BinaryOp::Gt, false) => (Cond::A, false),
            _ => return false,
        };
        let Some(bail) = self.bail.filter(|_| self.ty(a) == Ty::U32 && lane >= 0 && part >= 0) else { return false };
        let shape = *self.shape();
        let span = lane * (shape.lanes as i32 - 1) + part * (shape.columns() as i32 - 1);
        let (first, limit) = (self.gpr(a), self.gpr(b));
        // In 64 bits: a sum that wraps is above all limits.
        let last = self.reach_of(first, span);
        let (failed, on) = (self.f.block(), self.f.block());
        self.f.nodes[failed.index()].cold = true;
        self.branch_to(fails, Size::Q, last, GSrc::Reg(limit), failed, on);
        self.at = failed;
        let wrapped = self.lea(Size::D, Address::at(From::Reg(first), span));
        self.leave_if(Cond::A, Size::D, first, GSrc::Reg(wrapped), bail);
        let (nothing, some) = (self.f.block(), self.f.block());
        self.branch_to(fails, Size::D, first, GSrc::Reg(limit), nothing, some);
        for block in [nothing, some] {
            self.f.nodes[block.index()].cold = true;
        }
        self.at = nothing;
        self.jump(idle, vec![next]);
        self.at = some;
        self.jump(bail, Vec::new());
        self.at = on;
        if let (true, Some(Op::ArrayLength(i))) = (holds, self.def(b)) {
            self.note_tested(a, *i);
        }
        self.define(dst, Val::Imm(expected.into()));
        true
    }

    /// Leaves the block of lanes, to be run again masked.
    pub(super) fn bail_if(&mut self, cond: Cond, a: VReg, b: GSrc) {
        match self.bail {
            Some(to) => self.leave_if(cond, Size::D, a, b, to),
            None => self.refuse("a block test outside of a block"),
        }
    }

    /// A comparison of two numbers.
    pub(super) fn compare(&mut self, op: BinaryOp, a: Value, b: Value) -> Vec<VReg> {
        let ty = self.ty(a);
        // Constants last, where an instruction reads them from memory.
        let turn = self.constant(a).is_some() && self.constant(b).is_none() && !ty.is_float();
        let (op, a, b) = if turn { (mirrored(op), b, a) } else { (op, a, b) };
        let (a, b) = (self.vectors(a), self.sources(b));
        self.compare_vectors(op, ty, &a, &b)
    }

    /// A comparison of vectors of a type, one mask a part.
    pub(super) fn compare_vectors(&mut self, op: BinaryOp, ty: Ty, a: &[VReg], b: &[Src]) -> Vec<VReg> {
        let each: Vec<VReg> = a.iter().zip(b).map(|(a, b)| self.compare_one(op, ty, *a, *b)).collect();
        if ty.bytes() == 4 {
            return each;
        }
        each.chunks(2).map(|half| self.join_masks(half[0], half[1])).collect()
    }

    /// The masks of the two halves of a part, as one.
    pub(super) fn join_masks(&mut self, low: VReg, high: VReg) -> VReg {
        if self.isa == Isa::Avx512 {
            return self.mask_op(KOp::Unpckbw, high, low);
        }
        let mixed = self.v3i(VOp::Shufps, low, Src::Reg(high), 0x88);
        self.v2i(VOp::Permq, Src::Reg(mixed), 0xd8)
    }

    /// A part's mask for its two halves of 64-bit elements.
    pub(super) fn split_mask(&mut self, mask: VReg) -> [VReg; 2] {
        if self.isa == Isa::Avx512 {
            return [mask, self.mask_unary(Kind::MaskShiftRight(8), Some(mask))];
        }
        let low = self.v2(VOp::Movsxdq, Src::Reg(mask));
        let upper = self.upper(mask);
        [low, self.v2(VOp::Movsxdq, Src::Reg(upper))]
    }

    fn compare_one(&mut self, op: BinaryOp, ty: Ty, a: VReg, b: Src) -> VReg {
        let wide = ty.bytes() == 8;
        if ty.is_float() {
            let vop = if wide { VOp::Cmppd } else { VOp::Cmpps };
            return match self.isa {
                Isa::Avx512 => self.compare_k(vop, a, b, Some(float_predicate(op))),
                Isa::Avx2 => self.v3i(vop, a, b, float_predicate(op)),
            };
        }
        if self.isa == Isa::Avx512 {
            let vop = match (wide, ty.is_signed()) {
                (false, true) => VOp::Cmpd,
                (false, false) => VOp::Cmpud,
                (true, true) => VOp::Cmpq,
                (true, false) => VOp::Cmpuq,
            };
            return self.compare_k(vop, a, b, Some(integer_predicate(op)));
        }
        self.compare_avx2(op, ty, a, b)
    }

    /// An AVX-512 comparison of 32-bit elements in the lanes of a mask.
    pub(super) fn compare_under(&mut self, op: BinaryOp, ty: Ty, a: VReg, b: Src, live: VReg) -> VReg {
        let (vop, predicate) = match ty {
            Ty::F32 => (VOp::Cmpps, float_predicate(op)),
            ty if ty.is_signed() => (VOp::Cmpd, integer_predicate(op)),
            _ => (VOp::Cmpud, integer_predicate(op)),
        };
        let d = self.f.reg(regalloc2::RegClass::Vector);
        let len = self.len();
        self.vector(Vector {
            op: vop,
            len,
            dst: Dst::Def(d),
            tied: None,
            a: Some(a),
            b,
            imm: Some(predicate),
            mask: Some((live, false)),
        });
        d
    }

    fn compare_avx2(&mut self, op: BinaryOp, ty: Ty, a: VReg, b: Src) -> VReg {
        let wide = ty.bytes() == 8;
        let (equal, greater) = if wide { (VOp::Cmpeqq, VOp::Cmpgtq) } else { (VOp::Cmpeqd, VOp::Cmpgtd) };
        match op {
            BinaryOp::Eq => self.v3(equal, a, b),
            BinaryOp::Ne => {
                let same = self.v3(equal, a, b);
                self.mask_invert(same)
            }
            BinaryOp::Gt if ty.is_signed() => self.v3(greater, a, b),
            BinaryOp::Le if ty.is_signed() => {
                let more = self.v3(greater, a, b);
                self.mask_invert(more)
            }
            _ => {
                let b = self.in_register(b);
                let (a, b) = if ty.is_signed() {
                    (a, b)
                } else if wide {
                    let sign = self.const_src(8, 1 << 63);
                    (self.v3(VOp::Xor, a, sign), self.v3(VOp::Xor, b, sign))
                } else {
                    (self.flip(a), self.flip(b))
                };
                match op {
                    BinaryOp::Gt => self.v3r(greater, a, b),
                    BinaryOp::Lt => self.v3r(greater, b, a),
                    BinaryOp::Le => {
                        let more = self.v3r(greater, a, b);
                        self.mask_invert(more)
                    }
                    _ => {
                        let less = self.v3r(greater, b, a);
                        self.mask_invert(less)
                    }
                }
            }
        }
    }

    /// A vector of words with their highest bits inverted: compared as signed, they are in the order of unsigned ones.
    pub(super) fn flip(&mut self, a: VReg) -> VReg {
        if let Some((_, flipped)) = self.made.flips.iter().find(|(known, _)| *known == a) {
            return *flipped;
        }
        let sign = self.const_src(4, 1 << 31);
        let flipped = self.v3(VOp::Xor, a, sign);
        self.made.flips.push((a, flipped));
        flipped
    }

    /// A source as a register.
    pub(super) fn in_register(&mut self, src: Src) -> VReg {
        match src {
            Src::Reg(r) => r,
            Src::Mem(_) => self.v2(VOp::Movups, src),
            Src::Splat(at) => self.v2(VOp::Broadcastss, Src::Mem(at)),
        }
    }

    pub(super) fn mask_invert(&mut self, m: VReg) -> VReg {
        match self.isa {
            Isa::Avx512 => self.mask_unary(Kind::MaskNot, Some(m)),
            Isa::Avx2 => {
                let ones = self.const_src(4, 0xffff_ffff);
                self.v3(VOp::Xor, m, ones)
            }
        }
    }

    pub(super) fn mask_and(&mut self, a: VReg, b: VReg) -> VReg {
        match self.isa {
            Isa::Avx512 => self.mask_op(KOp::And, a, b),
            Isa::Avx2 => self.v3r(VOp::And, a, b),
        }
    }

    /// `!a & b`.
    pub(super) fn mask_and_not(&mut self, a: VReg, b: VReg) -> VReg {
        match self.isa {
            Isa::Avx512 => self.mask_op(KOp::Andn, a, b),
            Isa::Avx2 => self.v3r(VOp::Andn, a, b),
        }
    }

    pub(super) fn mask_or(&mut self, a: VReg, b: VReg) -> VReg {
        match self.isa {
            Isa::Avx512 => self.mask_op(KOp::Or, a, b),
            Isa::Avx2 => self.v3r(VOp::Or, a, b),
        }
    }

    fn mask_xor(&mut self, a: VReg, b: VReg) -> VReg {
        match self.isa {
            Isa::Avx512 => self.mask_op(KOp::Xor, a, b),
            Isa::Avx2 => self.v3r(VOp::Xor, a, b),
        }
    }

    /// An operation on Bools.
    pub(super) fn logic(&mut self, op: BinaryOp, a: Value, b: Value) -> Vec<VReg> {
        let (a, b) = (self.masks(a), self.masks(b));
        let each = |l: &mut Self, (a, b): (&VReg, &VReg)| match op {
            BinaryOp::And => l.mask_and(*a, *b),
            BinaryOp::Or => l.mask_or(*a, *b),
            BinaryOp::Xor | BinaryOp::Ne => l.mask_xor(*a, *b),
            BinaryOp::Eq => {
                let differ = l.mask_xor(*a, *b);
                l.mask_invert(differ)
            }
            // false < true.
            BinaryOp::Lt => l.mask_and_not(*a, *b),
            BinaryOp::Gt => l.mask_and_not(*b, *a),
            BinaryOp::Le => {
                let more = l.mask_and_not(*b, *a);
                l.mask_invert(more)
            }
            _ => {
                let less = l.mask_and_not(*a, *b);
                l.mask_invert(less)
            }
        };
        a.iter().zip(&b).map(|pair| each(self, pair)).collect()
    }

    pub(super) fn logic_not(&mut self, op: UnaryOp, a: Value) -> Vec<VReg> {
        debug_assert_eq!(op, UnaryOp::Not);
        self.masks(a).into_iter().map(|m| self.mask_invert(m)).collect()
    }

    /// `mask ? accept : reject` for vectors of a type (or masks, for Bools).
    pub(super) fn blend(&mut self, ty: Ty, mask: &[VReg], accept: &[VReg], reject: &[VReg]) -> Vec<VReg> {
        if ty == Ty::Bool {
            let each = |l: &mut Self, m: VReg, yes: VReg, no: VReg| {
                let (yes, no) = (l.mask_and(m, yes), l.mask_and_not(m, no));
                l.mask_or(yes, no)
            };
            return (0..mask.len()).map(|i| each(self, mask[i], accept[i], reject[i])).collect();
        }
        if ty.bytes() == 4 {
            return (0..mask.len()).map(|i| self.blend_one(false, mask[i], accept[i], reject[i])).collect();
        }
        let mut result = Vec::with_capacity(accept.len());
        for (i, m) in mask.iter().enumerate() {
            let halves = self.split_mask(*m);
            for (h, m) in halves.into_iter().enumerate() {
                result.push(self.blend_one(true, m, accept[2 * i + h], reject[2 * i + h]));
            }
        }
        result
    }

    /// `mask ? yes : no` for one vector.
    pub(super) fn blend_one(&mut self, wide: bool, mask: VReg, yes: VReg, no: VReg) -> VReg {
        if yes == no {
            return yes;
        }
        match self.isa {
            Isa::Avx2 => self.blend_v(wide, no, yes, mask),
            // A move over the old value needs no third register.
            Isa::Avx512 => {
                let op = if wide { VOp::Movupd } else { VOp::Movups };
                self.v2_masked(op, Src::Reg(yes), mask, Some(no))
            }
        }
    }
}
