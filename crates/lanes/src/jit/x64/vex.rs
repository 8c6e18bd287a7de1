//! The VEX prefix: AVX, AVX2, FMA, BMI and the mask registers.

use super::asm::Asm;
use super::modrm::Place;

/// The mandatory prefix that is part of an opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pp {
    None,
    P66,
    F3,
    F2,
}

/// The opcode map: the bytes before the opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Map {
    M0F = 1,
    M0F38 = 2,
    M0F3A = 3,
}

/// An opcode with all that selects it, as VEX and EVEX have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opcode {
    pub(super) pp: Pp,
    pub(super) map: Map,
    pub(super) byte: u8,
    pub(super) w: bool,
}

/// What an instruction does it with.
#[derive(Clone, Copy)]
pub(super) struct Operands {
    /// ModRM.reg: a register or the extension of the opcode.
    pub(super) reg: u8,
    /// The register beside ModRM, 0 if unused.
    pub(super) vvvv: u8,
    pub(super) rm: Place,
    pub(super) imm: Option<u8>,
}

impl Asm {
    /// An instruction with a VEX prefix, `l` its length bit.
    pub(super) fn vex(&mut self, op: Opcode, l: bool, operands: Operands) {
        let Operands { reg, vvvv, rm, imm } = operands;
        let (x, b) = (rm.index() >> 3, rm.base() >> 3);
        assert!(reg < 16 && vvvv < 16 && x < 2 && b < 2, "register without a VEX encoding");
        let last = !vvvv << 3 & 0x78 | u8::from(l) << 2 | op.pp as u8;
        let not_r = !(reg >> 3) << 7;
        if op.map == Map::M0F && !op.w && x == 0 && b == 0 {
            self.bytes(&[0xC5, not_r | last]);
        } else {
            let extensions = not_r | (x ^ 1) << 6 | (b ^ 1) << 5;
            self.bytes(&[0xC4, extensions | op.map as u8, u8::from(op.w) << 7 | last]);
        }
        self.byte(op.byte);
        self.modrm(reg, rm, 1, u8::from(imm.is_some()));
        if let Some(imm) = imm {
            self.byte(imm);
        }
    }
}
