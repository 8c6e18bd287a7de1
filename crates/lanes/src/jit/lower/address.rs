//! Where accesses are: how the lanes of a place lie, and its addresses.

use super::{Lower, private::is_private};
use crate::{
    ir::{Base, Place, Step},
    jit::{
        class::Class,
        mir::{Address, From, GSrc},
        x64::{AluOp, Cond, ShiftOp, Size},
    },
};
use regalloc2::VReg;

/// Most bytes that iterations written one after the other add to an address.
const MOST_ADVANCED: u64 = 1 << 20;

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

impl Lower<'_> {
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
            Base::Workgroup(i) => (self.known(self.fixed.workgroup), before(&self.kernel.workgroup, i)),
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
    pub(super) fn scaled_by(&mut self, index: VReg, stride: u64) -> VReg {
        if let Some((_, bytes)) = self.made.scaled.iter().find(|(known, _)| *known == (index, stride)) {
            return *bytes;
        }
        let bytes = match stride {
            1 => index,
            s if s.is_power_of_two() => self.shift(ShiftOp::Shl, Size::Q, index, s.trailing_zeros() as u8),
            s => self.imul(Size::Q, index, GSrc::Imm(s as i32)),
        };
        self.made.scaled.push(((index, stride), bytes));
        bytes
    }

    /// The addresses of the parts of a tested place: of lane 0 of each.
    pub(super) fn part_addresses(&mut self, place: &Place, part: i64, row: Rows) -> Vec<Address> {
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
    pub(super) fn apart(&self, at: Address, part: i64, row: i64) -> Vec<Address> {
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

    /// The address of lane 0 of part 0 of a place whose lanes are all in bounds.
    pub(super) fn tested_address(&mut self, place: &Place) -> Address {
        if is_private(place) || place.steps.is_empty() || place.offset >= 1 << 30 {
            return self.make_address(place);
        }
        // Members of one element differ in the constant part only.
        let key = Reached { base: place.base, steps: place.steps.clone() };
        let at = match self.made.reached.iter().find(|(known, _)| *known == key) {
            Some((_, at)) => *at,
            None => {
                let bare = Place { offset: 0, ..place.clone() };
                let at = self.make_address(&bare);
                self.made.reached.push((key, at));
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
        while let Some((_, from, step)) = self.made.advanced.iter().find(|(after, ..)| *after == index) {
            let sum = more + u64::from(*step) * stride;
            if sum > MOST_ADVANCED {
                break;
            }
            (index, more) = (*from, sum);
        }
        (index, more as i32)
    }

    /// The address with indices taken as signed: right for every lane in bounds.
    pub(super) fn signed_address(&mut self, place: &Place) -> Address {
        let mut at = self.origin(place);
        for step in &place.steps {
            let index = self.gpr(step.index);
            let index = self.sign_extend(index);
            at = self.add_index(at, index, step.stride.into());
        }
        at
    }

    /// The address of a uniform place, or of zeros where it is out of bounds.
    pub(super) fn selected_address(&mut self, place: &Place) -> Address {
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
        let zeros = self.known(self.fixed.zeros);
        for (index, limit) in tests {
            address = self.move_if(Cond::B, Size::Q, index, limit, address, zeros);
        }
        Address::at(From::Reg(address), 0)
    }
}
