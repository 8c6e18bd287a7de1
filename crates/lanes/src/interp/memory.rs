//! Loads and stores of buffers and work-group memory.
//!
//! An address is classified a block at a time when it is executed: *uniform* (no index in a vector slot:
//! one access), *contiguous* (one range test and a block copy), *strided* (one range test), else lane by
//! lane. No access leaves its memory: each index is tested against its length, and `Code`'s lowering
//! proved that indices within their lengths stay within the base.

use super::{
    code::{Access, Index, Memory},
    machine::{Ctx, Exec, Ins, Lane, NO_MASK, W},
    vector::leveled,
};
use crate::interp::Level;
use std::ops::Range;

leveled!(pub(super) fn load_vector = load [T: Lane] []);
leveled!(pub(super) fn store_vector = store [T: Lane] []);

/// Where an access starts: its base, constant offset and scalar indices.
pub(super) struct Origin {
    pub(super) ptr: *mut u8,
    /// Length of the runtime-sized array.
    runtime: u64,
}

/// `None` where a scalar index is out of bounds.
///
/// # Safety
/// `access` belongs to the running code.
#[inline(always)]
pub(super) unsafe fn origin(cx: &Ctx<'_>, access: &Access) -> Option<Origin> {
    let (base, runtime) = match access.memory {
        Memory::Binding(i) => {
            let bound = &cx.run.bound[i as usize];
            (bound.ptr, bound.runtime_len)
        }
        Memory::Workgroup(at) => (cx.workgroup.wrapping_add(at as usize), 0),
        Memory::Private(at) => (std::ptr::without_provenance_mut(at as usize), 0),
    };
    let mut offset = access.offset;
    for index in &access.uniform {
        // SAFETY: indices of an access are in 4-byte slots.
        let i = u64::from(unsafe { cx.scalar::<u32>(index.slot) });
        if i >= len(index, runtime) {
            return None;
        }
        offset += i * index.stride;
    }
    Some(Origin { ptr: base.wrapping_add(offset as usize), runtime })
}

#[inline(always)]
fn len(index: &Index, runtime: u64) -> u64 {
    index.len.map_or(runtime, u64::from)
}

/// Byte offsets of the lanes of a block from the origin, and which are in bounds.
struct Lanes {
    offset: [u64; W],
    inside: [u32; W],
}

/// # Safety
/// `access` belongs to the running code and has an index in a vector slot, `block` belongs to the batch.
#[inline(always)]
unsafe fn lanes(cx: &Ctx<'_>, access: &Access, runtime: u64, block: usize) -> Lanes {
    let mut at = Lanes { offset: [0; W], inside: [!0; W] };
    // One index is the common case: kept out of the loop, which the compiler would vectorise across indices.
    // SAFETY: the caller's promise.
    unsafe { step(cx, &access.varying[0], runtime, block, &mut at) };
    for index in &access.varying[1..] {
        // SAFETY: the caller's promise.
        unsafe { step(cx, index, runtime, block, &mut at) };
    }
    at
}

/// # Safety
/// `index` is an index of the running code, `block` belongs to the batch.
#[inline(always)]
unsafe fn step(cx: &Ctx<'_>, index: &Index, runtime: u64, block: usize, at: &mut Lanes) {
    // SAFETY: indices of an access are in 4-byte slots.
    let i = unsafe { cx.block::<u32>(index.slot, block) };
    let len = len(index, runtime);
    for k in 0..W {
        at.inside[k] &= if u64::from(i[k]) < len { !0 } else { 0 };
        at.offset[k] = at.offset[k].wrapping_add(u64::from(i[k]).wrapping_mul(index.stride));
    }
}

/// Whether a block's lanes access neighbouring elements, all in bounds.
#[inline(always)]
fn neighbours(at: &Lanes, bytes: usize) -> bool {
    let (mut all, mut low, mut high) = (!0, u64::MAX, 0);
    for k in 0..W {
        all &= at.inside[k];
        let base = at.offset[k].wrapping_sub((k * bytes) as u64);
        low = low.min(base);
        high = high.max(base);
    }
    all != 0 && low == high
}

