//! Arithmetic on vectors.

use super::{Lower, Val};
use crate::{
    ir::{BinaryOp, Builtin, Op, Ty, UnaryOp, Value, fold},
    jit::{
        context as cx,
        mir::{Address, From, GSrc, Src},
        shape::Local,
        x64::{AluOp, Isa, Size, VOp},
    },
};
use regalloc2::VReg;

/// The machine's instruction for an operation, where there is one.
fn simple(op: BinaryOp, ty: Ty, isa: Isa) -> Option<VOp> {
    use BinaryOp::*;
    let e = isa == Isa::Avx512;
    Some(match (op, ty) {
        (Add, Ty::F32) => VOp::Addps,
        (Add, Ty::F64) => VOp::Addpd,
        (Sub, Ty::F32) => VOp::Subps,
        (Sub, Ty::F64) => VOp::Subpd,
        (Mul, Ty::F32) => VOp::Mulps,
        (Mul, Ty::F64) => VOp::Mulpd,
        (Div, Ty::F32) => VOp::Divps,
        (Div, Ty::F64) => VOp::Divpd,
        (Add, Ty::I32 | Ty::U32) => VOp::Addd,
        (Add, Ty::I64 | Ty::U64) => VOp::Addq,
        (Sub, Ty::I32 | Ty::U32) => VOp::Subd,
        (Sub, Ty::I64 | Ty::U64) => VOp::Subq,
        (Mul, Ty::I32 | Ty::U32) => VOp::Mulld,
        (Mul, Ty::I64 | Ty::U64) if e => VOp::Mullq,
        (Min, Ty::I32) => VOp::Minsd,
        (Min, Ty::U32) => VOp::Minud,
        (Max, Ty::I32) => VOp::Maxsd,
        (Max, Ty::U32) => VOp::Maxud,
        (Min, Ty::I64) if e => VOp::Minsq,
        (Min, Ty::U64) if e => VOp::Minuq,
        (Max, Ty::I64) if e => VOp::Maxsq,
        (Max, Ty::U64) if e => VOp::Maxuq,
        (And, Ty::I32 | Ty::U32) => VOp::And,
        (Or, Ty::I32 | Ty::U32) => VOp::Or,
        (Xor, Ty::I32 | Ty::U32) => VOp::Xor,
        (And, Ty::I64 | Ty::U64) => VOp::Andq,
        (Or, Ty::I64 | Ty::U64) => VOp::Orq,
        (Xor, Ty::I64 | Ty::U64) => VOp::Xorq,
        _ => return None,
    })
}

/// Whether operands may be exchanged to put a constant last.
fn commutes(op: BinaryOp) -> bool {
    use BinaryOp::*;
    matches!(op, Add | Mul | And | Or | Xor)
}

