//! The operations of the IR on single values, as types for the loops of [`vector`](super::vector).
//!
//! Each is total and has one result bit for bit on every machine: no operation leaves the choice to the
//! compiler (`min` of zeros of both signs, NaN operands, integer overflow, division by zero).

use super::{
    math::{self, Inverse},
    vector::{Domain1, Domain2, Op1, Op2, Op3},
};
use std::marker::PhantomData;

/// Declares operation types, generic over a lane type, without values.
macro_rules! operations {
    ($($name:ident),* $(,)?) => {$(
        pub(super) struct $name<T>(PhantomData<T>);
    )*};
}

macro_rules! op1 {
    ($name:ident, $($t:ty)|*, |$a:ident| $e:expr) => {$(
        impl Op1 for $name<$t> {
            type A = $t;
            type R = $t;
            #[inline(always)]
            fn f($a: $t) -> $t { $e }
        }
    )*};
}

macro_rules! op2 {
    ($name:ident, $($t:ty)|*, |$a:ident, $b:ident| $e:expr) => {$(
        impl Op2 for $name<$t> {
            type A = $t;
            type B = $t;
            type R = $t;
            #[inline(always)]
            fn f($a: $t, $b: $t) -> $t { $e }
        }
    )*};
}

/// A comparison: the result is a mask.
macro_rules! compare {
    ($name:ident, $($t:ty)|*, |$a:ident, $b:ident| $e:expr) => {$(
        impl Op2 for $name<$t> {
            type A = $t;
            type B = $t;
            type R = u32;
            #[inline(always)]
            fn f($a: $t, $b: $t) -> u32 { if $e { !0 } else { 0 } }
        }
    )*};
}

/// A shift: the amount is a `u32`.
macro_rules! shift {
    ($name:ident, $($t:ty)|*, |$a:ident, $b:ident| $e:expr) => {$(
        impl Op2 for $name<$t> {
            type A = $t;
            type B = u32;
            type R = $t;
            #[inline(always)]
            fn f($a: $t, $b: u32) -> $t { $e }
        }
    )*};
}

operations!(Add, Sub, Mul, Div, Rem, Min, Max, And, Or, Xor, Shl, Shr, Eq, Ne, Lt, Le, Pow, Atan2, Fma);
operations!(Neg, Not, Abs, Floor, Ceil, Round, Trunc, Sqrt, InverseSqrt, Exp, Exp2, Log, Log2, Sin, Cos, Tan);
operations!(Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh);
operations!(CountOneBits, ReverseBits, CountLeadingZeros, CountTrailingZeros, FirstLeadingBit, FirstTrailingBit);

op2!(Add, u32 | u64, |a, b| a.wrapping_add(b));
op2!(Sub, u32 | u64, |a, b| a.wrapping_sub(b));
op2!(Mul, u32 | u64, |a, b| a.wrapping_mul(b));
op2!(Div, u32 | u64, |a, b| a.checked_div(b).unwrap_or(a));
op2!(Rem, u32 | u64, |a, b| if b == 0 { 0 } else { a % b });
op2!(Div, i32 | i64, |a, b| if b == 0 { a } else { a.wrapping_div(b) });
op2!(Rem, i32 | i64, |a, b| if b == 0 { 0 } else { a.wrapping_rem(b) });
op2!(Min, u32 | u64 | i32 | i64, |a, b| if b < a { b } else { a });
op2!(Max, u32 | u64 | i32 | i64, |a, b| if a < b { b } else { a });
op2!(And, u32 | u64, |a, b| a & b);
op2!(Or, u32 | u64, |a, b| a | b);
op2!(Xor, u32 | u64, |a, b| a ^ b);
shift!(Shl, u32 | u64, |a, b| a.wrapping_shl(b));
shift!(Shr, u32 | u64 | i32 | i64, |a, b| a.wrapping_shr(b));

op2!(Add, f32 | f64, |a, b| a + b);
op2!(Sub, f32 | f64, |a, b| a - b);
op2!(Mul, f32 | f64, |a, b| a * b);
op2!(Div, f32 | f64, |a, b| a / b);
op2!(Rem, f32 | f64, |a, b| a - b * (a / b).trunc());
// A NaN gives way to the other operand; of equal operands (zeros of both signs) the first wins.
#[rustfmt::skip]
op2!(Min, f32 | f64, |a, b| if b < a || a.is_nan() { b } else { a });
#[rustfmt::skip]
op2!(Max, f32 | f64, |a, b| if a < b || a.is_nan() { b } else { a });
op2!(Pow, f64, |a, b| a.powf(b));
op2!(Pow, f32, |a, b| if math::pow_domain(a, b) { math::pow(a, b) } else { a.powf(b) });
op2!(Atan2, f32 | f64, |a, b| a.atan2(b));

