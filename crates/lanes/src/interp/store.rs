//! Stores to buffers and work-group memory: to addresses classified as in [`memory`](super::memory).
//! Only bytes of live lanes are written, for other threads may own those in between.

use super::{
    code::Access,
    level::Level,
    machine::{Ctx, Exec, Ins, Lane, NO_MASK, W},
    memory::{Origin, consecutive, lanes, len, neighbours, origin, run},
    vector::leveled,
};
use std::ops::Range;

leveled!(fn store_vector = store [T: Lane] []);

/// Lanes of blocks `b0..b1` from the first that are live, if the live ones are a prefix known without looking.
#[inline(always)]
fn prefix(cx: &Ctx<'_>) -> Option<usize> {
    match cx.mask {
        NO_MASK => Some((cx.b1 - cx.b0) * W),
        m if m == cx.run.code.tail_mask => Some(cx.batch.lanes.min(cx.b1 * W) - cx.b0 * W),
        _ => None,
    }
}

/// Stores some lanes (from block `b0` on) to elements `first + lane`, drops those from `len` on.
#[inline(always)]
unsafe fn store_run<T: Lane>(cx: &Ctx<'_>, slot: u32, o: &Origin, first: u64, len: u64, lanes: Range<usize>) {
    let end = len.saturating_sub(first).min(lanes.end as u64) as usize;
    if lanes.start < end {
        let from = cx.at::<T>(slot).wrapping_add(cx.b0 * W + lanes.start);
        let to = o.ptr.wrapping_add((first as usize + lanes.start) * T::BYTES);
        // SAFETY: as for a load's run; only bytes of live lanes are written.
        unsafe { std::ptr::copy_nonoverlapping(from.cast::<u8>(), to, (end - lanes.start) * T::BYTES) };
    }
}

/// Lane `k` of a block as bit `k`.
#[inline(always)]
fn bits(mask: [u32; W]) -> u32 {
    let mut bits = 0;
    for k in 0..W {
        bits |= mask[k] & (1 << k);
    }
    bits
}

/// Stores the live lanes to elements `first + lane`, each run of neighbours as one copy: the lanes in
/// between belong to other threads perhaps, so their bytes are not touched, not even with what they hold.
#[inline(always)]
unsafe fn store_live<T: Lane>(cx: &Ctx<'_>, slot: u32, o: &Origin, first: u64, len: u64) {
    const FULL: u32 = (1 << W) - 1;
    // The run of live lanes that is not yet stored.
    let mut open = 0..0;
    for block in cx.b0..cx.b1 {
        let lane = (block - cx.b0) * W;
        // SAFETY: the block belongs to the batch; the caller's promise for the stores.
        unsafe {
            let mut live = bits(cx.mask_block(block));
            if live == FULL && open.end == lane {
                open.end += W;
                continue;
            }
            while live != 0 {
                let start = live.trailing_zeros();
                let count = (live >> start).trailing_ones();
                live &= !(((1 << count) - 1) << start);
                let start = lane + start as usize;
                if open.end != start {
                    store_run::<T>(cx, slot, o, first, len, open.clone());
                    open = start..start;
                }
                open.end += count as usize;
            }
        }
    }
    // SAFETY: as above.
    unsafe { store_run::<T>(cx, slot, o, first, len, open) };
}

#[inline(always)]
unsafe fn store<T: Lane>(cx: &mut Ctx<'_>, ins: &Ins) {
    let access = &cx.run.code.accesses[ins.x as usize];
    // SAFETY: slots and accesses of an instruction fit; addresses are tested as the module says, and
    // only bytes of live lanes are written.
    unsafe {
        let Some(o) = origin(cx, access) else { return };
        match &access.varying[..] {
            [] => store_last::<T>(cx, ins, &o),
            [index] if index.stride == T::BYTES as u64 => {
                let len = len(index, o.runtime);
                if let Some(first) = run(cx, index) {
                    return match prefix(cx) {
                        Some(lanes) => store_run::<T>(cx, ins.a, &o, first, len, 0..lanes),
                        None => store_live::<T>(cx, ins.a, &o, first, len),
                    };
                }
                for block in cx.b0..cx.b1 {
                    match consecutive(cx, index, len, block) {
                        Some(first) if is_full(cx, block) => write::<T>(cx, ins, &o, first * index.stride, block),
                        _ => scatter::<T>(cx, ins, access, &o, block),
                    }
                }
            }
            _ => {
                for block in cx.b0..cx.b1 {
                    scatter::<T>(cx, ins, access, &o, block);
                }
            }
        }
    }
}

/// Whether all lanes of a block are live.
///
/// # Safety
/// `block` belongs to the batch.
#[inline(always)]
pub(super) unsafe fn is_full(cx: &Ctx<'_>, block: usize) -> bool {
    if cx.mask == NO_MASK {
        return true;
    }
    // SAFETY: the caller's promise.
    let m = unsafe { cx.mask_block(block) };
    m.iter().fold(!0, |all, m| all & m) != 0
}

#[inline(always)]
unsafe fn write<T: Lane>(cx: &Ctx<'_>, ins: &Ins, o: &Origin, offset: u64, block: usize) {
    // SAFETY: the caller tested the range.
    unsafe {
        let value = cx.block::<T>(ins.a, block);
        o.ptr.wrapping_add(offset as usize).cast::<[T; W]>().write_unaligned(value);
    }
}

#[inline(always)]
unsafe fn scatter<T: Lane>(cx: &Ctx<'_>, ins: &Ins, access: &Access, o: &Origin, block: usize) {
    // SAFETY: an address is written only where its indices are in bounds and the lane is live.
    unsafe {
        let at = lanes(cx, access, o.runtime, block);
        if neighbours(&at, T::BYTES) && is_full(cx, block) {
            return write::<T>(cx, ins, o, at.offset[0], block);
        }
        let value = cx.block::<T>(ins.a, block);
        let mask = cx.mask_block(block);
        for k in 0..W {
            if at.inside[k] & mask[k] != 0 {
                o.ptr.wrapping_add(at.offset[k] as usize).cast::<T>().write_unaligned(value[k]);
            }
        }
    }
}

/// All lanes store to one place: the last live lane wins, as if they stored in order.
#[inline(always)]
unsafe fn store_last<T: Lane>(cx: &Ctx<'_>, ins: &Ins, o: &Origin) {
    for block in (cx.b0..cx.b1).rev() {
        // SAFETY: the place is in bounds; the block belongs to the batch.
        unsafe {
            let mask = cx.mask_block(block);
            if let Some(k) = mask.iter().rposition(|m| *m != 0) {
                let value = cx.block::<T>(ins.a, block)[k];
                return o.ptr.cast::<T>().write_unaligned(value);
            }
        }
    }
}

/// The code of a store to a buffer or work-group memory; the value is in a vector slot.
pub(super) fn pick_store(bytes: u32, level: Level) -> Exec {
    if bytes == 8 { store_vector::<u64>(level) } else { store_vector::<u32>(level) }
}
