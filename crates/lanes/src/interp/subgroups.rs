//! Subgroup operations: a block holds [`PARTS`] whole subgroups, so no lane looks out of its block.
//!
//! Operands are vector slots; inactive lanes, those past the end of the work-group included, take no part.

use super::{
    level::Level,
    machine::{Ctx, Exec, Ins, Lane, W},
    vector::{Op2, leveled},
};
use crate::ir::SUBGROUP_LANES;

/// Lanes of a subgroup.
const LANES: usize = SUBGROUP_LANES as usize;
/// Subgroups of a block.
const PARTS: usize = W / LANES;
const _: () = assert!(PARTS * LANES == W);

/// An operation on two values of one type.
pub(super) trait Combine {
    type T: Lane;
    fn combine(a: Self::T, b: Self::T) -> Self::T;
}

impl<T: Lane, O: Op2<A = T, B = T, R = T>> Combine for O {
    type T = T;
    #[inline(always)]
    fn combine(a: T, b: T) -> T {
        O::f(a, b)
    }
}

leveled!(fn scan_vector = scan [O: Combine] [REDUCE, EXCLUSIVE]);
leveled!(pub(super) fn pick_shuffle = shuffle [T: Lane] []);
leveled!(pub(super) fn pick_first = first [T: Lane] []);
leveled!(pub(super) fn pick_ballot = ballot [] []);

/// The code of a reduction, or of a scan: value `a`, identity in scalar slot `b`.
pub(super) fn pick_scan<O: Combine>(level: Level, reduce: bool, exclusive: bool) -> Exec {
    match (reduce, exclusive) {
        (true, _) => scan_vector::<O, true, false>(level),
        (false, true) => scan_vector::<O, false, true>(level),
        (false, false) => scan_vector::<O, false, false>(level),
    }
}

#[inline(always)]
unsafe fn scan<O: Combine, const REDUCE: bool, const EXCLUSIVE: bool>(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: the slots of an instruction fit its operation; `b1` is within the batch.
        unsafe {
            let (value, mask) = (cx.block::<O::T>(i.a, block), cx.mask_block(block));
            let identity = cx.scalar::<O::T>(i.b);
            let mut x = [identity; W];
            for k in 0..W {
                x[k] = if mask[k] != 0 { value[k] } else { identity };
            }
            for distance in [1, 2, 4] {
                let before = x;
                for k in (0..W).filter(|k| k % LANES >= distance) {
                    x[k] = O::combine(before[k - distance], before[k]);
                }
            }
            let result = std::array::from_fn(|k| match k % LANES {
                lane if REDUCE => x[k - lane + LANES - 1],
                0 if EXCLUSIVE => identity,
                _ if EXCLUSIVE => x[k - 1],
                _ => x[k],
            });
            cx.put(i.d, block, result);
        }
    }
}

/// `d = a` of lane `b`; zero where that lane takes no part.
#[inline(always)]
unsafe fn shuffle<T: Lane>(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: as in `scan`.
        unsafe {
            let (value, mask) = (cx.block::<T>(i.a, block), cx.mask_block(block));
            let lane = cx.block::<u32>(i.b, block);
            let result = std::array::from_fn(|k| {
                let from = k - k % LANES + lane[k] as usize % LANES;
                let is_there = (lane[k] < SUBGROUP_LANES) & (mask[from] != 0);
                if is_there { value[from] } else { T::default() }
            });
            cx.put(i.d, block, result);
        }
    }
}

/// `d = a` of the first active lane.
#[inline(always)]
unsafe fn first<T: Lane>(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: as in `scan`.
        unsafe {
            let (value, mask) = (cx.block::<T>(i.a, block), cx.mask_block(block));
            let mut result = [T::default(); W];
            for part in 0..PARTS {
                let lanes = part * LANES..(part + 1) * LANES;
                if let Some(from) = lanes.clone().find(|k| mask[*k] != 0) {
                    result[lanes].fill(value[from]);
                }
            }
            cx.put(i.d, block, result);
        }
    }
}

/// `d =` the lanes whose Bool `a` holds, as bits.
#[inline(always)]
unsafe fn ballot(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: as in `scan`.
        unsafe {
            let (value, mask) = (cx.block::<u32>(i.a, block), cx.mask_block(block));
            let mut bits = [0u32; PARTS];
            for k in 0..W {
                bits[k / LANES] |= value[k] & mask[k] & (1 << (k % LANES));
            }
            cx.put(i.d, block, std::array::from_fn(|k| bits[k / LANES]));
        }
    }
}