compare!(Eq, u32 | u64 | f32 | f64, |a, b| a == b);
compare!(Ne, u32 | u64 | f32 | f64, |a, b| a != b);
compare!(Lt, u32 | u64 | i32 | i64 | f32 | f64, |a, b| a < b);
compare!(Le, u32 | u64 | i32 | i64 | f32 | f64, |a, b| a <= b);

op1!(Neg, u32 | u64, |a| a.wrapping_neg());
op1!(Neg, f32 | f64, |a| -a);
op1!(Not, u32 | u64, |a| !a);
op1!(Abs, i32 | i64, |a| a.wrapping_abs());
op1!(Abs, f32 | f64, |a| a.abs());
op1!(Floor, f32 | f64, |a| a.floor());
op1!(Ceil, f32 | f64, |a| a.ceil());
op1!(Round, f32 | f64, |a| a.round_ties_even());
op1!(Trunc, f32 | f64, |a| a.trunc());
op1!(Sqrt, f32 | f64, |a| a.sqrt());
op1!(InverseSqrt, f32 | f64, |a| 1.0 / a.sqrt());
op1!(Exp, f64, |a| a.exp());
op1!(Exp, f32, |a| math::exp(a));
op1!(Exp2, f64, |a| a.exp2());
op1!(Exp2, f32, |a| math::exp2(a));
op1!(Log, f64, |a| a.ln());
op1!(Log, f32, |a| math::log(a));
op1!(Log2, f64, |a| a.log2());
op1!(Log2, f32, |a| math::log2(a));
op1!(Sin, f64, |a| a.sin());
op1!(Sin, f32, |a| if math::sin_cos_domain(a) { math::sin(a) } else { a.sin() });
op1!(Cos, f64, |a| a.cos());
op1!(Cos, f32, |a| if math::sin_cos_domain(a) { math::cos(a) } else { a.cos() });
op1!(Tan, f64, |a| a.tan());
op1!(Tan, f32, |a| if math::sin_cos_domain(a) { math::tan(a) } else { a.tan() });
op1!(Asin, f32 | f64, |a| a.asin());
op1!(Acos, f32 | f64, |a| a.acos());
op1!(Atan, f32 | f64, |a| a.atan());
op1!(Sinh, f32 | f64, |a| a.sinh());
op1!(Cosh, f32 | f64, |a| a.cosh());
op1!(Tanh, f64, |a| a.tanh());
op1!(Tanh, f32, |a| math::tanh(a));
op1!(Asinh, f32 | f64, |a| a.arc_sinh());
op1!(Acosh, f32 | f64, |a| a.arc_cosh());
op1!(Atanh, f32 | f64, |a| a.arc_tanh());

impl Domain2 for Pow<f32> {
    #[inline(always)]
    fn inside(a: f32, b: f32) -> bool {
        math::pow_domain(a, b)
    }
    #[inline(always)]
    fn fast(a: f32, b: f32) -> f32 {
        math::pow(a, b)
    }
}

macro_rules! angle {
    ($($name:ident $f:ident;)*) => {$(
        impl Domain1 for $name<f32> {
            #[inline(always)]
            fn inside(a: f32) -> bool { math::sin_cos_domain(a) }
            #[inline(always)]
            fn fast(a: f32) -> f32 { math::$f(a) }
        }
    )*};
}
angle! { Sin sin; Cos cos; Tan tan; }

op1!(CountOneBits, u32, |a| a.count_ones());
op1!(CountOneBits, u64, |a| u64::from(a.count_ones()));
op1!(ReverseBits, u32 | u64, |a| a.reverse_bits());
op1!(CountLeadingZeros, u32, |a| a.leading_zeros());
op1!(CountLeadingZeros, u64, |a| u64::from(a.leading_zeros()));
op1!(CountTrailingZeros, u32, |a| a.trailing_zeros());
op1!(CountTrailingZeros, u64, |a| u64::from(a.trailing_zeros()));
// Zero has no bit: `width - 1 - width` wraps to all ones.
op1!(FirstLeadingBit, u32, |a| 31u32.wrapping_sub(a.leading_zeros()));
op1!(FirstLeadingBit, u64, |a| 63u64.wrapping_sub(u64::from(a.leading_zeros())));
// Signed: the highest bit that differs from the sign bit.
op1!(FirstLeadingBit, i32, |a| 31i32.wrapping_sub((a ^ (a >> 31)).leading_zeros().cast_signed()));
op1!(FirstLeadingBit, i64, |a| 63i64.wrapping_sub(i64::from((a ^ (a >> 63)).leading_zeros())));
op1!(FirstTrailingBit, u32, |a| if a == 0 { !0 } else { a.trailing_zeros() });
op1!(FirstTrailingBit, u64, |a| if a == 0 { !0 } else { u64::from(a.trailing_zeros()) });

