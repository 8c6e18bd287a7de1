//! Exponentials.

use super::{
    bits::{at_most, bias, power, round_to_exponent},
    format::Format,
    machine::Machine,
};

/// `e^x`.
#[inline(always)]
pub(crate) fn exp<M: Machine>(m: &M, x: M::F) -> M::F {
    let zero = m.c(M::Float::EXP_ZERO[0]);
    let x = m.select(m.lt(x, zero), zero, x);
    // With n the integer nearest to x / (2 ln 2) and r = x - 2 n ln 2, it is e^r 2^n 2^n.
    let [t, n] = pair_exponent(m, x, M::Float::LOG2_E[0] * M::Float::nearest(0.5));
    // The first product is exact in the sum, which fits the mantissa.
    let [a, b] = M::Float::TWO_LN_2;
    let r = m.fma(n, m.c(-b), m.fma(n, m.c(-a), x));
    scaled_twice(m, m.polynomial(r, M::Float::EXP), t)
}

/// `2^x`.
#[inline(always)]
pub(crate) fn exp2<M: Machine>(m: &M, x: M::F) -> M::F {
    let zero = m.c(M::Float::EXP_ZERO[1]);
    exp2_sum(m, m.select(m.lt(x, zero), zero, x), None)
}

/// `2^(x + rest)` for a sum that is at least where `2^x` is zero, less 1 %; a `rest` is at most 1 % of `x`.
#[inline(always)]
pub(super) fn exp2_sum<M: Machine>(m: &M, x: M::F, rest: Option<M::F>) -> M::F {
    let sum = rest.map_or(x, |rest| m.add(x, rest));
    let [t, n] = pair_exponent(m, sum, M::Float::nearest(0.5));
    let r = m.fma(n, m.n(-2.0), x);
    let r = rest.map_or(r, |rest| m.add(r, rest));
    scaled_twice(m, m.polynomial(r, M::Float::EXP2), t)
}

/// `t` and `n` for the factors `2^n 2^n`: the integer `n` nearest to `x * factor`, at most what makes them overflow,
/// and `t` for [`power`].
#[inline(always)]
fn pair_exponent<M: Machine>(m: &M, x: M::F, factor: M::Float) -> [M::F; 2] {
    let round = round_to_exponent::<M::Float>();
    let t = m.fma(x, m.c(factor), m.n(round));
    let t = at_most(m, t, round + (bias::<M::Float>() / 2 + 2) as f64);
    [t, m.sub(t, m.n(round))]
}

/// `p 2^n 2^n`: each factor is in range, so that the last multiplication alone overflows or rounds to a subnormal.
#[inline(always)]
fn scaled_twice<M: Machine>(m: &M, p: M::F, t: M::F) -> M::F {
    let s = power(m, t);
    m.mul(m.mul(p, s), s)
}

/// `e^x / 2` for `x >= 0`, with half the range of `r` and so a smaller error.
#[inline(always)]
pub(super) fn half_exp<M: Machine>(m: &M, x: M::F) -> M::F {
    // Two less in the exponent, for what overflows only when doubled.
    let round = round_to_exponent::<M::Float>() - 2.0;
    let t = m.fma(x, m.c(M::Float::LOG2_E[0]), m.n(round));
    let t = at_most(m, t, round + (bias::<M::Float>() + 3) as f64);
    let n = m.sub(t, m.n(round));
    let [a, b] = M::Float::TWO_LN_2.map(|part| m.c(-part * M::Float::nearest(0.5)));
    let r = m.fma(n, b, m.fma(n, a, x));
    m.mul(m.mul(m.polynomial(r, M::Float::EXP_NEAR), power(m, t)), m.n(2.0))
}
