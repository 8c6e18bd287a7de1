//! Black-Scholes by hand. Divisions and the root set the speed where they are the machine's; a second AVX-512 version
//! takes estimates and Newton steps in their place, within WGSL's 2.5 ULP of a division.

use super::{
    super::work::BlackScholes,
    Hand, Variant,
    math::{Side, exp256, exp512, horner512, log256, log512, quotient512, rsqrt512},
};
use evener_lanes::Level;
use std::{arch::x86_64::*, array::from_fn};

/// 1 / sqrt(2 pi).
const DENSITY: f32 = 0.398_942_3;
/// [`SERIES`] times [`DENSITY`].
const SCALED: [f32; 5] = {
    let mut scaled = SERIES;
    let mut k = 0;
    while k < 5 {
        scaled[k] *= DENSITY;
        k += 1;
    }
    scaled
};
/// Of Abramowitz and Stegun 26.2.17, the last first.
const SERIES: [f32; 5] = [1.330_274_5, -1.821_256, 1.781_478, -0.356_563_78, 0.319_381_54];
const SLOPE: f32 = 0.231_641_9;

impl Hand for BlackScholes {
    #[inline(always)]
    fn scalar(&mut self) {
        let (rate, v) = (self.rate, self.volatility);
        for i in 0..self.call.len().next_multiple_of(128) {
            if i >= self.call.len() {
                continue;
            }
            let (s, k, t) = (self.spot[i], self.strike[i], self.years[i]);
            let deviation = v * t.sqrt();
            let d1 = ((s / k).ln() + (rate + 0.5 * v * v) * t) / deviation;
            let (n1, n2) = (normal(d1), normal(d1 - deviation));
            let discounted = k * (-rate * t).exp();
            self.call[i] = s * n1 - discounted * n2;
            self.put[i] = discounted * (1.0 - n2) - s * (1.0 - n1);
        }
    }

    fn variants() -> Vec<Variant<Self>> {
        vec![
            // SAFETY: the level is the machine's.
            Variant { name: "division", level: Level::Avx2, run: |w| unsafe { avx2(w) } },
            // SAFETY: as above.
            Variant { name: "division", level: Level::Avx512, run: |w| unsafe { avx512::<2, false>(w) } },
            // SAFETY: as above.
            Variant { name: "estimates", level: Level::Avx512, run: |w| unsafe { avx512::<2, true>(w) } },
        ]
    }
}

#[inline(always)]
fn normal(d: f32) -> f32 {
    let k = 1.0 / (1.0 + SLOPE * d.abs());
    let series = k * SERIES.iter().fold(0.0, |sum, c| sum * k + c);
    let tail = DENSITY * (-0.5 * d * d).exp() * series;
    if d > 0.0 { 1.0 - tail } else { tail }
}

#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn normal512<const U: usize, const ESTIMATE: bool>(d: Side<U>) -> Side<U> {
    let one = _mm512_set1_ps(1.0);
    let below = d.map(|d| _mm512_fmadd_ps(_mm512_abs_ps(d), _mm512_set1_ps(SLOPE), one));
    let k = quotient512::<U, ESTIMATE>([one; U], below);
    let series = horner512(SCALED, k);
    let bell = exp512(d.map(|d| _mm512_mul_ps(_mm512_mul_ps(d, _mm512_set1_ps(-0.5)), d)));
    from_fn(|u| {
        let tail = _mm512_mul_ps(bell[u], _mm512_mul_ps(series[u], k[u]));
        let right = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(d[u], _mm512_setzero_ps());
        _mm512_mask_sub_ps(tail, right, one, tail)
    })
}

