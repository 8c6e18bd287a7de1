//! Loads and stores.
//!
//! Each access is reached in one of three ways: at a *uniform* place once for all lanes; at a *strided*
//! place, where lanes and parts are constant distances apart; or lane by lane, with a vector of byte
//! offsets. In a full block, a strided access is one range test (that leaves the block where it fails, to be run
//! again masked) and plain vector instructions; else lanes out of bounds are masked off. A masked vector access
//! touches no byte of a masked-off lane.
//!
//! Offsets of gathers are 32 bits and signed: bindings of 2^31 bytes and more are left to the interpreter.

use super::{Lower, Mode, Val};
use crate::{
    ir::{Base, BinaryOp, Len as Count, Op, Place, Step, Ty, Value},
    jit::{
        class::Class,
        mir::{Address, Dst, From, GSrc, Kind, Src, Vector},
        x64::{AluOp, Cond, Isa, ShiftOp, Size, VOp},
    },
};
use regalloc2::{Operand, RegClass, VReg};

/// Most bytes that iterations written one after the other add to an address.
const MOST_ADVANCED: u64 = 1 << 20;

/// A range test that was made: all lanes of an index are below a length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Test {
    index: Value,
    len: Count,
    base: Base,
}

impl Test {
    /// Of the array of a binding that is sized at run time.
    pub(super) fn of_binding(index: Value, binding: u32) -> Self {
        Test { index, len: Count::Runtime, base: Base::Binding(binding) }
    }
}

/// The test of an index of a place.
pub(super) fn test_of(place: &Place, step: &Step) -> Test {
    Test { index: step.index, len: step.len, base: place.base }
}

/// A place without its constant part.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reached {
    base: Base,
    steps: Vec<Step>,
}

/// How a place is reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Reach {
    Uniform,
    /// Bytes from lane to lane and from part to part, and how far rows are apart.
    Strided {
        lane: i64,
        part: i64,
        row: Rows,
    },
    Scattered,
}

/// How the rows of a block are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rows {
    /// By bytes.
    Apart(i64),
    /// By a number of bytes that is known at run time only.
    Stepped,
}

/// Byte offsets of lanes from an address, and which are live and in bounds.
pub(super) struct Offsets {
    pub(super) base: VReg,
    pub(super) offsets: Vec<VReg>,
    pub(super) masks: Vec<VReg>,
}

/// An element of private memory holds one value a lane.
pub(super) fn is_private(place: &Place) -> bool {
    matches!(place.base, Base::Private(_))
}

impl<'k> Lower<'k> {
    pub(super) fn reach(&self, place: &Place) -> Reach {
        let (mut lane, mut part, mut row) = (0i64, 0i64, 0i64);
        let mut stepped = false;
        for step in &place.steps {
            let stride = i64::from(step.stride);
            let (l, p) = match self.class(step.index) {
                Class::Affine { lane: l, part: p, row: r } => {
                    row += i64::from(r) * stride;
                    (l, p)
                }
                Class::Stepped { lane: l, part: p } => {
                    stepped = true;
                    (l, p)
                }
                Class::Varying => return Reach::Scattered,
            };
            lane += i64::from(l) * stride;
            part += i64::from(p) * stride;
        }
        let uniform = place.steps.iter().all(|s| self.class(s.index).is_uniform());
        // The displacement of a part must fit an address.
        let small = |n: i64| (n * self.parts as i64).unsigned_abs() < 1 << 28;
        let fits = small(part) && small(row) && lane.unsigned_abs() < 1 << 20;
        let row = if stepped { Rows::Stepped } else { Rows::Apart(row) };
        match uniform {
            true => Reach::Uniform,
            false if fits => Reach::Strided { lane, part, row },
            false => Reach::Scattered,
        }
    }

    /// The address of a place without its indices.
    pub(super) fn origin(&mut self, place: &Place) -> Address {
        let before = |sizes: &[crate::ir::Variable], i: u32| -> u64 {
            sizes[..i as usize].iter().map(|v| u64::from(v.bytes.next_multiple_of(8))).sum()
        };
        let (base, offset) = match place.base {
            Base::Binding(i) => match self.bound[i as usize] {
                Some(b) => (b.ptr, 0),
                None => (self.known(None), 0),
            },
            Base::Workgroup(i) => (self.known(self.workgroup), before(&self.kernel.workgroup, i)),
            Base::Private(i) => (self.private_base(), before(&self.kernel.private, i)),
        };
        let scale = if is_private(place) { self.private_scale() } else { 1 };
        let disp = (offset + u64::from(place.offset)) * scale;
        if disp >= 1 << 30 {
            self.refuse("an access more than 2^30 bytes into its memory");
            return Address::at(From::Reg(base), 0);
        }
        Address::at(From::Reg(base), disp as i32)
    }

