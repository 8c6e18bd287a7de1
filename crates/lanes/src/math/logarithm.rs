//! Logarithms.

use super::{
    bits::{mantissa, unusual},
    format::Format,
    machine::Machine,
};

/// `1 + f` is from there to twice as much, so that `|f| <= 1/3`.
const CUT: f64 = 2.0 / 3.0;

/// `n` in the unit of [`split`].
pub(super) const fn units<F: Format>(n: f64) -> f64 {
    n * (1u64 << mantissa::<F>()) as f64
}

/// `(k, f)` of a positive normal `x = 2^k (1 + f)` with `1 + f` from `cut` to `2 cut`; `k` is in units of
/// one in the last place of the exponent field.
#[inline(always)]
pub(super) fn split<M: Machine>(m: &M, x: M::F, cut: f64) -> [M::F; 2] {
    let e = exponent(m, x, cut);
    [m.signed(e), m.sub(m.float(m.minus(m.bits(x), e)), m.n(1.0))]
}

/// The exponent of [`split`], in place.
#[inline(always)]
fn exponent<M: Machine>(m: &M, x: M::F, cut: f64) -> M::U {
    let cut = M::Float::nearest(cut).bits();
    let field = u64::MAX << mantissa::<M::Float>();
    m.and(m.minus(m.bits(x), m.word(cut)), m.word(field))
}

/// [`split`] for every `x`: `k` is what the logarithm is where it is infinite or NaN.
#[inline(always)]
fn split_all<M: Machine>(m: &M, x: M::F) -> [M::F; 2] {
    m.rare(unusual(m, x), split(m, x, CUT), || {
        // Subnormals are scaled into the normal range.
        let shift = M::Float::DIGITS;
        let [k, f] = split(m, m.mul(x, m.n((1u64 << shift) as f64)), CUT);
        let k = m.sub(k, m.n(units::<M::Float>(shift.into())));
        let infinity = m.n(f64::INFINITY);
        let pole = m.select(m.eq(x, m.n(0.0)), m.n(f64::NEG_INFINITY), m.n(f64::NAN));
        let k = m.select(m.lt(m.n(0.0), x), k, pole);
        [m.select(m.eq(x, infinity), x, k), f]
    })
}

/// The natural logarithm.
#[inline(always)]
pub(crate) fn log<M: Machine>(m: &M, x: M::F) -> M::F {
    log_sum(m, split_all(m, x))
}

/// The natural logarithm of what was [`split`].
#[inline(always)]
fn log_sum<M: Machine>(m: &M, [k, f]: [M::F; 2]) -> M::F {
    let r = m.fma(m.mul(f, f), m.polynomial(f, M::Float::LOG), f);
    m.fma(k, m.n(std::f64::consts::LN_2 / units::<M::Float>(1.0)), r)
}

/// The base-2 logarithm.
#[inline(always)]
pub(crate) fn log2<M: Machine>(m: &M, x: M::F) -> M::F {
    let [k, f] = split_all(m, x);
    let [a, b] = M::Float::LOG2_E;
    let r = m.mul(f, m.fma(f, m.polynomial(f, M::Float::LOG2), m.c(b)));
    m.fma(k, m.n(1.0 / units::<M::Float>(1.0)), m.fma(f, m.c(a), r))
}

/// `log (1 + x + rest) + n log 2` for a finite `x >= 0`, a `rest` below its last place, and an exponent `n` in place.
#[inline(always)]
pub(super) fn log_1p<M: Machine>(m: &M, x: M::F, rest: M::F, n: M::F) -> M::F {
    let one = m.n(1.0);
    let sum = m.add(x, one);
    // What the sum lost, on the scale of the mantissa.
    let lost = m.select(m.lt(x, one), m.sub(x, m.sub(sum, one)), m.sub(one, m.sub(sum, x)));
    let lost = m.add(lost, rest);
    let scale = m.float(m.minus(m.word(M::Float::nearest(1.0).bits()), exponent(m, sum, CUT)));
    let [k, f] = split(m, sum, CUT);
    log_sum(m, [m.add(k, n), m.fma(lost, scale, f)])
}
