//! Machine instructions over virtual registers, in SSA form: what selection writes, register allocation
//! reads and [`emit`](super::emit) encodes.
//!
//! An instruction is a [`Kind`] and its register operands in the order that the kind states. Blocks end
//! with one terminator; a block with several predecessors takes parameters, and only from blocks with one
//! successor (no critical edges).

use super::x64::{AluOp, Cond, KOp, Len, ShiftOp, Size, VOp};
use regalloc2::{Block, Inst, InstRange, Operand, PRegSet, RegClass, VReg};

/// Where an address starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum From {
    /// A general register.
    Reg(VReg),
    /// The context of the batch.
    Context,
    /// The constant pool.
    Pool(u32),
    /// The area through which helpers get and give values.
    Area,
    /// A vector of the frame, by its number below [`Function::parked`].
    Frame(u32),
}

/// An address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Address {
    pub(super) base: From,
    /// Index register (general, or a vector where the flag is set) and scale.
    pub(super) index: Option<(VReg, u8, bool)>,
    pub(super) disp: i32,
}

impl Address {
    pub(super) fn at(base: From, disp: i32) -> Self {
        Address { base, index: None, disp }
    }

    pub(super) fn plus(self, disp: i32) -> Self {
        Address { disp: self.disp + disp, ..self }
    }
}

/// The last source of a vector instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Src {
    Reg(VReg),
    Mem(Address),
    /// One element, repeated (AVX-512).
    Splat(Address),
}

/// The last source of a general instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum GSrc {
    Reg(VReg),
    Mem(Address),
    Imm(i32),
}

/// The role of the destination field of a vector instruction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Dst {
    /// It is written.
    Def(VReg),
    /// It is read: a store.
    Use(VReg),
}

/// A vector instruction as selection states it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vector {
    pub(super) op: VOp,
    pub(super) len: Len,
    pub(super) dst: Dst,
    /// A source that must share the destination's register.
    pub(super) tied: Option<VReg>,
    /// The second operand of three.
    pub(super) a: Option<VReg>,
    pub(super) b: Src,
    pub(super) imm: Option<u8>,
    /// Mask register, and whether masked-off elements become zero (else they keep the tied source).
    pub(super) mask: Option<(VReg, bool)>,
}

/// What an instruction is. Register operands are listed in the order of the fields.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Vector(Vector),
    /// AVX2 blend: d, a, b, mask.
    BlendV {
        pd: bool,
        len: Len,
    },
    /// d (tied to old), what is left of the mask, old, mask, base, index.
    Gather {
        op: VOp,
        len: Len,
        mem: Address,
    },
    /// What is left of the mask, source, mask, base, index.
    Scatter {
        op: VOp,
        len: Len,
        mem: Address,
    },
    /// d, a: instructions whose destination is encoded as the last operand.
    Narrow {
        op: VOp,
        len: Len,
        imm: Option<u8>,
    },
    /// d vector: all bits zero.
    Zero,
    /// d general, a vector.
    ToGpr(Size),
    /// d vector, a general.
    FromGpr(Size),
    /// d general, a vector mask.
    MoveMask {
        len: Len,
    },
    /// d, a, b mask registers.
    Mask(KOp),
    MaskNot,
    MaskShiftRight(u8),
    MaskFromGpr,
    MaskToGpr,
    MaskOnes,
    Imm(u64),
    /// d, a: the low half, zero-extended, or all of it.
    Copy(Size),
    /// d, a: the low half, sign-extended.
    SignExtend,
    Load(Size, Address),
    /// d: 16 bits, zero-extended.
    LoadShort(Address),
    /// Source, address.
    Store(Size, Address),
    StoreImm(Address, i32),
    /// Source, address: its low 16 bits.
    StoreShort(Address),
    /// Address: what is there will be read soon.
    Prefetch(Address),
    Lea(Size, Address),
    /// Source vector, address: one element of its low 16 bytes.
    StoreLane(Size, Address, u8),
    /// Source, address: `*address = *address op source`, locked if other threads may do so too.
    AluMem(AluOp, Size, bool, Address),
    /// d (the old value) tied to a, address: `*address += a`, locked.
    ExchangeAdd(Size, Address),
    /// d, a (not 0): the number of its lowest one.
    LowestOne,
    /// d = a, a, b.
    Alu(AluOp, Size, GSrc),
    Neg(Size),
    Not(Size),
    Imul(Size, GSrc),
    ImulImm(Size, i32),
    Shift(ShiftOp, Size, u8),
    /// d, a, count.
    ShiftVar(ShiftOp, Size),
    /// d = (a cond b) as 0 or 1.
    SetIf(Cond, Size, GSrc),
    /// d = no, a, b, yes: `a cond b ? yes : no`.
    MoveIf(Cond, Size, GSrc),
    /// quotient (rax), remainder (rdx), a (rax), b.
    Divide {
        signed: bool,
        size: Size,
    },
    /// A call of a helper through the area.
    Call,
    /// The fuel of a block of lanes.
    Refuel,
    /// d: any value.
    Undefined,
    // Terminators.
    Jump,
    /// a, b: first successor if `a cond b`.
    Branch(Cond, Size, GSrc),
    /// Two masks: first successor if any lane is set in either.
    BranchAny,
    /// Burns fuel: first successor if there is none left.
    BranchFuel,
    /// The same for loops around barriers.
    BranchOuterFuel,
    /// Status.
    Return(u32),
}

