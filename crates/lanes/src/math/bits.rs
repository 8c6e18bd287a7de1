//! The layout of a float as arithmetic on its word, the same text for both types.

use super::{format::Format, machine::Machine};

/// Bits of the mantissa that are stored.
pub(super) const fn mantissa<F: Format>() -> u32 {
    F::DIGITS - 1
}

/// The exponent field of 1.
pub(super) const fn bias<F: Format>() -> u64 {
    (1 << (F::WIDTH - F::DIGITS - 1)) - 1
}

/// The bits of infinity.
pub(super) const fn infinity<F: Format>() -> u64 {
    (2 * bias::<F>() + 1) << mantissa::<F>()
}

/// Added to a number, rounds it to an integer (ties to even), which is left in the low mantissa bits.
pub(super) const fn round<F: Format>() -> f64 {
    1.5 * (1u64 << mantissa::<F>()) as f64
}

/// [`round`] that leaves the integer ready to be an exponent field: see [`power`].
pub(super) const fn round_to_exponent<F: Format>() -> f64 {
    round::<F>() + bias::<F>() as f64
}

/// The lesser of `t` and a constant that is positive; `t` is positive or NaN.
#[inline(always)]
pub(super) fn at_most<M: Machine>(m: &M, t: M::F, limit: f64) -> M::F {
    m.float(m.least(m.bits(t), m.word(M::Float::nearest(limit).bits())))
}

/// `2^n` of `t = round_to_exponent + n`.
#[inline(always)]
pub(super) fn power<M: Machine>(m: &M, t: M::F) -> M::F {
    m.float(m.shl(m.bits(t), mantissa::<M::Float>()))
}

/// Whether `x` is not a positive normal number.
#[inline(always)]
pub(super) fn unusual<M: Machine>(m: &M, x: M::F) -> M::B {
    above(m, x, infinity::<M::Float>() - 1)
}

/// Whether `x` is not a positive normal number whose bits are at most `most`.
#[inline(always)]
pub(super) fn above<M: Machine>(m: &M, x: M::F, most: u64) -> M::B {
    // The shift makes the bits of positive normal numbers the least of all signed integers.
    let infinity = infinity::<M::Float>();
    m.below(m.word(infinity + most), m.plus(m.bits(x), m.word(infinity)))
}
