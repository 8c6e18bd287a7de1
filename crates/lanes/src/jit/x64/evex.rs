//! The EVEX prefix: AVX-512.

use super::asm::Asm;
use super::modrm::Place;
use super::vex::{Opcode, Operands};
use super::{Len, Masking};

/// What only EVEX says.
#[derive(Clone, Copy)]
pub(super) struct Evex {
    pub(super) len: Len,
    pub(super) mask: Option<Masking>,
    /// Memory holds one element for all lanes.
    pub(super) broadcast: bool,
    /// Bytes that a displacement of one byte counts in.
    pub(super) unit: u8,
}

impl Asm {
    /// An instruction with an EVEX prefix.
    pub(super) fn evex(&mut self, op: Opcode, evex: Evex, operands: Operands) {
        let Operands { reg, vvvv, rm, imm } = operands;
        assert!(reg < 32 && vvvv < 32 && rm.base() < 32 && rm.index() < 32, "register without an EVEX encoding");
        // Bit 4 of a register in ModRM.rm takes the place of the index; bit 4 of an index that of the register in vvvv.
        let x = match rm {
            Place::Reg(reg) => reg >> 4,
            Place::Mem(_) => rm.index() >> 3 & 1,
        };
        let v4 = if rm.is_vsib() { rm.index() >> 4 } else { vvvv >> 4 };
        let b = rm.base() >> 3 & 1;
        let extensions = (reg >> 3 & 1) << 7 | x << 6 | b << 5 | (reg >> 4) << 4;
        let (k, zero) = evex.mask.map_or((0, false), |mask| (mask.k.0, mask.zero));
        self.bytes(&[
            0x62,
            (extensions ^ 0xF0) | op.map as u8,
            u8::from(op.w) << 7 | (!vvvv & 15) << 3 | 4 | op.pp as u8,
            u8::from(zero) << 7 | (evex.len as u8) << 5 | u8::from(evex.broadcast) << 4 | (v4 ^ 1) << 3 | k,
            op.byte,
        ]);
        self.modrm(reg, rm, evex.unit, u8::from(imm.is_some()));
        if let Some(imm) = imm {
            self.byte(imm);
        }
    }
}
