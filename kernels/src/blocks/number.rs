//! The element types of the building blocks, with their WGSL and what the host needs to know of them.

use evener::prelude::*;
use evener_shaders::blocks as wgsl;
use std::ops::Not;

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
    /// What a sum carries beside the sum itself.
    type Rest: Element;
    /// Unsigned integers in the order of the values.
    type Key: Element + Ord + Not<Output = Self::Key>;
    /// The greatest key.
    const LAST_KEY: Self::Key;

    /// The sum of partial sums, in their order.
    fn total(sums: &[Self], rests: &[Self::Rest]) -> Self;
    /// The value of a key.
    fn of_key(key: Self::Key) -> Self;
}

macro_rules! integers {
    ($($ty:ident $key:ident $wgsl:ident $of_key:expr;)*) => {$(
        impl Number for $ty {}
        impl Scalar for $ty {
            const NAME: &'static str = stringify!($ty);
            const TYPE_WGSL: &'static str = wgsl::$wgsl;
            const SUM_WGSL: [&'static str; 2] = [wgsl::SUM_INTEGER, ""];
            type Rest = u32;
            type Key = $key;
            const LAST_KEY: $key = $key::MAX;

            fn total(sums: &[Self], _: &[u32]) -> Self {
                sums.iter().fold(0, |a, b| a.wrapping_add(*b))
            }

            fn of_key(key: $key) -> Self {
                $of_key(key)
            }
        }
    )*};
}

integers! {
    u32 u32 U32 |key| key;
    u64 u64 U64 |key| key;
    i32 u32 I32 |key: u32| (key ^ 1 << 31) as i32;
    i64 u64 I64 |key: u64| (key ^ 1 << 63) as i64;
}

macro_rules! floats {
    ($($ty:ident $key:ident $wgsl:ident $sum:ident;)*) => {$(
        impl Number for $ty {}
        impl Scalar for $ty {
            const NAME: &'static str = stringify!($ty);
            const TYPE_WGSL: &'static str = wgsl::$wgsl;
            const SUM_WGSL: [&'static str; 2] = [wgsl::$sum, wgsl::SUM_FLOAT];
            type Rest = $ty;
            type Key = $key;
            const LAST_KEY: $key = $key::MAX;

            // As `join` and `finish` of the WGSL.
            fn total(sums: &[Self], rests: &[Self]) -> Self {
                let (mut sum, mut rest) = (0.0, 0.0);
                for (value, lost) in sums.iter().zip(rests) {
                    let both: $ty = sum + value;
                    let part = both - sum;
                    rest = rest + ((sum - (both - part)) + (value - part)) + lost;
                    sum = both;
                }
                // What an infinite sum lost is no number.
                if sum.is_finite() { sum + rest } else { sum }
            }

            fn of_key(key: $key) -> Self {
                let sign: $key = 1 << ($key::BITS - 1);
                $ty::from_bits(if key & sign == 0 { !key } else { key ^ sign })
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
        assert_eq!(f64::of_key(!1.5f64.to_bits() ^ (1 << 63) ^ u64::MAX), 1.5);
        assert_eq!((i32::of_key(0), i64::of_key(u64::MAX)), (i32::MIN, i64::MAX));
    }

    #[test]
    fn partial_sums_are_added_without_loss() {
        let sums = [1e8f32, 1.0, -1e8, 1.0];
        assert_eq!(f32::total(&sums, &[0.0, 0.25, 0.0, 0.0]), 2.25);
        assert_eq!(f64::total(&[1e16, 1.0, -1e16], &[0.0; 3]), 1.0);
        assert_eq!(u32::total(&[u32::MAX, 2], &[0, 0]), 1);
    }
}