impl Lower<'_> {
    /// Defines the result of a pure operation.
    pub(super) fn op(&mut self, dst: Value, op: &Op) {
        match op {
            Op::Const(bits) => return self.define(dst, Val::Imm(*bits)),
            Op::Builtin(b) => return self.builtin(dst, *b),
            Op::ArrayLength(i) => return self.array_length(dst, *i),
            Op::Load(place) => return self.load_place(dst, place),
            Op::Select { accept, reject, .. } if accept == reject => {
                let r = self.in_form(*accept, dst);
                return self.define_form(dst, r);
            }
            Op::Binary(o, a, b) if self.classes().is_checked(dst) => return self.compare_block(dst, *o, *a, *b),
            _ => {}
        }
        if let Some(bits) = self.folded(dst, op) {
            return self.define(dst, Val::Imm(bits));
        }
        if !self.scalar(dst, op) {
            self.narrowed(dst, |l| l.vector_op(dst, op));
        }
    }

    /// The result where all operands are constants: loops written out make such.
    fn folded(&self, dst: Value, op: &Op) -> Option<u64> {
        let k = |v: &Value| self.constant(*v);
        match op {
            Op::Unary(o, a) => fold::unary(*o, self.ty(*a), k(a)?),
            Op::Binary(o, a, b) => fold::binary(*o, self.ty(*a), k(a)?, k(b)?),
            Op::Convert(a) => fold::convert(self.ty(*a), self.ty(dst), k(a)?),
            Op::Bitcast(a) => k(a),
            Op::Select { cond, accept, reject } => {
                let (cond, yes, no) = (k(cond)?, k(accept)?, k(reject)?);
                Some(if cond != 0 { yes } else { no })
            }
            _ => None,
        }
    }

    fn vector_op(&mut self, dst: Value, op: &Op) {
        let ty = self.ty(dst);
        let result = match op {
            Op::Unary(o, a) if ty == Ty::Bool => {
                let r = self.logic_not(*o, *a);
                return self.define_masks(dst, r);
            }
            Op::Unary(o, a) => self.unary(*o, ty, *a),
            Op::Binary(o, a, b) if self.ty(*a) == Ty::Bool => {
                let r = self.logic(*o, *a, *b);
                return self.define_masks(dst, r);
            }
            Op::Binary(o, a, b) if o.is_comparison() => {
                let r = self.compare(*o, *a, *b);
                return self.define_masks(dst, r);
            }
            Op::Binary(o, a, b) => self.binary(*o, *a, *b),
            Op::Fma(a, b, c) => self.fma(ty, *a, *b, *c),
            Op::Select { cond, accept, reject } => {
                let mask = self.masks(*cond);
                if ty == Ty::Bool {
                    let (yes, no) = (self.masks(*accept), self.masks(*reject));
                    let r = self.blend(ty, &mask, &yes, &no);
                    return self.define_masks(dst, r);
                }
                let (yes, no) = (self.vectors(*accept), self.vectors(*reject));
                self.blend(ty, &mask, &yes, &no)
            }
            Op::Convert(a) if ty == Ty::Bool => {
                let r = if self.ty(*a) == Ty::Bool { self.masks(*a) } else { self.is_nonzero(*a) };
                return self.define_masks(dst, r);
            }
            Op::Convert(a) => self.convert(self.ty(*a), ty, *a),
            Op::Bitcast(a) => self.vectors(*a),
            _ => return self.refuse(format!("operation {op:?}")),
        };
        self.define_vectors(dst, result);
    }

    fn builtin(&mut self, dst: Value, builtin: Builtin) {
        let shape = *self.shape();
        match builtin {
            Builtin::NumGroups(a) => {
                let r = self.known(self.fixed.groups[usize::from(a)]);
                self.define(dst, Val::Gpr(r));
            }
            Builtin::GroupId(a) => {
                let r = self.known(self.fixed.first[usize::from(a)]);
                self.define(dst, Val::Gpr(r));
            }
            Builtin::LocalIndex => {
                let start = self.known(self.fixed.start);
                self.define(dst, Val::Base(start));
            }
            Builtin::GlobalId(a) => {
                if shape.batch != crate::analysis::uniformity::BatchShape::Row {
                    return self.id_table(dst, a);
                }
                let first = self.known(self.fixed.first[usize::from(a)]);
                if a > 0 {
                    return self.define(dst, Val::Gpr(first));
                }
                let start = self.known(self.fixed.start);
                let base = self.alu(AluOp::Add, Size::D, first, GSrc::Reg(start));
                self.define(dst, Val::Base(base));
            }
            Builtin::LocalId(a) => match shape.local(a) {
                Local::Zero => self.define(dst, Val::Imm(0)),
                Local::Table => self.id_table(dst, a),
                Local::Affine { divide, modulo, lane, part, row } => {
                    let mut base = self.known(self.fixed.start);
                    base = self.divided(base, divide, true);
                    if let Some(m) = modulo {
                        base = self.divided(base, m, false);
                    }
                    let val = if [lane, part, row] == [0; 3] { Val::Gpr(base) } else { Val::Base(base) };
                    self.define(dst, val);
                }
            },
        }
    }

    /// `base / by` or `base % by`.
    fn divided(&mut self, base: VReg, by: u32, quotient: bool) -> VReg {
        use crate::jit::x64::ShiftOp;
        if by.is_power_of_two() {
            return match quotient {
                true if by == 1 => base,
                true => self.shift(ShiftOp::Shr, Size::D, base, by.trailing_zeros() as u8),
                false => self.alu(AluOp::And, Size::D, base, GSrc::Imm(by as i32 - 1)),
            };
        }
        let divisor = self.imm(by.into());
        let (q, r) = self.divide(false, Size::D, base, divisor);
        if quotient { q } else { r }
    }

    /// Ids of the lanes from a table of the batch.
    fn id_table(&mut self, dst: Value, axis: u8) {
        let table = self.load(Size::Q, Address::at(From::Context, cx::IDS + 8 * i32::from(axis)));
        let start = self.known(self.fixed.start);
        let bytes = self.lane_count() as i32 * 4;
        let at = Address { base: From::Reg(table), index: Some((start, 4, false)), disp: 0 };
        let parts = (0..self.parts as i32).map(|p| self.v2(VOp::Movups, Src::Mem(at.plus(p * bytes)))).collect();
        self.define(dst, Val::Parts(parts));
    }

    fn array_length(&mut self, dst: Value, binding: u32) {
        // Buffers of 2^31 elements and more are run by the interpreter.
        match self.bound[binding as usize] {
            Some(b) => self.define(dst, Val::Gpr(b.len)),
            None => self.refuse("a binding that is not there"),
        }
    }

    /// Applies a one-operand instruction to each vector.
    fn each(&mut self, a: &[VReg], mut f: impl FnMut(&mut Self, VReg) -> VReg) -> Vec<VReg> {
        a.iter().map(|r| f(self, *r)).collect()
    }

    fn unary(&mut self, op: UnaryOp, ty: Ty, a: Value) -> Vec<VReg> {
        let wide = ty.bytes() == 8;
        let pick = |narrow, w| if wide { w } else { narrow };
        let round = |mode: u8| (pick(VOp::Roundps, VOp::Roundpd), mode | 8);
        if ty.is_float() {
            let (op, imm) = match op {
                UnaryOp::Floor => round(1),
                UnaryOp::Ceil => round(2),
                UnaryOp::Round => round(0),
                UnaryOp::Trunc => round(3),
                UnaryOp::Sqrt => {
                    let a = self.sources(a);
                    return a.into_iter().map(|s| self.v2(pick(VOp::Sqrtps, VOp::Sqrtpd), s)).collect();
                }
                UnaryOp::Neg => return self.with_constant(VOp::Xor, ty, a, if wide { 1 << 63 } else { 1 << 31 }),
                UnaryOp::Abs => {
                    let magnitude = if wide { u64::MAX >> 1 } else { 0x7fff_ffff };
                    return self.with_constant(VOp::And, ty, a, magnitude);
                }
                UnaryOp::QuantizeF16 => return self.quantize(a),
                op => {
                    self.refuse(format!("operation {op:?} of {ty:?}"));
                    return self.vectors(a);
                }
            };
            let a = self.vectors(a);
            return self.each(&a, |l, r| l.v2i(op, Src::Reg(r), imm));
        }
        match op {
            UnaryOp::Neg => {
                let a = self.vectors(a);
                let zero = self.zero();
                self.each(&a, |l, r| l.v3r(pick(VOp::Subd, VOp::Subq), zero, r))
            }
            UnaryOp::Not => self.with_constant(VOp::Xor, ty, a, if wide { u64::MAX } else { 0xffff_ffff }),
            UnaryOp::Abs if !ty.is_signed() => self.vectors(a),
            UnaryOp::Abs if !wide || self.isa == Isa::Avx512 => {
                let a = self.vectors(a);
                self.each(&a, |l, r| l.v2(pick(VOp::Absd, VOp::Absq), Src::Reg(r)))
            }
            op => self.bit_operation(op, ty, a),
        }
    }

    /// A bitwise operation with a constant.
    fn with_constant(&mut self, op: VOp, ty: Ty, a: Value, bits: u64) -> Vec<VReg> {
        let op = match (op, ty.bytes()) {
            (VOp::Xor, 8) => VOp::Xorq,
            (VOp::And, 8) => VOp::Andq,
            (op, _) => op,
        };
        let a = self.vectors(a);
        let k = self.const_src(ty.bytes(), bits);
        self.each(&a, |l, r| l.v3(op, r, k))
    }

    fn binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Vec<VReg> {
        let ty = self.ty(a);
        if let Some(vop) = simple(op, ty, self.isa) {
            let (a, b) = if commutes(op) && self.is_in_memory(a) && !self.is_in_memory(b) { (b, a) } else { (a, b) };
            let (a, b) = (self.vectors(a), self.sources(b));
            return a.iter().zip(b).map(|(a, b)| self.v3(vop, *a, b)).collect();
        }
        match op {
            BinaryOp::Shl | BinaryOp::Shr => self.vector_shift(op, ty, a, b),
            BinaryOp::Min | BinaryOp::Max if ty.is_float() => self.float_extreme(op, ty, a, b),
            BinaryOp::Min | BinaryOp::Max => {
                let (x, y) = (self.vectors(a), self.vectors(b));
                let right: Vec<Src> = y.iter().map(|r| Src::Reg(*r)).collect();
                let less = self.compare_vectors(BinaryOp::Lt, ty, &x, &right);
                let (yes, no) = if op == BinaryOp::Min { (&x, &y) } else { (&y, &x) };
                self.blend(ty, &less, yes, no)
            }
            BinaryOp::Rem if ty.is_float() => self.float_remainder(ty, a, b),
            BinaryOp::Div | BinaryOp::Rem if ty.bytes() == 4 => self.integer_division(op, ty, a, b),
            BinaryOp::MulHigh => {
                let is_splat = self.class(b).is_uniform();
                let (x, y) = (self.vectors(a), self.vectors(b));
                x.iter().zip(&y).map(|(x, y)| self.multiply_high(ty, *x, *y, is_splat)).collect()
            }
            BinaryOp::Mul => {
                let (x, y) = (self.vectors(a), self.vectors(b));
                x.iter().zip(&y).map(|(x, y)| self.multiply_wide(*x, *y)).collect()
            }
            BinaryOp::Pow | BinaryOp::Atan2 => {
                self.refuse(format!("operation {op:?} of {ty:?}"));
                self.vectors(a)
            }
            op => self.binary_by_helper(op, ty, a, b),
        }
    }

    /// The low 64 bits of products of 64-bit integers, from 32-bit products.
    fn multiply_wide(&mut self, x: VReg, y: VReg) -> VReg {
        let (xh, yh) = (self.v2i(VOp::Srlqi, Src::Reg(x), 32), self.v2i(VOp::Srlqi, Src::Reg(y), 32));
        let (p, q) = (self.v3r(VOp::Muludq, xh, y), self.v3r(VOp::Muludq, x, yh));
        let middle = self.v3r(VOp::Addq, p, q);
        let middle = self.v2i(VOp::Sllqi, Src::Reg(middle), 32);
        let low = self.v3r(VOp::Muludq, x, y);
        self.v3r(VOp::Addq, low, middle)
    }

    /// The high halves of products of 32-bit integers, from the 64-bit products of the even and the odd ones.
    fn multiply_high(&mut self, ty: Ty, x: VReg, y: VReg, y_is_splat: bool) -> VReg {
        /// Each odd element twice.
        const ODD: u8 = 0b11_11_01_01;
        let op = if ty.is_signed() { VOp::Muldq } else { VOp::Muludq };
        let even = self.v3r(op, x, y);
        let x = self.v2i(VOp::Pshufd, Src::Reg(x), ODD);
        let y = if y_is_splat { y } else { self.v2i(VOp::Pshufd, Src::Reg(y), ODD) };
        let odd = self.v3r(op, x, y);
        if self.isa == Isa::Avx512 {
            let high = self.pooled((0..16).map(|lane| if lane % 2 == 0 { lane + 1 } else { 16 + lane }));
            let high = self.v2(VOp::Movups, Src::Mem(high));
            return self.v4(VOp::Permt2d, even, high, Src::Reg(odd));
        }
        let even = self.v2i(VOp::Srlqi, Src::Reg(even), 32);
        let high = self.const_src(8, 0xffff_ffff_0000_0000);
        let odd = self.v3(VOp::And, odd, high);
        self.v3r(VOp::Or, even, odd)
    }

    /// Minimum and maximum of the IR: the other operand where one is NaN, the first of equals.
    fn float_extreme(&mut self, op: BinaryOp, ty: Ty, a: Value, b: Value) -> Vec<VReg> {
        let wide = ty.bytes() == 8;
        let vop = match (op, wide) {
            (BinaryOp::Min, false) => VOp::Minps,
            (BinaryOp::Min, true) => VOp::Minpd,
            (_, false) => VOp::Maxps,
            (_, true) => VOp::Maxpd,
        };
        let compare = if wide { VOp::Cmppd } else { VOp::Cmpps };
        const UNORDERED: u8 = 3;
        if let Some(bits) = self.constant(a).filter(|bits| !is_nan(ty, *bits)) {
            // The machine gives its second operand where either is NaN, or both are equal.
            let (k, b) = (self.const_src(ty.bytes(), bits), self.vectors(b));
            return self.each(&b, |l, b| l.v3(vop, b, k));
        }
        if let Some(bits) =
            self.constant(b).filter(|bits| !is_nan(ty, *bits) && bits << (64 - 8 * ty.bytes()) << 1 != 0)
        {
            // Equal operands have equal bits, as the constant is no zero.
            let (a, k) = (self.vectors(a), self.const_src(ty.bytes(), bits));
            return self.each(&a, |l, a| l.v3(vop, a, k));
        }
        let (a, b) = (self.vectors(a), self.vectors(b));
        let each = |l: &mut Self, (a, b): (&VReg, &VReg)| {
            let least = l.v3r(vop, *b, *a);
            match l.isa {
                Isa::Avx512 => {
                    let nan = l.compare_k(compare, *a, Src::Reg(*a), Some(UNORDERED));
                    l.blend_one(wide, nan, *b, least)
                }
                Isa::Avx2 => {
                    let nan = l.v3i(compare, *a, Src::Reg(*a), UNORDERED);
                    l.blend_v(wide, least, *b, nan)
                }
            }
        };
        a.iter().zip(&b).map(|pair| each(self, pair)).collect()
    }

    /// `a - b * trunc(a / b)`.
    fn float_remainder(&mut self, ty: Ty, a: Value, b: Value) -> Vec<VReg> {
        let (div, round, mul, sub) = match ty.bytes() {
            8 => (VOp::Divpd, VOp::Roundpd, VOp::Mulpd, VOp::Subpd),
            _ => (VOp::Divps, VOp::Roundps, VOp::Mulps, VOp::Subps),
        };
        let (a, b) = (self.vectors(a), self.sources(b));
        let each = |l: &mut Self, a: VReg, b: Src| {
            let q = l.v3(div, a, b);
            let whole = l.v2i(round, Src::Reg(q), 3 | 8);
            let product = l.v3(mul, whole, b);
            l.v3r(sub, a, product)
        };
        a.iter().zip(b).map(|(a, b)| each(self, *a, b)).collect()
    }

    /// Vectors of a value for instructions that overwrite them: of a constant, one for each.
    fn overwritten(&mut self, v: Value) -> Vec<VReg> {
        let Some(bits) = self.constant(v) else { return self.vectors(v) };
        let ty = self.ty(v);
        let source = self.const_src(ty.bytes(), bits);
        (0..self.parts * Self::halves(ty)).map(|_| self.loaded_operand(ty, source)).collect()
    }

    fn fma(&mut self, ty: Ty, x: Value, y: Value, z: Value) -> Vec<VReg> {
        let wide = ty.bytes() == 8;
        // Signs are taken into the instruction.
        let (x, nx) = self.negated(x).map_or((x, false), |x| (x, true));
        let (y, ny) = self.negated(y).map_or((y, false), |y| (y, true));
        let (z, nz) = self.negated(z).map_or((z, false), |z| (z, true));
        let family = usize::from(nx != ny) * 2 + usize::from(nz);
        let (x, y) = if self.is_in_memory(x) && !self.is_in_memory(y) { (y, x) } else { (x, y) };
        if self.constant(z).is_some() {
            // x = x * y + z with z last: a constant factor is overwritten, or one that is needed no more.
            let ends =
                |v: Value| self.uses[v.index()] == 1 && !self.class(v).is_uniform() || self.constant(v).is_some();
            let (x, y) = if ends(y) && !ends(x) { (y, x) } else { (x, y) };
            let (x, y, z) = (self.overwritten(x), self.vectors(y), self.sources(z));
            let op = FUSED[family][1][usize::from(wide)];
            return (0..z.len()).map(|i| self.v4(op, x[i], y[i], z[i])).collect();
        }
        if self.constant(y).is_some() && self.uses[z.index()] > 1 {
            // x = x * y + z with y last.
            let (x, y, z) = (self.vectors(x), self.sources(y), self.vectors(z));
            let op = FUSED[family][0][usize::from(wide)];
            return (0..z.len()).map(|i| self.v4(op, x[i], z[i], y[i])).collect();
        }
        let single = |v: Value| self.uses[v.index()] == 1;
        let lives_on = !single(z) || self.is_in_memory(z);
        if lives_on && (single(x) || single(y)) && self.constant(y).is_none() && !self.is_in_memory(y) {
            // x = x * y + z where the factor is needed no more, and the addend is. What is common to all lanes is needed
            // for each part.
            let ends = |v: Value| single(v) && !self.class(v).is_uniform();
            let (x, y) = if ends(x) || !ends(y) && single(x) { (x, y) } else { (y, x) };
            let (x, y, z) = (self.vectors(x), self.vectors(y), self.sources(z));
            let op = FUSED[family][1][usize::from(wide)];
            return (0..z.len()).map(|i| self.v4(op, x[i], y[i], z[i])).collect();
        }
        let (x, y, z) = (self.vectors(x), self.sources(y), self.vectors(z));
        let op = FUSED[family][2][usize::from(wide)];
        (0..z.len()).map(|i| self.v4(op, z[i], x[i], y[i])).collect()
    }
}