/// The first index of blocks `b0..b1` if the indices are consecutive over all their lanes.
///
/// # Safety
/// `index` is an index of the running code.
#[inline(always)]
unsafe fn run(cx: &Ctx<'_>, index: &Index) -> Option<u64> {
    let lanes = (cx.b1 - cx.b0) * W;
    let ptr = cx.at::<u32>(index.slot).wrapping_add(cx.b0 * W).cast_const();
    // A flat loop: nested over blocks, the compiler vectorises across blocks with gathers.
    // SAFETY: indices of an access are in 4-byte slots, which hold the lanes of blocks `b0..b1`.
    let indices = unsafe { std::slice::from_raw_parts(ptr, lanes) };
    let first = *indices.first()?;
    let mut different = 0;
    for (lane, i) in indices.iter().enumerate() {
        different |= i ^ first.wrapping_add(lane as u32);
    }
    let wraps = u64::from(first) + lanes as u64 > 1 << 32;
    (different == 0 && !wraps).then_some(first.into())
}

/// The first index of a block if the indices are consecutive and all below `len`.
///
/// # Safety
/// `index` is an index of the running code, `block` belongs to the batch.
#[inline(always)]
unsafe fn consecutive(cx: &Ctx<'_>, index: &Index, len: u64, block: usize) -> Option<u64> {
    // SAFETY: indices of an access are in 4-byte slots.
    let i = unsafe { cx.block::<u32>(index.slot, block) };
    let (mut low, mut high) = (u32::MAX, 0);
    for (k, i) in i.iter().enumerate() {
        let base = i.wrapping_sub(k as u32);
        low = low.min(base);
        high = high.max(base);
    }
    let first = u64::from(i[0]);
    // Below `len <= 2^32` nothing wrapped.
    (low == high && first + W as u64 <= len.min(1 << 32)).then_some(first)
}

#[inline(always)]
unsafe fn load<T: Lane>(cx: &mut Ctx<'_>, ins: &Ins) {
    let access = &cx.run.code.accesses[ins.x as usize];
    // SAFETY: slots and accesses of an instruction fit; addresses are tested as the module says.
    unsafe {
        let Some(o) = origin(cx, access) else {
            for block in cx.b0..cx.b1 {
                cx.put(ins.d, block, [T::default(); W]);
            }
            return;
        };
        if let [index] = &access.varying[..] {
            let len = len(index, o.runtime);
            if index.stride == T::BYTES as u64
                && let Some(first) = run(cx, index)
            {
                return load_run::<T>(cx, ins.d, &o, first, len);
            }
            for block in cx.b0..cx.b1 {
                let value: [T; W] = match consecutive(cx, index, len, block) {
                    Some(first) if index.stride == T::BYTES as u64 => read(o.ptr, first * index.stride),
                    Some(first) => read_strided(o.ptr.wrapping_add((first * index.stride) as usize), index.stride),
                    None => gather(cx, access, &o, block),
                };
                cx.put(ins.d, block, value);
            }
            return;
        }
        if access.varying.is_empty() {
            // Uniform places are loaded into scalar slots: this one was not proven uniform.
            let value = o.ptr.cast::<T>().read_unaligned();
            for block in cx.b0..cx.b1 {
                cx.put(ins.d, block, [value; W]);
            }
            return;
        }
        for block in cx.b0..cx.b1 {
            let value = gather::<T>(cx, access, &o, block);
            cx.put(ins.d, block, value);
        }
    }
}