    /// Bytes of private memory of a block for each byte of a lane.
    fn private_scale(&self) -> u64 {
        match self.private_lanes {
            0 => (self.lane_count() * self.parts_of(self.mode)) as u64,
            lanes => lanes as u64,
        }
    }

    /// Where the block's lanes of private memory start, for elements of the access at hand.
    fn private_base(&mut self) -> VReg {
        let base = self.known(self.private);
        match self.start {
            Some(start) if self.private_lanes > 0 => {
                let index = Some((start, self.element_bytes, false));
                self.lea(Size::Q, Address { base: From::Reg(base), index, disp: 0 })
            }
            _ => base,
        }
    }

    /// `address + index * stride`, for a zero- or sign-extended index.
    pub(super) fn add_index(&mut self, at: Address, index: VReg, stride: u64) -> Address {
        if let (None, 1 | 2 | 4 | 8) = (at.index, stride) {
            return Address { index: Some((index, stride as u8, false)), ..at };
        }
        let bytes = self.scaled_by(index, stride);
        match at.index {
            None => Address { index: Some((bytes, 1, false)), ..at },
            Some(_) => {
                let so_far = self.lea(Size::Q, Address { disp: 0, ..at });
                Address { base: From::Reg(so_far), index: Some((bytes, 1, false)), disp: at.disp }
            }
        }
    }

    /// `index * stride`, in 64 bits.
    fn scaled_by(&mut self, index: VReg, stride: u64) -> VReg {
        if let Some((_, bytes)) = self.scaled.iter().find(|(known, _)| *known == (index, stride)) {
            return *bytes;
        }
        let bytes = match stride {
            1 => index,
            s if s.is_power_of_two() => self.shift(ShiftOp::Shl, Size::Q, index, s.trailing_zeros() as u8),
            s => self.imul(Size::Q, index, GSrc::Imm(s as i32)),
        };
        self.scaled.push(((index, stride), bytes));
        bytes
    }

    /// The addresses of the parts of a tested place: of lane 0 of each.
    fn part_addresses(&mut self, place: &Place, part: i64, row: Rows) -> Vec<Address> {
        let at = self.tested_address(place);
        if let Rows::Apart(row) = row {
            return self.apart(at, part, row);
        }
        let rows = self.row_addresses(place, at);
        let shape = self.shape();
        let place = |p: usize| shape.place(p);
        (0..self.parts).map(place).map(|[r, c]| rows[r as usize].plus((part * c) as i32)).collect()
    }

    /// The addresses of parts that are bytes apart.
    fn apart(&self, at: Address, part: i64, row: i64) -> Vec<Address> {
        let place = |p: usize| self.shape().place(p);
        (0..self.parts).map(place).map(|[r, c]| at.plus((row * r + part * c) as i32)).collect()
    }

    /// The addresses of rows that are apart by what is known at run time only.
    fn row_addresses(&mut self, place: &Place, first: Address) -> Vec<Address> {
        let mut apart: Option<VReg> = None;
        for step in &place.steps {
            let gain = match self.class(step.index) {
                Class::Affine { row: 0, .. } => continue,
                _ => self.gain(step.index),
            };
            let bytes = self.scaled_by(gain, step.stride.into());
            apart = Some(match apart {
                None => bytes,
                Some(sum) => self.alu(AluOp::Add, Size::Q, sum, GSrc::Reg(bytes)),
            });
        }
        let Some(apart) = apart else { return vec![first; self.shape().rows()] };
        // Two rows from one register.
        let after = |at: VReg, rows: u8| Address { base: From::Reg(at), index: Some((apart, rows, false)), disp: 0 };
        let mut at = self.lea(Size::Q, first);
        let rows = self.shape().rows();
        let mut all = Vec::with_capacity(rows);
        for row in (0..rows).step_by(2) {
            if row > 0 {
                at = self.lea(Size::Q, after(at, 2));
            }
            all.extend([Address::at(From::Reg(at), 0), after(at, 1)]);
        }
        all
    }

