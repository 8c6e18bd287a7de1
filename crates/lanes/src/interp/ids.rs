//! The built-in inputs of a batch, as instructions.

use super::{
    level::Level,
    machine::{Ctx, Exec, Ins, W},
    vector::leveled,
};
use crate::{analysis::uniformity::BatchShape, ir::Builtin};

leveled!(fn vector_code = vector [] []);

/// The code that writes a built-in to a slot and the operand [`Ins::x`] that names it.
pub(super) fn pick(builtin: Builtin, level: Level, uniform: bool) -> (Exec, u32) {
    let x = match builtin {
        Builtin::GlobalId(a) => u32::from(a),
        Builtin::LocalId(a) => 3 + u32::from(a),
        Builtin::GroupId(a) => 6 + u32::from(a),
        Builtin::NumGroups(a) => 9 + u32::from(a),
        Builtin::LocalIndex => 12,
    };
    (if uniform { scalar } else { vector_code(level) }, x)
}

/// The code that writes `ArrayLength` of binding [`Ins::x`] to a scalar slot.
pub(super) fn array_length() -> Exec {
    length
}

unsafe fn length(cx: &mut Ctx<'_>, ins: &Ins) {
    let len = cx.run.bound[ins.x as usize].runtime_len;
    // SAFETY: `d` is a scalar slot.
    unsafe { cx.at::<u32>(ins.d).write(u32::try_from(len).unwrap_or(u32::MAX)) }
}

unsafe fn scalar(cx: &mut Ctx<'_>, ins: &Ins) {
    let value = at(cx, ins.x, 0);
    // SAFETY: `d` is a scalar slot.
    unsafe { cx.at::<u32>(ins.d).write(value) }
}

#[inline(always)]
unsafe fn vector(cx: &mut Ctx<'_>, ins: &Ins) {
    let (batch, size) = (cx.batch, cx.run.size);
    let (kind, axis) = (ins.x / 3, (ins.x % 3) as usize);
    if cx.run.shape == BatchShape::Row && ins.x == 0 {
        // SAFETY: `d` is a vector slot.
        return unsafe { count_up(cx, ins.d) };
    }
    for block in cx.b0..cx.b1 {
        let mut r = [0u32; W];
        match (cx.run.shape, kind) {
            // The hot cases: no division.
            (BatchShape::Group, 0 | 1) => {
                let first = if kind == 0 { batch.first[axis] as u32 } else { 0 };
                let local = &cx.local[axis][block * W..][..W];
                for (r, local) in r.iter_mut().zip(local) {
                    *r = first.wrapping_add(*local);
                }
            }
            (BatchShape::Group, 4) => {
                for (k, r) in r.iter_mut().enumerate() {
                    *r = (block * W + k) as u32;
                }
            }
            (BatchShape::Row, 1) if axis == 0 => {
                let size = u64::from(size[0]);
                let mut local = (batch.first[0] + (block * W) as u64) % size;
                for r in &mut r {
                    *r = local as u32;
                    local = if local + 1 == size { 0 } else { local + 1 };
                }
            }
            _ => {
                for (k, r) in r.iter_mut().enumerate() {
                    *r = at(cx, ins.x, block * W + k);
                }
            }
        }
        // SAFETY: `d` is a vector slot; blocks `b0..b1` belong to the batch.
        unsafe { cx.put(ins.d, block, r) };
    }
}

/// Global ids of a row: one more from lane to lane.
#[inline(always)]
unsafe fn count_up(cx: &mut Ctx<'_>, slot: u32) {
    let first = (cx.batch.first[0] as u32).wrapping_add((cx.b0 * W) as u32);
    let ptr = cx.at::<u32>(slot).wrapping_add(cx.b0 * W);
    // SAFETY: the slot holds the lanes of blocks `b0..b1`.
    let ids = unsafe { std::slice::from_raw_parts_mut(ptr, (cx.b1 - cx.b0) * W) };
    for (lane, id) in ids.iter_mut().enumerate() {
        *id = first.wrapping_add(lane as u32);
    }
}

/// A built-in of one lane.
fn at(cx: &Ctx<'_>, x: u32, lane: usize) -> u32 {
    let axis = (x % 3) as usize;
    let size = cx.run.size.map(u64::from);
    let id = cx.batch.invocation(cx.run.shape, cx.run.size, lane);
    match x / 3 {
        0 => id[axis] as u32,
        1 => (id[axis] % size[axis]) as u32,
        2 => (id[axis] / size[axis]) as u32,
        3 => cx.run.groups[axis],
        _ => {
            let local: [u64; 3] = std::array::from_fn(|a| id[a] % size[a]);
            (local[0] + size[0] * (local[1] + size[1] * local[2])) as u32
        }
    }
}
