//! Subgroup operations.

use super::Lower;
use crate::{
    interp::{select, subgroups},
    ir::{Inst, SubgroupOp, Ty, subgroup},
};

impl Lower<'_> {
    pub(super) fn subgroup(&mut self, inst: &Inst) {
        let Inst::Subgroup { dst, op, value, lane, .. } = inst else { return };
        if !self.slots.is_live(*dst) {
            return;
        }
        let (ty, level, d) = (self.kernel.ty(*value), self.level, self.slot(*dst));
        let a = self.vector(*value, 0);
        let b = match (op.combines(), lane) {
            (Some(combine), _) => {
                let Some(bits) = subgroup::identity(combine, ty) else {
                    return self.fail(format!("{op} of {ty}"));
                };
                self.constant_slot(ty, bits)
            }
            (None, Some(lane)) => self.vector(*lane, 1),
            (None, None) => 0,
        };
        let wide = ty.bytes() == 8;
        let run = match op {
            SubgroupOp::Ballot => Some(subgroups::pick_ballot(level)),
            SubgroupOp::First if wide => Some(subgroups::pick_first::<u64>(level)),
            SubgroupOp::First => Some(subgroups::pick_first::<u32>(level)),
            SubgroupOp::Shuffle if wide => Some(subgroups::pick_shuffle::<u64>(level)),
            SubgroupOp::Shuffle => Some(subgroups::pick_shuffle::<u32>(level)),
            SubgroupOp::Reduce(combine) => select::scan(*combine, ty, level, true, false),
            SubgroupOp::InclusiveScan(combine) => select::scan(*combine, ty, level, false, false),
            SubgroupOp::ExclusiveScan(combine) => select::scan(*combine, ty, level, false, true),
        };
        self.emit_or_fail(run, d, [a, b, 0], || format!("{op} of {ty}"));
    }

    /// A scalar slot of its own that holds a constant.
    fn constant_slot(&mut self, ty: Ty, bits: u64) -> u32 {
        let slot = self.extra_slot(ty);
        self.constants.push((slot, super::register_bits(ty, bits), ty.bytes()));
        slot
    }
}
