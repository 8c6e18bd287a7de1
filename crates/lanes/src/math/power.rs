//! The power function: `2^(y log2 x)` with a logarithm in two floats.

use super::{
    bits::unusual,
    exponential::exp2_sum,
    format::Format,
    logarithm::{split, units},
    machine::Machine,
};

/// `x^y` with the special cases of C.
#[inline(always)]
pub(crate) fn pow<M: Machine>(m: &M, x: M::F, y: M::F) -> M::F {
    let [p, rest] = times_log2(m, x, m.n(0.0), y);
    // What overflows is infinite anyway; below, the rest would count for nothing.
    let zero = zero_below::<M>(m);
    let low = m.lt(p, zero);
    let fast = exp2_sum(m, m.select(low, zero, p), Some(m.select(low, m.n(0.0), rest)));
    let finite = m.lt(m.abs(p), m.n(f64::INFINITY));
    let [power] = m.rare(m.either(unusual(m, x), m.not(finite)), [fast], || [general(m, x, y)]);
    power
}

/// An exponent with the power zero, with room for the rest.
#[inline(always)]
fn zero_below<M: Machine>(m: &M) -> M::F {
    m.c(M::Float::EXP_ZERO[1] * M::Float::nearest(1.0625))
}

/// `y (log2 x + shift)` as the sum of two floats for a positive normal `x`; the second is at most 1 % of the first.
#[inline(always)]
fn times_log2<M: Machine>(m: &M, x: M::F, shift: M::F, y: M::F) -> [M::F; 2] {
    let [k, f] = split(m, x, std::f64::consts::FRAC_1_SQRT_2);
    // s = f / (2 + f) = (x - 1) / (x + 1); log2 (1 + f) = 2 atanh s / ln 2.
    let sum = m.add(f, m.n(2.0));
    let lost = m.sub(f, m.sub(sum, m.n(2.0)));
    let inverse = m.div(m.n(1.0), sum);
    let s = m.mul(f, inverse);
    let error = m.fma(m.neg(s), lost, m.fma(m.neg(s), sum, f));
    let [high, low] = M::Float::log2_of_ratio(m, [s, m.mul(error, inverse)]);
    let k = m.fma(k, m.n(1.0 / units::<M::Float>(1.0)), shift);
    let log = m.add(k, high);
    let rest = m.add(m.add(m.sub(k, log), high), low);
    let p = m.mul(y, log);
    [p, m.fma(y, rest, m.fma(y, log, m.neg(p)))]
}

/// `log2 ((1 + s) / (1 - s))` of two floats `s`, `|s| <= 0.1716`, as the sum of two floats. The relative error is about 2^-29:
/// with the largest `y` of a finite power it moves the result by some ULP, with moderate ones by a fraction.
#[inline(always)]
pub(super) fn log2_of_ratio_single<M: Machine<Float = f32>>(m: &M, [s, s_rest]: [M::F; 2]) -> [M::F; 2] {
    let z = m.mul(s, s);
    // Relative error 2^-27.
    let q = m.polynomial(z, &[0.961_796_7, 0.577_077_45, 0.412_058_14, 0.333_561_78]);
    // 2 / ln 2 in two parts.
    let factor = m.c(2.885_39);
    let high = m.mul(s, factor);
    let low = m.fma(s, factor, m.neg(high));
    let low = m.fma(s, m.c(3.851_926e-8), low);
    // The derivative of the artanh is 1 + z + ..
    let low = m.fma(s_rest, m.fma(z, factor, factor), low);
    [high, m.fma(m.mul(s, z), q, low)]
}

/// `a b`, exactly, as the sum of two floats.
#[inline(always)]
fn product<M: Machine>(m: &M, a: M::F, b: M::F) -> [M::F; 2] {
    let high = m.mul(a, b);
    [high, m.fma(a, b, m.neg(high))]
}