macro_rules! fma {
    ($($t:ty)*) => {$(
        impl Op3 for Fma<$t> {
            type T = $t;
            #[inline(always)]
            fn f(a: $t, b: $t, c: $t) -> $t { a.mul_add(b, c) }
        }
    )*};
}
fma!(f32 f64);

/// Rounds to the nearest binary16 value, ties to even.
pub(super) struct QuantizeF16;

impl Op1 for QuantizeF16 {
    type A = f32;
    type R = f32;
    #[inline(always)]
    fn f(a: f32) -> f32 {
        let bits = a.to_bits();
        let magnitude = bits & 0x7fff_ffff;
        let sign = bits & 0x8000_0000;
        // Drop 13 mantissa bits, ties to even; a carry moves into the exponent.
        let rounded = (magnitude + 0xfff + ((magnitude >> 13) & 1)) & !0x1fff;
        let normal = if rounded >= 0x4780_0000 { 0x7f80_0000 } else { rounded };
        // Below 2^-14 the result is a multiple of 2^-24: adding and subtracting 0.5 rounds there.
        let tiny = ((f32::from_bits(magnitude) + 0.5) - 0.5).to_bits();
        let finite = if magnitude < 0x3880_0000 { tiny } else { normal };
        let out = if magnitude > 0x7f80_0000 { magnitude } else { finite };
        f32::from_bits(sign | out)
    }
}

/// A Bool as 0 or 1, the form it has in memory.
pub(super) struct FromMask;

impl Op1 for FromMask {
    type A = u32;
    type R = u32;
    #[inline(always)]
    fn f(a: u32) -> u32 {
        a & 1
    }
}

/// `x != 0` as a Bool.
pub(super) struct ToMask<T>(PhantomData<T>);

macro_rules! to_mask {
    ($($t:ty)*) => {$(
        impl Op1 for ToMask<$t> {
            type A = $t;
            type R = u32;
            #[inline(always)]
            fn f(a: $t) -> u32 { if a != 0 as $t { !0 } else { 0 } }
        }
    )*};
}
to_mask!(u32 u64 f32 f64);

/// `x as R` where no float becomes an integer that its own type does not have.
pub(super) struct As<A, R>(PhantomData<(A, R)>);

macro_rules! convert {
    ($($a:ty => $($r:ty)*;)*) => {$($(
        impl Op1 for As<$a, $r> {
            type A = $a;
            type R = $r;
            #[inline(always)]
            #[allow(clippy::unnecessary_cast, reason = "one rule for all pairs")]
            fn f(a: $a) -> $r { a as $r }
        }
    )*)*};
}
convert! {
    u32 => u64 f32 f64;
    i32 => i64 f32 f64;
    u64 => u32 f32 f64;
    i64 => f32 f64;
    f32 => f64;
    f64 => u32 i32 f32;
}

/// To an integer wider than the float's mantissa: truncating, NaN is 0, clamped to the values both types have.
macro_rules! clamp_convert {
    ($($a:ty => $($r:ty)*;)*) => {$($(
        impl Op1 for As<$a, $r> {
            type A = $a;
            type R = $r;
            #[inline(always)]
            fn f(a: $a) -> $r {
                // `MAX` rounds up to a power of two, which is one too large.
                const LARGEST: $a = (<$r>::MAX as $a).next_down();
                (if a > LARGEST { LARGEST } else { a }) as $r
            }
        }
    )*)*};
}
clamp_convert! {
    f32 => u32 i32 u64 i64;
    f64 => u64 i64;
}

/// A Bool as a number.
pub(super) struct BoolAs<R>(PhantomData<R>);

macro_rules! bool_as {
    ($($r:ty)*) => {$(
        impl Op1 for BoolAs<$r> {
            type A = u32;
            type R = $r;
            #[inline(always)]
            fn f(a: u32) -> $r { (a & 1) as $r }
        }
    )*};
}
bool_as!(u64 f32 f64);