    /// The number of elements that an index may reach, to compare a 64-bit index with.
    pub(super) fn limit(&mut self, place: &Place, step: &Step) -> GSrc {
        match step.len {
            Count::Const(n) if n <= i32::MAX as u32 => GSrc::Imm(n as i32),
            Count::Const(n) => GSrc::Reg(self.imm(n.into())),
            Count::Runtime => match place.base {
                Base::Binding(i) => match self.bound[i as usize] {
                    Some(b) => GSrc::Reg(b.len),
                    None => GSrc::Imm(0),
                },
                _ => GSrc::Imm(0),
            },
        }
    }

    /// Whether an index is below the length whatever the lane.
    fn is_inside(&self, step: &Step) -> bool {
        let Count::Const(n) = step.len else { return false };
        self.bounded(step.index).is_some_and(|most| most < n)
    }

    /// A bound that follows from how an unsigned index was made.
    pub(super) fn bounded(&self, v: Value) -> Option<u32> {
        if let Some(bits) = self.constant(v) {
            return Some(bits as u32);
        }
        if let Some(most) = self.most[v.index()] {
            return Some(most);
        }
        let constant = |v: &Value| self.classes().constant(*v).map(|bits| bits as u32);
        match self.def(v)? {
            Op::Binary(BinaryOp::And, a, b) => {
                let least = |v: &Value| constant(v).or_else(|| self.bounded(*v));
                [least(a), least(b)].into_iter().flatten().min()
            }
            Op::Binary(BinaryOp::Rem, _, b) if !self.ty(*b).is_signed() => constant(b)?.checked_sub(1),
            Op::Binary(BinaryOp::Min, a, b) if !self.ty(*a).is_signed() => {
                let least = |v: &Value| constant(v).or_else(|| self.bounded(*v));
                [least(a), least(b)].into_iter().flatten().min()
            }
            Op::Binary(BinaryOp::Add, a, b) => self.bounded(*a)?.checked_add(self.bounded(*b)?),
            Op::Binary(BinaryOp::Mul, a, b) => self.bounded(*a)?.checked_mul(self.bounded(*b)?),
            Op::Binary(BinaryOp::Shl, a, b) => self.bounded(*a)?.checked_mul(1 << (constant(b)? & 31)),
            Op::Binary(BinaryOp::Shr, a, b) if !self.ty(*a).is_signed() => {
                let by = constant(b)? & 31;
                Some(self.bounded(*a).unwrap_or(u32::MAX) >> by)
            }
            Op::Bitcast(a) if self.ty(*a).bytes() == 4 && !self.ty(*a).is_float() => self.bounded(*a),
            Op::Builtin(crate::ir::Builtin::LocalId(a)) => {
                Some(self.kernel.workgroup_size[usize::from(*a)].saturating_sub(1))
            }
            Op::Builtin(crate::ir::Builtin::LocalIndex) => Some(self.kernel.group_invocations() - 1),
            _ => None,
        }
    }

    /// Tests that all lanes of an affine index are in bounds, or leaves the block.
    fn test(&mut self, place: &Place, step: &Step) {
        let test = test_of(place, step);
        if self.is_inside(step) || self.tested.contains(&test) || self.is_proven(place, step) {
            return;
        }
        let (lane, part, row) = match self.class(step.index) {
            Class::Affine { lane, part, row } => (lane, part, row),
            Class::Stepped { lane, part } => (lane, part, 0),
            Class::Varying => return,
        };
        let shape = *self.shape();
        let most = [shape.lanes, shape.columns(), shape.rows()].map(|n| n as i64 - 1);
        let gains = [lane, part, row].map(i64::from);
        let ends: [i64; 3] = std::array::from_fn(|i| gains[i] * most[i]);
        let low: i64 = ends.iter().map(|e| e.min(&0)).sum();
        let high: i64 = ends.iter().map(|e| e.max(&0)).sum();
        let base = self.gpr(step.index);
        let first = match low {
            0 => base,
            low => self.lea(Size::D, Address::at(From::Reg(base), low as i32)),
        };
        let mut last = match high - low {
            0 => first,
            span => self.reach_of(first, span as i32),
        };
        if let Some(gain) = self.row_step(step.index) {
            // In 64 bits: where the sum of 32 bits wraps, this one is past any limit.
            let all = self.scaled_by(gain, most[2] as u64);
            last = self.alu(AluOp::Add, Size::Q, all, GSrc::Reg(last));
        }
        let limit = self.limit(place, step);
        if let Some(bail) = self.bail {
            self.leave_if(Cond::Ae, Size::Q, last, limit, bail);
        }
        self.tested.push(test);
    }

