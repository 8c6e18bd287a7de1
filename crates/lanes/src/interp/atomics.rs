//! Atomic operations: locked on buffers (other threads and chunks see them), plain in work-group memory
//! (one thread runs a work-group), lane after lane.
//!
//! Memory ordering: WGSL atomics are relaxed; they order nothing else, so `Relaxed` is all they need.

use super::{
    code::{Atomic, Memory, Operand},
    machine::{Ctx, Exec, Ins, Lane, W},
    memory::{address, origin},
};
use crate::ir::{AtomicOp, Ty};
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

/// A number that atomics work on.
pub(crate) trait Cell: Lane {
    /// Whether the order of operations cannot be seen in what they leave. A sum of floats depends on it: lanes add in
    /// their order.
    const MERGES: bool = true;

    /// The value after `op`, `None` where nothing is stored.
    fn apply(op: AtomicOp, old: Self, value: Self, compare: Self) -> Option<Self>;

    /// The operation on shared memory; the old value.
    ///
    /// # Safety
    /// `p` is valid and aligned.
    unsafe fn shared(p: *mut Self, op: AtomicOp, value: Self, compare: Self) -> Self;
}

macro_rules! cell {
    ($($t:ty, $atomic:ty;)*) => {$(
        impl Cell for $t {
            fn apply(op: AtomicOp, old: $t, value: $t, compare: $t) -> Option<$t> {
                match op {
                    AtomicOp::Load => None,
                    AtomicOp::Store | AtomicOp::Exchange => Some(value),
                    AtomicOp::Add => Some(old.wrapping_add(value)),
                    AtomicOp::Sub => Some(old.wrapping_sub(value)),
                    AtomicOp::Min => Some(old.min(value)),
                    AtomicOp::Max => Some(old.max(value)),
                    AtomicOp::And => Some(old & value),
                    AtomicOp::Or => Some(old | value),
                    AtomicOp::Xor => Some(old ^ value),
                    AtomicOp::CompareExchange => (old == compare).then_some(value),
                }
            }

            unsafe fn shared(p: *mut $t, op: AtomicOp, value: $t, compare: $t) -> $t {
                // SAFETY: the caller's promise; concurrent access is by atomics or a race of the kernel.
                let cell = unsafe { <$atomic>::from_ptr(p) };
                match op {
                    AtomicOp::Load => cell.load(Relaxed),
                    AtomicOp::Store => {
                        cell.store(value, Relaxed);
                        value
                    }
                    AtomicOp::Add => cell.fetch_add(value, Relaxed),
                    AtomicOp::Sub => cell.fetch_sub(value, Relaxed),
                    AtomicOp::Min => cell.fetch_min(value, Relaxed),
                    AtomicOp::Max => cell.fetch_max(value, Relaxed),
                    AtomicOp::And => cell.fetch_and(value, Relaxed),
                    AtomicOp::Or => cell.fetch_or(value, Relaxed),
                    AtomicOp::Xor => cell.fetch_xor(value, Relaxed),
                    AtomicOp::Exchange => cell.swap(value, Relaxed),
                    AtomicOp::CompareExchange => match cell.compare_exchange(compare, value, Relaxed, Relaxed) {
                        Ok(old) | Err(old) => old,
                    },
                }
            }
        }
    )*};
}
cell! {
    u32, AtomicU32;
    i32, AtomicI32;
    u64, AtomicU64;
    i64, AtomicI64;
}

impl Cell for f32 {
    const MERGES: bool = false;

    fn apply(op: AtomicOp, old: f32, value: f32, _: f32) -> Option<f32> {
        match op {
            AtomicOp::Store | AtomicOp::Exchange => Some(value),
            AtomicOp::Add => Some(old + value),
            AtomicOp::Sub => Some(old - value),
            _ => None,
        }
    }

    unsafe fn shared(p: *mut f32, op: AtomicOp, value: f32, compare: f32) -> f32 {
        // SAFETY: the caller's promise; concurrent access is by atomics or a race of the kernel.
        let cell = unsafe { AtomicU32::from_ptr(p.cast()) };
        let next = |old: u32| f32::apply(op, f32::from_bits(old), value, compare).map(f32::to_bits);
        let (Ok(old) | Err(old)) = cell.fetch_update(Relaxed, Relaxed, next);
        f32::from_bits(old)
    }
}

