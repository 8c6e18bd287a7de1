//! The one table of vector instructions.
//!
//! A row is an operation ([`VOp`]), its opcode, how VEX and EVEX have it, which operand is what ([`Form`]) and how much
//! memory it touches ([`Tuple`]). Where the two encodings have different names for one thing (`vpand` and `vpandd`,
//! `vroundps` and `vrndscaleps`) it is one row.
//!
//! The length an instruction is given is that of its wider vector operand: that of the result for `Cvtps2pd`,
//! `Cvtdq2pd`, `Cvtudq2pd`, `Cvttps2qq`, `Cvttps2uqq`, `Cvtph2ps`, all `Movzx`/`Movsx`, broadcasts and insertions; that
//! of the source for `Cvtpd2ps`, `Cvttpd2dq`, `Cvttpd2udq`, `Cvtqq2ps`, `Cvtuqq2ps`, `Cvtps2ph`, `Movqd`, `Movdw` and
//! extractions; of indices or data, whichever is wider, for gathers and scatters.

use super::vex::{Map, Opcode, Pp};
use super::{Isa, Len};

/// Which operand is what, of `vec(op, len, dst, a, b, imm, mask)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `dst = op(a, b)`; or `op(dst, a, b)`.
    Rvm,
    /// `dst = op(a, b, imm)`.
    RvmI,
    /// `dst = op(b)`.
    Rm,
    /// `dst = op(b, imm)`.
    RmI,
    /// `dst = op(b)`, `b` the number of a general register.
    RmGpr,
    /// `b = op(dst)`, whose name is only right for the other forms.
    St,
    /// `b = dst` past the caches; `b` is memory, at a multiple of its length.
    Past,
    /// `b = op(dst, imm)`.
    StI,
    /// `dst = op(b, imm)`, this the extension of the opcode; VEX has it from registers only.
    Shift(u8),
    /// `dst = op(a, b)` or `op(a, b, imm)`, a mask register with EVEX and a vector of all ones or zeros with VEX.
    Cmp,
    CmpI,
    /// `dst = b` or `b = dst` in the lanes where the vector `a` is negative; `b` is memory.
    MaskA,
    /// `dst = b`, one address a lane; the lanes are those of the mask (EVEX) or where `a` is negative (VEX), and it is
    /// cleared.
    Gather,
    /// `b = dst`, one address a lane.
    Scatter,
}

impl Form {
    pub(super) fn has_imm(self) -> bool {
        matches!(self, Self::RvmI | Self::RmI | Self::StI | Self::Shift(_) | Self::CmpI)
    }

    pub(super) fn is_vsib(self) -> bool {
        matches!(self, Self::Gather | Self::Scatter)
    }
}

/// How much memory an instruction reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tuple {
    /// As much as the length, or one element for all lanes.
    Full,
    /// As much as the length.
    FullMem,
    /// Half of the length, or one element for all lanes.
    Half,
    /// Half of the length.
    HalfMem,
    /// A quarter of the length.
    Quarter,
    /// One element (a lane).
    One,
    /// 16 bytes.
    B16,
    /// 32 bytes.
    B32,
}

/// How an operation is encoded.
#[derive(Debug)]
pub(super) struct Row {
    pp: Pp,
    map: Map,
    byte: u8,
    /// The bit W of VEX (where it is ignored, 0 allows the short prefix), if the operation exists there.
    vex: Option<bool>,
    /// The bit W of EVEX.
    evex: Option<bool>,
    pub(super) form: Form,
    tuple: Tuple,
    /// Bytes of an element in memory.
    elem: u8,
    /// The shortest length it exists at.
    pub(super) shortest: Len,
}

impl Row {
    /// The opcode as VEX has it.
    pub(super) fn vex(&self) -> Option<Opcode> {
        self.vex.map(|w| self.opcode(w))
    }

    /// The opcode as EVEX has it.
    pub(super) fn evex(&self) -> Option<Opcode> {
        self.evex.map(|w| self.opcode(w))
    }

