//! Operations lifted over lanes: generic loops over blocks, compiled once a [`Level`].
//!
//! An operation is a type that implements [`Op1`] or [`Op2`]; `pick1`, `pick2`, ... give the code of its
//! loop for a level and for which operands are uniform. Blocks are read whole before the result is
//! written, so a destination may be the same slot as an operand.

use super::{
    level::Level,
    machine::{Ctx, Exec, Ins, Lane, W},
};

/// An operation of one operand.
pub(super) trait Op1 {
    type A: Lane;
    type R: Lane;
    fn f(a: Self::A) -> Self::R;
}

/// An operation of two operands.
pub(super) trait Op2 {
    type A: Lane;
    type B: Lane;
    type R: Lane;
    fn f(a: Self::A, b: Self::B) -> Self::R;
}

/// An operation of three operands of one type.
pub(super) trait Op3 {
    type T: Lane;
    fn f(a: Self::T, b: Self::T, c: Self::T) -> Self::T;
}

/// An operation with a branch-free formula for all but rare cases.
pub(super) trait Rare1: Op1 {
    /// The result, and whether it does not count: then it is `f` of the same.
    fn fast(a: Self::A) -> (Self::R, bool);
}

/// [`Rare1`] of two operands.
pub(super) trait Rare2: Op2 {
    /// The result, and whether it does not count: then it is `f` of the same.
    fn fast(a: Self::A, b: Self::B) -> (Self::R, bool);
}

