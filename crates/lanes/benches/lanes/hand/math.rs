//! exp, log and reciprocals over vectors, about 2 ULP. The polynomials are minimax fits (Remez, 40 digits) of
//! `e^r = 1 + r + r^2 E(r)` for `|r| <= ln 2 / 2`, relative error 3e-9, and `log(1 + f) = f + f^2 L(f)` for
//! `-1/4 <= f <= 1/2`, absolute error 4e-8.

use std::{
    arch::x86_64::*,
    array::from_fn,
    f32::consts::{LN_2, LOG2_E},
};

const E: [f32; 5] = [0.499_999_94, 0.166_665_2, 0.041_668_393, 0.008_368_781, 0.001_381_446_8];
const L: [f32; 7] =
    [-0.500_002_3, 0.333_295_7, -0.249_765_01, 0.201_217_71, -0.173_859_8, 0.140_196_31, -0.064_710_215];
/// ln 2 as a short number, whose multiples are exact, and the rest.
const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// Vectors that are computed side by side, so that one's chain of operations fills the other's waits.
pub(super) type Side<const U: usize> = [__m512; U];

/// A polynomial, its highest coefficient first.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn horner512<const U: usize>(coefficients: impl IntoIterator<Item = f32>, x: Side<U>) -> Side<U> {
    let step = |p: Side<U>, c: Side<U>| from_fn(|u| _mm512_fmadd_ps(p[u], x[u], c[u]));
    coefficients.into_iter().map(|c| [_mm512_set1_ps(c); U]).reduce(step).unwrap_or(x)
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn exp512<const U: usize>(x: Side<U>) -> Side<U> {
    let scaled: Side<U> = x.map(|x| _mm512_mul_ps(x, _mm512_set1_ps(LOG2_E)));
    let n: Side<U> = scaled.map(|x| _mm512_roundscale_ps::<_MM_FROUND_TO_NEAREST_INT>(x));
    let r: Side<U> = from_fn(|u| _mm512_fnmadd_ps(n[u], _mm512_set1_ps(LN2[0]), x[u]));
    let r: Side<U> = from_fn(|u| _mm512_fnmadd_ps(n[u], _mm512_set1_ps(LN2[1]), r[u]));
    let power = horner512([E[4], E[3], E[2], E[1], E[0], 1.0, 1.0], r);
    from_fn(|u| _mm512_scalef_ps(power[u], n[u]))
}

#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn log512<const U: usize>(x: Side<U>) -> Side<U> {
    let mantissa: Side<U> = x.map(|x| _mm512_getmant_ps::<_MM_MANT_NORM_P75_1P5, _MM_MANT_SIGN_SRC>(x));
    let f: Side<U> = mantissa.map(|m| _mm512_sub_ps(m, _mm512_set1_ps(1.0)));
    // Mantissas from 1.5 on were halved: 4/3 carries them into the next exponent.
    let n: Side<U> = x.map(|x| _mm512_getexp_ps(_mm512_mul_ps(x, _mm512_set1_ps(4.0 / 3.0))));
    let rest = horner512(L.into_iter().rev(), f);
    let small: Side<U> = from_fn(|u| _mm512_fmadd_ps(_mm512_mul_ps(f[u], f[u]), rest[u], f[u]));
    from_fn(|u| _mm512_fmadd_ps(n[u], _mm512_set1_ps(LN_2), small[u]))
}

/// `a / b`: from an estimate of `1 / b` with 14 bits if `ESTIMATE`, and both far from the ends of the exponent's range.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn quotient512<const U: usize, const ESTIMATE: bool>(a: Side<U>, b: Side<U>) -> Side<U> {
    if !ESTIMATE {
        return from_fn(|u| _mm512_div_ps(a[u], b[u]));
    }
    let y: Side<U> = b.map(|b| _mm512_rcp14_ps(b));
    let q: Side<U> = from_fn(|u| _mm512_mul_ps(a[u], y[u]));
    let rest: Side<U> = from_fn(|u| _mm512_fnmadd_ps(b[u], q[u], a[u]));
    from_fn(|u| _mm512_fmadd_ps(rest[u], y[u], q[u]))
}

/// `1 / sqrt(x)`: from an estimate with 14 bits if `ESTIMATE`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn rsqrt512<const U: usize, const ESTIMATE: bool>(x: Side<U>) -> Side<U> {
    if !ESTIMATE {
        return x.map(|x| _mm512_div_ps(_mm512_set1_ps(1.0), _mm512_sqrt_ps(x)));
    }
    let y: Side<U> = x.map(|x| _mm512_rsqrt14_ps(x));
    let error: Side<U> = from_fn(|u| _mm512_fnmadd_ps(_mm512_mul_ps(x[u], y[u]), y[u], _mm512_set1_ps(1.0)));
    from_fn(|u| _mm512_fmadd_ps(_mm512_mul_ps(y[u], _mm512_set1_ps(0.5)), error[u], y[u]))
}

/// Not for results below the normal numbers: those are the least of them.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn exp256(x: __m256) -> __m256 {
    let x = _mm256_max_ps(x, _mm256_set1_ps(-87.0));
    let n =
        _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(_mm256_mul_ps(x, _mm256_set1_ps(LOG2_E)));
    let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN2[0]), x);
    let r = _mm256_fnmadd_ps(n, _mm256_set1_ps(LN2[1]), r);
    let one = _mm256_set1_ps(1.0);
    let rest = E.iter().rev().map(|c| _mm256_set1_ps(*c)).reduce(|p, c| _mm256_fmadd_ps(p, r, c));
    let rest = _mm256_fmadd_ps(rest.unwrap_or(one), r, one);
    let mantissa = _mm256_castps_si256(_mm256_fmadd_ps(rest, r, one));
    _mm256_castsi256_ps(_mm256_add_epi32(mantissa, _mm256_slli_epi32::<23>(_mm256_cvtps_epi32(n))))
}

/// Of positive normal numbers.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn log256(x: __m256) -> __m256 {
    let (one, bits) = (_mm256_set1_ps(1.0), _mm256_castps_si256(x));
    let three_quarters = _mm256_set1_epi32(0.75f32.to_bits() as i32);
    let n = _mm256_srai_epi32::<23>(_mm256_sub_epi32(bits, three_quarters));
    let mantissa = _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32::<23>(n)));
    let f = _mm256_sub_ps(mantissa, one);
    let rest = L.iter().rev().map(|c| _mm256_set1_ps(*c)).reduce(|p, c| _mm256_fmadd_ps(p, f, c));
    let small = _mm256_fmadd_ps(_mm256_mul_ps(f, f), rest.unwrap_or(one), f);
    _mm256_fmadd_ps(_mm256_cvtepi32_ps(n), _mm256_set1_ps(LN_2), small)
}
