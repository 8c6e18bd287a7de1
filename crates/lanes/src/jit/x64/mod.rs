//! The encoder: x86-64 instructions as bytes.
//!
//! [`Asm`] is a buffer that instructions are appended to. General instructions are methods of their own (`gpr`), so
//! are those of the mask registers (`kreg`). All vector instructions go through one method, [`Asm::vec`], and one
//! table, [`table`], that says for each [`VOp`] how it is encoded as VEX and as EVEX: instruction selection names the
//! operation, the [`Isa`] decides the encoding. The encoder checks that an instruction exists as asked (lengths,
//! register numbers, masks) and panics where it does not: that is a mistake of the selection, never of a kernel.
//!
//! Registers are plain numbers here; what is in them is the business of the register allocator.
#![allow(dead_code, unused_imports, reason = "the encoder writes more instructions than selection asks for so far")]

mod asm;
mod evex;
mod gpr;
mod kreg;
mod modrm;
mod table;
#[cfg(test)]
mod tests;
mod vector;
mod vex;

pub(crate) use asm::{Asm, Label};
pub(crate) use gpr::{AluOp, ShiftOp};
pub(crate) use kreg::KOp;
pub(crate) use table::VOp;

/// The instruction sets code is written for; each name stands for all that came with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    /// AVX2, FMA, F16C, BMI1, BMI2, LZCNT and POPCNT: 16 vector registers of 256 bits.
    Avx2,
    /// The above with AVX-512 F, VL, BW, DQ and CD: 32 vector registers of 512 bits, 8 mask registers.
    Avx512,
}

/// A general register, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Gpr(pub u8);

impl Gpr {
    pub(crate) const RAX: Self = Self(0);
    pub(crate) const RCX: Self = Self(1);
    pub(crate) const RDX: Self = Self(2);
    pub(crate) const RBX: Self = Self(3);
    pub(crate) const RSP: Self = Self(4);
    pub(crate) const RBP: Self = Self(5);
    pub(crate) const RSI: Self = Self(6);
    pub(crate) const RDI: Self = Self(7);
    pub(crate) const R8: Self = Self(8);
    pub(crate) const R9: Self = Self(9);
    pub(crate) const R10: Self = Self(10);
    pub(crate) const R11: Self = Self(11);
    pub(crate) const R12: Self = Self(12);
    pub(crate) const R13: Self = Self(13);
    pub(crate) const R14: Self = Self(14);
    pub(crate) const R15: Self = Self(15);
}

/// A vector register of whatever length, by its number: below 16 with VEX, below 32 with EVEX.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Xmm(pub u8);

/// A mask register of AVX-512, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kreg(pub u8);

/// How many bits of the vector registers an instruction works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Len {
    /// 16 bytes.
    L128,
    /// 32 bytes.
    L256,
    /// 64 bytes; EVEX only.
    L512,
}

impl Len {
    /// Bytes of a register of this length.
    pub(crate) fn bytes(self) -> u8 {
        16 << self as u8
    }
}

/// How many bits of the general registers an instruction works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// 32 bits; the upper half of a register written is zeroed.
    D,
    /// 64 bits.
    Q,
}

/// What an address starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// A general register.
    Reg(Gpr),
    /// This many bytes into the constant pool that [`Asm::finish`] appends; takes no index.
    Pool(u32),
    /// Nothing: the displacement, sign extended, is the address.
    None,
}

/// What is scaled and added to a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    /// A general register, not `rsp`.
    Gpr(Gpr),
    /// One index a lane: gathers and scatters.
    Vec(Xmm),
}

/// A memory operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mem {
    /// The start.
    pub base: Base,
    /// The index and its scale: 1, 2, 4 or 8.
    pub index: Option<(Index, u8)>,
    /// Bytes added.
    pub disp: i32,
}

impl Mem {
    /// `[base + disp]`.
    pub(crate) fn at(base: Gpr, disp: i32) -> Self {
        Self { base: Base::Reg(base), index: None, disp }
    }

    /// The constant at this byte of the pool.
    pub(crate) fn pool(offset: u32) -> Self {
        Self { base: Base::Pool(offset), index: None, disp: 0 }
    }

    /// The same with an index.
    pub(crate) fn indexed(self, index: Index, scale: u8) -> Self {
        Self { index: Some((index, scale)), ..self }
    }
}

/// The last source of a vector instruction (the destination of a store).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RmV {
    /// A register.
    Reg(Xmm),
    /// As many bytes of memory as the instruction reads or writes.
    Mem(Mem),
    /// One element in memory, for all lanes; EVEX only.
    Bcast(Mem),
}

/// The register or memory operand of a general instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rm {
    /// A register.
    Reg(Gpr),
    /// Memory of the instruction's size.
    Mem(Mem),
}

/// The lanes an EVEX instruction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Masking {
    /// The lanes, not `k0` (which would mean all).
    pub k: Kreg,
    /// The other lanes become zero; otherwise they keep what the destination held.
    pub zero: bool,
}

/// A condition on the flags; the order is that of the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cond {
    /// Overflow.
    O,
    /// No overflow.
    No,
    /// Below (unsigned), carry.
    B,
    /// Above or equal (unsigned), no carry.
    Ae,
    /// Equal, zero.
    E,
    /// Not equal, not zero.
    Ne,
    /// Below or equal (unsigned).
    Be,
    /// Above (unsigned).
    A,
    /// Negative.
    S,
    /// Not negative.
    Ns,
    /// Parity: unordered after a scalar float comparison.
    P,
    /// No parity.
    Np,
    /// Less (signed).
    L,
    /// Greater or equal (signed).
    Ge,
    /// Less or equal (signed).
    Le,
    /// Greater (signed).
    G,
}
