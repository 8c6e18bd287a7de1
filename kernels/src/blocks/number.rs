//! The element types of the building blocks, with their WGSL and what the host needs to know of them.

use evener::prelude::*;
use evener_shaders::blocks as wgsl;
use std::ops::{BitXor, Not};

/// An element type of the building blocks: f32, f64, i32, u32, i64, u64. Those of 64 bits run on the CPU and on GPUs
/// that have them.
///
/// The order of floats is [`f32::total_cmp`]: -0 before +0, NaN with a sign before all numbers and NaN without after
/// them.
pub trait Number: Scalar + PartialEq + Send + Sync {}

/// What the kernels need of a type. Closed: WGSL has no other numbers.
pub trait Scalar: Element + Default {
    /// Its name in WGSL.
    const NAME: &'static str;
    /// Its WGSL: `T` and the order of its values.
    const TYPE_WGSL: &'static str;
    /// The WGSL of its sums.
    const SUM_WGSL: [&'static str; 2];
    /// Whether sums do not depend on the order of their additions.
    const EXACT: bool;
    /// What a sum carries beside the sum itself.
    type Rest: Element + Default + Send + Sync;
    /// Unsigned integers in the order of the values.
    type Key: Element + Default + Ord + Not<Output = Self::Key> + BitXor<Output = Self::Key> + Into<u64> + Send + Sync;
    /// The greatest key.
    const LAST_KEY: Self::Key;

    /// Adds to a sum, as `take` of the WGSL.
    fn take(sum: &mut Self, rest: &mut Self::Rest, value: Self);
    /// Adds what another sum carried, as `join` of the WGSL does after it took that sum.
    fn join(rest: &mut Self::Rest, other: Self::Rest);
    /// The sum with what it carried, as `finish` of the WGSL.
    fn finish(sum: Self, rest: Self::Rest) -> Self;
    /// The sum of two.
    fn plus(self, other: Self) -> Self;
    /// The product of two.
    fn times(self, other: Self) -> Self;

    /// The sum of partial sums with what they carried, in their order.
    fn total(parts: impl IntoIterator<Item = (Self, Self::Rest)>) -> Self {
        let (mut sum, mut rest) = (Self::default(), Self::Rest::default());
        for (value, lost) in parts {
            Self::take(&mut sum, &mut rest, value);
            Self::join(&mut rest, lost);
        }
        Self::finish(sum, rest)
    }

    /// The value of a key.
    fn of_key(key: Self::Key) -> Self;
    /// The key of a value, as `key_of` of the WGSL.
    fn key(self) -> Self::Key;
}

macro_rules! integers {
    ($($ty:ident $key:ident $wgsl:ident $sign:expr;)*) => {$(
        impl Number for $ty {}
        impl Scalar for $ty {
            const NAME: &'static str = stringify!($ty);
            const TYPE_WGSL: &'static str = wgsl::$wgsl;
            const SUM_WGSL: [&'static str; 2] = [wgsl::SUM_INTEGER, ""];
            const EXACT: bool = true;
            type Rest = u32;
            type Key = $key;
            const LAST_KEY: $key = $key::MAX;

            #[inline]
            fn take(sum: &mut Self, _: &mut u32, value: Self) {
                *sum = sum.wrapping_add(value);
            }

            #[inline]
            fn join(_: &mut u32, _: u32) {}

            #[inline]
            fn finish(sum: Self, _: u32) -> Self {
                sum
            }

            #[inline]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            #[inline]
            fn of_key(key: $key) -> Self {
                (key ^ $sign) as $ty
            }

            #[inline]
            fn key(self) -> $key {
                self as $key ^ $sign
            }
        }
    )*};
}

integers! {
    u32 u32 U32 0;
    u64 u64 U64 0;
    i32 u32 I32 1 << 31;
    i64 u64 I64 1 << 63;
}

macro_rules! floats {
    ($($ty:ident $key:ident $wgsl:ident $sum:ident;)*) => {$(
        impl Number for $ty {}
        impl Scalar for $ty {
            const NAME: &'static str = stringify!($ty);
            const TYPE_WGSL: &'static str = wgsl::$wgsl;
            const SUM_WGSL: [&'static str; 2] = [wgsl::$sum, wgsl::SUM_FLOAT];
            const EXACT: bool = false;
            type Rest = $ty;
            type Key = $key;
            const LAST_KEY: $key = $key::MAX;

            #[inline]
            fn take(sum: &mut Self, rest: &mut Self, value: Self) {
                let both: $ty = *sum + value;
                let part = both - *sum;
                *rest += (*sum - (both - part)) + (value - part);
                *sum = both;
            }

            #[inline]
            fn join(rest: &mut Self, other: Self) {
                *rest += other;
            }

            #[inline]
            fn finish(sum: Self, rest: Self) -> Self {
                // What an infinite sum lost is no number.
                if sum.is_finite() { sum + rest } else { sum }
            }

            #[inline]
            fn plus(self, other: Self) -> Self {
                self + other
            }

            #[inline]
            fn times(self, other: Self) -> Self {
                self * other
            }

            #[inline]
            fn of_key(key: $key) -> Self {
                let sign: $key = 1 << ($key::BITS - 1);
                $ty::from_bits(if key & sign == 0 { !key } else { key ^ sign })
            }

            #[inline]
            fn key(self) -> $key {
                let (bits, sign): ($key, $key) = (self.to_bits(), 1 << ($key::BITS - 1));
                // All ones of a negative number, only the sign of another.
                bits ^ ((bits >> ($key::BITS - 1)).wrapping_neg() | sign)
            }
        }
    )*};
}

floats! {
    f32 u32 F32 SUM_F32;
    f64 u64 F64 SUM_F64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lead_back_to_their_values() {
        assert_eq!(f32::of_key(1 << 31).to_bits(), 0.0f32.to_bits());
        assert_eq!(f32::of_key((1 << 31) - 1).to_bits(), (-0.0f32).to_bits());
        for x in [1.5f64, -1.5, f64::MAX, f64::NEG_INFINITY, -0.0] {
            assert_eq!(f64::of_key(x.key()).to_bits(), x.to_bits());
            assert_eq!(f32::of_key((x as f32).key()).to_bits(), (x as f32).to_bits());
        }
        assert_eq!((i32::of_key((-5i32).key()), u64::of_key(9u64.key())), (-5, 9));
        assert_eq!((i32::of_key(0), i64::of_key(u64::MAX)), (i32::MIN, i64::MAX));
    }

    #[test]
    fn partial_sums_are_added_without_loss() {
        assert_eq!(f32::total([(1e8, 0.0), (1.0, 0.25), (-1e8, 0.0), (1.0, 0.0)]), 2.25);
        assert_eq!(f64::total([1e16, 1.0, -1e16].map(|x| (x, 0.0))), 1.0);
        assert_eq!(u32::total([(u32::MAX, 0), (2, 0)]), 1);
    }
}
