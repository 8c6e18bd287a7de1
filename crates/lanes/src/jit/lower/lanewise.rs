//! Loops over the live lanes: scattered stores where there is no such instruction, and atomics.

use super::{Lower, memory::Offsets};
use crate::{
    ir::{AtomicOp, Base, Ty},
    jit::{
        context as cx,
        mir::{Address, From, GSrc, Kind},
        x64::{AluOp, Cond, Size, VOp},
    },
};
use regalloc2::{Operand, VReg};

/// What a lane does to the memory of an atomic.
#[derive(Clone, Copy, Debug)]
enum Change {
    Nothing,
    Replace,
    Alu(AluOp),
    /// The operand, if it compares so with what is there.
    If(Cond),
}

/// An atomic that is done lane by lane, in their order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inline {
    change: Change,
    size: Size,
    /// Other threads may use the memory.
    shared: bool,
    /// The old values are wanted.
    used: bool,
}

impl Lower<'_> {
    /// How an atomic is done lane by lane, if that is better than by a helper.
    pub(super) fn inline_atomic(&self, op: AtomicOp, ty: Ty, base: Base, used: bool) -> Option<Inline> {
        let shared = matches!(base, Base::Binding(_));
        let change = match op {
            AtomicOp::Load => Change::Nothing,
            AtomicOp::Store | AtomicOp::Exchange => Change::Replace,
            AtomicOp::Add => Change::Alu(AluOp::Add),
            AtomicOp::Sub => Change::Alu(AluOp::Sub),
            AtomicOp::And => Change::Alu(AluOp::And),
            AtomicOp::Or => Change::Alu(AluOp::Or),
            AtomicOp::Xor => Change::Alu(AluOp::Xor),
            AtomicOp::Min => Change::If(if ty.is_signed() { Cond::L } else { Cond::B }),
            AtomicOp::Max => Change::If(if ty.is_signed() { Cond::G } else { Cond::A }),
            AtomicOp::CompareExchange => return None,
        };
        if ty.is_float() && matches!(change, Change::Alu(_) | Change::If(_)) {
            return None;
        }
        let inline = match change {
            Change::Nothing | Change::Alu(AluOp::Add | AluOp::Sub) => true,
            Change::Replace | Change::Alu(_) => !shared || !used,
            Change::If(_) => !shared,
        };
        inline.then(|| Inline { change, size: Self::size(ty), shared, used })
    }

    /// Does an atomic for the live lanes of a part; the old values, if they are wanted.
    pub(super) fn atomic_lanes(&mut self, what: Inline, reach: &Offsets, part: usize, value: &[VReg]) -> Vec<VReg> {
        self.put_slot(0, &[reach.offsets[part]]);
        self.put_slot(1, value);
        let live = self.mask_bits(reach.masks[part]);
        if let Inline { change: Change::Alu(op), shared: true, used: false, size } = what {
            self.atomic_merged(op, size, live, reach.base);
            return Vec::new();
        }
        if what.used {
            let zero = self.zero();
            self.put_slot(3, &vec![zero; value.len()]);
        }
        let code = |l: &mut Self, lane: VReg, _: &[VReg]| {
            let [offset, value] = l.atomic_operands(what.size, lane);
            let at = Address { base: From::Reg(reach.base), index: Some((offset, 1, false)), disp: 0 };
            if let Some(old) = l.change(what, value, at) {
                let to = l.lane_slot(3, what.size, lane);
                l.store_gpr(what.size, old, to);
            }
            Vec::new()
        };
        self.each_lane(live, |_, _| Vec::new(), code, |_, _| {});
        if what.used { self.take_slot(3, value.len()) } else { Vec::new() }
    }

    /// A lane's element of a slot.
    pub(super) fn lane_slot(&self, slot: i32, size: Size, lane: VReg) -> Address {
        let scale = if size == Size::Q { 8 } else { 4 };
        Address { index: Some((lane, scale, false)), ..self.slot(slot, 0) }
    }

    /// A lane's offset and operand.
    fn atomic_operands(&mut self, size: Size, lane: VReg) -> [VReg; 2] {
        let (offset, value) = (self.lane_slot(0, Size::D, lane), self.lane_slot(1, size, lane));
        [self.load(Size::D, offset), self.load(size, value)]
    }

    /// An atomic of memory that others use whose results nobody wants: neighbouring lanes with one address need one
    /// operation, as their order cannot be seen.
    fn atomic_merged(&mut self, op: AluOp, size: Size, live: VReg, base: VReg) {
        let first = |l: &mut Self, lane: VReg| {
            let none = if op == AluOp::And { u64::MAX } else { 0 };
            vec![l.atomic_operands(size, lane)[0], l.imm(none)]
        };
        let flush = |l: &mut Self, pending: &[VReg]| {
            let at = Address { base: From::Reg(base), index: Some((pending[0], 1, false)), disp: 0 };
            l.store_as(Kind::AluMem(op, size, true, at), pending[1], &at);
        };
        let code = |l: &mut Self, lane: VReg, pending: &[VReg]| {
            let operands = l.atomic_operands(size, lane);
            l.merge_lane(op, size, pending, operands, flush)
        };
        self.each_lane(live, first, code, flush);
    }

    /// Changes memory once; the old value, if it is wanted.
    fn change(&mut self, what: Inline, value: VReg, at: Address) -> Option<VReg> {
        let Inline { change, size, shared, used } = what;
        match change {
            Change::Alu(op) if !used => {
                self.store_as(Kind::AluMem(op, size, shared, at), value, &at);
                return None;
            }
            Change::Alu(op) if shared => {
                let value = if op == AluOp::Sub { self.neg(size, value) } else { value };
                return Some(self.exchange_add(size, value, at));
            }
            Change::Replace if !used => {
                self.store_gpr(size, value, at);
                return None;
            }
            _ => {}
        }
        let old = self.load(size, at);
        let new = match change {
            Change::Nothing => return used.then_some(old),
            Change::Replace => value,
            Change::Alu(op) => self.alu(op, size, old, GSrc::Reg(value)),
            Change::If(cond) => self.move_if(cond, size, value, GSrc::Reg(old), value, old),
        };
        self.store_gpr(size, new, at);
        used.then_some(old)
    }

    /// Stores values (each of one part) at distances from the lanes' offsets, for live lanes in order.
    pub(super) fn store_live(
        &mut self,
        bytes: u32,
        base: VReg,
        mask: VReg,
        offsets: VReg,
        from: &[i32],
        values: &[&[VReg]],
    ) {
        // Offsets, then the values, an element a lane: a group is small enough for the area.
        let offsets_at = Address::at(From::Area, cx::AREA_SLOTS);
        let (lanes, lane_bytes) = (self.lane_count() as u32, bytes.max(4));
        let values_at = |i: usize| offsets_at.plus((4 * lanes + i as u32 * lane_bytes * lanes) as i32);
        self.store_vector(VOp::MovupsSt, offsets, offsets_at, None);
        for (i, r) in values.iter().enumerate() {
            for (half, r) in r.iter().enumerate() {
                self.store_vector(VOp::MovupsSt, *r, values_at(i).plus((half as u32 * 4 * lanes) as i32), None);
            }
        }
        let size = if bytes == 8 { Size::Q } else { Size::D };
        // Stores the values of one lane, given where its element of each vector is.
        let store = |l: &mut Self, of: &dyn Fn(Address, u32) -> Address| {
            let offset = l.load(Size::D, of(offsets_at, 4));
            for (i, from) in from.iter().enumerate() {
                let value = l.load(size, of(values_at(i), lane_bytes));
                let to = Address { base: From::Reg(base), index: Some((offset, 1, false)), disp: *from };
                if bytes == 2 { l.store_short(value, to) } else { l.store_gpr(size, value, to) }
            }
        };
        let live = self.mask_bits(mask);
        let [all, some, done] = std::array::from_fn(|_| self.f.block());
        self.branch_to(Cond::E, Size::D, live, GSrc::Imm((1 << lanes) - 1), all, some);
        self.at = all;
        for lane in 0..lanes {
            store(self, &|at, scale| at.plus((lane * scale) as i32));
        }
        self.jump(done, Vec::new());
        self.at = some;
        let code = |l: &mut Self, lane: VReg, _: &[VReg]| {
            store(l, &|at, scale| Address { index: Some((lane, scale as u8, false)), ..at });
            Vec::new()
        };
        self.each_lane(live, |_, _| Vec::new(), code, |_, _| {});
        self.jump(done, Vec::new());
        self.at = done;
    }

    /// Takes a lane's operand together with those before it of one address, or is done with those.
    fn merge_lane(
        &mut self,
        op: AluOp,
        size: Size,
        pending: &[VReg],
        [offset, value]: [VReg; 2],
        flush: impl FnOnce(&mut Self, &[VReg]),
    ) -> Vec<VReg> {
        let (same, other, join) = (self.f.block(), self.f.block(), self.f.block());
        let merged = vec![self.int(), self.int()];
        self.f.nodes[join.index()].params = merged.clone();
        self.branch_to(Cond::E, Size::D, offset, GSrc::Reg(pending[0]), same, other);
        self.at = same;
        // What is subtracted is added up.
        let op = if op == AluOp::Sub { AluOp::Add } else { op };
        let both = self.alu(op, size, pending[1], GSrc::Reg(value));
        self.jump(join, vec![offset, both]);
        self.at = other;
        flush(self, pending);
        self.jump(join, vec![offset, value]);
        self.at = join;
        merged
    }

    /// Runs code for the number of each one of some bits. Values are carried from `first`, given the lowest, through
    /// `code` to `last`.
    pub(super) fn each_lane(
        &mut self,
        bits: VReg,
        first: impl FnOnce(&mut Self, VReg) -> Vec<VReg>,
        code: impl FnOnce(&mut Self, VReg, &[VReg]) -> Vec<VReg>,
        last: impl FnOnce(&mut Self, &[VReg]),
    ) {
        let [enter, skip, head, back, end, done] = std::array::from_fn(|_| self.f.block());
        self.branch_to(Cond::Ne, Size::D, bits, GSrc::Imm(0), enter, skip);
        self.at = enter;
        let lowest = self.lowest_one(bits);
        let mut args = first(self, lowest);
        let carried: Vec<VReg> = args.iter().map(|_| self.int()).collect();
        let left = self.int();
        self.f.nodes[head.index()].params = carried.iter().copied().chain([left]).collect();
        args.push(bits);
        self.jump(head, args);
        self.at = head;
        let lane = self.lowest_one(left);
        let mut args = code(self, lane, &carried);
        let less = self.lea(Size::D, Address::at(From::Reg(left), -1));
        let after = self.alu(AluOp::And, Size::D, left, GSrc::Reg(less));
        self.branch_to(Cond::Ne, Size::D, after, GSrc::Imm(0), back, end);
        self.at = end;
        last(self, &args);
        self.jump(done, Vec::new());
        self.at = back;
        args.push(after);
        self.jump(head, args);
        self.at = skip;
        self.jump(done, Vec::new());
        self.at = done;
    }

    fn lowest_one(&mut self, bits: VReg) -> VReg {
        let d = self.int();
        self.push(Kind::LowestOne, vec![Operand::reg_def(d), Operand::reg_use(bits)]);
        d
    }
}
