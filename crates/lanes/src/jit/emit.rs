//! Encodes an allocated function: frame, moves, block layout, the way to helpers.

use super::{
    context as cx,
    mir::{Address, Dst, From, Function, GSrc, Kind, Src, Vector},
    regs::{CONTEXT, FUEL},
    x64::{AluOp, Asm, Base, Cond, Gpr, Index, Isa, KOp, Kreg, Label, Len, Masking, Mem, Rm, RmV, Size, VOp, Xmm},
};
use regalloc2::{Allocation, Block, Edit, InstOrEdit, Output, RegClass};

/// Registers that a called function keeps.
const KEPT: [Gpr; 6] = [Gpr(3), Gpr(5), Gpr(12), Gpr(13), Gpr(14), Gpr(15)];
/// General registers that it may change.
const CHANGED: [Gpr; 9] = [Gpr(0), Gpr(1), Gpr(2), Gpr(6), Gpr(7), Gpr(8), Gpr(9), Gpr(10), Gpr(11)];
/// Most bytes of a frame: threads have 2 MiB of stack.
const MAX_FRAME: usize = 256 << 10;

pub(super) fn reverse(cond: Cond) -> Cond {
    use Cond::*;
    match cond {
        O => No,
        No => O,
        B => Ae,
        Ae => B,
        E => Ne,
        Ne => E,
        Be => A,
        A => Be,
        S => Ns,
        Ns => S,
        P => Np,
        Np => P,
        L => Ge,
        Ge => L,
        Le => G,
        G => Le,
    }
}

struct Emit<'a> {
    asm: Asm,
    f: &'a Function,
    out: &'a Output,
    isa: Isa,
    labels: Vec<Label>,
    helper: Label,
    calls: bool,
    /// Offset of the frame's first vector and bytes of one.
    vectors: [i32; 2],
    /// Where the caller's stack pointer is kept.
    saved: i32,
}

/// Operands of an instruction, taken in order.
struct Operands<'a> {
    allocs: &'a [Allocation],
    next: usize,
    /// Offset of the frame's first vector and bytes of one.
    vectors: [i32; 2],
}

/// The number of a register.
fn number(a: Allocation) -> u8 {
    a.as_reg().map_or(0, |r| r.hw_enc() as u8)
}

/// Where a spilled register lies.
fn spilled(a: Allocation) -> Option<Mem> {
    a.as_stack().map(|s| Mem::at(Gpr(4), cx::AREA_BYTES + 8 * s.index() as i32))
}

impl Operands<'_> {
    fn take(&mut self) -> Allocation {
        self.next += 1;
        self.allocs[self.next - 1]
    }

    fn number(&mut self) -> u8 {
        number(self.take())
    }

    /// A last source, which may lie on the stack.
    fn last_vector(&mut self) -> RmV {
        let a = self.take();
        spilled(a).map_or(RmV::Reg(Xmm(number(a))), RmV::Mem)
    }

    fn gpr(&mut self) -> Gpr {
        Gpr(self.number())
    }

    fn mem(&mut self, a: &Address) -> Mem {
        let (base, shift) = match a.base {
            From::Reg(_) => (Base::Reg(self.gpr()), 0),
            From::Context => (Base::Reg(CONTEXT), 0),
            From::Pool(at) => (Base::Pool(at), 0),
            From::Area => (Base::Reg(Gpr(4)), 0),
            From::Frame(number) => (Base::Reg(Gpr(4)), self.vectors[0] + number as i32 * self.vectors[1]),
        };
        let index = a.index.map(|(_, scale, vector)| {
            let n = self.number();
            (if vector { Index::Vec(Xmm(n)) } else { Index::Gpr(Gpr(n)) }, scale)
        });
        Mem { base, index, disp: a.disp + shift }
    }

    fn rm(&mut self, src: &GSrc) -> Option<Rm> {
        match src {
            GSrc::Reg(_) => {
                let a = self.take();
                Some(spilled(a).map_or(Rm::Reg(Gpr(number(a))), Rm::Mem))
            }
            GSrc::Mem(m) => Some(Rm::Mem(self.mem(m))),
            GSrc::Imm(_) => None,
        }
    }
}

