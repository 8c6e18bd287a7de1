//! Every instruction with random operands, decoded again by another library and compared with what was asked for.

mod flow;
mod general;
mod masks;
mod refusals;
mod vector;
mod words;

use iced_x86::{Decoder, DecoderOptions, Instruction, OpKind, Register};

use super::{Asm, Base, Gpr, Index, Kreg, Mem, Rm, Size, Xmm};

/// A pool of this many bytes is appended to all code tested.
const POOL: usize = 512;

/// An instruction as it is meant to be.
struct Wanted {
    mnemonic: String,
    operands: Vec<Operand>,
    mask: Option<(Kreg, bool)>,
    broadcast: bool,
    lock: bool,
}

impl Wanted {
    fn new(mnemonic: impl Into<String>, operands: impl Into<Vec<Operand>>) -> Self {
        Self { mnemonic: mnemonic.into(), operands: operands.into(), mask: None, broadcast: false, lock: false }
    }

    fn locked(self) -> Self {
        Self { lock: true, ..self }
    }
}

/// An operand as it is meant to be.
#[derive(Debug)]
enum Operand {
    Reg(Register),
    /// Memory, the bytes accessed and the register that vector 0 is called as an index.
    Mem(Mem, usize, Register),
    /// The low bits of a constant: how many, and their value.
    Imm(u32, u64),
    /// A place in the code.
    Branch(u64),
}

impl Operand {
    fn gpr(size: Size, reg: Gpr) -> Self {
        Self::Reg(numbered(if size == Size::D { Register::EAX } else { Register::RAX }, reg.0))
    }

    fn rm(size: Size, rm: Rm) -> Self {
        match rm {
            Rm::Reg(reg) => Self::gpr(size, reg),
            Rm::Mem(mem) => Self::mem(mem, bits(size) as usize / 8),
        }
    }

    fn mem(mem: Mem, bytes: usize) -> Self {
        Self::Mem(mem, bytes, Register::None)
    }

    fn kreg(reg: Kreg) -> Self {
        Self::Reg(numbered(Register::K0, reg.0))
    }

    fn xmm(reg: Xmm) -> Self {
        Self::Reg(numbered(Register::XMM0, reg.0))
    }

    fn imm32(size: Size, value: i32) -> Self {
        Self::Imm(bits(size), i64::from(value) as u64)
    }
}

fn numbered(first: Register, number: u8) -> Register {
    first + u32::from(number)
}

fn bits(size: Size) -> u32 {
    match size {
        Size::D => 32,
        Size::Q => 64,
    }
}

/// Decodes all of the code and compares it with what is wanted, one by one.
fn assert_code(asm: Asm, wanted: &[Wanted]) {
    let end = asm.position();
    let code = asm.finish(&[0xAB; POOL]);
    assert_eq!(&code[code.len() - POOL..], [0xAB; POOL]);
    let mut decoder = Decoder::new(64, &code[..end], DecoderOptions::NONE);
    for wanted in wanted {
        let instruction = decoder.decode();
        let at = instruction.ip() as usize;
        let bytes = &code[at..instruction.next_ip() as usize];
        if let Err(why) = compare(&instruction, wanted, (code.len() - POOL) as u64) {
            let Wanted { mnemonic, operands, .. } = wanted;
            panic!("{why} in {instruction:?} ({bytes:02x?})\nwanted {mnemonic} {operands:x?}");
        }
    }
    assert!(!decoder.can_decode(), "more code than wanted");
}

fn compare(is: &Instruction, wanted: &Wanted, pool: u64) -> Result<(), String> {
    let same = |what: &str, same: bool| if same { Ok(()) } else { Err(format!("another {what}")) };
    same("encoding, not a valid one", !is.is_invalid())?;
    same("mnemonic", format!("{:?}", is.mnemonic()).to_lowercase() == wanted.mnemonic)?;
    same("number of operands", is.op_count() as usize == wanted.operands.len())?;
    let (mask, zero) = wanted.mask.map_or((Register::None, false), |(k, z)| (numbered(Register::K0, k.0), z));
    same("mask", is.op_mask() == mask)?;
    same("masking", is.zeroing_masking() == zero)?;
    same("broadcast", is.is_broadcast() == wanted.broadcast)?;
    same("lock", is.has_lock_prefix() == wanted.lock)?;
    for (i, operand) in (0..).zip(&wanted.operands) {
        match *operand {
            Operand::Reg(reg) => {
                same("register", is.op_kind(i) == OpKind::Register && is.op_register(i) == reg)?;
            }
            Operand::Imm(bits, value) => {
                same("immediate", (is.immediate(i) ^ value) << (64 - bits) == 0)?;
            }
            Operand::Branch(to) => same("target", is.near_branch_target() == to)?,
            Operand::Mem(mem, bytes, vectors) => {
                same("operand, not memory", is.op_kind(i) == OpKind::Memory)?;
                same("memory size", is.memory_size().size() == bytes)?;
                compare_memory(is, mem, vectors, pool)?;
            }
        }
    }
    Ok(())
}