    /// `index + span` in 64 bits.
    pub(super) fn reach_of(&mut self, index: VReg, span: i32) -> VReg {
        if let Some((_, sum)) = self.spans.iter().find(|(known, _)| *known == (index, span)) {
            return *sum;
        }
        let sum = self.lea(Size::Q, Address::at(From::Reg(index), span));
        self.spans.push(((index, span), sum));
        sum
    }

    /// Notes that all lanes of an index are below the length of a binding's array.
    pub(super) fn note_tested(&mut self, index: Value, binding: u32) {
        self.tested.push(Test::of_binding(index, binding));
    }

    pub(super) fn is_tested(&self, place: &Place) -> bool {
        let was_tested = |s: &Step| self.tested.contains(&test_of(place, s));
        place.steps.iter().all(|s| self.is_inside(s) || was_tested(s) || self.is_proven(place, s))
    }

    /// Whether the place's range may be tested, or was.
    pub(super) fn test_all(&mut self, place: &Place) -> bool {
        if self.mode == Mode::Masked || self.bail.is_none() {
            return false;
        }
        for step in &place.steps {
            let holds = self.is_inside(step) || self.is_proven(place, step) || self.test_row(place, step);
            if !holds && !self.dirty {
                self.test(place, step);
            }
        }
        self.is_tested(place)
    }

    /// Before the first side effect: tests the ranges of accesses that follow it, whose indices are known.
    pub(super) fn test_ahead(&mut self) {
        for place in std::mem::take(&mut self.ahead) {
            let known = place.steps.iter().all(|s| self.env[s.index.index()].is_some());
            if known && self.reach(place) != Reach::Scattered && !is_private(place) {
                self.test_all(place);
            }
        }
    }

    /// The address of lane 0 of part 0 of a place whose lanes are all in bounds.
    pub(super) fn tested_address(&mut self, place: &Place) -> Address {
        if is_private(place) || place.steps.is_empty() || place.offset >= 1 << 30 {
            return self.make_address(place);
        }
        // Members of one element differ in the constant part only.
        let key = Reached { base: place.base, steps: place.steps.clone() };
        let at = match self.reached.iter().find(|(known, _)| *known == key) {
            Some((_, at)) => *at,
            None => {
                let bare = Place { offset: 0, ..place.clone() };
                let at = self.make_address(&bare);
                self.reached.push((key, at));
                at
            }
        };
        at.plus(place.offset as i32)
    }

    fn make_address(&mut self, place: &Place) -> Address {
        let mut at = self.origin(place);
        let scale = if is_private(place) { self.private_scale() } else { 1 };
        for step in &place.steps {
            let stride = u64::from(step.stride) * scale;
            // Constant indices go to the displacement.
            if let Some(k) = self.constant(step.index).map(|bits| (bits & 0xffff_ffff).saturating_mul(stride))
                && k + (at.disp as u64) < 1 << 30
            {
                at = at.plus(k as i32);
                continue;
            }
            let index = self.gpr(step.index);
            let (index, more) = self.advanced_from(index, stride);
            at = self.add_index(at, index, stride).plus(more);
        }
        at
    }

    /// Another register for an index, if it is known to be more than that one by a constant: in bytes of the stride.
    fn advanced_from(&self, mut index: VReg, stride: u64) -> (VReg, i32) {
        let mut more = 0;
        while let Some((_, from, step)) = self.advanced.iter().find(|(after, ..)| *after == index) {
            let sum = more + u64::from(*step) * stride;
            if sum > MOST_ADVANCED {
                break;
            }
            (index, more) = (*from, sum);
        }
        (index, more as i32)
    }

    /// The address with indices taken as signed: right for every lane in bounds.
    fn signed_address(&mut self, place: &Place) -> Address {
        let mut at = self.origin(place);
        for step in &place.steps {
            let index = self.gpr(step.index);
            let index = self.sign_extend(index);
            at = self.add_index(at, index, step.stride.into());
        }
        at
    }

