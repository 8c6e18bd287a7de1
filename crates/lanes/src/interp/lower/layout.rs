//! Layout of the register file: scalar slots, then 4-byte vector slots, 8-byte vector slots, a mask slot
//! for each nesting depth, and temporaries. Vector slots are one cache line apart beyond their size, so
//! that equal lanes of different slots do not fall on the same cache set.

use crate::{
    analysis::uniformity::BatchShape,
    interp::{machine::W, slots::Slots},
    ir::Kernel,
};

/// The register file should stay in the first-level cache.
const CACHE_BYTES: usize = 24 << 10;
/// Temporaries: broadcast operands, converted values.
const TEMPORARIES: usize = 4;

/// Where slots lie.
pub(super) struct Layout {
    pub(super) capacity: usize,
    pub(super) step4: usize,
    pub(super) step8: usize,
    pub(super) vector4: usize,
    pub(super) vector8: usize,
    pub(super) masks: usize,
    pub(super) temporaries: usize,
    pub(super) extra: usize,
}

impl Layout {
    pub(super) fn new(kernel: &Kernel, slots: &Slots, shape: BatchShape, depth: usize) -> Self {
        let [scalars, count4, count8] = slots.counts.map(|c| c as usize);
        let lane_bytes = 4 * (count4 + depth + 1) + 8 * count8;
        let capacity = match shape {
            BatchShape::Group => (kernel.group_invocations() as usize).next_multiple_of(W),
            _ => (CACHE_BYTES / lane_bytes).next_power_of_two().clamp(64, 512),
        };
        let (step4, step8) = (capacity * 4 + 64, capacity * 8 + 64);
        let vector4 = (scalars * 8).next_multiple_of(64);
        let vector8 = vector4 + count4 * step4;
        let masks = vector8 + count8 * step8;
        let temporaries = masks + (depth + 1) * step4;
        let extra = temporaries + TEMPORARIES * step8;
        Layout { capacity, step4, step8, vector4, vector8, masks, temporaries, extra }
    }
}