    fn opcode(&self, w: bool) -> Opcode {
        Opcode { pp: self.pp, map: self.map, byte: self.byte, w }
    }

    /// Whether EVEX can broadcast the last source from memory.
    pub(super) fn can_broadcast(&self) -> bool {
        matches!(self.tuple, Tuple::Full | Tuple::Half)
    }

    /// Bytes that a displacement of one byte counts in with EVEX: those it reads or writes.
    pub(super) fn unit(&self, len: Len, broadcast: bool) -> u8 {
        match self.tuple {
            _ if broadcast => self.elem,
            Tuple::Full | Tuple::FullMem => len.bytes(),
            Tuple::Half | Tuple::HalfMem => len.bytes() / 2,
            Tuple::Quarter => len.bytes() / 4,
            Tuple::One => self.elem,
            Tuple::B16 => 16,
            Tuple::B32 => 32,
        }
    }
}

impl VOp {
    pub(super) fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// The operation that does the same where this one is not encoded.
    pub(super) fn resolve(self, isa: Isa, len: Len) -> Self {
        match self {
            Self::Broadcastsd if len == Len::L128 => Self::Pbroadcastq,
            Self::Movdqu16 if isa == Isa::Avx2 => Self::Movdqu,
            Self::Movdqu16St if isa == Isa::Avx2 => Self::MovdquSt,
            op => op,
        }
    }

    /// Whether the last source may be in memory at any address, and what is read there is what a register would hold.
    pub(crate) fn takes_memory(self) -> bool {
        let form = self.row().form;
        self != Self::Movaps && matches!(form, Form::Rvm | Form::RvmI | Form::Rm | Form::RmI | Form::Cmp | Form::CmpI)
    }

    /// Whether there is such an instruction.
    pub(crate) fn exists(self, isa: Isa) -> bool {
        let row = self.resolve(isa, Len::L256).row();
        row.vex.is_some() || isa == Isa::Avx512 && row.evex.is_some()
    }
}

/// Writes [`VOp`] and `ROWS` from the lines below.
macro_rules! vops {
    (@w -) => { None };
    (@w w0) => { Some(false) };
    (@w w1) => { Some(true) };
    ($($op:ident $pp:ident $map:ident $byte:literal $vex:tt $evex:tt $form:expr, $tuple:ident $elem:literal $shortest:ident;)*) => {
        /// A vector operation, named as the instruction is where it has one name. The names of element types: `d`, `q`
        /// (`dq`, `qq`) 32 and 64-bit integers, `u` unsigned, `ps` and `pd` 32 and 64-bit floats; `St` stores, `i`
        /// shifts by an immediate, `v` by lane.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum VOp { $($op,)* }

        impl VOp {
            /// All operations.
            #[cfg(test)]
            pub(super) const ALL: &[VOp] = &[$(VOp::$op,)*];
        }

        static ROWS: &[Row] = {
            use Form::*;
            &[$(Row {
                pp: Pp::$pp,
                map: Map::$map,
                byte: $byte,
                vex: vops!(@w $vex),
                evex: vops!(@w $evex),
                form: $form,
                tuple: Tuple::$tuple,
                elem: $elem,
                shortest: Len::$shortest,
            },)*]
        };
    };
}