    /// Masks of the lanes of each part that are live and in bounds.
    pub(super) fn inside_masks(&mut self, place: &Place) -> Vec<VReg> {
        let mut masks = self.mask.clone();
        for step in &place.steps {
            if self.is_inside(step) || self.is_proven(place, step) {
                continue;
            }
            let limit = self.vector_limit(place, step);
            let index = self.vectors(step.index);
            let limits = vec![limit; index.len()];
            let inside = self.compare_vectors(BinaryOp::Lt, Ty::U32, &index, &limits);
            masks = Some(match masks {
                None => inside,
                Some(m) => m.iter().zip(&inside).map(|(m, i)| self.mask_and(*m, *i)).collect(),
            });
        }
        masks.unwrap_or_else(|| vec![self.constant_mask(true); self.parts])
    }

    /// The number of elements that an index may reach, to compare vectors with.
    pub(super) fn vector_limit(&mut self, place: &Place, step: &Step) -> Src {
        match (step.len, place.base) {
            (Count::Const(n), _) => self.const_src(4, n.into()),
            (Count::Runtime, Base::Binding(i)) => Src::Reg(self.known(self.bound[i as usize].map(|b| b.limit))),
            (Count::Runtime, _) => Src::Reg(self.zero()),
        }
    }

    pub(super) fn load_place(&mut self, dst: Value, place: &Place) {
        let ty = self.ty(dst);
        if ty.is_memory_only() {
            return self.refuse("a load of 16 bits");
        }
        if is_private(place) {
            let r = self.load_private(ty, place);
            return self.loaded(dst, r);
        }
        let reach = self.reach(place);
        let uniform = self.class(dst).is_uniform();
        // Not where gains of several indices cancel out: each lane is then in bounds or not by itself.
        let is_level = |s: &Step| matches!(self.class(s.index), Class::Affine { lane: 0, .. });
        let one_part = self.parts == 1 && place.steps.iter().all(is_level);
        if uniform || one_part {
            return self.load_uniform(dst, ty, place);
        }
        if let Some(r) = self.streamed(dst) {
            return self.loaded(dst, r);
        }
        let with = self.take_loads(dst);
        let r = match reach {
            Reach::Strided { lane, part, row } if self.test_all(place) => {
                if let (true, Some(memory)) = (self.fold, self.operand(ty, place, lane, part, row)) {
                    return self.define(dst, Val::Memory(memory));
                }
                if self.load_members(dst, place, &with) {
                    return;
                }
                self.load_tested(ty, place, lane, part, row)
            }
            Reach::Strided { lane, part, row: Rows::Apart(row) } if lane == i64::from(ty.bytes()) => {
                self.load_masked(ty, place, part, row)
            }
            _ => return self.gather_members(dst, place, &with),
        };
        self.loaded(dst, r);
    }

    /// Defines a loaded value: a Bool is what is not zero.
    pub(super) fn loaded(&mut self, dst: Value, r: Vec<VReg>) {
        if self.ty(dst) != Ty::Bool {
            return self.define(dst, Val::Parts(r));
        }
        let zero = self.zero();
        let masks = self.compare_vectors(BinaryOp::Ne, Ty::U32, &r, &vec![Src::Reg(zero); r.len()]);
        self.define(dst, Val::Masks(masks));
    }

    fn load_uniform(&mut self, dst: Value, ty: Ty, place: &Place) {
        let at = if self.test_all(place) { self.tested_address(place) } else { self.selected_address(place) };
        if self.class(dst).is_uniform() && !ty.is_float() {
            let r = self.load(Self::size(ty), at);
            let r = if ty == Ty::Bool { self.set_if(Cond::Ne, Size::D, r, GSrc::Imm(0)) } else { r };
            return self.define(dst, Val::Gpr(r));
        }
        let op = if ty.bytes() == 8 { VOp::Broadcastsd } else { VOp::Broadcastss };
        let r = self.v2(op, Src::Mem(at));
        if self.class(dst).is_uniform() {
            return self.define(dst, Val::Splat(r));
        }
        self.loaded(dst, vec![r; Self::halves(ty)]);
    }

    /// The address of a uniform place, or of zeros where it is out of bounds.
    fn selected_address(&mut self, place: &Place) -> Address {
        let mut at = self.origin(place);
        let mut tests = Vec::new();
        for step in &place.steps {
            let index = self.gpr(step.index);
            if !self.is_inside(step) {
                let limit = self.limit(place, step);
                tests.push((index, limit));
            }
            at = self.add_index(at, index, step.stride.into());
        }
        if tests.is_empty() {
            return at;
        }
        let mut address = self.lea(Size::Q, at);
        let zeros = self.known(self.zeros);
        for (index, limit) in tests {
            address = self.move_if(Cond::B, Size::Q, index, limit, address, zeros);
        }
        Address::at(From::Reg(address), 0)
    }

