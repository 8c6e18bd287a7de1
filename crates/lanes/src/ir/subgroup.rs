//! Subgroups: what invocations that are neighbours in a work-group tell each other without memory.
//!
//! A subgroup is [`SUBGROUP_LANES`] invocations whose `local_invocation_index` is consecutive, from a multiple of that
//! on; the last of a work-group has fewer where the size is no multiple. Only *active* lanes, those in the execution
//! mask, take part: an inactive lane counts as the [identity] of what is combined.
//!
//! Results are the same bits on every machine, so the order of float operations is fixed. An inclusive scan of `x` is
//!
//! ```text
//! for d in [1, 2, 4] { for each lane i >= d at once { x[i] = x[i - d] op x[i] } }
//! ```
//!
//! a reduction is what that scan leaves in the last lane, and an exclusive scan gives lane `i` what the inclusive one
//! gives lane `i - 1`, and lane 0 the identity.

use super::{BinaryOp, Ty};

/// Invocations of a subgroup. Eight 32-bit lanes are one AVX2 register.
pub const SUBGROUP_LANES: u32 = 8;

/// A subgroup operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubgroupOp {
    /// All values combined, in every lane.
    Reduce(BinaryOp),
    /// The values of this lane and those before it combined.
    InclusiveScan(BinaryOp),
    /// The values of the lanes before this one combined.
    ExclusiveScan(BinaryOp),
    /// A U32 whose bit `i` is set where lane `i` is active and its value, a Bool, holds.
    Ballot,
    /// The value of the first active lane.
    First,
    /// The value of the lane that the instruction's `lane`, a U32, names; zero where that is not active or not there.
    Shuffle,
}

impl SubgroupOp {
    /// How values are combined, if they are.
    pub fn combines(self) -> Option<BinaryOp> {
        match self {
            SubgroupOp::Reduce(op) | SubgroupOp::InclusiveScan(op) | SubgroupOp::ExclusiveScan(op) => Some(op),
            SubgroupOp::Ballot | SubgroupOp::First | SubgroupOp::Shuffle => None,
        }
    }

    /// The type of the result for values of a type.
    pub fn result(self, ty: Ty) -> Ty {
        if self == SubgroupOp::Ballot { Ty::U32 } else { ty }
    }
}

/// The bits of the value that leaves every other one as it is: -0 for a float sum, NaN for a float minimum or maximum.
/// `None` for what is not combined over a subgroup.
pub fn identity(op: BinaryOp, ty: Ty) -> Option<u64> {
    let ones = super::fold::truncate(ty, u64::MAX);
    let sign = 1u64 << (ty.bytes() * 8 - 1);
    Some(match (op, ty) {
        (_, Ty::F16 | Ty::I16 | Ty::U16) => return None,
        (BinaryOp::And, Ty::Bool | Ty::I32 | Ty::U32 | Ty::I64 | Ty::U64) => ones,
        (BinaryOp::Or | BinaryOp::Xor, Ty::Bool | Ty::I32 | Ty::U32 | Ty::I64 | Ty::U64) => 0,
        (_, Ty::Bool) => return None,
        (BinaryOp::Add, Ty::F32 | Ty::F64) => sign,
        (BinaryOp::Add, _) => 0,
        (BinaryOp::Mul, Ty::F32) => 1f32.to_bits().into(),
        (BinaryOp::Mul, Ty::F64) => 1f64.to_bits(),
        (BinaryOp::Mul, _) => 1,
        (BinaryOp::Min | BinaryOp::Max, Ty::F32) => f32::NAN.to_bits().into(),
        (BinaryOp::Min | BinaryOp::Max, Ty::F64) => f64::NAN.to_bits(),
        (BinaryOp::Min, Ty::I32 | Ty::I64) => ones ^ sign,
        (BinaryOp::Max, Ty::I32 | Ty::I64) => sign,
        (BinaryOp::Min, _) => ones,
        (BinaryOp::Max, _) => 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::fold, *};

    #[test]
    fn the_identity_leaves_every_value_as_it_is() {
        use BinaryOp::*;
        let bits = [0, 1, 5, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0x3fc0_0000, 0xffff_ffff, 1 << 63, !0 - 7];
        let mut checked = 0;
        for ty in [Ty::Bool, Ty::I32, Ty::U32, Ty::I64, Ty::U64, Ty::F32, Ty::F64] {
            for op in [Add, Mul, Min, Max, And, Or, Xor] {
                let Some(id) = identity(op, ty) else { continue };
                for x in bits.map(|b| fold::truncate(ty, b)) {
                    // What is not folded is a NaN or a minimum with one.
                    for combined in [fold::binary(op, ty, id, x), fold::binary(op, ty, x, id)].into_iter().flatten() {
                        assert_eq!(combined, x, "{op:?} {ty}");
                        checked += 1;
                    }
                }
            }
        }
        assert!(checked > 300, "{checked}");
    }
}
