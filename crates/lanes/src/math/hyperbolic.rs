//! Hyperbolic functions and their inverses.

use super::{
    exponential::half_exp,
    format::Format,
    logarithm::{log_1p, units},
    machine::Machine,
};

/// From here on `x + sqrt(x^2 + 1)` is `2 x`.
const HUGE: f64 = 1.0e18;

/// `x + x^3 p(x^2)`.
#[inline(always)]
fn odd<M: Machine>(m: &M, x: M::F, p: &[M::Float]) -> M::F {
    let z = m.mul(x, x);
    m.fma(m.mul(x, z), m.polynomial(z, p), x)
}

/// The hyperbolic sine.
#[inline(always)]
pub(crate) fn sinh<M: Machine>(m: &M, x: M::F) -> M::F {
    let a = m.abs(x);
    let h = half_exp(m, a);
    // For a small argument the difference would cancel.
    let large = m.sub(h, m.div(m.n(0.25), h));
    let small = odd(m, a, M::Float::SINH);
    m.flip(m.select(m.lt(a, m.n(1.5)), small, large), m.sign(x))
}

/// The hyperbolic cosine.
#[inline(always)]
pub(crate) fn cosh<M: Machine>(m: &M, x: M::F) -> M::F {
    let h = half_exp(m, m.abs(x));
    m.add(h, m.div(m.n(0.25), h))
}

/// The hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<M: Machine>(m: &M, x: M::F) -> M::F {
    let a = m.abs(x);
    // For a small argument the difference would cancel.
    let h = half_exp(m, m.add(a, a));
    let large = m.sub(m.n(1.0), m.div(m.n(1.0), m.add(h, m.n(0.5))));
    let small = odd(m, a, M::Float::TANH);
    m.flip(m.select(m.lt(a, m.n(0.625)), small, large), m.sign(x))
}

/// The inverse hyperbolic sine.
#[inline(always)]
pub(crate) fn asinh<M: Machine>(m: &M, x: M::F) -> M::F {
    let a = m.abs(x);
    let z = m.mul(a, a);
    let root = m.sqrt(m.add(z, m.n(1.0)));
    // a + sqrt(a^2 + 1) - 1
    let q = m.div(z, m.add(root, m.n(1.0)));
    m.flip(log_1p_or_double(m, [a, q], a), m.sign(x))
}

/// The inverse hyperbolic cosine.
#[inline(always)]
pub(crate) fn acosh<M: Machine>(m: &M, x: M::F) -> M::F {
    let t = m.sub(x, m.n(1.0));
    // x + sqrt(x^2 - 1) - 1
    let root = m.sqrt(m.fma(t, t, m.add(t, t)));
    m.select(m.lt(x, m.n(1.0)), m.n(f64::NAN), log_1p_or_double(m, [root, t], x))
}

/// `log (1 + p + q)` for `p >= q`, or `log 2a` for a huge `a`.
#[inline(always)]
fn log_1p_or_double<M: Machine>(m: &M, [p, q]: [M::F; 2], a: M::F) -> M::F {
    let huge = m.lt(m.n(HUGE), a);
    let w = m.add(p, q);
    let rest = m.select(huge, m.n(0.0), m.add(m.sub(p, w), q));
    // A quarter, so that the sum's exponent is well within range.
    let w = m.select(huge, m.mul(a, m.n(0.25)), w);
    let log = log_1p(m, w, rest, m.select(huge, m.n(units::<M::Float>(3.0)), m.n(0.0)));
    m.select(m.lt(a, m.n(f64::INFINITY)), log, a)
}

/// The inverse hyperbolic tangent.
#[inline(always)]
pub(crate) fn atanh<M: Machine>(m: &M, x: M::F) -> M::F {
    let (a, one) = (m.abs(x), m.n(1.0));
    // w = 2a / (1 - a), and what that leaves.
    let rest = m.sub(one, a);
    let lost = m.sub(m.sub(one, rest), a);
    let twice = m.add(a, a);
    let w = m.div(twice, rest);
    let error = m.fma(m.neg(w), lost, m.fma(m.neg(w), rest, twice));
    let w_rest = m.mul(error, m.fma(w, m.n(0.5), one));
    let inside = m.mul(log_1p(m, w, w_rest, m.n(0.0)), m.n(0.5));
    let outside = m.select(m.eq(a, one), m.n(f64::INFINITY), m.n(f64::NAN));
    m.flip(m.select(m.lt(a, one), inside, outside), m.sign(x))
}