    /// A tested load as operands of the one instruction that needs it, where that saves a register.
    fn operand(&mut self, ty: Ty, place: &Place, lane: i64, part: i64, row: Rows) -> Option<Vec<Src>> {
        let shape = self.shape();
        let shared = part == 0 && shape.columns() > 1 || row == Rows::Apart(0) && shape.rows() > 1;
        if ty == Ty::Bool || shared {
            return None;
        }
        let contiguous = lane == i64::from(ty.bytes());
        if !contiguous && (lane != 0 || self.isa == Isa::Avx2) {
            return None;
        }
        let half_bytes = self.lane_count() * 4;
        let mut operands = Vec::new();
        for at in self.part_addresses(place, part, row) {
            for half in 0..Self::halves(ty) {
                operands.push(match contiguous {
                    true => Src::Mem(at.plus((half * half_bytes) as i32)),
                    false => Src::Splat(at),
                });
            }
        }
        Some(operands)
    }

    /// A strided load that was tested.
    fn load_tested(&mut self, ty: Ty, place: &Place, lane: i64, part: i64, row: Rows) -> Vec<VReg> {
        let bytes = i64::from(ty.bytes());
        let shape = *self.shape();
        let half_bytes = self.lane_count() as i64 * 4;
        let mut result: Vec<VReg> = Vec::new();
        let halves = Self::halves(ty);
        for (p, at) in self.part_addresses(place, part, row).into_iter().enumerate() {
            let [r, c] = shape.place(p);
            // Parts, or rows, that read the same.
            let back = match (part, row) {
                (0, _) if c > 0 => 1,
                (_, Rows::Apart(0)) if r > 0 => shape.columns(),
                _ => 0,
            };
            if back > 0 {
                let same = (p - back) * halves;
                result.extend_from_within(same..same + halves);
                continue;
            }
            for half in 0..halves as i64 {
                result.push(match lane {
                    0 if half == 1 => result[result.len() - 1],
                    0 => {
                        let op = if bytes == 8 { VOp::Broadcastsd } else { VOp::Broadcastss };
                        self.v2(op, Src::Mem(at))
                    }
                    l if l == bytes => self.v2(VOp::Movups, Src::Mem(at.plus((half * half_bytes) as i32))),
                    l if halves == 1 && self.isa == Isa::Avx2 => {
                        let address = |_: &mut Self, lane: i32| at.plus(lane * l as i32);
                        self.words_at(0..self.lane_count() as i32, &address)
                    }
                    l => {
                        let lanes = self.lane_count() as i64 / Self::halves(ty) as i64;
                        let offsets = self.pooled(
                            (0..lanes * Self::halves(ty) as i64).map(|k| ((half * lanes + k % lanes) * l) as u32),
                        );
                        let offsets = self.v2(VOp::Movups, Src::Mem(offsets));
                        let all = self.constant_mask(true);
                        self.gather_one(bytes == 8, at, offsets, 1, all)
                    }
                });
            }
        }
        result
    }

    /// A contiguous load under masks.
    fn load_masked(&mut self, ty: Ty, place: &Place, part: i64, row: i64) -> Vec<VReg> {
        let masks = self.inside_masks(place);
        let at = self.signed_address(place);
        let at = self.apart(at, part, row);
        let mut result = Vec::new();
        for (at, mask) in at.into_iter().zip(masks) {
            let wide = ty.bytes() == 8;
            let halves = if wide { self.split_mask(mask).to_vec() } else { vec![mask] };
            for (half, mask) in halves.into_iter().enumerate() {
                let at = at.plus((half * self.lane_count() * 4) as i32);
                result.push(match self.isa {
                    Isa::Avx512 => {
                        let op = if wide { VOp::Movupd } else { VOp::Movups };
                        self.v2_masked(op, Src::Mem(at), mask, None)
                    }
                    Isa::Avx2 => {
                        let op = if wide { VOp::Maskmovpd } else { VOp::Maskmovps };
                        self.v3(op, mask, Src::Mem(at))
                    }
                });
            }
        }
        result
    }

