//! The inverse square root.

use super::{
    bits::{above, infinity, mantissa},
    format::Format,
    machine::Machine,
};

/// `1 / sqrt(x)`, as the root of the reciprocal.
///
/// The machine rounds both correctly, so all instruction sets agree on every argument, which their estimates do not. The
/// root halves the relative error of the division: in this order the result is within one unit in the last place, in the
/// other within one and a half.
#[inline(always)]
pub(crate) fn inverse_sqrt<M: Machine>(m: &M, x: M::F) -> M::F {
    // Up to there, the reciprocal of a normal number is normal.
    let most = infinity::<M::Float>() - (2 << mantissa::<M::Float>());
    let [y] = m.rare(above(m, x, most), [regular(m, x)], || {
        // Others are scaled into that range.
        let half = M::Float::DIGITS.div_ceil(2);
        let scale = (1u64 << half) as f64;
        let is_small = m.lt(x, m.n(1.0));
        let power = |small: f64, large: f64| m.select(is_small, m.n(small), m.n(large));
        let y = m.mul(regular(m, m.mul(x, power(scale * scale, 1.0 / (scale * scale)))), power(scale, 1.0 / scale));
        let zero = m.n(0.0);
        let y = m.select(m.lt(x, zero), m.n(f64::NAN), y);
        [m.select(m.eq(x, zero), m.div(m.n(1.0), x), y)]
    });
    y
}

/// [`inverse_sqrt`] of a number whose reciprocal is normal.
#[inline(always)]
fn regular<M: Machine>(m: &M, x: M::F) -> M::F {
    m.sqrt(m.div(m.n(1.0), x))
}