/// Defines `fn $pick<generics>(level) -> Exec`: `$body` compiled for each level.
macro_rules! leveled {
    ($vis:vis fn $pick:ident = $body:ident [$($g:ident: $b:ident),*] [$($c:ident),*]) => {
        $vis fn $pick<$($g: $b,)* $(const $c: bool,)*>(level: $crate::interp::Level) -> $crate::interp::machine::Exec {
            unsafe fn base<$($g: $b,)* $(const $c: bool,)*>(cx: &mut Ctx<'_>, i: &Ins) {
                // SAFETY: the caller keeps the contract of `Exec`.
                unsafe { $body::<$($g,)* $($c,)*>(cx, i) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
            unsafe fn avx2<$($g: $b,)* $(const $c: bool,)*>(cx: &mut Ctx<'_>, i: &Ins) {
                // SAFETY: as above.
                unsafe { $body::<$($g,)* $($c,)*>(cx, i) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
            unsafe fn avx512<$($g: $b,)* $(const $c: bool,)*>(cx: &mut Ctx<'_>, i: &Ins) {
                // SAFETY: as above.
                unsafe { $body::<$($g,)* $($c,)*>(cx, i) }
            }
            match level {
                #[cfg(target_arch = "x86_64")]
                $crate::interp::Level::Avx2 => avx2::<$($g,)* $($c,)*>,
                #[cfg(target_arch = "x86_64")]
                $crate::interp::Level::Avx512 => avx512::<$($g,)* $($c,)*>,
                _ => base::<$($g,)* $($c,)*>,
            }
        }
    };
}
pub(super) use leveled;

leveled!(fn vector1 = unary [O: Op1] []);
leveled!(fn vector2 = binary [O: Op2] [AU, BU]);
leveled!(fn rare1 = unary_rare [O: Rare1] []);
leveled!(fn rare2 = binary_rare [O: Rare2] [AU, BU]);
leveled!(fn vector3 = ternary [O: Op3] []);
leveled!(fn select_vector = select [T: Lane] [BU, CU]);
leveled!(pub(super) fn blend = blend_masked [T: Lane] [AU]);
leveled!(pub(super) fn copy = copy_blocks [T: Lane] [AU]);

/// The code of `d = O(a)`.
pub(super) fn pick1<O: Op1>(level: Level, uniform: bool) -> Exec {
    if uniform { scalar1::<O> } else { vector1::<O>(level) }
}

/// [`pick1`] for an operation with rare cases.
pub(super) fn pick1_rare<O: Rare1>(level: Level, uniform: bool) -> Exec {
    if uniform { scalar1::<O> } else { rare1::<O>(level) }
}

/// The code of `d = O(a, b)`; the flags say which operands are scalar slots.
pub(super) fn pick2<O: Op2>(level: Level, a: bool, b: bool) -> Exec {
    match (a, b) {
        (false, false) => vector2::<O, false, false>(level),
        (false, true) => vector2::<O, false, true>(level),
        (true, false) => vector2::<O, true, false>(level),
        (true, true) => scalar2::<O>,
    }
}

/// [`pick2`] for an operation with rare cases.
pub(super) fn pick2_rare<O: Rare2>(level: Level, a: bool, b: bool) -> Exec {
    match (a, b) {
        (false, false) => rare2::<O, false, false>(level),
        (false, true) => rare2::<O, false, true>(level),
        (true, false) => rare2::<O, true, false>(level),
        (true, true) => scalar2::<O>,
    }
}

/// The code of `d = O(a, b, c)`, all vector slots or all scalar slots.
pub(super) fn pick3<O: Op3>(level: Level, uniform: bool) -> Exec {
    if uniform { scalar3::<O> } else { vector3::<O>(level) }
}

/// The code of `d = a ? b : c`: `a` a vector slot; the flags say which of `b`, `c` are scalar slots.
pub(super) fn pick_select<T: Lane>(level: Level, b: bool, c: bool) -> Exec {
    match (b, c) {
        (false, false) => select_vector::<T, false, false>(level),
        (false, true) => select_vector::<T, false, true>(level),
        (true, false) => select_vector::<T, true, false>(level),
        (true, true) => select_vector::<T, true, true>(level),
    }
}

/// The operand of a block: splat of a scalar slot, or the block of a vector slot.
///
/// # Safety
/// As for [`Ctx::scalar`] if `U`, else as for [`Ctx::block`].
#[inline(always)]
pub(super) unsafe fn operand<T: Lane, const U: bool>(cx: &Ctx<'_>, slot: u32, block: usize) -> [T; W] {
    // SAFETY: the caller's promise.
    unsafe { if U { [cx.scalar::<T>(slot); W] } else { cx.block::<T>(slot, block) } }
}

#[inline(always)]
unsafe fn unary<O: Op1>(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: the slots of an instruction fit its operation; `b1` is within the batch.
        unsafe {
            let a = cx.block::<O::A>(i.a, block);
            let mut r = [O::R::default(); W];
            for k in 0..W {
                r[k] = O::f(a[k]);
            }
            cx.put(i.d, block, r);
        }
    }
}

#[inline(always)]
unsafe fn binary<O: Op2, const AU: bool, const BU: bool>(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: as in `unary`.
        unsafe {
            let a = operand::<O::A, AU>(cx, i.a, block);
            let b = operand::<O::B, BU>(cx, i.b, block);
            let mut r = [O::R::default(); W];
            for k in 0..W {
                r[k] = O::f(a[k], b[k]);
            }
            cx.put(i.d, block, r);
        }
    }
}

/// The formula for the whole block, then the rare cases among its lanes.
#[inline(always)]
unsafe fn unary_rare<O: Rare1>(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: as in `unary`.
        unsafe {
            let a = cx.block::<O::A>(i.a, block);
            let mut r = [O::R::default(); W];
            let mut any = false;
            for k in 0..W {
                let (value, missed) = O::fast(a[k]);
                r[k] = value;
                any |= missed;
            }
            if any {
                for k in 0..W {
                    if O::fast(a[k]).1 {
                        r[k] = O::f(a[k]);
                    }
                }
            }
            cx.put(i.d, block, r);
        }
    }
}

#[inline(always)]
unsafe fn binary_rare<O: Rare2, const AU: bool, const BU: bool>(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: as in `unary`.
        unsafe {
            let a = operand::<O::A, AU>(cx, i.a, block);
            let b = operand::<O::B, BU>(cx, i.b, block);
            let mut r = [O::R::default(); W];
            let mut any = false;
            for k in 0..W {
                let (value, missed) = O::fast(a[k], b[k]);
                r[k] = value;
                any |= missed;
            }
            if any {
                for k in 0..W {
                    if O::fast(a[k], b[k]).1 {
                        r[k] = O::f(a[k], b[k]);
                    }
                }
            }
            cx.put(i.d, block, r);
        }
    }
}

