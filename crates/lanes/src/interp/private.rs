//! Loads and stores of private memory: each lane has its own copy of every variable.
//!
//! Layout: word `w` (4 bytes) of lane `l` lies at word `w * capacity + l`, so that an access at an index
//! all lanes share is contiguous. An 8-byte value takes two words.

use super::{
    code::Access,
    machine::{Ctx, Exec, Ins, W},
    memory::{address, origin},
    store::is_full,
    vector::leveled,
};
use crate::interp::Level;

leveled!(fn load4 = load [] [WIDE]);
leveled!(fn store4 = store [] [WIDE]);

/// The code of a private load into a vector slot.
pub(super) fn pick_load(bytes: u32, level: Level) -> Exec {
    if bytes == 8 { load4::<true>(level) } else { load4::<false>(level) }
}

/// The code of a private store from a vector slot.
pub(super) fn pick_store(bytes: u32, level: Level) -> Exec {
    if bytes == 8 { store4::<true>(level) } else { store4::<false>(level) }
}

/// A word of a lane.
#[inline(always)]
fn word(cx: &Ctx<'_>, word: usize, lane: usize) -> *mut u32 {
    cx.private.cast::<u32>().wrapping_add(word * cx.run.code.capacity + lane)
}

/// The word that a lane accesses; `None` out of bounds.
///
/// # Safety
/// `access` belongs to the running code, `lane` to the batch.
#[inline(always)]
unsafe fn word_of(cx: &Ctx<'_>, access: &Access, lane: usize) -> Option<usize> {
    // SAFETY: the caller's promise. The "address" of private memory is a byte offset in the lane's copy.
    unsafe { origin(cx, access).and_then(|o| address(cx, access, &o, lane)).map(|p| p.addr() / 4) }
}

#[inline(always)]
unsafe fn load<const WIDE: bool>(cx: &mut Ctx<'_>, ins: &Ins) {
    let access = &cx.run.code.accesses[ins.x as usize];
    let same = access.varying.is_empty();
    for block in cx.b0..cx.b1 {
        // SAFETY: words are within the lane's copy where indices are in bounds.
        unsafe {
            let (mut low, mut high) = ([0u32; W], [0u32; W]);
            if same {
                if let Some(w) = word_of(cx, access, 0) {
                    low = word(cx, w, block * W).cast::<[u32; W]>().read();
                    if WIDE {
                        high = word(cx, w + 1, block * W).cast::<[u32; W]>().read();
                    }
                }
            } else {
                for k in 0..W {
                    if let Some(w) = word_of(cx, access, block * W + k) {
                        low[k] = word(cx, w, block * W + k).read();
                        if WIDE {
                            high[k] = word(cx, w + 1, block * W + k).read();
                        }
                    }
                }
            }
            if WIDE {
                let mut r = [0u64; W];
                for k in 0..W {
                    r[k] = u64::from(low[k]) | u64::from(high[k]) << 32;
                }
                cx.put(ins.d, block, r);
            } else {
                cx.put(ins.d, block, low);
            }
        }
    }
}

#[inline(always)]
unsafe fn store<const WIDE: bool>(cx: &mut Ctx<'_>, ins: &Ins) {
    let access = &cx.run.code.accesses[ins.x as usize];
    let same = access.varying.is_empty();
    for block in cx.b0..cx.b1 {
        // SAFETY: as in `load`; only words of live lanes change.
        unsafe {
            let (low, high) = parts::<WIDE>(cx, ins.a, block);
            if same && is_full(cx, block) {
                if let Some(w) = word_of(cx, access, 0) {
                    word(cx, w, block * W).cast::<[u32; W]>().write(low);
                    if WIDE {
                        word(cx, w + 1, block * W).cast::<[u32; W]>().write(high);
                    }
                }
                continue;
            }
            let mask = cx.mask_block(block);
            for k in (0..W).filter(|k| mask[*k] != 0) {
                let lane = block * W + k;
                if let Some(w) = word_of(cx, access, lane) {
                    word(cx, w, lane).write(low[k]);
                    if WIDE {
                        word(cx, w + 1, lane).write(high[k]);
                    }
                }
            }
        }
    }
}

/// The words of a block's values.
#[inline(always)]
unsafe fn parts<const WIDE: bool>(cx: &Ctx<'_>, slot: u32, block: usize) -> ([u32; W], [u32; W]) {
    // SAFETY: the slot holds values of 8 bytes if `WIDE`, else of 4.
    unsafe {
        if !WIDE {
            return (cx.block::<u32>(slot, block), [0; W]);
        }
        let v = cx.block::<u64>(slot, block);
        let (mut low, mut high) = ([0u32; W], [0u32; W]);
        for k in 0..W {
            low[k] = v[k] as u32;
            high[k] = (v[k] >> 32) as u32;
        }
        (low, high)
    }
}
