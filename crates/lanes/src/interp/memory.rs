//! Addresses and loads of buffers and work-group memory; stores are in [`store`](super::store).
//!
//! An address is classified a block at a time when it is executed: *uniform* (no index in a vector slot:
//! one access), *contiguous* (one range test and a block copy), *strided* (one range test), else lane by
//! lane. No access leaves its memory: each index is tested against its length, and `Code`'s lowering
//! proved that indices within their lengths stay within the base.

use super::{
    code::{Access, Index, Memory},
    machine::{Ctx, Exec, Ins, Lane, W},
    vector::leveled,
};
use crate::interp::Level;

leveled!(pub(super) fn load_vector = load [T: Lane] []);

/// Where an access starts: its base, constant offset and scalar indices.
pub(super) struct Origin {
    pub(super) ptr: *mut u8,
    /// Length of the runtime-sized array.
    pub(super) runtime: u64,
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
pub(super) fn len(index: &Index, runtime: u64) -> u64 {
    index.len.map_or(runtime, u64::from)
}

/// Byte offsets of the lanes of a block from the origin, and which are in bounds.
pub(super) struct Lanes {
    pub(super) offset: [u64; W],
    pub(super) inside: [u32; W],
}

/// # Safety
/// `access` belongs to the running code and has an index in a vector slot, `block` belongs to the batch.
#[inline(always)]
pub(super) unsafe fn lanes(cx: &Ctx<'_>, access: &Access, runtime: u64, block: usize) -> Lanes {
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
pub(super) fn neighbours(at: &Lanes, bytes: usize) -> bool {
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
pub(super) unsafe fn run(cx: &Ctx<'_>, index: &Index) -> Option<u64> {
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

/// How the indices of a block lie.
enum Pattern {
    /// One after the other from the first on, all in bounds.
    Consecutive(u64),
    /// All the same, in bounds.
    Same(u64),
    /// Anything in bounds.
    Inside([u32; W]),
    Other,
}

/// The pattern of an index in a block, for elements of an array of `len`.
///
/// # Safety
/// `index` is an index of the running code, `block` belongs to the batch.
#[inline(always)]
unsafe fn pattern(cx: &Ctx<'_>, index: &Index, len: u64, block: usize) -> Pattern {
    // SAFETY: indices of an access are in 4-byte slots.
    let i = unsafe { cx.block::<u32>(index.slot, block) };
    let (mut different, mut steps, mut most) = (0, 0, 0);
    for (k, lane) in i.iter().enumerate() {
        different |= lane ^ i[0];
        steps |= lane ^ i[0].wrapping_add(k as u32);
        most = most.max(*lane);
    }
    if u64::from(most) >= len {
        return Pattern::Other;
    }
    match (steps, different) {
        (0, _) if i[0] < i[W - 1] => Pattern::Consecutive(i[0].into()),
        (_, 0) => Pattern::Same(i[0].into()),
        _ => Pattern::Inside(i),
    }
}

/// The first index of a block if the indices are consecutive and all below `len`.
///
/// # Safety
/// As for [`pattern`].
#[inline(always)]
pub(super) unsafe fn consecutive(cx: &Ctx<'_>, index: &Index, len: u64, block: usize) -> Option<u64> {
    // SAFETY: the caller's promise.
    match unsafe { pattern(cx, index, len, block) } {
        Pattern::Consecutive(first) => Some(first),
        _ => None,
    }
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
                let value: [T; W] = match pattern(cx, index, len, block) {
                    Pattern::Consecutive(first) if index.stride == T::BYTES as u64 => read(o.ptr, first * index.stride),
                    Pattern::Consecutive(first) => {
                        read_strided(o.ptr.wrapping_add((first * index.stride) as usize), index.stride)
                    }
                    Pattern::Same(i) => {
                        [o.ptr.wrapping_add((i * index.stride) as usize).cast::<T>().read_unaligned(); W]
                    }
                    Pattern::Inside(i) => {
                        i.map(|i| o.ptr.wrapping_add(i as usize * index.stride as usize).cast::<T>().read_unaligned())
                    }
                    Pattern::Other => gather(cx, access, &o, block),
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
        if at.inside == [!0; W] {
            return at.offset.map(|offset| o.ptr.wrapping_add(offset as usize).cast::<T>().read_unaligned());
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
