//! Vector instructions: from the table to bytes.

use super::asm::Asm;
use super::evex::Evex;
use super::modrm::Place;
use super::table::{Form, Row};
use super::vex::{Map, Opcode, Operands, Pp};
use super::{Gpr, Isa, Len, Masking, Mem, RmV, Size, VOp, Xmm};

impl Asm {
    /// A vector instruction.
    ///
    /// With AVX-512 it is EVEX wherever there is such a form, so that all registers can be named. `dst` is written
    /// (by stores: read), a mask register for the comparisons of EVEX, else a vector; `a` is the first source,
    /// ignored by operations without; `b` the last (of stores: what is written). `len` is that of the wider operand,
    /// as `table` lists it. `mask` needs EVEX.
    #[allow(clippy::too_many_arguments, reason = "an instruction has these parts, named where it is written down")]
    pub(crate) fn vec(&mut self, op: VOp, len: Len, dst: u8, a: u8, b: RmV, imm: Option<u8>, mask: Option<Masking>) {
        let op = op.resolve(self.isa, len);
        let row = op.row();
        let instruction = Instruction { row, len, dst, a, b, imm, mask };
        match row.evex() {
            Some(opcode) if self.isa == Isa::Avx512 => {
                instruction.check_evex().unwrap_or_else(|why| panic!("{op:?}: {why}"));
                let broadcast = matches!(b, RmV::Bcast(_));
                let evex = Evex { len, mask, broadcast, unit: row.unit(len, broadcast) };
                self.evex(opcode, evex, instruction.operands(Isa::Avx512));
            }
            _ => {
                let opcode = row.vex().unwrap_or_else(|| panic!("{op:?}: not with {:?}", self.isa));
                instruction.check_vex().unwrap_or_else(|why| panic!("{op:?}: {why}"));
                self.vex(opcode, len == Len::L256, instruction.operands(Isa::Avx2));
            }
        }
    }
}

/// The parts of an instruction.
struct Instruction {
    row: &'static Row,
    len: Len,
    dst: u8,
    a: u8,
    b: RmV,
    imm: Option<u8>,
    mask: Option<Masking>,
}

impl Instruction {
    /// Which part goes where; `isa` says whether a gather has its mask in `a`.
    fn operands(&self, isa: Isa) -> Operands {
        let (rm, imm) = (Place::from(self.b), self.imm);
        let (reg, vvvv) = match self.row.form {
            Form::Shift(extension) => (extension, self.dst),
            Form::Gather if isa == Isa::Avx512 => (self.dst, 0),
            Form::Rvm | Form::RvmI | Form::Cmp | Form::CmpI | Form::MaskA | Form::Gather => (self.dst, self.a),
            Form::Rm | Form::RmI | Form::RmGpr | Form::St | Form::Past | Form::StI | Form::Scatter => (self.dst, 0),
        };
        Operands { reg, vvvv, rm, imm }
    }

    /// What both encodings ask for.
    fn check(&self) -> Result<(), &'static str> {
        let form = self.row.form;
        if self.len < self.row.shortest {
            return Err("not at this length");
        }
        if self.imm.is_some() != form.has_imm() {
            return Err("an immediate too many or missing");
        }
        if Place::from(self.b).is_vsib() != form.is_vsib() {
            return Err("an address a lane is for gathers and scatters only");
        }
        match (form, self.b) {
            (Form::RmGpr, RmV::Reg(Xmm(0..16))) => Ok(()),
            (Form::RmGpr, _) => Err("from general registers only"),
            (Form::MaskA | Form::Past, RmV::Reg(_)) => Err("memory only"),
            (Form::Gather, _) if self.dst == Place::from(self.b).index() => Err("indices are overwritten"),
            _ => Ok(()),
        }
    }

    fn check_vex(&self) -> Result<(), &'static str> {
        self.check()?;
        if self.len == Len::L512 {
            return Err("VEX has no 512 bits");
        }
        if self.mask.is_some() || matches!(self.b, RmV::Bcast(_)) {
            return Err("VEX has neither masks nor broadcasts");
        }
        match (self.row.form, self.b) {
            (Form::Shift(_), RmV::Mem(_)) => Err("VEX shifts registers only"),
            (Form::Gather, b) if self.a == self.dst || self.a == Place::from(b).index() => {
                Err("the mask needs a register of its own")
            }
            _ => Ok(()),
        }
    }

    fn check_evex(&self) -> Result<(), &'static str> {
        self.check()?;
        let form = self.row.form;
        let to_mask = matches!(form, Form::Cmp | Form::CmpI);
        if to_mask && self.dst >= 8 {
            return Err("no such mask register");
        }
        if matches!(self.b, RmV::Bcast(_)) && !self.row.can_broadcast() {
            return Err("no broadcast");
        }
        let Some(mask) = self.mask else {
            return if form.is_vsib() { Err("needs a mask") } else { Ok(()) };
        };
        if form == Form::Past {
            return Err("all of it or none");
        }
        let to_memory = matches!((form, self.b), (Form::St | Form::StI, RmV::Mem(_)));
        match (mask.k.0, mask.zero) {
            (1..8, true) if to_mask || to_memory || form.is_vsib() => Err("no zeroing"),
            (1..8, _) => Ok(()),
            _ => Err("no such mask"),
        }
    }
}

