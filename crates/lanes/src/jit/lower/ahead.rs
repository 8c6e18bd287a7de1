//! Loads of the next iteration of a loop around barriers, asked for in this one.
//!
//! Such a loop fetches a tile, waits, and works on it. Rows of a tile are too far apart for the machine to guess where the
//! next ones are, while the loop's counter tells: an index is evaluated with what the counter will be.

use super::Lower;
use crate::{
    ir::{Base, BinaryOp, Op, Place, Value},
    jit::{
        mir::{Address, From, GSrc},
        x64::{AluOp, ShiftOp, Size},
    },
};
use regalloc2::VReg;

/// Bytes of a cache line.
const LINE: i64 = 64;
/// Operations from an index to a counter, one after the other.
const DEEPEST: u32 = 6;

impl Lower<'_> {
    /// Asks for what a load of this place at these addresses, vectors `part` bytes apart in a row, reads in the next
    /// iteration.
    pub(super) fn ask_ahead(&mut self, place: &Place, at: &[Address], part: i64) {
        if self.advances.is_empty() || !matches!(place.base, Base::Binding(_)) {
            return;
        }
        let Some(distance) = self.distance(place) else { return };
        for (p, at) in at.iter().enumerate() {
            let [_, column] = self.shape().place(p);
            if column * part % LINE != 0 {
                continue;
            }
            let base = match at.index {
                None => *at,
                Some(_) => Address::at(From::Reg(self.lea(Size::Q, *at)), 0),
            };
            self.prefetch(Address { index: Some((distance, 1, false)), ..base });
        }
    }

    /// Bytes from a place in this iteration to the same in the next one, if it is another.
    fn distance(&mut self, place: &Place) -> Option<VReg> {
        let mut sum: Option<VReg> = None;
        for step in &place.steps {
            if !self.is_advanced(step.index, DEEPEST) {
                continue;
            }
            let (now, next) = (self.gpr(step.index), self.advanced(step.index, DEEPEST)?);
            let more = self.alu(AluOp::Sub, Size::D, next, GSrc::Reg(now));
            let more = self.sign_extend(more);
            let bytes = self.imul(Size::Q, more, GSrc::Imm(step.stride as i32));
            sum = Some(match sum {
                None => bytes,
                Some(sum) => self.alu(AluOp::Add, Size::Q, sum, GSrc::Reg(bytes)),
            });
        }
        sum
    }

    /// Whether a value differs in the next iteration, as far as index arithmetic tells.
    fn is_advanced(&self, v: Value, depth: u32) -> bool {
        if self.advances.iter().any(|(counter, _)| *counter == v) {
            return true;
        }
        let Some(depth) = depth.checked_sub(1) else { return false };
        match self.def(v) {
            Some(Op::Binary(BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Shl, a, b)) => {
                self.is_advanced(*a, depth) || self.is_advanced(*b, depth)
            }
            Some(Op::Bitcast(a)) => self.is_advanced(*a, depth),
            _ => false,
        }
    }

    /// The value (in lane 0) in the next iteration.
    fn advanced(&mut self, v: Value, depth: u32) -> Option<VReg> {
        if self.ty(v).bytes() != 4 || self.ty(v).is_float() {
            return None;
        }
        if let Some((_, step)) = self.advances.iter().find(|(counter, _)| *counter == v).copied() {
            let (now, step) = (self.gpr(v), self.known_gpr(step)?);
            return Some(self.alu(AluOp::Add, Size::D, now, GSrc::Reg(step)));
        }
        if !self.is_advanced(v, depth) {
            return self.known_gpr(v);
        }
        let depth = depth.checked_sub(1)?;
        match self.def(v)? {
            Op::Binary(BinaryOp::Mul, a, b) => {
                let (a, b) = (self.advanced(*a, depth)?, self.advanced(*b, depth)?);
                Some(self.imul(Size::D, a, GSrc::Reg(b)))
            }
            Op::Binary(BinaryOp::Shl, a, b) => {
                let by = self.classes().constant(*b)? & 31;
                let a = self.advanced(*a, depth)?;
                Some(self.shift(ShiftOp::Shl, Size::D, a, by as u8))
            }
            Op::Binary(op, a, b) => {
                let (a, b) = (self.advanced(*a, depth)?, self.advanced(*b, depth)?);
                let op = if *op == BinaryOp::Sub { AluOp::Sub } else { AluOp::Add };
                Some(self.alu(op, Size::D, a, GSrc::Reg(b)))
            }
            Op::Bitcast(a) => self.advanced(*a, depth),
            _ => None,
        }
    }

    /// A value that was made, uniform or affine.
    fn known_gpr(&mut self, v: Value) -> Option<VReg> {
        (self.env[v.index()].is_some() && self.class(v) != crate::jit::class::Class::Varying).then(|| self.gpr(v))
    }
}
