//! Gravity by hand: several vectors of bodies that are pulled, so that each load of a body that pulls serves all.
//!
//! Two versions: with the machine's square root and division, and with its estimate of the reciprocal root, corrected by
//! a series to as much as WGSL asks of `inverseSqrt` (2 ULP).

use super::{super::work::NBody, Hand, Variant};
use evener_lanes::Level;
use std::{arch::x86_64::*, array::from_fn};

impl Hand for NBody {
    #[inline(always)]
    fn scalar(&mut self) {
        let bodies = &self.bodies[..];
        for i in 0..bodies.len().next_multiple_of(64) {
            if i >= bodies.len() {
                continue;
            }
            let here = bodies[i];
            let mut sum = [0.0f32; 3];
            for other in bodies {
                let d = [other[0] - here[0], other[1] - here[1], other[2] - here[2]];
                let r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + self.softening2;
                let inverse = 1.0 / r2.sqrt();
                let pull = other[3] * inverse * inverse * inverse;
                (0..3).for_each(|k| sum[k] += pull * d[k]);
            }
            self.acceleration[i] = [sum[0], sum[1], sum[2], 0.0];
        }
    }

    fn variants() -> Vec<Variant<Self>> {
        vec![
            // SAFETY: the level is the machine's.
            Variant { name: "root", level: Level::Avx2, run: |w| unsafe { avx2::<2, false>(w) } },
            // SAFETY: as above.
            Variant { name: "rsqrt", level: Level::Avx2, run: |w| unsafe { avx2::<1, true>(w) } },
            // SAFETY: as above.
            Variant { name: "root", level: Level::Avx512, run: |w| unsafe { avx512::<4, false>(w) } },
            // SAFETY: as above.
            Variant { name: "rsqrt", level: Level::Avx512, run: |w| unsafe { avx512::<4, true>(w) } },
        ]
    }
}

/// `m / r^3` for `r2 = r^2`.
#[inline]
#[target_feature(enable = "avx512f")]
fn pull512<const ESTIMATE: bool>(m: __m512, r2: __m512) -> __m512 {
    if !ESTIMATE {
        return _mm512_div_ps(m, _mm512_mul_ps(r2, _mm512_sqrt_ps(r2)));
    }
    // With e = 1 - r2 y^2 for the estimate y: r^-3 = y^3 (1 - e)^(-3/2) = y^3 (1 + 3/2 e), as e^2 is 2^-26.
    let y = _mm512_rsqrt14_ps(r2);
    let y2 = _mm512_mul_ps(y, y);
    let error = _mm512_fnmadd_ps(r2, y2, _mm512_set1_ps(1.0));
    let rough = _mm512_mul_ps(_mm512_mul_ps(m, y), y2);
    _mm512_mul_ps(rough, _mm512_fmadd_ps(_mm512_set1_ps(1.5), error, _mm512_set1_ps(1.0)))
}

#[target_feature(enable = "avx512f")]
fn avx512<const U: usize, const ESTIMATE: bool>(w: &mut NBody) {
    let softening2 = _mm512_set1_ps(w.softening2);
    let bodies = &w.bodies[..];
    for (block, out) in w.acceleration.chunks_mut(16 * U).enumerate() {
        let first = block * 16 * U;
        let here = |u: usize, k: usize| {
            let lanes: [f32; 16] = from_fn(|l| bodies[(first + 16 * u + l).min(bodies.len() - 1)][k]);
            // SAFETY: sixteen floats.
            unsafe { _mm512_loadu_ps(lanes.as_ptr()) }
        };
        let (x, y, z): ([_; U], [_; U], [_; U]) =
            (from_fn(|u| here(u, 0)), from_fn(|u| here(u, 1)), from_fn(|u| here(u, 2)));
        let mut sum = [[_mm512_setzero_ps(); 3]; U];
        for other in bodies {
            let [ox, oy, oz, m] = other.map(|c| _mm512_set1_ps(c));
            for u in 0..U {
                let d = [_mm512_sub_ps(ox, x[u]), _mm512_sub_ps(oy, y[u]), _mm512_sub_ps(oz, z[u])];
                let r2 = _mm512_fmadd_ps(d[2], d[2], softening2);
                let r2 = _mm512_fmadd_ps(d[0], d[0], _mm512_fmadd_ps(d[1], d[1], r2));
                let pull = pull512::<ESTIMATE>(m, r2);
                for k in 0..3 {
                    sum[u][k] = _mm512_fmadd_ps(pull, d[k], sum[u][k]);
                }
            }
        }
        for (out, sum) in out.chunks_mut(16).zip(sum) {
            let mut lanes = [[0f32; 16]; 3];
            for k in 0..3 {
                // SAFETY: sixteen floats.
                unsafe { _mm512_storeu_ps(lanes[k].as_mut_ptr(), sum[k]) };
            }
            out.iter_mut().enumerate().for_each(|(l, out)| *out = [lanes[0][l], lanes[1][l], lanes[2][l], 0.0]);
        }
    }
}