/// The instructions outside the table: those of VEX with operands of their own.
impl Asm {
    /// `dst = b` in the elements (64 bits with `pd`, else 32) where `mask` is negative, else `a`.
    #[allow(clippy::too_many_arguments, reason = "an instruction has these parts, named where it is written down")]
    pub(crate) fn blendv(&mut self, pd: bool, len: Len, dst: u8, a: u8, b: RmV, mask: Xmm) {
        assert!(mask.0 < 16, "register without a VEX encoding");
        let op = vex_op(Pp::P66, Map::M0F3A, if pd { 0x4B } else { 0x4A });
        self.vex_vector(op, len, dst, a, b, Some(mask.0 << 4));
    }

    /// `dst` = the signs of the elements (64 bits with `pd`, else 32), zero extended.
    pub(crate) fn movmsk(&mut self, pd: bool, len: Len, dst: Gpr, src: Xmm) {
        let op = vex_op(if pd { Pp::P66 } else { Pp::None }, Map::M0F, 0x50);
        self.vex_vector(op, len, dst.0, 0, RmV::Reg(src), None);
    }

    /// `dst` = the signs of the bytes, zero extended.
    pub(crate) fn pmovmskb(&mut self, len: Len, dst: Gpr, src: Xmm) {
        self.vex_vector(vex_op(Pp::P66, Map::M0F, 0xD7), len, dst.0, 0, RmV::Reg(src), None);
    }

    /// Zero flag: `a & b` is 0. Carry flag: `!a & b` is 0.
    pub(crate) fn vptest(&mut self, len: Len, a: Xmm, b: RmV) {
        self.vex_vector(vex_op(Pp::P66, Map::M0F38, 0x17), len, a.0, 0, b, None);
    }

    /// Zeroes all but the low 128 bits of the vector registers 0 to 15.
    pub(crate) fn vzeroupper(&mut self) {
        self.bytes(&[0xC5, 0xF8, 0x77]);
    }

    fn vex_vector(&mut self, op: Opcode, len: Len, reg: u8, vvvv: u8, b: RmV, imm: Option<u8>) {
        assert!(len != Len::L512 && !matches!(b, RmV::Bcast(_)), "VEX has neither 512 bits nor broadcasts");
        let rm = Place::from(b);
        assert!(!rm.is_vsib(), "an address a lane is for gathers and scatters only");
        self.vex(op, len == Len::L256, Operands { reg, vvvv, rm, imm });
    }
}

/// Moves between vector and general registers, all of them of the low 128 bits.
impl Asm {
    /// `dst` = the first element.
    pub(crate) fn movd_to_gpr(&mut self, size: Size, dst: Gpr, src: Xmm) {
        self.transfer(Map::M0F, 0x7E, size, Operands { reg: src.0, vvvv: 0, rm: dst.into(), imm: None });
    }

    /// `dst` = one element and zeros.
    pub(crate) fn movd_from_gpr(&mut self, size: Size, dst: Xmm, src: Gpr) {
        self.transfer(Map::M0F, 0x6E, size, Operands { reg: dst.0, vvvv: 0, rm: src.into(), imm: None });
    }

    /// `dst` = element `lane`.
    pub(crate) fn pextr(&mut self, size: Size, dst: Gpr, src: Xmm, lane: u8) {
        self.transfer(Map::M0F3A, 0x16, size, Operands { reg: src.0, vvvv: 0, rm: dst.into(), imm: Some(lane) });
    }

    /// `*to` = element `lane`.
    pub(crate) fn store_lane(&mut self, size: Size, to: Mem, src: Xmm, lane: u8) {
        let (map, byte, imm) = if lane == 0 { (Map::M0F, 0x7E, None) } else { (Map::M0F3A, 0x16, Some(lane)) };
        self.transfer(map, byte, size, Operands { reg: src.0, vvvv: 0, rm: Place::Mem(to), imm });
    }

    /// `dst = a` with `src` as element `lane`.
    pub(crate) fn pinsr(&mut self, size: Size, dst: Xmm, a: Xmm, src: Gpr, lane: u8) {
        self.transfer(Map::M0F3A, 0x22, size, Operands { reg: dst.0, vvvv: a.0, rm: src.into(), imm: Some(lane) });
    }

    fn transfer(&mut self, map: Map, byte: u8, size: Size, operands: Operands) {
        assert!(operands.rm.base() < 16, "no such general register");
        let op = Opcode { pp: Pp::P66, map, byte, w: size == Size::Q };
        match self.isa {
            Isa::Avx2 => self.vex(op, false, operands),
            Isa::Avx512 => {
                let unit = if op.w { 8 } else { 4 };
                self.evex(op, Evex { len: Len::L128, mask: None, broadcast: false, unit }, operands);
            }
        }
    }
}

fn vex_op(pp: Pp, map: Map, byte: u8) -> Opcode {
    Opcode { pp, map, byte, w: false }
}