    pub(super) fn store(&mut self, place: &Place, value: Value) {
        let ty = self.ty(value);
        if ty.is_memory_only() {
            return self.refuse("a store of 16 bits");
        }
        let r = self.stored(value);
        if is_private(place) {
            let lasting = self.private_lanes > 0;
            if lasting && !self.dirty {
                self.test_ahead();
            }
            self.store_private(ty, place, &r);
            self.dirty |= lasting;
            return;
        }
        match self.reach(place) {
            Reach::Strided { lane, part, row } if lane == i64::from(ty.bytes()) => {
                let tested = self.test_all(place);
                if !self.dirty {
                    self.test_ahead();
                }
                match (tested, row) {
                    (true, row) => {
                        let (at, masks) = (self.part_addresses(place, part, row), self.mask.clone());
                        self.store_parts(ty, &at, masks.as_deref(), &r);
                    }
                    (false, Rows::Apart(row)) => {
                        let masks = self.inside_masks(place);
                        let at = self.signed_address(place);
                        let at = self.apart(at, part, row);
                        self.store_parts(ty, &at, Some(&masks), &r);
                    }
                    (false, Rows::Stepped) => self.scatter(ty, place, r),
                }
            }
            _ => {
                if !self.dirty {
                    self.test_ahead();
                }
                self.scatter(ty, place, r);
            }
        }
        self.dirty = true;
    }

    /// Contiguous stores.
    fn store_parts(&mut self, ty: Ty, at: &[Address], masks: Option<&[VReg]>, r: &[VReg]) {
        let wide = ty.bytes() == 8;
        let halves = Self::halves(ty);
        for p in 0..self.parts {
            let split = masks.map(|m| if wide { self.split_mask(m[p]).to_vec() } else { vec![m[p]] });
            for half in 0..halves {
                let at = at[p].plus((half * self.lane_count() * 4) as i32);
                let value = r[p * halves + half];
                match (&split, self.isa) {
                    (None, _) => self.store_vector(VOp::MovupsSt, value, at, None),
                    (Some(m), Isa::Avx512) => {
                        let op = if wide { VOp::MovupdSt } else { VOp::MovupsSt };
                        self.store_vector(op, value, at, Some(m[half]));
                    }
                    (Some(m), Isa::Avx2) => {
                        let op = if wide { VOp::MaskmovpdSt } else { VOp::MaskmovpsSt };
                        let len = self.len();
                        self.vector(Vector {
                            op,
                            len,
                            dst: Dst::Use(value),
                            tied: None,
                            a: Some(m[half]),
                            b: Src::Mem(at),
                            imm: None,
                            mask: None,
                        });
                    }
                }
            }
        }
    }

    /// Stores lane by lane; of lanes with one address the last wins.
    fn scatter(&mut self, ty: Ty, place: &Place, r: Vec<VReg>) {
        let o = self.byte_offsets(place);
        self.scatter_members(ty.bytes(), &o, &[0], &[r]);
    }

    /// Stores values lane by lane at distances from the lanes' offsets.
    pub(super) fn scatter_members(&mut self, bytes: u32, o: &Offsets, from: &[i32], values: &[Vec<VReg>]) {
        let halves = bytes as usize / 4;
        for p in 0..self.parts {
            let (offsets, mask) = (o.offsets[p], o.masks[p]);
            if self.isa == Isa::Avx2 {
                let values: Vec<&[VReg]> = values.iter().map(|r| &r[p * halves..][..halves]).collect();
                self.store_live(bytes, o.base, mask, offsets, from, &values);
                continue;
            }
            for (from, r) in from.iter().zip(values) {
                if bytes == 8 {
                    let [low, high] = self.split_mask(mask);
                    self.scatter_one(VOp::Scatterdq, o.base, *from, offsets, low, r[p * 2]);
                    let upper = self.upper(offsets);
                    self.scatter_one(VOp::Scatterdq, o.base, *from, upper, high, r[p * 2 + 1]);
                } else {
                    self.scatter_one(VOp::Scatterdd, o.base, *from, offsets, mask, r[p]);
                }
            }
        }
    }

    fn scatter_one(&mut self, op: VOp, base: VReg, disp: i32, offsets: VReg, mask: VReg, value: VReg) {
        let mem = Address { base: From::Reg(base), index: Some((offsets, 1, true)), disp };
        let left = self.f.reg(RegClass::Vector);
        let uses = [value, mask, base, offsets].map(Operand::reg_use);
        let operands = [&[Operand::reg_reuse_def(left, 2)][..], &uses].concat();
        let len = self.len();
        self.push(Kind::Scatter { op, len, mem }, operands);
    }