/// `m / r^3` for `r2 = r^2`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn pull256<const ESTIMATE: bool>(m: __m256, r2: __m256) -> __m256 {
    if !ESTIMATE {
        return _mm256_div_ps(m, _mm256_mul_ps(r2, _mm256_sqrt_ps(r2)));
    }
    // As above with one term more, as this estimate has 11 bits and e^2 is 2^-20.
    let y = _mm256_rsqrt_ps(r2);
    let y2 = _mm256_mul_ps(y, y);
    let one = _mm256_set1_ps(1.0);
    let error = _mm256_fnmadd_ps(r2, y2, one);
    let rough = _mm256_mul_ps(_mm256_mul_ps(m, y), y2);
    let slope = _mm256_fmadd_ps(_mm256_set1_ps(1.875), error, _mm256_set1_ps(1.5));
    _mm256_mul_ps(rough, _mm256_fmadd_ps(slope, error, one))
}

#[target_feature(enable = "avx2,fma")]
fn avx2<const U: usize, const ESTIMATE: bool>(w: &mut NBody) {
    let softening2 = _mm256_set1_ps(w.softening2);
    let bodies = &w.bodies[..];
    for (block, out) in w.acceleration.chunks_mut(8 * U).enumerate() {
        let first = block * 8 * U;
        let here = |u: usize, k: usize| {
            let lanes: [f32; 8] = from_fn(|l| bodies[(first + 8 * u + l).min(bodies.len() - 1)][k]);
            // SAFETY: eight floats.
            unsafe { _mm256_loadu_ps(lanes.as_ptr()) }
        };
        let (x, y, z): ([_; U], [_; U], [_; U]) =
            (from_fn(|u| here(u, 0)), from_fn(|u| here(u, 1)), from_fn(|u| here(u, 2)));
        let mut sum = [[_mm256_setzero_ps(); 3]; U];
        for other in bodies {
            let [ox, oy, oz, m] = other.map(|c| _mm256_set1_ps(c));
            for u in 0..U {
                let d = [_mm256_sub_ps(ox, x[u]), _mm256_sub_ps(oy, y[u]), _mm256_sub_ps(oz, z[u])];
                let r2 = _mm256_fmadd_ps(d[2], d[2], softening2);
                let r2 = _mm256_fmadd_ps(d[0], d[0], _mm256_fmadd_ps(d[1], d[1], r2));
                let pull = pull256::<ESTIMATE>(m, r2);
                for k in 0..3 {
                    sum[u][k] = _mm256_fmadd_ps(pull, d[k], sum[u][k]);
                }
            }
        }
        for (out, sum) in out.chunks_mut(8).zip(sum) {
            let mut lanes = [[0f32; 8]; 3];
            for k in 0..3 {
                // SAFETY: eight floats.
                unsafe { _mm256_storeu_ps(lanes[k].as_mut_ptr(), sum[k]) };
            }
            out.iter_mut().enumerate().for_each(|(l, out)| *out = [lanes[0][l], lanes[1][l], lanes[2][l], 0.0]);
        }
    }
}
