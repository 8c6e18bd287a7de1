//! Machine instructions over virtual registers, in SSA form: what selection writes, register allocation
//! reads and [`emit`](super::emit) encodes.
//!
//! An instruction is a [`Kind`] and its register operands in the order that the kind states. Blocks end
//! with one terminator; a block with several predecessors takes parameters, and only from blocks with one
//! successor (no critical edges).

use super::x64::{AluOp, Cond, KOp, Len, ShiftOp, Size, VOp};
use regalloc2::{Block, Inst, InstRange, Operand, OperandKind, PRegSet, RegClass, VReg};

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
    /// Source, address.
    Store(Size, Address),
    StoreImm(Address, i32),
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
    operands: Vec<Operand>,
    starts: Vec<u32>,
    pub(super) nodes: Vec<Node>,
    pub(super) vregs: usize,
    /// Bytes of a vector register.
    pub(super) vector_bytes: usize,
    /// Vectors of the frame that selection uses.
    pub(super) parked: u32,
    /// Instructions of each block, while blocks are not contiguous, with the range of their operands in `loose`.
    lists: Vec<Vec<(Kind, std::ops::Range<u32>)>>,
    loose: Vec<Operand>,
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

    /// Lays the instructions of all blocks out in one list, without blocks that nothing leads to and
    /// instructions that nothing needs.
    pub(super) fn seal(&mut self) {
        self.order();
        self.drop_dead();
        for (node, list) in self.nodes.iter_mut().zip(std::mem::take(&mut self.lists)) {
            node.first = self.kinds.len() as u32;
            for (kind, operands) in list {
                self.kinds.push(kind);
                self.starts.push(self.operands.len() as u32);
                self.operands.extend_from_slice(at(&self.loose, &operands));
            }
            node.end = self.kinds.len() as u32;
        }
        self.starts.push(self.operands.len() as u32);
    }

    /// Puts blocks into an order in which most run into the next; drops those that nothing leads to.
    fn order(&mut self) {
        let mut number: Vec<Option<usize>> = vec![None; self.nodes.len()];
        let mut placed = 0;
        let (mut todo, mut cold) = (vec![0], Vec::new());
        while let Some(start) = todo.pop().or_else(|| cold.pop()) {
            let mut at = Some(start);
            while let Some(b) = at.filter(|b| number[*b].is_none()) {
                number[b] = Some(placed);
                placed += 1;
                let succs = || self.nodes[b].succs.iter().map(|s| s.index());
                let open = |s: &usize| number[*s].is_none() && !self.nodes[*s].cold;
                at = succs().filter(open).min_by_key(|s| self.nodes[*s].later);
                for s in succs().filter(|s| at != Some(*s)).collect::<Vec<_>>().into_iter().rev() {
                    if self.nodes[s].cold { cold.push(s) } else { todo.push(s) }
                }
            }
        }
        let rename = |b: &Block| number[b.index()].map(Block::new);
        let count = number.iter().flatten().count();
        let mut nodes: Vec<Node> = vec![Node::default(); count];
        let mut lists = vec![Vec::new(); count];
        let old = std::mem::take(&mut self.nodes).into_iter().zip(std::mem::take(&mut self.lists));
        for ((mut node, list), n) in old.zip(&number) {
            if let Some(n) = n {
                node.succs = node.succs.iter().filter_map(rename).collect();
                node.preds = node.preds.iter().filter_map(rename).collect();
                nodes[*n] = node;
                lists[*n] = list;
            }
        }
        (self.nodes, self.lists) = (nodes, lists);
    }

    /// Drops instructions without effects whose results are unused, and parameters that only feed themselves.
    fn drop_dead(&mut self) {
        let mut live = vec![false; self.vregs];
        let mut makers: Vec<Option<(u32, u32)>> = vec![None; self.vregs];
        // What is passed for each parameter: the last one, and the one before each.
        let mut fed: Vec<u32> = vec![u32::MAX; self.vregs];
        let mut feeds: Vec<(VReg, u32)> = Vec::new();
        let mut todo: Vec<VReg> = Vec::new();
        for (b, list) in self.lists.iter().enumerate() {
            for (i, (kind, operands)) in list.iter().enumerate() {
                let operands = at(&self.loose, operands);
                let effects = kind.has_effects() || operands.iter().all(|o| o.kind() == OperandKind::Use);
                for o in operands {
                    match o.kind() {
                        OperandKind::Def => makers[o.vreg().vreg()] = Some((b as u32, i as u32)),
                        OperandKind::Use if effects => todo.push(o.vreg()),
                        OperandKind::Use => {}
                    }
                }
            }
            let node = &self.nodes[b];
            for s in &node.succs {
                for (param, arg) in self.nodes[s.index()].params.iter().zip(&node.args) {
                    let before = std::mem::replace(&mut fed[param.vreg()], feeds.len() as u32);
                    feeds.push((*arg, before));
                }
            }
        }
        while let Some(v) = todo.pop() {
            if std::mem::replace(&mut live[v.vreg()], true) {
                continue;
            }
            let mut feed = fed[v.vreg()];
            while let Some((arg, before)) = feeds.get(feed as usize) {
                todo.push(*arg);
                feed = *before;
            }
            if let Some((b, i)) = makers[v.vreg()] {
                let (_, operands) = &self.lists[b as usize][i as usize];
                todo.extend(
                    at(&self.loose, operands).iter().filter(|o| o.kind() == OperandKind::Use).map(|o| o.vreg()),
                );
            }
        }
        for list in &mut self.lists {
            list.retain(|(kind, operands)| {
                let operands = at(&self.loose, operands);
                let unused = |o: &Operand| o.kind() == OperandKind::Use || !live[o.vreg().vreg()];
                kind.has_effects()
                    || operands.iter().all(|o| o.kind() == OperandKind::Use)
                    || !operands.iter().all(unused)
            });
        }
        let keep: Vec<Vec<bool>> =
            self.nodes.iter().map(|n| n.params.iter().map(|p| live[p.vreg()]).collect()).collect();
        for node in &mut self.nodes {
            if let (Some(s), 1) = (node.succs.first(), node.succs.len()) {
                let mut kept = keep[s.index()].iter();
                node.args.retain(|_| kept.next().copied().unwrap_or(true));
            }
        }
        for (node, keep) in self.nodes.iter_mut().zip(&keep) {
            let mut kept = keep.iter();
            node.params.retain(|_| kept.next().copied().unwrap_or(true));
        }
    }
}

/// The operands in a range.
fn at<'o>(operands: &'o [Operand], range: &std::ops::Range<u32>) -> &'o [Operand] {
    &operands[range.start as usize..range.end as usize]
}

impl Kind {
    /// Whether it does more than to define registers.
    fn has_effects(&self) -> bool {
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