    /// Private memory: element by element, the lanes of a block side by side.
    fn private_offsets(&mut self, ty: Ty, place: &Place) -> Offsets {
        let masks = self.inside_masks(place);
        let origin = self.origin(place);
        let base = self.lea(Size::Q, origin);
        let scale = self.private_scale() as u32;
        let lanes = self.lane_count() as u32;
        let mut sum: Option<Vec<VReg>> = None;
        for step in &place.steps {
            let index = self.vectors(step.index);
            let bytes = self.times(&index, step.stride * scale);
            sum = Some(match sum {
                None => bytes,
                Some(s) => s.iter().zip(bytes).map(|(a, b)| self.v3r(VOp::Addd, *a, b)).collect(),
            });
        }
        let sum = sum.unwrap_or_else(|| vec![self.zero(); self.parts]);
        let offsets = (0..self.parts)
            .map(|p| {
                let own = self.pooled((0..lanes).map(|l| (p as u32 * lanes + l) * ty.bytes()));
                self.v3(VOp::Addd, sum[p], Src::Mem(own))
            })
            .collect();
        Offsets { base, offsets, masks }
    }

    /// Whether all lanes use one element, in bounds.
    fn is_common(&mut self, place: &Place) -> bool {
        place.steps.iter().all(|s| self.class(s.index).is_uniform()) && (self.is_tested(place) || self.test_all(place))
    }

    fn load_private(&mut self, ty: Ty, place: &Place) -> Vec<VReg> {
        let halves = Self::halves(ty);
        let mut result = Vec::new();
        self.element_bytes = ty.bytes() as u8;
        if self.is_common(place) {
            let at = self.tested_address(place);
            for i in 0..self.parts * halves {
                result.push(self.v2(VOp::Movups, Src::Mem(at.plus((i * self.lane_count() * 4) as i32))));
            }
            return result;
        }
        let o = self.private_offsets(ty, place);
        let at = Address::at(From::Reg(o.base), 0);
        for p in 0..self.parts {
            if halves == 2 {
                let [low, high] = self.split_mask(o.masks[p]);
                result.push(self.gather_one(true, at, o.offsets[p], 1, low));
                let upper = self.upper(o.offsets[p]);
                result.push(self.gather_one(true, at, upper, 1, high));
            } else {
                result.push(self.gather_one(false, at, o.offsets[p], 1, o.masks[p]));
            }
        }
        result
    }

    fn store_private(&mut self, ty: Ty, place: &Place, r: &[VReg]) {
        self.element_bytes = ty.bytes() as u8;
        if self.is_common(place) {
            let at = self.tested_address(place);
            let masks = self.mask.clone();
            let part = self.lane_count() * 4 * Self::halves(ty);
            let at: Vec<Address> = (0..self.parts).map(|p| at.plus((p * part) as i32)).collect();
            return self.store_parts(ty, &at, masks.as_deref(), r);
        }
        let o = self.private_offsets(ty, place);
        self.scatter_members(ty.bytes(), &o, &[0], &[r.to_vec()]);
    }

    /// Zeroes the private memory of a block.
    pub(super) fn clear_private(&mut self) {
        let bytes: u64 = self.kernel.private.iter().map(|v| u64::from(v.bytes.next_multiple_of(8))).sum();
        if bytes == 0 {
            return;
        }
        let total = bytes * self.private_scale();
        let step = self.lane_count() as u64 * 4;
        let zero = self.zero();
        let base = self.known(self.private);
        if total / step <= 32 {
            for i in 0..total / step {
                self.store_vector(VOp::MovupsSt, zero, Address::at(From::Reg(base), (i * step) as i32), None);
            }
            return;
        }
        let (head, next) = (self.f.block(), self.f.block());
        let at = self.int();
        self.f.nodes[head.index()].params = vec![at];
        self.f.nodes[head.index()].head = true;
        let start = self.imm(0);
        self.jump(head, vec![start]);
        self.at = head;
        let to = Address { base: From::Reg(base), index: Some((at, 1, false)), disp: 0 };
        self.store_vector(VOp::MovupsSt, zero, to, None);
        let after = self.alu(AluOp::Add, Size::Q, at, GSrc::Imm(step as i32));
        let back = self.f.block();
        self.branch_to(Cond::B, Size::Q, after, GSrc::Imm(total.min(i32::MAX as u64) as i32), back, next);
        self.at = back;
        self.jump(head, vec![after]);
        self.at = next;
    }
}