fn compare_memory(is: &Instruction, mem: Mem, vectors: Register, pool: u64) -> Result<(), String> {
    let (index, scale) = match mem.index {
        None => (Register::None, 1),
        Some((Index::Gpr(reg), scale)) => (numbered(Register::RAX, reg.0), scale),
        Some((Index::Vec(reg), scale)) => (numbered(vectors, reg.0), scale),
    };
    let (base, displacement) = match mem.base {
        Base::Reg(reg) => (numbered(Register::RAX, reg.0), i64::from(mem.disp) as u64),
        Base::Pool(offset) => (Register::RIP, (pool + u64::from(offset)).wrapping_add_signed(mem.disp.into())),
        Base::None => (Register::None, i64::from(mem.disp) as u64),
    };
    if (is.memory_base(), is.memory_index(), is.memory_index_scale()) != (base, index, u32::from(scale)) {
        return Err("other registers or another scale in the address".into());
    }
    if is.memory_displacement64() != displacement {
        return Err(format!("displacement {:x}", is.memory_displacement64()));
    }
    Ok(())
}

/// Small numbers that look random, the same ones in every run.
struct Random(u64);

impl Random {
    /// Any number below `n`.
    fn below(&mut self, n: u32) -> u32 {
        // splitmix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        let random = (z ^ z >> 31) >> 32;
        ((random * u64::from(n)) >> 32) as u32
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    fn u8(&mut self, below: u8) -> u8 {
        self.below(u32::from(below)) as u8
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }

    fn gpr(&mut self) -> Gpr {
        Gpr(self.u8(16))
    }

    fn kreg(&mut self) -> Kreg {
        Kreg(self.u8(8))
    }

    fn size(&mut self) -> Size {
        self.pick(&[Size::D, Size::Q])
    }

    /// A constant, often near where its encoding becomes longer.
    fn i32(&mut self) -> i32 {
        let near = self.pick(&[0, 127, -128, 0x7FFF, i32::MAX, i32::MIN]);
        if self.one_in(4) { self.below(u32::MAX) as i32 } else { near.wrapping_add(self.below(5) as i32 - 2) }
    }

    /// A displacement, often near where one byte in units of `unit` bytes no longer holds it.
    fn displacement(&mut self, unit: i32) -> i32 {
        match self.below(8) {
            0 => 0,
            1..4 => unit * self.pick(&[1, -1, 126, 127, 128, -127, -128, -129, 5]),
            4 => unit * (self.below(300) as i32 - 150),
            5 => self.below(2000) as i32 - 1000,
            _ => self.i32(),
        }
    }

    /// Memory for an instruction that counts short displacements in `unit` bytes.
    fn mem(&mut self, unit: i32) -> Mem {
        match self.below(10) {
            0 => Mem { base: Base::Pool(self.below(POOL as u32 / 2)), index: None, disp: self.below(200) as i32 },
            1 => Mem { base: Base::None, index: self.index(), disp: self.i32() },
            _ => Mem { base: Base::Reg(self.gpr()), index: self.index(), disp: self.displacement(unit) },
        }
    }

    fn index(&mut self) -> Option<(Index, u8)> {
        let reg = self.gpr();
        let scale = self.pick(&[1, 2, 4, 8]);
        (reg != Gpr::RSP && self.one_in(2)).then_some((Index::Gpr(reg), scale))
    }

    fn rm(&mut self) -> Rm {
        if self.one_in(2) { Rm::Reg(self.gpr()) } else { Rm::Mem(self.mem(1)) }
    }
}
