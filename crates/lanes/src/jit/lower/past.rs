//! Stores past the caches, of results that are larger than these and that the kernel does not read.
//!
//! A store through the caches fetches the line first and pushes out another; one past them writes whole vectors, at
//! multiples of their size. Each full block asks where it lies and whether the call wants that
//! ([`Context::cached`](crate::jit::context::Context::cached)). Where the stores of a call end, a fence makes them seen.

use super::{Lower, Mode};
use crate::{
    analysis::uniformity::BatchShape,
    ir::{Base, Place, Ty},
    jit::{
        context as cx,
        mir::{Address, From, GSrc},
        x64::{AluOp, Cond, Size, VOp},
    },
    run::check,
};
use regalloc2::VReg;

impl Lower<'_> {
    /// Notes which bindings hold results only.
    pub(super) fn survey_results(&mut self) {
        self.results_only = check::uses(self.kernel).iter().map(|u| u.result_bytes() > 0).collect();
    }

    /// Whether a full block's store to a place, `part` bytes from vector to vector, may go past the caches.
    pub(super) fn may_go_past(&self, ty: Ty, place: &Place, part: i64) -> bool {
        let Base::Binding(i) = place.base else { return false };
        let whole = part == (self.lane_count() as i64) * i64::from(ty.bytes());
        let is_row = self.mode == Mode::Full && self.shape().batch == BatchShape::Row;
        whole && is_row && self.mask.is_none() && self.depth == 0 && self.results_only[i as usize]
    }

    /// Contiguous stores of whole vectors, past the caches if the call wants it and they lie at multiples of their size.
    pub(super) fn store_past(&mut self, ty: Ty, at: &[Address], r: &[VReg]) {
        let vector = (self.lane_count() * 4) as i32;
        let start = self.lea(Size::Q, at[0]);
        let cached = GSrc::Mem(Address::at(From::Context, cx::CACHED));
        let start = self.alu(AluOp::Or, Size::D, start, cached);
        let rest = self.alu(AluOp::And, Size::D, start, GSrc::Imm(vector - 1));
        let (past, through, done) = (self.f.block(), self.f.block(), self.f.block());
        self.f.nodes[past.index()].cold = true;
        self.branch_to(Cond::E, Size::D, rest, GSrc::Imm(0), past, through);
        self.at = past;
        let halves = Self::halves(ty);
        for (i, r) in r.iter().enumerate() {
            let to = at[i / halves].plus((i % halves) as i32 * vector);
            self.store_vector(VOp::MovntpsSt, *r, to, None);
        }
        self.jump(done, Vec::new());
        self.at = through;
        self.store_parts(ty, at, None, r);
        self.jump(done, Vec::new());
        self.at = done;
    }
}
