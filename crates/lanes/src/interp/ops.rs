//! The operations of the IR on single values, as types for the loops of [`vector`](super::vector).
//!
//! Each is total and has one result bit for bit on every machine: no operation leaves the choice to the
//! compiler (`min` of zeros of both signs, NaN operands, integer overflow, division by zero).

use super::vector::{Op1, Op2, Op3, Rare1, Rare2};
use crate::ir::half;
use crate::math::{functions, library, scalar::Scalar};
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

operations!(Add, Sub, Mul, MulHigh, Div, Rem, Min, Max, And, Or, Xor, Shl, Shr, Eq, Ne, Lt, Le, Pow, Atan2, Fma);
operations!(Neg, Not, Abs, Floor, Ceil, Round, Trunc, Sqrt, InverseSqrt, Exp, Exp2, Log, Log2, Sin, Cos, Tan);
operations!(Asin, Acos, Atan, Sinh, Cosh, Tanh, Asinh, Acosh, Atanh);
operations!(CountOneBits, ReverseBits, CountLeadingZeros, CountTrailingZeros, FirstLeadingBit, FirstTrailingBit);

op2!(Add, u32 | u64, |a, b| a.wrapping_add(b));
op2!(Sub, u32 | u64, |a, b| a.wrapping_sub(b));
op2!(Mul, u32 | u64, |a, b| a.wrapping_mul(b));
op2!(MulHigh, u32, |a, b| ((u64::from(a) * u64::from(b)) >> 32) as u32);
op2!(MulHigh, i32, |a, b| ((i64::from(a) * i64::from(b)) >> 32) as i32);
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

/// The functions of [`math`](crate::math): whole for one value, and without the rare cases for loops.
macro_rules! math {
    ([$($unary:ident $name1:ident),*] [$($binary:ident $name2:ident),*]) => {
        $(
            math!(Rare1 op1 $unary f32 $name1 a);
            math!(Rare1 op1 $unary f64 $name1 a);
        )*
        $(
            math!(Rare2 op2 $binary f32 $name2 a b);
            math!(Rare2 op2 $binary f64 $name2 a b);
        )*
    };
    ($rare:ident $exact:ident $name:ident $t:ident $function:ident $($arg:ident)*) => {
        $exact!($name, $t, |$($arg),*| library::$function(&Scalar::<$t, true>::new(), $($arg),*));
        impl $rare for $name<$t> {
            #[inline(always)]
            fn fast($($arg: $t),*) -> ($t, bool) {
                let m = Scalar::<$t, false>::new();
                let r = library::$function(&m, $($arg),*);
                (r, m.missed())
            }
        }
    };
}
functions!(math);

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
        half::quantize(a)
    }
}

/// From the 16 bits of a register to the type they are computed in.
pub(super) struct Widen<R>(PhantomData<R>);

impl Op1 for Widen<f32> {
    type A = u32;
    type R = f32;
    #[inline(always)]
    fn f(a: u32) -> f32 {
        half::to_f32(a as u16)
    }
}

impl Op1 for Widen<i32> {
    type A = u32;
    type R = i32;
    #[inline(always)]
    fn f(a: u32) -> i32 {
        i32::from(a as u16 as i16)
    }
}

/// To 16 bits with zeros above.
pub(super) struct Shorten<A>(PhantomData<A>);

impl Op1 for Shorten<f32> {
    type A = f32;
    type R = u32;
    #[inline(always)]
    fn f(a: f32) -> u32 {
        half::from_f32(a).into()
    }
}

impl Op1 for Shorten<u32> {
    type A = u32;
    type R = u32;
    #[inline(always)]
    fn f(a: u32) -> u32 {
        a & 0xffff
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