/// Consecutive elements from `first` on, zero from `len` on.
#[inline(always)]
unsafe fn load_run<T: Lane>(cx: &mut Ctx<'_>, slot: u32, o: &Origin, first: u64, len: u64) {
    let lanes = (cx.b1 - cx.b0) * W;
    let inside = len.saturating_sub(first).min(lanes as u64) as usize;
    let to = cx.at::<T>(slot).wrapping_add(cx.b0 * W);
    // SAFETY: the slot holds the lanes, `inside` elements from `first` on are in bounds, and registers are
    // no buffer's memory.
    unsafe {
        if inside > 0 {
            let from = o.ptr.wrapping_add(first as usize * T::BYTES);
            std::ptr::copy_nonoverlapping(from, to.cast::<u8>(), inside * T::BYTES);
        }
        for lane in inside..lanes {
            to.wrapping_add(lane).write(T::default());
        }
    }
}

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
        // SAFETY: as in `load_run`; only bytes of live lanes are written.
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
unsafe fn read<T: Lane>(ptr: *mut u8, offset: u64) -> [T; W] {
    // SAFETY: the caller tested the range.
    unsafe { ptr.wrapping_add(offset as usize).cast::<[T; W]>().read_unaligned() }
}

#[inline(always)]
unsafe fn read_strided<T: Lane>(ptr: *mut u8, stride: u64) -> [T; W] {
    let mut r = [T::default(); W];
    for (k, r) in r.iter_mut().enumerate() {
        // SAFETY: the caller tested the range.
        *r = unsafe { ptr.wrapping_add(k * stride as usize).cast::<T>().read_unaligned() };
    }
    r
}

#[inline(always)]
unsafe fn gather<T: Lane>(cx: &Ctx<'_>, access: &Access, o: &Origin, block: usize) -> [T; W] {
    // SAFETY: an address is read only where its indices are in bounds.
    unsafe {
        let at = lanes(cx, access, o.runtime, block);
        if neighbours(&at, T::BYTES) {
            return read(o.ptr, at.offset[0]);
        }
        let mask = cx.mask_block(block);
        let mut r = [T::default(); W];
        for k in 0..W {
            if at.inside[k] & mask[k] != 0 {
                r[k] = o.ptr.wrapping_add(at.offset[k] as usize).cast::<T>().read_unaligned();
            }
        }
        r
    }
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

/// The load of a scalar slot; every index is scalar.
unsafe fn load_scalar<T: Lane>(cx: &mut Ctx<'_>, ins: &Ins) {
    let access = &cx.run.code.accesses[ins.x as usize];
    // SAFETY: the address is read only where its indices are in bounds.
    unsafe {
        let value = origin(cx, access).map_or(T::default(), |o| o.ptr.cast::<T>().read_unaligned());
        cx.at::<T>(ins.d).write(value);
    }
}

/// The address of one lane; `None` out of bounds.
///
/// # Safety
/// `access` belongs to the running code, `lane` to the batch.
pub(super) unsafe fn address(cx: &Ctx<'_>, access: &Access, o: &Origin, lane: usize) -> Option<*mut u8> {
    let mut ptr = o.ptr;
    for index in &access.varying {
        // SAFETY: indices of an access are in 4-byte slots.
        let i = u64::from(unsafe { cx.at::<u32>(index.slot).wrapping_add(lane).read() });
        if i >= len(index, o.runtime) {
            return None;
        }
        ptr = ptr.wrapping_add((i * index.stride) as usize);
    }
    Some(ptr)
}

/// The code of a load from a buffer or work-group memory, `bytes` 4 or 8.
pub(super) fn pick_load(bytes: u32, level: Level, uniform: bool) -> Exec {
    match (bytes, uniform) {
        (8, true) => load_scalar::<u64>,
        (8, false) => load_vector::<u64>(level),
        (_, true) => load_scalar::<u32>,
        (_, false) => load_vector::<u32>(level),
    }
}

/// The code of a store to a buffer or work-group memory; the value is in a vector slot.
pub(super) fn pick_store(bytes: u32, level: Level) -> Exec {
    if bytes == 8 { store_vector::<u64>(level) } else { store_vector::<u32>(level) }
}
