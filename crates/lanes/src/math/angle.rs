//! Sine, cosine and tangent. At a zero of either sign, sine and tangent are +0.

use super::{
    bits::round,
    format::Format,
    machine::Machine,
    reduction::{Grid, reduce},
};
use std::f64::consts::{FRAC_1_PI, FRAC_2_PI};

/// Whether the argument needs the exact reduction. Not NaN, which passes through.
#[inline(always)]
fn is_large<M: Machine>(m: &M, x: M::F) -> M::B {
    m.lt(m.c(M::Float::ANGLE), m.abs(x))
}

/// `x - n pi`. The first product is exact in the sum, which fits the mantissa.
#[inline(always)]
fn minus_multiple<M: Machine>(m: &M, x: M::F, n: M::F) -> M::F {
    let [a, b, c] = M::Float::PI.map(|part| m.c(-part));
    m.fma(n, c, m.fma(n, b, m.fma(n, a, x)))
}

/// The sine of `r` for `|r| <= pi/2`, negated where the lowest bit of `t` is set.
#[inline(always)]
fn half_turn<M: Machine>(m: &M, [r, t]: [M::F; 2]) -> M::F {
    let z = m.mul(r, r);
    let s = m.fma(m.mul(r, z), m.polynomial(z, M::Float::SIN), r);
    m.flip(s, m.shl(m.bits(t), M::Float::WIDTH - 1))
}

/// The sine.
#[inline(always)]
pub(crate) fn sin<M: Machine>(m: &M, x: M::F) -> M::F {
    let round = m.n(round::<M::Float>());
    let t = m.fma(x, m.n(FRAC_1_PI), round);
    let r = minus_multiple(m, x, m.sub(t, round));
    let reduced = m.rare(is_large(m, x), [r, t], || {
        let [r, _, n] = reduce(m, x, Grid::Pi);
        [m.flip(r, m.sign(x)), n]
    });
    half_turn(m, reduced)
}

/// The cosine: the sine of a quarter turn more.
#[inline(always)]
pub(crate) fn cos<M: Machine>(m: &M, x: M::F) -> M::F {
    let (round, half) = (m.n(round::<M::Float>()), m.n(0.5));
    let t = m.add(m.fma(x, m.n(FRAC_1_PI), half), round);
    let r = minus_multiple(m, x, m.sub(m.sub(t, round), half));
    let reduced = m.rare(is_large(m, x), [r, t], || {
        let [r, _, n] = reduce(m, x, Grid::OddHalfPi);
        [r, n]
    });
    half_turn(m, reduced)
}

/// The tangent.
#[inline(always)]
pub(crate) fn tan<M: Machine>(m: &M, x: M::F) -> M::F {
    let round = m.n(round::<M::Float>());
    let t = m.fma(x, m.n(FRAC_2_PI), round);
    let n = m.sub(t, round);
    let [a, b, c] = M::Float::PI.map(|part| m.c(-part * M::Float::nearest(0.5)));
    // What rounding r loses counts where r is large; there, and only there, its difference from `exact` is exact.
    let exact = m.fma(n, a, x);
    let r = m.fma(n, b, exact);
    let lost = m.fma(n, b, m.sub(exact, r));
    let rest = m.fma(n, c, m.select(m.lt(m.n(0.01), m.abs(r)), lost, m.n(0.0)));
    let [r, rest, t] = m.rare(is_large(m, x), [r, rest, t], || {
        let [r, rest, n] = reduce(m, x, Grid::HalfPi);
        let sign = m.sign(x);
        [m.flip(r, sign), m.flip(rest, sign), n]
    });
    // tan (r + rest) = tan r + rest (1 + r^2 + ..)
    let z = m.mul(r, r);
    let small = m.fma(m.mul(r, z), m.polynomial(z, M::Float::TAN), m.fma(rest, z, rest));
    let even = m.add(r, small);
    let is_even = m.same(m.and(m.bits(t), m.word(1)), m.word(0));
    m.select(is_even, even, m.div(m.n(-1.0), even))
}
