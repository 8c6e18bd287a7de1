//! The forms of a value, and how one is made from another.

use super::{Entry, Form, Lower, Mode, Val};
use crate::{
    ir::{Op, Ty, UnaryOp, Value},
    jit::{
        class::Class,
        mir::{Address, From, GSrc, Kind, Src},
        x64::{AluOp, Isa, Size, VOp},
    },
};
use regalloc2::VReg;

/// The bits of a constant in vectors: a Bool is a 32-bit mask.
fn vector_bits(ty: Ty, bits: u64) -> u64 {
    if ty == Ty::Bool && bits != 0 { 0xffff_ffff } else { bits }
}

impl<'k> Lower<'k> {
    pub(super) fn val(&self, v: Value) -> Val {
        self.env[v.index()].as_ref().map_or(Val::Imm(0), |entry| entry.val.clone())
    }

    /// The definition of a value by a pure operation.
    pub(super) fn def(&self, v: Value) -> Option<&'k Op> {
        self.defs[v.index()]
    }

    /// The value that `v` negates.
    pub(super) fn negated(&self, v: Value) -> Option<Value> {
        match self.def(v) {
            Some(Op::Unary(UnaryOp::Neg, x)) if self.env[x.index()].is_some() => Some(*x),
            _ => None,
        }
    }

    pub(super) fn constant(&self, v: Value) -> Option<u64> {
        match &self.env[v.index()] {
            Some(Entry { val: Val::Imm(bits), .. }) => Some(*bits),
            _ => None,
        }
    }

    /// Size of a general register for the type.
    pub(super) fn size(ty: Ty) -> Size {
        if ty.bytes() == 8 { Size::Q } else { Size::D }
    }

    /// A uniform value (or the base of an affine one) in a general register; floats as their bits.
    pub(super) fn gpr(&mut self, v: Value) -> VReg {
        match self.val(v) {
            Val::Gpr(r) | Val::Base(r) | Val::Stepped(r, _) => r,
            Val::Imm(bits) => self.imm(bits),
            Val::Splat(r) => self.general_of(Self::size(self.ty(v)), r),
            Val::Memory(operands) if self.class(v).is_uniform() => {
                let r = self.loaded_operand(self.ty(v), operands[0]);
                self.general_of(Self::size(self.ty(v)), r)
            }
            Val::Parts(_) | Val::Masks(_) | Val::Memory(_) => {
                self.refuse(format!("value {} is not uniform", v.0));
                self.int()
            }
        }
    }

    pub(super) fn splat_gpr(&mut self, size: Size, r: VReg) -> VReg {
        let (wide, narrow) = match size {
            Size::D => (VOp::PbroadcastdGpr, VOp::Pbroadcastd),
            Size::Q => (VOp::PbroadcastqGpr, VOp::Pbroadcastq),
        };
        if self.isa == Isa::Avx512 {
            return self.v2(wide, Src::Reg(r));
        }
        let x = self.vector_of(size, r);
        self.v2(narrow, Src::Reg(x))
    }

    fn splat_const(&mut self, ty: Ty, bits: u64) -> VReg {
        let bits = vector_bits(ty, bits);
        if bits == 0 {
            return self.zero();
        }
        let at = Address::at(From::Pool(self.element(ty.bytes().max(4), bits)), 0);
        let op = if ty.bytes() == 8 { VOp::Broadcastsd } else { VOp::Broadcastss };
        self.v2(op, Src::Mem(at))
    }

    /// A vector of zeros.
    pub(super) fn zero(&mut self) -> VReg {
        let d = self.float();
        self.push(Kind::Zero, vec![regalloc2::Operand::reg_def(d)]);
        d
    }

    /// An element of the pool.
    fn element(&mut self, bytes: u32, bits: u64) -> u32 {
        self.pool.place(&bits.to_le_bytes()[..bytes as usize])
    }

    /// A vector of the pool.
    pub(super) fn pooled(&mut self, lanes: impl Iterator<Item = u32>) -> Address {
        let bytes: Vec<u8> = lanes.flat_map(u32::to_le_bytes).collect();
        Address::at(From::Pool(self.pool.place(&bytes)), 0)
    }

    /// The same constant in every lane, as the last source of an instruction on elements of that size.
    pub(super) fn const_src(&mut self, bytes: u32, bits: u64) -> Src {
        if self.isa == Isa::Avx512 {
            return Src::Splat(Address::at(From::Pool(self.element(bytes, bits)), 0));
        }
        let count = self.lane_count() * 4 / bytes as usize;
        let all = bits.to_le_bytes()[..bytes as usize].repeat(count);
        Src::Mem(Address::at(From::Pool(self.pool.place(&all)), 0))
    }

    /// A uniform value in every lane of one vector (a Bool as a 32-bit mask).
    pub(super) fn splat(&mut self, v: Value) -> VReg {
        if let Some(Entry { splat: Some(r), .. }) = &self.env[v.index()] {
            return *r;
        }
        let ty = self.ty(v);
        let r = match self.val(v) {
            Val::Splat(r) => return r,
            Val::Imm(bits) => self.splat_const(ty, bits),
            Val::Gpr(r) if ty == Ty::Bool => {
                let m = self.neg(Size::D, r);
                self.splat_gpr(Size::D, m)
            }
            Val::Gpr(r) | Val::Base(r) => self.splat_gpr(Self::size(ty), r),
            Val::Memory(operands) if self.class(v).is_uniform() => return self.loaded_operand(ty, operands[0]),
            Val::Stepped(..) | Val::Parts(_) | Val::Masks(_) | Val::Memory(_) => {
                self.refuse(format!("value {} is not uniform", v.0));
                return self.float();
            }
        };
        if let Some(entry) = &mut self.env[v.index()] {
            entry.splat = Some(r);
            self.log.push((v, Form::Splat));
        }
        r
    }

    /// A value that is no Bool as vectors: `parts`, twice as many for 64-bit types.
    pub(super) fn vectors(&mut self, v: Value) -> Vec<VReg> {
        let count = self.parts * Self::halves(self.ty(v));
        if let Some(Entry { parts: Some(parts), .. }) = &self.env[v.index()] {
            return parts.clone();
        }
        match self.val(v) {
            Val::Parts(r) => r,
            Val::Imm(_) | Val::Gpr(_) | Val::Splat(_) => vec![self.splat(v); count],
            Val::Memory(_) if self.class(v).is_uniform() => vec![self.splat(v); count],
            Val::Masks(r) => r,
            Val::Memory(operands) => operands.into_iter().map(|src| self.loaded_operand(self.ty(v), src)).collect(),
            Val::Base(_) | Val::Stepped(..) => {
                let parts = self.spread(v);
                if let Some(entry) = &mut self.env[v.index()] {
                    entry.parts = Some(parts.clone());
                    self.log.push((v, Form::Parts));
                }
                parts
            }
        }
    }

    /// The vectors of an affine value.
    fn spread(&mut self, v: Value) -> Vec<VReg> {
        let (lane, part, row) = match self.class(v) {
            Class::Affine { lane, part, row } => (lane, part, row),
            Class::Stepped { lane, part } => (lane, part, 0),
            Class::Varying => (0, 0, 0),
        };
        let step = self.row_step(v);
        let mut base = self.gpr(v);
        let mut all = self.splat_gpr(Size::D, base);
        let (lanes, shape) = (self.lane_count() as i32, *self.shape());
        let mut parts = Vec::with_capacity(self.parts);
        for p in 0..self.parts {
            let [r, c] = shape.place(p).map(|n| n as i32);
            if let (Some(step), true, 0) = (step, r > 0, c) {
                base = self.alu(AluOp::Add, Size::D, base, GSrc::Reg(step));
                all = self.splat_gpr(Size::D, base);
            }
            let first = part.wrapping_mul(c).wrapping_add(row.wrapping_mul(r));
            parts.push(if lane == 0 && first == 0 {
                all
            } else {
                let at = |l: i32| first.wrapping_add(lane.wrapping_mul(l)).cast_unsigned();
                let offsets = self.pooled((0..lanes).map(at));
                self.v3(VOp::Addd, all, Src::Mem(offsets))
            });
        }
        parts
    }

    /// What a value gains from row to row, where that is known at run time only.
    pub(super) fn row_step(&self, v: Value) -> Option<VReg> {
        match self.env[v.index()] {
            Some(Entry { val: Val::Stepped(_, step), .. }) => Some(step),
            _ => None,
        }
    }

    /// A value's vectors as last sources: constants from memory.
    pub(super) fn sources(&mut self, v: Value) -> Vec<Src> {
        let ty = self.ty(v);
        match self.constant(v) {
            Some(bits) if ty != Ty::Bool => {
                let src = self.const_src(ty.bytes().max(4), bits);
                vec![src; self.parts * Self::halves(ty)]
            }
            _ => match self.val(v) {
                Val::Memory(operands) if self.class(v).is_uniform() => vec![operands[0]; self.parts * Self::halves(ty)],
                Val::Memory(operands) => operands,
                _ => self.vectors(v).into_iter().map(Src::Reg).collect(),
            },
        }
    }

    pub(super) fn loaded_operand(&mut self, ty: Ty, src: Src) -> VReg {
        match src {
            Src::Reg(r) => r,
            Src::Mem(_) => self.v2(VOp::Movups, src),
            Src::Splat(at) if ty.bytes() == 8 => self.v2(VOp::Broadcastsd, Src::Mem(at)),
            Src::Splat(at) => self.v2(VOp::Broadcastss, Src::Mem(at)),
        }
    }

    /// Whether a value is read from memory where it is used.
    pub(super) fn is_in_memory(&self, v: Value) -> bool {
        matches!(self.env[v.index()], Some(Entry { val: Val::Memory(_) | Val::Imm(_), .. }))
    }

    /// A Bool as masks, one a part.
    pub(super) fn masks(&mut self, v: Value) -> Vec<VReg> {
        match self.val(v) {
            Val::Masks(r) => r,
            Val::Imm(bits) => vec![self.constant_mask(bits != 0); self.parts],
            _ if self.isa == Isa::Avx512 => {
                let bit = self.gpr(v);
                let all = self.neg(Size::D, bit);
                vec![self.mask_unary(Kind::MaskFromGpr, Some(all)); self.parts]
            }
            _ => vec![self.splat(v); self.parts],
        }
    }

    pub(super) fn constant_mask(&mut self, set: bool) -> VReg {
        match (self.isa, set) {
            (Isa::Avx512, true) => self.mask_unary(Kind::MaskOnes, None),
            (Isa::Avx512, false) => {
                let zero = self.imm(0);
                self.mask_unary(Kind::MaskFromGpr, Some(zero))
            }
            (Isa::Avx2, true) => self.splat_const(Ty::U32, 0xffff_ffff),
            (Isa::Avx2, false) => self.zero(),
        }
    }

    /// Defines a uniform value from a vector that holds it in every lane.
    pub(super) fn define_uniform(&mut self, v: Value, r: VReg) {
        let ty = self.ty(v);
        if ty.is_float() {
            self.define(v, Val::Splat(r));
        } else {
            let g = self.general_of(Self::size(ty), r);
            self.define(v, Val::Gpr(g));
        }
    }

    /// Defines a value from vectors made for [`Lower::parts`].
    pub(super) fn define_vectors(&mut self, v: Value, r: Vec<VReg>) {
        if self.class(v).is_uniform() {
            self.define_uniform(v, r[0]);
        } else {
            self.define(v, Val::Parts(r));
        }
    }

    /// Defines a Bool from masks.
    pub(super) fn define_masks(&mut self, v: Value, r: Vec<VReg>) {
        if !self.class(v).is_uniform() {
            return self.define(v, Val::Masks(r));
        }
        let bits = self.mask_bits(r[0]);
        let bit = self.alu(AluOp::And, Size::D, bits, GSrc::Imm(1));
        self.define(v, Val::Gpr(bit));
    }

    /// The lanes of a mask as bits of a general register.
    pub(super) fn mask_bits(&mut self, mask: VReg) -> VReg {
        let d = self.int();
        let kind = match self.isa {
            Isa::Avx512 => Kind::MaskToGpr,
            Isa::Avx2 => Kind::MoveMask { len: self.len() },
        };
        self.push(kind, vec![regalloc2::Operand::reg_def(d), regalloc2::Operand::reg_use(mask)]);
        d
    }

    /// Runs `f` with vectors of one part if the value is uniform: once instead of for each part.
    pub(super) fn narrowed<R>(&mut self, v: Value, f: impl FnOnce(&mut Self) -> R) -> R {
        let parts = self.parts;
        if self.class(v).is_uniform() {
            self.parts = 1;
        }
        let result = f(self);
        self.parts = parts;
        result
    }

    /// Parts of a block in a mode.
    pub(super) fn parts_of(&self, mode: Mode) -> usize {
        self.shapes[usize::from(mode != Mode::Full)].parts
    }
}
