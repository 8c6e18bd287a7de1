//! What all encodings share: the ModRM byte, the SIB byte and the displacement.

use super::asm::Asm;
use super::{Base, Gpr, Index, Mem, Rm, RmV};

/// A register number (of whatever kind) or memory: what ModRM.rm says.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Reg(u8),
    Mem(Mem),
}

impl From<Rm> for Place {
    fn from(rm: Rm) -> Self {
        match rm {
            Rm::Reg(reg) => Self::Reg(reg.0),
            Rm::Mem(mem) => Self::Mem(mem),
        }
    }
}

impl From<RmV> for Place {
    fn from(rm: RmV) -> Self {
        match rm {
            RmV::Reg(reg) => Self::Reg(reg.0),
            RmV::Mem(mem) | RmV::Bcast(mem) => Self::Mem(mem),
        }
    }
}

impl From<Gpr> for Place {
    fn from(reg: Gpr) -> Self {
        Self::Reg(reg.0)
    }
}

impl Place {
    /// The number of the index register, 0 without.
    pub(super) fn index(self) -> u8 {
        match self {
            Self::Mem(Mem { index: Some((Index::Gpr(Gpr(index)) | Index::Vec(super::Xmm(index)), _)), .. }) => index,
            _ => 0,
        }
    }

    /// The number of the base register, or of the register itself.
    pub(super) fn base(self) -> u8 {
        match self {
            Self::Reg(reg) => reg,
            Self::Mem(Mem { base: Base::Reg(base), .. }) => base.0,
            Self::Mem(_) => 0,
        }
    }

    /// Whether the lanes have addresses of their own.
    pub(super) fn is_vsib(self) -> bool {
        matches!(self, Self::Mem(Mem { index: Some((Index::Vec(_), _)), .. }))
    }
}

/// ModRM.rm and SIB.base: a SIB byte follows. As an index, it means none.
const SIB: u8 = 4;
/// ModRM.rm without a mode: RIP-relative. As SIB.base without a mode: no base.
const NO_BASE: u8 = 5;

impl Asm {
    /// ModRM, SIB and displacement. A displacement of one byte counts in units of `unit` bytes; `tail` bytes of
    /// immediate follow.
    pub(super) fn modrm(&mut self, reg: u8, place: Place, unit: u8, tail: u8) {
        let reg = (reg & 7) << 3;
        match place {
            Place::Reg(rm) => self.byte(0xC0 | reg | (rm & 7)),
            Place::Mem(mem) => self.memory(reg, mem, unit, tail),
        }
    }

    fn memory(&mut self, reg: u8, mem: Mem, unit: u8, tail: u8) {
        match mem.base {
            Base::Pool(offset) => {
                assert!(mem.index.is_none(), "the pool takes no index");
                self.byte(reg | NO_BASE);
                self.pool_distance(i64::from(offset) + i64::from(mem.disp), tail);
            }
            Base::None => {
                self.bytes(&[reg | SIB, sib(mem.index, NO_BASE)]);
                self.i32(mem.disp);
            }
            Base::Reg(Gpr(base)) => {
                assert!(base < 16, "general register {base}");
                let disp = Displacement::of(mem.disp, base, unit);
                if mem.index.is_some() || base & 7 == SIB {
                    self.bytes(&[disp.mode() | reg | SIB, sib(mem.index, base)]);
                } else {
                    self.byte(disp.mode() | reg | (base & 7));
                }
                match disp {
                    Displacement::None => {}
                    Displacement::Byte(units) => self.byte(units as u8),
                    Displacement::Full(bytes) => self.i32(bytes),
                }
            }
        }
    }
}

/// The SIB byte.
fn sib(index: Option<(Index, u8)>, base: u8) -> u8 {
    let (index, scale) = match index {
        None => (SIB, 1),
        Some((Index::Gpr(reg), scale)) => {
            assert!(reg.0 < 16 && reg != Gpr::RSP, "{reg:?} as an index");
            (reg.0, scale)
        }
        Some((Index::Vec(reg), scale)) => (reg.0, scale),
    };
    assert!(matches!(scale, 1 | 2 | 4 | 8), "a scale of {scale}");
    (scale.trailing_zeros() as u8) << 6 | (index & 7) << 3 | (base & 7)
}

/// A displacement from a base register, as short as it can be.
enum Displacement {
    None,
    /// In units of the instruction.
    Byte(i8),
    Full(i32),
}

impl Displacement {
    fn of(disp: i32, base: u8, unit: u8) -> Self {
        let unit = i32::from(unit);
        match i8::try_from(disp / unit) {
            // rbp and r13 without displacement would mean no base.
            Ok(0) if disp == 0 && base & 7 != NO_BASE => Self::None,
            Ok(units) if disp % unit == 0 => Self::Byte(units),
            _ => Self::Full(disp),
        }
    }

    /// ModRM.mod.
    fn mode(&self) -> u8 {
        match self {
            Self::None => 0x00,
            Self::Byte(_) => 0x40,
            Self::Full(_) => 0x80,
        }
    }
}
