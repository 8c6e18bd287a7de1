//! The inverse square root.

use super::{bits::unusual, format::Format, machine::Machine};

/// `1 / sqrt(x)`.
#[inline(always)]
pub(crate) fn inverse_sqrt<M: Machine>(m: &M, x: M::F) -> M::F {
    let [y] = m.rare(unusual(m, x), [regular(m, x)], || {
        // Subnormals are scaled into the normal range.
        let half = M::Float::DIGITS.div_ceil(2);
        let scale = (1u64 << half) as f64;
        let y = m.mul(regular(m, m.mul(x, m.n(scale * scale))), m.n(scale));
        let (zero, infinity) = (m.n(0.0), m.n(f64::INFINITY));
        let y = m.select(m.lt(x, infinity), y, m.select(m.eq(x, infinity), zero, x));
        let y = m.select(m.lt(x, zero), m.n(f64::NAN), y);
        [m.select(m.eq(x, zero), m.div(m.n(1.0), x), y)]
    });
    y
}

/// [`inverse_sqrt`] of a positive normal number.
///
/// Half the bits of `x` taken from a constant are a guess `y` with `|x y^2 - 1| <= 0.0682`; a polynomial in that
/// residual, which the fused multiply-add gives almost exactly, does the rest.
#[inline(always)]
fn regular<M: Machine>(m: &M, x: M::F) -> M::F {
    let y = m.float(m.minus(m.word(M::Float::ROOT_GUESS), m.shr(m.bits(x), 1)));
    let e = m.fma(m.mul(x, y), y, m.n(-1.0));
    m.fma(m.mul(y, e), m.polynomial(e, M::Float::INVERSE_SQRT), y)
}