/// The bytes of a function and its constants; `requests` is the address of its helper requests.
///
/// # Errors
/// A frame that is too large.
pub(super) fn emit(f: &Function, out: &Output, isa: Isa, pool: &[u8], requests: *const u8) -> Result<Vec<u8>, String> {
    let vectors = (cx::AREA_BYTES as usize + out.num_spillslots * 8).next_multiple_of(64);
    let saved = vectors + f.parked as usize * f.vector_bytes;
    let frame = (saved + 8 + 64).next_multiple_of(64);
    if frame > MAX_FRAME {
        return Err(format!("{frame} bytes of spilled registers"));
    }
    let mut asm = Asm::new(isa);
    let labels = f.nodes.iter().map(|_| asm.label()).collect();
    let helper = asm.label();
    let vectors = [vectors as i32, f.vector_bytes as i32];
    let mut e = Emit { asm, f, out, isa, labels, helper, calls: false, vectors, saved: saved as i32 };
    e.enter(frame, requests);
    e.blocks();
    if e.calls {
        e.helper();
    }
    Ok(e.asm.finish(pool))
}

impl Emit<'_> {
    fn stack(&self, disp: i32) -> Mem {
        Mem::at(Gpr(4), disp)
    }

    fn len(&self) -> Len {
        if self.isa == Isa::Avx512 { Len::L512 } else { Len::L256 }
    }

    fn enter(&mut self, frame: usize, requests: *const u8) {
        for r in KEPT {
            self.asm.push(r);
        }
        let (rax, rsp) = (Gpr(0), Gpr(4));
        self.asm.mov_rr(Size::Q, rax, rsp);
        // The guard page must be met, not jumped over.
        for page in (4096..=frame + 4096).step_by(4096) {
            self.asm.mov_store(Size::Q, Mem::at(rsp, -(page as i32)), rax);
        }
        self.asm.alu_imm(AluOp::Sub, Size::Q, Rm::Reg(rsp), frame as i32);
        self.asm.alu_imm(AluOp::And, Size::Q, Rm::Reg(rsp), -64);
        let saved = self.stack(self.saved);
        self.asm.mov_store(Size::Q, saved, rax);
        self.asm.mov_rr(Size::Q, CONTEXT, Gpr(7));
        self.asm.mov_ri(Size::Q, rax, requests.addr() as u64);
        let table = self.stack(cx::AREA_TABLE);
        self.asm.mov_store(Size::Q, table, rax);
    }

    fn leave(&mut self, status: u32) {
        self.asm.mov_ri(Size::D, Gpr(0), status.into());
        self.asm.vzeroupper();
        let saved = self.stack(self.saved);
        self.asm.mov_load(Size::Q, Gpr(4), saved);
        for r in KEPT.into_iter().rev() {
            self.asm.pop(r);
        }
        self.asm.ret();
    }

    /// Saves every register, calls the dispatcher with the area, restores them.
    fn helper(&mut self) {
        let label = self.helper;
        self.asm.bind(label);
        let vectors: u8 = if self.isa == Isa::Avx512 { 32 } else { 16 };
        let bytes = if self.isa == Isa::Avx512 { 64 } else { 32 };
        let general = i32::from(vectors) * bytes;
        let masks = general + 9 * 8;
        // With the return address, a multiple of 64.
        let frame = (masks + 8 * 8 + 8 + 63) / 64 * 64 - 8;
        self.asm.alu_imm(AluOp::Sub, Size::Q, Rm::Reg(Gpr(4)), frame);
        for restore in [false, true] {
            for v in 0..vectors {
                let at = self.stack(i32::from(v) * bytes);
                let op = if restore { VOp::Movups } else { VOp::MovupsSt };
                let len = self.len();
                self.asm.vec(op, len, v, 0, RmV::Mem(at), None, None);
            }
            for (i, r) in CHANGED.into_iter().enumerate() {
                let at = self.stack(general + 8 * i as i32);
                if restore { self.asm.mov_load(Size::Q, r, at) } else { self.asm.mov_store(Size::Q, at, r) }
            }
            if self.isa == Isa::Avx512 {
                for k in 1..8 {
                    let at = self.stack(masks + 8 * i32::from(k));
                    if restore { self.asm.kload(Kreg(k), at) } else { self.asm.kstore(at, Kreg(k)) }
                }
            }
            if !restore {
                self.asm.lea(Size::Q, Gpr(7), Mem::at(Gpr(4), frame + 8));
                self.asm.vzeroupper();
                self.asm.call_mem(Mem::at(CONTEXT, cx::HELPER));
            }
        }
        self.asm.alu_imm(AluOp::Add, Size::Q, Rm::Reg(Gpr(4)), frame);
        self.asm.ret();
    }

    /// The block that a jump to `b` really leads to: blocks that only jump are passed through.
    fn target(&self, mut b: Block) -> Block {
        for _ in 0..self.f.nodes.len() {
            let node = &self.f.nodes[b.index()];
            let mut items = self.out.block_insts_and_edits(self.f, b);
            match (items.next(), node.succs.as_slice()) {
                (Some(InstOrEdit::Inst(i)), [to]) if matches!(self.f.kinds[i.index()], Kind::Jump) => b = *to,
                _ => break,
            }
        }
        b
    }

    fn blocks(&mut self) {
        // Blocks that only jump are not written: nothing leads to them.
        let real = |b: &usize| *b == 0 || self.target(Block::new(*b)) == Block::new(*b);
        let order: Vec<usize> = self.f.layout.iter().map(|b| *b as usize).filter(real).collect();
        for (i, b) in order.iter().enumerate() {
            let block = Block::new(*b);
            if self.f.nodes[*b].head {
                self.asm.align(32);
            }
            let label = self.labels[*b];
            self.asm.bind(label);
            let next = order.get(i + 1).map(|n| Block::new(*n));
            let out = self.out;
            for item in out.block_insts_and_edits(self.f, block) {
                match item {
                    InstOrEdit::Inst(inst) => {
                        let mut o = Operands { allocs: out.inst_allocs(inst), next: 0, vectors: self.vectors };
                        let kind = self.f.kinds[inst.index()];
                        self.inst(&kind, &mut o, block, next);
                    }
                    InstOrEdit::Edit(Edit::Move { from, to }) => self.shift(*from, *to),
                }
            }
        }
    }

    /// A move between registers and the stack.
    fn shift(&mut self, from: Allocation, to: Allocation) {
        let class = from.as_reg().or(to.as_reg()).map_or(RegClass::Int, |r| r.class());
        let (s, d, len) = (number(from), number(to), self.len());
        match (class, spilled(from), spilled(to)) {
            (RegClass::Int, None, None) => self.asm.mov_rr(Size::Q, Gpr(d), Gpr(s)),
            (RegClass::Int, Some(at), _) => self.asm.mov_load(Size::Q, Gpr(d), at),
            (RegClass::Int, None, Some(at)) => self.asm.mov_store(Size::Q, at, Gpr(s)),
            (RegClass::Float, None, None) => self.asm.vec(VOp::Movaps, len, d, 0, RmV::Reg(Xmm(s)), None, None),
            (RegClass::Float, Some(at), _) => self.asm.vec(VOp::Movups, len, d, 0, RmV::Mem(at), None, None),
            (RegClass::Float, None, Some(at)) => self.asm.vec(VOp::MovupsSt, len, s, 0, RmV::Mem(at), None, None),
            (RegClass::Vector, None, None) => self.asm.kmov_kk(Kreg(d), Kreg(s)),
            (RegClass::Vector, Some(at), _) => self.asm.kload(Kreg(d), at),
            (RegClass::Vector, None, Some(at)) => self.asm.kstore(at, Kreg(s)),
        }
    }

    fn vector(&mut self, v: &Vector, o: &mut Operands<'_>) {
        let dst = o.number();
        if v.tied.is_some() {
            o.number();
        }
        let a = if v.a.is_some() { o.number() } else { 0 };
        let b = match &v.b {
            Src::Reg(_) => o.last_vector(),
            Src::Mem(m) => RmV::Mem(o.mem(m)),
            Src::Splat(m) => RmV::Bcast(o.mem(m)),
        };
        let mask = v.mask.map(|(_, zero)| Masking { k: Kreg(o.number()), zero });
        debug_assert!(matches!(v.dst, Dst::Def(_) | Dst::Use(_)));
        self.asm.vec(v.op, v.len, dst, a, b, v.imm, mask);
    }

    fn compare(&mut self, size: Size, a: Gpr, b: &GSrc, o: &mut Operands<'_>) {
        match (o.rm(b), b) {
            (Some(rm), _) => self.asm.alu(AluOp::Cmp, size, a, rm),
            (None, GSrc::Imm(0)) => self.asm.test_rr(size, a, a),
            (None, GSrc::Imm(k)) => self.asm.alu_imm(AluOp::Cmp, size, Rm::Reg(a), *k),
            (None, _) => {}
        }
    }

    fn inst(&mut self, kind: &Kind, o: &mut Operands<'_>, block: Block, next: Option<Block>) {
        match kind {
            Kind::Vector(v) => self.vector(v, o),
            Kind::BlendV { pd, len } => {
                let (d, a, b, m) = (o.number(), o.number(), o.last_vector(), o.number());
                self.asm.blendv(*pd, *len, d, a, b, Xmm(m));
            }
            Kind::Gather { op, len, mem } => {
                let (d, mask) = (o.number(), o.number());
                o.next += 2;
                let mem = o.mem(mem);
                match self.isa {
                    Isa::Avx512 => {
                        let mask = Some(Masking { k: Kreg(mask), zero: false });
                        self.asm.vec(*op, *len, d, 0, RmV::Mem(mem), None, mask);
                    }
                    Isa::Avx2 => self.asm.vec(*op, *len, d, mask, RmV::Mem(mem), None, None),
                }
            }
            Kind::Scatter { op, len, mem } => {
                let (mask, from) = (o.number(), o.number());
                o.next += 1;
                let mem = o.mem(mem);
                self.asm.vec(*op, *len, from, 0, RmV::Mem(mem), None, Some(Masking { k: Kreg(mask), zero: false }));
            }
            Kind::Narrow { op, len, imm } => {
                let (d, a) = (o.number(), o.number());
                self.asm.vec(*op, *len, a, 0, RmV::Reg(Xmm(d)), *imm, None);
            }
            Kind::Zero => {
                let d = o.number();
                self.asm.vec(VOp::Xor, Len::L128, d, d, RmV::Reg(Xmm(d)), None, None);
            }
            Kind::ToGpr(size) => {
                let d = o.gpr();
                self.asm.movd_to_gpr(*size, d, Xmm(o.number()));
            }
            Kind::FromGpr(size) => {
                let d = o.number();
                self.asm.movd_from_gpr(*size, Xmm(d), o.gpr());
            }
            Kind::MoveMask { len } => {
                let d = o.gpr();
                self.asm.movmsk(false, *len, d, Xmm(o.number()));
            }
            Kind::Mask(_)
            | Kind::MaskNot
            | Kind::MaskShiftRight(_)
            | Kind::MaskFromGpr
            | Kind::MaskToGpr
            | Kind::MaskOnes => {
                self.mask(kind, o);
            }
            Kind::Call => {
                self.calls = true;
                let label = self.helper;
                self.asm.call_label(label);
            }
            Kind::Undefined => {}
            Kind::Refuel => self.asm.mov_load(Size::Q, FUEL, Mem::at(CONTEXT, cx::FUEL)),
            kind if kind.is_terminator() => self.terminator(kind, o, block, next),
            kind => self.general(kind, o),
        }
    }

    fn mask(&mut self, kind: &Kind, o: &mut Operands<'_>) {
        match kind {
            Kind::Mask(op) => {
                let (d, a, b) = (o.number(), o.number(), o.number());
                self.asm.kop(*op, Kreg(d), Kreg(a), Kreg(b));
            }
            Kind::MaskNot => {
                let d = o.number();
                self.asm.knot(Kreg(d), Kreg(o.number()));
            }
            Kind::MaskShiftRight(by) => {
                let d = o.number();
                self.asm.kshift(false, Kreg(d), Kreg(o.number()), *by);
            }
            Kind::MaskFromGpr => {
                let d = o.number();
                self.asm.kmov_from_gpr(Kreg(d), o.gpr());
            }
            Kind::MaskToGpr => {
                let d = o.gpr();
                self.asm.kmov_to_gpr(d, Kreg(o.number()));
            }
            _ => {
                let d = Kreg(o.number());
                self.asm.kop(KOp::Xnor, d, d, d);
            }
        }
    }

    fn general(&mut self, kind: &Kind, o: &mut Operands<'_>) {
        match kind {
            Kind::Imm(_) | Kind::Copy(_) | Kind::SignExtend | Kind::Load(..) | Kind::LoadShort(_) | Kind::Lea(..) => {
                self.move_general(kind, o)
            }
            Kind::Store(..)
            | Kind::StoreImm(..)
            | Kind::StoreShort(_)
            | Kind::StoreLane(..)
            | Kind::AluMem(..)
            | Kind::ExchangeAdd(..) => self.change_memory(kind, o),
            Kind::Prefetch(m) => {
                let m = o.mem(m);
                self.asm.prefetch(m);
            }
            Kind::SetIf(..) | Kind::MoveIf(..) => self.choose(kind, o),
            kind => self.compute(kind, o),
        }
    }

    /// What gives a general register a value that is there.
    fn move_general(&mut self, kind: &Kind, o: &mut Operands<'_>) {
        match kind {
            Kind::Imm(value) => {
                let d = o.gpr();
                self.asm.mov_ri(Size::Q, d, *value);
            }
            Kind::Copy(size) => {
                let d = o.gpr();
                self.asm.mov_rr(*size, d, o.gpr());
            }
            Kind::SignExtend => {
                let d = o.gpr();
                self.asm.movsxd(d, Rm::Reg(o.gpr()));
            }
            Kind::Load(size, m) => {
                let d = o.gpr();
                let m = o.mem(m);
                self.asm.mov_load(*size, d, m);
            }
            Kind::LoadShort(m) => {
                let d = o.gpr();
                let m = o.mem(m);
                self.asm.movzx16(d, Rm::Mem(m));
            }
            Kind::Lea(size, m) => {
                let d = o.gpr();
                let m = o.mem(m);
                self.asm.lea(*size, d, m);
            }
            _ => debug_assert!(false, "{kind:?} is encoded elsewhere"),
        }
    }

    /// What writes memory.
    fn change_memory(&mut self, kind: &Kind, o: &mut Operands<'_>) {
        match kind {
            Kind::Store(size, m) => {
                let s = o.gpr();
                let m = o.mem(m);
                self.asm.mov_store(*size, m, s);
            }
            Kind::StoreImm(m, value) => {
                let m = o.mem(m);
                self.asm.mov_store_imm(Size::D, m, *value);
            }
            Kind::StoreShort(m) => {
                let s = o.gpr();
                let m = o.mem(m);
                self.asm.mov_store16(m, s);
            }
            Kind::StoreLane(size, m, lane) => {
                let s = Xmm(o.number());
                let m = o.mem(m);
                self.asm.store_lane(*size, m, s, *lane);
            }
            Kind::AluMem(op, size, locked, m) => {
                let s = o.gpr();
                let m = o.mem(m);
                if *locked {
                    self.asm.lock_alu(*op, *size, m, s);
                } else {
                    self.asm.alu_store(*op, *size, m, s);
                }
            }
            Kind::ExchangeAdd(size, m) => {
                let d = o.gpr();
                o.next += 1;
                let m = o.mem(m);
                self.asm.lock_xadd(*size, m, d);
            }
            _ => debug_assert!(false, "{kind:?} is encoded elsewhere"),
        }
    }

    /// What depends on a comparison.
    fn choose(&mut self, kind: &Kind, o: &mut Operands<'_>) {
        match kind {
            Kind::SetIf(cond, size, b) => {
                let (d, a) = (o.gpr(), o.gpr());
                self.compare(*size, a, b, o);
                self.asm.setcc(*cond, d);
                self.asm.movzx8(d, Rm::Reg(d));
            }
            Kind::MoveIf(cond, size, b) => {
                let d = o.gpr();
                o.next += 1;
                let a = o.gpr();
                self.compare(*size, a, b, o);
                let yes = o.gpr();
                self.asm.cmov(*cond, Size::Q, d, Rm::Reg(yes));
            }
            _ => debug_assert!(false, "{kind:?} is encoded elsewhere"),
        }
    }

    /// Arithmetic on general registers.
    fn compute(&mut self, kind: &Kind, o: &mut Operands<'_>) {
        match kind {
            Kind::LowestOne => {
                let d = o.gpr();
                self.asm.tzcnt(Size::D, d, Rm::Reg(o.gpr()));
            }
            Kind::Alu(op, size, b) => {
                let d = o.gpr();
                o.next += 1;
                match (o.rm(b), b) {
                    (Some(rm), _) => self.asm.alu(*op, *size, d, rm),
                    (None, GSrc::Imm(k)) => self.asm.alu_imm(*op, *size, Rm::Reg(d), *k),
                    (None, _) => {}
                }
            }
            Kind::Neg(size) => self.asm.neg(*size, o.gpr()),
            Kind::Not(size) => self.asm.not(*size, o.gpr()),
            Kind::Imul(size, b) => {
                let d = o.gpr();
                o.next += 1;
                if let Some(rm) = o.rm(b) {
                    self.asm.imul(*size, d, rm);
                }
            }
            Kind::ImulImm(size, k) => {
                let d = o.gpr();
                let a = o.gpr();
                self.asm.imul_imm(*size, d, Rm::Reg(a), *k);
            }
            Kind::Shift(op, size, by) => self.asm.shift_imm(*op, *size, o.gpr(), *by),
            Kind::ShiftVar(op, size) => {
                let (d, a, by) = (o.gpr(), o.gpr(), o.gpr());
                self.asm.shift_var(*op, *size, d, Rm::Reg(a), by);
            }
            Kind::Divide { signed, size } => {
                o.next += 3;
                let b = o.gpr();
                match (signed, size) {
                    (false, _) => self.asm.alu(AluOp::Xor, Size::D, Gpr(2), Rm::Reg(Gpr(2))),
                    (true, Size::D) => self.asm.cdq(),
                    (true, Size::Q) => self.asm.cqo(),
                }
                if *signed { self.asm.idiv(*size, Rm::Reg(b)) } else { self.asm.div(*size, Rm::Reg(b)) }
            }
            _ => debug_assert!(false, "{kind:?} is encoded elsewhere"),
        }
    }

    fn terminator(&mut self, kind: &Kind, o: &mut Operands<'_>, block: Block, next: Option<Block>) {
        let succs = &self.f.nodes[block.index()].succs;
        let cond = match kind {
            Kind::Jump => {
                let to = self.target(succs[0]);
                if next != Some(to) {
                    let label = self.labels[to.index()];
                    self.asm.jmp(label);
                }
                return;
            }
            Kind::Return(status) => return self.leave(*status),
            Kind::Branch(cond, size, b) => {
                let a = o.gpr();
                self.compare(*size, a, b, o);
                *cond
            }
            Kind::BranchAny => {
                let (m, n) = (o.number(), o.number());
                match self.isa {
                    Isa::Avx512 => self.asm.kortest(Kreg(m), Kreg(n)),
                    Isa::Avx2 => {
                        let len = self.len();
                        self.asm.vptest(len, Xmm(m), RmV::Reg(Xmm(m)));
                    }
                }
                Cond::Ne
            }
            Kind::BranchOuterFuel => {
                self.asm.alu_imm(AluOp::Sub, Size::Q, Rm::Mem(Mem::at(CONTEXT, cx::OUTER_FUEL)), 1);
                Cond::B
            }
            _ => {
                self.asm.alu_imm(AluOp::Sub, Size::Q, Rm::Reg(FUEL), 1);
                Cond::B
            }
        };
        let (yes, no) = (self.target(succs[0]), self.target(succs[1]));
        let (to_yes, to_no) = (self.labels[yes.index()], self.labels[no.index()]);
        if next == Some(yes) {
            self.asm.jcc(reverse(cond), to_no);
            return;
        }
        self.asm.jcc(cond, to_yes);
        if next != Some(no) {
            self.asm.jmp(to_no);
        }
    }
}
