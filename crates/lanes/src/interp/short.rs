//! Loads and stores of 16-bit values: two bytes in a buffer, 32 bits with zeros above in a register.
//!
//! Addresses are classified as in [`memory`](super::memory). A store writes two bytes a lane and reads nothing: its
//! neighbours may belong to other threads.

use super::{
    code::Access,
    level::Level,
    machine::{Ctx, Exec, Ins, W},
    memory::{Origin, consecutive, lanes, len, neighbours, origin},
    store::is_full,
    vector::leveled,
};

leveled!(fn load_vector = load [] []);
leveled!(fn store_vector = store [] []);

/// The code of a 16-bit load from a buffer.
pub(super) fn pick_load(level: Level, uniform: bool) -> Exec {
    if uniform { load_scalar } else { load_vector(level) }
}

/// The code of a 16-bit store to a buffer; the value is in a vector slot.
pub(super) fn pick_store(level: Level) -> Exec {
    store_vector(level)
}

/// Bytes of an element.
const BYTES: u64 = 2;

#[inline(always)]
unsafe fn load(cx: &mut Ctx<'_>, ins: &Ins) {
    let access = &cx.run.code.accesses[ins.x as usize];
    for block in cx.b0..cx.b1 {
        // SAFETY: slots and accesses of an instruction fit; addresses are tested as the module says.
        unsafe {
            let value = match (origin(cx, access), &access.varying[..]) {
                (None, _) => [0; W],
                (Some(o), []) => [read(o.ptr); W],
                (Some(o), [index]) if index.stride == BYTES => {
                    match consecutive(cx, index, len(index, o.runtime), block) {
                        Some(first) => read_block(o.ptr, first * BYTES),
                        None => gather(cx, access, &o, block),
                    }
                }
                (Some(o), _) => gather(cx, access, &o, block),
            };
            cx.put(ins.d, block, value);
        }
    }
}

#[inline(always)]
unsafe fn read(ptr: *const u8) -> u32 {
    // SAFETY: the caller tested the address.
    unsafe { ptr.cast::<u16>().read_unaligned().into() }
}

#[inline(always)]
unsafe fn read_block(ptr: *const u8, offset: u64) -> [u32; W] {
    // SAFETY: the caller tested the range.
    let halves = unsafe { ptr.wrapping_add(offset as usize).cast::<[u16; W]>().read_unaligned() };
    halves.map(u32::from)
}

#[inline(always)]
unsafe fn gather(cx: &Ctx<'_>, access: &Access, o: &Origin, block: usize) -> [u32; W] {
    // SAFETY: an address is read only where its indices are in bounds.
    unsafe {
        let at = lanes(cx, access, o.runtime, block);
        if neighbours(&at, BYTES as usize) {
            return read_block(o.ptr, at.offset[0]);
        }
        let mask = cx.mask_block(block);
        let mut r = [0; W];
        for k in 0..W {
            if at.inside[k] & mask[k] != 0 {
                r[k] = read(o.ptr.wrapping_add(at.offset[k] as usize));
            }
        }
        r
    }
}

/// The load of a scalar slot; every index is scalar.
unsafe fn load_scalar(cx: &mut Ctx<'_>, ins: &Ins) {
    let access = &cx.run.code.accesses[ins.x as usize];
    // SAFETY: the address is read only where its indices are in bounds.
    unsafe {
        let value = origin(cx, access).map_or(0, |o| read(o.ptr));
        cx.at::<u32>(ins.d).write(value);
    }
}

#[inline(always)]
unsafe fn store(cx: &mut Ctx<'_>, ins: &Ins) {
    let access = &cx.run.code.accesses[ins.x as usize];
    // SAFETY: slots and accesses of an instruction fit; only bytes of live lanes in bounds are written.
    unsafe {
        let Some(o) = origin(cx, access) else { return };
        if access.varying.is_empty() {
            return store_last(cx, ins, &o);
        }
        for block in cx.b0..cx.b1 {
            scatter(cx, ins, access, &o, block);
        }
    }
}

#[inline(always)]
unsafe fn scatter(cx: &Ctx<'_>, ins: &Ins, access: &Access, o: &Origin, block: usize) {
    // SAFETY: an address is written only where its indices are in bounds and the lane is live.
    unsafe {
        let at = lanes(cx, access, o.runtime, block);
        let value = cx.block::<u32>(ins.a, block).map(|v| v as u16);
        if neighbours(&at, BYTES as usize) && is_full(cx, block) {
            return o.ptr.wrapping_add(at.offset[0] as usize).cast::<[u16; W]>().write_unaligned(value);
        }
        let mask = cx.mask_block(block);
        for k in 0..W {
            if at.inside[k] & mask[k] != 0 {
                o.ptr.wrapping_add(at.offset[k] as usize).cast::<u16>().write_unaligned(value[k]);
            }
        }
    }
}

/// All lanes store to one place: the last live lane wins, as if they stored in order.
#[inline(always)]
unsafe fn store_last(cx: &Ctx<'_>, ins: &Ins, o: &Origin) {
    for block in (cx.b0..cx.b1).rev() {
        // SAFETY: the place is in bounds; the block belongs to the batch.
        unsafe {
            let mask = cx.mask_block(block);
            if let Some(k) = mask.iter().rposition(|m| *m != 0) {
                let value = cx.block::<u32>(ins.a, block)[k] as u16;
                return o.ptr.cast::<u16>().write_unaligned(value);
            }
        }
    }
}
