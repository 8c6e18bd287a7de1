//! The functions as numbers: one lane, for loops that the compiler vectorises.

use super::machine::Machine;
use std::{cell::Cell, marker::PhantomData};

/// One lane. Without `FULL`, a rare case is not computed but noted: a loop over lanes stays free of
/// branches and repeats the noted lanes with `FULL`.
pub(crate) struct Scalar<T, const FULL: bool> {
    rare: Cell<bool>,
    ty: PhantomData<T>,
}

impl<T, const FULL: bool> Scalar<T, FULL> {
    /// A lane that no rare case was met in.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Scalar { rare: Cell::new(false), ty: PhantomData }
    }

    /// Whether the result does not count, for want of a rare case.
    #[inline(always)]
    pub(crate) fn missed(&self) -> bool {
        self.rare.get()
    }
}

macro_rules! machine {
    ($float:ident $word:ident $int:ident $wide:ident) => {
        impl<const FULL: bool> Machine for Scalar<$float, FULL> {
            type Float = $float;
            type F = $float;
            type U = $word;
            type B = bool;

            machine! { methods
                c(x: $float) -> $float { x }
                w(x: $word) -> $word { x }
                add(a: $float, b: $float) -> $float { a + b }
                sub(a: $float, b: $float) -> $float { a - b }
                mul(a: $float, b: $float) -> $float { a * b }
                div(a: $float, b: $float) -> $float { a / b }
                fma(a: $float, b: $float, c: $float) -> $float { a.mul_add(b, c) }
                sqrt(a: $float) -> $float { a.sqrt() }
                neg(a: $float) -> $float { -a }
                abs(a: $float) -> $float { a.abs() }
                trunc(a: $float) -> $float { a.trunc() }
                lt(a: $float, b: $float) -> bool { a < b }
                eq(a: $float, b: $float) -> bool { a == b }
                select(c: bool, a: $float, b: $float) -> $float { if c { a } else { b } }
                both(a: bool, b: bool) -> bool { a & b }
                either(a: bool, b: bool) -> bool { a | b }
                not(a: bool) -> bool { !a }
                bits(a: $float) -> $word { a.to_bits() }
                float(a: $word) -> $float { $float::from_bits(a) }
                signed(a: $word) -> $float { a.cast_signed() as $float }
                plus(a: $word, b: $word) -> $word { a.wrapping_add(b) }
                minus(a: $word, b: $word) -> $word { a.wrapping_sub(b) }
                times(a: $word, b: $word) -> $word { a.wrapping_mul(b) }
                times_high(a: $word, b: $word) -> $word { ((a as $wide * b as $wide) >> $word::BITS) as $word }
                least(a: $word, b: $word) -> $word { if a < b { a } else { b } }
                and(a: $word, b: $word) -> $word { a & b }
                or(a: $word, b: $word) -> $word { a | b }
                xor(a: $word, b: $word) -> $word { a ^ b }
                shl(a: $word, n: u32) -> $word { a << n }
                shr(a: $word, n: u32) -> $word { a >> n }
                sar(a: $word, n: u32) -> $word { (a.cast_signed() >> n).cast_unsigned() }
                shl_by(a: $word, n: $word) -> $word { a.wrapping_shl(n as u32) }
                shr_by(a: $word, n: $word) -> $word { a.wrapping_shr(n as u32) }
                below(a: $word, b: $word) -> bool { a.cast_signed() < b.cast_signed() }
                same(a: $word, b: $word) -> bool { a == b }
                choose(c: bool, a: $word, b: $word) -> $word { if c { a } else { b } }
            }

            #[inline(always)]
            fn rare<const N: usize>(
                &self,
                cond: bool,
                fast: [$float; N],
                slow: impl FnOnce() -> [$float; N],
            ) -> [$float; N] {
                if FULL && cond {
                    return slow();
                }
                self.rare.set(self.rare.get() | cond);
                fast
            }
        }
    };
    (methods $($name:ident($($arg:ident: $t:ty),*) -> $r:ty $body:block)*) => {$(
        #[inline(always)]
        fn $name(&self, $($arg: $t),*) -> $r $body
    )*};
}

machine!(f32 u32 i32 u64);
machine!(f64 u64 i64 u128);
