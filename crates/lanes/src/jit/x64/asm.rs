//! The buffer: bytes, labels and the constant pool.
//!
//! Jumps back know their distance and take one byte for it where that fits; jumps forward always take four, so
//! nothing ever moves after it was written and [`Asm::finish`] only fills in distances.

use super::{Cond, Isa};

/// A place in the code, known once [bound](Asm::bind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Label(u32);

/// Where the pool starts, and therefore the code, to be loaded by its widest loads without crossing a cache line.
const POOL_ALIGN: usize = 64;

/// `int3`: what is between code and pool is never executed.
const FILLER: u8 = 0xCC;

/// Instructions being written.
pub(crate) struct Asm {
    pub(super) isa: Isa,
    code: Vec<u8>,
    /// The position of each label, once bound.
    labels: Vec<Option<usize>>,
    /// Four-byte distances to labels not bound when they were written.
    jumps: Vec<(usize, Label)>,
    pool_refs: Vec<PoolRef>,
}

/// A four-byte distance into the pool.
struct PoolRef {
    /// Where it is in the code.
    at: usize,
    /// The end of the instruction, which the distance counts from.
    end: usize,
    /// The byte of the pool it leads to.
    offset: i64,
}

impl Asm {
    /// An empty buffer for this instruction set.
    pub(crate) fn new(isa: Isa) -> Self {
        Self { isa, code: Vec::with_capacity(4096), labels: Vec::new(), jumps: Vec::new(), pool_refs: Vec::new() }
    }

    /// The instruction set written for.
    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// Bytes written so far.
    pub(crate) fn position(&self) -> usize {
        self.code.len()
    }

    /// What was written from this position on.
    #[cfg(test)]
    pub(super) fn written(&self, from: usize) -> &[u8] {
        &self.code[from..]
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.code.push(byte);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Four bytes that will lead to byte `offset` of the pool; `tail` more bytes of the instruction follow them.
    pub(super) fn pool_distance(&mut self, offset: i64, tail: u8) {
        let at = self.position();
        self.pool_refs.push(PoolRef { at, end: at + 4 + usize::from(tail), offset });
        self.i32(0);
    }

    /// A new label, not bound yet.
    pub(crate) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() as u32 - 1)
    }

    /// Binds a label to where the next instruction goes, once.
    pub(crate) fn bind(&mut self, label: Label) {
        let here = self.position();
        let old = self.labels[label.0 as usize].replace(here);
        assert!(old.is_none(), "label bound twice");
    }

    /// Jumps where the condition holds.
    pub(crate) fn jcc(&mut self, cond: Cond, to: Label) {
        let cond = cond as u8;
        self.branch(Some(0x70 | cond), &[0x0F, 0x80 | cond], to);
    }

    /// Jumps.
    pub(crate) fn jmp(&mut self, to: Label) {
        self.branch(Some(0xEB), &[0xE9], to);
    }

    /// Calls the code at a label.
    pub(crate) fn call_label(&mut self, to: Label) {
        self.branch(None, &[0xE8], to);
    }

    /// A branch with its opcode for a distance of one byte, if there is one, and of four bytes.
    fn branch(&mut self, short: Option<u8>, long: &[u8], to: Label) {
        if let (Some(short), Some(target)) = (short, self.labels[to.0 as usize]) {
            let distance = target as i64 - (self.position() as i64 + 2);
            if let Ok(distance) = i8::try_from(distance) {
                self.bytes(&[short, distance as u8]);
                return;
            }
        }
        self.bytes(long);
        self.jumps.push((self.position(), to));
        self.i32(0);
    }

    /// Pads with no-operations, each as long as can be, until the position is a multiple of `n`.
    pub(crate) fn align(&mut self, n: usize) {
        let mut missing = self.position().next_multiple_of(n) - self.position();
        while missing > 0 {
            let nop = NOPS[missing.min(NOPS.len()) - 1];
            self.bytes(nop);
            missing -= nop.len();
        }
    }

    /// The machine code: instructions, filler up to a multiple of 64 bytes, pool. It may be placed at any multiple of
    /// 64.
    pub(crate) fn finish(mut self, pool: &[u8]) -> Vec<u8> {
        let pool_start = self.position().next_multiple_of(POOL_ALIGN);
        for (at, label) in std::mem::take(&mut self.jumps) {
            let target = self.labels[label.0 as usize].expect("a label jumped to is bound");
            self.patch(at, target as i64 - (at as i64 + 4));
        }
        for PoolRef { at, end, offset } in std::mem::take(&mut self.pool_refs) {
            assert!((0..pool.len() as i64).contains(&offset), "constant at {offset}, pool of {} bytes", pool.len());
            self.patch(at, pool_start as i64 + offset - end as i64);
        }
        self.code.resize(pool_start, FILLER);
        self.code.extend_from_slice(pool);
        self.code
    }

    fn patch(&mut self, at: usize, distance: i64) {
        let distance = i32::try_from(distance).expect("code of less than 2 GiB");
        self.code[at..at + 4].copy_from_slice(&distance.to_le_bytes());
    }
}

/// No-operations of one byte, two bytes, and so on.
const NOPS: [&[u8]; 9] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0F, 0x1F, 0x00],
    &[0x0F, 0x1F, 0x40, 0x00],
    &[0x0F, 0x1F, 0x44, 0x00, 0x00],
    &[0x66, 0x0F, 0x1F, 0x44, 0x00, 0x00],
    &[0x0F, 0x1F, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0F, 0x1F, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    &[0x66, 0x0F, 0x1F, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];
