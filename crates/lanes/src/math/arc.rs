//! Inverse trigonometric functions.

use super::{bits::infinity, format::Format, machine::Machine};

/// `factor * pi` in two parts.
#[inline(always)]
fn pi<M: Machine>(m: &M, factor: f64) -> [M::F; 2] {
    let [a, b, _] = M::Float::PI.map(|part| m.c(part * M::Float::nearest(factor)));
    [a, b]
}

/// For `a = |x|` the arc sine of `s`, which is `a`, or above 0.6 `sqrt((1 - a) / 2)`, the sine of half the
/// complement; and whether it is above. NaN beyond 1.
#[inline(always)]
fn arc_sine<M: Machine>(m: &M, a: M::F) -> (M::F, M::B) {
    let above = m.lt(m.n(0.6), a);
    let z = m.select(above, m.fma(a, m.n(-0.5), m.n(0.5)), m.mul(a, a));
    let s = m.select(above, m.sqrt(z), a);
    (m.fma(m.mul(s, z), m.polynomial(z, M::Float::ASIN), s), above)
}

/// The arc sine.
#[inline(always)]
pub(crate) fn asin<M: Machine>(m: &M, x: M::F) -> M::F {
    let (t, above) = arc_sine(m, m.abs(x));
    let [a, b] = pi(m, 0.5);
    let complement = m.add(m.fma(t, m.n(-2.0), b), a);
    m.flip(m.select(above, complement, t), m.sign(x))
}

/// The arc cosine.
#[inline(always)]
pub(crate) fn acos<M: Machine>(m: &M, x: M::F) -> M::F {
    let (t, above) = arc_sine(m, m.abs(x));
    let offset = m.flip(m.select(above, m.mul(t, m.n(2.0)), m.neg(t)), m.sign(x));
    let negative = m.lt(x, m.n(0.0));
    let (whole, half, zero) = (pi(m, 1.0), pi(m, 0.5), m.n(0.0));
    let base = |i: usize| m.select(above, m.select(negative, whole[i], zero), half[i]);
    m.add(base(0), m.add(base(1), offset))
}

/// The arc tangent of `u`, `|u| <= 1`.
#[inline(always)]
fn arc_tangent<M: Machine>(m: &M, u: M::F) -> M::F {
    let z = m.mul(u, u);
    m.fma(m.mul(u, z), m.polynomial(z, M::Float::ATAN), u)
}

/// The arc tangent.
#[inline(always)]
pub(crate) fn atan<M: Machine>(m: &M, x: M::F) -> M::F {
    let a = m.abs(x);
    let above = m.lt(m.n(1.0), a);
    let t = arc_tangent(m, m.select(above, m.div(m.n(-1.0), a), a));
    let half = pi(m, 0.5);
    let turned = m.add(m.add(t, half[1]), half[0]);
    m.flip(m.select(above, turned, t), m.sign(x))
}

/// The angle of the point `(x, y)`, with C's meaning of zeros and infinities.
#[inline(always)]
pub(crate) fn atan2<M: Machine>(m: &M, y: M::F, x: M::F) -> M::F {
    let (a, b) = (m.abs(x), m.abs(y));
    let steep = m.lt(a, b);
    let (least, most) = (m.select(steep, a, b), m.select(steep, b, a));
    // Zero, infinity or NaN; where only `least` is NaN, so is the ratio. The shift makes the bits of positive finite
    // numbers the least of all signed integers.
    let lowest = 1 << (M::Float::WIDTH - 1);
    let shifted = m.plus(m.bits(most), m.word(lowest - 1));
    let unusual = m.below(m.word(lowest + infinity::<M::Float>() - 2), shifted);
    let [u] = m.rare(unusual, [m.div(least, most)], || {
        let (zero, infinity) = (m.n(0.0), m.n(f64::INFINITY));
        let both = m.both(m.eq(a, infinity), m.eq(b, infinity));
        let ratio = m.select(both, m.n(1.0), zero);
        [m.select(m.both(m.eq(x, x), m.eq(y, y)), ratio, m.n(f64::NAN))]
    });
    let t = arc_tangent(m, u);
    // pi/2 - t where steep; where x is negative, that or t from pi.
    let left = m.below(m.bits(x), m.word(0));
    let (whole, half, zero) = (pi(m, 1.0), pi(m, 0.5), m.n(0.0));
    let base = |i: usize| m.select(steep, half[i], m.select(left, whole[i], zero));
    let signed = m.flip(m.select(steep, m.neg(t), t), m.sign(x));
    let angle = m.add(base(0), m.add(base(1), signed));
    m.flip(angle, m.sign(y))
}