#[target_feature(enable = "avx512f,avx512dq")]
fn avx512<const U: usize, const ESTIMATE: bool>(w: &mut BlackScholes) {
    let (one, v) = (_mm512_set1_ps(1.0), _mm512_set1_ps(w.volatility));
    let (inverse_v, minus_rate) = (_mm512_set1_ps(1.0 / w.volatility), _mm512_set1_ps(-w.rate));
    let drift = _mm512_set1_ps(w.rate + 0.5 * w.volatility * w.volatility);
    let n = w.call.len();
    assert!(n.is_multiple_of(16 * U) && [&w.spot, &w.strike, &w.years, &w.put].iter().all(|b| b.len() == n));
    for i in (0..n).step_by(16 * U) {
        // SAFETY: `16 U` elements from `i` are in all slices.
        let load = |from: &[f32]| from_fn(|u| unsafe { _mm512_loadu_ps(from.as_ptr().add(i + 16 * u)) });
        let (s, k, t): (Side<U>, Side<U>, Side<U>) = (load(&w.spot), load(&w.strike), load(&w.years));
        let inverse_root = rsqrt512::<U, ESTIMATE>(t);
        let moneyness = log512(quotient512::<U, ESTIMATE>(s, k));
        let d1: Side<U> = from_fn(|u| {
            let scale = _mm512_mul_ps(inverse_root[u], inverse_v);
            _mm512_mul_ps(_mm512_fmadd_ps(drift, t[u], moneyness[u]), scale)
        });
        let d2 = from_fn(|u| _mm512_fnmadd_ps(v, _mm512_mul_ps(t[u], inverse_root[u]), d1[u]));
        let (n1, n2) = (normal512::<U, ESTIMATE>(d1), normal512::<U, ESTIMATE>(d2));
        let discount = exp512(t.map(|t| _mm512_mul_ps(minus_rate, t)));
        for u in 0..U {
            let discounted = _mm512_mul_ps(k[u], discount[u]);
            let call = _mm512_fmsub_ps(s[u], n1[u], _mm512_mul_ps(discounted, n2[u]));
            let not_s = _mm512_mul_ps(s[u], _mm512_sub_ps(one, n1[u]));
            let put = _mm512_fmsub_ps(discounted, _mm512_sub_ps(one, n2[u]), not_s);
            // SAFETY: as above.
            unsafe {
                _mm512_storeu_ps(w.call.as_mut_ptr().add(i + 16 * u), call);
                _mm512_storeu_ps(w.put.as_mut_ptr().add(i + 16 * u), put);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn normal256(d: __m256) -> __m256 {
    let one = _mm256_set1_ps(1.0);
    let size = _mm256_andnot_ps(_mm256_set1_ps(-0.0), d);
    let k = _mm256_div_ps(one, _mm256_fmadd_ps(size, _mm256_set1_ps(SLOPE), one));
    let series = SCALED.iter().map(|c| _mm256_set1_ps(*c)).reduce(|p, c| _mm256_fmadd_ps(p, k, c)).unwrap_or(one);
    let bell = exp256(_mm256_mul_ps(_mm256_mul_ps(d, _mm256_set1_ps(-0.5)), d));
    let tail = _mm256_mul_ps(bell, _mm256_mul_ps(series, k));
    let right = _mm256_cmp_ps::<_CMP_GT_OQ>(d, _mm256_setzero_ps());
    _mm256_blendv_ps(tail, _mm256_sub_ps(one, tail), right)
}

#[target_feature(enable = "avx2,fma")]
fn avx2(w: &mut BlackScholes) {
    let (one, v) = (_mm256_set1_ps(1.0), _mm256_set1_ps(w.volatility));
    let (inverse_v, minus_rate) = (_mm256_set1_ps(1.0 / w.volatility), _mm256_set1_ps(-w.rate));
    let drift = _mm256_set1_ps(w.rate + 0.5 * w.volatility * w.volatility);
    let n = w.call.len();
    assert!(n.is_multiple_of(8) && [&w.spot, &w.strike, &w.years, &w.put].iter().all(|b| b.len() == n));
    for i in (0..n).step_by(8) {
        // SAFETY: eight elements from `i` are in all slices.
        let [s, k, t] = unsafe { [&w.spot, &w.strike, &w.years].map(|b| _mm256_loadu_ps(b.as_ptr().add(i))) };
        let root = _mm256_sqrt_ps(t);
        let moneyness = log256(_mm256_div_ps(s, k));
        let d1 = _mm256_mul_ps(_mm256_fmadd_ps(drift, t, moneyness), _mm256_div_ps(inverse_v, root));
        let d2 = _mm256_fnmadd_ps(v, root, d1);
        let (n1, n2) = (normal256(d1), normal256(d2));
        let discounted = _mm256_mul_ps(k, exp256(_mm256_mul_ps(minus_rate, t)));
        let call = _mm256_fmsub_ps(s, n1, _mm256_mul_ps(discounted, n2));
        let put = _mm256_fmsub_ps(discounted, _mm256_sub_ps(one, n2), _mm256_mul_ps(s, _mm256_sub_ps(one, n1)));
        // SAFETY: as above.
        unsafe {
            _mm256_storeu_ps(w.call.as_mut_ptr().add(i), call);
            _mm256_storeu_ps(w.put.as_mut_ptr().add(i), put);
        }
    }
}
