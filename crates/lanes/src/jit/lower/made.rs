//! What was made in code that is still open, to be used again.

use super::{address::Reached, bounds::Test};
use crate::jit::mir::Address;
use regalloc2::VReg;

#[derive(Debug, Default)]
pub(super) struct Made {
    /// Addresses, without their constant parts.
    pub(super) reached: Vec<(Reached, Address)>,
    /// Indices times strides.
    pub(super) scaled: Vec<((VReg, u64), VReg)>,
    /// Counters of iterations written one after the other: a register, the one before and what it is more.
    pub(super) advanced: Vec<(VReg, VReg, u32)>,
    /// Vectors of words and the same with their highest bits inverted.
    pub(super) flips: Vec<(VReg, VReg)>,
    /// Sums of indices and constants.
    pub(super) spans: Vec<((VReg, i32), VReg)>,
    /// Ranges tested in this block of lanes.
    pub(super) tested: Vec<Test>,
    /// Vectors of 16-bit values, and the same packed.
    pub(super) packed: Vec<(VReg, VReg)>,
}

/// What there was of each, but for counters: these are no values that a branch may leave unmade.
pub(super) struct Mark([usize; 6]);

impl Made {
    pub(super) fn mark(&self) -> Mark {
        let Made { reached, scaled, flips, spans, tested, packed, .. } = self;
        Mark([reached.len(), scaled.len(), flips.len(), spans.len(), tested.len(), packed.len()])
    }

    /// Forgets what was made since.
    pub(super) fn forget(&mut self, Mark([reached, scaled, flips, spans, tested, packed]): Mark) {
        self.reached.truncate(reached);
        self.scaled.truncate(scaled);
        self.flips.truncate(flips);
        self.spans.truncate(spans);
        self.tested.truncate(tested);
        self.packed.truncate(packed);
    }

    /// Forgets what an earlier block of lanes made; the first `flips` were made before all blocks.
    pub(super) fn begin_block(&mut self, flips: usize) {
        self.forget(Mark([0, 0, flips, 0, 0, 0]));
    }
}