fn is_nan(ty: Ty, bits: u64) -> bool {
    match ty {
        Ty::F32 => f32::from_bits(bits as u32).is_nan(),
        _ => f64::from_bits(bits).is_nan(),
    }
}

/// Fused instructions by signs (product positive or negative; addend positive or negative), form (132, 213, 231)
/// and width.
const FUSED: [[[VOp; 2]; 3]; 4] = [
    [[VOp::Fmadd132ps, VOp::Fmadd132pd], [VOp::Fmadd213ps, VOp::Fmadd213pd], [VOp::Fmadd231ps, VOp::Fmadd231pd]],
    [[VOp::Fmsub132ps, VOp::Fmsub132pd], [VOp::Fmsub213ps, VOp::Fmsub213pd], [VOp::Fmsub231ps, VOp::Fmsub231pd]],
    [[VOp::Fnmadd132ps, VOp::Fnmadd132pd], [VOp::Fnmadd213ps, VOp::Fnmadd213pd], [VOp::Fnmadd231ps, VOp::Fnmadd231pd]],
    [[VOp::Fnmsub132ps, VOp::Fnmsub132pd], [VOp::Fnmsub213ps, VOp::Fnmsub213pd], [VOp::Fnmsub231ps, VOp::Fnmsub231pd]],
];