/// [`log2_of_ratio_single`] with a relative error of about 2^-65: below 2^-54 in every finite power.
#[inline(always)]
pub(super) fn log2_of_ratio_double<M: Machine<Float = f64>>(m: &M, [s, s_rest]: [M::F; 2]) -> [M::F; 2] {
    let [z, z_rest] = product(m, s, s);
    let z_rest = m.fma(m.add(s, s), s_rest, z_rest);
    // atanh s = s (1 + z (1/3 + z q)), all but q in two floats.
    let q = m.polynomial(z, TAIL);
    let third = m.c(1.0 / 3.0);
    let zq = m.mul(z, q);
    let r = m.add(third, zq);
    let r_rest = m.add(m.add(m.sub(third, r), zq), m.c(1.850_371_707_708_594e-17));
    let [t, t_rest] = product(m, z, r);
    let t_rest = m.fma(z_rest, r, m.fma(z, r_rest, t_rest));
    let [u, u_rest] = product(m, s, t);
    let u_rest = m.fma(s_rest, t, m.fma(s, t_rest, u_rest));
    let a = m.add(s, u);
    let a_rest = m.add(m.add(m.sub(s, a), u), m.add(u_rest, s_rest));
    // Times 2 / ln 2.
    let factor = m.c(2.885_390_081_777_926_8);
    let [high, low] = product(m, a, factor);
    [high, m.fma(a_rest, factor, m.fma(a, m.c(4.071_054_748_186_206_6e-17), low))]
}

/// `(atanh(s) / s - 1 - s^2 / 3) / s^4` in `s^2`, relative error 2^-54.
const TAIL: &[f64] = &[
    0.2,
    0.142_857_142_857_124_7,
    0.111_111_111_119_773_73,
    0.090_909_089_053_413_59,
    0.076_923_287_861_348_55,
    0.066_653_046_657_392_86,
    0.059_325_801_885_310_656,
    0.042_733_410_335_596_085,
    0.130_146_981_649_230_94,
];

/// [`pow`] for all arguments.
#[inline(always)]
fn general<M: Machine>(m: &M, x: M::F, y: M::F) -> M::F {
    let (zero, one, infinity, nan) = (m.n(0.0), m.n(1.0), m.n(f64::INFINITY), m.n(f64::NAN));
    let a = m.abs(x);
    let subnormal = m.lt(a, m.c(M::Float::NORMAL));
    let digits = M::Float::DIGITS;
    let normal = m.select(subnormal, m.mul(a, m.n((1u64 << digits) as f64)), a);
    let [p, rest] = times_log2(m, normal, m.select(subnormal, m.n(-f64::from(digits)), zero), y);
    let inside = m.lt(m.abs(p), m.neg(zero_below::<M>(m)));
    let outside = m.select(m.lt(p, zero), zero, m.select(m.lt(zero, p), infinity, nan));
    let power = exp2_sum(m, m.select(inside, p, zero), Some(m.select(inside, rest, zero)));
    let power = m.select(inside, power, outside);
    // Zeros and infinities, with the sign of odd powers of a negative base.
    let grows = m.not(m.lt(y, zero));
    let power = m.select(m.eq(a, zero), m.select(grows, zero, infinity), power);
    let power = m.select(m.eq(a, infinity), m.select(grows, infinity, zero), power);
    let whole = m.eq(m.trunc(y), y);
    let half = m.mul(y, m.n(0.5));
    let odd = m.both(whole, m.not(m.eq(m.trunc(half), half)));
    let power = m.select(odd, m.flip(power, m.sign(x)), power);
    let no_root = m.both(m.both(m.lt(x, zero), m.lt(a, infinity)), m.not(whole));
    let valid = m.both(m.both(m.eq(x, x), m.eq(y, y)), m.not(no_root));
    let power = m.select(valid, power, nan);
    // One, whatever the other argument.
    let unit = m.both(m.eq(x, m.n(-1.0)), m.eq(m.abs(y), infinity));
    let unit = m.either(unit, m.either(m.eq(y, zero), m.eq(x, one)));
    m.select(unit, one, power)
}