/// The code of an atomic; `None` for a type that has none. `uniform`: a load into a scalar slot.
pub(super) fn pick(ty: Ty, uniform: bool) -> Option<Exec> {
    Some(match (ty, uniform) {
        (Ty::U32, false) => vector::<u32>,
        (Ty::I32, false) => vector::<i32>,
        (Ty::U64, false) => vector::<u64>,
        (Ty::I64, false) => vector::<i64>,
        (Ty::F32, false) => vector::<f32>,
        (Ty::U32 | Ty::I32 | Ty::F32, true) => load_scalar::<u32>,
        (Ty::U64 | Ty::I64, true) => load_scalar::<u64>,
        _ => return None,
    })
}

/// How lanes are merged before one operation, where the order of lanes cannot be seen.
fn reduction(atomic: &Atomic) -> Option<AtomicOp> {
    if atomic.dst.is_some() || !atomic.access.varying.is_empty() {
        return None;
    }
    match atomic.op {
        AtomicOp::Sub => Some(AtomicOp::Add),
        op @ (AtomicOp::Add | AtomicOp::Min | AtomicOp::Max | AtomicOp::And | AtomicOp::Or | AtomicOp::Xor) => Some(op),
        _ => None,
    }
}

/// Live lanes in order.
fn live<'c>(cx: &'c Ctx<'_>) -> impl Iterator<Item = usize> + use<'c> {
    let (b0, b1) = (cx.b0, cx.b1);
    (b0..b1).flat_map(move |block| {
        // SAFETY: blocks `b0..b1` belong to the batch.
        let mask = unsafe { cx.mask_block(block) };
        (0..W).filter(move |k| mask[*k] != 0).map(move |k| block * W + k)
    })
}

/// # Safety
/// The operand belongs to the running code, `lane` to the batch.
unsafe fn value<T: Lane>(cx: &Ctx<'_>, operand: Operand, lane: usize) -> T {
    let lane = if operand.uniform { 0 } else { lane };
    // SAFETY: the caller's promise.
    unsafe { cx.at::<T>(operand.slot).wrapping_add(lane).read() }
}

/// One operation at an address in bounds; the old value.
///
/// # Safety
/// `p` lies in the atomic's memory.
unsafe fn once<T: Cell>(atomic: &Atomic, op: AtomicOp, p: *mut u8, value: T, compare: T) -> T {
    let p = p.cast::<T>();
    // SAFETY: buffers of atomics were checked for alignment, the work-group arena is aligned.
    unsafe {
        if matches!(atomic.access.memory, Memory::Binding(_)) {
            return T::shared(p, op, value, compare);
        }
        let old = p.read();
        if let Some(new) = T::apply(op, old, value, compare) {
            p.write(new);
        }
        old
    }
}

unsafe fn vector<T: Cell>(cx: &mut Ctx<'_>, ins: &Ins) {
    let atomic = &cx.run.code.atomics[ins.x as usize];
    // SAFETY: slots and accesses of an instruction fit; only live lanes in bounds touch memory.
    unsafe {
        let origin = origin(cx, &atomic.access);
        if let (Some(o), Some(merge)) = (&origin, reduction(atomic).filter(|_| T::MERGES)) {
            let merged = live(cx)
                .map(|lane| value::<T>(cx, atomic.value, lane))
                .reduce(|a, b| T::apply(merge, a, b, b).unwrap_or(a));
            if let Some(merged) = merged {
                once(atomic, atomic.op, o.ptr, merged, merged);
            }
            return;
        }
        for lane in live(cx) {
            let p = origin.as_ref().and_then(|o| address(cx, &atomic.access, o, lane));
            let old = p.map_or(T::default(), |p| {
                once(atomic, atomic.op, p, value(cx, atomic.value, lane), value(cx, atomic.compare, lane))
            });
            if let Some(dst) = atomic.dst {
                cx.at::<T>(dst).wrapping_add(lane).write(old);
            }
        }
    }
}

unsafe fn load_scalar<T: Cell>(cx: &mut Ctx<'_>, ins: &Ins) {
    let atomic = &cx.run.code.atomics[ins.x as usize];
    // SAFETY: as in `vector`.
    unsafe {
        let old = origin(cx, &atomic.access)
            .map_or(T::default(), |o| once(atomic, AtomicOp::Load, o.ptr, T::default(), T::default()));
        cx.at::<T>(ins.d).write(old);
    }
}