vops! {
    // Operation, prefix, map, opcode, W of VEX and of EVEX, form, memory, element, shortest length.
    // Float arithmetic.
    Addps          None M0F   0x58 w0 w0 Rvm,      Full    4 L128;
    Addpd          P66  M0F   0x58 w0 w1 Rvm,      Full    8 L128;
    Subps          None M0F   0x5C w0 w0 Rvm,      Full    4 L128;
    Subpd          P66  M0F   0x5C w0 w1 Rvm,      Full    8 L128;
    Mulps          None M0F   0x59 w0 w0 Rvm,      Full    4 L128;
    Mulpd          P66  M0F   0x59 w0 w1 Rvm,      Full    8 L128;
    Divps          None M0F   0x5E w0 w0 Rvm,      Full    4 L128;
    Divpd          P66  M0F   0x5E w0 w1 Rvm,      Full    8 L128;
    Minps          None M0F   0x5D w0 w0 Rvm,      Full    4 L128;
    Minpd          P66  M0F   0x5D w0 w1 Rvm,      Full    8 L128;
    Maxps          None M0F   0x5F w0 w0 Rvm,      Full    4 L128;
    Maxpd          P66  M0F   0x5F w0 w1 Rvm,      Full    8 L128;
    Sqrtps         None M0F   0x51 w0 w0 Rm,       Full    4 L128;
    Sqrtpd         P66  M0F   0x51 w0 w1 Rm,       Full    8 L128;
    Roundps        P66  M0F3A 0x08 w0 w0 RmI,      Full    4 L128;
    Roundpd        P66  M0F3A 0x09 w0 w1 RmI,      Full    8 L128;
    Cmpps          None M0F   0xC2 w0 w0 CmpI,     Full    4 L128;
    Cmppd          P66  M0F   0xC2 w0 w1 CmpI,     Full    8 L128;
    // Fused arithmetic: the digits are the operands multiplied and, last, the one added; 1 is `dst`, 2 `a`, 3 `b`.
    Fmadd132ps     P66  M0F38 0x98 w0 w0 Rvm,      Full    4 L128;
    Fmadd132pd     P66  M0F38 0x98 w1 w1 Rvm,      Full    8 L128;
    Fmadd213ps     P66  M0F38 0xA8 w0 w0 Rvm,      Full    4 L128;
    Fmadd213pd     P66  M0F38 0xA8 w1 w1 Rvm,      Full    8 L128;
    Fmadd231ps     P66  M0F38 0xB8 w0 w0 Rvm,      Full    4 L128;
    Fmadd231pd     P66  M0F38 0xB8 w1 w1 Rvm,      Full    8 L128;
    Fmsub132ps     P66  M0F38 0x9A w0 w0 Rvm,      Full    4 L128;
    Fmsub132pd     P66  M0F38 0x9A w1 w1 Rvm,      Full    8 L128;
    Fmsub213ps     P66  M0F38 0xAA w0 w0 Rvm,      Full    4 L128;
    Fmsub213pd     P66  M0F38 0xAA w1 w1 Rvm,      Full    8 L128;
    Fmsub231ps     P66  M0F38 0xBA w0 w0 Rvm,      Full    4 L128;
    Fmsub231pd     P66  M0F38 0xBA w1 w1 Rvm,      Full    8 L128;
    Fnmadd132ps    P66  M0F38 0x9C w0 w0 Rvm,      Full    4 L128;
    Fnmadd132pd    P66  M0F38 0x9C w1 w1 Rvm,      Full    8 L128;
    Fnmadd213ps    P66  M0F38 0xAC w0 w0 Rvm,      Full    4 L128;
    Fnmadd213pd    P66  M0F38 0xAC w1 w1 Rvm,      Full    8 L128;
    Fnmadd231ps    P66  M0F38 0xBC w0 w0 Rvm,      Full    4 L128;
    Fnmadd231pd    P66  M0F38 0xBC w1 w1 Rvm,      Full    8 L128;
    Fnmsub132ps    P66  M0F38 0x9E w0 w0 Rvm,      Full    4 L128;
    Fnmsub132pd    P66  M0F38 0x9E w1 w1 Rvm,      Full    8 L128;
    Fnmsub213ps    P66  M0F38 0xAE w0 w0 Rvm,      Full    4 L128;
    Fnmsub213pd    P66  M0F38 0xAE w1 w1 Rvm,      Full    8 L128;
    Fnmsub231ps    P66  M0F38 0xBE w0 w0 Rvm,      Full    4 L128;
    Fnmsub231pd    P66  M0F38 0xBE w1 w1 Rvm,      Full    8 L128;
    // Bits. `Andn` is `!a & b`.
    And            P66  M0F   0xDB w0 w0 Rvm,      Full    4 L128;
    Andq           P66  M0F   0xDB w0 w1 Rvm,      Full    8 L128;
    Or             P66  M0F   0xEB w0 w0 Rvm,      Full    4 L128;
    Orq            P66  M0F   0xEB w0 w1 Rvm,      Full    8 L128;
    Xor            P66  M0F   0xEF w0 w0 Rvm,      Full    4 L128;
    Xorq           P66  M0F   0xEF w0 w1 Rvm,      Full    8 L128;
    Andn           P66  M0F   0xDF w0 w0 Rvm,      Full    4 L128;
    Andnq          P66  M0F   0xDF w0 w1 Rvm,      Full    8 L128;
    Ternlogd       P66  M0F3A 0x25 -  w0 RvmI,     Full    4 L128;
    Ternlogq       P66  M0F3A 0x25 -  w1 RvmI,     Full    8 L128;
    // Integer arithmetic. `Muludq` and `Muldq` multiply the even 32-bit elements to 64 bits.
    Addd           P66  M0F   0xFE w0 w0 Rvm,      Full    4 L128;
    Addq           P66  M0F   0xD4 w0 w1 Rvm,      Full    8 L128;
    Subd           P66  M0F   0xFA w0 w0 Rvm,      Full    4 L128;
    Subq           P66  M0F   0xFB w0 w1 Rvm,      Full    8 L128;
    Mulld          P66  M0F38 0x40 w0 w0 Rvm,      Full    4 L128;
    Mullq          P66  M0F38 0x40 -  w1 Rvm,      Full    8 L128;
    Muludq         P66  M0F   0xF4 w0 w1 Rvm,      Full    8 L128;
    Muldq          P66  M0F38 0x28 w0 w1 Rvm,      Full    8 L128;
    Minsd          P66  M0F38 0x39 w0 w0 Rvm,      Full    4 L128;
    Minud          P66  M0F38 0x3B w0 w0 Rvm,      Full    4 L128;
    Maxsd          P66  M0F38 0x3D w0 w0 Rvm,      Full    4 L128;
    Maxud          P66  M0F38 0x3F w0 w0 Rvm,      Full    4 L128;
    Minsq          P66  M0F38 0x39 -  w1 Rvm,      Full    8 L128;
    Minuq          P66  M0F38 0x3B -  w1 Rvm,      Full    8 L128;
    Maxsq          P66  M0F38 0x3D -  w1 Rvm,      Full    8 L128;
    Maxuq          P66  M0F38 0x3F -  w1 Rvm,      Full    8 L128;
    Absd           P66  M0F38 0x1E w0 w0 Rm,       Full    4 L128;
    Absq           P66  M0F38 0x1F -  w1 Rm,       Full    8 L128;
    Lzcntd         P66  M0F38 0x44 -  w0 Rm,       Full    4 L128;
    Lzcntq         P66  M0F38 0x44 -  w1 Rm,       Full    8 L128;
    // Integer comparison: with VEX to vectors, with EVEX (predicate `imm`) to mask registers.
    Cmpeqd         P66  M0F   0x76 w0 -  Cmp,      Full    4 L128;
    Cmpgtd         P66  M0F   0x66 w0 -  Cmp,      Full    4 L128;
    Cmpeqq         P66  M0F38 0x29 w0 -  Cmp,      Full    8 L128;
    Cmpgtq         P66  M0F38 0x37 w0 -  Cmp,      Full    8 L128;
    Cmpd           P66  M0F3A 0x1F -  w0 CmpI,     Full    4 L128;
    Cmpud          P66  M0F3A 0x1E -  w0 CmpI,     Full    4 L128;
    Cmpq           P66  M0F3A 0x1F -  w1 CmpI,     Full    8 L128;
    Cmpuq          P66  M0F3A 0x1E -  w1 CmpI,     Full    8 L128;
    Testmd         P66  M0F38 0x27 -  w0 Cmp,      Full    4 L128;
    Testmq         P66  M0F38 0x27 -  w1 Cmp,      Full    8 L128;
    Testnmd        F3   M0F38 0x27 -  w0 Cmp,      Full    4 L128;
    // Shifts and rotations.
    Sllvd          P66  M0F38 0x47 w0 w0 Rvm,      Full    4 L128;
    Srlvd          P66  M0F38 0x45 w0 w0 Rvm,      Full    4 L128;
    Sravd          P66  M0F38 0x46 w0 w0 Rvm,      Full    4 L128;
    Sllvq          P66  M0F38 0x47 w1 w1 Rvm,      Full    8 L128;
    Srlvq          P66  M0F38 0x45 w1 w1 Rvm,      Full    8 L128;
    Sravq          P66  M0F38 0x46 -  w1 Rvm,      Full    8 L128;
    Rolvd          P66  M0F38 0x15 -  w0 Rvm,      Full    4 L128;
    Rorvd          P66  M0F38 0x14 -  w0 Rvm,      Full    4 L128;
    Slldi          P66  M0F   0x72 w0 w0 Shift(6), Full    4 L128;
    Srldi          P66  M0F   0x72 w0 w0 Shift(2), Full    4 L128;
    Sradi          P66  M0F   0x72 w0 w0 Shift(4), Full    4 L128;
    Sllqi          P66  M0F   0x73 w0 w1 Shift(6), Full    8 L128;
    Srlqi          P66  M0F   0x73 w0 w1 Shift(2), Full    8 L128;
    Sraqi          P66  M0F   0x72 -  w1 Shift(4), Full    8 L128;
    Roldi          P66  M0F   0x72 -  w0 Shift(1), Full    4 L128;
    Rordi          P66  M0F   0x72 -  w0 Shift(0), Full    4 L128;
    // Bytes and words.
    Pshufb         P66  M0F38 0x00 w0 w0 Rvm,      FullMem 1 L128;
    Packssdw       P66  M0F   0x6B w0 w0 Rvm,      Full    4 L128;
    Packusdw       P66  M0F38 0x2B w0 w0 Rvm,      Full    4 L128;
    Packsswb       P66  M0F   0x63 w0 w0 Rvm,      FullMem 2 L128;
    Packuswb       P66  M0F   0x67 w0 w0 Rvm,      FullMem 2 L128;
    // `b` in the lanes of the mask, `a` in the others.
    Blendmps       P66  M0F38 0x65 -  w0 Rvm,      Full    4 L128;
    Blendmpd       P66  M0F38 0x65 -  w1 Rvm,      Full    8 L128;
    Blendmd        P66  M0F38 0x64 -  w0 Rvm,      Full    4 L128;
    Blendmq        P66  M0F38 0x64 -  w1 Rvm,      Full    8 L128;
    // The same with a bit of the immediate for each element.
    Blendps        P66  M0F3A 0x0C w0 -  RvmI,     FullMem 4 L128;
    // Conversions.
    Cvtdq2ps       None M0F   0x5B w0 w0 Rm,       Full    4 L128;
    Cvtps2dq       P66  M0F   0x5B w0 w0 Rm,       Full    4 L128;
    Cvttps2dq      F3   M0F   0x5B w0 w0 Rm,       Full    4 L128;
    Cvtudq2ps      F2   M0F   0x7A -  w0 Rm,       Full    4 L128;
    Cvttps2udq     None M0F   0x78 -  w0 Rm,       Full    4 L128;
    Cvtps2pd       None M0F   0x5A w0 w0 Rm,       Half    4 L128;
    Cvtpd2ps       P66  M0F   0x5A w0 w1 Rm,       Full    8 L128;
    Cvtdq2pd       F3   M0F   0xE6 w0 w0 Rm,       Half    4 L128;
    Cvttpd2dq      P66  M0F   0xE6 w0 w1 Rm,       Full    8 L128;
    Cvtudq2pd      F3   M0F   0x7A -  w0 Rm,       Half    4 L128;
    Cvttpd2udq     None M0F   0x78 -  w1 Rm,       Full    8 L128;
    Cvtqq2pd       F3   M0F   0xE6 -  w1 Rm,       Full    8 L128;
    Cvtuqq2pd      F3   M0F   0x7A -  w1 Rm,       Full    8 L128;
    Cvttpd2qq      P66  M0F   0x7A -  w1 Rm,       Full    8 L128;
    Cvttpd2uqq     P66  M0F   0x78 -  w1 Rm,       Full    8 L128;
    Cvtqq2ps       None M0F   0x5B -  w1 Rm,       Full    8 L128;
    Cvtuqq2ps      F2   M0F   0x7A -  w1 Rm,       Full    8 L128;
    Cvttps2qq      P66  M0F   0x7A -  w0 Rm,       Half    4 L128;
    Cvttps2uqq     P66  M0F   0x78 -  w0 Rm,       Half    4 L128;
    Cvtph2ps       P66  M0F38 0x13 w0 w0 Rm,       HalfMem 2 L128;
    Cvtps2ph       P66  M0F3A 0x1D w0 w0 StI,      HalfMem 2 L128;
    Movzxdq        P66  M0F38 0x35 w0 w0 Rm,       HalfMem 4 L128;
    Movsxdq        P66  M0F38 0x25 w0 w0 Rm,       HalfMem 4 L128;
    Movzxwd        P66  M0F38 0x33 w0 w0 Rm,       HalfMem 2 L128;
    Movsxwd        P66  M0F38 0x23 w0 w0 Rm,       HalfMem 2 L128;
    Movzxbd        P66  M0F38 0x31 w0 w0 Rm,       Quarter 1 L128;
    Movqd          F3   M0F38 0x35 -  w0 St,       HalfMem 4 L128;
    Movdw          F3   M0F38 0x33 -  w0 St,       HalfMem 2 L128;
    // Moves. The element is what a mask counts; `Movdqu16` is `Movdqu` where there are no masks.
    Movaps         None M0F   0x28 w0 w0 Rm,       FullMem 4 L128;
    MovapsSt       None M0F   0x29 w0 w0 St,       FullMem 4 L128;
    Movups         None M0F   0x10 w0 w0 Rm,       FullMem 4 L128;
    MovupsSt       None M0F   0x11 w0 w0 St,       FullMem 4 L128;
    MovntpsSt      None M0F   0x2B w0 w0 Past,     FullMem 4 L128;
    Movupd         P66  M0F   0x10 w0 w1 Rm,       FullMem 8 L128;
    MovupdSt       P66  M0F   0x11 w0 w1 St,       FullMem 8 L128;
    Movdqu         F3   M0F   0x6F w0 w0 Rm,       FullMem 4 L128;
    MovdquSt       F3   M0F   0x7F w0 w0 St,       FullMem 4 L128;
    Movdqu16       F2   M0F   0x6F -  w1 Rm,       FullMem 2 L128;
    Movdqu16St     F2   M0F   0x7F -  w1 St,       FullMem 2 L128;
    Maskmovps      P66  M0F38 0x2C w0 -  MaskA,    FullMem 4 L128;
    Maskmovpd      P66  M0F38 0x2D w0 -  MaskA,    FullMem 8 L128;
    MaskmovpsSt    P66  M0F38 0x2E w0 -  MaskA,    FullMem 4 L128;
    MaskmovpdSt    P66  M0F38 0x2F w0 -  MaskA,    FullMem 8 L128;
    Broadcastss    P66  M0F38 0x18 w0 w0 Rm,       One     4 L128;
    Broadcastsd    P66  M0F38 0x19 w0 w1 Rm,       One     8 L256;
    Pbroadcastw    P66  M0F38 0x79 w0 w0 Rm,       One     2 L128;
    Pbroadcastd    P66  M0F38 0x58 w0 w0 Rm,       One     4 L128;
    Pbroadcastq    P66  M0F38 0x59 w0 w1 Rm,       One     8 L128;
    PbroadcastdGpr P66  M0F38 0x7C -  w0 RmGpr,    One     4 L128;
    PbroadcastqGpr P66  M0F38 0x7C -  w1 RmGpr,    One     8 L128;
    // Gathers and scatters, named by index and data.
    Gatherdd       P66  M0F38 0x90 w0 w0 Gather,   One     4 L128;
    Gatherdq       P66  M0F38 0x90 w1 w1 Gather,   One     8 L128;
    Gatherqd       P66  M0F38 0x91 w0 w0 Gather,   One     4 L128;
    Gatherqq       P66  M0F38 0x91 w1 w1 Gather,   One     8 L128;
    Gatherdps      P66  M0F38 0x92 w0 w0 Gather,   One     4 L128;
    Gatherdpd      P66  M0F38 0x92 w1 w1 Gather,   One     8 L128;
    Scatterdd      P66  M0F38 0xA0 -  w0 Scatter,  One     4 L128;
    Scatterdq      P66  M0F38 0xA0 -  w1 Scatter,  One     8 L128;
    Scatterqd      P66  M0F38 0xA1 -  w0 Scatter,  One     4 L128;
    Scatterqq      P66  M0F38 0xA1 -  w1 Scatter,  One     8 L128;
    // Permutations.
    Permd          P66  M0F38 0x36 w0 w0 Rvm,      Full    4 L256;
    Permps         P66  M0F38 0x16 w0 w0 Rvm,      Full    4 L256;
    Permq          P66  M0F3A 0x00 w1 w1 RmI,      Full    8 L256;
    Permpd         P66  M0F3A 0x01 w1 w1 RmI,      Full    8 L256;
    Permvarq       P66  M0F38 0x36 -  w1 Rvm,      Full    8 L256;
    Permvarpd      P66  M0F38 0x16 -  w1 Rvm,      Full    8 L256;
    Perm2i128      P66  M0F3A 0x46 w0 -  RvmI,     FullMem 4 L256;
    Shufps         None M0F   0xC6 w0 w0 RvmI,     Full    4 L128;
    Shufpd         P66  M0F   0xC6 w0 w1 RvmI,     Full    8 L128;
    Pshufd         P66  M0F   0x70 w0 w0 RmI,      Full    4 L128;
    Unpcklps       None M0F   0x14 w0 w0 Rvm,      Full    4 L128;
    Unpcklpd       P66  M0F   0x14 w0 w1 Rvm,      Full    8 L128;
    Unpckhps       None M0F   0x15 w0 w0 Rvm,      Full    4 L128;
    Unpckhpd       P66  M0F   0x15 w0 w1 Rvm,      Full    8 L128;
    Unpckldq       P66  M0F   0x62 w0 w0 Rvm,      Full    4 L128;
    Unpckhdq       P66  M0F   0x6A w0 w0 Rvm,      Full    4 L128;
    Unpcklqdq      P66  M0F   0x6C w0 w1 Rvm,      Full    8 L128;
    Unpckhqdq      P66  M0F   0x6D w0 w1 Rvm,      Full    8 L128;
    Extract128     P66  M0F3A 0x39 w0 w0 StI,      B16     4 L256;
    Extract256     P66  M0F3A 0x3B -  w1 StI,      B32     8 L512;
    Insert128      P66  M0F3A 0x38 w0 w0 RvmI,     B16     4 L256;
    Insert256      P66  M0F3A 0x3A -  w1 RvmI,     B32     8 L512;
    Permt2d        P66  M0F38 0x7E -  w0 Rvm,      Full    4 L128;
    Permt2q        P66  M0F38 0x7E -  w1 Rvm,      Full    8 L128;
    Permt2ps       P66  M0F38 0x7F -  w0 Rvm,      Full    4 L128;
    Permt2pd       P66  M0F38 0x7F -  w1 Rvm,      Full    8 L128;
    Permi2d        P66  M0F38 0x76 -  w0 Rvm,      Full    4 L128;
    Valignd        P66  M0F3A 0x03 -  w0 RvmI,     Full    4 L128;
}
