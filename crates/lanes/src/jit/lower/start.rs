//! Index arithmetic before blocks of lanes: what values are in the first lane of a row or of a work-group, and how far they
//! grow from there.

use super::Lower;
use crate::{
    analysis::uniformity::BatchShape,
    ir::{BinaryOp, Builtin, Op, Ty, Value},
    jit::{
        mir::{Address, From, GSrc},
        x64::{AluOp, ShiftOp, Size},
    },
};
use regalloc2::VReg;

/// Growth from which on a factor is not applied: sums of such products fit 64 bits.
const MOST_MULTIPLIED: u32 = 1 << 20;

/// What was made of this in the code at hand.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Values that were made before.
    known: Vec<bool>,
    /// What values are in the first lane.
    made: Vec<(Value, VReg)>,
}

impl Starts {
    /// How much was made.
    pub(super) fn mark(&self) -> usize {
        self.made.len()
    }

    /// Forgets what was made since.
    pub(super) fn forget(&mut self, mark: usize) {
        self.made.truncate(mark);
    }
}

/// What the largest value of a work-group is more than that of its first invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Growth {
    pub(super) fixed: u32,
    /// The part that is known at run time only, in 64 bits.
    pub(super) more: Option<VReg>,
}

impl Growth {
    /// Whether all invocations have the same value.
    pub(super) fn is_none(self) -> bool {
        self == Growth::default()
    }
}

impl Lower<'_> {
    /// At the place where the code at hand starts from.
    pub(super) fn starts(&self) -> Starts {
        Starts { known: self.env.iter().map(Option::is_some).collect(), made: Vec::new() }
    }

    /// Whether a value was made before and is the same for all lanes.
    pub(super) fn is_start_known(&self, v: Value, starts: &Starts) -> bool {
        starts.known[v.index()] && self.class(v).is_uniform()
    }

    /// A value in the first lane, from what was made before.
    pub(super) fn at_start(&mut self, v: Value, starts: &mut Starts) -> Option<VReg> {
        if let Some((_, r)) = starts.made.iter().find(|(known, _)| *known == v) {
            return Some(*r);
        }
        if !matches!(self.ty(v), Ty::U32 | Ty::I32) {
            return None;
        }
        let r = if starts.known[v.index()] {
            self.class(v).is_uniform().then(|| self.gpr(v))?
        } else {
            match self.def(v)? {
                Op::Const(bits) => self.imm(*bits),
                Op::Builtin(Builtin::GlobalId(0)) => self.known(self.fixed.first[0]),
                Op::Builtin(Builtin::LocalId(_) | Builtin::LocalIndex) if self.shapes[0].batch == BatchShape::Group => {
                    self.imm(0)
                }
                Op::Bitcast(a) => self.at_start(*a, starts)?,
                Op::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) => {
                    let (a, b) = (self.at_start(*a, starts)?, self.at_start(*b, starts)?);
                    let op = if *op == BinaryOp::Add { AluOp::Add } else { AluOp::Sub };
                    self.alu(op, Size::D, a, GSrc::Reg(b))
                }
                Op::Binary(BinaryOp::Mul, a, b) => {
                    let (a, b) = (self.at_start(*a, starts)?, self.at_start(*b, starts)?);
                    self.imul(Size::D, a, GSrc::Reg(b))
                }
                Op::Binary(BinaryOp::Shl, a, b) => {
                    let by = self.classes().constant(*b)? & 31;
                    let a = self.at_start(*a, starts)?;
                    self.shift(ShiftOp::Shl, Size::D, a, by as u8)
                }
                _ => return None,
            }
        };
        starts.made.push((v, r));
        Some(r)
    }

    /// How far a value grows over a work-group, if it never falls: its largest is this much more than that of the first
    /// invocation, where that does not wrap.
    pub(super) fn growth(&mut self, v: Value, starts: &mut Starts) -> Option<Growth> {
        if self.is_start_known(v, starts) {
            return Some(Growth::default());
        }
        let fixed = |fixed| Some(Growth { fixed, more: None });
        match self.def(v)? {
            Op::Const(_) => fixed(0),
            Op::Builtin(Builtin::LocalId(axis)) => fixed(self.kernel.workgroup_size[usize::from(*axis)] - 1),
            Op::Builtin(Builtin::LocalIndex) => fixed(self.kernel.group_invocations() - 1),
            Op::Bitcast(a) if self.ty(*a).bytes() == 4 => self.growth(*a, starts),
            Op::Binary(BinaryOp::Add, a, b) => {
                let (a, b) = (self.growth(*a, starts)?, self.growth(*b, starts)?);
                let more = match (a.more, b.more) {
                    (Some(a), Some(b)) => Some(self.alu(AluOp::Add, Size::Q, a, GSrc::Reg(b))),
                    (a, b) => a.or(b),
                };
                Some(Growth { fixed: a.fixed.checked_add(b.fixed)?, more })
            }
            Op::Binary(BinaryOp::Sub, a, b) => {
                let falls = self.growth(*b, starts)?;
                self.growth(*a, starts).filter(|_| falls.is_none())
            }
            Op::Binary(BinaryOp::Mul, a, b) => {
                let grown = [self.growth(*a, starts)?, self.growth(*b, starts)?];
                match grown.map(Growth::is_none) {
                    [true, true] => fixed(0),
                    [true, false] => self.growth_times(grown[1], *a, starts),
                    [false, true] => self.growth_times(grown[0], *b, starts),
                    [false, false] => None,
                }
            }
            Op::Binary(BinaryOp::Shl, a, b) => {
                let by = self.classes().constant(*b)? & 31;
                let grown = self.growth(*a, starts)?;
                let fits = grown.more.is_none();
                fixed(grown.fixed.checked_mul(1 << by)?).filter(|_| fits)
            }
            _ => None,
        }
    }

    /// A growth times something that is the same for all invocations.
    fn growth_times(&mut self, grown: Growth, factor: Value, starts: &mut Starts) -> Option<Growth> {
        if grown.more.is_some() || grown.fixed >= MOST_MULTIPLIED {
            return None;
        }
        if let Some(k) = self.classes().constant(factor) {
            return Some(Growth { fixed: grown.fixed.checked_mul(k as u32)?, more: None });
        }
        // What is negative counts as more than any limit.
        let factor = self.at_start(factor, starts)?;
        Some(Growth { fixed: 0, more: Some(self.imul(Size::Q, factor, GSrc::Imm(grown.fixed as i32))) })
    }

    /// A first value, of 64 bits, and its growth.
    pub(super) fn grown(&mut self, first: VReg, growth: Growth) -> Option<VReg> {
        let last = match i32::try_from(growth.fixed).ok()? {
            0 => first,
            fixed => self.lea(Size::Q, Address::at(From::Reg(first), fixed)),
        };
        Some(match growth.more {
            None => last,
            Some(more) => self.alu(AluOp::Add, Size::Q, last, GSrc::Reg(more)),
        })
    }
}