#[inline(always)]
unsafe fn ternary<O: Op3>(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: as in `unary`.
        unsafe {
            let a = cx.block::<O::T>(i.a, block);
            let b = cx.block::<O::T>(i.b, block);
            let c = cx.block::<O::T>(i.c, block);
            let mut r = [O::T::default(); W];
            for k in 0..W {
                r[k] = O::f(a[k], b[k], c[k]);
            }
            cx.put(i.d, block, r);
        }
    }
}

#[inline(always)]
fn choose<T: Lane>(m: [u32; W], b: [T; W], c: [T; W]) -> [T; W] {
    let mut r = c;
    for k in 0..W {
        r[k] = if m[k] != 0 { b[k] } else { c[k] };
    }
    r
}

#[inline(always)]
unsafe fn select<T: Lane, const BU: bool, const CU: bool>(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: as in `unary`.
        unsafe {
            let m = cx.block::<u32>(i.a, block);
            let b = operand::<T, BU>(cx, i.b, block);
            let c = operand::<T, CU>(cx, i.c, block);
            cx.put(i.d, block, choose(m, b, c));
        }
    }
}

/// `d = a` in the live lanes.
#[inline(always)]
unsafe fn blend_masked<T: Lane, const AU: bool>(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: as in `unary`.
        unsafe {
            let a = operand::<T, AU>(cx, i.a, block);
            let old = cx.block::<T>(i.d, block);
            cx.put(i.d, block, choose(cx.mask_block(block), a, old));
        }
    }
}

/// `d = a`, a broadcast if `AU`.
#[inline(always)]
unsafe fn copy_blocks<T: Lane, const AU: bool>(cx: &mut Ctx<'_>, i: &Ins) {
    for block in cx.b0..cx.b1 {
        // SAFETY: as in `unary`.
        unsafe {
            let a = operand::<T, AU>(cx, i.a, block);
            cx.put(i.d, block, a);
        }
    }
}

unsafe fn scalar1<O: Op1>(cx: &mut Ctx<'_>, i: &Ins) {
    // SAFETY: the slots of an instruction fit its operation.
    unsafe { cx.at::<O::R>(i.d).write(O::f(cx.scalar(i.a))) }
}

unsafe fn scalar2<O: Op2>(cx: &mut Ctx<'_>, i: &Ins) {
    // SAFETY: as in `scalar1`.
    unsafe { cx.at::<O::R>(i.d).write(O::f(cx.scalar(i.a), cx.scalar(i.b))) }
}

unsafe fn scalar3<O: Op3>(cx: &mut Ctx<'_>, i: &Ins) {
    // SAFETY: as in `scalar1`.
    unsafe { cx.at::<O::T>(i.d).write(O::f(cx.scalar(i.a), cx.scalar(i.b), cx.scalar(i.c))) }
}

/// `d = a ? b : c` in scalar slots.
pub(super) unsafe fn select_scalar<T: Lane>(cx: &mut Ctx<'_>, i: &Ins) {
    // SAFETY: as in `scalar1`.
    unsafe {
        let from = if cx.scalar::<u32>(i.a) != 0 { i.b } else { i.c };
        cx.at::<T>(i.d).write(cx.scalar(from));
    }
}

/// `d = a` in scalar slots.
pub(super) unsafe fn copy_scalar<T: Lane>(cx: &mut Ctx<'_>, i: &Ins) {
    // SAFETY: as in `scalar1`.
    unsafe { cx.at::<T>(i.d).write(cx.scalar(i.a)) }
}
