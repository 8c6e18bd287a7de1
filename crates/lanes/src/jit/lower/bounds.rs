//! Which lanes of an access are in bounds: one test for a block where that can be, else a mask.

use super::{Lower, Mode, address::Reach, private::is_private};
use crate::{
    ir::{Base, BinaryOp, Builtin, Len as Count, Op, Place, Step, Ty, Value},
    jit::{
        class::Class,
        mir::{Address, From, GSrc, Src},
        x64::{AluOp, Cond, Size},
    },
};
use regalloc2::VReg;

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

impl Lower<'_> {
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
    pub(super) fn is_inside(&self, step: &Step) -> bool {
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
            Op::Builtin(Builtin::LocalId(a)) => Some(self.kernel.workgroup_size[usize::from(*a)].saturating_sub(1)),
            Op::Builtin(Builtin::LocalIndex) => Some(self.kernel.group_invocations() - 1),
            _ => None,
        }
    }

    /// Tests that all lanes of an affine index are in bounds, or leaves the block.
    fn test(&mut self, place: &Place, step: &Step) {
        let test = test_of(place, step);
        if self.is_inside(step) || self.made.tested.contains(&test) || self.is_proven(place, step) {
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
        self.made.tested.push(test);
    }

    /// `index + span` in 64 bits.
    pub(super) fn reach_of(&mut self, index: VReg, span: i32) -> VReg {
        if let Some((_, sum)) = self.made.spans.iter().find(|(known, _)| *known == (index, span)) {
            return *sum;
        }
        let sum = self.lea(Size::Q, Address::at(From::Reg(index), span));
        self.made.spans.push(((index, span), sum));
        sum
    }

    /// Notes that all lanes of an index are below the length of a binding's array.
    pub(super) fn note_tested(&mut self, index: Value, binding: u32) {
        self.made.tested.push(Test::of_binding(index, binding));
    }

    pub(super) fn is_tested(&self, place: &Place) -> bool {
        let was_tested = |s: &Step| self.made.tested.contains(&test_of(place, s));
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
}