/// A block: a range of instructions and where it leads.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) first: u32,
    pub(super) end: u32,
    pub(super) params: Vec<VReg>,
    pub(super) succs: Vec<Block>,
    pub(super) args: Vec<VReg>,
    pub(super) preds: Vec<Block>,
    /// Laid out after the others.
    pub(super) cold: bool,
    /// Laid out after its siblings: what follows a loop, an arm that is skipped.
    pub(super) later: bool,
    /// Alignment wanted: the head of a loop.
    pub(super) head: bool,
}

/// A function.
#[derive(Debug, Default)]
pub(super) struct Function {
    pub(super) kinds: Vec<Kind>,
    pub(super) operands: Vec<Operand>,
    pub(super) starts: Vec<u32>,
    /// The blocks: sealed, each after all that lead to it but for jumps back to heads of loops, and loops in one piece.
    pub(super) nodes: Vec<Node>,
    /// The order in which they are encoded.
    pub(super) layout: Vec<u32>,
    pub(super) vregs: usize,
    /// Bytes of a vector register.
    pub(super) vector_bytes: usize,
    /// Vectors of the frame that selection uses.
    pub(super) parked: u32,
    /// Instructions of each block, while blocks are not contiguous, with the range of their operands in `loose`.
    pub(super) lists: Vec<Vec<(Kind, std::ops::Range<u32>)>>,
    pub(super) loose: Vec<Operand>,
}

impl Function {
    pub(super) fn new(vector_bytes: usize) -> Self {
        Function { vector_bytes, ..Function::default() }
    }

    pub(super) fn reg(&mut self, class: RegClass) -> VReg {
        self.vregs += 1;
        VReg::new(self.vregs - 1, class)
    }

    pub(super) fn block(&mut self) -> Block {
        self.nodes.push(Node::default());
        self.lists.push(Vec::new());
        Block::new(self.nodes.len() - 1)
    }

    pub(super) fn push(&mut self, block: Block, kind: Kind, operands: Vec<Operand>) {
        let first = self.loose.len() as u32;
        self.loose.extend(operands);
        self.lists[block.index()].push((kind, first..self.loose.len() as u32));
    }

    pub(super) fn is_ended(&self, block: Block) -> bool {
        self.lists[block.index()].last().is_some_and(|(kind, _)| kind.is_terminator())
    }

    /// Ends a block.
    pub(super) fn end(&mut self, block: Block, kind: Kind, operands: Vec<Operand>, succs: &[Block], args: Vec<VReg>) {
        debug_assert!(!self.is_ended(block) && kind.is_terminator());
        self.push(block, kind, operands);
        let node = &mut self.nodes[block.index()];
        node.succs = succs.to_vec();
        node.args = args;
        for s in succs {
            self.nodes[s.index()].preds.push(block);
        }
    }
}

impl Kind {
    /// Whether it does more than to define registers.
    pub(super) fn has_effects(&self) -> bool {
        matches!(self, Kind::Scatter { .. } | Kind::ExchangeAdd(..) | Kind::Call | Kind::Refuel) || self.is_terminator()
    }

    pub(super) fn is_terminator(&self) -> bool {
        matches!(
            self,
            Kind::Jump
                | Kind::Branch(..)
                | Kind::BranchAny
                | Kind::BranchFuel
                | Kind::BranchOuterFuel
                | Kind::Return(_)
        )
    }
}

impl regalloc2::Function for Function {
    fn num_insts(&self) -> usize {
        self.kinds.len()
    }

    fn num_blocks(&self) -> usize {
        self.nodes.len()
    }

    fn entry_block(&self) -> Block {
        Block::new(0)
    }

    fn block_insns(&self, block: Block) -> InstRange {
        let node = &self.nodes[block.index()];
        InstRange::new(Inst::new(node.first as usize), Inst::new(node.end as usize))
    }

    fn block_succs(&self, block: Block) -> &[Block] {
        &self.nodes[block.index()].succs
    }

    fn block_preds(&self, block: Block) -> &[Block] {
        &self.nodes[block.index()].preds
    }

    fn block_params(&self, block: Block) -> &[VReg] {
        &self.nodes[block.index()].params
    }

    fn is_ret(&self, inst: Inst) -> bool {
        matches!(self.kinds[inst.index()], Kind::Return(_))
    }

    fn is_branch(&self, inst: Inst) -> bool {
        self.kinds[inst.index()].is_terminator() && !self.is_ret(inst)
    }

    fn branch_blockparams(&self, block: Block, _: Inst, succ: usize) -> &[VReg] {
        let node = &self.nodes[block.index()];
        if succ == 0 && node.succs.len() == 1 { &node.args } else { &[] }
    }

    fn inst_operands(&self, inst: Inst) -> &[Operand] {
        let i = inst.index();
        &self.operands[self.starts[i] as usize..self.starts[i + 1] as usize]
    }

    fn inst_clobbers(&self, _: Inst) -> PRegSet {
        PRegSet::empty()
    }

    fn num_vregs(&self) -> usize {
        self.vregs
    }

    fn spillslot_size(&self, class: RegClass) -> usize {
        match class {
            RegClass::Int | RegClass::Vector => 1,
            RegClass::Float => self.vector_bytes / 8,
        }
    }
}
